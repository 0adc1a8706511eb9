// Every packet of geneve/testdata through the program of the underlay. The verdict printed there is
// that of the reference endpoint; Expect() says where this datapath gives another one, and why.
#include <algorithm>
#include <set>

#include "datapath_test.h"
#include "vector_file.h"

namespace leman::packet_test {
namespace {

using geneve::testing::AllVectors;
using geneve::testing::TestVector;
using geneve::testing::VectorById;
using nlohmann::json;

struct Expectation {
  std::string verdict;
  const char* why = "";
};

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

Expectation Expect(const TestVector& vector) {
  static const std::set<std::string> kLaterFragments = {"F02"};
  if (kLaterFragments.contains(vector.id)) {
    return {"passed", "no port is visible: left to the host's reassembly, which never completes"};
  }
  if (vector.ip.has_value() && vector.ip->at(2) == "239.1.1.1") {
    return {"passed", "no multicast underlay: the group is no address of ours"};
  }
  if (vector.reason == "OPT_CAPACITY") {
    return {"forwarded", "all 252 bytes of options are always taken (CH-14)"};
  }
  if (vector.verdict == "NOT_GENEVE" || vector.verdict == "TENANT" || vector.verdict == "ICMP") {
    return {"passed"};
  }
  if (vector.id == "I05") {
    return {"udp6_zero_csum", "a sender that is no peer is not set to zero checksums either"};
  }
  if (vector.id == "D11") {
    return {"vni", "there is no management VNI"};
  }
  const bool control = vector.geneve.has_value() && vector.geneve->control;
  const bool ethernet = !vector.geneve.has_value() || vector.geneve->protocol == 0x6558;
  if (vector.verdict == "CTRL" || vector.id == "H11") {
    if (control) {
      return {"oam", "nobody takes control packets"};
    }
    return {"proto", "the management VNI with O = 0 carries IP, which no network here does"};
  }
  if (vector.verdict == "ACCEPT") {
    if (!ethernet) {
      return {"proto", "networks carry Ethernet only (RFC 8926 section 4.5)"};
    }
    return {"forwarded"};
  }
  if (vector.reason == "VNI" && !ethernet) {
    return {"proto", "the protocol is looked at first"};
  }
  return {Lower(vector.reason)};
}

// What decapsulation leaves. Frames under 34 bytes are padded: the kernel takes headers off only
// down to the outer protocol's minimum, and Ethernet may be padded anywhere.
Bytes Delivered(const TestVector& rejected) {
  // O21 has the bytes of O04, for an endpoint that takes fewer options.
  const TestVector& vector = rejected.id == "O21" ? VectorById("O04") : rejected;
  constexpr std::size_t kSmallest = 34;
  Bytes inner(vector.frame.begin() + vector.inner->first,
              vector.frame.begin() + vector.inner->first + vector.inner->second);
  for (const geneve::InnerPatch& patch : vector.patches) {
    inner.at(patch.index) = patch.value;
  }
  inner.resize(std::max(inner.size(), kSmallest));
  return inner;
}

json Config(const TestVector& vector) {
  json config;
  config["zero6"] = vector.zero6;
  config["known"] = json::array();
  for (const auto& [key, lengths] : vector.known) {
    // The model knows one length or any.
    json bytes = lengths.size() == 1 ? json(lengths.front()) : json(nullptr);
    config["known"].push_back({key.option_class, key.type, bytes});
  }
  config["vnis"] = json::array();
  for (const geneve::VniService& extra : vector.extra_vnis) {
    if (extra.service == geneve::Service::kL2) {
      config["vnis"].push_back(extra.vni.value());
    }
  }
  if (vector.inner.has_value() && vector.inner->second >= 6) {
    const std::uint8_t* mac = vector.frame.data() + vector.inner->first;
    if ((mac[0] & 1U) == 0) {
      MacAddress::Bytes bytes{};
      std::copy_n(mac, bytes.size(), bytes.begin());
      config["fdb"][MacAddress(bytes).ToString()] = "port-a";
    }
  }
  return config;
}

bool IsGroup(const Bytes& frame) { return (frame.at(0) & 1U) != 0; }

bool IsTagged(const TestVector& vector) {
  return vector.frame.at(12) == 0x81 && vector.frame.at(13) == 0x00;
}

class Vectors : public DatapathTest, public testing::WithParamInterface<TestVector> {};

// bpf_prog_test_run leaves the outer VLAN tag in the frame, where the kernel never does: those go
// over the wire.
std::vector<TestVector> Untagged() {
  std::vector<TestVector> all = AllVectors();
  std::erase_if(all, IsTagged);
  return all;
}

// K-01, G-6-05, O-2.1-04, B-X-01: exactly one counter for each, control packets and BFD among them.
TEST_P(Vectors, GetTheVerdictOfTheirLine) {
  const TestVector& vector = GetParam();
  const Expectation wanted = Expect(vector);
  SCOPED_TRACE(vector.title + " " + wanted.why);
  ASSERT_NO_FATAL_FAILURE(Configure(Config(vector)));
  const FrameSocket& far_a = Listen("far-a");

  const Counters before = Count();
  const RunResult result = RunHook(Hook::kUnderlay, "underlay", vector.frame);
  Counters moved = Difference(before, Count());

  // Exactly one verdict, with the packet's bytes; a drop moves nothing else but events and the
  // options received.
  const std::string verdict = "verdict underlay." + wanted.verdict;
  EXPECT_EQ(moved[verdict + " packets"], 1U);
  EXPECT_EQ(moved[verdict + " bytes"], vector.frame.size());
  const bool delivered = wanted.verdict == "forwarded";
  for (const auto& [name, count] : moved) {
    if (name.starts_with("verdict ")) {
      EXPECT_TRUE(name.starts_with(verdict + " ")) << name << " +" << count;
    } else if (!delivered) {
      EXPECT_TRUE(name.starts_with("event ") || name.starts_with("option ")) << name;
    }
  }
  if (!delivered) {
    EXPECT_EQ(result.action, wanted.verdict == "passed" ? kActionOk : kActionShot);
    EXPECT_TRUE(far_a.Drain().empty());
    if (wanted.verdict == "passed") {
      EXPECT_TRUE(result.frame == vector.frame) << "touched though not ours";
    }
    return;
  }
  const Bytes inner = Delivered(vector);
  if (IsGroup(inner)) {
    EXPECT_EQ(result.action, kActionShot);  // the copies went out by themselves
    const auto copy = far_a.Receive(std::chrono::seconds(2));
    ASSERT_TRUE(copy.has_value());
    EXPECT_TRUE(copy->bytes == inner) << DescribeDifference(copy->bytes, inner);
    EXPECT_EQ(moved["event flood_copies"], 2U);
  } else {
    EXPECT_EQ(result.action, kActionRedirect);
    EXPECT_TRUE(result.frame == inner) << DescribeDifference(result.frame, inner);
  }
  EXPECT_EQ(moved["port-a rx packets"], 1U);
  EXPECT_EQ(moved["port-a rx bytes"], inner.size());
}

INSTANTIATE_TEST_SUITE_P(All, Vectors, testing::ValuesIn(Untagged()),
                         [](const auto& one) { return one.param.id; });

class VectorSequences : public DatapathTest {
 protected:
  static std::string VerdictOf(const Bytes& frame) {
    const Counters before = Count();
    const bool v6 = frame.size() > 13 && frame[12] == 0x86;
    if (frame.size() >= (v6 ? 54U : 34U)) {
      (void)RunHook(Hook::kUnderlay, "underlay", frame);
      return VerdictIn(Difference(before, Count()));
    }
    // bpf_prog_test_run wants a whole IP header; the wire does not.
    SendInto("underlay", frame);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    std::string verdict;
    while (verdict.empty() && std::chrono::steady_clock::now() < deadline) {
      verdict = VerdictIn(Difference(before, Count()));
    }
    return verdict;
  }

