// The agent whole, on a fake kernel: a loop in a thread, files and sockets in a directory of the
// test's own. What is waited for is a condition with a deadline.
#include "agent/agent.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <leman/v1/agent.grpc.pb.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "agent/api_server.h"
#include "agent/api_service.h"
#include "dataplane/fake_dataplane.h"
#include "netlink/fake_netlink.h"

namespace leman::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::chrono::seconds kDeadline{20};

constexpr std::string_view kState = R"(host: host-a
underlay: { device: eth0, addresses: [192.0.2.1] }
networks:
  - name: blue
    vni: 5
    ports:
      - { name: p1, device: veth1, mac: "02:00:00:00:00:01", addresses: [10.0.0.1] }
    remotes:
      - { mac: "02:00:00:00:00:09", addresses: [10.0.0.9], vtep: 192.0.2.9 }
)";
constexpr std::string_view kRemote =
    "      - { mac: \"02:00:00:00:00:0a\", addresses: [10.0.0.10], vtep: 192.0.2.9 }\n";

// FakeDataplane lives on the loop's thread; the test reads it only through this lock.
struct SharedDataplane {
  std::mutex mutex;
  std::optional<model::HostProgram> applied;
  std::optional<Error> fail_with;
  Result<ApplyReport> audit = ApplyReport{};
  std::vector<std::uint32_t> gone;
  int applies = 0;
  int audits = 0;
  int expirations = 0;
  bool detached = false;
};

class SharingDataplane final : public FakeDataplane {
 public:
  explicit SharingDataplane(SharedDataplane& shared) : shared_(shared) {}
  Result<ApplyReport> Apply(const model::HostProgram& wanted) override {
    const std::lock_guard lock(shared_.mutex);
    ++shared_.applies;
    if (shared_.fail_with.has_value()) {
      return Fail(*shared_.fail_with);
    }
    shared_.applied = wanted;
    return ApplyReport{.added = 1, .changed = 2, .removed = 3, .attached = 0, .problems = {}};
  }
  Result<ApplyReport> Audit() override {
    const std::lock_guard lock(shared_.mutex);
    ++shared_.audits;
    return shared_.audit;
  }
  void DeviceGone(std::uint32_t ifindex) override {
    const std::lock_guard lock(shared_.mutex);
    shared_.gone.push_back(ifindex);
  }
  Status ExpireLearned(std::chrono::seconds /*age*/) override {
    const std::lock_guard lock(shared_.mutex);
    ++shared_.expirations;
    return {};
  }
  Status Detach() override {
    const std::lock_guard lock(shared_.mutex);
    shared_.detached = true;
    return {};
  }

 private:
  SharedDataplane& shared_;
};

class AgentTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/leman-agent-test-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
    options_.state_file = dir_ + "/state.yaml";
    options_.run_dir = dir_;
    WriteState(std::string(kState));
    netlink_.links["eth0"] = {
        .ifindex = 2, .mtu = 1500, .up = true, .addresses = {IpAddress::FromV4({192, 0, 2, 1})}};
    netlink_.links["veth1"] = {.ifindex = 3, .mtu = 1450, .up = true};
  }
  void TearDown() override {
    Stop();
    std::filesystem::remove_all(dir_);
  }

  void WriteState(const std::string& text) const {
    std::ofstream file(dir_ + "/new");
    file << text;
    file.close();
    ASSERT_TRUE(file.good());
    ASSERT_EQ(rename((dir_ + "/new").c_str(), options_.state_file.c_str()), 0);
  }

  Status Start() {
    auto made = Agent::Make(options_, board_);
    if (!made.ok()) {
      return Fail(made.error());
    }
    agent_ = std::move(made).value();
    AgentParts parts;
    parts.netlink = &netlink_;
    parts.open_dataplane = [this](const DataplaneOptions&) -> Result<std::unique_ptr<Dataplane>> {
      ++opened_;
      if (open_fails_with_.has_value()) {
        return Fail(*open_fails_with_);
      }
      return std::unique_ptr<Dataplane>(std::make_unique<SharingDataplane>(kernel_));
    };
    parts.open_doors = [this]() -> Status {
      service_ = std::make_unique<ApiService>(
          AgentInfo{.version = "1", .abi_version = 7, .state_file = options_.state_file}, board_,
          agent_->reload_gate());
      LEMAN_ASSIGN_OR_RETURN(server_, ApiServer::Start(options_.SocketPath(), *service_));
      return {};
    };
    LEMAN_TRY(agent_->Start(std::move(parts)));
    thread_ = std::thread([this] { EXPECT_TRUE(agent_->Run().ok()); });
    return {};
  }

  void Stop() {
    if (thread_.joinable()) {
      agent_->RequestStop();
      thread_.join();
    }
    server_.reset();
    agent_.reset();
  }

  // Waits until `condition` of the published snapshot holds.
  template <class F>
  bool WaitFor(F&& condition) {
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (std::chrono::steady_clock::now() < deadline) {
      if (condition(*board_.Get())) {
        return true;
      }
      std::this_thread::yield();
    }
    return false;
  }

  std::unique_ptr<v1::AgentService::Stub> Client() const {
    return v1::AgentService::NewStub(
        grpc::CreateChannel("unix:" + options_.SocketPath(), grpc::InsecureChannelCredentials()));
  }
  std::size_t AppliedFdb() {
    const std::lock_guard lock(kernel_.mutex);
    return kernel_.applied->networks.begin()->second->fdb.size();
  }

  std::string dir_;
  AgentOptions options_;
  Board board_;
  FakeNetlink netlink_;
  SharedDataplane kernel_;
  int opened_ = 0;
  std::optional<Error> open_fails_with_;
  std::unique_ptr<Agent> agent_;
  std::unique_ptr<ApiService> service_;
  std::unique_ptr<ApiServer> server_;
  std::thread thread_;
};

