// Against the kernel itself, in a network namespace of the test's own (a user namespace makes root
// unnecessary). Skipped where namespaces cannot be made.
#include "netlink/netlink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace leman {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

bool in_own_namespace = false;

[[nodiscard]] bool Command(const std::string& command) {
  return system((command + " >/dev/null 2>&1").c_str()) == 0;  // NOLINT: a test's fixed words
}

void WriteFile(const std::string& path, const std::string& text) {
  if (std::FILE* file = std::fopen(path.c_str(), "w"); file != nullptr) {
    std::fputs(text.c_str(), file);
    std::fclose(file);
  }
}

bool EnterOwnNamespace() {
  const unsigned uid = getuid();
  const unsigned gid = getgid();
  if (uid == 0 && unshare(CLONE_NEWNET) == 0) {
    return true;
  }
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
    return false;
  }
  WriteFile("/proc/self/setgroups", "deny");
  WriteFile("/proc/self/uid_map", "0 " + std::to_string(uid) + " 1");
  WriteFile("/proc/self/gid_map", "0 " + std::to_string(gid) + " 1");
  return true;
}

class NetlinkTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!in_own_namespace || !Command("ip link set lo up")) {
      GTEST_SKIP() << "no network namespace can be made here";
    }
    auto opened = OpenNetlink();
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    netlink_ = std::move(opened).value();
  }
  void TearDown() override {
    for (const std::string name : {"d0", "v0", "t0", "n0", "gnv0"}) {
      static_cast<void>(Command("ip link del " + name));
    }
  }
  bool WaitForEvent() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < deadline) {
      pollfd event{.fd = netlink_->event_fd(), .events = POLLIN, .revents = 0};
      if (poll(&event, 1, 1000) == 1) {
        const auto changed = netlink_->DrainEvents();
        return changed.ok() && changed.value().changed;
      }
    }
    return false;
  }
  std::unique_ptr<Netlink> netlink_;
};

TEST_F(NetlinkTest, ListsLinksWithKindMtuStateAndAddresses) {
  ASSERT_TRUE(Command("ip link add d0 mtu 1400 type veth peer name d1"));
  ASSERT_TRUE(Command("ip addr add 192.0.2.7/24 dev d0"));
  ASSERT_TRUE(Command("ip link set d0 up"));
  ASSERT_TRUE(Command("ip -6 addr add 2001:db8::7/64 dev d0 nodad"));
  ASSERT_TRUE(Command("ip link add v0 type veth peer name v1"));
  const auto links = netlink_->ListLinks();
  ASSERT_TRUE(links.ok()) << links.error().message();
  ASSERT_TRUE(links.value().contains("lo"));
  const model::LinkFacts& dummy = links.value().at("d0");
  EXPECT_GT(dummy.ifindex, 0U);
  EXPECT_EQ(dummy.mtu, 1400U);
  EXPECT_TRUE(dummy.up);
  EXPECT_THAT(dummy.addresses, Contains(IpAddress::Parse("192.0.2.7").value()));
  EXPECT_THAT(dummy.addresses, Contains(IpAddress::Parse("2001:db8::7").value()));
  const model::LinkFacts& veth = links.value().at("v0");
  EXPECT_FALSE(veth.up);
  EXPECT_FALSE(veth.peer_in_other_namespace);
}

TEST_F(NetlinkTest, SeesThatTheOtherEndOfAVethIsElsewhere) {
  // A process that only holds another namespace, until its pipe closes.
  int hold[2];
  int ready[2];
  ASSERT_EQ(pipe(hold), 0);
  ASSERT_EQ(pipe(ready), 0);
  const pid_t holder = fork();
  if (holder == 0) {
    close(hold[1]);
    const char ok = unshare(CLONE_NEWNET) == 0 ? 'y' : 'n';
    if (write(ready[1], &ok, 1) != 1) {
      _exit(1);
    }
    char end = 0;
    static_cast<void>(!read(hold[0], &end, 1));
    _exit(0);
  }
  close(hold[0]);
  char ok = 'n';
  ASSERT_EQ(read(ready[0], &ok, 1), 1);
  ASSERT_EQ(ok, 'y');
  EXPECT_TRUE(Command("ip link add v0 type veth peer name v1 netns " + std::to_string(holder)));
  const auto links = netlink_->ListLinks();
  ASSERT_TRUE(links.ok());
  ASSERT_TRUE(links.value().contains("v0"));
  EXPECT_TRUE(links.value().at("v0").peer_in_other_namespace);
  close(hold[1]);
  waitpid(holder, nullptr, 0);
}

