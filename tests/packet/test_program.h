// The HostProgram of a test case: the reference endpoint, changed by what the case says.
//
// The reference endpoint has the addresses 192.168.1.102 and 2001:db8::102, the VTEPs 192.168.1.101
// and 2001:db8::101, and two networks:
//   10001  port-a AA:BB:CC:DD:EE:11 10.0.1.11 2001:db8:a::11
//          port-b 02:00:00:00:00:0B 10.0.1.12 2001:db8:a::12
//          remote AA:BB:CC:DD:EE:FF 10.0.1.10 2001:db8:a::10 behind 192.168.1.101
//   20002  port-c with the MAC and addresses of port-a, and the remote's MAC behind 192.168.1.100
#pragma once

#include <nlohmann/json.hpp>

#include "model/host_program.h"
#include "net_lab.h"

namespace leman::packet_test {

// Keys of `wish`, all optional. Of network 10001: mtu, dscp, dscp_copy, dscp_uniform, link_control,
// icmp, learning, flood_unknown, options (hex), options_critical, security, redirect_peer,
// vteps (addresses), fdb {MAC: address or port or null}, neighbours {address: MAC}, ports (names).
// Of every way: checksum, zero6, ecn_compat; ways {address: the same for this one}. Of the host:
// ttl, udp_port, sport [first, last], known [[class, type, bytes or null]], vnis (further L2
// networks with the FDB of 10001), addresses.
[[nodiscard]] model::HostProgram MakeProgram(const NetLab& lab, const nlohmann::json& wish);

[[nodiscard]] IpAddress Address(const std::string& text);
[[nodiscard]] MacAddress Mac(const std::string& text);
[[nodiscard]] Vni MakeVni(std::uint32_t value);
[[nodiscard]] Bytes FromHex(const std::string& digits);

}  // namespace leman::packet_test
