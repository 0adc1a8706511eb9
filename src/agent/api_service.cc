#include "agent/api_service.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <set>

#include "agent/option_names.h"

namespace leman::agent {

namespace {

grpc::Status NotYet() {
  return {grpc::StatusCode::UNAVAILABLE, "the agent is starting; try again in a moment"};
}

void SetTraffic(const TrafficCount& count, v1::Traffic* out) {
  out->set_rx_packets(count.rx.packets);
  out->set_rx_bytes(count.rx.bytes);
  out->set_tx_packets(count.tx.packets);
  out->set_tx_bytes(count.tx.bytes);
  out->set_dropped_packets(count.dropped_packets);
}

void AddVerdicts(const Dataplane& dataplane, google::protobuf::RepeatedPtrField<v1::Verdict>* out) {
  for (const VerdictCount& verdict : dataplane.Verdicts()) {
    v1::Verdict* entry = out->Add();
    entry->set_hook(verdict.hook);
    entry->set_verdict(verdict.verdict);
    entry->set_text(verdict.text);
    entry->set_packets(verdict.count.packets);
    entry->set_bytes(verdict.count.bytes);
    entry->set_is_drop(verdict.is_drop);
  }
}

const model::NetworkProgram* FindNetwork(const Snapshot& snapshot, Vni vni) {
  const auto network = snapshot.program->networks.find(vni);
  return network == snapshot.program->networks.end() ? nullptr : network->second.get();
}

std::map<std::uint32_t, std::string> PortNames(const model::NetworkProgram& network) {
  std::map<std::uint32_t, std::string> names;
  for (const model::LocalPort& port : network.ports) {
    names.emplace(port.ifindex, port.name);
  }
  return names;
}

// Entries on their way out in pages: some tens of kilobytes each, whatever their number.
template <class Page>
class Pages {
 public:
  explicit Pages(grpc::ServerWriter<Page>* writer) : writer_(writer) {}

  // The next entry, to be filled before the next call; nullptr when nobody reads any more.
  auto* Next() {
    const bool open = page_.entries_size() < kEntries || Flush();
    return open ? page_.add_entries() : nullptr;
  }
  [[nodiscard]] grpc::Status Finish() {
    return page_.entries_size() == 0 || Flush() ? grpc::Status::OK : grpc::Status::CANCELLED;
  }

 private:
  static constexpr int kEntries = 1000;

  bool Flush() {
    const bool written = writer_->Write(page_);
    page_.Clear();
    return written;
  }

  grpc::ServerWriter<Page>* writer_;
  Page page_;
};

}  // namespace

grpc::StatusCode ToGrpc(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case Code::kNotFound:
      return grpc::StatusCode::NOT_FOUND;
    case Code::kAlreadyExists:
      return grpc::StatusCode::ALREADY_EXISTS;
    case Code::kPermissionDenied:
      return grpc::StatusCode::PERMISSION_DENIED;
    case Code::kResourceExhausted:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case Code::kFailedPrecondition:
      return grpc::StatusCode::FAILED_PRECONDITION;
    case Code::kUnavailable:
      return grpc::StatusCode::UNAVAILABLE;
    case Code::kInternal:
      return grpc::StatusCode::INTERNAL;
  }
  return grpc::StatusCode::UNKNOWN;
}

std::uint64_t ResidentBytes() {
  unsigned long total = 0;
  unsigned long resident = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "re"); file != nullptr) {
    if (std::fscanf(file, "%lu %lu", &total, &resident) != 2) {
      resident = 0;
    }
    std::fclose(file);
  }
  return std::uint64_t{resident} * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

grpc::Status ApiService::GetStatus(grpc::ServerContext* /*context*/,
                                   const v1::GetStatusRequest* /*request*/, v1::Status* response) {
  const auto snapshot = board_.Get();
  response->set_version(info_.version);
  response->set_abi_version(info_.abi_version);
  response->set_state(static_cast<v1::AgentState>(snapshot->start_state));
  response->set_degraded(!snapshot->problems.empty());
  for (const model::Problem& problem : snapshot->problems) {
    v1::Problem* entry = response->add_problems();
    entry->set_where(problem.where);
    entry->set_what(problem.what);
  }
  response->set_state_file(info_.state_file);
  response->set_revision(snapshot->revision);
  response->set_uptime_seconds(
      std::chrono::duration<double>(std::chrono::steady_clock::now() - info_.started).count());
  response->set_last_reconcile_ms(snapshot->last_reconcile_ms);
  response->set_last_added(snapshot->last_added);
  response->set_last_changed(snapshot->last_changed);
  response->set_last_removed(snapshot->last_removed);
  response->set_rss_bytes(ResidentBytes());
  utsname kernel{};
  if (uname(&kernel) == 0) {
    response->set_kernel(kernel.release);
  }
  if (snapshot->state != nullptr) {
    const model::Underlay& underlay = snapshot->state->underlay;
    response->set_host(snapshot->state->host);
    response->set_underlay_device(underlay.device);
    response->set_underlay_mtu(snapshot->underlay_mtu);
    for (const auto& address : {underlay.address4, underlay.address6}) {
      if (address.has_value()) {
        response->add_underlay_addresses(address->ToString());
      }
    }
    response->set_udp_port(underlay.udp_port);
  }
  if (snapshot->program != nullptr) {
    std::size_t ports = 0;
    std::size_t fdb = 0;
    for (const auto& [vni, network] : snapshot->program->networks) {
      ports += network->ports.size();
      fdb += network->fdb.size();
    }
    response->set_networks(static_cast<std::uint32_t>(snapshot->program->networks.size()));
    response->set_ports(static_cast<std::uint32_t>(ports));
    response->set_peers(static_cast<std::uint32_t>(snapshot->program->peers.size()));
    response->set_fdb_entries(fdb);
  }
  if (const Dataplane* dataplane = board_.dataplane(); dataplane != nullptr) {
    for (const MapUsage& usage : dataplane->Usage()) {
      v1::MapUsage* entry = response->add_maps();
      entry->set_map(usage.map);
      entry->set_entries(usage.entries);
      entry->set_max_entries(usage.max_entries);
    }
  }
  return grpc::Status::OK;
}

