// Programs on devices: tc ingress by clsact. The one file that knows how (docs/adr/0003). Internal
// to dataplane/.
//
// Threads: any, the kernel serialises. Ownership: none; an attachment lives in the kernel until
// detached or its device goes.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"

namespace leman {

// Whether the device has a qdisc that programs can be attached to. On doubt: yes.
[[nodiscard]] bool TcHasHook(std::uint32_t ifindex);

// Puts the program at ingress of the device, in place of our former one without a gap. Makes the
// clsact qdisc if the device has none.
[[nodiscard]] Status TcAttach(std::uint32_t ifindex, int program_fd);

// Takes our program off, and the clsact qdisc too if `remove_hook` and nobody else uses it. A
// device that is gone is no error.
[[nodiscard]] Status TcDetach(std::uint32_t ifindex, bool remove_hook);

// Id of our program on the device, 0 if there is none.
[[nodiscard]] std::uint32_t TcAttachedProgram(std::uint32_t ifindex);

// Devices of this network namespace that have a program of Leman's, whichever agent put it there.
[[nodiscard]] Result<std::vector<std::uint32_t>> TcDevicesWithOurs();

}  // namespace leman
