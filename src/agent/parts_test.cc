// The small parts of the agent, each alone.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "agent/event_loop.h"
#include "agent/file_watcher.h"
#include "agent/instance_lock.h"
#include "agent/metrics.h"
#include "agent/metrics_server.h"
#include "agent/options.h"
#include "agent/reconciler.h"
#include "agent/reload_gate.h"
#include "dataplane/fake_dataplane.h"
#include "netlink/fake_netlink.h"

namespace leman::agent {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class TempDir : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/leman-parts-test-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  static void Write(const std::string& path, const std::string& text) {
    std::ofstream file(path);
    file << text;
    file.close();
    ASSERT_TRUE(file.good());
  }
  std::string dir_;
};

TEST(EventLoop, RunsTimersInTheirTimeAndBurstsOnce) {
  auto loop = EventLoop::Make();
  ASSERT_TRUE(loop.ok());
  EventLoop& l = *loop.value();
  int once = 0;
  int again = 0;
  const auto burst = l.AddTimer([&] { ++once; });
  EventLoop::TimerId end{};
  end = l.AddTimer([&] {
    if (++again == 3) {
      l.Stop();
    } else {
      l.StartTimer(end, milliseconds(2));
    }
  });
  for (int i = 0; i < 5; ++i) {
    l.StartTimerIfIdle(burst, milliseconds(1));
  }
  l.StartTimer(end, milliseconds(2));
  ASSERT_TRUE(l.Run().ok());
  EXPECT_EQ(once, 1);
  EXPECT_EQ(again, 3);
}

TEST(EventLoop, AnyThreadMayWakeIt) {
  auto loop = EventLoop::Make();
  ASSERT_TRUE(loop.ok());
  loop.value()->OnWake([&] { loop.value()->Stop(); });
  std::thread other([&] { loop.value()->Wake(); });
  EXPECT_TRUE(loop.value()->Run().ok());
  other.join();
}

class FileWatcherTest : public TempDir {
 protected:
  static bool Told(FileWatcher& watcher) {
    pollfd event{.fd = watcher.fd(), .events = POLLIN, .revents = 0};
    return poll(&event, 1, 0) == 1 && watcher.Drain();
  }
};

TEST_F(FileWatcherTest, TellsWritingRenamingAndRemovingOfThisFileAlone) {
  const std::string path = dir_ + "/s.yaml";
  Write(path, "a");
  auto made = FileWatcher::Make(path);
  ASSERT_TRUE(made.ok());
  FileWatcher watcher = std::move(made).value();
  EXPECT_FALSE(Told(watcher));
  Write(dir_ + "/other", "b");
  EXPECT_FALSE(Told(watcher));
  Write(path, "b");
  EXPECT_TRUE(Told(watcher));
  ASSERT_EQ(rename((dir_ + "/other").c_str(), path.c_str()), 0);
  EXPECT_TRUE(Told(watcher));
  ASSERT_EQ(unlink(path.c_str()), 0);
  EXPECT_TRUE(Told(watcher));
  Write(path, "c");
  EXPECT_TRUE(Told(watcher));
}

TEST_F(FileWatcherTest, AFileBeingWrittenIsNotToldBeforeItIsClosed) {
  const std::string path = dir_ + "/s.yaml";
  auto made = FileWatcher::Make(path);
  ASSERT_TRUE(made.ok());
  FileWatcher watcher = std::move(made).value();
  std::ofstream file(path);
  file << "half" << std::flush;
  ASSERT_TRUE(file.good());
  EXPECT_FALSE(Told(watcher));
  file.close();
  EXPECT_TRUE(Told(watcher));
}

TEST_F(FileWatcherTest, AFileThatBecomesReadableIsTold) {
  const std::string path = dir_ + "/s.yaml";
  Write(path, "a");
  auto made = FileWatcher::Make(path);
  ASSERT_TRUE(made.ok());
  FileWatcher watcher = std::move(made).value();
  ASSERT_EQ(chmod(path.c_str(), 0400), 0);
  EXPECT_TRUE(Told(watcher));
}