 private:
  static std::string VerdictIn(const Counters& moved) {
    const std::string prefix = "verdict underlay.";
    const std::string suffix = " packets";
    std::string found;
    for (const auto& [name, count] : moved) {
      if (name.starts_with(prefix) && name.ends_with(suffix)) {
        found += name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
      }
    }
    return found;
  }
};

// K-15: no verdict leaks from one packet to the next.
TEST_F(VectorSequences, EachPacketGetsTheVerdictItHasAlone) {
  Configure({{"vnis", {16777215}}});
  const std::vector<std::vector<const char*>> sequences = {
      {"O01", "O08", "O01"}, {"O08", "O01", "B02"},        {"O01", "O17", "O01"},
      {"O17", "O01"},        {"B02", "H01", "B02", "H05"}, {"U01", "B02", "U03", "B02"},
      {"I01", "I03", "I01"}, {"N02", "N01", "N02", "B02"}, {"H10", "B02"},
      {"F01", "B02", "F02"}, {"B02", "B04", "B02"}};
  for (const auto& sequence : sequences) {
    for (const char* id : sequence) {
      EXPECT_EQ(VerdictOf(VectorById(id).frame), Expect(VectorById(id)).verdict) << id;
    }
  }
}

// G-3.1-01
TEST_F(VectorSequences, OuterVlanTagIsNoObstacle) {
  Configure();
  int tagged = 0;
  for (const TestVector& vector : AllVectors()) {
    if (!IsTagged(vector)) {
      continue;
    }
    ++tagged;
    const FrameSocket& far_a = Listen("far-a");
    SendInto("underlay", vector.frame);
    const auto got = far_a.Receive(std::chrono::seconds(2));
    ASSERT_TRUE(got.has_value()) << vector.id;
    EXPECT_TRUE(got->bytes == Delivered(vector))
        << DescribeDifference(got->bytes, Delivered(vector));
  }
  EXPECT_GE(tagged, 1);
}

constexpr std::array kCutVectors = {"B02", "B16", "O05", "O06", "O03",
                                    "N07", "I01", "I08", "I10", "B09"};

// G-3.3-19: a packet cut anywhere is never delivered, the outer lengths say that bytes are missing.
TEST_F(VectorSequences, NothingCutIsDelivered) {
  for (const char* id : kCutVectors) {
    const TestVector& vector = VectorById(id);
    ASSERT_NO_FATAL_FAILURE(Configure(Config(vector)));
    const std::size_t end = vector.inner->first + vector.inner->second;
    for (std::size_t bytes = 14; bytes < end; ++bytes) {
      const Bytes cut(vector.frame.begin(),
                      vector.frame.begin() + static_cast<std::ptrdiff_t>(bytes));
      const std::string verdict = VerdictOf(cut);
      EXPECT_TRUE(verdict == "passed" || verdict == "outer_len")
          << id << " cut to " << bytes << ": " << verdict;
    }
  }
}

// The packet cut to `bytes` with outer lengths that fit, IPv4 header checksum made new and UDP
// checksum zero.
Bytes CutAndMended(const TestVector& vector, std::size_t bytes) {
  Bytes frame(vector.frame.begin(), vector.frame.begin() + static_cast<std::ptrdiff_t>(bytes));
  const bool v6 = frame[12] == 0x86;
  const std::size_t udp = vector.geneve->offset - 8;
  const auto store = [&frame](std::size_t at, std::size_t value) {
    frame[at] = static_cast<std::uint8_t>(value >> 8U);
    frame[at + 1] = static_cast<std::uint8_t>(value);
  };
  store(udp + 4, bytes - udp);
  store(udp + 6, 0);
  if (v6) {
    store(18, bytes - 54);
    return frame;
  }
  store(16, bytes - 14);
  store(24, 0);
  std::uint32_t sum = 0;
  for (std::size_t i = 14; i < udp; i += 2) {
    sum += static_cast<std::uint32_t>((frame[i] << 8U) | frame[i + 1]);
  }
  sum = (sum & 0xffffU) + (sum >> 16U);
  store(24, ~((sum & 0xffffU) + (sum >> 16U)) & 0xffffU);
  return frame;
}

// With the lengths made to fit, the cut reaches every check behind them; the codec, another
// implementation of the same rules, must agree byte by byte. K-01, G-3.4-07, G-3.4-08, G-3.5-12,
// G-3.1-07
TEST_F(VectorSequences, CutsThatFitGetTheVerdictOfTheCodec) {
  for (const char* id : kCutVectors) {
    const TestVector& vector = VectorById(id);
    json config = Config(vector);
    config["zero6"] = true;
    ASSERT_NO_FATAL_FAILURE(Configure(config));
    geneve::testing::Endpoint endpoint(vector);
    endpoint.profile().udp6_zero_checksum = true;
    const std::size_t end = vector.inner->first + vector.inner->second;
    for (std::size_t bytes = vector.geneve->offset; bytes <= end; ++bytes) {
      const Bytes frame = CutAndMended(vector, bytes);
      const geneve::Dissection seen = geneve::Dissect(frame, endpoint.profile());
      const std::string wanted = seen.verdict == geneve::Verdict::kAccept
                                     ? "forwarded"
                                     : Lower(std::string(geneve::ReasonName(seen.reason)));
      EXPECT_EQ(VerdictOf(frame), wanted) << id << " cut to " << bytes;
    }
  }
}

}  // namespace
}  // namespace leman::packet_test
