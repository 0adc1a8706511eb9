#include "dataplane/kernel_dataplane.h"

#include <sys/random.h>

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "base/log.h"
#include "dataplane/encode.h"
#include "dataplane/pin_dir.h"
#include "dataplane/pinned_facts.h"
#include "dataplane/tc_attach.h"

namespace leman {
namespace {

// Upper 8 bits of the mark of frames on a second pass; never 0, so that no mark is no re-entry.
std::uint32_t RandomMagic() {
  std::uint8_t byte = 0;
  if (getrandom(&byte, 1, 0) != 1 || byte == 0) {
    byte = 0x4c;
  }
  return static_cast<std::uint32_t>(byte) << 24U;
}

}  // namespace

KernelDataplane::KernelDataplane(DataplaneOptions options, std::string pin_dir,
                                 std::unique_ptr<KernelObjects> objects)
    : options_(std::move(options)), pin_dir_(std::move(pin_dir)), objects_(std::move(objects)) {
  Maps& maps = objects_->maps();
  ports_ = SyncedMap(std::move(maps.ports));
  port_addrs_ = SyncedMap(std::move(maps.port_addrs));
  networks_ = SyncedMap(std::move(maps.networks));
  fdb_ = SyncedMap(std::move(maps.fdb));
  neigh_ = SyncedMap(std::move(maps.neigh));
  peers_ = SyncedMap(std::move(maps.peers));
  vteps_ = SyncedMap(std::move(maps.vteps));
  flood_ = SyncedMap(std::move(maps.flood));
  known_opts_ = SyncedMap(std::move(maps.known_opts));
}

Status KernelDataplane::TakeOver() {
  LEMAN_TRY(ports_.Load());
  LEMAN_TRY(port_addrs_.Load());
  LEMAN_TRY(networks_.Load());
  LEMAN_TRY(fdb_.Load());
  LEMAN_TRY(neigh_.Load());
  LEMAN_TRY(peers_.Load());
  LEMAN_TRY(vteps_.Load());
  LEMAN_TRY(flood_.Load());
  LEMAN_TRY(known_opts_.Load());
  if (!objects_->maps().config.Get(0, &config_)) {
    config_ = {};
  }
  LEMAN_TRY(TakeOverFromOtherVersions());
  if (config_.magic == 0) {
    config_.magic = RandomMagic();
  }

  const std::lock_guard lock(slots_mutex_);
  port_slots_.Reset(options_.max_ports);
  network_slots_.Reset(options_.max_networks);
  peer_slots_.Reset(options_.max_peers);
  for (const auto& [ifindex, port] : ports_.held()) {
    port_slots_.Seed(ifindex, port.slot);
    if ((port.flags & LM_PORT_F_MADE_HOOK) != 0) {
      made_hooks_.insert(ifindex);
    }
  }
  for (const auto& [vni, network] : networks_.held()) {
    if (const auto known = Vni::From(vni)) {
      network_slots_.Seed(*known, network.net.slot);
    }
  }
  for (const auto& [address, peer] : peers_.held()) {
    peer_slots_.Seed(DecodeAddress(address), peer.slot);
  }
  return {};
}

// Their entries mean nothing here; but frames that their programs have sent on a second pass come
// to ours, and the hooks they made are ours to take away.
Status KernelDataplane::TakeOverFromOtherVersions() {
  for (const std::string& dir : ListPinDirs(options_.pin_root)) {
    if (dir == pin_dir_) {
      continue;
    }
    LEMAN_ASSIGN_OR_RETURN(const PinnedFacts facts, ReadPinnedFacts(dir));
    made_hooks_.insert(facts.ports_with_made_hooks.begin(), facts.ports_with_made_hooks.end());
    if (config_.magic == 0) {
      config_.magic = facts.magic;
      config_.underlay_ifindex = facts.underlay_ifindex;
      config_.seg_rx_ifindex = facts.segment_rx_ifindex;
      config_.made_hooks = facts.made_hooks;
    }
  }
  return {};
}

void KernelDataplane::Note(const Status& status, const std::string& where, ApplyReport* report) {
  if (!status.ok()) {
    report->problems.push_back({where, status.error().message()});
  }
}

std::vector<KernelDataplane::Change> KernelDataplane::ChangedNetworks(
    const model::HostProgram& wanted) const {
  std::vector<Change> changes;
  auto before = applied_.networks.begin();
  auto after = wanted.networks.begin();
  while (before != applied_.networks.end() || after != wanted.networks.end()) {
    if (after == wanted.networks.end() ||
        (before != applied_.networks.end() && before->first < after->first)) {
      changes.push_back({before->second, nullptr});
      ++before;
    } else if (before == applied_.networks.end() || after->first < before->first) {
      changes.push_back({nullptr, after->second});
      ++after;
    } else {
      if (before->second != after->second || whole_next_) {
        changes.push_back({before->second, after->second});
      }
      ++before;
      ++after;
    }
  }
  return changes;
}

std::uint32_t KernelDataplane::Slot(const char* what, std::optional<std::uint32_t> slot, bool fresh,
                                    CounterMap<lm_counters>& stats) {
  if (!slot.has_value()) {
    short_of_slots_.insert(what);
    return 0;
  }
  if (fresh) {
    stats.Zero(*slot);
  }
  return *slot;
}

// Things that came when as many were still going have no counters of their own yet; one more Apply
// gives them some. Where the map is full they are not even programmed, and that is told.
void KernelDataplane::NoteMissingSlots(ApplyReport* report) {
  for (const std::string& what : std::exchange(short_of_slots_, {})) {
    if (std::none_of(report->problems.begin(), report->problems.end(),
                     [&](const model::Problem& problem) { return problem.where == what; })) {
      report->problems.push_back(
          {what, "some share one counter until those that went have given theirs back"});
    }
  }
}

void KernelDataplane::EmitHost(const model::HostProgram& wanted) {
  for (const model::KnownOption& option : wanted.known_options) {
    known_opts_.Want(OptionKey(option.option_class, option.type), EncodeKnownOption(option));
  }
  for (const model::VtepWay& peer : wanted.peers) {
    const auto slot = peer_slots_.Find(peer.address);
    peers_.Want(EncodeAddress(peer.address), {.slot = slot.value_or(0), .flags = WayFlags(peer)});
  }
}

void KernelDataplane::EmitFlood(const Network& network) {
  lm_flood flood{};
  for (const model::VtepWay& vtep : network.vteps) {
    if (flood.n_vteps == LM_MAX_FLOOD_VTEPS) {
      flood.truncated = 1;
      break;
    }
    flood.vteps[flood.n_vteps++] = EncodeRemote(vtep, peer_slots_.Find(vtep.address).value_or(0));
  }
  for (const model::LocalPort& port : network.ports) {
    if (flood.n_ports == LM_MAX_FLOOD_PORTS) {
      flood.truncated = 1;
      break;
    }
    flood.ports[flood.n_ports++] = {.ifindex = port.ifindex,
                                    .slot = port_slots_.Find(port.ifindex).value_or(0)};
  }
  flood_.Want(network.vni.value(), flood);
}

void KernelDataplane::EmitNetwork(const Network& network) {
  bool fresh = false;
  const auto network_slot = network_slots_.Take(network.vni, &fresh);
  const lm_net net =
      EncodeNet(network, Slot("networks", network_slot, fresh, objects_->maps().net_stats));
  networks_.Want(network.vni.value(), EncodeNetwork(network, net));
  std::map<std::uint32_t, const model::LocalPort*> by_ifindex;
  for (const model::LocalPort& port : network.ports) {
    const auto taken = port_slots_.Take(port.ifindex, &fresh);
    const std::uint32_t slot = Slot("ports", taken, fresh, objects_->maps().port_stats);
    by_ifindex.emplace(port.ifindex, &port);
    ports_.Want(port.ifindex,
                EncodePort(port, network.vni, net, slot, made_hooks_.contains(port.ifindex)));
    for (const IpAddress& address : port.addresses) {
      port_addrs_.Want(PortAddressKey(port.ifindex, address), 1);
    }
  }
  for (const model::FdbEntry& entry : network.fdb) {
    if (entry.ifindex == 0) {
      fdb_.Want(MacKey(network.vni, entry.mac),
                EncodeRemote(entry.vtep, peer_slots_.Find(entry.vtep.address).value_or(0)));
    } else if (const auto port = by_ifindex.find(entry.ifindex); port != by_ifindex.end()) {
      fdb_.Want(MacKey(network.vni, entry.mac),
                EncodeLocal(*port->second, port_slots_.Find(entry.ifindex).value_or(0)));
    }
  }
  for (const model::NeighbourEntry& entry : network.neighbours) {
    neigh_.Want(NeighbourKey(network.vni, entry.address), EncodeNeighbour(entry.mac));
  }
  for (const model::VtepWay& vtep : network.vteps) {
    vteps_.Want(
        VtepKey(network.vni, vtep.address),
        {.peer = {.slot = peer_slots_.Find(vtep.address).value_or(0), .flags = WayFlags(vtep)},
         .net = net});
  }
  EmitFlood(network);
}

// Who makes a clsact qdisc is written down before it is made: an agent that is killed in between
// leaves nothing that the next one does not know as its own.
bool KernelDataplane::NeedsHook(std::uint32_t ifindex) const {
  return ifindex != 0 && !attached_.contains(ifindex) && !TcHasHook(ifindex);
}

Status KernelDataplane::WriteConfig(const model::HostProgram& wanted) {
  lm_config config = EncodeConfig(wanted, options_.learn_limit, config_.magic);
  config.made_hooks = config_.made_hooks;
  config.generation = config_.generation;
  if (config_.underlay_ifindex != config.underlay_ifindex) {
    config.made_hooks &= static_cast<__u8>(~LM_MADE_UNDERLAY);
  }
  if (config_.seg_rx_ifindex != config.seg_rx_ifindex) {
    config.made_hooks &= static_cast<__u8>(~LM_MADE_SEGMENT);
  }
  const unsigned made = (NeedsHook(config.underlay_ifindex) ? LM_MADE_UNDERLAY : 0U) |
                        (NeedsHook(config.seg_rx_ifindex) ? LM_MADE_SEGMENT : 0U);
  config.made_hooks = static_cast<__u8>(config.made_hooks | made);
  if (std::memcmp(&config, &config_, sizeof(config)) == 0 && !whole_next_) {
    return {};
  }
  LEMAN_TRY(objects_->maps().config.Put(0, config));
  config_ = config;
  return {};
}

// The programs use no more what they keep of before (bpf/lib/kept.h).
Status KernelDataplane::NextGeneration() {
  ++config_.generation;
  return objects_->maps().config.Put(0, config_);
}

// Whether a port that was attached is so no more, see DeviceGone.
bool KernelDataplane::LostAnAttachment(const model::HostProgram& wanted) const {
  for (const auto& [vni, network] : wanted.networks) {
    const auto before = applied_.networks.find(vni);
    if (before == applied_.networks.end() || before->second != network) {
      continue;
    }
    for (const model::LocalPort& port : network->ports) {
      if (!attached_.contains(port.ifindex)) {
        return true;
      }
    }
  }
  return false;
}

void KernelDataplane::WriteAll(ApplyReport* report) {
  // What others point to comes first: nobody looks up a MAC whose network is not there yet.
  Note(known_opts_.Write(report), "options", report);
  Note(peers_.Write(report), "peers", report);
  Note(networks_.Write(report), "networks", report);
  Note(vteps_.Write(report), "VTEPs", report);
  Note(neigh_.Write(report), "neighbours", report);
  Note(port_addrs_.Write(report), "port addresses", report);
  Note(ports_.Write(report), "ports", report);
  Note(fdb_.Write(report), "FDB", report);
  Note(flood_.Write(report), "flood lists", report);
}

void KernelDataplane::SweepAll(const std::vector<Change>& changes, bool whole,
                               ApplyReport* report) {
  std::vector<std::uint32_t> vnis;
  std::vector<std::uint32_t> ports;
  std::vector<lm_port_addr_key> port_addrs;
  std::vector<lm_mac_key> macs;
  std::vector<lm_neigh_key> neighbours;
  std::vector<lm_vtep_key> vteps;
  for (const Change& change : changes) {
    if (change.before == nullptr) {
      continue;
    }
    const Network& network = *change.before;
    vnis.push_back(network.vni.value());
    for (const model::LocalPort& port : network.ports) {
      ports.push_back(port.ifindex);
      for (const IpAddress& address : port.addresses) {
        port_addrs.push_back(PortAddressKey(port.ifindex, address));
      }
    }
    for (const model::FdbEntry& entry : network.fdb) {
      macs.push_back(MacKey(network.vni, entry.mac));
    }
    for (const model::NeighbourEntry& entry : network.neighbours) {
      neighbours.push_back(NeighbourKey(network.vni, entry.address));
    }
    for (const model::VtepWay& vtep : network.vteps) {
      vteps.push_back(VtepKey(network.vni, vtep.address));
    }
  }
  Note(flood_.Sweep(whole ? nullptr : &vnis, report), "flood lists", report);
  Note(fdb_.Sweep(whole ? nullptr : &macs, report), "FDB", report);
  Note(ports_.Sweep(whole ? nullptr : &ports, report), "ports", report);
  Note(port_addrs_.Sweep(whole ? nullptr : &port_addrs, report), "port addresses", report);
  Note(neigh_.Sweep(whole ? nullptr : &neighbours, report), "neighbours", report);
  Note(vteps_.Sweep(whole ? nullptr : &vteps, report), "VTEPs", report);
  Note(networks_.Sweep(whole ? nullptr : &vnis, report), "networks", report);
  // Peers and known options are wanted as a whole each time.
  Note(peers_.Sweep(nullptr, report), "peers", report);
  Note(known_opts_.Sweep(nullptr, report), "options", report);
}

void KernelDataplane::Done() {
  flood_.Done();
  fdb_.Done();
  ports_.Done();
  port_addrs_.Done();
  neigh_.Done();
  vteps_.Done();
  networks_.Done();
  peers_.Done();
  known_opts_.Done();
}

void KernelDataplane::AttachOne(std::uint32_t ifindex, int program_fd, const std::string& where,
                                ApplyReport* report) {
  if (ifindex == 0 || attached_.contains(ifindex)) {
    return;
  }
  const Status attached = TcAttach(ifindex, program_fd);
  Note(attached, where, report);
  if (attached.ok()) {
    attached_[ifindex] = program_fd == objects_->PortProgram() ? objects_->PortProgramId()
                                                               : objects_->UnderlayProgramId();
    ++report->attached;
  }
}

void KernelDataplane::AttachAll(const model::HostProgram& wanted,
                                const std::vector<Change>& changes, ApplyReport* report) {
  AttachOne(wanted.segment_rx_ifindex, objects_->PortProgram(), "segmenter", report);
  AttachOne(wanted.underlay_ifindex, objects_->UnderlayProgram(), "underlay", report);
  for (const Change& change : changes) {
    if (change.after == nullptr) {
      continue;
    }
    for (const model::LocalPort& port : change.after->ports) {
      AttachOne(port.ifindex, objects_->PortProgram(), "port " + port.name, report);
    }
  }
}

// Programs come off before the entries they need go.
void KernelDataplane::DetachGone(const model::HostProgram& wanted, ApplyReport* report) {
  std::unordered_set<std::uint32_t> keep{wanted.underlay_ifindex, wanted.segment_rx_ifindex};
  for (const auto& [vni, network] : wanted.networks) {
    for (const model::LocalPort& port : network->ports) {
      keep.insert(port.ifindex);
    }
  }
  std::vector<std::uint32_t> gone;
  for (const auto& [ifindex, port] : ports_.held()) {
    if (!keep.contains(ifindex)) {
      gone.push_back(ifindex);
    }
  }
  for (const auto& [ifindex, program] : attached_) {
    if (!keep.contains(ifindex)) {
      gone.push_back(ifindex);
    }
  }
  for (const std::uint32_t ifindex : gone) {
    Note(TcDetach(ifindex, made_hooks_.contains(ifindex)), "detach", report);
    attached_.erase(ifindex);
    made_hooks_.erase(ifindex);
  }
}

void KernelDataplane::FreeSlots(const model::HostProgram& wanted) {
  std::unordered_set<IpAddress> peers;
  for (const model::VtepWay& peer : wanted.peers) {
    peers.insert(peer.address);
  }
  peer_slots_.FreeIf([&](const IpAddress& address) { return !peers.contains(address); });
  network_slots_.FreeIf([&](const Vni& vni) { return !wanted.networks.contains(vni); });
  port_slots_.FreeIf(
      [&](const std::uint32_t& ifindex) { return !ports_.held().contains(ifindex); });
}

Result<ApplyReport> KernelDataplane::Apply(const model::HostProgram& wanted) {
  ApplyReport report;
  // Nothing of such a network changed, and yet its ports are to be seen to.
  whole_next_ = whole_next_ || LostAnAttachment(wanted);
  const bool whole = whole_next_;
  const std::vector<Change> changes = ChangedNetworks(wanted);
  const lm_config old_config = config_;

  LEMAN_TRY(WriteConfig(wanted));
  for (const Change& change : changes) {
    if (change.after == nullptr) {
      continue;
    }
    for (const model::LocalPort& port : change.after->ports) {
      if (NeedsHook(port.ifindex)) {
        made_hooks_.insert(port.ifindex);
      }
    }
  }
  {
    const std::lock_guard lock(slots_mutex_);
    for (const model::VtepWay& peer : wanted.peers) {
      bool fresh = false;
      const auto slot = peer_slots_.Take(peer.address, &fresh);
      (void)Slot("peers", slot, fresh, objects_->maps().peer_stats);
    }
    EmitHost(wanted);
    for (const Change& change : changes) {
      if (change.after != nullptr) {
        EmitNetwork(*change.after);
      }
    }
  }
  // A map may be full of what is about to be swept: such writes are made again when that is gone.
  ApplyReport written;
  WriteAll(&written);
  report.added += written.added;
  report.changed += written.changed;
  AttachAll(wanted, changes, &report);
  DetachGone(wanted, &report);
  if (old_config.underlay_ifindex != 0 && old_config.underlay_ifindex != config_.underlay_ifindex) {
    Note(TcDetach(old_config.underlay_ifindex, (old_config.made_hooks & LM_MADE_UNDERLAY) != 0),
         "underlay", &report);
  }
  SweepAll(changes, whole, &report);
  if (!written.problems.empty()) {
    WriteAll(&report);
  }
  if (report.added + report.changed + report.removed != 0) {
    LEMAN_TRY(NextGeneration());
  }
  NoteMissingSlots(&report);
  Done();
  if (first_) {
    DetachStrangers(&report);
    first_ = false;
  }
  {
    const std::lock_guard lock(slots_mutex_);
    FreeSlots(wanted);
  }
  const bool vteps_went = std::any_of(changes.begin(), changes.end(), [](const Change& change) {
    return change.before != nullptr &&
           (change.after == nullptr || change.before->vteps != change.after->vteps);
  });
  if (whole || vteps_went) {
    Note(ForgetStrangers(), "learned MACs", &report);
  }
  applied_ = wanted;
  // What could not be written now is tried again as a whole next time.
  whole_next_ = !report.problems.empty();
  problems_ = report.problems;

  const auto usage = [](const auto& map) {
    return MapUsage{map.map().name(), map.held().size(), map.map().max_entries()};
  };
  const std::lock_guard lock(usage_mutex_);
  usage_ = {usage(ports_), usage(port_addrs_), usage(networks_), usage(fdb_),       usage(neigh_),
            usage(peers_), usage(vteps_),      usage(flood_),    usage(known_opts_)};
  return report;
}

Result<ApplyReport> KernelDataplane::Audit() {
  ApplyReport report;
  lm_config config{};
  if (!objects_->maps().config.Get(0, &config) ||
      std::memcmp(&config, &config_, sizeof(config)) != 0) {
    LEMAN_TRY(objects_->maps().config.Put(0, config_));
    ++report.changed;
  }
  LEMAN_TRY(known_opts_.Audit(&report));
  LEMAN_TRY(peers_.Audit(&report));
  LEMAN_TRY(networks_.Audit(&report));
  LEMAN_TRY(vteps_.Audit(&report));
  LEMAN_TRY(neigh_.Audit(&report));
  LEMAN_TRY(port_addrs_.Audit(&report));
  LEMAN_TRY(ports_.Audit(&report));
  LEMAN_TRY(fdb_.Audit(&report));
  LEMAN_TRY(flood_.Audit(&report));
  if (report.added + report.changed + report.removed != 0) {
    LEMAN_TRY(NextGeneration());
  }
  const std::size_t lost = std::erase_if(
      attached_, [](const auto& entry) { return TcAttachedProgram(entry.first) != entry.second; });
  if (lost != 0) {
    whole_next_ = true;
    LEMAN_ASSIGN_OR_RETURN(const ApplyReport mended, Apply(model::HostProgram(applied_)));
    report.added += mended.added;
    report.changed += mended.changed;
    report.removed += mended.removed;
    report.attached += mended.attached;
  }
  report.problems = problems_;
  return report;
}

// What earlier agents left on devices that are wanted no more and that no map tells of: programs of
// another version of the maps, or of an agent that was killed at a bad moment.
void KernelDataplane::DetachStrangers(ApplyReport* report) {
  const auto devices = TcDevicesWithOurs();
  if (!devices.ok()) {
    Note(Fail(devices.error()), "detach", report);
    return;
  }
  for (const std::uint32_t ifindex : devices.value()) {
    if (!attached_.contains(ifindex)) {
      Note(TcDetach(ifindex, made_hooks_.contains(ifindex)), "detach", report);
      made_hooks_.erase(ifindex);
    }
  }
  for (const std::string& dir : ListPinDirs(options_.pin_root)) {
    if (dir != pin_dir_) {
      Note(RemovePinDir(dir), "pins of another version", report);
    }
  }
}

void KernelDataplane::DeviceGone(std::uint32_t ifindex) {
  attached_.erase(ifindex);
  made_hooks_.erase(ifindex);
}

Status KernelDataplane::Detach() { return DetachDataplane(options_.pin_root); }

}  // namespace leman
