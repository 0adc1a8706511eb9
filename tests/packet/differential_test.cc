// Two implementations of the same rules, the program of the underlay and libgeneve's Dissect(), on
// packets that nobody would send: every single bit of valid packets flipped, and random damage with
// lengths and checksums mended, so that it reaches the checks behind them. Both must say the same.
//
// LEMAN_FUZZ_CASES (default 50,000) random packets from LEMAN_FUZZ_SEED (default 1); a nightly run
// takes a million and another seed each night.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <set>

#include "datapath_test.h"
#include "leman/abi.h"
#include "vector_file.h"

namespace leman::packet_test {
namespace {

using geneve::testing::AllVectors;
using geneve::testing::TestVector;

constexpr std::uint32_t kVni = 10001;
constexpr std::size_t kEthernet = 14;
constexpr std::size_t kSmallest = 54;  // bpf_prog_test_run wants a whole IP header

const std::vector<std::string>& VerdictNames() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list(LM_VERDICT_SLOTS);
#define LM_NAME(name, number, text) list.at(number) = #name;
    LM_VERDICTS(LM_NAME)
#undef LM_NAME
    return list;
  }();
  return names;
}

// The endpoint that Configure() makes, for libgeneve.
class Reference {
 public:
  Reference() {
    using geneve::PacketAddress;
    local_ = {PacketAddress::V4(192, 168, 1, 102), V6(0x102)};
    peers_ = {PacketAddress::V4(192, 168, 1, 101), V6(0x101)};
    vnis_ = {{*geneve::Vni::From(kVni), geneve::Service::kL2}};
    for (const auto& [type, bytes] : kKnown) {
      EXPECT_TRUE(known_.Add({0xff00, type}, *geneve::LengthSet::Of({bytes})).ok());
    }
    profile_.local = local_;
    profile_.peers = peers_;
    profile_.vnis = vnis_;
    profile_.udp6_zero_checksum = true;
    profile_.options.known = &known_;
  }
  [[nodiscard]] geneve::Dissection Dissect(const Bytes& frame) const {
    geneve::EndpointProfile profile = profile_;
    const geneve::Dissection first = geneve::Dissect(frame, profile);
    // Zero checksums over IPv6 are accepted sender by sender (RFC 6936 section 4).
    profile.udp6_zero_checksum =
        std::find(peers_.begin(), peers_.end(), first.ip.source) != peers_.end();
    return geneve::Dissect(frame, profile);
  }
  static nlohmann::json Wish() {
    nlohmann::json wish = {{"zero6", true}, {"known", nlohmann::json::array()}};
    for (const auto& [type, bytes] : kKnown) {
      wish["known"].push_back({0xff00, type, bytes});
    }
    return wish;
  }

 private:
  static constexpr std::array<std::pair<std::uint8_t, std::size_t>, 3> kKnown{
      {{0x01, 4}, {0x02, 8}, {0x81, 4}}};

  static geneve::PacketAddress V6(std::uint16_t last) {
    std::array<std::uint8_t, 16> octets{0x20, 0x01, 0x0d, 0xb8};
    octets[14] = static_cast<std::uint8_t>(last >> 8U);
    octets[15] = static_cast<std::uint8_t>(last);
    return geneve::PacketAddress::FromBytes(octets);
  }

  std::vector<geneve::PacketAddress> local_;
  std::vector<geneve::PacketAddress> peers_;
  std::vector<geneve::VniService> vnis_;
  geneve::OptionSet known_;
  geneve::EndpointProfile profile_;
};

void Store16(Bytes* frame, std::size_t at, std::size_t value) {
  frame->at(at) = static_cast<std::uint8_t>(value >> 8U);
  frame->at(at + 1) = static_cast<std::uint8_t>(value);
}