TEST_F(AgentTest, StartsToReadyAndNeverDetaches) {
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(board_.Get()->start_state, StartState::kReady);
  EXPECT_EQ(board_.Get()->revision, 1U);
  EXPECT_THAT(board_.Get()->problems, IsEmpty());
  EXPECT_EQ(AppliedFdb(), 2U);
  EXPECT_EQ(netlink_.claimed_port, 6081);
  Stop();
  EXPECT_FALSE(kernel_.detached);
}

TEST_F(AgentTest, AWrongFileAMissingUnderlayOrABusyPortStopTheStartBeforeAnythingIsMade) {
  WriteState("host: x\n");
  Status status = Start();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message(),
            options_.state_file +
                ":1: underlay: is missing; write underlay: with device and "
                "addresses");
  WriteState(std::string(kState));
  netlink_.busy_port = 6081;
  status = Start();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), Code::kAlreadyExists);
  netlink_.busy_port = 0;
  netlink_.links.erase("eth0");
  status = Start();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message(),
            "underlay device eth0 is not there; create it, or correct "
            "underlay.device in " +
                options_.state_file);
  EXPECT_EQ(opened_, 0);
}

TEST_F(AgentTest, AStartThatTheKernelRefusesLeavesNoDevice) {
  open_fails_with_ = Error(Code::kFailedPrecondition, "kernel 5.4 is too old");
  Status status = Start();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message(), "kernel 5.4 is too old");
  EXPECT_FALSE(netlink_.links.contains(model::kSegmenterTx));
  // What an earlier agent left at work stays.
  ASSERT_TRUE(netlink_.MakeSegmenter().ok());
  Stop();
  ASSERT_FALSE(Start().ok());
  EXPECT_TRUE(netlink_.links.contains(model::kSegmenterTx));
  netlink_.segmenter_fails_with = Error(Code::kNotFound, "no veth");
  opened_ = 0;
  Stop();
  status = Start();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message(), "no veth");
  EXPECT_EQ(opened_, 0);
}

TEST_F(AgentTest, ADeviceThatWentIsAttachedAnewEvenIfItIsBackAsItWas) {
  ASSERT_TRUE(Start().ok());
  netlink_.gone = {3};
  netlink_.Notify();
  ASSERT_TRUE(WaitFor([](const Snapshot& now) { return now.count.reconciles == 2; }));
  const std::lock_guard lock(kernel_.mutex);
  EXPECT_THAT(kernel_.gone, ElementsAre(3U));
}

TEST_F(AgentTest, LostEventsAreMadeGoodByAnAudit) {
  ASSERT_TRUE(Start().ok());
  netlink_.lost = true;
  netlink_.Notify();
  EXPECT_TRUE(WaitFor([](const Snapshot& now) { return now.count.audits == 1; }));
}