TEST_F(NetlinkTest, TellsChangesOfLinksAndAddresses) {
  ASSERT_TRUE(netlink_->DrainEvents().ok());
  ASSERT_TRUE(Command("ip link add d0 type veth peer name d1"));
  EXPECT_TRUE(WaitForEvent());
  ASSERT_TRUE(netlink_->DrainEvents().ok());
  ASSERT_TRUE(Command("ip addr add 192.0.2.9/24 dev d0"));
  EXPECT_TRUE(WaitForEvent());
  const auto nothing = netlink_->DrainEvents();
  ASSERT_TRUE(nothing.ok());
  EXPECT_FALSE(nothing.value().changed);
}

TEST_F(NetlinkTest, LostEventsCountAsAChange) {
  ASSERT_TRUE(netlink_->DrainEvents().ok());
  const int small = 1;  // the kernel makes it its minimum, a few messages
  ASSERT_EQ(setsockopt(netlink_->event_fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(Command("ip link add d0 type veth peer name d1 && ip link del d0"));
  }
  const auto changed = netlink_->DrainEvents();
  ASSERT_TRUE(changed.ok()) << changed.error().message();
  EXPECT_TRUE(changed.value().changed);
  EXPECT_TRUE(changed.value().lost);
}

TEST_F(NetlinkTest, TellsWhichDevicesWent) {
  ASSERT_TRUE(
      Command("ip link add n0 type bridge && ip link add d0 master n0 type veth peer name d1"));
  const auto links = netlink_->ListLinks();
  ASSERT_TRUE(links.ok());
  ASSERT_TRUE(netlink_->DrainEvents().ok());
  ASSERT_TRUE(Command("ip link set d0 nomaster"));
  const auto left_a_bridge = netlink_->DrainEvents();
  ASSERT_TRUE(left_a_bridge.ok());
  EXPECT_TRUE(left_a_bridge.value().changed);
  EXPECT_THAT(left_a_bridge.value().gone, IsEmpty());
  ASSERT_TRUE(Command("ip link del d0"));
  const auto gone = netlink_->DrainEvents();
  ASSERT_TRUE(gone.ok());
  EXPECT_THAT(gone.value().gone,
              UnorderedElementsAre(links.value().at("d0").ifindex, links.value().at("d1").ifindex));
  EXPECT_FALSE(gone.value().lost);
}

TEST_F(NetlinkTest, AClaimedPortIsClosedToOthersUntilItIsGivenBack) {
  {
    const auto claim = netlink_->ClaimUdpPort(6081);
    ASSERT_TRUE(claim.ok()) << claim.error().message();
    const auto second = netlink_->ClaimUdpPort(6081);
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().code(), Code::kAlreadyExists);
    EXPECT_THAT(second.error().message(), HasSubstr("UDP port 6081 is taken by"));
  }
  EXPECT_TRUE(netlink_->ClaimUdpPort(6081).ok());
}

TEST_F(NetlinkTest, NamesTheProcessThatHasThePort) {
  const Fd other(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_TRUE(other.valid());
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(6081);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(other.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  const auto claim = netlink_->ClaimUdpPort(6081);
  ASSERT_FALSE(claim.ok());
  const std::string& message = claim.error().message();
  if (message.find("another tunnel or program") == std::string::npos) {  // no sock_diag here
    EXPECT_EQ(message, "UDP port 6081 is taken by netlink_test (pid " + std::to_string(getpid()) +
                           "); stop or delete that, or set underlay.port");
  }
}

TEST_F(NetlinkTest, NamesTheTunnelDeviceThatHasThePort) {
  if (!Command("ip link add gnv0 type vxlan id 5 dstport 6081 local 127.0.0.1")) {
    GTEST_SKIP() << "this kernel has no vxlan";
  }
  // Down it has no socket yet.
  EXPECT_TRUE(netlink_->ClaimUdpPort(6081).ok());
  ASSERT_TRUE(Command("ip link set gnv0 up"));
  const auto claim = netlink_->ClaimUdpPort(6081);
  ASSERT_FALSE(claim.ok());
  EXPECT_EQ(claim.error().message(),
            "UDP port 6081 is taken by device gnv0 (vxlan); stop or delete that, or set "
            "underlay.port");
}

}  // namespace
}  // namespace leman

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  leman::in_own_namespace = leman::EnterOwnNamespace();
  return RUN_ALL_TESTS();
}