std::uint16_t Folded(const Bytes& frame, std::size_t from, std::size_t end, std::uint64_t sum) {
  for (std::size_t i = from; i < end; ++i) {
    sum += (i - from) % 2 == 0 ? static_cast<std::uint64_t>(frame.at(i)) << 8U : frame.at(i);
  }
  while ((sum >> 16U) != 0) {
    sum = (sum & 0xffffU) + (sum >> 16U);
  }
  return static_cast<std::uint16_t>(sum);
}

// Outer lengths as the frame's, IPv4 header checksum right, UDP checksum right or zero.
void Mend(Bytes* frame, bool checksum) {
  const bool v6 = frame->at(12) == 0x86;
  const std::size_t udp = v6 ? kEthernet + 40 : kEthernet + 20;
  if (frame->size() < udp + 8) {
    return;
  }
  const std::size_t udp_bytes = frame->size() - udp;
  Store16(frame, udp + 4, udp_bytes);
  Store16(frame, udp + 6, 0);
  if (v6) {
    Store16(frame, 18, udp_bytes);
  } else {
    Store16(frame, 16, frame->size() - kEthernet);
    Store16(frame, 24, 0);
    Store16(frame, 24, static_cast<std::uint16_t>(~Folded(*frame, kEthernet, udp, 0)));
  }
  if (checksum) {
    const std::uint64_t pseudo = udp_bytes + 17U;
    const std::uint16_t addresses = v6 ? Folded(*frame, 22, 54, 0) : Folded(*frame, 26, 34, 0);
    const auto sum =
        static_cast<std::uint16_t>(~Folded(*frame, udp, frame->size(), pseudo + addresses));
    Store16(frame, udp + 6, sum == 0 ? 0xffffU : sum);
  }
}

