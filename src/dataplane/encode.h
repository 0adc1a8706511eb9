// Host program → map entries: plain values, no kernel. Internal to dataplane/.
#pragma once

#include <cstdint>

#include "leman/abi.h"
#include "model/host_program.h"

namespace leman {

[[nodiscard]] lm_addr EncodeAddress(const IpAddress& address);
[[nodiscard]] IpAddress DecodeAddress(const lm_addr& address);

[[nodiscard]] lm_config EncodeConfig(const model::HostProgram& program, std::uint32_t learn_limit,
                                     std::uint32_t magic);
[[nodiscard]] lm_net EncodeNet(const model::NetworkProgram& network, std::uint32_t slot);
[[nodiscard]] lm_network EncodeNetwork(const model::NetworkProgram& network, const lm_net& net);
[[nodiscard]] lm_port EncodePort(const model::LocalPort& port, Vni vni, const lm_net& net,
                                 std::uint32_t slot, bool made_hook);
[[nodiscard]] std::uint32_t WayFlags(const model::VtepWay& way);
[[nodiscard]] lm_way EncodeRemote(const model::VtepWay& way, std::uint32_t slot);
[[nodiscard]] lm_way EncodeLocal(const model::LocalPort& port, std::uint32_t slot);
[[nodiscard]] lm_mac_key MacKey(Vni vni, const MacAddress& mac);
[[nodiscard]] lm_neigh_key NeighbourKey(Vni vni, const IpAddress& address);
[[nodiscard]] lm_neigh EncodeNeighbour(const MacAddress& mac);
[[nodiscard]] lm_vtep_key VtepKey(Vni vni, const IpAddress& address);
[[nodiscard]] lm_port_addr_key PortAddressKey(std::uint32_t ifindex, const IpAddress& address);
[[nodiscard]] lm_opt_key OptionKey(std::uint16_t option_class, std::uint8_t type);
[[nodiscard]] lm_known_opt EncodeKnownOption(const model::KnownOption& option);

}  // namespace leman
