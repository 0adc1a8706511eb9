#include "model/state_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

namespace leman::model {
namespace {

using testing::ElementsAre;

IpAddress Ip(std::string_view text) { return IpAddress::Parse(text).value(); }
MacAddress Mac(std::string_view text) { return MacAddress::Parse(text).value(); }

constexpr std::string_view kFull = R"(host: host-a
underlay:
  device: eth0
  addresses: [192.168.1.101, "2001:db8::101"]
  port: 6082
  source_ports: 50000-60000
  ttl: 32
options:
  - { class: 0x0102, type: 0x80, length: 4, name: ovn }
  - { class: 0xffff, type: 255 }
peers:
  - { address: "2001:db8::102", udp_checksum: zero, ecn: compatibility }
  - { address: 192.168.1.103, udp_checksum: required }
  - { address: "2001:db8::104", udp_checksum: accept_zero }
networks:
  - name: blue
    vni: 10001
    mtu: 1400
    learning: true
    flood_unknown: false
    dscp: 46
    dscp_decap: copy
    link_control: true
    icmp_too_big: false
    options: [{ class: 0xFFF0, type: 1, data: "0a0b0c0d" }, { class: 0xFFF0, type: 0x81 }]
    ports:
      - { name: vm-1, device: port-vm1, mac: "aa:bb:cc:dd:ee:ff", addresses: [10.0.1.10], security: false }
      - name: vm-2
        device: port-vm2
        mac: AA-BB-CC-DD-EE-00
    remotes:
      - { mac: "aa:bb:cc:dd:ee:11", addresses: [10.0.1.11, "fd00::11"], vtep: 192.168.1.103 }
      - { mac: "aa:bb:cc:dd:ee:12", vtep: 192.168.1.102 }
    vteps: ["2001:db8::102", 192.168.1.102]
  - name: red
    vni: 0
    dscp: copy
    ports:
)";

TEST(StateFile, ReadsEveryKey) {
  const auto parsed = ParseStateFile("state.yaml", kFull);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message();
  const DesiredState& state = parsed.value();
  EXPECT_EQ(state.host, "host-a");
  EXPECT_EQ(state.underlay, (Underlay{.device = "eth0",
                                      .address4 = Ip("192.168.1.101"),
                                      .address6 = Ip("2001:db8::101"),
                                      .udp_port = 6082,
                                      .source_port_min = 50000,
                                      .source_port_max = 60000,
                                      .ttl = 32}));
  EXPECT_THAT(state.options, ElementsAre(KnownOption{0x0102, 0x80, std::uint8_t{4}, "ovn"},
                                         KnownOption{0xffff, 0xff, std::nullopt, ""}));
  EXPECT_THAT(state.peers, ElementsAre(Peer{Ip("2001:db8::102"), UdpChecksum::kZero, true},
                                       Peer{Ip("192.168.1.103"), UdpChecksum::kRequired, false},
                                       Peer{Ip("2001:db8::104"), UdpChecksum::kAcceptZero, false}));
  ASSERT_EQ(state.networks.size(), 2U);
  const Network& blue = *state.networks[0];
  EXPECT_EQ(blue.name, "blue");
  EXPECT_EQ(blue.vni.value(), 10001U);
  EXPECT_EQ(blue.mtu, 1400);
  EXPECT_TRUE(blue.learning);
  EXPECT_EQ(blue.flood_unknown, false);
  EXPECT_EQ(blue.dscp, 46);
  EXPECT_FALSE(blue.dscp_copy);
  EXPECT_TRUE(blue.dscp_uniform);
  EXPECT_TRUE(blue.link_control);
  EXPECT_FALSE(blue.icmp_too_big);
  EXPECT_THAT(blue.options,
              ElementsAre(OptionTlv{0xfff0, 1, {10, 11, 12, 13}}, OptionTlv{0xfff0, 0x81, {}}));
  EXPECT_THAT(
      blue.ports,
      ElementsAre(Port{"vm-1", "port-vm1", Mac("aa:bb:cc:dd:ee:ff"), {Ip("10.0.1.10")}, false},
                  Port{"vm-2", "port-vm2", Mac("aa:bb:cc:dd:ee:00"), {}, true}));
  EXPECT_THAT(blue.remotes, ElementsAre(Remote{Mac("aa:bb:cc:dd:ee:11"),
                                               {Ip("10.0.1.11"), Ip("fd00::11")},
                                               Ip("192.168.1.103")},
                                        Remote{Mac("aa:bb:cc:dd:ee:12"), {}, Ip("192.168.1.102")}));
  // Sorted, with the VTEP that only a remote named.
  EXPECT_THAT(blue.vteps,
              ElementsAre(Ip("192.168.1.102"), Ip("192.168.1.103"), Ip("2001:db8::102")));
  const Network& red = *state.networks[1];
  EXPECT_EQ(red.vni.value(), 0U);
  EXPECT_TRUE(red.dscp_copy);
  EXPECT_EQ(red.dscp, std::nullopt);
  EXPECT_EQ(red.flood_unknown, std::nullopt);
  EXPECT_EQ(red.mtu, std::nullopt);
  EXPECT_TRUE(red.icmp_too_big);
}

TEST(StateFile, ASmallFileHasTheDefaults) {
  const auto parsed =
      ParseStateFile("s", "host: h\nunderlay: { device: eth0, addresses: [192.0.2.1] }\n");
  ASSERT_TRUE(parsed.ok()) << parsed.error().message();
  EXPECT_EQ(parsed.value().underlay,
            (Underlay{.device = "eth0", .address4 = Ip("192.0.2.1"), .address6 = std::nullopt}));
  EXPECT_TRUE(parsed.value().networks.empty());
}

struct Case {
  std::string name;
  std::string text;     // the whole file
  std::string message;  // without "s.yaml:"
};

// A file whose line 3 is `line` and whose networks begin on line 4.
std::string WithLine(const std::string& line) {
  return "host: h\nunderlay: { device: eth0, addresses: [192.0.2.1] }\n" + line + "\n";
}

std::string WithNetwork(const std::string& keys) {
  return WithLine("networks:\n  - { name: blue, vni: 1, " + keys + " }");
}

std::string Underlay(const std::string& keys) { return "host: h\nunderlay: { " + keys + " }\n"; }

class StateFileRefuses : public testing::TestWithParam<Case> {};

TEST_P(StateFileRefuses, WithFileLineKeyFaultAndWayOut) {
  const auto parsed = ParseStateFile("s.yaml", GetParam().text);
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.error().code(), Code::kInvalidArgument);
  EXPECT_EQ(parsed.error().message(), "s.yaml:" + GetParam().message);
}