class Differential : public DatapathTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(Configure(Reference::Wish()));
    verdicts_ = Fd(bpf_obj_get(PinPath(pin_root(), "lm_verdicts").c_str()));
    ASSERT_TRUE(verdicts_.valid());
    values_.resize(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    before_ = Read();
  }

  // Packets without outer tags and outer IP options, which Mend() can put right.
  static std::vector<const TestVector*> Seeds() {
    std::vector<const TestVector*> seeds;
    for (const TestVector& vector : AllVectors()) {
      const bool untagged = vector.frame.at(12) == 0x08 || vector.frame.at(12) == 0x86;
      if (vector.verdict == "ACCEPT" && untagged && vector.geneve.has_value() &&
          vector.geneve->protocol == 0x6558 && vector.frame.size() >= kSmallest) {
        seeds.push_back(&vector);
      }
    }
    return seeds;
  }

  // Runs the packet; fails if the two do not agree. Returns what both say.
  std::string Compare(const Bytes& frame, const std::string& what) {
    if (frame.size() < kSmallest || IsTagged(frame)) {
      return "";  // see VectorSequences, which sends those over a wire
    }
    (void)RunHook(Hook::kUnderlay, "underlay", frame);
    const auto after = Read();
    std::string seen;
    std::uint64_t counted = 0;
    for (std::size_t i = 0; i < after.size(); ++i) {
      if (after[i] != before_[i]) {
        seen += VerdictNames().at(i);
        counted += after[i] - before_[i];
      }
    }
    before_ = after;
    const geneve::Dissection wanted = reference_.Dissect(frame);
    EXPECT_EQ(counted, 1U) << what << ": one packet, one verdict; " << seen;
    EXPECT_TRUE(Agrees(wanted, seen))
        << what << ": the program says " << seen << ", libgeneve says "
        << geneve::VerdictName(wanted.verdict) << " "
        << (wanted.verdict == geneve::Verdict::kDrop ? geneve::ReasonName(wanted.reason) : "")
        << " @" << wanted.offset << "\n"
        << ToHex(frame);
    ++seen_[seen];
    return seen;
  }

  // How often each verdict came: what the cases reached.
  [[nodiscard]] const std::map<std::string, std::uint64_t>& seen() const { return seen_; }

 private:
  static bool IsTagged(const Bytes& frame) {
    const unsigned type = (static_cast<unsigned>(frame.at(12)) << 8U) | frame.at(13);
    return type == 0x8100 || type == 0x88a8;
  }

  // Of a header that is sound in itself, but not for us.
  static std::string FirstOfTheLate(const geneve::HeaderView& header) {
    if (header.control()) {
      return "OAM";
    }
    if (header.protocol() != geneve::kProtocolEthernet) {
      return "PROTO";
    }
    return header.vni() == geneve::Vni::From(kVni) ? "PEER" : "VNI";
  }

  // What follows a sound GENEVE packet is the network's affair, of which libgeneve knows nothing.
  static bool Agrees(const geneve::Dissection& wanted, const std::string& seen) {
    static const std::set<std::string> kAfterwards = {"FORWARDED", "FDB_MISS",    "NOT_LOCAL",
                                                      "SRC_MAC",   "NO_RECEIVER", "VLAN_DEPTH"};
    switch (wanted.verdict) {
      case geneve::Verdict::kAccept:
        return kAfterwards.contains(seen);
      case geneve::Verdict::kControl:
        return seen == "OAM";
      case geneve::Verdict::kNotGeneve:
        return seen == "PASSED";
      case geneve::Verdict::kDrop:
        break;
    }
    switch (wanted.reason) {
      case geneve::Reason::kPeer:
      case geneve::Reason::kVni:
      case geneve::Reason::kProto:
        // Several of these may be wrong at once, and each side has its own order.
        return seen == FirstOfTheLate(*wanted.geneve);
      case geneve::Reason::kEcn:
        return seen == "ECN" || seen == "SRC_MAC";  // the frame's own faults come before
      default:
        break;
    }
    if (seen == geneve::ReasonName(wanted.reason)) {
      return true;
    }
    // libgeneve tells an outer fault before it looks for the port; the program leaves to the stack
    // what does not show that it is ours.
    const bool ours = wanted.udp.present && wanted.udp.destination_port == geneve::kUdpPort;
    return seen == "PASSED" && !ours;
  }

  [[nodiscard]] std::vector<std::uint64_t> Read() {
    std::vector<std::uint64_t> packets(VerdictNames().size());
    for (std::uint32_t i = 0; i < packets.size() && !VerdictNames().at(i).empty(); ++i) {
      const std::uint32_t key = LM_HOOK_UNDERLAY * LM_VERDICT_SLOTS + i;
      EXPECT_EQ(bpf_map_lookup_elem(verdicts_.get(), &key, values_.data()), 0);
      for (const lm_count& value : values_) {
        packets[i] += value.packets;
      }
    }
    return packets;
  }

  Reference reference_;
  Fd verdicts_;
  std::vector<lm_count> values_;
  std::vector<std::uint64_t> before_;
  std::map<std::string, std::uint64_t> seen_;
};

