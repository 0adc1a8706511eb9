#include "cli/live_capture.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sched.h>

#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "cli/session.h"

namespace leman::cli {

namespace {

constexpr const char* kNamespaces = "/run/netns";

std::vector<std::string> Devices() {
  std::vector<std::string> names;
  if (struct if_nameindex* list = if_nameindex(); list != nullptr) {
    for (const struct if_nameindex* entry = list; entry->if_index != 0; ++entry) {
      names.emplace_back(entry->if_name);
    }
    if_freenameindex(list);
  }
  return names;
}

std::vector<std::string> Namespaces() {
  std::vector<std::string> names;
  if (DIR* dir = opendir(kNamespaces); dir != nullptr) {
    while (const dirent* entry = readdir(dir)) {
      if (entry->d_name[0] != '.') {
        names.emplace_back(entry->d_name);
      }
    }
    closedir(dir);
  }
  return names;
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : ", ") + word;
  }
  return text;
}

Error ActivateError(pcap_t* pcap, int result, const std::string& device) {
  switch (result) {
    case PCAP_ERROR_PERM_DENIED:
    case PCAP_ERROR_PROMISC_PERM_DENIED:
      return {Code::kPermissionDenied,
              fmt::format("capturing on {} needs CAP_NET_RAW; run this with sudo", device)};
    case PCAP_ERROR_IFACE_NOT_UP:
      return {Code::kFailedPrecondition,
              fmt::format("{} is down; bring it up with: ip link set {} up", device, device)};
    default:
      return {Code::kInternal, fmt::format("{}: {}", device, pcap_geterr(pcap))};
  }
}

struct DrainState {
  const std::function<bool(const CapturedPacket&)>* each = nullptr;
  pcap_t* pcap = nullptr;
  CapturedPacket packet;
};

void OnPacket(u_char* user, const pcap_pkthdr* header, const u_char* bytes) {
  auto* state = reinterpret_cast<DrainState*>(user);
  state->packet.time_ns = CaptureTimeNs(header->ts);
  state->packet.bytes.assign(bytes, bytes + header->caplen);
  state->packet.original_bytes = header->len;
  if (!(*state->each)(state->packet)) {
    pcap_breakloop(state->pcap);
  }
}

}  // namespace

Result<LiveCapture> LiveCapture::Open(const LiveOptions& options) {
  if (options.device != "any" && if_nametoindex(options.device.c_str()) == 0) {
    const std::vector<std::string> devices = Devices();
    return Fail(Code::kNotFound, fmt::format("no device '{}'{} (there are: {})", options.device,
                                             Suggest(options.device, devices), Joined(devices)));
  }
  std::array<char, PCAP_ERRBUF_SIZE> error{};
  Pcap pcap(pcap_create(options.device.c_str(), error.data()));
  if (pcap == nullptr) {
    return Fail(Code::kInternal, fmt::format("{}: {}", options.device, error.data()));
  }
  pcap_set_snaplen(pcap.get(), options.snap_length);
  pcap_set_promisc(pcap.get(), options.promiscuous ? 1 : 0);
  pcap_set_immediate_mode(pcap.get(), 1);  // a packet is shown when it comes, not a buffer later
  pcap_set_tstamp_precision(pcap.get(), PCAP_TSTAMP_PRECISION_NANO);
  if (const int result = pcap_activate(pcap.get()); result < 0) {
    return Fail(ActivateError(pcap.get(), result, options.device));
  }
  const int dlt = pcap_datalink(pcap.get());
  const std::optional<PacketLink> link = LinkOfDlt(dlt);
  if (!link) {
    return Fail(Code::kFailedPrecondition,
                fmt::format("{} has frames that cannot be read here (link type {})", options.device,
                            pcap_datalink_val_to_description_or_dlt(dlt)));
  }
  bpf_program program{};
  if (pcap_compile(pcap.get(), &program, options.filter.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0) {
    return Fail(Code::kInvalidArgument, fmt::format("filter '{}': {} (see pcap-filter(7))",
                                                    options.filter, pcap_geterr(pcap.get())));
  }
  const int set = pcap_setfilter(pcap.get(), &program);
  pcap_freecode(&program);
  if (set != 0 || pcap_setnonblock(pcap.get(), 1, error.data()) != 0) {
    return Fail(Code::kInternal, fmt::format("{}: {}", options.device, pcap_geterr(pcap.get())));
  }
  return LiveCapture(std::move(pcap), *link);
}

int LiveCapture::fd() const { return pcap_get_selectable_fd(pcap_.get()); }

Status LiveCapture::Drain(const std::function<bool(const CapturedPacket&)>& each) {
  DrainState state{&each, pcap_.get(), {}};
  state.packet.link = link_;
  const int got = pcap_dispatch(pcap_.get(), -1, OnPacket, reinterpret_cast<u_char*>(&state));
  if (got == PCAP_ERROR) {
    return Fail(Code::kInternal, pcap_geterr(pcap_.get()));
  }
  return {};
}

LiveStatistics LiveCapture::statistics() const {
  pcap_stat stat{};
  if (pcap_stats(pcap_.get(), &stat) != 0) {
    return {};
  }
  return {.received = stat.ps_recv, .dropped = stat.ps_drop};
}

Status EnterNetworkNamespace(const std::string& name) {
  if (name.empty() || name.find('/') != std::string::npos || name.starts_with('.')) {
    return Fail(Code::kInvalidArgument,
                fmt::format("--netns {}: a name as `ip netns` shows it, not a path", name));
  }
  const std::string path = std::string(kNamespaces) + "/" + name;
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    const int err = errno;
    const std::vector<std::string> names = Namespaces();
    return Fail(ErrnoError(err, path).code(),
                fmt::format("no network namespace '{}'{} (there are: {})", name,
                            Suggest(name, names), names.empty() ? "none" : Joined(names)));
  }
  if (setns(fd.get(), CLONE_NEWNET) != 0) {
    const int err = errno;
    return Fail(err == EPERM ? Error(Code::kPermissionDenied,
                                     fmt::format("entering network namespace '{}' needs "
                                                 "CAP_SYS_ADMIN; run this with sudo",
                                                 name))
                             : ErrnoError(err, path));
  }
  return {};
}

}  // namespace leman::cli