TEST_F(FileWatcherTest, FollowsADirectoryThatIsReplaced) {
  std::filesystem::create_directories(dir_ + "/etc/leman");
  Write(dir_ + "/etc/leman/s.yaml", "1");
  auto made = FileWatcher::Make(dir_ + "/etc/leman/s.yaml");
  ASSERT_TRUE(made.ok());
  FileWatcher watcher = std::move(made).value();
  std::filesystem::create_directories(dir_ + "/new/leman");
  Write(dir_ + "/new/leman/s.yaml", "2");
  EXPECT_FALSE(Told(watcher));
  std::filesystem::rename(dir_ + "/etc", dir_ + "/old");
  EXPECT_TRUE(Told(watcher));
  std::filesystem::rename(dir_ + "/new", dir_ + "/etc");
  EXPECT_TRUE(Told(watcher));
  // Told of the new one, and of the old one no more.
  Write(dir_ + "/old/leman/s.yaml", "3");
  EXPECT_FALSE(Told(watcher));
  Write(dir_ + "/etc/leman/s.yaml", "4");
  EXPECT_TRUE(Told(watcher));
  std::filesystem::remove_all(dir_ + "/etc");
  EXPECT_TRUE(Told(watcher));
  std::filesystem::create_directories(dir_ + "/etc/leman");
  static_cast<void>(Told(watcher));
  Write(dir_ + "/etc/leman/s.yaml", "5");
  EXPECT_TRUE(Told(watcher));
}

TEST_F(FileWatcherTest, FollowsSwappedLinksAsOfAConfigMap) {
  std::filesystem::create_directory(dir_ + "/one");
  std::filesystem::create_directory(dir_ + "/two");
  Write(dir_ + "/one/s.yaml", "1");
  Write(dir_ + "/two/s.yaml", "2");
  std::filesystem::create_symlink("one", dir_ + "/..data");
  std::filesystem::create_symlink("..data/s.yaml", dir_ + "/s.yaml");
  auto made = FileWatcher::Make(dir_ + "/s.yaml");
  ASSERT_TRUE(made.ok());
  FileWatcher watcher = std::move(made).value();
  std::filesystem::create_symlink("two", dir_ + "/..tmp");
  EXPECT_FALSE(Told(watcher));
  std::filesystem::rename(dir_ + "/..tmp", dir_ + "/..data");
  EXPECT_TRUE(Told(watcher));
  // The new target is watched, the old one no more.
  Write(dir_ + "/two/s.yaml", "3");
  EXPECT_TRUE(Told(watcher));
  Write(dir_ + "/one/s.yaml", "4");
  static_cast<void>(Told(watcher));  // may tell once that the old watch is gone
  Write(dir_ + "/one/s.yaml", "5");
  EXPECT_FALSE(Told(watcher));
}

TEST_F(FileWatcherTest, ReadsRegularFilesOfASensibleSizeOnly) {
  Write(dir_ + "/f", "text");
  EXPECT_EQ(ReadRegularFile(dir_ + "/f", 4, BusyFile::kRefuse).value(), "text");
  EXPECT_THAT(ReadRegularFile(dir_ + "/f", 3, BusyFile::kRefuse).error().message(),
              HasSubstr("4 bytes, at most 3"));
  ASSERT_EQ(mkfifo((dir_ + "/p").c_str(), 0600), 0);
  EXPECT_THAT(ReadRegularFile(dir_ + "/p", 3, BusyFile::kRefuse).error().message(),
              HasSubstr("no regular file"));
  EXPECT_EQ(ReadRegularFile(dir_ + "/none", 3, BusyFile::kRefuse).error().code(), Code::kNotFound);
}

TEST_F(FileWatcherTest, AFileThatSomebodyWritesIsNotRead) {
  const std::string path = dir_ + "/f";
  Write(path, "whole");
  {
    const Fd writer(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    const auto half = ReadRegularFile(path, 100, BusyFile::kRefuse);
    ASSERT_FALSE(half.ok());
    EXPECT_EQ(half.error().code(), Code::kFailedPrecondition);
    EXPECT_THAT(half.error().message(), HasSubstr("is being written"));
    EXPECT_EQ(ReadRegularFile(path, 100, BusyFile::kRead).value(), "whole") << "who wants to may";
  }
  EXPECT_EQ(ReadRegularFile(path, 100, BusyFile::kRefuse).value(), "whole");
  // Reading leaves nothing behind that a writer would wait for.
  EXPECT_TRUE(Fd(open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK)).valid());
}

class InstanceLockTest : public TempDir {};

TEST_F(InstanceLockTest, TheSecondIsToldWhoIsTheFirst) {
  const std::string run = dir_ + "/a/b";
  {
    const auto first = InstanceLock::Take(run);
    ASSERT_TRUE(first.ok()) << first.error().message();
    const auto second = InstanceLock::Take(run);
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().code(), Code::kAlreadyExists);
    EXPECT_THAT(second.error().message(), HasSubstr("(pid " + std::to_string(getpid()) + ")"));
  }
  EXPECT_TRUE(InstanceLock::Take(run).ok());
}