std::string CaseName(const testing::TestParamInfo<Case>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Shape, StateFileRefuses,
    testing::Values(
        Case{"Empty", "", "1: is empty; write at least host and underlay"},
        Case{"Null", "~\n", "1: is a single value; write keys and values, like host: ..."},
        Case{"List", "- a\n", "1: is a list; write keys and values, like host: ..."},
        Case{"Missing", "networks: []\n",
             "1: host: is missing; write host: NAME, shown in the status\n"
             "s.yaml:1: underlay: is missing; write underlay: with device and addresses"},
        Case{"UnknownNear", WithLine("network: []"),
             "3: network: is not a known key; did you mean networks?"},
        Case{"UnknownFar", WithLine("colour: blue"),
             "3: colour: is not a known key; known here: host, underlay, options, peers, networks"},
        Case{"Twice", WithLine("host: g"), "3: host: is given twice, first on line 1; keep one"},
        Case{"KeyIsAList", WithLine("? [a, b]\n: c"),
             "3: has a key that is a list or mapping; write key: value"},
        Case{"NetworksIsAMapping", WithLine("networks: { name: blue }"),
             "3: networks: is a mapping; write a list, like - name: blue"},
        Case{"NetworkIsAValue", WithLine("networks: [blue]"),
             "3: networks[0]: is a single value; write keys and values, like name: ..."},
        Case{"NetworkMissing", WithLine("networks:\n  - mtu: 1400"),
             "4: networks[0].name: is missing; write name: of the network, unique\n"
             "s.yaml:4: networks[0].vni: is missing; write vni: 0..16777215, unique"},
        Case{"HostIsAList", "host: [a]\nunderlay: { device: eth0, addresses: [192.0.2.1] }\n",
             "1: host: is a list; write 1 to 63 letters, digits and . _ - : /"},
        Case{"HostEmpty", "host:\nunderlay: { device: eth0, addresses: [192.0.2.1] }\n",
             "1: host: is empty; write 1 to 63 letters, digits and . _ - : /"},
        Case{
            "HostName", "host: \"a b\\x07\"\nunderlay: { device: eth0, addresses: [192.0.2.1] }\n",
            "1: host: \"a b\\x07\" cannot be a name; write 1 to 63 letters, digits and . _ - : /"}),
    CaseName);

