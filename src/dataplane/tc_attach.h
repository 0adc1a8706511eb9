// Programs on devices: tc ingress by clsact. The one file that knows how (docs/adr/0003). Internal
// to dataplane/.
//
// Threads: any, the kernel serialises. Ownership: none; an attachment lives in the kernel until
// detached or its device goes.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace leman {

// Makes the clsact qdisc of the device if it has none; `made` tells if it had to be made.
[[nodiscard]] Status TcMakeHook(std::uint32_t ifindex, bool* made);

// Puts the program at ingress of the device, in place of our former one without a gap.
[[nodiscard]] Status TcAttach(std::uint32_t ifindex, int program_fd);

// Takes our program off, and the clsact qdisc too if `remove_hook` and nobody else uses it. A
// device that is gone is no error.
[[nodiscard]] Status TcDetach(std::uint32_t ifindex, bool remove_hook);

// Id of our program on the device, 0 if there is none.
[[nodiscard]] std::uint32_t TcAttachedProgram(std::uint32_t ifindex);

}  // namespace leman
