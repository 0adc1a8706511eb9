// What the kernel of this host must hold: the desired state compiled against the links that exist.
// Flat, sorted entries, ready to be compared; no map layout is known here (dataplane/ has that).
//
// Threads: values, immutable once compiled. A NetworkProgram that did not change is shared between
// the old and the new HostProgram, so that comparing costs what changed, not what exists.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ip_address.h"
#include "base/mac_address.h"
#include "model/desired_state.h"

namespace leman::model {

// A remote VTEP and how packets to it are made.
struct VtepWay {
  IpAddress address;
  bool udp_checksum = false;  // send a correct outer UDP checksum
  bool accept_zero6 = false;  // accept IPv6 datagrams with checksum zero from it
  bool ecn_compatibility = false;
  friend auto operator<=>(const VtepWay&, const VtepWay&) = default;
};

struct LocalPort {
  std::uint32_t ifindex = 0;
  std::string name;
  std::string device;
  MacAddress mac;
  std::vector<IpAddress> addresses;  // sorted
  bool port_security = true;
  bool redirect_peer = false;  // veth whose other end is in another namespace
  friend bool operator==(const LocalPort&, const LocalPort&) = default;
};

struct FdbEntry {
  MacAddress mac;
  std::uint32_t ifindex = 0;  // not 0: local port
  VtepWay vtep;               // ifindex 0: behind this VTEP
  friend auto operator<=>(const FdbEntry&, const FdbEntry&) = default;
};

struct NeighbourEntry {
  IpAddress address;
  MacAddress mac;
  friend auto operator<=>(const NeighbourEntry&, const NeighbourEntry&) = default;
};

struct NetworkProgram {
  Vni vni;
  std::string name;
  std::uint16_t mtu = 0;  // largest inner IP packet, bytes
  bool learning = false;
  bool flood_unknown = false;
  std::uint8_t dscp = 0;
  bool dscp_copy = false;
  bool dscp_uniform = false;
  bool link_control = false;
  bool icmp_too_big = true;
  std::vector<std::uint8_t> options;  // wire form, at most 252 bytes
  bool options_critical = false;
  std::vector<LocalPort> ports;            // sorted by ifindex
  std::vector<FdbEntry> fdb;               // sorted by mac, local ports included
  std::vector<NeighbourEntry> neighbours;  // sorted by address
  std::vector<VtepWay> vteps;              // sorted by address: allowed senders, flood receivers
  friend bool operator==(const NetworkProgram&, const NetworkProgram&) = default;
};

struct HostProgram {
  std::string host;
  Underlay underlay;
  std::uint32_t underlay_ifindex = 0;
  // The two ends of the veth that cuts aggregates into packets (netlink/segmenter.h); 0 if none.
  std::uint32_t segment_tx_ifindex = 0;
  std::uint32_t segment_rx_ifindex = 0;
  std::vector<KnownOption> known_options;  // sorted by class, type; the networks' own included
  std::vector<VtepWay> peers;              // sorted by address: every VTEP of any network
  // Shared: an unchanged network keeps its program from one compilation to the next.
  std::map<Vni, std::shared_ptr<const NetworkProgram>> networks;
};

// A wish that cannot be met now: the rest is programmed, status says degraded.
struct Problem {
  std::string where;  // "network blue", "port vm-1"
  std::string what;   // one sentence with the way out
  friend bool operator==(const Problem&, const Problem&) = default;
};

}  // namespace leman::model
