// What pinned maps say of things that outlive their ABI version. The members are found by name, in
// the BTF that is pinned with every map, so the layout may be that of any version; abi.h tells
// which names and meanings are the same in all of them. Internal to dataplane/.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "base/result.h"

namespace leman {

struct PinnedFacts {
  std::uint32_t magic = 0;  // in the mark of frames on a second pass; 0: not known
  std::uint32_t underlay_ifindex = 0;
  std::uint32_t segment_rx_ifindex = 0;
  std::uint8_t made_hooks = 0;                      // LM_MADE_* of these two devices
  std::set<std::uint32_t> ports_with_made_hooks{};  // ifindexes
};

// Of the maps under `pin_dir`; what is not there is not known.
[[nodiscard]] Result<PinnedFacts> ReadPinnedFacts(const std::string& pin_dir);

}  // namespace leman
