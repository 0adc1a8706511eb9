#include "model/compile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>

namespace leman::model {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

IpAddress Ip(std::string_view text) { return IpAddress::Parse(text).value(); }
MacAddress Mac(std::uint8_t last) { return MacAddress({0x02, 0, 0, 0, 0, last}); }

// The network at `index`, to be changed: the state gets an object of its own.
Network& Change(DesiredState& state, std::size_t index) {
  auto copy = std::make_shared<Network>(*state.networks[index]);
  state.networks[index] = copy;
  return *copy;
}

DesiredState SmallState() {
  DesiredState state;
  state.host = "h";
  state.underlay.device = "eth0";
  state.underlay.address4 = Ip("192.0.2.1");
  Network network;
  network.name = "blue";
  network.vni = Vni::From(5).value();
  network.ports = {{"p1", "tap1", Mac(1), {Ip("10.0.0.1")}, true},
                   {"p2", "veth2", Mac(2), {Ip("10.0.0.2")}, false}};
  network.remotes = {{Mac(9), {Ip("10.0.0.9")}, Ip("192.0.2.9")},
                     {Mac(8), {Ip("10.0.0.8")}, Ip("192.0.2.8")}};
  network.vteps = {Ip("192.0.2.9")};
  state.networks = {std::make_shared<const Network>(network)};
  return state;
}

HostFacts SmallFacts() {
  return {{"eth0", {.ifindex = 2, .mtu = 1500, .up = true, .addresses = {Ip("192.0.2.1")}}},
          {"tap1", {.ifindex = 11, .mtu = 1450, .up = true}},
          {"veth2", {.ifindex = 10, .mtu = 1450, .up = true, .peer_in_other_namespace = true}}};
}

const NetworkProgram& Only(const Compilation& compilation) {
  return *compilation.program.networks.begin()->second;
}

TEST(Compile, MakesSortedEntriesOfPortsRemotesAndVteps) {
  const Compilation result = Compile(SmallState(), SmallFacts(), nullptr);
  EXPECT_THAT(result.problems, IsEmpty());
  EXPECT_EQ(result.program.host, "h");
  EXPECT_EQ(result.program.underlay_ifindex, 2U);
  const NetworkProgram& network = Only(result);
  const VtepWay way8{Ip("192.0.2.8"), false, false, false};
  const VtepWay way9{Ip("192.0.2.9"), false, false, false};
  EXPECT_EQ(network.mtu, 1450);
  EXPECT_THAT(network.ports,
              ElementsAre(LocalPort{10, "p2", "veth2", Mac(2), {Ip("10.0.0.2")}, false, true},
                          LocalPort{11, "p1", "tap1", Mac(1), {Ip("10.0.0.1")}, true, false}));
  EXPECT_THAT(network.fdb, ElementsAre(FdbEntry{Mac(1), 11, {}}, FdbEntry{Mac(2), 10, {}},
                                       FdbEntry{Mac(8), 0, way8}, FdbEntry{Mac(9), 0, way9}));
  EXPECT_THAT(
      network.neighbours,
      ElementsAre(NeighbourEntry{Ip("10.0.0.1"), Mac(1)}, NeighbourEntry{Ip("10.0.0.2"), Mac(2)},
                  NeighbourEntry{Ip("10.0.0.8"), Mac(8)}, NeighbourEntry{Ip("10.0.0.9"), Mac(9)}));
  EXPECT_THAT(network.vteps, ElementsAre(way8, way9));
  EXPECT_THAT(result.program.peers, ElementsAre(way8, way9));
}

TEST(Compile, AMissingDeviceLeavesThePortAndItsEntriesOut) {
  HostFacts facts = SmallFacts();
  facts.erase("tap1");
  facts["veth2"].up = false;
  const Compilation result = Compile(SmallState(), facts, nullptr);
  EXPECT_THAT(
      result.problems,
      ElementsAre(
          Problem{"port p1", "device tap1 is not there; the port starts to work when it appears"},
          Problem{"port p2", "device veth2 is down; run: ip link set veth2 up"}));
  const NetworkProgram& network = Only(result);
  EXPECT_EQ(network.ports.size(), 1U);
  EXPECT_EQ(network.fdb.size(), 3U);
  EXPECT_EQ(network.neighbours.size(), 3U);
}

TEST(Compile, TellsWhatIsWrongWithTheUnderlay) {
  HostFacts facts = SmallFacts();
  facts["eth0"].up = false;
  facts["eth0"].addresses.clear();
  EXPECT_THAT(Compile(SmallState(), facts, nullptr).problems,
              ElementsAre(Problem{"underlay", "device eth0 is down; run: ip link set eth0 up"},
                          Problem{"underlay",
                                  "address 192.0.2.1 is on no link of this host; run: ip address "
                                  "add 192.0.2.1 dev eth0, or correct underlay.addresses"}));
  facts["lo"] = {.ifindex = 1, .mtu = 65536, .up = true, .addresses = {Ip("192.0.2.1")}};
  facts["eth0"].up = true;
  EXPECT_THAT(Compile(SmallState(), facts, nullptr).problems, IsEmpty());
  facts.erase("eth0");
  const Compilation result = Compile(SmallState(), facts, nullptr);
  EXPECT_EQ(result.program.underlay_ifindex, 0U);
  EXPECT_THAT(
      result.problems,
      ElementsAre(Problem{"underlay",
                          "device eth0 is not there; what is programmed stays until it is back"}));
}

TEST(Compile, OverheadIsEveryHeader) {
  EXPECT_EQ(EncapsulationOverheadBytes(false, 0), 50U);
  EXPECT_EQ(EncapsulationOverheadBytes(true, 0), 70U);
  EXPECT_EQ(EncapsulationOverheadBytes(true, 252), 322U);
}

struct MtuCase {
  std::string name;
  std::uint32_t underlay = 1500;
  std::optional<std::uint16_t> wished = {};
  bool own6 = false;
  std::vector<std::string> vteps = {};
  std::size_t option_data = 0;  // 0: no option
  bool inner6 = false;
  std::uint16_t mtu = 0;
  std::string problem = {};  // of network blue
};

class CompileMtu : public testing::TestWithParam<MtuCase> {};

// G-4.4.1-04, U-3.2-02
TEST_P(CompileMtu, IsWhatFitsWithTheWorstOuterHeader) {
  const MtuCase& c = GetParam();
  DesiredState state = SmallState();
  Network& network = Change(state, 0);
  network.ports.clear();
  network.remotes.clear();
  network.vteps.clear();
  HostFacts facts = SmallFacts();
  facts["eth0"].mtu = c.underlay;
  if (c.own6) {
    state.underlay.address6 = Ip("2001:db8::1");
    facts["eth0"].addresses.push_back(Ip("2001:db8::1"));
  }
  for (const std::string& vtep : c.vteps) {
    network.vteps.push_back(Ip(vtep));
  }
  if (c.option_data != 0) {
    network.options = {{0xfff0, 1, std::vector<std::uint8_t>(c.option_data)}};
  }
  if (c.inner6) {
    network.ports = {{"p1", "tap1", Mac(1), {Ip("fd00::1")}, true}};
  }
  network.mtu = c.wished;
  const Compilation result = Compile(state, facts, nullptr);
  EXPECT_EQ(Only(result).mtu, c.mtu);
  if (c.problem.empty()) {
    EXPECT_THAT(result.problems, IsEmpty());
  } else {
    EXPECT_THAT(result.problems, ElementsAre(Problem{"network blue", c.problem}));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, CompileMtu,
    testing::Values(
        MtuCase{.name = "V4", .vteps = {"192.0.2.2"}, .mtu = 1450},
        MtuCase{.name = "V6", .own6 = true, .vteps = {"192.0.2.2", "2001:db8::2"}, .mtu = 1430},
        MtuCase{.name = "V4OfTwo", .own6 = true, .vteps = {"192.0.2.2"}, .mtu = 1450},
        MtuCase{.name = "NobodyV4", .mtu = 1450},
        MtuCase{.name = "NobodyV6", .own6 = true, .mtu = 1430},
        MtuCase{.name = "Options", .vteps = {"192.0.2.2"}, .option_data = 8, .mtu = 1438},
        MtuCase{.name = "Jumbo", .underlay = 9000, .vteps = {"192.0.2.2"}, .mtu = 8950},
        MtuCase{.name = "Loopback", .underlay = 70000, .vteps = {"192.0.2.2"}, .mtu = 65535},
        MtuCase{.name = "WishedLess", .wished = 1400, .vteps = {"192.0.2.2"}, .mtu = 1400},
        MtuCase{.name = "WishedMore",
                .wished = 1500,
                .vteps = {"192.0.2.2"},
                .mtu = 1450,
                .problem = "mtu 1500 does not fit: the underlay's MTU is 1500 and the tunnel takes "
                           "50 bytes, so 1450 is used; raise the underlay's MTU to 1550 or lower "
                           "mtu"},
        MtuCase{.name = "TooSmallForIpv6",
                .underlay = 1300,
                .vteps = {"192.0.2.2"},
                .inner6 = true,
                .mtu = 1250,
                .problem = "only packets of 1250 bytes fit, IPv6 needs 1280; raise the underlay's "
                           "MTU to at least 1330"},
        MtuCase{.name = "SmallWithoutIpv6", .underlay = 1300, .vteps = {"192.0.2.2"}, .mtu = 1250},
        MtuCase{
            .name = "TooSmallForIpv4",
            .underlay = 600,
            .vteps = {"192.0.2.2"},
            .mtu = 550,
            .problem = "only packets of 550 bytes fit, IPv4 needs 576; raise the underlay's MTU "
                       "to at least 626"},
        MtuCase{
            .name = "NothingFits",
            .underlay = 40,
            .vteps = {"192.0.2.2"},
            .mtu = 0,
            .problem = "only packets of 0 bytes fit, IPv4 needs 576; raise the underlay's MTU to "
                       "at least 626"}),
    [](const auto& c) { return c.param.name; });

// E-4.3-04
TEST(Compile, WaysFollowThePeers) {
  DesiredState state = SmallState();
  state.underlay.address6 = Ip("2001:db8::1");
  state.peers = {{Ip("2001:db8::3"), UdpChecksum::kZero, false},
                 {Ip("192.0.2.4"), UdpChecksum::kRequired, true},
                 {Ip("192.0.2.5"), UdpChecksum::kZero, false},
                 {Ip("192.0.2.6"), UdpChecksum::kAcceptZero, false},
                 {Ip("2001:db8::4"), UdpChecksum::kAcceptZero, false},
                 {Ip("192.0.2.99"), UdpChecksum::kZero, false}};
  Change(state, 0).remotes.clear();
  Change(state, 0).vteps = {Ip("192.0.2.2"),   Ip("192.0.2.4"),   Ip("192.0.2.5"),  Ip("192.0.2.6"),
                            Ip("2001:db8::2"), Ip("2001:db8::3"), Ip("2001:db8::4")};
  const Compilation result = Compile(state, SmallFacts(), nullptr);
  EXPECT_THAT(result.program.peers, ElementsAre(VtepWay{Ip("192.0.2.2"), false, false, false},
                                                VtepWay{Ip("192.0.2.4"), true, false, true},
                                                VtepWay{Ip("192.0.2.5"), false, false, false},
                                                VtepWay{Ip("192.0.2.6"), true, false, false},
                                                VtepWay{Ip("2001:db8::2"), true, false, false},
                                                VtepWay{Ip("2001:db8::3"), false, true, false},
                                                VtepWay{Ip("2001:db8::4"), true, true, false}));
}

TEST(Compile, OptionsAreInWireFormAndKnown) {
  DesiredState state = SmallState();
  state.options = {{0xfff0, 0x81, std::uint8_t{4}, "mine"}, {0x0102, 0x80, std::nullopt, "ovn"}};
  Change(state, 0).options = {{0xfff0, 0x81, {1, 2, 3, 4}}, {0xfff1, 2, {}}};
  const Compilation result = Compile(state, SmallFacts(), nullptr);
  EXPECT_THAT(Only(result).options, ElementsAre(0xff, 0xf0, 0x81, 1, 1, 2, 3, 4, 0xff, 0xf1, 2, 0));
  EXPECT_TRUE(Only(result).options_critical);
  EXPECT_THAT(result.program.known_options,
              ElementsAre(KnownOption{0x0102, 0x80, std::nullopt, "ovn"},
                          KnownOption{0xfff0, 0x81, std::uint8_t{4}, "mine"},
                          KnownOption{0xfff1, 2, std::nullopt, ""}));
  Change(state, 0).options = {{0xfff0, 0x01, {}}};
  EXPECT_FALSE(Only(Compile(state, SmallFacts(), nullptr)).options_critical);
}

TEST(Compile, FlagsAndDefaults) {
  DesiredState state = SmallState();
  Network& network = Change(state, 0);
  network.learning = true;
  network.dscp = 46;
  EXPECT_TRUE(Only(Compile(state, SmallFacts(), nullptr)).flood_unknown);
  EXPECT_EQ(Only(Compile(state, SmallFacts(), nullptr)).dscp, 46);
  network.flood_unknown = false;
  network.dscp_copy = true;
  EXPECT_FALSE(Only(Compile(state, SmallFacts(), nullptr)).flood_unknown);
  EXPECT_EQ(Only(Compile(state, SmallFacts(), nullptr)).dscp, 0);
}

TEST(Compile, MoreThanOneFloodListHoldsIsAProblem) {
  DesiredState state = SmallState();
  HostFacts facts = SmallFacts();
  Network& network = Change(state, 0);
  network.ports.clear();
  network.remotes.clear();
  network.vteps.clear();
  for (std::uint8_t i = 0; i < 129; ++i) {
    const std::string device = "v" + std::to_string(i);
    network.ports.push_back({"p" + std::to_string(i), device, Mac(i), {}, true});
    facts[device] = {.ifindex = 100U + i, .mtu = 1500, .up = true};
    if (i < 65) {
      network.vteps.push_back(IpAddress::FromV4({198, 51, 100, i}));
    }
  }
  EXPECT_THAT(
      Compile(state, facts, nullptr).problems,
      ElementsAre(
          Problem{"network blue",
                  "has 65 VTEPs; broadcasts reach the first 64 in address order, unicast reaches "
                  "all; split the network or remove VTEPs without workloads"},
          Problem{"network blue",
                  "has 129 ports on this host; broadcasts reach the first 128 in ifindex order, "
                  "unicast reaches all; split the network or move workloads"}));
}

TEST(Compile, SharesWhatDidNotChange) {
  DesiredState state = SmallState();
  Network red = *state.networks[0];
  red.name = "red";
  red.vni = Vni::From(6).value();
  red.ports.clear();
  state.networks.push_back(std::make_shared<const Network>(red));
  Compiler compiler;
  HostFacts facts = SmallFacts();
  const auto first = compiler.Compile(std::make_shared<DesiredState>(state), facts).program;
  // Another text of the same state, and an address that no network looks at.
  facts["veth2"].addresses.push_back(Ip("10.9.9.9"));
  const auto second = compiler.Compile(std::make_shared<DesiredState>(state), facts).program;
  EXPECT_EQ(first.networks, second.networks);  // pointers
  Change(state, 1).remotes[0].vtep = Ip("192.0.2.77");
  const auto third = compiler.Compile(std::make_shared<DesiredState>(state), facts).program;
  EXPECT_EQ(third.networks.at(state.networks[0]->vni), first.networks.at(state.networks[0]->vni));
  EXPECT_NE(third.networks.at(red.vni), first.networks.at(red.vni));
  // Only the link of blue's port changed.
  facts["tap1"].ifindex = 99;
  const auto fourth = compiler.Compile(std::make_shared<DesiredState>(state), facts).program;
  EXPECT_NE(fourth.networks.at(state.networks[0]->vni), first.networks.at(state.networks[0]->vni));
  EXPECT_EQ(fourth.networks.at(red.vni), third.networks.at(red.vni));
  const auto again = Compile(state, facts, &fourth).program;
  EXPECT_EQ(again.networks, fourth.networks);
}

// A straightforward compiler, to compare with: sets and maps, nothing kept from before.
struct Reference {
  std::map<MacAddress, std::pair<std::uint32_t, IpAddress>> fdb;
  std::map<IpAddress, MacAddress> neighbours;
  std::set<IpAddress> vteps;
  std::set<std::uint32_t> ports;
};

Reference ReferenceOf(const Network& network, const HostFacts& facts) {
  Reference reference;
  for (const Port& port : network.ports) {
    const auto link = facts.find(port.device);
    if (link != facts.end()) {
      reference.ports.insert(link->second.ifindex);
      reference.fdb[port.mac] = {link->second.ifindex, IpAddress()};
      for (const IpAddress& address : port.addresses) {
        reference.neighbours[address] = port.mac;
      }
    }
  }
  for (const Remote& remote : network.remotes) {
    reference.fdb[remote.mac] = {0, remote.vtep};
    reference.vteps.insert(remote.vtep);
    for (const IpAddress& address : remote.addresses) {
      reference.neighbours[address] = remote.mac;
    }
  }
  reference.vteps.insert(network.vteps.begin(), network.vteps.end());
  return reference;
}

void ExpectEqual(const NetworkProgram& program, const Reference& reference) {
  std::map<MacAddress, std::pair<std::uint32_t, IpAddress>> fdb;
  for (const FdbEntry& entry : program.fdb) {
    fdb[entry.mac] = {entry.ifindex, entry.vtep.address};
  }
  std::map<IpAddress, MacAddress> neighbours;
  for (const NeighbourEntry& entry : program.neighbours) {
    neighbours[entry.address] = entry.mac;
  }
  std::set<IpAddress> vteps;
  for (const VtepWay& way : program.vteps) {
    vteps.insert(way.address);
  }
  std::set<std::uint32_t> ports;
  for (const LocalPort& port : program.ports) {
    ports.insert(port.ifindex);
  }
  EXPECT_EQ(fdb, reference.fdb);
  EXPECT_EQ(neighbours, reference.neighbours);
  EXPECT_EQ(vteps, reference.vteps);
  EXPECT_EQ(ports, reference.ports);
  EXPECT_TRUE(std::is_sorted(program.fdb.begin(), program.fdb.end()));
  EXPECT_TRUE(std::is_sorted(program.neighbours.begin(), program.neighbours.end()));
  EXPECT_TRUE(std::is_sorted(program.vteps.begin(), program.vteps.end()));
}

class World {
 public:
  explicit World(std::uint32_t seed) : random_(seed) {
    state_ = SmallState();
    state_.networks.clear();
    facts_["eth0"] = {.ifindex = 2, .mtu = 1500, .up = true, .addresses = {Ip("192.0.2.1")}};
  }

  void Step() {
    switch (Below(9)) {
      case 0:
        AddNetwork();
        break;
      case 1:
        if (!state_.networks.empty()) {
          state_.networks.erase(state_.networks.begin() +
                                static_cast<std::ptrdiff_t>(Below(state_.networks.size())));
        }
        break;
      case 2:
        facts_["eth0"].mtu = 1400 + static_cast<std::uint32_t>(Below(3)) * 100;
        break;
      case 3: {
        const std::string device = "d" + std::to_string(Below(8));
        if (facts_.erase(device) == 0) {
          facts_[device] = {.ifindex = ++ifindex_, .mtu = 1500, .up = Below(2) == 0};
        }
        break;
      }
      case 4:
        state_.peers.clear();
        if (Below(2) == 0) {
          state_.peers.push_back({Vtep(Below(6)), UdpChecksum::kRequired, Below(2) == 0});
        }
        break;
      case 5:
        if (state_.networks.size() > 1) {
          std::swap(state_.networks.front(), state_.networks.back());
        }
        break;
      default:
        if (!state_.networks.empty()) {
          ChangeNetwork(Change(state_, Below(state_.networks.size())));
        }
    }
  }

  [[nodiscard]] const DesiredState& state() const { return state_; }
  [[nodiscard]] const HostFacts& facts() const { return facts_; }

 private:
  std::size_t Below(std::size_t n) { return random_() % n; }
  static IpAddress Vtep(std::size_t i) {
    return IpAddress::FromV4({198, 51, 100, static_cast<std::uint8_t>(i)});
  }

  void AddNetwork() {
    const std::uint32_t vni = static_cast<std::uint32_t>(Below(6));
    for (const auto& network : state_.networks) {
      if (network->vni.value() == vni) {
        return;
      }
    }
    Network network;
    network.vni = Vni::From(vni).value();
    network.name = "n" + std::to_string(vni);
    const std::string device = "d" + std::to_string(vni);
    network.ports.push_back({"p" + std::to_string(vni), device, Mac(1), {Ip("10.0.0.1")}, true});
    state_.networks.push_back(std::make_shared<const Network>(network));
  }

  void ChangeNetwork(Network& network) {
    const std::size_t at = Below(20);
    const auto mac = Mac(static_cast<std::uint8_t>(100 + at));
    for (auto remote = network.remotes.begin(); remote != network.remotes.end(); ++remote) {
      if (remote->mac == mac) {
        network.remotes.erase(remote);
        return;
      }
    }
    network.remotes.push_back(
        {mac, {IpAddress::FromV4({10, 0, 1, static_cast<std::uint8_t>(at)})}, Vtep(Below(6))});
    network.vteps = {Vtep(Below(6))};
  }

  std::mt19937 random_;
  DesiredState state_;
  HostFacts facts_;
  std::uint32_t ifindex_ = 10;
};

TEST(CompileProperty, StepByStepEqualsFromScratchAndTheReference) {
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    World world(seed);
    Compiler compiler;
    for (int step = 0; step < 120; ++step) {
      world.Step();
      SCOPED_TRACE(testing::Message() << "seed " << seed << " step " << step);
      const auto state = std::make_shared<const DesiredState>(world.state());
      const Compilation stepped = compiler.Compile(state, world.facts());
      const Compilation scratch = Compile(*state, world.facts(), nullptr);
      ASSERT_EQ(stepped.problems, scratch.problems);
      ASSERT_EQ(stepped.program.peers, scratch.program.peers);
      ASSERT_EQ(stepped.program.known_options, scratch.program.known_options);
      ASSERT_EQ(stepped.program.networks.size(), world.state().networks.size());
      for (const auto& wish : state->networks) {
        const Network& network = *wish;
        const NetworkProgram& program = *stepped.program.networks.at(network.vni);
        ASSERT_EQ(program, *scratch.program.networks.at(network.vni));
        ExpectEqual(program, ReferenceOf(network, world.facts()));
      }
      ASSERT_FALSE(testing::Test::HasFailure());
    }
  }
}

}  // namespace
}  // namespace leman::model
