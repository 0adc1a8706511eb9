#include "lab/plan.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

namespace leman::lab {
namespace {

LabPlan PlanOf(const std::string& example) {
  std::ifstream file(std::string(LEMAN_EXAMPLES) + "/" + example);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const auto lab = ParseLabFile(example, text);
  EXPECT_TRUE(lab.ok());
  return MakePlan(lab.value());
}

const NamespacePlan& ContentsOf(const LabPlan& plan, const std::string& netns) {
  for (const NamespacePlan& contents : plan.contents) {
    if (contents.name == netns) {
      return contents;
    }
  }
  ADD_FAILURE() << "no contents for " << netns;
  return plan.contents.front();
}

TEST(PlanTest, TwoHostsStateFiles) {
  const LabPlan plan = PlanOf("two-hosts.yaml");
  ASSERT_EQ(plan.hosts.size(), 2U);
  EXPECT_EQ(plan.hosts[0].state_yaml,
            R"(# Made by `leman lab up`; the lab file is the place for changes.
host: host-a
underlay:
  device: eth0
  addresses: [192.168.1.101]
networks:
  - name: blue
    vni: 10001
    mtu: 1500
    ports:
      - { name: vm-1, device: port-vm1, mac: "aa:bb:cc:dd:ee:ff", addresses: [10.0.1.10], security: true }
    remotes:
      - { mac: "aa:bb:cc:dd:ee:11", addresses: [10.0.1.11], vtep: 192.168.1.102 }
    vteps: [192.168.1.102]
)");
  EXPECT_EQ(plan.hosts[1].state_yaml,
            R"(# Made by `leman lab up`; the lab file is the place for changes.
host: host-b
underlay:
  device: eth0
  addresses: [192.168.1.102]
networks:
  - name: blue
    vni: 10001
    mtu: 1500
    ports:
      - { name: vm-2, device: port-vm2, mac: "aa:bb:cc:dd:ee:11", addresses: [10.0.1.11], security: true }
    remotes:
      - { mac: "aa:bb:cc:dd:ee:ff", addresses: [10.0.1.10], vtep: 192.168.1.101 }
    vteps: [192.168.1.101]
  - name: red
    vni: 20001
    mtu: 1500
    ports:
      - { name: vm-3, device: port-vm3, mac: "aa:bb:cc:dd:ee:33", addresses: [10.0.1.11], security: true }
)");
}

TEST(PlanTest, Ipv6StateFileHandsSettingsOn) {
  const LabPlan plan = PlanOf("two-hosts-ipv6.yaml");
  EXPECT_EQ(plan.hosts[0].state_yaml,
            R"(# Made by `leman lab up`; the lab file is the place for changes.
host: host-a
underlay:
  device: eth0
  addresses: ["2001:db8:1::101"]
peers:
  - { address: "2001:db8:1::102", udp_checksum: zero }
networks:
  - name: blue
    vni: 10001
    mtu: 1500
    options: [{ class: 0xFFF0, type: 1, data: "0a0b0c0d" }]
    ports:
      - { name: vm-1, device: port-vm1, mac: "aa:bb:cc:dd:ee:ff", addresses: [10.0.1.10, "fd00:1::10"], security: true }
    remotes:
      - { mac: "aa:bb:cc:dd:ee:11", addresses: [10.0.1.11, "fd00:1::11"], vtep: "2001:db8:1::102" }
    vteps: ["2001:db8:1::102"]
)");
  EXPECT_NE(ContentsOf(plan, "lm-two-hosts-ipv6-host-a")
                .ip_batch.find("address add 2001:db8:1::101/64 dev eth0 nodad\n"),
            std::string::npos);
}

// Made inside of a namespace: where the asker is there may be an eth0 already.
TEST(PlanTest, TwoHostsLinks) {
  const LabPlan plan = PlanOf("two-hosts.yaml");
  EXPECT_EQ(ContentsOf(plan, "lm-two-hosts-vm-1").ip_batch,
            "link set lo up\n"
            "link set eth0 addrgenmode none\n"
            "address add 10.0.1.10/24 dev eth0\n"
            "link set eth0 up\n");
  EXPECT_EQ(
      ContentsOf(plan, "lm-two-hosts-host-a").ip_batch,
      "link add eth0 mtu 1600 type veth peer name eth0 mtu 1600 netns lm-two-hosts-host-b\n"
      "link set lo up\n"
      "link set eth0 addrgenmode none\n"
      "address add 192.168.1.101/24 dev eth0\n"
      "link set eth0 up\n"
      "link add port-vm1 mtu 1500 type veth peer name eth0 address aa:bb:cc:dd:ee:ff mtu 1500 "
      "netns lm-two-hosts-vm-1\n"
      "link set port-vm1 addrgenmode none\n"
      "link set port-vm1 up\n");
}

TEST(PlanTest, ThreeHostsMeetAtABridge) {
  const LabPlan plan = PlanOf("three-hosts.yaml");
  const NamespacePlan& bridge = ContentsOf(plan, "lm-three-hosts-underlay");
  EXPECT_NE(bridge.ip_batch.find("link add br0 mtu 1600 type bridge"), std::string::npos);
  EXPECT_NE(bridge.ip_batch.find("link set host2 master br0\n"), std::string::npos);
  // Only those who have a machine in the network hear its broadcasts.
  EXPECT_NE(plan.hosts[0].state_yaml.find("    vteps: [192.168.1.102, 192.168.1.103]\n"),
            std::string::npos);
  EXPECT_NE(plan.hosts[0].state_yaml.find("    vteps: [192.168.1.103]\n"), std::string::npos);
  EXPECT_EQ(plan.hosts[1].state_yaml.find("red"), std::string::npos);
}

TEST(PlanTest, NamespacesAreTheLabsOwnAndFilledAfterTheLinksIntoThem) {
  for (const std::string example : {"two-hosts.yaml", "two-hosts-ipv6.yaml", "three-hosts.yaml"}) {
    const LabPlan plan = PlanOf(example);
    std::set<std::string> later;
    for (const NamespacePlan& contents : plan.contents) {
      EXPECT_EQ(contents.name.find("lm-" + plan.lab + "-"), 0U) << contents.name;
      EXPECT_TRUE(later.insert(contents.name).second) << contents.name;
    }
    EXPECT_EQ(later.size(),
              plan.hosts.size() + plan.machines.size() + (plan.hosts.size() > 2 ? 1U : 0U));
    for (const NamespacePlan& contents : plan.contents) {
      later.erase(contents.name);
      const std::string verb = " netns ";
      for (std::size_t at = contents.ip_batch.find(verb); at != std::string::npos;
           at = contents.ip_batch.find(verb, at)) {
        at += verb.size();
        const std::string far_end =
            contents.ip_batch.substr(at, contents.ip_batch.find('\n', at) - at);
        EXPECT_TRUE(later.contains(far_end)) << contents.name << " → " << far_end;
      }
    }
  }
}

TEST(PlanTest, VirtualMachinesGetATapOnTheirHost) {
  const auto lab = ParseLabFile("lab.yaml",
                                "lab: vm\nkind: qemu\n"
                                "hosts: [{ name: h, addresses: [10.0.0.1/24] }]\n"
                                "networks: [{ name: n, vni: 1 }]\n"
                                "machines: [{ name: vm-1, host: h, network: n, addresses: "
                                "[10.0.1.10/24] }]\n");
  ASSERT_TRUE(lab.ok());
  const LabPlan plan = MakePlan(*lab);
  EXPECT_EQ(plan.contents.size(), 2U);  // the host's and the underlay's
  EXPECT_EQ(plan.machines[0].netns, "");
  EXPECT_NE(ContentsOf(plan, "lm-vm-h")
                .ip_batch.find("tuntap add dev port-vm1 mode tap vnet_hdr\n"
                               "link set port-vm1 mtu 1500\n"),
            std::string::npos);
}

TEST(PlanTest, PortDevicesFitTheKernelAndDiffer) {
  const auto lab = ParseLabFile(
      "lab.yaml",
      "lab: names\nunderlay: { offloads: off }\n"
      "hosts: [{ name: h, addresses: [10.0.0.1/24] }]\n"
      "networks: [{ name: n, vni: 1 }]\n"
      "machines:\n"
      "  - { name: vm-1, host: h, network: n, addresses: [10.0.1.1/24] }\n"
      "  - { name: vm1, host: h, network: n, addresses: [10.0.1.2/24] }\n"
      "  - { name: a-very-long-name, host: h, network: n, addresses: [10.0.1.3/24] }\n");
  ASSERT_TRUE(lab.ok());
  const LabPlan plan = MakePlan(*lab);
  EXPECT_EQ(plan.machines[0].port_device, "port-vm1");
  EXPECT_EQ(plan.machines[1].port_device, "port-n1");
  EXPECT_EQ(plan.machines[2].port_device, "port-n2");
  EXPECT_EQ(ContentsOf(plan, "lm-names-h").no_offload_devices,
            (std::vector<std::string>{"eth0", "port-vm1", "port-n1", "port-n2"}));
}

TEST(PlanTest, PrefixesAndNames) {
  EXPECT_EQ(ParsePrefix("10.0.1.10/24")->ToString(), "10.0.1.10/24");
  EXPECT_EQ(ParsePrefix("fd00::1/64")->ToString(), "fd00::1/64");
  for (const char* bad : {"10.0.1.10", "10.0.1.10/33", "fd00::1/129", "10.0.1.10/", "/24",
                          "10.0.1.10/24x", "10.0.1/24", "10.0.1.10/-1"}) {
    EXPECT_FALSE(ParsePrefix(bad).has_value()) << bad;
  }
  EXPECT_TRUE(IsPlainName("host-a"));
  for (const char* bad : {"", "-a", "a b", "a/b", "..", "Host"}) {
    EXPECT_FALSE(IsPlainName(bad)) << bad;
  }
  EXPECT_EQ(DefaultMac(0).ToString(), "02:4c:4d:00:00:01");
  EXPECT_EQ(DefaultMac(255).ToString(), "02:4c:4d:00:01:00");
}

}  // namespace
}  // namespace leman::lab