INSTANTIATE_TEST_SUITE_P(
    UnderlayAndPeers, StateFileRefuses,
    testing::Values(
        Case{"NoAddress", Underlay("device: eth0, addresses: []"),
             "2: underlay.addresses: is empty; write one IPv4 address, one IPv6 address, or both"},
        Case{"AddressNoList", Underlay("device: eth0, addresses: 192.0.2.1"),
             "2: underlay.addresses: is a single value; write a list, like [192.168.1.101]"},
        Case{"TwoOfAFamily", Underlay("device: eth0, addresses: [192.0.2.1, 192.0.2.2]"),
             "2: underlay.addresses[1]: 192.0.2.2 is a second IPv4 address; write one of each "
             "family at most"},
        Case{"OwnPrefix", Underlay("device: eth0, addresses: [192.0.2.1/24]"),
             "2: underlay.addresses[0]: \"192.0.2.1/24\" has a prefix length; write 192.0.2.1 "
             "alone"},
        Case{"OwnMulticast", Underlay("device: eth0, addresses: [224.0.0.1]"),
             "2: underlay.addresses[0]: 224.0.0.1 is a multicast address; write the global unicast "
             "address of a VTEP"},
        Case{"Device", Underlay("device: a/b, addresses: [192.0.2.1]"),
             "2: underlay.device: \"a/b\" cannot be a device's name; write the name of a network "
             "device, like eth0, of at most 15 characters"},
        Case{"Port", Underlay("device: eth0, addresses: [192.0.2.1], port: 0"),
             "2: underlay.port: \"0\" is out of range; write a number 1..65535"},
        Case{"PortWord", Underlay("device: eth0, addresses: [192.0.2.1], port: geneve"),
             "2: underlay.port: \"geneve\" is not a number; write a number 1..65535"},
        Case{"PortQuoted", Underlay("device: eth0, addresses: [192.0.2.1], port: \"6081\""),
             "2: underlay.port: \"6081\" is text; write the number without quotes"},
        Case{"PortOctal", Underlay("device: eth0, addresses: [192.0.2.1], port: 06081"),
             "2: underlay.port: \"06081\" is not a number; write a number 1..65535"},
        Case{"Ttl", Underlay("device: eth0, addresses: [192.0.2.1], ttl: 99999999999999999999999"),
             "2: underlay.ttl: \"99999999999999999999999\" is out of range; write a number 1..255"},
        Case{"SourcePorts", Underlay("device: eth0, addresses: [192.0.2.1], source_ports: 60000-5"),
             "2: underlay.source_ports: \"60000-5\" is not a range of UDP ports; write FIRST-LAST, "
             "like 49152-65535"},
        Case{"PeerFamily", WithLine("peers: [{ address: \"2001:db8::1\" }]"),
             "3: peers[0].address: 2001:db8::1 is IPv6, but this host has no IPv6 address; add one "
             "to underlay.addresses, or write the VTEP's IPv4 address"},
        Case{"PeerTwice",
             WithLine("peers:\n  - { address: 192.0.2.2 }\n  - { address: 192.0.2.2 }"),
             "5: peers[1].address: 192.0.2.2 is also on line 4; keep one entry a peer"},
        Case{"PeerChecksum", WithLine("peers: [{ address: 192.0.2.2, udp_checksum: off }]"),
             "3: peers[0].udp_checksum: \"off\" is not known; write default or zero or required or "
             "accept_zero"},
        Case{"PeerEcn", WithLine("peers: [{ address: 192.0.2.2, ecn: [] }]"),
             "3: peers[0].ecn: is a list; write normal or compatibility"},
        Case{"KnownLength", WithLine("options: [{ class: 1, type: 2, length: 6 }]"),
             "3: options[0].length: 6 is no multiple of 4; option data comes in 4-byte words"},
        Case{"KnownTooLong", WithLine("options: [{ class: 1, type: 2, length: 128 }]"),
             "3: options[0].length: \"128\" is out of range; write a number 0..124"},
        Case{"KnownTwice",
             WithLine("options: [{ class: 0x102, type: 2 }, { class: 258, type: 0x2 }]"),
             "3: options[1]: class 0x0102 type 0x02 is also on line 3; keep one"},
        Case{"KnownClass", WithLine("options: [{ class: 0x10000, type: 2 }]"),
             "3: options[0].class: \"0x10000\" is out of range; write a number 0..65535"}),
    CaseName);

