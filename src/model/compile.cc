#include "model/compile.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "model/network_program.h"

namespace leman::model {

namespace {

std::vector<Peer> SortedPeers(const DesiredState& state) {
  std::vector<Peer> peers = state.peers;
  std::sort(peers.begin(), peers.end(),
            [](const Peer& a, const Peer& b) { return a.address < b.address; });
  return peers;
}

std::vector<LinkFacts> LinksOf(const Network& network, const HostFacts& facts) {
  std::vector<LinkFacts> links;
  links.reserve(network.ports.size());
  for (const Port& port : network.ports) {
    links.push_back(PortFacts(facts, port.device));
  }
  return links;
}

// Sorted by class and type. What the networks send themselves is understood with any length.
std::vector<KnownOption> KnownOptions(const DesiredState& state) {
  std::map<std::pair<std::uint16_t, std::uint8_t>, KnownOption> known;
  for (const KnownOption& option : state.options) {
    known.try_emplace({option.option_class, option.type}, option);
  }
  for (const auto& network : state.networks) {
    for (const OptionTlv& option : network->options) {
      known.try_emplace({option.option_class, option.type},
                        KnownOption{.option_class = option.option_class,
                                    .type = option.type,
                                    .length_bytes = std::nullopt,
                                    .name = {}});
    }
  }
  std::vector<KnownOption> sorted;
  sorted.reserve(known.size());
  for (auto& [key, option] : known) {
    sorted.push_back(std::move(option));
  }
  return sorted;
}

bool IsOnSomeLink(const IpAddress& address, const HostFacts& facts) {
  return std::any_of(facts.begin(), facts.end(), [&](const auto& entry) {
    const auto& addresses = entry.second.addresses;
    return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
  });
}

// Also an address of another link is ours: VTEP addresses often stand on lo.
void CheckUnderlay(const Underlay& underlay, const HostFacts& facts,
                   std::vector<Problem>& problems) {
  const auto link = facts.find(underlay.device);
  if (link == facts.end()) {
    problems.push_back(
        {"underlay",
         fmt::format("device {} is not there; what is programmed stays until it is back",
                     underlay.device)});
    return;
  }
  if (!link->second.up) {
    problems.push_back({"underlay", fmt::format("device {} is down; run: ip link set {} up",
                                                underlay.device, underlay.device)});
  }
  for (const auto& address : {underlay.address4, underlay.address6}) {
    if (address.has_value() && !IsOnSomeLink(*address, facts)) {
      problems.push_back(
          {"underlay",
           fmt::format("address {} is on no link of this host; run: ip address add {} dev {}, or "
                       "correct underlay.addresses",
                       address->ToString(), address->ToString(), underlay.device)});
    }
  }
}

}  // namespace

void Compiler::CountVteps(const NetworkProgram* before, const NetworkProgram* now) {
  if (now != nullptr) {
    for (const VtepWay& way : now->vteps) {
      ++vtep_uses_[way];
    }
  }
  if (before != nullptr) {
    for (const VtepWay& way : before->vteps) {
      const auto entry = vtep_uses_.find(way);
      if (entry != vtep_uses_.end() && --entry->second == 0) {
        vtep_uses_.erase(entry);
      }
    }
  }
}

Compilation Compiler::Compile(std::shared_ptr<const DesiredState> state, const HostFacts& facts) {
  Compilation result;
  HostProgram& program = result.program;
  program.host = state->host;
  program.underlay = state->underlay;
  Surroundings surroundings{.underlay_mtu = 0, .own_ipv6 = state->underlay.address6.has_value()};
  const auto underlay = facts.find(state->underlay.device);
  if (underlay != facts.end()) {
    program.underlay_ifindex = underlay->second.ifindex;
    surroundings.underlay_mtu = underlay->second.mtu;
  }
  const auto segment_tx = facts.find(kSegmenterTx);
  const auto segment_rx = facts.find(kSegmenterRx);
  if (segment_tx != facts.end() && segment_rx != facts.end()) {
    program.segment_tx_ifindex = segment_tx->second.ifindex;
    program.segment_rx_ifindex = segment_rx->second.ifindex;
  }
  CheckUnderlay(state->underlay, facts, result.problems);
  program.known_options = KnownOptions(*state);

  // With the same surroundings and peers a network is its own text and its ports' links.
  const bool same_world = state_ != nullptr && surroundings == surroundings_ &&
                          (state_ == state || state_->peers == state->peers);
  const std::vector<Peer> peers = SortedPeers(*state);
  std::map<Vni, Compiled> networks;
  for (const auto& wish : state->networks) {
    const Network& network = *wish;
    const auto before = networks_.find(network.vni);
    std::vector<LinkFacts> links = LinksOf(network, facts);
    Compiled compiled;
    if (before != networks_.end() && same_world && before->second.links == links &&
        (before->second.wish == wish || *before->second.wish == network)) {
      auto node = networks_.extract(before);
      node.mapped().wish = wish;
      const auto inserted = networks.insert(networks.end(), std::move(node));
      program.networks.emplace_hint(program.networks.end(), network.vni, inserted->second.program);
      result.problems.insert(result.problems.end(), inserted->second.problems.begin(),
                             inserted->second.problems.end());
      continue;
    }
    compiled.wish = wish;
    compiled.program = CompileNetwork({.network = network,
                                       .links = links,
                                       .peers = peers,
                                       .underlay_mtu = surroundings.underlay_mtu,
                                       .own_ipv6 = surroundings.own_ipv6},
                                      compiled.problems);
    compiled.links = std::move(links);
    if (before != networks_.end()) {
      if (*before->second.program == *compiled.program) {
        compiled.program = before->second.program;
      } else {
        CountVteps(before->second.program.get(), compiled.program.get());
      }
      networks_.erase(before);
    } else {
      CountVteps(nullptr, compiled.program.get());
    }
    result.problems.insert(result.problems.end(), compiled.problems.begin(),
                           compiled.problems.end());
    program.networks.emplace_hint(program.networks.end(), network.vni, compiled.program);
    networks.emplace_hint(networks.end(), network.vni, std::move(compiled));
  }
  for (const auto& [vni, gone] : networks_) {
    CountVteps(gone.program.get(), nullptr);
  }
  networks_ = std::move(networks);
  state_ = std::move(state);
  surroundings_ = surroundings;

  program.peers.reserve(vtep_uses_.size());
  for (const auto& [way, uses] : vtep_uses_) {
    program.peers.push_back(way);
  }
  return result;
}

Compilation Compile(const DesiredState& state, const HostFacts& facts, const HostProgram* before) {
  Compiler compiler;
  Compilation result = compiler.Compile(std::make_shared<const DesiredState>(state), facts);
  if (before != nullptr) {
    for (auto& [vni, network] : result.program.networks) {
      const auto old = before->networks.find(vni);
      if (old != before->networks.end() && *old->second == *network) {
        network = old->second;
      }
    }
  }
  return result;
}

}  // namespace leman::model