grpc::Status ApiService::ListPorts(grpc::ServerContext* /*context*/,
                                   const v1::ListPortsRequest* /*request*/,
                                   v1::ListPortsResponse* response) {
  const auto snapshot = board_.Get();
  const Dataplane* dataplane = board_.dataplane();
  if (snapshot->program == nullptr || dataplane == nullptr) {
    return NotYet();
  }
  for (const auto& wish : snapshot->state->networks) {
    const model::Network& network = *wish;
    std::map<std::string, const model::LocalPort*> active;
    if (const auto* program = FindNetwork(*snapshot, network.vni); program != nullptr) {
      for (const model::LocalPort& port : program->ports) {
        active.emplace(port.name, &port);
      }
    }
    for (const model::Port& port : network.ports) {
      v1::Port* entry = response->add_ports();
      entry->set_name(port.name);
      entry->set_network(network.name);
      entry->set_vni(network.vni.value());
      entry->set_device(port.device);
      entry->set_mac(port.mac.ToString());
      for (const IpAddress& address : port.addresses) {
        entry->add_addresses(address.ToString());
      }
      entry->set_port_security(port.port_security);
      const auto local = active.find(port.name);
      entry->set_state(local == active.end() ? "no device" : "active");
      if (local != active.end()) {
        entry->set_ifindex(local->second->ifindex);
        SetTraffic(dataplane->PortTraffic(local->second->ifindex), entry->mutable_traffic());
      }
    }
  }
  return grpc::Status::OK;
}

grpc::Status ApiService::ListNetworks(grpc::ServerContext* /*context*/,
                                      const v1::ListNetworksRequest* /*request*/,
                                      v1::ListNetworksResponse* response) {
  const auto snapshot = board_.Get();
  const Dataplane* dataplane = board_.dataplane();
  if (snapshot->program == nullptr || dataplane == nullptr) {
    return NotYet();
  }
  for (const auto& [vni, network] : snapshot->program->networks) {
    v1::Network* entry = response->add_networks();
    entry->set_name(network->name);
    entry->set_vni(vni.value());
    entry->set_mtu(network->mtu);
    entry->set_learning(network->learning);
    entry->set_ports(static_cast<std::uint32_t>(network->ports.size()));
    entry->set_remotes(network->fdb.size() - network->ports.size());
    entry->set_vteps(static_cast<std::uint32_t>(network->vteps.size()));
    entry->set_options_bytes(static_cast<std::uint32_t>(network->options.size()));
    entry->set_options(OptionsText(network->options));
    SetTraffic(dataplane->NetworkTraffic(vni), entry->mutable_traffic());
  }
  return grpc::Status::OK;
}

grpc::Status ApiService::ListPeers(grpc::ServerContext* /*context*/,
                                   const v1::ListPeersRequest* /*request*/,
                                   v1::ListPeersResponse* response) {
  const auto snapshot = board_.Get();
  const Dataplane* dataplane = board_.dataplane();
  if (snapshot->program == nullptr || dataplane == nullptr) {
    return NotYet();
  }
  std::map<IpAddress, std::uint32_t> networks;
  for (const auto& [vni, network] : snapshot->program->networks) {
    for (const model::VtepWay& way : network->vteps) {
      ++networks[way.address];
    }
  }
  for (const model::VtepWay& way : snapshot->program->peers) {
    v1::Peer* entry = response->add_peers();
    entry->set_address(way.address.ToString());
    entry->set_networks(networks[way.address]);
    entry->set_udp_checksum(!way.udp_checksum  ? "zero"
                            : way.accept_zero6 ? "accept_zero"
                                               : "required");
    entry->set_ecn_compatibility(way.ecn_compatibility);
    SetTraffic(dataplane->PeerTraffic(way.address), entry->mutable_traffic());
  }
  return grpc::Status::OK;
}

