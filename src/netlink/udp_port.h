// Claiming a UDP port and naming who has it already. Inside of the module. Threads: one.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "netlink/netlink.h"

namespace leman {

// `owner_device`: the tunnel device that has the port, empty if none is known.
[[nodiscard]] Result<UdpPortClaim> ClaimPort(std::uint16_t port, const std::string& owner_device);

}  // namespace leman
