// The segmenter: a veth of the agent's whose one end takes no offloads. What leaves by it is cut
// into packets and checksummed by the kernel, and comes in again at the other end (docs/adr/0005).
// From its view the programs also ask for routes (docs/adr/0010).
//
// Threads: any. Ownership: the device belongs to the network namespace and outlives the agent, as
// the programs do; only RemoveSegmenter takes it away.
#pragma once

#include "base/result.h"

namespace leman {

// Makes the pair if it is not there (true); sets it up either way. One that was made and cannot be
// set up is taken away again.
[[nodiscard]] Result<bool> MakeSegmenter();

// A pair that is gone already is no error.
[[nodiscard]] Status RemoveSegmenter();

}  // namespace leman
