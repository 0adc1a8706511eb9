// The commands that ask the agent, against an AgentService in this process on a real unix socket.
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <leman/v1/agent.grpc.pb.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <memory>

#include "cli/test_support.h"
#include "cli/tree.h"

namespace leman::cli {
namespace {

class FakeAgent : public v1::AgentService::Service {
 public:
  grpc::Status GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*,
                         v1::Status* out) override {
    *out = status;
    if (long_names) {
      out->set_host(Named("host-a"));
      out->set_state_file(Named("/etc/leman/state.yaml"));
      out->add_underlay_addresses(kLongAddress);
      v1::Problem* problem = out->add_problems();
      problem->set_where(Named("port vm-2"));
      problem->set_what("device port-vm2 is not there; create it, the agent attaches by itself");
    }
    return answer;
  }
  grpc::Status ListPorts(grpc::ServerContext*, const v1::ListPortsRequest*,
                         v1::ListPortsResponse* out) override {
    v1::Port* port = out->add_ports();
    port->set_name(Named("vm-1"));
    port->set_network("blue");
    port->set_vni(10001);
    port->set_device("port-vm1");
    port->set_ifindex(7);
    port->set_mac("aa:bb:cc:dd:ee:ff");
    port->add_addresses("10.0.1.10");
    if (long_names) {
      port->add_addresses(kLongAddress);
    }
    port->set_state("active");
    port->set_port_security(true);
    port->mutable_traffic()->set_rx_packets(1'234'567);
    port->mutable_traffic()->set_rx_bytes(3'565'158);
    port->mutable_traffic()->set_dropped_packets(2);
    port = out->add_ports();
    port->set_name("vm-2");
    port->set_network("blue");
    port->set_vni(10001);
    port->set_device("port-vm2");
    port->set_mac("aa:bb:cc:dd:ee:01");
    port->set_state("no device");
    return answer;
  }
  grpc::Status ListNetworks(grpc::ServerContext*, const v1::ListNetworksRequest*,
                            v1::ListNetworksResponse* out) override {
    v1::Network* network = out->add_networks();
    network->set_name(Named("blue"));
    network->set_vni(10001);
    network->set_mtu(1450);
    network->set_ports(2);
    network = out->add_networks();
    network->set_name("red");
    network->set_vni(10002);
    return answer;
  }
  grpc::Status ListPeers(grpc::ServerContext*, const v1::ListPeersRequest*,
                         v1::ListPeersResponse* out) override {
    v1::Peer* peer = out->add_peers();
    peer->set_address(long_names ? kLongAddress : "192.168.1.102");
    peer->set_udp_checksum("zero");
    return answer;
  }
  grpc::Status ListFdb(grpc::ServerContext*, const v1::ListFdbRequest* request,
                       grpc::ServerWriter<v1::FdbPage>* writer) override {
    v1::FdbPage page;
    for (int i = fdb_entries - 1; i >= 0; --i) {  // not in the order that is shown
      v1::FdbEntry entry;
      entry.set_vni(i % 2 == 0 ? 10001 : 10002);
      entry.set_network(Named(i % 2 == 0 ? "blue" : "red"));
      entry.set_mac("02:00:00:00:00:0" + std::to_string(i % 10));
      entry.set_kind(i == 0 ? "local" : i == 1 ? "learned" : "remote");
      entry.set_port(i == 0 ? "vm-1" : "");
      entry.set_vtep(i == 0 ? "" : long_names ? kLongAddress : "192.168.1.102");
      entry.set_age_seconds(i == 1 ? 65 : 0);
      if (!request->filter_vni() || request->vni() == entry.vni()) {
        *page.add_entries() = entry;
      }
      if (page.entries_size() == 1000 || i == 0) {
        writer->Write(page);
        page.Clear();
      }
    }
    return answer;
  }
  grpc::Status ListNeighbours(grpc::ServerContext*, const v1::ListNeighboursRequest* request,
                              grpc::ServerWriter<v1::NeighbourPage>* writer) override {
    v1::NeighbourPage page;
    v1::NeighbourEntry& entry = *page.add_entries();
    entry.set_vni(10001);
    entry.set_network(Named("blue"));
    entry.set_address(long_names ? kLongAddress : "10.0.1.11");
    entry.set_mac("aa:bb:cc:dd:ee:11");
    if (!request->filter_vni() || request->vni() == entry.vni()) {
      writer->Write(page);
    }
    return answer;
  }
  grpc::Status GetDrops(grpc::ServerContext*, const v1::GetDropsRequest*, v1::Drops* out) override {
    const std::uint64_t round = ++drop_rounds;
    AddVerdict(out->add_verdicts(), "port", "forwarded", 1000, false);
    AddVerdict(out->add_verdicts(), "underlay", "opt_crit", 12'345 * round, true);
    AddVerdict(out->add_verdicts(), "underlay", "vni", 0, true);
    return answer;
  }
  grpc::Status GetCounters(grpc::ServerContext*, const v1::GetCountersRequest*,
                           v1::Counters* out) override {
    AddVerdict(out->add_verdicts(), "port", "forwarded", 1000, false);
    v1::EventCount* event = out->add_events();
    event->set_event("arp_answered");
    event->set_text(Named("ARP requests answered"));
    event->set_count(5);
    out->add_events()->set_event("learned");
    v1::OptionCount* option = out->add_received_options();
    option->set_option_class(0x102);
    option->set_type(0x80);
    option->set_name(Named("ovn"));
    option->set_packets(9);
    return answer;
  }
  grpc::Status Reload(grpc::ServerContext*, const v1::ReloadRequest*,
                      v1::ReloadResponse* out) override {
    out->set_revision(4);
    out->set_added(2);
    out->set_reconcile_ms(3.2);
    return answer;
  }

  grpc::Status answer;
  v1::Status status;
  bool long_names = false;
  int fdb_entries = 4;
  std::atomic<std::uint64_t> drop_rounds = 0;

 private:
  static constexpr const char* kLongAddress = "2001:db8:1111:2222:3333:4444:5555:6666";

  [[nodiscard]] std::string Named(const std::string& name) const {
    return long_names ? name + " · the one: as long as names come, # and then some" : name;
  }
  void AddVerdict(v1::Verdict* verdict, const char* hook, const char* name, std::uint64_t packets,
                  bool drop) const {
    verdict->set_hook(hook);
    verdict->set_verdict(name);
    verdict->set_text(Named("what it means"));
    verdict->set_packets(packets);
    verdict->set_bytes(packets * 100);
    verdict->set_is_drop(drop);
  }
};

class AgentCommandsTest : public testing::Test {
 protected:
  AgentCommandsTest() {
    agent_.status.set_host("host-a");
    agent_.status.set_version("0.1.0");
    agent_.status.set_state(v1::AGENT_STATE_READY);
    agent_.status.set_underlay_device("eth0");
    agent_.status.set_underlay_mtu(1500);
    agent_.status.add_underlay_addresses("192.168.1.101");
    agent_.status.set_udp_port(6081);
    agent_.status.set_state_file("/etc/leman/state.yaml");
    agent_.status.set_revision(3);
    agent_.status.set_uptime_seconds(93'784);
    agent_.status.set_last_reconcile_ms(2.3);
    agent_.status.set_networks(1);
    agent_.status.set_ports(2);
    agent_.status.set_fdb_entries(1204);
    v1::MapUsage* map = agent_.status.add_maps();
    map->set_map("lm_fdb");
    map->set_entries(1204);
    map->set_max_entries(131'072);
    grpc::ServerBuilder builder;
    builder.AddListeningPort("unix:" + socket_, grpc::InsecureServerCredentials());
    builder.RegisterService(&agent_);
    server_ = builder.BuildAndStart();
  }
  ~AgentCommandsTest() override { server_->Shutdown(); }

  RunResult Leman(std::vector<std::string> arguments, RunSetup setup = {}) {
    arguments.insert(arguments.end(), {"--socket", socket_});
    return RunCommand(arguments, setup);
  }

  TempDir dir_;
  std::string socket_ = dir_.File("agent.sock");
  FakeAgent agent_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(AgentCommandsTest, StatusOfAHealthyHost) {
  const RunResult result = Leman({"status"});
  EXPECT_EQ(result.code, kExitOk) << result.err;
  EXPECT_EQ(result.out, R"(host-a: ready

  agent     0.1.0 · map ABI 0 · up 1d 2h · 0 B used
  underlay  eth0 · MTU 1500 · 192.168.1.101 · UDP port 6081
  state     /etc/leman/state.yaml · revision 3 · last reconcile 2ms: 0 added, 0 changed, 0 removed
  holds     1 network · 2 ports · 0 peers · 1,204 FDB entries
  fullest   lm_fdb 1,204 of 131,072 (<1%)
)");
  EXPECT_EQ(Leman({"status", "--check"}).code, kExitOk);
}

TEST_F(AgentCommandsTest, StatusTellsProblemsAndFailsOnlyWithCheck) {
  agent_.status.set_degraded(true);
  v1::Problem* problem = agent_.status.add_problems();
  problem->set_where("port vm-2");
  problem->set_what("device port-vm2 is not there; create it, the agent attaches by itself");
  const RunResult result = Leman({"status"}, {.width = 60});
  EXPECT_EQ(result.code, kExitOk);
  EXPECT_EQ(result.out.substr(0, result.out.find('\n')), "host-a: ready, degraded: 1 problem");
  EXPECT_NE(result.out.find("problem  port vm-2: device port-vm2 is not there; create it,\n"
                            "         the agent attaches by itself\n"),
            std::string::npos)
      << result.out;
  EXPECT_EQ(Leman({"status", "--check"}).code, kExitFailure);
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(DisplayWidth(line), 60) << line;
  }
}

TEST_F(AgentCommandsTest, StatusDuringTheStartNamesTheStep) {
  agent_.status.set_state(v1::AGENT_STATE_LINKS_LISTED);
  const RunResult result = Leman({"status", "--check"});
  EXPECT_EQ(result.code, kExitFailure);
  EXPECT_EQ(result.out.substr(0, result.out.find('\n')),
            "host-a: starting: links listed (step 3 of 6)");
}

TEST_F(AgentCommandsTest, StatusWarnsOfFullMaps) {
  agent_.status.mutable_maps(0)->set_entries(130'000);
  EXPECT_NE(Leman({"status"}).out.find("warning  map lm_fdb: 130,000 of 131,072 entries used"),
            std::string::npos);
}

TEST_F(AgentCommandsTest, PortsTable) {
  const RunResult result = Leman({"ports"});
  EXPECT_EQ(result.code, kExitOk) << result.err;
  EXPECT_EQ(
      result.out,
      "NAME  NETWORK    VNI  DEVICE    STATE      MAC                ADDRESSES  RX PKTS       "
      "RX  TX PKTS   TX  DROPS\n"
      "vm-1  blue     10001  port-vm1  active     aa:bb:cc:dd:ee:ff  10.0.1.10    1.23M  "
      "3.4 MiB        0  0 B      2\n"
      "vm-2  blue     10001  port-vm2  no device  aa:bb:cc:dd:ee:01  -                0      "
      "0 B        0  0 B      0\n");
}

constexpr const char* kAsking[] = {"status", "ports",      "networks", "peers",
                                   "fdb",    "neighbours", "drops",    "counters"};

TEST_F(AgentCommandsTest, EverythingFitsAnEightyColumnTerminal) {
  for (const bool long_names : {false, true}) {
    agent_.long_names = long_names;
    for (const char* command : kAsking) {
      const RunResult result = Leman({command}, {.width = 80});
      EXPECT_EQ(result.code, kExitOk) << command << result.err;
      std::istringstream lines(result.out);
      int count = 0;
      for (std::string line; std::getline(lines, line); ++count) {
        EXPECT_LE(DisplayWidth(line), 80) << line;
      }
      EXPECT_GE(count, 2) << command;  // with headers at least one row
    }
  }
}

TEST_F(AgentCommandsTest, EverythingIsOneDocumentOfJsonAndOfYaml) {
  agent_.long_names = true;
  for (const char* command : kAsking) {
    agent_.drop_rounds = 0;  // counts up with each answer
    const RunResult json = Leman({command, "-o", "json"});
    EXPECT_EQ(json.code, kExitOk) << command << json.err;
    EXPECT_EQ(json.err, "");
    ASSERT_TRUE(Tree::accept(json.out)) << command << "\n" << json.out;
    const Tree tree = Tree::parse(json.out);
    EXPECT_FALSE(tree.empty()) << command;
    agent_.drop_rounds = 0;
    const RunResult yaml = Leman({command, "--output", "yaml"});
    EXPECT_EQ(yaml.code, kExitOk) << command << yaml.err;
    EXPECT_EQ(YamlScalars(yaml.out), Scalars(tree)) << command << "\n" << yaml.out;
  }
}

TEST_F(AgentCommandsTest, JsonHasRawNumbersUnderTheNamesOfTheApi) {
  const RunResult result = Leman({"ports", "-o", "json"});
  ASSERT_EQ(result.code, kExitOk) << result.err;
  const Tree ports = Tree::parse(result.out);
  ASSERT_EQ(ports.size(), 2U);
  EXPECT_EQ(ports[0]["name"], "vm-1");
  EXPECT_EQ(ports[0]["port_security"], true);
  EXPECT_EQ(ports[0]["traffic"]["rx_bytes"], 3'565'158);
  EXPECT_EQ(ports[1]["ifindex"], 0);
}

TEST_F(AgentCommandsTest, YamlOfNetworks) {
  const RunResult result = Leman({"networks", "-o", "yaml"});
  EXPECT_TRUE(result.out.starts_with("- name: blue\n  vni: 10001\n  mtu: 1450\n")) << result.out;
}

TEST_F(AgentCommandsTest, NetworksAndPeers) {
  EXPECT_NE(Leman({"networks", "-o", "wide"}).out.find("OPTION BYTES"), std::string::npos);
  const RunResult peers = Leman({"peers", "--no-headers"});
  EXPECT_EQ(peers.out.substr(0, 13), "192.168.1.102") << peers.out;
}

TEST_F(AgentCommandsTest, FdbIsSortedAndFiltered) {
  EXPECT_EQ(Leman({"fdb"}).out,
            "NETWORK    VNI  MAC                KIND     WHERE            AGE\n"
            "blue     10001  02:00:00:00:00:00  local    vm-1               -\n"
            "blue     10001  02:00:00:00:00:02  remote   192.168.1.102      -\n"
            "red      10002  02:00:00:00:00:01  learned  192.168.1.102  1m 5s\n"
            "red      10002  02:00:00:00:00:03  remote   192.168.1.102      -\n");
  const std::string by_vni = Leman({"fdb", "--vni", "10002", "-o", "json"}).out;
  EXPECT_EQ(Tree::parse(by_vni).size(), 2U);
  EXPECT_EQ(Leman({"fdb", "--network", "red", "-o", "json"}).out, by_vni);
}

TEST_F(AgentCommandsTest, UnknownNetworkGetsASuggestion) {
  const RunResult result = Leman({"neighbours", "--network", "bleu"});
  EXPECT_EQ(result.code, kExitFailure);
  EXPECT_EQ(result.err, "leman: no network 'bleu' on this host (see: leman networks)\n");
  EXPECT_NE(Leman({"neighbours", "--network", "blu"}).err.find("did you mean 'blue'?"),
            std::string::npos);
}

TEST_F(AgentCommandsTest, LargeTablesArrive) {
  agent_.fdb_entries = 100'000;
  EXPECT_EQ(Tree::parse(Leman({"fdb", "-o", "json"}).out).size(), 100'000U);
}

TEST_F(AgentCommandsTest, Neighbours) {
  EXPECT_EQ(Leman({"neighbours"}).out,
            "NETWORK    VNI  ADDRESS    MAC\n"
            "blue     10001  10.0.1.11  aa:bb:cc:dd:ee:11\n");
  const RunResult none = Leman({"neighbours", "--vni", "5"});
  EXPECT_EQ(none.code, kExitOk);
  EXPECT_EQ(none.err, "no neighbours\n");
}

TEST_F(AgentCommandsTest, DropsShowWhatOccurredUnlessAll) {
  EXPECT_EQ(Leman({"drops"}).out,
            "HOOK      VERDICT   PACKETS    BYTES  MEANING\n"
            "underlay  opt_crit    12.3k  1.2 MiB  what it means\n");
  EXPECT_NE(Leman({"drops", "--all"}).out.find("underlay  vni"), std::string::npos);
  EXPECT_EQ(Leman({"drops", "--all"}).out.find("forwarded"), std::string::npos);
}

TEST_F(AgentCommandsTest, CountersShowThreeTables) {
  const std::string text = Leman({"counters"}).out;
  EXPECT_NE(text.find("forwarded"), std::string::npos) << text;
  EXPECT_NE(text.find("arp_answered      5  ARP requests answered"), std::string::npos) << text;
  EXPECT_NE(text.find("ovn              0x0102  0x80"), std::string::npos) << text;
  EXPECT_EQ(text.find("learned"), std::string::npos) << text;
  EXPECT_NE(Leman({"counters", "-a"}).out.find("learned"), std::string::npos);
}

TEST_F(AgentCommandsTest, WatchRepeatsWithRates) {
  const RunResult result = Leman({"drops", "--watch=0.02", "--rounds", "3"});
  EXPECT_EQ(result.code, kExitOk) << result.err;
  EXPECT_EQ(agent_.drop_rounds, 3U);
  EXPECT_NE(result.out.find("RATE"), std::string::npos);
  EXPECT_NE(result.out.find("/s  what it means"), std::string::npos) << result.out;
  EXPECT_EQ(result.out.find('\x1b'), std::string::npos);
}

TEST_F(AgentCommandsTest, WatchedJsonIsADocumentALine) {
  std::istringstream lines(Leman({"drops", "--watch", "0.02", "--rounds=2", "-o", "json"}).out);
  std::uint64_t packets = 0;
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const Tree tree = Tree::parse(line);
    EXPECT_GT(tree[0]["packets"].get<std::uint64_t>(), packets);
    packets = tree[0]["packets"].get<std::uint64_t>();
  }
  EXPECT_EQ(count, 2);
}

TEST_F(AgentCommandsTest, WatchOnATerminalRedraws) {
  const std::string text =
      Leman({"status", "--watch=0.01", "--rounds=2"}, {.width = 80, .terminal = true}).out;
  EXPECT_TRUE(text.starts_with("\x1b[2J\x1b[H")) << text;
  EXPECT_NE(text.find("Ctrl-C ends"), std::string::npos);
}

TEST_F(AgentCommandsTest, ReloadTellsWhatChanged) {
  EXPECT_EQ(Leman({"reload"}).out, "revision 4 in 3ms: 2 added, 0 changed, 0 removed\n");
  agent_.answer = {grpc::StatusCode::INVALID_ARGUMENT, "state.yaml:3: vni: too large"};
  const RunResult result = Leman({"reload"});
  EXPECT_EQ(result.code, kExitFailure);
  EXPECT_EQ(result.err,
            "leman: the state file is wrong and the running state stays:\n"
            "state.yaml:3: vni: too large\n");
}

TEST_F(AgentCommandsTest, OldAgentIsNamedAsSuch) {
  agent_.answer = {grpc::StatusCode::UNIMPLEMENTED, ""};
  const RunResult result = Leman({"counters"});
  EXPECT_EQ(result.code, kExitFailure);
  EXPECT_NE(result.err.find("older than this leman"), std::string::npos) << result.err;
}

TEST(NoAgentTest, SaysWhatToDo) {
  const TempDir dir;
  const std::string socket = dir.File("agent.sock");
  RunResult result = RunCommand({"status", "--socket", socket});
  EXPECT_EQ(result.code, kExitNoAgent);
  EXPECT_EQ(result.err, "leman: no agent answers on " + socket +
                            "; start one with: leman-agent --state FILE, or name its socket with "
                            "--socket\n");
  // A socket that nobody listens on any more.
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_GE(fd, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket.data(), socket.size());
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  close(fd);
  result = RunCommand({"ports", "--socket", socket});
  EXPECT_EQ(result.code, kExitNoAgent);
  EXPECT_NE(result.err.find("left from one that is gone"), std::string::npos) << result.err;
}

TEST(NoAgentTest, SocketComesFromTheEnvironment) {
  setenv("LEMAN_SOCKET", "/nonexistent/from-env.sock", 1);
  const RunResult result = RunCommand({"status"});
  unsetenv("LEMAN_SOCKET");
  EXPECT_NE(result.err.find("/nonexistent/from-env.sock"), std::string::npos) << result.err;
}

TEST(NoAgentTest, WhatIsNoSocketIsNamedAsSuch) {
  const std::string way_out =
      ": is no socket; an agent's is /run/leman/agent.sock unless it was started with another\n";
  EXPECT_EQ(RunCommand({"status", "--socket", "/etc/passwd"}).err,
            "leman: --socket '/etc/passwd'" + way_out);
  EXPECT_EQ(RunCommand({"status", "--socket", ""}).err, "leman: --socket ''" + way_out);
}

TEST(NoAgentTest, SocketPathTooLong) {
  const RunResult result = RunCommand({"status", "--socket", std::string(200, 'x')});
  EXPECT_EQ(result.code, kExitFailure);
  EXPECT_NE(result.err.find("at most 107 characters"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace leman::cli
