// The Dataplane against the real kernel: what Apply and Audit change, what outlives a restart, and
// what Detach leaves.
#include "reconcile.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "leman/abi.h"

namespace leman::packet_test {
namespace {

using nlohmann::json;

TEST_F(Reconcile, ApplyingTwiceChangesNothing) {
  Start();
  const ApplyReport first = Apply();
  EXPECT_GT(first.added, 0U);
  EXPECT_EQ(first.attached, kDevices);
  ExpectReport(Apply(), 0, 0, 0, 0);
  ExpectReport(Audit(), 0, 0, 0, 0);
}

TEST_F(Reconcile, OneEntryIsOneChange) {
  Start();
  Apply();
  ExpectReport(Apply({{"fdb", {{"02:00:00:00:00:77", "192.168.1.101"}}}}), 1, 0, 0, 0);
  ExpectReport(Apply({{"fdb", {{"02:00:00:00:00:77", "2001:db8::101"}}}}), 0, 1, 0, 0);
  ExpectReport(Apply(), 0, 0, 1, 0);
  ExpectReport(Apply({{"neighbours", {{"10.0.1.10", "aa:bb:cc:dd:ee:ff"}}}}), 1, 0, 0, 0);
  ExpectReport(Apply({{"neighbours", {{"10.0.1.10", "aa:bb:cc:dd:ee:fe"}}}}), 0, 1, 0, 0);
  ExpectReport(Apply(), 0, 0, 1, 0);
  // What packets need of the network stands with its two ports and two VTEPs as well.
  ExpectReport(Apply({{"mtu", 1400}}), 0, 5, 0, 0);
  ExpectReport(Apply({{"mtu", 1400}, {"known", {{0xff00, 1, 4}}}}), 1, 0, 0, 0);
  ExpectReport(Apply({{"mtu", 1400}, {"known", {{0xff00, 1, 8}}}}), 0, 1, 0, 0);
  ExpectReport(Apply({{"mtu", 1400}}), 0, 0, 1, 0);
}

TEST_F(Reconcile, RestartWithTheSameProgramChangesNoEntry) {
  Start();
  Apply();
  Start();
  // The programs are new and replace the old ones; the maps stay as they are.
  ExpectReport(Apply(), 0, 0, 0, kDevices);
  for (const char* device : {"underlay", "port-a", "port-b", "port-c"}) {
    const std::string filters = Filters(device);
    EXPECT_EQ(filters.find("direct-action"), filters.rfind("direct-action")) << filters;
    EXPECT_NE(filters.find("direct-action"), std::string::npos) << device;
  }
}

TEST_F(Reconcile, RestartWithLessSweepsWhatIsStale) {
  Start();
  Apply({{"neighbours", {{"10.0.1.10", "aa:bb:cc:dd:ee:ff"}}}, {"known", {{0xff00, 1, 4}}}});
  EXPECT_EQ(Entries("lm_networks"), 2U);
  EXPECT_EQ(Entries("lm_ports"), 3U);
  EXPECT_EQ(Entries("lm_fdb"), 5U);
  Start();
  model::HostProgram less =
      MakeProgram(lab_, {{"ports", {"port-a"}}, {"vteps", {"192.168.1.101"}}});
  less.networks.erase(MakeVni(20002));
  less.peers = {less.networks.begin()->second->vteps};
  const ApplyReport report = ApplyProgram(less);
  EXPECT_EQ(report.added, 0U);
  EXPECT_GT(report.removed, 0U);
  EXPECT_EQ(Entries("lm_networks"), 1U);
  EXPECT_EQ(Entries("lm_flood"), 1U);
  EXPECT_EQ(Entries("lm_ports"), 1U);
  EXPECT_EQ(Entries("lm_port_addrs"), 2U);
  EXPECT_EQ(Entries("lm_fdb"), 2U);
  EXPECT_EQ(Entries("lm_neigh"), 0U);
  EXPECT_EQ(Entries("lm_known_opts"), 0U);
  EXPECT_EQ(Entries("lm_vteps"), 1U);
  EXPECT_EQ(Entries("lm_peers"), 1U);
  for (const char* device : {"port-b", "port-c"}) {
    EXPECT_EQ(Filters(device), "") << device;
    EXPECT_FALSE(HasClsact(device)) << device;
  }
  ExpectReport(Audit(), 0, 0, 0, 0);
}

TEST_F(Reconcile, AuditMendsWhatIsDamagedBehindItsBack) {
  Start();
  Apply({{"neighbours", {{"10.0.1.10", "aa:bb:cc:dd:ee:ff"}}}, {"known", {{0xff00, 1, 4}}}});
  // In each map the first entry is changed, the second (if any) taken away, and a stray added.
  // Values of all maps fit.
  std::uint64_t changed = 0;
  std::uint64_t removed = 0;
  for (const char* name : {"lm_ports", "lm_port_addrs", "lm_networks", "lm_fdb", "lm_neigh",
                           "lm_peers", "lm_vteps", "lm_flood", "lm_known_opts"}) {
    const Fd map = Map(name);
    Bytes first(64);
    Bytes second(64);
    Bytes value(sizeof(lm_flood));
    ASSERT_EQ(bpf_map_get_next_key(map.get(), nullptr, first.data()), 0) << name;
    const bool two = bpf_map_get_next_key(map.get(), first.data(), second.data()) == 0;
    ASSERT_EQ(bpf_map_lookup_elem(map.get(), first.data(), value.data()), 0);
    value[0] ^= 0x40;
    ASSERT_EQ(bpf_map_update_elem(map.get(), first.data(), value.data(), BPF_EXIST), 0);
    ++changed;
    if (two) {
      ASSERT_EQ(bpf_map_delete_elem(map.get(), second.data()), 0);
      ++removed;
    }
    first[2] ^= 0x55;
    ASSERT_EQ(bpf_map_update_elem(map.get(), first.data(), value.data(), BPF_NOEXIST), 0);
  }
  constexpr std::uint64_t kMaps = 9;
  ExpectReport(Audit(), removed, changed, kMaps, 0);
  ExpectReport(Audit(), 0, 0, 0, 0);

  const Fd config = Map("lm_config");
  const std::uint32_t zero = 0;
  lm_config value{};
  ASSERT_EQ(bpf_map_update_elem(config.get(), &zero, &value, BPF_EXIST), 0);
  ExpectReport(Audit(), 0, 1, 0, 0);
}

TEST_F(Reconcile, AuditPutsProgramsBack) {
  Start();
  Apply();
  (void)lab_.Run("tc filter del dev port-a ingress");
  (void)lab_.Run("tc qdisc del dev underlay clsact");
  ExpectReport(Audit(), 0, 0, 0, 2);
  ExpectReport(Audit(), 0, 0, 0, 0);
  EXPECT_NE(Filters("port-a"), "");
  EXPECT_NE(Filters("underlay"), "");
}

TEST_F(Reconcile, CountersSurviveARestart) {
  Start();
  Apply();
  // Any number will do: the slot is what has to be found again.
  const std::uint32_t ifindex = lab_.Ifindex("port-b");
  const auto slot_of = [this](std::uint32_t port) {
    lm_port value{};
    EXPECT_EQ(bpf_map_lookup_elem(Map("lm_ports").get(), &port, &value), 0);
    return value.slot;
  };
  const std::uint32_t slot = slot_of(ifindex);
  std::vector<lm_counters> counters(256);
  counters.at(0).rx_packets = 1234;
  counters.at(0).tx_bytes = 5678;
  ASSERT_EQ(bpf_map_update_elem(Map("lm_port_stats").get(), &slot, counters.data(), BPF_ANY), 0);
  EXPECT_EQ(dataplane_->PortTraffic(ifindex).rx.packets, 1234U);

  Start();
  EXPECT_EQ(dataplane_->PortTraffic(ifindex).rx.packets, 1234U) << "before the first Apply";
  Apply({{"mtu", 1300}});
  EXPECT_EQ(slot_of(ifindex), slot);
  EXPECT_EQ(dataplane_->PortTraffic(ifindex).rx.packets, 1234U);
  EXPECT_EQ(dataplane_->PortTraffic(ifindex).tx.bytes, 5678U);

  // Another network's port takes another slot, and the slot of a port that comes back starts at
  // zero.
  Apply({{"ports", {"port-a"}}});
  Apply();
  EXPECT_EQ(dataplane_->PortTraffic(ifindex).rx.packets, 0U);
}

TEST_F(Reconcile, AFullMapIsAProblemUntilThereIsRoom) {
  options_.max_fdb = 16;
  Start();
  json many = {{"fdb", json::object()}};
  for (int i = 0; i < 40; ++i) {
    std::array<char, 24> mac{};
    std::snprintf(mac.data(), mac.size(), "02:00:00:00:02:%02x", i);
    many["fdb"][mac.data()] = "192.168.1.101";
  }
  const ApplyReport full = Apply(many);
  ASSERT_EQ(full.problems.size(), 1U);
  EXPECT_NE(full.problems.at(0).what.find("lm_fdb is full (16 entries)"), std::string::npos)
      << full.problems.at(0).what;
  // The rest is done all the same.
  EXPECT_EQ(Entries("lm_ports"), 3U);
  EXPECT_EQ(Entries("lm_fdb"), 16U);
  EXPECT_EQ(full.attached, kDevices);
  // Still full: still a problem, not a silent success.
  EXPECT_EQ(Apply(many).problems.size(), 1U);

  EXPECT_TRUE(Apply().problems.empty());
  EXPECT_EQ(Entries("lm_fdb"), 5U);
  ExpectReport(Audit(), 0, 0, 0, 0);
  ExpectReport(Apply(), 0, 0, 0, 0);
}

TEST_F(Reconcile, DetachLeavesNothingOfOurs) {
  Start();
  Apply();
  const Status detached = dataplane_->Detach();
  ASSERT_TRUE(detached.ok()) << detached.error().message();
  EXPECT_FALSE(std::filesystem::exists(options_.pin_root));
  for (const char* device : {"underlay", "port-a", "port-b", "port-c"}) {
    EXPECT_EQ(Filters(device), "") << device;
    EXPECT_FALSE(HasClsact(device)) << device;
  }
}

TEST_F(Reconcile, DetachLeavesWhatOthersMade) {
  (void)lab_.Run("tc qdisc add dev port-a clsact");  // there before us
  Start();
  Apply();
  const auto foreign = [this](const std::string& device) {
    (void)lab_.Run("tc filter add dev " + device + " ingress pref 7 bpf direct-action pinned " +
                   PinPath(options_.pin_root, "port_rx"));
  };
  foreign("port-a");
  foreign("port-b");  // added to the qdisc that we made
  const Status detached = dataplane_->Detach();
  ASSERT_TRUE(detached.ok()) << detached.error().message();
  for (const char* device : {"port-a", "port-b"}) {
    EXPECT_TRUE(HasClsact(device)) << device;
    const std::string filters = Filters(device);
    EXPECT_NE(filters.find("pref 7 "), std::string::npos) << filters;
    EXPECT_EQ(filters.find("pref 490 "), std::string::npos) << filters;
  }
  EXPECT_FALSE(HasClsact("port-c"));
}

TEST_F(Reconcile, AQdiscThatWasThereStays) {
  (void)lab_.Run("tc qdisc add dev port-a clsact");
  Start();
  Apply();
  Apply({{"ports", {"port-b"}}});
  EXPECT_TRUE(HasClsact("port-a"));
  EXPECT_EQ(Filters("port-a"), "");
}

// Who made the qdisc is remembered over a restart.
TEST_F(Reconcile, DetachAfterARestartRemovesOurQdiscs) {
  Start();
  Apply();
  Start();
  Apply();
  ASSERT_TRUE(dataplane_->Detach().ok());
  for (const char* device : {"underlay", "port-a", "port-b", "port-c"}) {
    EXPECT_FALSE(HasClsact(device)) << device;
  }
}

TEST_F(Reconcile, ADeviceThatIsGoneIsNoObstacle) {
  Start();
  Apply();
  lab_.Ip("link del port-b\n");
  const ApplyReport report = Apply({{"ports", {"port-a"}}});
  EXPECT_TRUE(report.problems.empty()) << report.problems.at(0).what;
  EXPECT_EQ(Entries("lm_ports"), 2U);
  EXPECT_TRUE(dataplane_->Detach().ok());
}

TEST_F(Reconcile, AnotherUnderlayDeviceTakesTheProgramAlong) {
  Start();
  Apply();
  model::HostProgram moved = MakeProgram(lab_, json::object());
  lab_.Ip("link add other type veth peer name far-other\nlink set other up\n");
  moved.underlay_ifindex = lab_.Ifindex("other");
  ExpectReport(ApplyProgram(moved), 0, 0, 0, 1);
  EXPECT_NE(Filters("other"), "");
  EXPECT_EQ(Filters("underlay"), "");
  EXPECT_FALSE(HasClsact("underlay"));
}

TEST_F(Reconcile, OtherSizesThanThePinnedAreRefusedInWords) {
  Start();
  Apply();
  dataplane_.reset();
  DataplaneOptions larger = options_;
  larger.max_ports = 128;
  const auto opened = OpenDataplane(larger);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), Code::kFailedPrecondition);
  EXPECT_NE(opened.error().message().find("--detach"), std::string::npos)
      << opened.error().message();
}

}  // namespace
}  // namespace leman::packet_test
