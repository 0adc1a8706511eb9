#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <thread>

#include "packet_case.h"
#include "tunnel_packet.h"

namespace leman::packet_test {
namespace {

using nlohmann::json;

using EncapTable = PacketCaseTest;
TEST_P(EncapTable, LeavesAsTheTableSays) { RunCase(GetParam().spec); }
INSTANTIATE_TEST_SUITE_P(Encap, EncapTable, testing::ValuesIn(LoadCases("encap")), CaseName);

// What becomes of the frame when `vary` has changed a copy of it.
class EncapEntropy : public PacketCaseTest {
 protected:
  static constexpr int kFlows = 4096;
  struct Spread {
    std::set<std::uint16_t> ports;
    std::set<std::uint32_t> labels;
  };

  static Spread SpreadOf(const std::string& name,
                         const std::function<void(int flow, Bytes* frame)>& vary) {
    const json& spec = CaseByName("encap", name);
    json config = spec.at("config");
    config["security"] = false;  // sources vary too
    Configure(config);
    const Bytes original = FromHex(spec.at("in").get<std::string>());
    Spread spread;
    for (int i = 0; i < kFlows; ++i) {
      Bytes frame = original;
      vary(i, &frame);
      const RunResult result = RunHook(Hook::kPort, "port-a", frame);
      EXPECT_TRUE(IsTunnelPacket(result.frame));
      spread.ports.insert(SourcePort(result.frame));
      spread.labels.insert(FlowLabel(result.frame));
    }
    return spread;
  }

  static std::function<void(int, Bytes*)> Number(std::size_t at) {
    return [at](int flow, Bytes* frame) {
      (*frame)[at] = static_cast<std::uint8_t>(flow >> 8U);
      (*frame)[at + 1] = static_cast<std::uint8_t>(flow);
    };
  }
};

// G-3.3-01, U-5.1.1-02, F-3-02, F-3-04: whatever else changes, a flow keeps its port and its label.
TEST_F(EncapEntropy, AFlowKeepsItsPort) {
  for (const char* name : {"ip4_tcp_in_ip4_none_zero", "ip4_tcp_in_ip6_none_zero",
                           "ip6_tcp_in_ip6_none_csum", "ethertype_88b5_in_ip4_none_zero"}) {
    const Spread spread = SpreadOf(name, [](int flow, Bytes* frame) {
      frame->back() = static_cast<std::uint8_t>(flow);  // payload
      frame->resize(frame->size() - static_cast<std::size_t>(flow % 8));
    });
    EXPECT_EQ(spread.ports.size(), 1U) << name;
    EXPECT_EQ(spread.labels.size(), 1U) << name;
  }
}

// G-3.3-02, G-3.3-05, U-5.1.1-01, U-5.1.1-03, F-3-01, F-3-03: flows that differ in one field are
// spread as by an ideal hash (about 3624 of 16384 ports).
TEST_F(EncapEntropy, FlowsAreSpread) {
  constexpr std::size_t kEnough = 3300;
  constexpr std::size_t kEnoughLabels = 3900;
  const std::vector<std::pair<const char*, std::size_t>> fields = {
      {"ip4_udp_in_ip4_none_zero", 28},  // source address
      {"ip4_udp_in_ip6_none_zero", 32},  // destination address
      {"ip4_udp_in_ip4_none_zero", 34},  // source port
      {"ip4_tcp_in_ip4_none_zero", 36},  // destination port
      {"ip6_tcp_in_ip6_none_zero", 36},  // source address
      {"ip6_tcp_in_ip6_none_zero", 52},  // destination address
      {"ip6_tcp_in_ip6_none_zero", 54},  // source port
      {"ip4_tcp_in_ip6_none_zero", 34},
      {"vlan_ip4_in_ip4_none_zero", 38},  // source port behind a tag
      {"qinq_ip4_in_ip6_none_zero", 42},
      {"ethertype_88b5_in_ip4_none_zero", 10},  // source MAC
      {"llc_802_3_in_ip6_none_zero", 10}};
  for (const auto& [name, at] : fields) {
    const Spread spread = SpreadOf(name, Number(at));
    EXPECT_GT(spread.ports.size(), kEnough) << name << " @" << at;
    EXPECT_GE(*spread.ports.begin(), 49152U);
    if (spread.labels.size() != 1) {
      EXPECT_GT(spread.labels.size(), kEnoughLabels) << name << " @" << at;
    }
    EXPECT_EQ(spread.labels.size() == 1, std::string(name).find("in_ip4") != std::string::npos);
  }
}

class EncapWhileChanging : public PacketCaseTest {};

// K-09: while the way to a VTEP changes again and again, each packet goes by the old one or the new
// one, whole: address, checksum and ECN together.
TEST_F(EncapWhileChanging, NoPacketMixesOldAndNew) {
  constexpr int kPackets = 5000;
  constexpr std::chrono::seconds kDeadline(10);
  constexpr std::size_t kTos = 15;
  constexpr std::size_t kLastOfAddress = 33;
  const auto program = [](const char* vtep, bool strict) {
    return MakeProgram(
        lab(),
        {{"fdb", {{"aa:bb:cc:dd:ee:ff", vtep}}}, {"checksum", strict}, {"ecn_compat", strict}});
  };
  const std::array programs = {program("192.168.1.101", true), program("192.168.1.50", false)};
  const Bytes frame =
      FromHex(CaseByName("encap", "ecn2_ip4_normal_in_ip4").at("in").get<std::string>());
  ApplyProgram(programs[0]);
  std::atomic<bool> done = false;
  std::thread changes([&programs, &done] {
    for (std::size_t i = 1; !done; ++i) {
      ApplyProgram(programs[i % 2]);
    }
  });
  std::map<std::vector<unsigned>, int> seen;  // address, checksum there, TOS → packets
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  for (int i = 0; i < kPackets || (seen.size() < 2 && std::chrono::steady_clock::now() < end);
       ++i) {
    const Bytes packet = RunHook(Hook::kPort, "port-a", frame).frame;
    ++seen[{packet.at(kLastOfAddress), UdpChecksumField(packet) != 0, packet.at(kTos)}];
  }
  done = true;
  changes.join();
  const std::set<std::vector<unsigned>> both = {{50, 0, 2}, {101, 1, 0}};
  for (const auto& [what, packets] : seen) {
    EXPECT_TRUE(both.contains(what))
        << what[0] << " " << what[1] << " " << what[2] << ": " << packets;
  }
  EXPECT_EQ(seen.size(), both.size());
}

}  // namespace
}  // namespace leman::packet_test