TEST_F(AgentTest, TheSegmenterIsMadeAgainWhenItIsTakenAway) {
  ASSERT_TRUE(Start().ok());
  ASSERT_TRUE(netlink_.RemoveSegmenter().ok());
  netlink_.segmenter_fails_with = Error(Code::kInternal, "no room for a device");
  netlink_.Notify();
  ASSERT_TRUE(WaitFor([](const Snapshot& now) { return !now.problems.empty(); }));
  EXPECT_THAT(board_.Get()->problems,
              ElementsAre(model::Problem{"segmenter", "no room for a device"}));
}

TEST_F(AgentTest, WhatAnAuditFindsIsDegradedUntilOneFindsNothing) {
  options_.audit_interval = std::chrono::seconds(0);
  ASSERT_TRUE(Start().ok());
  const auto audit = [&](Result<ApplyReport> result) {
    const std::lock_guard lock(kernel_.mutex);
    kernel_.audit = std::move(result);
  };
  const auto problem = [&](const model::Problem& wanted) {
    return WaitFor(
        [&](const Snapshot& now) { return now.problems == std::vector<model::Problem>{wanted}; });
  };
  const auto none = [&] {
    return WaitFor([](const Snapshot& now) { return now.problems.empty(); });
  };
  ApplyReport full;
  full.problems = {{"FDB", "map lm_fdb is full"}};
  audit(full);
  EXPECT_TRUE(problem({"FDB", "map lm_fdb is full"}));
  audit(ApplyReport{});
  EXPECT_TRUE(none());
  audit(Fail(Code::kInternal, "cannot read map lm_fdb"));
  EXPECT_TRUE(problem({"audit", "cannot read map lm_fdb"}));
  audit(ApplyReport{});
  EXPECT_TRUE(none());
}

