// MAC learning from the wire: only what was accepted, never over what is configured, within a
// limit.
#include <bpf/bpf.h>

#include <algorithm>

#include "packet_case.h"
#include "tunnel_packet.h"

namespace leman::packet_test {
namespace {

using nlohmann::json;

class Learn : public PacketCaseTest {
 protected:
  static constexpr int kLimit = 4;

  void SetUp() override { Start(); }
  void TearDown() override {
    constexpr std::uint32_t kDefaultLimit = 4096;
    SetLearnLimit(kDefaultLimit);
    Configure();
  }

  // Learning on, nothing learned yet.
  static void Start(const json& vteps = {"192.168.1.100", "192.168.1.101"}) {
    Configure({{"learning", false}, {"vteps", json::array()}});
    ASSERT_TRUE(dataplane().ExpireLearned(std::chrono::seconds(0)).ok());
    ASSERT_TRUE(dataplane().Learned().empty());
    Configure({{"learning", true}, {"flood_unknown", true}, {"vteps", vteps}});
  }

  static Counters Arrive(const std::string& name) {
    return Send(Hook::kUnderlay, "underlay", name);
  }

  static std::string Verdict(const Counters& moved) {
    for (const auto& [name, count] : moved) {
      if (name.starts_with("verdict ") && name.ends_with(" packets")) {
        return name.substr(8, name.size() - 16);
      }
    }
    return "none";
  }

  // "02:00:00:00:01:00 192.168.1.101", sorted.
  static std::vector<std::string> Learned() {
    std::vector<std::string> all;
    for (const LearnedMac& one : dataplane().Learned()) {
      EXPECT_EQ(one.vni.value(), 10001U);
      all.push_back(one.mac.ToString() + " " + one.vtep.ToString());
    }
    std::sort(all.begin(), all.end());
    return all;
  }

