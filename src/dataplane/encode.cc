#include "dataplane/encode.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace leman {

lm_addr EncodeAddress(const IpAddress& address) {
  lm_addr out{};
  std::memcpy(out.b, address.bytes().data(), sizeof(out.b));
  return out;
}

IpAddress DecodeAddress(const lm_addr& address) {
  IpAddress::Bytes bytes{};
  std::memcpy(bytes.data(), address.b, bytes.size());
  return IpAddress(bytes);
}

lm_config EncodeConfig(const model::HostProgram& program, std::uint32_t learn_limit,
                       std::uint32_t magic) {
  const model::Underlay& underlay = program.underlay;
  lm_config config{};
  if (underlay.address6.has_value()) {
    config.local6 = EncodeAddress(*underlay.address6);
  }
  if (underlay.address4.has_value()) {
    std::memcpy(&config.local4, underlay.address4->bytes().data() + 12, sizeof(config.local4));
  }
  config.underlay_ifindex = program.underlay_ifindex;
  config.udp_port = htons(underlay.udp_port);
  config.sport_min = underlay.source_port_min;
  config.sport_count =
      static_cast<std::uint32_t>(underlay.source_port_max) - underlay.source_port_min + 1U;
  config.seg_ifindex = program.segment_tx_ifindex;
  config.seg_rx_ifindex = program.segment_rx_ifindex;
  config.magic = magic;
  config.learn_limit = learn_limit;
  config.ttl = underlay.ttl;
  return config;
}

lm_net EncodeNet(const model::NetworkProgram& network, std::uint32_t slot) {
  lm_net out{};
  out.slot = slot;
  unsigned flags = 0;
  flags |= network.learning ? LM_NET_F_LEARNING : 0U;
  flags |= network.flood_unknown ? LM_NET_F_FLOOD_UNKNOWN : 0U;
  flags |= network.dscp_copy ? LM_NET_F_DSCP_COPY : 0U;
  flags |= network.dscp_uniform ? LM_NET_F_DSCP_UNIFORM : 0U;
  flags |= network.link_control ? LM_NET_F_LINK_CONTROL : 0U;
  flags |= network.icmp_too_big ? 0U : LM_NET_F_NO_ICMP;
  flags |= network.options.empty() ? 0U : LM_NET_F_OPTIONS;
  out.flags = static_cast<__u16>(flags);
  out.mtu = network.mtu;
  out.dscp = network.dscp;
  return out;
}

lm_network EncodeNetwork(const model::NetworkProgram& network, const lm_net& net) {
  lm_network out{};
  out.net = net;
  const std::size_t bytes = std::min<std::size_t>(network.options.size(), LM_MAX_OPTIONS_BYTES);
  out.options_bytes = static_cast<__u8>(bytes);
  out.options_crit = network.options_critical ? 1 : 0;
  std::copy_n(network.options.begin(), bytes, out.options);
  return out;
}

namespace {

__be32 FirstAddress4(const model::LocalPort& port) {
  __be32 address = 0;
  const auto first = std::find_if(port.addresses.begin(), port.addresses.end(),
                                  [](const IpAddress& candidate) { return candidate.IsV4(); });
  if (first != port.addresses.end()) {
    std::memcpy(&address, first->bytes().data() + 12, sizeof(address));
  }
  return address;
}

}  // namespace

lm_port EncodePort(const model::LocalPort& port, Vni vni, const lm_net& net, std::uint32_t slot,
                   bool made_hook) {
  lm_port out{};
  out.vni = vni.value();
  out.slot = slot;
  out.addr4 = FirstAddress4(port);
  out.net = net;
  std::memcpy(out.mac, port.mac.bytes().data(), sizeof(out.mac));
  unsigned flags = 0;
  flags |= port.port_security ? LM_PORT_F_SECURITY : 0U;
  flags |= port.redirect_peer ? LM_PORT_F_PEER : 0U;
  flags |= made_hook ? LM_PORT_F_MADE_HOOK : 0U;
  out.flags = static_cast<__u16>(flags);
  return out;
}

std::uint32_t WayFlags(const model::VtepWay& way) {
  std::uint32_t flags = 0;
  flags |= way.address.IsV4() ? 0U : LM_WAY_F_V6;
  flags |= way.udp_checksum ? LM_WAY_F_CSUM : 0U;
  flags |= way.ecn_compatibility ? LM_WAY_F_ECN_COMPAT : 0U;
  flags |= way.accept_zero6 ? LM_WAY_F_ZERO6_OK : 0U;
  return flags;
}

lm_way EncodeRemote(const model::VtepWay& way, std::uint32_t slot) {
  lm_way out{};
  out.vtep = EncodeAddress(way.address);
  out.slot = slot;
  out.flags = WayFlags(way);
  return out;
}

lm_way EncodeLocal(const model::LocalPort& port, std::uint32_t slot) {
  lm_way out{};
  out.ifindex = port.ifindex;
  out.slot = slot;
  out.flags = LM_WAY_F_LOCAL;
  out.flags |= port.redirect_peer ? LM_WAY_F_PEER : 0U;
  return out;
}

lm_mac_key MacKey(Vni vni, const MacAddress& mac) {
  lm_mac_key key{};
  key.vni = vni.value();
  std::memcpy(key.mac, mac.bytes().data(), sizeof(key.mac));
  return key;
}

lm_neigh_key NeighbourKey(Vni vni, const IpAddress& address) {
  return {.vni = vni.value(), .addr = EncodeAddress(address)};
}

lm_neigh EncodeNeighbour(const MacAddress& mac) {
  lm_neigh out{};
  std::memcpy(out.mac, mac.bytes().data(), sizeof(out.mac));
  return out;
}

lm_vtep_key VtepKey(Vni vni, const IpAddress& address) {
  return {.vni = vni.value(), .addr = EncodeAddress(address)};
}

lm_port_addr_key PortAddressKey(std::uint32_t ifindex, const IpAddress& address) {
  return {.ifindex = ifindex, .addr = EncodeAddress(address)};
}

lm_opt_key OptionKey(std::uint16_t option_class, std::uint8_t type) {
  return {.opt_class = option_class, .type = type, .pad = 0};
}

lm_known_opt EncodeKnownOption(const model::KnownOption& option) {
  lm_known_opt out{};
  out.words = option.length_bytes.has_value() ? static_cast<__u8>(*option.length_bytes / 4)
                                              : static_cast<__u8>(LM_OPT_ANY_LENGTH);
  return out;
}

}  // namespace leman
