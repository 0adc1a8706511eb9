// The lab file: which hosts and machines a lab has and how they are joined (docs/guide/lab.md).
//
// Threads: values and a pure function. Ownership: everything by value.
// Errors: ParseLabFile tells every fault (at most 20), one line each:
//   FILE:LINE: KEY: what is wrong; what would be right
// Units: MTUs in bytes of IP packet.
#pragma once

#include <geneve/vni.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.h"
#include "base/mac_address.h"
#include "base/result.h"

namespace leman::lab {

using geneve::Vni;

// What a machine is made of.
enum class Kind : std::uint8_t { kNetns, kQemu };
[[nodiscard]] std::string_view KindName(Kind kind);
[[nodiscard]] std::optional<Kind> ParseKind(std::string_view text);

// How the hosts' underlay devices meet.
enum class Topology : std::uint8_t {
  kDirect,  // one veth pair; two hosts only
  kBridge,  // a veth each to a bridge in a namespace of its own
};

struct IpPrefix {
  IpAddress address;
  std::uint8_t length = 0;  // in bits of the address's own family
  [[nodiscard]] std::string ToString() const;
  friend bool operator==(const IpPrefix&, const IpPrefix&) = default;
};

// A key handed on to the agent's state file as it stands there; `yaml` is one line of flow style.
struct Setting {
  std::string key;
  std::string yaml;
  friend bool operator==(const Setting&, const Setting&) = default;
};

struct Host {
  std::string name;
  std::optional<IpPrefix> address4;
  std::optional<IpPrefix> address6;
};

struct Network {
  std::string name;
  Vni vni;
  std::optional<std::uint16_t> mtu;  // unset: the largest that fits, at most 1500
  std::uint32_t options_bytes = 0;   // what `options` take on the wire
  std::vector<Setting> settings;     // learning, options, … for the state file
};

struct Machine {
  std::string name;
  std::string host;
  std::string network;
  MacAddress mac;
  std::vector<IpPrefix> addresses;
  Kind kind = Kind::kNetns;
  bool security = true;
};

struct LabFile {
  std::string name;
  std::uint16_t underlay_mtu = 1600;
  Topology topology = Topology::kDirect;
  bool offloads = true;                    // of every veth of the lab
  std::vector<Setting> underlay_settings;  // port, source_ports, ttl
  std::vector<Setting> peer_settings;      // udp_checksum, ecn: the same for every pair of hosts
  std::optional<std::string> options;      // YAML of the hosts' known options
  std::vector<Host> hosts;
  std::vector<Network> networks;
  std::vector<Machine> machines;

  [[nodiscard]] const Host* FindHost(std::string_view host_name) const;
  [[nodiscard]] const Network* FindNetwork(std::string_view network_name) const;
  [[nodiscard]] const Machine* FindMachine(std::string_view machine_name) const;
};

[[nodiscard]] Result<LabFile> ParseLabFile(std::string_view file_name, std::string_view text);

}  // namespace leman::lab