grpc::Status ApiService::ListFdb(grpc::ServerContext* /*context*/,
                                 const v1::ListFdbRequest* request,
                                 grpc::ServerWriter<v1::FdbPage>* writer) {
  const auto snapshot = board_.Get();
  const Dataplane* dataplane = board_.dataplane();
  if (snapshot->program == nullptr || dataplane == nullptr) {
    return NotYet();
  }
  Pages pages(writer);
  for (const auto& [vni, network] : snapshot->program->networks) {
    if (request->filter_vni() && vni.value() != request->vni()) {
      continue;
    }
    const auto ports = PortNames(*network);
    for (const model::FdbEntry& fdb : network->fdb) {
      v1::FdbEntry* entry = pages.Next();
      if (entry == nullptr) {
        return grpc::Status::CANCELLED;
      }
      entry->set_vni(vni.value());
      entry->set_network(network->name);
      entry->set_mac(fdb.mac.ToString());
      if (fdb.ifindex != 0) {
        entry->set_kind("local");
        const auto port = ports.find(fdb.ifindex);
        entry->set_port(port == ports.end() ? "" : port->second);
      } else {
        entry->set_kind("remote");
        entry->set_vtep(fdb.vtep.address.ToString());
      }
    }
  }
  for (const LearnedMac& learned : dataplane->Learned()) {
    if (request->filter_vni() && learned.vni.value() != request->vni()) {
      continue;
    }
    const auto* network = FindNetwork(*snapshot, learned.vni);
    v1::FdbEntry* entry = pages.Next();
    if (entry == nullptr) {
      return grpc::Status::CANCELLED;
    }
    entry->set_vni(learned.vni.value());
    entry->set_network(network == nullptr ? "" : network->name);
    entry->set_mac(learned.mac.ToString());
    entry->set_kind("learned");
    entry->set_vtep(learned.vtep.ToString());
    entry->set_age_seconds(std::chrono::duration<double>(learned.age).count());
  }
  return pages.Finish();
}

grpc::Status ApiService::ListNeighbours(grpc::ServerContext* /*context*/,
                                        const v1::ListNeighboursRequest* request,
                                        grpc::ServerWriter<v1::NeighbourPage>* writer) {
  const auto snapshot = board_.Get();
  if (snapshot->program == nullptr) {
    return NotYet();
  }
  Pages pages(writer);
  for (const auto& [vni, network] : snapshot->program->networks) {
    if (request->filter_vni() && vni.value() != request->vni()) {
      continue;
    }
    for (const model::NeighbourEntry& neighbour : network->neighbours) {
      v1::NeighbourEntry* entry = pages.Next();
      if (entry == nullptr) {
        return grpc::Status::CANCELLED;
      }
      entry->set_vni(vni.value());
      entry->set_network(network->name);
      entry->set_address(neighbour.address.ToString());
      entry->set_mac(neighbour.mac.ToString());
    }
  }
  return pages.Finish();
}

grpc::Status ApiService::GetDrops(grpc::ServerContext* /*context*/,
                                  const v1::GetDropsRequest* /*request*/, v1::Drops* response) {
  const Dataplane* dataplane = board_.dataplane();
  if (dataplane == nullptr) {
    return NotYet();
  }
  AddVerdicts(*dataplane, response->mutable_verdicts());
  return grpc::Status::OK;
}

grpc::Status ApiService::GetCounters(grpc::ServerContext* /*context*/,
                                     const v1::GetCountersRequest* /*request*/,
                                     v1::Counters* response) {
  const Dataplane* dataplane = board_.dataplane();
  if (dataplane == nullptr) {
    return NotYet();
  }
  const auto snapshot = board_.Get();
  AddVerdicts(*dataplane, response->mutable_verdicts());
  for (const EventCount& event : dataplane->Events()) {
    v1::EventCount* entry = response->add_events();
    entry->set_event(event.event);
    entry->set_text(event.text);
    entry->set_count(event.count);
  }
  for (const OptionCount& option : dataplane->ReceivedOptions()) {
    v1::OptionCount* entry = response->add_received_options();
    entry->set_option_class(option.option_class);
    entry->set_type(option.type);
    entry->set_name(OptionName(snapshot->program.get(), option.option_class, option.type));
    entry->set_packets(option.count.packets);
    entry->set_bytes(option.count.bytes);
  }
  return grpc::Status::OK;
}

grpc::Status ApiService::Reload(grpc::ServerContext* /*context*/,
                                const v1::ReloadRequest* /*request*/,
                                v1::ReloadResponse* response) {
  const auto outcome = gate_.Request(std::chrono::seconds(30));
  if (!outcome.ok()) {
    return {ToGrpc(outcome.error().code()), outcome.error().message()};
  }
  response->set_revision(outcome.value().revision);
  response->set_added(outcome.value().added);
  response->set_changed(outcome.value().changed);
  response->set_removed(outcome.value().removed);
  response->set_reconcile_ms(outcome.value().reconcile_ms);
  return grpc::Status::OK;
}

}  // namespace leman::agent
