#include "model/network_program.h"

#include <fmt/format.h>

#include <algorithm>

namespace leman::model {

namespace {

// What the kernel copies a broadcast to at most (bpf/include/leman/abi.h has the arrays).
constexpr std::size_t kMaxFloodVteps = 64;
constexpr std::size_t kMaxFloodPorts = 128;
constexpr std::uint32_t kMinIpv4Mtu = 576;   // RFC 1122: what every host takes
constexpr std::uint32_t kMinIpv6Mtu = 1280;  // RFC 8200 section 5

VtepWay WayTo(const IpAddress& address, std::span<const Peer> peers) {
  UdpChecksum checksum = UdpChecksum::kDefault;
  VtepWay way{.address = address};
  const auto peer = std::lower_bound(
      peers.begin(), peers.end(), address,
      [](const Peer& entry, const IpAddress& wanted) { return entry.address < wanted; });
  if (peer != peers.end() && peer->address == address) {
    checksum = peer->udp_checksum;
    way.ecn_compatibility = peer->ecn_compatibility;
  }
  way.udp_checksum = checksum == UdpChecksum::kRequired || checksum == UdpChecksum::kAcceptZero ||
                     (checksum == UdpChecksum::kDefault && !address.IsV4());
  way.accept_zero6 =
      !address.IsV4() && (checksum == UdpChecksum::kZero || checksum == UdpChecksum::kAcceptZero);
  return way;
}

void CompileOptions(const Network& network, NetworkProgram& program) {
  constexpr std::uint8_t kCriticalBit = 0x80;
  for (const OptionTlv& option : network.options) {
    program.options.push_back(static_cast<std::uint8_t>(option.option_class >> 8U));
    program.options.push_back(static_cast<std::uint8_t>(option.option_class & 0xffU));
    program.options.push_back(option.type);
    program.options.push_back(static_cast<std::uint8_t>(option.data.size() / 4));
    program.options.insert(program.options.end(), option.data.begin(), option.data.end());
    program.options_critical = program.options_critical || (option.type & kCriticalBit) != 0;
  }
}

bool CarriesIpv6(const Network& network) {
  const auto is_v6 = [](const IpAddress& address) { return !address.IsV4(); };
  return std::any_of(network.ports.begin(), network.ports.end(),
                     [&](const Port& port) {
                       return std::any_of(port.addresses.begin(), port.addresses.end(), is_v6);
                     }) ||
         std::any_of(network.remotes.begin(), network.remotes.end(), [&](const Remote& remote) {
           return std::any_of(remote.addresses.begin(), remote.addresses.end(), is_v6);
         });
}

// The largest inner IP packet that fits with the worst outer header of this network.
std::uint16_t CompileMtu(const NetworkInput& input, std::size_t options_bytes,
                         const std::string& where, std::vector<Problem>& problems) {
  const Network& network = input.network;
  // `vteps` is not trusted to hold those of the remotes: a state may come from elsewhere.
  const auto is_v6 = [](const IpAddress& address) { return !address.IsV4(); };
  const bool alone = network.vteps.empty() && network.remotes.empty();
  const bool outer_ipv6 =
      alone ? input.own_ipv6
            : std::any_of(network.vteps.begin(), network.vteps.end(), is_v6) ||
                  std::any_of(network.remotes.begin(), network.remotes.end(),
                              [&](const Remote& remote) { return is_v6(remote.vtep); });
  const std::uint32_t overhead =
      EncapsulationOverheadBytes(outer_ipv6, static_cast<std::uint32_t>(options_bytes));
  const std::uint32_t fits = std::min<std::uint32_t>(
      input.underlay_mtu > overhead ? input.underlay_mtu - overhead : 0, UINT16_MAX);
  const std::uint32_t mtu = std::min<std::uint32_t>(network.mtu.value_or(UINT16_MAX), fits);
  if (input.underlay_mtu == 0) {
    return static_cast<std::uint16_t>(mtu);  // the missing underlay is the problem, told once
  }
  if (network.mtu.has_value() && *network.mtu > fits) {
    problems.push_back(
        {where,
         fmt::format("mtu {} does not fit: the underlay's MTU is {} and the tunnel takes {} "
                     "bytes, so {} is used; raise the underlay's MTU to {} or lower mtu",
                     *network.mtu, input.underlay_mtu, overhead, fits, *network.mtu + overhead)});
  }
  if (mtu < kMinIpv4Mtu) {
    problems.push_back({where, fmt::format("only packets of {} bytes fit, IPv4 needs {}; raise the "
                                           "underlay's MTU to at least {}",
                                           mtu, kMinIpv4Mtu, kMinIpv4Mtu + overhead)});
  } else if (mtu < kMinIpv6Mtu && CarriesIpv6(network)) {
    problems.push_back({where, fmt::format("only packets of {} bytes fit, IPv6 needs {}; raise the "
                                           "underlay's MTU to at least {}{}",
                                           mtu, kMinIpv6Mtu, kMinIpv6Mtu + overhead,
                                           network.mtu.has_value() ? ", and mtu with it" : "")});
  }
  return static_cast<std::uint16_t>(mtu);
}

void CompilePorts(const NetworkInput& input, NetworkProgram& program,
                  std::vector<Problem>& problems) {
  for (std::size_t i = 0; i < input.network.ports.size(); ++i) {
    const Port& port = input.network.ports[i];
    const LinkFacts& link = input.links[i];
    if (link.ifindex == 0) {
      problems.push_back({"port " + port.name,
                          fmt::format("device {} is not there; the port starts to work when it "
                                      "appears",
                                      port.device)});
      continue;
    }
    if (!link.up) {
      problems.push_back(
          {"port " + port.name,
           fmt::format("device {} is down; run: ip link set {} up", port.device, port.device)});
    }
    LocalPort& local = program.ports.emplace_back();
    local.ifindex = link.ifindex;
    local.name = port.name;
    local.device = port.device;
    local.mac = port.mac;
    local.addresses = port.addresses;
    std::sort(local.addresses.begin(), local.addresses.end());
    local.port_security = port.port_security;
    local.redirect_peer = link.peer_in_other_namespace;
    program.fdb.push_back({.mac = port.mac, .ifindex = link.ifindex, .vtep = {}});
    for (const IpAddress& address : port.addresses) {
      program.neighbours.push_back({address, port.mac});
    }
  }
  std::sort(program.ports.begin(), program.ports.end(),
            [](const LocalPort& a, const LocalPort& b) { return a.ifindex < b.ifindex; });
}

void CompileRemotes(const NetworkInput& input, NetworkProgram& program) {
  std::vector<IpAddress> vteps = input.network.vteps;
  for (const Remote& remote : input.network.remotes) {
    if (vteps.empty() || vteps.back() != remote.vtep) {
      vteps.push_back(remote.vtep);
    }
  }
  std::sort(vteps.begin(), vteps.end());
  vteps.erase(std::unique(vteps.begin(), vteps.end()), vteps.end());
  program.vteps.reserve(vteps.size());
  for (const IpAddress& vtep : vteps) {
    program.vteps.push_back(WayTo(vtep, input.peers));
  }
  for (const Remote& remote : input.network.remotes) {
    const auto way = std::lower_bound(
        program.vteps.begin(), program.vteps.end(), remote.vtep,
        [](const VtepWay& entry, const IpAddress& wanted) { return entry.address < wanted; });
    program.fdb.push_back({.mac = remote.mac, .ifindex = 0, .vtep = *way});
    for (const IpAddress& address : remote.addresses) {
      program.neighbours.push_back({address, remote.mac});
    }
  }
}

void CheckFlood(const NetworkProgram& program, const std::string& where,
                std::vector<Problem>& problems) {
  if (program.vteps.size() > kMaxFloodVteps) {
    problems.push_back(
        {where, fmt::format("has {} VTEPs; broadcasts reach the first {} in address order, unicast "
                            "reaches all; split the network or remove VTEPs without workloads",
                            program.vteps.size(), kMaxFloodVteps)});
  }
  if (program.ports.size() > kMaxFloodPorts) {
    problems.push_back(
        {where, fmt::format("has {} ports on this host; broadcasts reach the first {} in ifindex "
                            "order, unicast reaches all; split the network or move workloads",
                            program.ports.size(), kMaxFloodPorts)});
  }
}

}  // namespace

std::uint32_t EncapsulationOverheadBytes(bool outer_ipv6, std::uint32_t options_bytes) {
  constexpr std::uint32_t kIpv4 = 20;
  constexpr std::uint32_t kIpv6 = 40;
  constexpr std::uint32_t kUdp = 8;
  constexpr std::uint32_t kGeneve = 8;
  constexpr std::uint32_t kInnerEthernet = 14;
  return (outer_ipv6 ? kIpv6 : kIpv4) + kUdp + kGeneve + options_bytes + kInnerEthernet;
}

LinkFacts PortFacts(const HostFacts& facts, const std::string& device) {
  LinkFacts port;
  const auto link = facts.find(device);
  if (link != facts.end()) {
    port.ifindex = link->second.ifindex;
    port.up = link->second.up;
    port.peer_in_other_namespace = link->second.peer_in_other_namespace;
  }
  return port;
}

std::shared_ptr<const NetworkProgram> CompileNetwork(const NetworkInput& input,
                                                     std::vector<Problem>& problems) {
  const Network& network = input.network;
  const std::string where = "network " + network.name;
  auto program = std::make_shared<NetworkProgram>();
  program->vni = network.vni;
  program->name = network.name;
  program->learning = network.learning;
  program->flood_unknown = network.flood_unknown.value_or(network.learning);
  program->dscp = network.dscp_copy ? std::uint8_t{0} : network.dscp.value_or(0);
  program->dscp_copy = network.dscp_copy;
  program->dscp_uniform = network.dscp_uniform;
  program->link_control = network.link_control;
  program->icmp_too_big = network.icmp_too_big;
  CompileOptions(network, *program);
  program->mtu = CompileMtu(input, program->options.size(), where, problems);

  const std::size_t workloads = network.ports.size() + network.remotes.size();
  program->fdb.reserve(workloads);
  program->neighbours.reserve(workloads);
  CompilePorts(input, *program, problems);
  CompileRemotes(input, *program);
  std::sort(program->fdb.begin(), program->fdb.end(),
            [](const FdbEntry& a, const FdbEntry& b) { return a.mac < b.mac; });
  std::sort(program->neighbours.begin(), program->neighbours.end(),
            [](const NeighbourEntry& a, const NeighbourEntry& b) { return a.address < b.address; });
  CheckFlood(*program, where, problems);
  return program;
}

}  // namespace leman::model
