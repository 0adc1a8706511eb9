// What the Dataplane does where it cannot do all: maps that are full, devices that went,
// attachments that no map tells of.
#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <functional>

#include "leman/abi.h"
#include "reconcile.h"

namespace leman::packet_test {
namespace {

using nlohmann::json;

// The blue network of a program, as a copy that may be changed.
model::NetworkProgram& Blue(model::HostProgram& program) {
  auto copy = std::make_shared<model::NetworkProgram>(*program.networks.at(MakeVni(10001)));
  program.networks.at(copy->vni) = copy;
  return *copy;
}

struct Limit {
  const char* name;
  std::function<void(DataplaneOptions&)> set;
  std::function<void(model::HostProgram&)> exceed;
  std::vector<std::string> full;  // "where: map … (N entries)" of each map that overflows
  const char* way_out;
  // See the test: a MAC, the network with its two ports and VTEPs; where those grow, the flood
  // list.
  std::uint64_t changed = 6;
};

std::ostream& operator<<(std::ostream& out, const Limit& limit) { return out << limit.name; }

class ReconcileLimits : public Reconcile, public testing::WithParamInterface<Limit> {};

// MakeProgram has 3 ports with 2 addresses each, 2 networks, 3 peers, 4 VTEPs, 5 MACs.
const std::vector<Limit> kLimits = {
    {"Ports",
     [](DataplaneOptions& options) { options.max_ports = 3; },
     [](model::HostProgram& program) {
       Blue(program).ports.push_back(
           {.ifindex = 1, .name = "lo", .device = "lo", .mac = {}, .addresses = {}});
     },
     {"ports: map lm_ports is full (3 entries)"},
     "--max-ports",
     7},
    {"PortAddresses",
     [](DataplaneOptions& options) { options.max_ports = 3; },
     [](model::HostProgram& program) {
       for (int i = 0; i < 60; ++i) {
         Blue(program).ports[0].addresses.push_back(Address("10.0.9." + std::to_string(i)));
       }
     },
     {"port addresses: map lm_port_addrs is full (48 entries)"},
     "--max-ports"},
    {"Networks",
     [](DataplaneOptions& options) { options.max_networks = 2; },
     [](model::HostProgram& program) {
       for (std::uint32_t vni = 30000; vni < 30005; ++vni) {
         model::NetworkProgram network;
         network.vni = MakeVni(vni);
         network.name = "more-" + std::to_string(vni);
         program.networks.emplace(network.vni, std::make_shared<model::NetworkProgram>(network));
       }
     },
     {"networks: map lm_networks is full (2 entries)",
      "flood lists: map lm_flood is full (2 entries)"},
     "--max-networks"},
    {"Peers",
     [](DataplaneOptions& options) { options.max_peers = 3; },
     [](model::HostProgram& program) {
       for (int i = 0; i < 5; ++i) {
         program.peers.push_back({.address = Address("192.168.2." + std::to_string(i))});
       }
     },
     {"peers: map lm_peers is full (3 entries)"},
     "--max-peers"},
    {"Macs",
     [](DataplaneOptions& options) { options.max_fdb = 5; },
     [](model::HostProgram& program) {
       model::NetworkProgram& blue = Blue(program);
       for (int i = 10; i < 20; ++i) {
         blue.fdb.push_back({.mac = Mac("02:00:00:00:09:" + std::to_string(i)),
                             .ifindex = 0,
                             .vtep = blue.vteps[0]});
       }
     },
     {"FDB: map lm_fdb is full (5 entries)"},
     "--max-fdb"},
    {"Neighbours",
     [](DataplaneOptions& options) { options.max_fdb = 5; },
     [](model::HostProgram& program) {
       for (int i = 0; i < 10; ++i) {
         Blue(program).neighbours.push_back(
             {.address = Address("10.0.9." + std::to_string(i)), .mac = Mac("02:00:00:00:00:0b")});
       }
     },
     {"neighbours: map lm_neigh is full (5 entries)"},
     "--max-fdb"},
    {"Vteps",
     [](DataplaneOptions& options) { options.max_fdb = 5; },
     [](model::HostProgram& program) {
       for (int i = 0; i < 10; ++i) {
         Blue(program).vteps.push_back({.address = Address("192.168.2." + std::to_string(i))});
       }
     },
     {"VTEPs: map lm_vteps is full (5 entries)"},
     "--max-fdb",
     7},
    {"KnownOptions",
     [](DataplaneOptions&) {},
     [](model::HostProgram& program) {
       for (unsigned kind = 0; kind < 4100; ++kind) {
         program.known_options.push_back({.option_class = static_cast<std::uint16_t>(kind >> 4U),
                                          .type = static_cast<std::uint8_t>(kind & 15U),
                                          .length_bytes = std::nullopt,
                                          .name = {}});
       }
     },
     {"options: map lm_known_opts is full (4096 entries)"},
     "take some out of the state file"},
};

TEST_P(ReconcileLimits, AFullMapIsOneProblemTheRestIsDoneAndItHeals) {
  const Limit& limit = GetParam();
  limit.set(options_);
  Start();
  ASSERT_TRUE(Apply().problems.empty()) << "it fits";
  model::HostProgram more = MakeProgram(lab_, json::object());
  limit.exceed(more);
  // Something of every other map changes too, and of an entry that the full one holds already.
  model::NetworkProgram& blue = Blue(more);
  blue.mtu = 1300;
  std::find_if(blue.fdb.begin(), blue.fdb.end(), [](const auto& entry) {
    return entry.mac == Mac("aa:bb:cc:dd:ee:ff");
  })->vtep = {.address = Address("2001:db8::101")};

  const ApplyReport full = ApplyProgram(more);
  ASSERT_EQ(full.problems.size(), limit.full.size());
  for (std::size_t i = 0; i < limit.full.size(); ++i) {
    const std::string said = full.problems[i].where + ": " + full.problems[i].what;
    EXPECT_EQ(said.rfind(limit.full[i], 0), 0U) << said;
    EXPECT_NE(said.find(limit.way_out), std::string::npos) << said;
  }
  EXPECT_EQ(full.changed, limit.changed);
  // It stays a problem as long as it is one, also for those who ask in between.
  const ApplyReport again = ApplyProgram(more);
  EXPECT_EQ(again.problems, full.problems);
  EXPECT_EQ(again.added + again.changed + again.removed, 0U);
  EXPECT_EQ(Audit().problems, full.problems);

  EXPECT_TRUE(Apply().problems.empty());
  ExpectReport(Audit(), 0, 0, 0, 0);
  ExpectReport(Apply(), 0, 0, 0, 0);
}

INSTANTIATE_TEST_SUITE_P(EveryMap, ReconcileLimits, testing::ValuesIn(kLimits),
                         [](const auto& limit) { return std::string(limit.param.name); });

TEST_F(Reconcile, SwappingOneForAnotherAtTheLimitIsNoProblemForLong) {
  options_.max_ports = 3;
  Start();
  Apply({{"ports", {"port-a"}}});
  lab_.Ip("link add late type veth peer name far-late\nlink set late up\n");
  model::HostProgram other = MakeProgram(lab_, {{"ports", {"port-a"}}});
  for (int i = 0; i < 2; ++i) {
    const std::uint32_t ifindex = lab_.Ifindex(i == 0 ? "late" : "far-late");
    Blue(other).ports.push_back(
        {.ifindex = ifindex, .name = "late", .device = "late", .mac = {}, .addresses = {}});
  }
  ASSERT_EQ(ApplyProgram(other).problems.size(), 1U) << "4 ports";
  other = MakeProgram(lab_, {{"ports", {"port-a", "port-b"}}});
  (void)ApplyProgram(other);  // a slot may come free too late
  EXPECT_TRUE(ApplyProgram(other).problems.empty());
}

// A device that is moved to another namespace loses its programs; it may come back with its number.
TEST_F(Reconcile, ADeviceThatIsBackWithItsNumberIsAttachedAnew) {
  Start();
  Apply();
  const auto away_and_back = [this](const std::string& device) {
    const std::uint32_t ifindex = lab_.Ifindex(device);
    (void)lab_.Run("ip netns add leman-away-" + std::to_string(getpid()));
    lab_.Ip("link set " + device + " netns leman-away-" + std::to_string(getpid()) + "\n");
    (void)lab_.Run("ip -n leman-away-" + std::to_string(getpid()) + " link set " + device +
                   " netns " + std::to_string(getpid()));
    lab_.Ip("link set " + device + " up\n");
    (void)lab_.Run("ip netns del leman-away-" + std::to_string(getpid()));
    ASSERT_EQ(lab_.Ifindex(device), ifindex);
    EXPECT_EQ(Filters(device), "");
    dataplane_->DeviceGone(ifindex);
  };
  for (const char* device : {"port-b", "underlay"}) {
    away_and_back(device);
    ExpectReport(Apply(), 0, 0, 0, 1);
    EXPECT_NE(Filters(device), "") << device;
  }
  ExpectReport(Apply(), 0, 0, 0, 0);
  ASSERT_TRUE(dataplane_->Detach().ok());
  EXPECT_FALSE(HasClsact("port-b"));
  EXPECT_FALSE(HasClsact("underlay"));
}

// As an agent leaves it that is killed after it wrote another underlay down and before it took its
// program off the old one, or whose pins somebody removed.
TEST_F(Reconcile, ProgramsThatNoMapTellsOfAreTakenOff) {
  Start();
  Apply();
  lab_.Ip("link add old type veth peer name far-old\n");
  (void)lab_.Run("tc qdisc add dev old clsact");
  (void)lab_.Run("tc filter add dev old ingress pref 490 handle 1 bpf direct-action pinned " +
                 PinPath(options_.pin_root, "underlay_rx"));
  ASSERT_NE(Filters("old"), "");
  Start();
  Apply();
  EXPECT_EQ(Filters("old"), "");
  EXPECT_TRUE(HasClsact("old")) << "not known to be ours";

  dataplane_.reset();
  RemovePins(options_.pin_root);
  const Status detached = DetachDataplane(options_.pin_root);
  ASSERT_TRUE(detached.ok()) << detached.error().message();
  for (const char* device : {"underlay", "port-a", "port-b", "port-c"}) {
    EXPECT_EQ(Filters(device), "") << device;
  }
}

// What is killed between writing down that it makes a qdisc and making it leaves no wrong note: the
// next one makes it.
TEST_F(Reconcile, TheNoteOfAQdiscComesBeforeTheQdisc) {
  Start();
  Apply();
  (void)lab_.Run("tc qdisc del dev port-a clsact");
  (void)lab_.Run("tc qdisc del dev underlay clsact");
  Start();
  Apply();
  ASSERT_TRUE(dataplane_->Detach().ok());
  EXPECT_FALSE(HasClsact("port-a"));
  EXPECT_FALSE(HasClsact("underlay"));
}

// Somebody else's qdisc that is gone and made anew by us is ours.
TEST_F(Reconcile, AQdiscThatAnAuditMadeIsOurs) {
  (void)lab_.Run("tc qdisc add dev port-a clsact");
  Start();
  Apply();
  (void)lab_.Run("tc qdisc del dev port-a clsact");
  EXPECT_EQ(Audit().attached, 1U);
  ASSERT_TRUE(dataplane_->Detach().ok());
  EXPECT_FALSE(HasClsact("port-a"));
}

TEST_F(Reconcile, AStartThatFailsLeavesWhatItFound) {
  DataplaneOptions huge = options_;
  huge.max_fdb = UINT32_MAX;  // more than the kernel gives to one map
  const auto failed = OpenDataplane(huge);
  ASSERT_FALSE(failed.ok());
  EXPECT_NE(failed.error().message().find("refused map lm_"), std::string::npos)
      << failed.error().message();
  EXPECT_NE(failed.error().message().find("a smaller --max-fdb may do"), std::string::npos)
      << failed.error().message();
  EXPECT_FALSE(std::filesystem::exists(options_.pin_root));

  Start();
  Apply();
  dataplane_.reset();
  ASSERT_FALSE(OpenDataplane(huge).ok());
  EXPECT_TRUE(std::filesystem::exists(PinPath(options_.pin_root, "lm_config")));
  EXPECT_NE(Filters("underlay"), "");
}

}  // namespace
}  // namespace leman::packet_test
