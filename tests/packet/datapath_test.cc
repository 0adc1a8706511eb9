#include "datapath_test.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "leman/abi.h"

namespace leman::packet_test {
namespace {

struct Suite {
  std::unique_ptr<NetLab> lab;
  std::string pin_root;
  std::unique_ptr<Dataplane> dataplane;
  Fd port_program;
  Fd underlay_program;
  model::HostProgram program;
  std::map<std::string, FrameSocket> sockets;
};

std::unique_ptr<Suite> g_suite;

const std::string kBpffs = "/sys/fs/bpf/";
const std::string kPinPrefix = "leman-test-";

// Pins of tests that were killed. Their devices went with their namespaces.
void RemoveLeftovers() {
  namespace fs = std::filesystem;
  std::error_code error;
  for (fs::directory_iterator it(kBpffs, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename();
    if (!name.starts_with(kPinPrefix)) {
      continue;
    }
    const std::string pid =
        name.substr(kPinPrefix.size(), name.find('-', kPinPrefix.size()) - kPinPrefix.size());
    if (!fs::exists("/proc/" + pid)) {
      std::error_code ignored;  // another test may be at it too
      fs::remove_all(it->path(), ignored);
    }
  }
}

void AddTraffic(const std::string& name, const TrafficCount& traffic, Counters* counters) {
  (*counters)[name + " rx packets"] = traffic.rx.packets;
  (*counters)[name + " rx bytes"] = traffic.rx.bytes;
  (*counters)[name + " tx packets"] = traffic.tx.packets;
  (*counters)[name + " tx bytes"] = traffic.tx.bytes;
  (*counters)[name + " dropped"] = traffic.dropped_packets;
}

}  // namespace

std::string FreshPinRoot() {
  static int count = 0;
  if (count == 0) {
    RemoveLeftovers();
  }
  return kBpffs + kPinPrefix + std::to_string(getpid()) + "-" + std::to_string(++count);
}

std::string PinPath(const std::string& pin_root, const std::string& name) {
  return pin_root + "/v" + std::to_string(LM_ABI_VERSION) + "/" + name;
}

void RemovePins(const std::string& pin_root) {
  const Status removed = DetachDataplane(pin_root);
  EXPECT_TRUE(removed.ok()) << removed.error().message();
}

void DatapathTest::SetUpTestSuite() {
  g_suite = std::make_unique<Suite>();
  g_suite->lab = std::make_unique<NetLab>();
  g_suite->pin_root = FreshPinRoot();
  DataplaneOptions options;
  options.pin_root = g_suite->pin_root;
  options.max_ports = 64;
  options.max_networks = 256;
  options.max_peers = 256;
  auto opened = OpenDataplane(options);
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  g_suite->dataplane = std::move(opened).value();
  g_suite->port_program = Fd(bpf_obj_get(PinPath(g_suite->pin_root, "port_rx").c_str()));
  g_suite->underlay_program = Fd(bpf_obj_get(PinPath(g_suite->pin_root, "underlay_rx").c_str()));
  ASSERT_TRUE(g_suite->port_program.valid() && g_suite->underlay_program.valid());
  Configure();
}

void DatapathTest::TearDownTestSuite() {
  if (g_suite == nullptr) {
    return;
  }
  g_suite->dataplane.reset();
  RemovePins(g_suite->pin_root);
  g_suite.reset();
}

void DatapathTest::Configure(const nlohmann::json& wish) {
  ApplyProgram(MakeProgram(*g_suite->lab, wish));
}

void DatapathTest::ApplyProgram(const model::HostProgram& program) {
  const auto applied = g_suite->dataplane->Apply(program);
  ASSERT_TRUE(applied.ok()) << applied.error().message();
  for (const model::Problem& problem : applied.value().problems) {
    ADD_FAILURE() << problem.where << ": " << problem.what;
  }
  g_suite->program = program;
}

void DatapathTest::SetLearnLimit(std::uint32_t limit) {
  const Fd map(bpf_obj_get(PinPath(g_suite->pin_root, "lm_config").c_str()));
  ASSERT_TRUE(map.valid());
  const std::uint32_t zero = 0;
  lm_config config{};
  ASSERT_EQ(bpf_map_lookup_elem(map.get(), &zero, &config), 0);
  config.learn_limit = limit;
  ASSERT_EQ(bpf_map_update_elem(map.get(), &zero, &config, BPF_EXIST), 0);
}

RunResult DatapathTest::RunHook(Hook hook, const std::string& device, const Bytes& frame,
                                const RunOptions& options) {
  constexpr std::size_t kRoom = 1U << 17U;
  RunResult result;
  result.frame.resize(kRoom);
  __sk_buff context{};
  context.ifindex = g_suite->lab->Ifindex(device);
  context.mark = options.mark;
  context.gso_size = options.gso_size;
  context.gso_segs = options.gso_segs;
  bpf_test_run_opts run{};
  run.sz = sizeof(run);
  run.data_in = frame.data();
  run.data_size_in = static_cast<std::uint32_t>(frame.size());
  run.data_out = result.frame.data();
  run.data_size_out = static_cast<std::uint32_t>(result.frame.size());
  run.ctx_in = &context;
  run.ctx_size_in = sizeof(context);
  const Fd& program = hook == Hook::kPort ? g_suite->port_program : g_suite->underlay_program;
  const int err = bpf_prog_test_run_opts(program.get(), &run);
  if (err != 0) {
    throw std::runtime_error(std::string("bpf_prog_test_run: ") + std::strerror(-err));
  }
  result.action = static_cast<int>(run.retval);
  result.frame.resize(run.data_size_out);
  return result;
}

Counters DatapathTest::Count() {
  Counters counters;
  for (const VerdictCount& verdict : g_suite->dataplane->Verdicts()) {
    const std::string name = "verdict " + verdict.hook + "." + verdict.verdict;
    counters[name + " packets"] = verdict.count.packets;
    counters[name + " bytes"] = verdict.count.bytes;
  }
  for (const EventCount& event : g_suite->dataplane->Events()) {
    counters["event " + event.event] = event.count;
  }
  for (const OptionCount& option : g_suite->dataplane->ReceivedOptions()) {
    std::array<char, 32> name{};
    std::snprintf(name.data(), name.size(), "option %04x/%02x ", option.option_class, option.type);
    counters[std::string(name.data()) + "packets"] = option.count.packets;
    counters[std::string(name.data()) + "bytes"] = option.count.bytes;
  }
  for (const auto& [vni, network] : g_suite->program.networks) {
    AddTraffic("net:" + std::to_string(vni.value()), g_suite->dataplane->NetworkTraffic(vni),
               &counters);
    for (const model::LocalPort& port : network->ports) {
      AddTraffic(port.name, g_suite->dataplane->PortTraffic(port.ifindex), &counters);
    }
  }
  for (const model::VtepWay& peer : g_suite->program.peers) {
    AddTraffic("peer:" + peer.address.ToString(), g_suite->dataplane->PeerTraffic(peer.address),
               &counters);
  }
  return counters;
}

const FrameSocket& DatapathTest::Socket(const std::string& far_device) {
  auto found = g_suite->sockets.find(far_device);
  if (found == g_suite->sockets.end()) {
    found = g_suite->sockets.emplace(far_device, g_suite->lab->OpenGuest(far_device)).first;
  }
  return found->second;
}

const FrameSocket& DatapathTest::Listen(const std::string& far_device) {
  const FrameSocket& socket = Socket(far_device);
  (void)socket.Drain();
  return socket;
}

void DatapathTest::SendInto(const std::string& device, const Bytes& frame, const Offload& offload) {
  static const std::map<std::string, std::string> kFar = {
      {"port-a", "far-a"}, {"port-b", "far-b"}, {"port-c", "far-c"}, {"underlay", "far-underlay"}};
  Socket(kFar.at(device)).Send(frame, offload);
}

Counters DatapathTest::WaitFor(const Counters& before, const Counters& wanted) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  Counters moved = Difference(before, Count());
  while (moved != wanted && std::chrono::steady_clock::now() < deadline) {
    moved = Difference(before, Count());
  }
  return moved;
}

const NetLab& DatapathTest::lab() { return *g_suite->lab; }
Dataplane& DatapathTest::dataplane() { return *g_suite->dataplane; }
const std::string& DatapathTest::pin_root() { return g_suite->pin_root; }

Counters Difference(const Counters& before, const Counters& after) {
  Counters moved;
  for (const auto& [name, value] : after) {
    const auto old = before.find(name);
    const std::uint64_t base = old == before.end() ? 0 : old->second;
    if (value != base) {
      moved[name] = value - base;
    }
  }
  return moved;
}

std::string ToHex(const Bytes& bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) {
    std::array<char, 4> digits{};
    std::snprintf(digits.data(), digits.size(), "%02x", byte);
    text += digits.data();
  }
  return text;
}

std::string DescribeDifference(const Bytes& got, const Bytes& wanted) {
  std::string text = std::to_string(got.size()) + " bytes, wanted " +
                     std::to_string(wanted.size()) + "; differ at";
  constexpr int kShown = 24;
  int shown = 0;
  for (std::size_t i = 0; i < std::max(got.size(), wanted.size()) && shown < kShown; ++i) {
    if (i >= got.size() || i >= wanted.size() || got[i] != wanted[i]) {
      text += " [" + std::to_string(i) + "]";
      text += i < got.size() ? ToHex({got[i]}) : "--";
      text += "/";
      text += i < wanted.size() ? ToHex({wanted[i]}) : "--";
      ++shown;
    }
  }
  return text + "\n  got    " + ToHex(got) + "\n  wanted " + ToHex(wanted);
}

}  // namespace leman::packet_test