INSTANTIATE_TEST_SUITE_P(
    Networks, StateFileRefuses,
    testing::Values(
        Case{"Vni", WithLine("networks: [{ name: blue, vni: 16777216 }]"),
             "3: networks[0].vni: \"16777216\" is out of range; write a number 0..16777215"},
        Case{"VniTwice",
             WithLine("networks:\n  - { name: a, vni: 7 }\n  - { name: b, vni: 7 }\n"
                      "  - { name: c, vni: 7 }"),
             "5: networks[1].vni: 7 is also on line 4; every network has its own VNI\n"
             "s.yaml:6: networks[2].vni: 7 is also on line 4; every network has its own VNI"},
        Case{"NameTwice", WithLine("networks:\n  - { name: a, vni: 7 }\n  - { name: a, vni: 8 }"),
             "5: networks[1].name: \"a\" is also on line 4; every network has its own name"},
        Case{"Mtu", WithNetwork("mtu: 100"),
             "4: networks[0].mtu: \"100\" is out of range; write a number 576..65535"},
        Case{"Learning", WithNetwork("learning: yes"),
             "4: networks[0].learning: \"yes\" is not a truth value; write true or false"},
        Case{"LearningQuoted", WithNetwork("learning: \"true\""),
             "4: networks[0].learning: \"true\" is not a truth value; write true or false without "
             "quotes"},
        Case{"Dscp", WithNetwork("dscp: 64"),
             "4: networks[0].dscp: \"64\" is no DSCP; write 0..63, or copy"},
        Case{"DscpWord", WithNetwork("dscp: ef"),
             "4: networks[0].dscp: \"ef\" is no DSCP; write 0..63, or copy"},
        Case{"DscpDecap", WithNetwork("dscp_decap: uniform"),
             "4: networks[0].dscp_decap: \"uniform\" is not known; write keep or copy"},
        Case{"OptionHex", WithNetwork("options: [{ class: 1, type: 1, data: \"0a0b0c0x\" }]"),
             "4: networks[0].options[0].data: \"0a0b0c0x\" is not hexadecimal; write pairs of "
             "hexadecimal digits, like \"0a0b0c0d\""},
        Case{"OptionWords", WithNetwork("options: [{ class: 1, type: 1, data: \"0a0b0c\" }]"),
             "4: networks[0].options[0].data: has 3 bytes; write a multiple of 4, at most 124"},
        Case{"OptionLong",
             WithNetwork("options: [{ class: 1, type: 1, data: \"" + std::string(256, 'a') +
                         "\" }]"),
             "4: networks[0].options[0].data: has 128 bytes; write a multiple of 4, at most 124"},
        Case{"OptionsSum",
             WithNetwork("options: [{ class: 1, type: 1, data: \"" + std::string(248, 'a') +
                         "\" }, { class: 1, type: 2, data: \"" + std::string(240, 'a') +
                         "\" }, { class: 1, type: 3 }]"),
             "4: networks[0].options: take 256 bytes with their headers; GENEVE has room for 252, "
             "leave some out"},
        Case{"OptionAgainstKnown",
             WithLine(
                 "options: [{ class: 1, type: 1, length: 8 }]\nnetworks:\n"
                 "  - { name: a, vni: 1, options: [{ class: 1, type: 1, data: \"00000000\" }] }"),
             "5: networks[0].options[0]: has 4 bytes of data, but options says that class 0x0001 "
             "type 0x01 has 8; make them equal"}),
    CaseName);

