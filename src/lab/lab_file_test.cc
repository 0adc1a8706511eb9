#include "lab/lab_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "lab/two_hosts.h"
#include "lab/yaml_node.h"

namespace leman::lab {
namespace {

std::string ReadExample(const std::string& name) {
  std::ifstream file(std::string(LEMAN_EXAMPLES) + "/" + name);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// A lab that is right; tests put one line of their own in place of one of these.
const std::string kGood =
    "lab: small\n"                                                                   // 1
    "hosts:\n"                                                                       // 2
    "  - { name: host-a, addresses: [192.168.1.101/24] }\n"                          // 3
    "  - { name: host-b, addresses: [192.168.1.102/24] }\n"                          // 4
    "networks:\n"                                                                    // 5
    "  - { name: blue, vni: 10001 }\n"                                               // 6
    "machines:\n"                                                                    // 7
    "  - { name: vm-1, host: host-a, network: blue, addresses: [10.0.1.10/24] }\n"   // 8
    "  - { name: vm-2, host: host-b, network: blue, addresses: [10.0.1.11/24] }\n";  // 9

std::string WithLine(int number, const std::string& line) {
  std::string text = kGood;
  std::size_t start = 0;
  for (int i = 1; i < number; ++i) {
    start = text.find('\n', start) + 1;
  }
  return text.replace(start, text.find('\n', start) - start, line);
}

std::string FaultOf(const std::string& text) {
  auto lab = ParseLabFile("lab.yaml", text);
  return lab.ok() ? "no fault" : lab.error().message();
}

TEST(LabFileTest, ReadsTheExampleOfTheDemo) {
  const auto lab = ParseLabFile("two-hosts.yaml", ReadExample("two-hosts.yaml"));
  ASSERT_TRUE(lab.ok());
  EXPECT_EQ(lab->name, "two-hosts");
  EXPECT_EQ(lab->topology, Topology::kDirect);
  ASSERT_EQ(lab->hosts.size(), 2U);
  EXPECT_EQ(lab->hosts[0].address4->ToString(), "192.168.1.101/24");
  ASSERT_EQ(lab->machines.size(), 3U);
  EXPECT_EQ(lab->machines[0].mac.ToString(), "aa:bb:cc:dd:ee:ff");
  EXPECT_EQ(lab->machines[1].addresses, lab->machines[2].addresses);
  EXPECT_EQ(lab->FindNetwork("blue")->vni.value(), 10001U);
  EXPECT_EQ(lab->FindNetwork("blue")->mtu, 1500);
}

TEST(LabFileTest, BuiltInExampleIsTheFile) {
  EXPECT_EQ(std::string(kTwoHostsYaml), ReadExample("two-hosts.yaml"));
}

TEST(LabFileTest, ReadsTheOtherExamples) {
  const auto ipv6 = ParseLabFile("two-hosts-ipv6.yaml", ReadExample("two-hosts-ipv6.yaml"));
  ASSERT_TRUE(ipv6.ok());
  EXPECT_EQ(ipv6->hosts[0].address6->ToString(), "2001:db8:1::101/64");
  EXPECT_EQ(ipv6->networks[0].options_bytes, 8U);
  EXPECT_EQ(ipv6->peer_settings, (std::vector<Setting>{{"udp_checksum", "zero"}}));
  const auto three = ParseLabFile("three-hosts.yaml", ReadExample("three-hosts.yaml"));
  ASSERT_TRUE(three.ok());
  EXPECT_EQ(three->topology, Topology::kBridge);
  EXPECT_EQ(three->machines[0].mac.ToString(), "02:4c:4d:00:00:01");
  EXPECT_EQ(three->machines[4].mac.ToString(), "02:4c:4d:00:00:05");
}

TEST(LabFileTest, MtuLeavesRoomForAllHeaders) {
  const auto small = ParseLabFile("lab.yaml", kGood + "underlay: { mtu: 1500 }\n");
  ASSERT_TRUE(small.ok());
  EXPECT_EQ(small->networks[0].mtu, 1450);
  const auto options = ParseLabFile(
      "lab.yaml",
      WithLine(6,
               "  - { name: blue, vni: 1, options: [{ class: 1, type: 2, data: \"00000000\" }] }") +
          "underlay: { mtu: 1500 }\n");
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->networks[0].mtu, 1442);
}

TEST(LabFileTest, TellsLineKeyAndWhatWouldBeRight) {
  EXPECT_EQ(FaultOf(WithLine(1, "lab: Two Hosts")),
            "lab.yaml:1: lab: Two Hosts does not fit; up to 24 of a-z, 0-9 and '-', a letter or "
            "digit first");
  EXPECT_EQ(
      FaultOf(WithLine(1, "labs: small")),
      "lab.yaml:1: labs: is not known here; the keys are lab, kind, underlay, options, hosts, "
      "networks, machines\n"
      "lab.yaml:1: lab: is missing; write for example lab: two-hosts");
  EXPECT_EQ(FaultOf(WithLine(3, "  - { name: host-a, addresses: [192.168.1.101] }")),
            "lab.yaml:3: hosts[0].addresses: 192.168.1.101 is no address with prefix length; write "
            "for example 192.168.1.101/24");
  EXPECT_EQ(FaultOf(WithLine(6, "  - { name: blue, vni: 16777216 }")),
            "lab.yaml:6: networks[0].vni: 16777216 does not fit; a number from 0 to 16777215");
  EXPECT_EQ(FaultOf(WithLine(6, "  - { name: blue }")),
            "lab.yaml:6: networks[0].vni: is missing; write for example vni: 10001");
  EXPECT_EQ(FaultOf(WithLine(
                8, "  - { name: vm-1, host: host-c, network: blue, addresses: [10.0.1.10/24] }")),
            "lab.yaml:8: machines[0].host: host-c is none of hosts; name one of them");
  EXPECT_EQ(
      FaultOf(WithLine(8,
                       "  - { name: vm-1, host: host-a, network: blue, mac: \"01:00:00:00:00:01\", "
                       "addresses: [10.0.1.10/24] }")),
      "lab.yaml:8: machines[0].mac: \"01:00:00:00:00:01\" is no machine's MAC; write for example "
      "\"02:00:00:00:00:01\"");
  EXPECT_EQ(FaultOf(WithLine(
                9, "  - { name: vm-2, host: host-b, network: blue, addresses: [10.0.1.10/16] }")),
            "lab.yaml:9: machines[1].addresses: 10.0.1.10 is vm-1's; unique within a network");
  EXPECT_EQ(FaultOf(WithLine(
                9, "  - { name: host-a, host: host-b, network: blue, addresses: [10.0.1.11/24] }")),
            "lab.yaml:9: machines[1].name: host-a is taken; hosts and machines share names");
  EXPECT_EQ(
      FaultOf(WithLine(
          9, "  - { name: underlay, host: host-b, network: blue, addresses: [10.0.1.11/24] }")),
      "lab.yaml:9: machines[1].name: underlay is taken; hosts and machines share names");
}

TEST(LabFileTest, TellsFaultsBetweenParts) {
  EXPECT_EQ(
      FaultOf(WithLine(4, "  - { name: host-b, addresses: [\"2001:db8::2/64\"] }")),
      "lab.yaml:3: hosts: have no address family in common; give each an IPv4 or each an IPv6 "
      "address");
  EXPECT_EQ(
      FaultOf(WithLine(6, "  - { name: blue, vni: 1, mtu: 1551 }")),
      "lab.yaml:6: networks.blue.mtu: 1551 does not fit through the underlay; at most 1550, or "
      "a larger underlay.mtu");
  EXPECT_EQ(FaultOf(kGood + "underlay: { topology: ring }\n"),
            "lab.yaml:10: underlay.topology: ring does not fit; auto, direct or bridge");
}

TEST(LabFileTest, TellsEveryFaultAtOnce) {
  const std::string faults =
      FaultOf(WithLine(6, "  - { name: Blue, vni: x }") + "kind: docker\nunderlay: { mtu: 10 }\n");
  EXPECT_NE(faults.find("lab.yaml:6: networks[0].vni: x does not fit"), std::string::npos)
      << faults;
  EXPECT_NE(faults.find("lab.yaml:6: networks[0].name: \"Blue\" does not fit"), std::string::npos);
  EXPECT_NE(faults.find("lab.yaml:10: kind: docker does not fit; netns or qemu"),
            std::string::npos);
  EXPECT_NE(faults.find("lab.yaml:11: underlay.mtu: 10 does not fit; a number from 576 to 65535"),
            std::string::npos);
}

TEST(LabFileTest, RefusesWhatIsNotYaml) {
  EXPECT_EQ(FaultOf("lab: [\n").find("lab.yaml:"), 0U);
  EXPECT_EQ(FaultOf("lab: a\nlab: b\n"), "lab.yaml:2: lab: key appears twice; leave one");
  EXPECT_EQ(FaultOf("- 1\n"),
            "lab.yaml:1: lab file: is not a map; its keys are lab, kind, underlay, options, hosts, "
            "networks, machines");
  EXPECT_NE(FaultOf(""), "no fault");
}

TEST(YamlNodeTest, FlowStyleReadsBackAsItself) {
  const auto node = LoadYaml("f", "a: [1, \"x: \\\"y\\\"\", { b: ~, c: \"2001:db8::1\" }]\n");
  ASSERT_TRUE(node.ok());
  EXPECT_EQ(node->ToFlow(), "{ a: [1, \"x: \\\"y\\\"\", { b: null, c: \"2001:db8::1\" }] }");
  const auto again = LoadYaml("f", node->ToFlow());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->ToFlow(), node->ToFlow());
}

}  // namespace
}  // namespace leman::lab
