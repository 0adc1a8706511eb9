#include "dataplane/dataplane.h"

#include <bpf/bpf.h>

#include "dataplane/kernel_dataplane.h"
#include "dataplane/pin_dir.h"
#include "dataplane/tc_attach.h"
#include "leman/abi.h"

namespace leman {

std::uint32_t MapAbiVersion() { return LM_ABI_VERSION; }

Result<std::unique_ptr<Dataplane>> OpenDataplane(const DataplaneOptions& options) {
  LEMAN_ASSIGN_OR_RETURN(std::string pin_dir, MakePinDir(options.pin_root, LM_ABI_VERSION));
  LEMAN_ASSIGN_OR_RETURN(std::unique_ptr<KernelObjects> objects,
                         KernelObjects::Load(options, pin_dir));
  auto dataplane =
      std::make_unique<KernelDataplane>(options, std::move(pin_dir), std::move(objects));
  LEMAN_TRY(dataplane->TakeOver());
  return std::unique_ptr<Dataplane>(std::move(dataplane));
}

namespace {

// Devices that have one of our programs, by the maps pinned under `dir`. Of another ABI version
// only the keys of lm_ports are certain; its underlay is found again by whoever attaches next.
Status DetachVersion(const std::string& dir, bool known_layout) {
  if (const int fd = bpf_obj_get((dir + "/lm_ports").c_str()); fd >= 0 && known_layout) {
    const BpfMap<std::uint32_t, lm_port> ports("lm_ports", fd, 0);
    LEMAN_ASSIGN_OR_RETURN(const auto entries, ports.ReadAll());
    for (const auto& [ifindex, port] : entries) {
      LEMAN_TRY(TcDetach(ifindex, (port.flags & LM_PORT_F_MADE_HOOK) != 0));
    }
  } else if (fd >= 0) {
    constexpr std::uint32_t kAnyNumber = 1U << 20U;
    const CounterMap<std::uint64_t> ports("lm_ports", fd, kAnyNumber, 1);
    for (const std::uint32_t ifindex : ports.Keys<std::uint32_t>()) {
      LEMAN_TRY(TcDetach(ifindex, false));
    }
  }
  const int fd = known_layout ? bpf_obj_get((dir + "/lm_config").c_str()) : -1;
  if (fd < 0) {
    return {};
  }
  const BpfMap<std::uint32_t, lm_config> map("lm_config", fd, 1);
  lm_config config{};
  if (map.Get(0, &config) && config.underlay_ifindex != 0) {
    LEMAN_TRY(TcDetach(config.underlay_ifindex, (config.made_hooks & LM_MADE_UNDERLAY) != 0));
  }
  if (config.seg_rx_ifindex != 0) {
    LEMAN_TRY(TcDetach(config.seg_rx_ifindex, (config.made_hooks & LM_MADE_SEGMENT) != 0));
  }
  return {};
}

}  // namespace

Status DetachDataplane(const std::string& pin_root) {
  const std::string ours = "/v" + std::to_string(LM_ABI_VERSION);
  for (const std::string& dir : ListPinDirs(pin_root)) {
    LEMAN_TRY(DetachVersion(dir, dir.ends_with(ours)));
    LEMAN_TRY(RemovePinDir(dir));
  }
  RemovePinRoot(pin_root);
  return {};
}

}  // namespace leman