INSTANTIATE_TEST_SUITE_P(
    Workloads, StateFileRefuses,
    testing::Values(
        Case{"Mac", WithNetwork("ports: [{ name: p, device: d, mac: \"aa:bb\" }]"),
             "4: networks[0].ports[0].mac: \"aa:bb\" is not a MAC address; write six hexadecimal "
             "pairs, like aa:bb:cc:dd:ee:ff"},
        Case{"MacGroup", WithNetwork("ports: [{ name: p, device: d, mac: \"01:00:5e:00:00:01\" }]"),
             "4: networks[0].ports[0].mac: 01:00:5e:00:00:01 is a group address; write the "
             "workload's own, its first byte is even"},
        Case{"MacZero", WithNetwork("ports: [{ name: p, device: d, mac: \"00:00:00:00:00:00\" }]"),
             "4: networks[0].ports[0].mac: 00:00:00:00:00:00 is nobody's address; write the "
             "workload's own"},
        Case{
            "PortMissing", WithNetwork("ports: [{ name: p }]"),
            "4: networks[0].ports[0].device: is missing; write device: the workload's network "
            "device\ns.yaml:4: networks[0].ports[0].mac: is missing; write mac: the workload's MAC "
            "address"},
        Case{"PortUnderlay",
             WithNetwork("ports: [{ name: p, device: eth0, mac: \"aa:bb:cc:dd:ee:ff\" }]"),
             "4: networks[0].ports[0].device: \"eth0\" is the underlay; write the workload's "
             "device"},
        Case{"PortKey",
             WithNetwork(
                 "ports: [{ name: p, device: d, mac: \"aa:bb:cc:dd:ee:ff\", adresses: [] }]"),
             "4: networks[0].ports[0].adresses: is not a known key; did you mean addresses?"},
        Case{"PortNameTwice",
             WithLine("networks:\n"
                      "  - { name: a, vni: 1, ports: [{ name: p, device: d, mac: "
                      "\"aa:bb:cc:dd:ee:01\" }] }\n"
                      "  - { name: b, vni: 2, ports: [{ name: p, device: e, mac: "
                      "\"aa:bb:cc:dd:ee:01\" }] }"),
             "5: networks[1].ports[0].name: \"p\" is also on line 4; every port of a host has its "
             "own name"},
        Case{"DeviceTwice",
             WithLine("networks:\n"
                      "  - { name: a, vni: 1, ports: [{ name: p, device: d, mac: "
                      "\"aa:bb:cc:dd:ee:01\" }] }\n"
                      "  - { name: b, vni: 2, ports: [{ name: q, device: d, mac: "
                      "\"aa:bb:cc:dd:ee:01\" }] }"),
             "5: networks[1].ports[0].device: \"d\" is also on line 4; a device is one port"},
        Case{"MacTwice",
             WithNetwork("ports:\n      [{ name: p, device: d, mac: \"aa:bb:cc:dd:ee:01\" }],\n"
                         "   remotes:\n      [{ mac: \"AA:BB:CC:DD:EE:01\", vtep: 192.0.2.2 }]"),
             "7: networks[0].remotes[0].mac: aa:bb:cc:dd:ee:01 is also on line 5; a MAC address is "
             "in a network once"},
        Case{"AddressTwice",
             WithNetwork(
                 "remotes:\n"
                 "      [{ mac: \"aa:bb:cc:dd:ee:01\", addresses: [10.0.0.1], vtep: 192.0.2.2 },\n"
                 "       { mac: \"aa:bb:cc:dd:ee:02\", addresses: [10.0.0.2, 10.0.0.1], vtep: "
                 "192.0.2.2 }]"),
             "6: networks[0].remotes[1].addresses[1]: 10.0.0.1 is also on line 5; an address is in "
             "a network once"},
        Case{
            "AddressWrong",
            WithNetwork("remotes: [{ mac: \"aa:bb:cc:dd:ee:01\", addresses: [10.0.0.256], vtep: "
                        "192.0.2.2 }]"),
            "4: networks[0].remotes[0].addresses[0]: \"10.0.0.256\" is not an IP address; write an "
            "address, like 10.0.1.10 or \"2001:db8::10\""},
        Case{"AddressMulticast",
             WithNetwork("remotes: [{ mac: \"aa:bb:cc:dd:ee:01\", addresses: [\"ff02::1\"], vtep: "
                         "192.0.2.2 }]"),
             "4: networks[0].remotes[0].addresses[0]: ff02::1 is a multicast address; write the "
             "address of one workload"},
        Case{"VtepOwn", WithNetwork("remotes: [{ mac: \"aa:bb:cc:dd:ee:01\", vtep: 192.0.2.1 }]"),
             "4: networks[0].remotes[0].vtep: 192.0.2.1 is this host's own address; write another "
             "host's"},
        Case{"VtepFamily",
             WithNetwork("remotes: [{ mac: \"aa:bb:cc:dd:ee:01\", vtep: \"2001:db8::1\" }]"),
             "4: networks[0].remotes[0].vtep: 2001:db8::1 is IPv6, but this host has no IPv6 "
             "address; add one to underlay.addresses, or write the VTEP's IPv4 address"},
        Case{"VtepMulticast", WithNetwork("vteps: [239.1.1.1]"),
             "4: networks[0].vteps[0]: 239.1.1.1 is a multicast address; write the global unicast "
             "address of a VTEP"},
        Case{"VtepLinkLocal", WithNetwork("vteps: [169.254.0.1]"),
             "4: networks[0].vteps[0]: 169.254.0.1 is a link-local address; write the global "
             "unicast address of a VTEP"},
        Case{
            "VtepUnspecified", WithNetwork("vteps: [0.0.0.0]"),
            "4: networks[0].vteps[0]: 0.0.0.0 is the unspecified address; write the global unicast "
            "address of a VTEP"},
        Case{"VtepLoopback", WithNetwork("vteps: [127.0.0.1]"),
             "4: networks[0].vteps[0]: 127.0.0.1 is a loopback address; write the global unicast "
             "address of a VTEP"},
        Case{"VtepTwice", WithNetwork("vteps: [192.0.2.2, 192.0.2.2]"),
             "4: networks[0].vteps[1]: 192.0.2.2 is also on line 4; keep one"}),
    CaseName);

