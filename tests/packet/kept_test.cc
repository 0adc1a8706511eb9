// What the programs keep of earlier packets (bpf/lib/kept.h) is never older than what the agent has
// written, nor than a tick of the clock.
#include <bpf/bpf.h>

#include <thread>

#include "leman/abi.h"
#include "packet_case.h"

namespace leman::packet_test {
namespace {

using nlohmann::json;

constexpr auto kTicks = std::chrono::milliseconds(20);  // one is 10 ms at most
constexpr int kRounds = 50;                             // some of them within one tick

class Kept : public PacketCaseTest {
 protected:
  static int Send(const char* table, const char* name, Hook hook, const char* device) {
    return RunHook(hook, device, FromHex(CaseByName(table, name).at("in").get<std::string>()))
        .action;
  }
  static int SendFromPort() {
    return Send("encap", "ip4_udp_in_ip4_none_zero", Hook::kPort, "port-a");
  }
  static int SendFromUnderlay() {
    return Send("decap", "ecn_inner0_outer0_ip4_in_ip4", Hook::kUnderlay, "underlay");
  }
};

TEST_F(Kept, AChangeOfTheWayActsOnTheNextPacket) {
  for (int round = 0; round < kRounds; ++round) {
    Configure();
    ASSERT_EQ(SendFromPort(), kActionRedirect) << round;
    Configure({{"fdb", {{"aa:bb:cc:dd:ee:ff", nullptr}}}});
    ASSERT_EQ(SendFromPort(), kActionShot) << round;
  }
}

TEST_F(Kept, AChangeOfThePortActsOnTheNextPacket) {
  const Bytes stranger = [] {
    Bytes frame =
        FromHex(CaseByName("encap", "ip4_udp_in_ip4_none_zero").at("in").get<std::string>());
    frame[11] ^= 1U;  // the source's MAC
    return frame;
  }();
  for (int round = 0; round < kRounds; ++round) {
    Configure({{"security", false}});
    ASSERT_EQ(RunHook(Hook::kPort, "port-a", stranger).action, kActionRedirect) << round;
    Configure();
    ASSERT_EQ(RunHook(Hook::kPort, "port-a", stranger).action, kActionShot) << round;
  }
}

TEST_F(Kept, ASenderThatWentIsRefusedFromTheNextPacketOn) {
  for (int round = 0; round < kRounds; ++round) {
    Configure();
    ASSERT_EQ(SendFromUnderlay(), kActionRedirect) << round;
    Configure({{"vteps", {"2001:db8::101"}}});
    ASSERT_EQ(SendFromUnderlay(), kActionShot) << round;
  }
}

TEST_F(Kept, AReceiverThatWentGetsNothingFromTheNextPacketOn) {
  for (int round = 0; round < kRounds; ++round) {
    Configure();
    ASSERT_EQ(SendFromUnderlay(), kActionRedirect) << round;
    Configure({{"ports", {"port-b"}}});
    ASSERT_EQ(SendFromUnderlay(), kActionShot) << round;
  }
}

// An agent that dies between a write and its count.
TEST_F(Kept, AChangeThatNobodyCountedActsWithinATick) {
  Configure();
  ASSERT_EQ(SendFromPort(), kActionRedirect);
  ASSERT_EQ(SendFromUnderlay(), kActionRedirect);
  const Fd map(bpf_obj_get(PinPath(pin_root(), "lm_fdb").c_str()));
  ASSERT_TRUE(map.valid());
  lm_mac_key key{};
  while (bpf_map_get_next_key(map.get(), nullptr, &key) == 0) {
    ASSERT_EQ(bpf_map_delete_elem(map.get(), &key), 0);
  }
  std::this_thread::sleep_for(kTicks);
  EXPECT_EQ(SendFromPort(), kActionShot);
  EXPECT_EQ(SendFromUnderlay(), kActionShot);
  ASSERT_TRUE(dataplane().Audit().ok());
  EXPECT_EQ(SendFromPort(), kActionRedirect);
  EXPECT_EQ(SendFromUnderlay(), kActionRedirect);
}

}  // namespace
}  // namespace leman::packet_test
