// What one host should be: the resources of its networks as a person or a controller says them.
//
// Threads: values. Ownership: everything by value. Units: MTU in bytes of inner IP packet, option
// data in bytes. Not yet tied to this machine: devices are names here (see host_program.h).
#pragma once

#include <geneve/vni.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/ip_address.h"
#include "base/mac_address.h"

namespace leman {

using geneve::Vni;

namespace model {

// One GENEVE option put on every packet of a network.
struct OptionTlv {
  std::uint16_t option_class = 0;
  std::uint8_t type = 0;           // high bit: critical
  std::vector<std::uint8_t> data;  // multiple of 4, at most 124 bytes
  friend bool operator==(const OptionTlv&, const OptionTlv&) = default;
};

// An option kind this host understands; unknown critical options are dropped (RFC 8926
// section 3.5).
struct KnownOption {
  std::uint16_t option_class = 0;
  std::uint8_t type = 0;
  std::optional<std::uint8_t> length_bytes;  // unset: any length
  std::string name;
  friend bool operator==(const KnownOption&, const KnownOption&) = default;
};

struct Port {
  std::string name;
  std::string device;
  MacAddress mac;
  std::vector<IpAddress> addresses;
  bool port_security = true;
  friend bool operator==(const Port&, const Port&) = default;
};

static_assert(std::has_unique_object_representations_v<IpAddress> &&
              std::has_unique_object_representations_v<MacAddress>);

// A workload on another host.
struct Remote {
  MacAddress mac;
  std::vector<IpAddress> addresses;
  IpAddress vtep;
  // Bytes, not members: comparing the remotes of two states is most of what a change costs.
  friend bool operator==(const Remote& a, const Remote& b) {
    return std::memcmp(&a.mac, &b.mac, sizeof(a.mac)) == 0 &&
           std::memcmp(&a.vtep, &b.vtep, sizeof(a.vtep)) == 0 &&
           a.addresses.size() == b.addresses.size() &&
           (a.addresses.empty() || std::memcmp(a.addresses.data(), b.addresses.data(),
                                               a.addresses.size() * sizeof(IpAddress)) == 0);
  }
};

struct Network {
  std::string name;
  Vni vni;
  bool learning = false;              // learn MACs from the wire, for VTEPs without a control plane
  std::optional<bool> flood_unknown;  // replicate unknown unicast; unset: as `learning`
  std::optional<std::uint16_t> mtu;   // unset: computed from the underlay's
  std::optional<std::uint8_t> dscp;   // fixed outer DSCP (default 0); unset with dscp_copy
  bool dscp_copy = false;             // outer DSCP from the inner header
  bool dscp_uniform = false;          // inner DSCP from the outer header at the receiver
  bool link_control = false;          // carry 01:80:c2:00:00:0x
  bool icmp_too_big = true;           // answer too-big packets with ICMP
  std::vector<OptionTlv> options;
  std::vector<Port> ports;
  std::vector<Remote> remotes;
  std::vector<IpAddress> vteps;  // who may send into this network and gets its broadcasts
  friend bool operator==(const Network&, const Network&) = default;
};

enum class UdpChecksum : std::uint8_t {
  kDefault,     // zero on IPv4, required on IPv6
  kZero,        // send zero; accept zero on IPv6 (RFC 8926 section 4.3.1: both ends under one hand)
  kRequired,    // always send a correct one; aggregates are segmented first
  kAcceptZero,  // as kRequired, and accept zero on IPv6: the peer takes care of one way only
};

// What is known of a remote VTEP beyond its address.
struct Peer {
  IpAddress address;
  UdpChecksum udp_checksum = UdpChecksum::kDefault;
  bool ecn_compatibility = false;  // RFC 6040 section 4.1: the peer does not handle ECN
  friend bool operator==(const Peer&, const Peer&) = default;
};

struct Underlay {
  std::string device;
  std::optional<IpAddress> address4;
  std::optional<IpAddress> address6;
  std::uint16_t udp_port = 6081;
  std::uint16_t source_port_min = 49152;
  std::uint16_t source_port_max = 65535;
  std::uint8_t ttl = 64;
  friend bool operator==(const Underlay&, const Underlay&) = default;
};

struct DesiredState {
  std::string host;
  Underlay underlay;
  std::vector<KnownOption> options;
  std::vector<Peer> peers;
  // No two with one VNI or one name. Shared: what did not change from one state to the next is the
  // same object in both (see ParseStateFile), so that a change costs what changed.
  std::vector<std::shared_ptr<const Network>> networks;

  friend bool operator==(const DesiredState& a, const DesiredState& b) {
    return a.host == b.host && a.underlay == b.underlay && a.options == b.options &&
           a.peers == b.peers &&
           std::equal(
               a.networks.begin(), a.networks.end(), b.networks.begin(), b.networks.end(),
               [](const auto& one, const auto& other) { return one == other || *one == *other; });
  }
};

}  // namespace model
}  // namespace leman