TEST(StateFile, SharesNetworksThatSayTheSame) {
  const auto first = ParseStateFile("s", kFull);
  ASSERT_TRUE(first.ok());
  std::string text(kFull);
  text.replace(text.find("dscp: copy"), 10, "dscp: 7   ");
  text += "# elsewhere\n";
  const auto second = ParseStateFile("s", text, &first.value());
  ASSERT_TRUE(second.ok()) << second.error().message();
  EXPECT_EQ(first.value().networks[0], second.value().networks[0]);  // pointers
  EXPECT_NE(first.value().networks[1], second.value().networks[1]);
  EXPECT_FALSE(first.value() == second.value());
  EXPECT_TRUE(first.value() == ParseStateFile("s", kFull).value());
}

TEST(StateFile, TellsTwentyFaultsInTheOrderOfTheFileAndCountsTheRest) {
  std::string text = "networks:\n";
  for (int i = 0; i < 50; ++i) {
    text += "  - { name: n" + std::to_string(i) + ", vni: x }\n";
  }
  const auto parsed = ParseStateFile("s", text);
  ASSERT_FALSE(parsed.ok());
  const std::string& message = parsed.error().message();
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 20);
  EXPECT_THAT(message, testing::StartsWith("s:1: host: is missing"));
  EXPECT_THAT(message, testing::EndsWith("and 32 more"));
}

// Whatever stands in the file: an answer, never a crash. Deterministic, so that a failure repeats.
TEST(StateFile, MutatedFilesDoNotCrash) {
  std::mt19937 random(8926);
  const std::string alphabet = "{}[],:-#&*!|>'\"%@`? \n\t0x1~\\a\xff\xc3";
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  std::size_t accepted = 0;
  constexpr int kInputs = 6000;
  for (int i = 0; i < kInputs; ++i) {
    std::string text(kFull);
    for (std::size_t n = 1 + below(6); n > 0; --n) {
      const std::size_t at = below(text.size());
      const std::size_t length = std::min<std::size_t>(below(24), text.size() - at);
      switch (below(5)) {
        case 0:
          text[at] = alphabet[below(alphabet.size())];
          break;
        case 1:
          text.erase(at, length);
          break;
        case 2:
          text.insert(below(text.size()), text.substr(at, length));
          break;
        case 3:
          text.resize(std::max<std::size_t>(at, 1));
          break;
        default:
          text.insert(at, 1, static_cast<char>(below(256)));
          break;
      }
      if (text.empty()) {
        text = "a";
      }
    }
    const auto parsed = ParseStateFile("s", text);
    if (parsed.ok()) {
      ++accepted;
    } else {
      EXPECT_THAT(parsed.error().message(), testing::StartsWith("s:"));
    }
  }
  // Both answers must occur, or the mutations are too coarse or too fine to test anything.
  EXPECT_GT(accepted, 10U);
  EXPECT_LT(accepted, static_cast<std::size_t>(kInputs) * 9 / 10);
}

}  // namespace
}  // namespace leman::model