TEST_F(InstanceLockTest, TakingOverEndsTheHolder) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto lock = InstanceLock::Take(dir_);
    const char told = lock.ok() ? 'y' : 'n';
    if (write(ready[1], &told, 1) == 1) {
      pause();
    }
    _exit(1);
  }
  char told = 'n';
  ASSERT_EQ(read(ready[0], &told, 1), 1);
  ASSERT_EQ(told, 'y');
  pid_t stopped = 0;
  {
    const auto lock = InstanceLock::TakeOver(dir_, milliseconds(20'000), stopped);
    ASSERT_TRUE(lock.ok()) << lock.error().message();
    EXPECT_EQ(stopped, child);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    EXPECT_TRUE(std::filesystem::exists(dir_ + "/agent.lock"));
  }
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/agent.lock")) << "its holder was not killed";
}

TEST(ReloadGate, OneReadingAnswersAllThatWaited) {
  std::atomic<int> wakes = 0;
  ReloadGate gate([&] { ++wakes; });
  std::thread a([&] { EXPECT_EQ(gate.Request(milliseconds(20'000)).value().revision, 4U); });
  std::thread b([&] { EXPECT_EQ(gate.Request(milliseconds(20'000)).value().revision, 4U); });
  while (wakes < 2) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(gate.Begin());
  gate.Finish(ReloadOutcome{.revision = 4});
  a.join();
  b.join();
  EXPECT_FALSE(gate.Begin());
  EXPECT_EQ(gate.Request(milliseconds(1)).error().code(), Code::kUnavailable);
}

TEST(ReloadGate, NobodyWaitsForAnAgentThatEnds) {
  std::atomic<bool> woken = false;
  ReloadGate gate([&] { woken = true; });
  std::thread waiting([&] {
    EXPECT_EQ(gate.Request(milliseconds(20'000)).error().message(), "the agent is stopping");
  });
  while (!woken) {
    std::this_thread::yield();
  }
  gate.Close();
  waiting.join();
}

model::DesiredState State(std::uint16_t port = 6081) {
  model::DesiredState state;
  state.host = "h";
  state.underlay.device = "eth0";
  state.underlay.address4 = IpAddress::FromV4({192, 0, 2, 1});
  state.underlay.udp_port = port;
  model::Network network;
  network.name = "blue";
  network.ports = {{"p1", "veth1", MacAddress({2, 0, 0, 0, 0, 1}), {}, true}};
  state.networks = {std::make_shared<const model::Network>(network)};
  return state;
}

class ReconcilerTest : public testing::Test {
 protected:
  ReconcilerTest() : reconciler_(netlink_, board_) {
    netlink_.links["eth0"] = {
        .ifindex = 2, .mtu = 1500, .up = true, .addresses = {IpAddress::FromV4({192, 0, 2, 1})}};
    netlink_.links["veth1"] = {.ifindex = 3, .mtu = 1500, .up = true};
    reconciler_.SetDataplane(dataplane_);
    EXPECT_TRUE(reconciler_.TakeState(State()).ok());
    EXPECT_TRUE(reconciler_.ListLinks().ok());
    EXPECT_TRUE(reconciler_.Reconcile().ok());
  }
  Board board_;
  FakeNetlink netlink_;
  FakeDataplane dataplane_;
  Reconciler reconciler_;
};

TEST_F(ReconcilerTest, AVanishedUnderlayLeavesTheKernelAsItIs) {
  const auto eth0 = netlink_.links.at("eth0");
  netlink_.links.erase("eth0");
  EXPECT_TRUE(reconciler_.ListLinks().value());
  EXPECT_FALSE(reconciler_.Reconcile().ok());
  EXPECT_EQ(dataplane_.applies, 1);
  EXPECT_EQ(dataplane_.applied->underlay_ifindex, 2U);
  EXPECT_THAT(
      board_.Get()->problems,
      ElementsAre(model::Problem{
          "underlay", "device eth0 is not there; what is programmed stays until it is back"}));
  netlink_.links["eth0"] = eth0;
  netlink_.links["eth0"].ifindex = 9;
  EXPECT_TRUE(reconciler_.ListLinks().value());
  EXPECT_TRUE(reconciler_.Reconcile().ok());
  EXPECT_EQ(dataplane_.applied->underlay_ifindex, 9U);
  EXPECT_THAT(board_.Get()->problems, IsEmpty());
}

TEST_F(ReconcilerTest, AVanishedPortIsTakenOutAndAReturningOnePutIn) {
  const auto veth1 = netlink_.links.at("veth1");
  netlink_.links.erase("veth1");
  EXPECT_TRUE(reconciler_.ListLinks().value());
  EXPECT_TRUE(reconciler_.Reconcile().ok());
  EXPECT_THAT(dataplane_.applied->networks.begin()->second->ports, IsEmpty());
  EXPECT_EQ(board_.Get()->problems.size(), 1U);
  netlink_.links["veth1"] = veth1;
  EXPECT_TRUE(reconciler_.ListLinks().value());
  EXPECT_TRUE(reconciler_.Reconcile().ok());
  EXPECT_EQ(dataplane_.applied->networks.begin()->second->ports.size(), 1U);
  EXPECT_FALSE(reconciler_.ListLinks().value());
}

TEST_F(ReconcilerTest, ANewPortIsClaimedBeforeItsStateIsTaken) {
  netlink_.busy_port = 7000;
  EXPECT_FALSE(reconciler_.TakeState(State(7000)).ok());
  EXPECT_EQ(reconciler_.now().state->underlay.udp_port, 6081);
  EXPECT_EQ(reconciler_.now().revision, 1U);
  netlink_.busy_port = 0;
  EXPECT_TRUE(reconciler_.TakeState(State(7000)).value());
  EXPECT_EQ(netlink_.claimed_port, 7000);
  EXPECT_EQ(reconciler_.now().revision, 2U);
  EXPECT_FALSE(reconciler_.TakeState(State(7000)).value());
}

TEST_F(ReconcilerTest, AListingThatFailsIsAProblemAndTriedAgain) {
  netlink_.fail_with = Error(Code::kInternal, "cannot list the links: no buffer");
  EXPECT_FALSE(reconciler_.ListLinks().ok());
  EXPECT_TRUE(reconciler_.wants_retry());
  EXPECT_THAT(board_.Get()->problems,
              ElementsAre(model::Problem{"links", "cannot list the links: no buffer"}));
  netlink_.fail_with.reset();
  EXPECT_TRUE(reconciler_.ListLinks().ok());
  EXPECT_TRUE(reconciler_.Reconcile().ok());
  EXPECT_FALSE(reconciler_.wants_retry());
  EXPECT_THAT(board_.Get()->problems, IsEmpty());
}

TEST(Metrics, AreServedAndABusyPortIsOneSentence) {
  Board board;
  FakeDataplane dataplane;
  dataplane.verdicts = {{"underlay", "opt_crit", "x", true, {3, 300}}};
  board.SetDataplane(&dataplane);
  const auto metrics = std::make_shared<Metrics>("1", board);
  bool seen = false;
  for (const auto& family : metrics->Collect()) {
    if (family.name == "leman_verdict_packets_total") {
      ASSERT_EQ(family.metric.size(), 1U);
      EXPECT_EQ(family.metric[0].label[1].value, "opt_crit");
      EXPECT_EQ(family.metric[0].counter.value, 3);
      seen = true;
    }
  }
  EXPECT_TRUE(seen);
  const auto server = MetricsServer::Start("127.0.0.1:0", metrics);
  ASSERT_TRUE(server.ok()) << server.error().message();
  const std::string address = "127.0.0.1:" + std::to_string(server.value()->port());
  const auto second = MetricsServer::Start(address, metrics);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().message(),
            "cannot serve metrics on " + address +
                ": the port is taken or the address is not of this host; set --metrics-address "
                "ADDRESS:PORT, or off");
}

ParsedOptions Parse(std::vector<const char*> words) {
  words.insert(words.begin(), "leman-agent");
  return ParseOptions(static_cast<int>(words.size()), words.data());
}

TEST(Options, HaveTheirDefaultsAndAreChecked) {
  const auto parsed = Parse({"--state", "f"});
  ASSERT_TRUE(parsed.options.has_value());
  EXPECT_EQ(parsed.options->action, AgentOptions::Action::kRun);
  EXPECT_EQ(parsed.options->SocketPath(), "/run/leman/agent.sock");
  EXPECT_EQ(parsed.options->metrics_address, "127.0.0.1:9461");
  EXPECT_EQ(parsed.options->audit_interval.count(), 60);
  EXPECT_EQ(Parse({"--detach"}).options->action, AgentOptions::Action::kDetach);
  EXPECT_EQ(Parse({"--state", "f", "--check"}).options->action, AgentOptions::Action::kCheck);
  EXPECT_EQ(Parse({"--state", "f", "--audit-interval", "5"}).options->audit_interval.count(), 5);
  const int usage = static_cast<int>(ExitCode::kUsage);
  EXPECT_EQ(Parse({}).exit_status, usage);
  EXPECT_EQ(Parse({"--colour"}).exit_status, usage);
  EXPECT_EQ(Parse({"--state", "f", "--log-level", "loud"}).exit_status, usage);
  EXPECT_EQ(Parse({"--state", "f", "--detach", "--check"}).exit_status, usage);
  EXPECT_EQ(Parse({"--help"}).exit_status, 0);
}

}  // namespace
}  // namespace leman::agent
