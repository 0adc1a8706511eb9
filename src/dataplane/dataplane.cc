#include "dataplane/dataplane.h"

#include <bpf/libbpf.h>
#include <unistd.h>

#include <set>

#include "dataplane/kernel_dataplane.h"
#include "dataplane/pin_dir.h"
#include "dataplane/pinned_facts.h"
#include "dataplane/tc_attach.h"
#include "leman/abi.h"

namespace leman {

std::uint32_t MapAbiVersion() { return LM_ABI_VERSION; }

namespace {

Result<std::unique_ptr<Dataplane>> OpenIn(const DataplaneOptions& options,
                                          const std::string& pin_dir) {
  LEMAN_ASSIGN_OR_RETURN(std::unique_ptr<KernelObjects> objects,
                         KernelObjects::Load(options, pin_dir));
  auto dataplane = std::make_unique<KernelDataplane>(options, pin_dir, std::move(objects));
  LEMAN_TRY(dataplane->TakeOver());
  return std::unique_ptr<Dataplane>(std::move(dataplane));
}

}  // namespace

Result<std::unique_ptr<Dataplane>> OpenDataplane(const DataplaneOptions& options) {
  LEMAN_TRY(CheckKernel());
  const std::string pin_dir = PinDir(options.pin_root, LM_ABI_VERSION);
  const bool fresh = access((pin_dir + "/lm_config").c_str(), F_OK) != 0;
  const Status made = MakePinDir(options.pin_root, pin_dir);
  auto dataplane = made.ok() ? OpenIn(options, pin_dir) : Fail(made.error());
  if (!dataplane.ok() && fresh) {
    // Nobody forwards by what this start has made.
    (void)RemovePinDir(pin_dir);
    RemovePinRoot(options.pin_root);
  }
  return dataplane;
}

namespace {

// Devices whose clsact qdisc an agent made, by the maps pinned under `pin_root`.
Result<std::set<std::uint32_t>> MadeHooks(const std::string& pin_root) {
  std::set<std::uint32_t> made;
  for (const std::string& dir : ListPinDirs(pin_root)) {
    LEMAN_ASSIGN_OR_RETURN(const PinnedFacts facts, ReadPinnedFacts(dir));
    made.insert(facts.ports_with_made_hooks.begin(), facts.ports_with_made_hooks.end());
    if ((facts.made_hooks & LM_MADE_UNDERLAY) != 0) {
      made.insert(facts.underlay_ifindex);
    }
    if ((facts.made_hooks & LM_MADE_SEGMENT) != 0) {
      made.insert(facts.segment_rx_ifindex);
    }
  }
  return made;
}

}  // namespace

Status DetachDataplane(const std::string& pin_root) {
  libbpf_set_print(nullptr);  // it complains of filters that are not there
  LEMAN_ASSIGN_OR_RETURN(const std::set<std::uint32_t> made, MadeHooks(pin_root));
  // The devices themselves are asked: pins may be gone, or tell of less than there is.
  LEMAN_ASSIGN_OR_RETURN(const std::vector<std::uint32_t> ours, TcDevicesWithOurs());
  std::set<std::uint32_t> devices = made;
  devices.insert(ours.begin(), ours.end());
  Status first;
  for (const std::uint32_t ifindex : devices) {
    Status detached = TcDetach(ifindex, made.contains(ifindex));
    if (first.ok() && !detached.ok()) {
      first = std::move(detached);
    }
  }
  LEMAN_TRY(first);  // the pins stay until all is off: they know who made what
  for (const std::string& dir : ListPinDirs(pin_root)) {
    LEMAN_TRY(RemovePinDir(dir));
  }
  RemovePinRoot(pin_root);
  return {};
}

}  // namespace leman