// G-3.4-02, G-3.4-07, G-3.4-20, G-3.4-21, G-3.4-31, G-3.4-32, G-3.5-03, G-3.5-09, G-3.5-12
TEST_F(Differential, EverySingleBitOfValidPackets) {
  constexpr std::size_t kPackets = 30;
  const auto seeds = Seeds();
  ASSERT_GE(seeds.size(), kPackets);
  for (std::size_t s = 0; s < kPackets && !HasFailure(); ++s) {
    const TestVector& vector = *seeds[s * seeds.size() / kPackets];
    for (std::size_t bit = 0; bit < vector.frame.size() * 8; ++bit) {
      Bytes frame = vector.frame;
      frame[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      Compare(frame, vector.id + " bit " + std::to_string(bit));
      if (bit / 8 >= kEthernet) {
        Mend(&frame, bit % 2 == 0);
        Compare(frame, vector.id + " bit " + std::to_string(bit) + ", mended");
      }
    }
  }
}

class Damage {
 public:
  explicit Damage(std::uint64_t seed) : random_(seed) {}

  Bytes Make(const std::vector<const TestVector*>& seeds) {
    const TestVector& vector = *seeds[Below(seeds.size())];
    Bytes frame = vector.frame;
    const std::size_t geneve = vector.geneve->offset;
    for (std::size_t i = 0, times = 1 + Below(3); i < times; ++i) {
      Once(geneve, &frame);
    }
    if (frame.size() >= kSmallest && Below(8) != 0) {
      Mend(&frame, Below(2) == 0);
    }
    return frame;
  }

 private:
  std::size_t Below(std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_);
  }
  std::uint8_t Byte() {
    static constexpr std::array<std::uint8_t, 8> kSpecial{0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff};
    return Below(2) == 0 ? kSpecial.at(Below(kSpecial.size()))
                         : static_cast<std::uint8_t>(Below(256));
  }

  void Once(std::size_t geneve, Bytes* frame) {
    if (frame->size() <= geneve + 8) {
      return;
    }
    switch (Below(7)) {
      case 0:  // anywhere behind the MACs
        frame->at(kEthernet + Below(frame->size() - kEthernet)) = Byte();
        break;
      case 1:  // the GENEVE header
        frame->at(geneve + Below(8)) = Byte();
        break;
      case 2:  // behind it: options or the inner headers
        frame->at(geneve + 8 + Below(std::min<std::size_t>(frame->size() - geneve - 8, 80))) =
            Byte();
        break;
      case 3:  // the outer ECN field, or all of TOS, or of Traffic Class
        frame->at(15) =
            static_cast<std::uint8_t>(frame->at(12) == 0x86 ? Byte() & 0xf0U : Byte() & 0x03U);
        break;
      case 4:  // cut
        frame->resize(geneve + Below(frame->size() - geneve));
        break;
      case 5:  // one option more, of any kind and any length, counted or not
        AddOption(geneve, frame);
        break;
      default:  // bytes behind the end
        frame->resize(frame->size() + Below(64), Byte());
        break;
    }
  }

  void AddOption(std::size_t geneve, Bytes* frame) {
    const std::size_t words = Below(4) == 0 ? Below(32) : Below(3);
    Bytes option = {0xff, static_cast<std::uint8_t>(Below(2)), Byte(),
                    static_cast<std::uint8_t>(words | (Below(8) << 5U))};
    if (Below(2) == 0) {
      option[2] = std::array<std::uint8_t, 4>{0x01, 0x02, 0x81, 0x82}.at(Below(4));
    }
    option.resize(4 + words * 4, Byte());
    frame->insert(frame->begin() + static_cast<std::ptrdiff_t>(geneve + 8), option.begin(),
                  option.end());
    std::uint8_t& first = frame->at(geneve);
    if (Below(5) != 0) {
      first = static_cast<std::uint8_t>((first & 0xc0U) | ((first + words + 1) & 0x3fU));
    }
  }

  std::mt19937_64 random_;
};

std::uint64_t FromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST_F(Differential, RandomDamage) {
  const std::uint64_t cases = FromEnvironment("LEMAN_FUZZ_CASES", 50'000);
  const std::uint64_t seed = FromEnvironment("LEMAN_FUZZ_SEED", 1);
  const auto seeds = Seeds();
  Damage damage(seed);
  for (std::uint64_t i = 0; i < cases && !HasFailure(); ++i) {
    Compare(damage.Make(seeds), "seed " + std::to_string(seed) + " case " + std::to_string(i));
  }
  std::string table;
  for (const auto& [verdict, count] : seen()) {
    table += " " + verdict + " " + std::to_string(count);
  }
  std::printf("verdicts reached:%s\n", table.c_str());
  // Damage that never gets past the first checks would prove nothing.
  for (const char* verdict :
       {"FORWARDED", "PASSED", "UDP_CSUM", "SHORT_HDR", "VERSION", "OPT_TRUNC", "OPT_LEN",
        "OPT_KNOWN_LEN", "OPT_CRIT", "PEER", "VNI", "OAM", "PROTO", "INNER_SHORT", "ECN"}) {
    EXPECT_TRUE(seen().contains(verdict)) << verdict << " was never reached";
  }
}

}  // namespace
}  // namespace leman::packet_test
