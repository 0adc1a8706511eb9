// Desired state + facts of this host → host program. Pure: no I/O, no clock, no threads.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/desired_state.h"
#include "model/host_program.h"

namespace leman::model {

// A link of this host as far as the datapath cares.
struct LinkFacts {
  std::uint32_t ifindex = 0;
  std::uint32_t mtu = 0;
  bool up = false;
  bool is_tap = false;
  bool peer_in_other_namespace = false;  // veth whose other end is elsewhere
  std::vector<IpAddress> addresses;
  friend bool operator==(const LinkFacts&, const LinkFacts&) = default;
};

using HostFacts = std::map<std::string, LinkFacts, std::less<>>;  // by link name

struct Compilation {
  HostProgram program;
  std::vector<Problem> problems;
};

// Compiles `state`. Networks equal to those of `before` (same wish, same facts) keep their program
// object. A port whose device is missing is left out and reported; so are MTUs that do not fit.
[[nodiscard]] Compilation Compile(const DesiredState& state, const HostFacts& facts,
                                  const HostProgram* before);

// Bytes that outer IP, UDP, GENEVE, the options and the inner Ethernet header take of the underlay's
// MTU (RFC 8926 section 4.4.1).
[[nodiscard]] std::uint32_t EncapsulationOverheadBytes(bool outer_ipv6, std::uint32_t options_bytes);

}  // namespace leman::model