  static Counters Send(Hook hook, const std::string& device, const std::string& name) {
    const Counters before = Count();
    (void)RunHook(hook, device, FromHex(CaseByName("learn", name).at("in").get<std::string>()));
    return Difference(before, Count());
  }
};

using Strings = std::vector<std::string>;

TEST_F(Learn, FindsTheWayBack) {
  EXPECT_EQ(Verdict(Send(Hook::kPort, "port-a", "to_0")), "port.forwarded") << "flooded";
  Counters moved = Arrive("from_0_at_101");
  EXPECT_EQ(Verdict(moved), "underlay.forwarded");
  EXPECT_EQ(moved["event learned"], 1U);
  EXPECT_EQ(Learned(), Strings{"02:00:00:00:01:00 192.168.1.101"});

  moved = Send(Hook::kPort, "port-a", "to_0");
  EXPECT_EQ(moved["peer:192.168.1.101 tx packets"], 1U);
  EXPECT_EQ(moved["peer:192.168.1.100 tx packets"], 0U);
  EXPECT_EQ(moved["event flood_copies"], 0U);
}

// G-3.3-09, G-4.4.4-02: the way back goes to the tunnel's port, whatever port a packet came from,
// and from a port of our own choice.
TEST_F(Learn, TheWayBackHasItsOwnPorts) {
  Configure({{"learning", true}, {"sport", {50000, 50000}}});
  const Bytes arrived = FromHex(CaseByName("learn", "from_0_at_101").at("in").get<std::string>());
  ASSERT_EQ(SourcePort(arrived), 54321);
  (void)Arrive("from_0_at_101");
  const Bytes answer = FromHex(CaseByName("learn", "to_0").at("in").get<std::string>());
  const Bytes sent = RunHook(Hook::kPort, "port-a", answer).frame;
  EXPECT_TRUE(IsTunnelPacket(sent)) << ToHex(sent);
  EXPECT_EQ(SourcePort(sent), 50000);
}

// G-3.4-29
TEST_F(Learn, NothingFromOneNetworkIsKnownInAnother) {
  (void)Arrive("from_0_at_101");
  EXPECT_EQ(Verdict(Send(Hook::kPort, "port-c", "to_0_red")), "port.fdb_miss");
}

TEST_F(Learn, AMacMovesWithItsFrames) {
  (void)Arrive("from_0_at_101");
  Counters moved = Arrive("from_0_at_100");
  EXPECT_EQ(moved["event learned"], 1U);
  EXPECT_EQ(Learned(), Strings{"02:00:00:00:01:00 192.168.1.100"});
  moved = Send(Hook::kPort, "port-a", "to_0");
  EXPECT_EQ(moved["peer:192.168.1.100 tx packets"], 1U);
}

TEST_F(Learn, SeenAgainIsNotLearnedAgain) {
  (void)Arrive("from_0_at_101");
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(Arrive("from_0_at_101")["event learned"], 0U);
  }
  EXPECT_EQ(Learned().size(), 1U);
}

// The age is taken back at most once a second, and only by a frame.
TEST_F(Learn, FramesKeepAMacYoung) {
  (void)Arrive("from_0_at_101");
  const Fd map(bpf_obj_get(PinPath(pin_root(), "lm_learned").c_str()));
  ASSERT_TRUE(map.valid());
  std::array<std::uint8_t, 12> key{};
  std::array<std::uint8_t, 40> value{};
  ASSERT_EQ(bpf_map_get_next_key(map.get(), nullptr, key.data()), 0);
  ASSERT_EQ(bpf_map_lookup_elem(map.get(), key.data(), value.data()), 0);
  // Ten seconds ago: seen_ns are the last 8 bytes.
  std::uint64_t seen = 0;
  std::memcpy(&seen, value.data() + 32, sizeof(seen));
  const std::uint64_t fresh = seen;
  constexpr std::uint64_t kTenSeconds = 10'000'000'000;
  ASSERT_GT(seen, kTenSeconds);
  seen -= kTenSeconds;
  std::memcpy(value.data() + 32, &seen, sizeof(seen));
  ASSERT_EQ(bpf_map_update_elem(map.get(), key.data(), value.data(), BPF_EXIST), 0);
  ASSERT_GE(dataplane().Learned().at(0).age, std::chrono::seconds(10));

  ASSERT_TRUE(dataplane().ExpireLearned(std::chrono::seconds(60)).ok());
  EXPECT_EQ(Learned().size(), 1U) << "not old enough";
  EXPECT_EQ(Arrive("from_0_at_101")["event learned"], 0U);
  ASSERT_EQ(bpf_map_lookup_elem(map.get(), key.data(), value.data()), 0);
  std::memcpy(&seen, value.data() + 32, sizeof(seen));
  EXPECT_GE(seen, fresh);
  ASSERT_TRUE(dataplane().ExpireLearned(std::chrono::seconds(5)).ok());
  EXPECT_EQ(Learned().size(), 1U) << "young again";

  seen -= kTenSeconds;
  std::memcpy(value.data() + 32, &seen, sizeof(seen));
  ASSERT_EQ(bpf_map_update_elem(map.get(), key.data(), value.data(), BPF_EXIST), 0);
  ASSERT_TRUE(dataplane().ExpireLearned(std::chrono::seconds(5)).ok());
  EXPECT_TRUE(Learned().empty());
  EXPECT_EQ(Verdict(Arrive("from_0_at_101")), "underlay.forwarded");
  EXPECT_EQ(Learned().size(), 1U) << "its place in the network's limit was given back";
}

// G-6-04: one network's frames cannot take more than its share.
TEST_F(Learn, StopsAtTheLimitOfTheNetwork) {
  SetLearnLimit(kLimit);
  for (int i = 0; i < 8; ++i) {
    Counters moved = Arrive("from_" + std::to_string(i) + "_at_101");
    EXPECT_EQ(Verdict(moved), "underlay.forwarded") << i;
    EXPECT_EQ(moved["event learned"], i < kLimit ? 1U : 0U) << i;
    EXPECT_EQ(moved["event learn_limit"], i < kLimit ? 0U : 1U) << i;
  }
  EXPECT_EQ(Learned().size(), std::size_t{kLimit});
  // Those that are in may still move.
  EXPECT_EQ(Arrive("from_0_at_100")["event learned"], 1U);
  EXPECT_EQ(Learned().size(), std::size_t{kLimit});
}

// G-6-03, Z-5-04
TEST_F(Learn, NothingFromWhatIsNotAccepted) {
  for (const char* name : {"stranger", "bad_checksum", "critical_option", "unknown_vni",
                           "congestion", "group_source"}) {
    Counters moved = Arrive(name);
    EXPECT_EQ(Verdict(moved),
              "underlay." + CaseByName("learn", name).at("verdict").get<std::string>());
    EXPECT_EQ(moved["event learned"], 0U) << name;
    EXPECT_TRUE(Learned().empty()) << name;
  }
}

TEST_F(Learn, NeverOverWhatIsConfigured) {
  for (const char* name : {"configured_from_another", "port_b_from_outside"}) {
    EXPECT_EQ(Arrive(name)["event learned"], 0U) << name;
  }
  EXPECT_TRUE(Learned().empty());
  EXPECT_EQ(Send(Hook::kPort, "port-a", "to_configured")["peer:192.168.1.101 tx packets"], 1U);
}

TEST_F(Learn, NotWhereLearningIsOff) {
  Configure({{"learning", false}, {"vteps", {"192.168.1.100", "192.168.1.101"}}});
  EXPECT_EQ(Arrive("from_0_at_101")["event learned"], 0U);
  EXPECT_TRUE(Learned().empty());
}

TEST_F(Learn, ForgottenWhenItsVtepLeaves) {
  (void)Arrive("from_0_at_101");
  (void)Arrive("from_1_at_100");
  Configure({{"learning", true}, {"vteps", {"192.168.1.101"}}});
  EXPECT_EQ(Learned(), Strings{"02:00:00:00:01:00 192.168.1.101"});
}

TEST_F(Learn, ForgottenWhenItIsConfigured) {
  (void)Arrive("from_0_at_101");
  Configure({{"learning", true},
             {"vteps", {"192.168.1.100", "192.168.1.101"}},
             {"fdb", {{"02:00:00:00:01:00", "192.168.1.100"}}}});
  EXPECT_EQ(Send(Hook::kPort, "port-a", "to_0")["peer:192.168.1.100 tx packets"], 1U);
}

// How a way is made may change while MACs behind it are known: checksum mode, ECN.
TEST_F(Learn, FollowsTheSettingsOfItsVtep) {
  (void)Arrive("from_0_at_101");
  Configure(
      {{"learning", true}, {"vteps", {"192.168.1.100", "192.168.1.101"}}, {"checksum", true}});
  EXPECT_EQ(Arrive("from_0_at_101")["event learned"], 1U) << "the entry is renewed";
}

}  // namespace
}  // namespace leman::packet_test
