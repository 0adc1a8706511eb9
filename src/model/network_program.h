// One network of the desired state → its program. Inside of compile.cc, apart for its size.
// Pure. Threads: any.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/compile.h"
#include "model/desired_state.h"
#include "model/host_program.h"

namespace leman::model {

struct NetworkInput {
  const Network& network;
  // Of the network's ports, in their order; ifindex 0: the device is not there.
  std::span<const LinkFacts> links;
  std::span<const Peer> peers;     // sorted by address
  std::uint32_t underlay_mtu = 0;  // 0: the underlay device is not there
  bool own_ipv6 = false;           // this host has an IPv6 VTEP address
};

[[nodiscard]] std::shared_ptr<const NetworkProgram> CompileNetwork(const NetworkInput& input,
                                                                   std::vector<Problem>& problems);

// A link as far as a port's program depends on it; the rest is cleared, so that an address that
// comes or goes does not recompile a network.
[[nodiscard]] LinkFacts PortFacts(const HostFacts& facts, const std::string& device);

}  // namespace leman::model
