// Desired state + facts of this host → host program. Pure: no I/O, no clock, no threads.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
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
  bool peer_in_other_namespace = false;  // veth whose other end is elsewhere
  std::vector<IpAddress> addresses = {};
  friend bool operator==(const LinkFacts&, const LinkFacts&) = default;
};

// The two ends of the device that cuts aggregates into packets (netlink/segmenter.h).
inline constexpr const char* kSegmenterTx = "lm-seg0";
inline constexpr const char* kSegmenterRx = "lm-seg1";

using HostFacts = std::map<std::string, LinkFacts, std::less<>>;  // by link name

struct Compilation {
  HostProgram program;
  std::vector<Problem> problems;
};

// Compiles one state after the other and keeps what did not change: the cost of a change is that of
// comparing the networks and compiling those that differ.
//
// A port whose device is missing is left out and reported; so are MTUs that do not fit, devices
// that are down and networks larger than one flood list. A missing underlay device gives
// underlay_ifindex 0: such a program says what would be, it is not to be applied.
//
// Threads: one. Ownership: shares the last state with the caller (both only read it) and network
// programs with every HostProgram it made. States must be valid as ParseStateFile makes them.
class Compiler {
 public:
  [[nodiscard]] Compilation Compile(std::shared_ptr<const DesiredState> state,
                                    const HostFacts& facts);

 private:
  // Everything beyond its own text that decides a network's program.
  struct Surroundings {
    std::uint32_t underlay_mtu = 0;
    bool own_ipv6 = false;
    friend bool operator==(const Surroundings&, const Surroundings&) = default;
  };
  struct Compiled {
    std::shared_ptr<const Network> wish;
    std::vector<LinkFacts> links;  // of its ports, in their order; ifindex 0: not there
    std::shared_ptr<const NetworkProgram> program;
    std::vector<Problem> problems;
  };

  void CountVteps(const NetworkProgram* before, const NetworkProgram* now);

  std::shared_ptr<const DesiredState> state_;
  Surroundings surroundings_;
  std::map<Vni, Compiled> networks_;
  // VTEP → number of networks it is in; what the host program's peers are made of.
  std::map<VtepWay, std::uint32_t> vtep_uses_;
};

// Compiles `state` alone. Networks whose program equals that of `before` share its object.
[[nodiscard]] Compilation Compile(const DesiredState& state, const HostFacts& facts,
                                  const HostProgram* before);

// Bytes that outer IP, UDP, GENEVE, the options and the inner Ethernet header take of the
// underlay's MTU (RFC 8926 section 4.4.1).
[[nodiscard]] std::uint32_t EncapsulationOverheadBytes(bool outer_ipv6,
                                                       std::uint32_t options_bytes);

}  // namespace leman::model