TEST_F(AgentTest, AFileThatIsBeingWrittenIsTakenOverWhenItIsClosed) {
  const std::string half = std::string(kState).substr(0, kState.find("    remotes:"));
  Fd writer(open(options_.state_file.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  ASSERT_EQ(write(writer.get(), half.data(), half.size()), static_cast<ssize_t>(half.size()));
  {
    // Half of a state is a state: only that it is open for writing tells that it is none.
    const Fd looks(inotify_init1(IN_CLOEXEC));
    ASSERT_GE(inotify_add_watch(looks.get(), options_.state_file.c_str(), IN_CLOSE_NOWRITE), 0);
    std::thread other([&] {
      const std::string rest = std::string(kState).substr(half.size());
      pollfd look{.fd = looks.get(), .events = POLLIN, .revents = 0};
      EXPECT_EQ(poll(&look, 1, 20'000), 1) << "the agent looked at it and closed it again";
      EXPECT_EQ(write(writer.get(), rest.data(), rest.size()), static_cast<ssize_t>(rest.size()));
      writer.Reset();
    });
    EXPECT_TRUE(Start().ok());
    other.join();
  }
  EXPECT_EQ(AppliedFdb(), 2U);

  Fd again(open(options_.state_file.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  ASSERT_EQ(write(again.get(), half.data(), half.size()), static_cast<ssize_t>(half.size()));
  grpc::ClientContext context;
  v1::ReloadResponse answer;
  const grpc::Status status = Client()->Reload(&context, {}, &answer);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("is being written"));
  EXPECT_EQ(AppliedFdb(), 2U);
  EXPECT_THAT(board_.Get()->problems, IsEmpty()) << "it is no fault of the file";
  again.Reset();
  ASSERT_TRUE(WaitFor([](const Snapshot& now) { return now.revision == 2; }));
  ASSERT_TRUE(WaitFor([](const Snapshot& now) { return now.count.reconciles == 2; }));
  EXPECT_EQ(AppliedFdb(), 1U);
}

TEST_F(AgentTest, TakesOverAChangedFileByItself) {
  ASSERT_TRUE(Start().ok());
  WriteState(std::string(kState) + std::string(kRemote));
  ASSERT_TRUE(WaitFor([](const Snapshot& now) { return now.revision == 2; }));
  ASSERT_TRUE(WaitFor([](const Snapshot& now) { return now.count.reconciles == 2; }));
  EXPECT_EQ(AppliedFdb(), 3U);
}

TEST_F(AgentTest, AFaultyFileLeavesTheRunningStateAndIsToldUntilItIsMended) {
  ASSERT_TRUE(Start().ok());
  WriteState("host: host-a\n");
  ASSERT_TRUE(WaitFor([](const Snapshot& now) { return !now.problems.empty(); }));
  EXPECT_EQ(board_.Get()->problems[0].where, "state file");
  EXPECT_THAT(board_.Get()->problems[0].what, HasSubstr("state.yaml:1: underlay: is missing"));
  EXPECT_EQ(board_.Get()->revision, 1U);
  EXPECT_EQ(AppliedFdb(), 2U);
  WriteState(std::string(kState));
  ASSERT_TRUE(WaitFor([](const Snapshot& now) { return now.problems.empty(); }));
  EXPECT_EQ(board_.Get()->revision, 1U);  // it says what is running
  EXPECT_EQ(board_.Get()->count.reconciles, 1U);
}

TEST_F(AgentTest, ANewPortThatIsBusyLeavesTheRunningState) {
  ASSERT_TRUE(Start().ok());
  netlink_.busy_port = 7000;
  std::string text(kState);
  text.replace(text.find("device: eth0"), 12, "device: eth0, port: 7000");
  WriteState(text);
  ASSERT_TRUE(WaitFor([](const Snapshot& now) { return !now.problems.empty(); }));
  EXPECT_EQ(board_.Get()->state->underlay.udp_port, 6081);
}

TEST_F(AgentTest, AFailedApplyIsDegradedAndTriedAgain) {
  kernel_.fail_with = Error(Code::kResourceExhausted, "map lm_fdb is full");
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(board_.Get()->start_state, StartState::kSnapshotComplete);
  EXPECT_THAT(board_.Get()->problems,
              ElementsAre(model::Problem{"dataplane", "map lm_fdb is full"}));
  {
    const std::lock_guard lock(kernel_.mutex);
    kernel_.fail_with.reset();
  }
  ASSERT_TRUE(WaitFor([](const Snapshot& now) { return now.start_state == StartState::kReady; }));
  EXPECT_THAT(board_.Get()->problems, IsEmpty());
  EXPECT_EQ(board_.Get()->count.reconcile_failures, 1U);
}

TEST_F(AgentTest, AuditsAndForgetsLearnedMacsInTheirTime) {
  options_.audit_interval = std::chrono::seconds(0);
  options_.expire_interval = std::chrono::seconds(0);
  ASSERT_TRUE(Start().ok());
  ASSERT_TRUE(WaitFor([](const Snapshot& now) { return now.count.audits > 2; }));
  const std::lock_guard lock(kernel_.mutex);
  EXPECT_GT(kernel_.expirations, 0);
}

TEST_F(AgentTest, TheApiTellsStatusPortsPeersAndEntries) {
  netlink_.links.erase("veth1");
  ASSERT_TRUE(Start().ok());
  struct stat status{};
  ASSERT_EQ(stat(options_.SocketPath().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0660U);
  const auto client = Client();
  {
    grpc::ClientContext context;
    v1::Status answer;
    ASSERT_TRUE(client->GetStatus(&context, {}, &answer).ok());
    EXPECT_EQ(answer.host(), "host-a");
    EXPECT_EQ(answer.state(), v1::AGENT_STATE_READY);
    EXPECT_EQ(answer.abi_version(), 7U);
    EXPECT_TRUE(answer.degraded());
    ASSERT_EQ(answer.problems_size(), 1);
    EXPECT_EQ(answer.problems(0).where(), "port p1");
    EXPECT_EQ(answer.underlay_mtu(), 1500U);
    EXPECT_EQ(answer.networks(), 1U);
    EXPECT_EQ(answer.fdb_entries(), 1U);
    EXPECT_GT(answer.rss_bytes(), 0U);
  }
  {
    grpc::ClientContext context;
    v1::ListPortsResponse answer;
    ASSERT_TRUE(client->ListPorts(&context, {}, &answer).ok());
    ASSERT_EQ(answer.ports_size(), 1);
    EXPECT_EQ(answer.ports(0).state(), "no device");
    EXPECT_EQ(answer.ports(0).ifindex(), 0U);
  }
  {
    grpc::ClientContext context;
    v1::ListPeersResponse answer;
    ASSERT_TRUE(client->ListPeers(&context, {}, &answer).ok());
    ASSERT_EQ(answer.peers_size(), 1);
    EXPECT_EQ(answer.peers(0).address(), "192.0.2.9");
    EXPECT_EQ(answer.peers(0).udp_checksum(), "zero");
    EXPECT_EQ(answer.peers(0).networks(), 1U);
  }
  {
    grpc::ClientContext context;
    v1::ListFdbRequest other;
    other.set_filter_vni(true);
    other.set_vni(6);
    v1::FdbPage page;
    EXPECT_FALSE(client->ListFdb(&context, other)->Read(&page));
  }
  {
    grpc::ClientContext context;
    v1::FdbPage page;
    const auto reader = client->ListFdb(&context, {});
    ASSERT_TRUE(reader->Read(&page));
    ASSERT_EQ(page.entries_size(), 1);
    EXPECT_EQ(page.entries(0).kind(), "remote");
    EXPECT_EQ(page.entries(0).vtep(), "192.0.2.9");
    EXPECT_FALSE(reader->Read(&page));
  }
}

// More than two pages: none lost, none twice.
TEST_F(AgentTest, LongListsArriveWhole) {
  std::string state(kState);
  for (unsigned i = 0; i < 2500; ++i) {
    state += fmt::format(
        "      - {{ mac: \"02:00:00:01:{:02x}:{:02x}\", addresses: [10.1.{}.{}], vtep: 192.0.2.9 "
        "}}\n",
        i >> 8U, i & 0xffU, i >> 8U, i & 0xffU);
  }
  WriteState(state);
  ASSERT_TRUE(Start().ok());
  const auto client = Client();
  std::vector<std::string> macs;
  std::vector<std::string> addresses;
  {
    grpc::ClientContext context;
    const auto reader = client->ListFdb(&context, {});
    for (v1::FdbPage page; reader->Read(&page);) {
      for (const v1::FdbEntry& entry : page.entries()) {
        macs.push_back(entry.mac());
      }
    }
    EXPECT_TRUE(reader->Finish().ok());
  }
  {
    grpc::ClientContext context;
    const auto reader = client->ListNeighbours(&context, {});
    for (v1::NeighbourPage page; reader->Read(&page);) {
      for (const v1::NeighbourEntry& entry : page.entries()) {
        addresses.push_back(entry.address());
      }
    }
    EXPECT_TRUE(reader->Finish().ok());
  }
  EXPECT_EQ(macs.size(), 2502U);
  EXPECT_EQ(std::set<std::string>(macs.begin(), macs.end()).size(), 2502U);
  EXPECT_EQ(addresses.size(), 2502U);
  EXPECT_EQ(std::set<std::string>(addresses.begin(), addresses.end()).size(), 2502U);
}

TEST_F(AgentTest, ReloadAnswersWithWhatWasDoneOrWithEveryFault) {
  ASSERT_TRUE(Start().ok());
  const auto client = Client();
  WriteState(std::string(kState) + std::string(kRemote));
  {
    grpc::ClientContext context;
    v1::ReloadResponse answer;
    const grpc::Status status = client->Reload(&context, {}, &answer);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(answer.revision(), 2U);
  }
  WriteState("networks: 5\n");
  grpc::ClientContext context;
  v1::ReloadResponse answer;
  const grpc::Status status = client->Reload(&context, {}, &answer);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr(":1: host: is missing"));
  EXPECT_THAT(status.error_message(), HasSubstr(":1: networks: is a single value"));
  EXPECT_EQ(board_.Get()->revision, 2U);
}

TEST_F(AgentTest, AStaleSocketIsReplacedALivingOneIsNot) {
  ASSERT_TRUE(Start().ok());
  ApiService other({}, board_, agent_->reload_gate());
  const auto second = ApiServer::Start(options_.SocketPath(), other);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().message(), "another process listens on " + options_.SocketPath() +
                                          "; stop it or set another --socket");
  // A host out of descriptors cannot ask, and must not take the socket for stale.
  rlimit descriptors{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &descriptors), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = descriptors.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto third = ApiServer::Start(options_.SocketPath(), other);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &descriptors), 0);
  EXPECT_FALSE(third.ok());
  EXPECT_TRUE(std::filesystem::is_socket(options_.SocketPath()));
  Stop();
  // What an agent that was killed leaves: a name that nobody listens on.
  const Fd fd(socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  options_.SocketPath().copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_TRUE(Start().ok());
}

}  // namespace
}  // namespace leman::agent
