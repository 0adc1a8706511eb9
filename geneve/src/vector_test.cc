// Every packet of testdata/ through the whole-packet decoder and the header codec. The expectations
// come from the files, never from this library.

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <string>
#include <vector>

#include "geneve/encode.h"
#include "geneve/packet.h"
#include "geneve/text.h"
#include "vector_file.h"

namespace geneve {
namespace {

using testing::AllVectors;
using testing::Endpoint;
using testing::TestVector;
using testing::VectorById;
using testing::VectorHeader;
using testing::VectorOption;

std::string AddressText(const PacketAddress& address) {
  char buffer[64];
  TextWriter out(buffer);
  out.Address(address.bytes());
  return std::string(out.view());
}

std::string HexText(unsigned value, int digits) {
  char buffer[16];
  TextWriter out(buffer);
  out.Hex(value, digits);
  return std::string(out.view());
}

std::vector<InnerPatch> Patches(const Dissection& d) {
  return {d.patches().begin(), d.patches().end()};
}

constexpr auto kName = [](const auto& param) { return param.param.id; };

class PacketVectors : public ::testing::TestWithParam<TestVector> {};

// K-01: the verdict is the one in the file. G-3.4-06, G-3.3-11: where the inner frame lies;
// G-4.4.2-01: how it is changed on delivery; G-3.4-23: IP in networks of IP (B11, B12);
// G-4.4.3-01: a group address outside (B18).
TEST_P(PacketVectors, HasItsVerdict) {
  const TestVector& vector = GetParam();
  const Endpoint endpoint(vector);
  const Dissection d = Dissect(vector.frame, endpoint.profile());
  // Path MTU messages are no UDP for us: the GENEVE decoder leaves them alone.
  const bool foreign = vector.verdict == "ICMP" || vector.verdict == "TENANT";
  EXPECT_EQ(VerdictName(d.verdict), foreign ? "NOT_GENEVE" : vector.verdict) << vector.title;
  if (vector.verdict == "DROP") {
    EXPECT_EQ(ReasonName(d.reason), vector.reason) << vector.title;
    EXPECT_LE(d.offset, vector.frame.size());
  }
  EXPECT_EQ(vector.inner.has_value(), vector.verdict == "ACCEPT");
  if (vector.inner) {
    EXPECT_EQ(d.inner_offset, vector.inner->first);
    EXPECT_EQ(d.inner_bytes, vector.inner->second);
    EXPECT_EQ(Patches(d), vector.patches);
  }
}

INSTANTIATE_TEST_SUITE_P(All, PacketVectors, ::testing::ValuesIn(AllVectors()), kName);

bool HasOuterFields(const TestVector& vector) {
  return vector.ip.has_value() && vector.verdict != "NOT_GENEVE";
}

class OuterVectors : public ::testing::TestWithParam<TestVector> {};

TEST_P(OuterVectors, HasItsOuterFields) {
  const TestVector& vector = GetParam();
  const Endpoint endpoint(vector);
  const Dissection d = Dissect(vector.frame, endpoint.profile());
  const std::vector<std::string>& ip = *vector.ip;
  EXPECT_EQ(std::to_string(d.ip.source.family), ip[0]);
  EXPECT_EQ(AddressText(d.ip.source), ip[1]);
  EXPECT_EQ(AddressText(d.ip.destination), ip[2]);
  EXPECT_EQ(HexText(d.ip.tos, 2), ip[3]);
  EXPECT_EQ(std::to_string(d.ip.ttl), ip[4]);
  if (!vector.udp) return;
  const std::vector<std::string>& udp = *vector.udp;
  ASSERT_TRUE(d.udp.present);
  EXPECT_EQ(std::to_string(d.udp.source_port), udp[0]);
  EXPECT_EQ(std::to_string(d.udp.destination_port), udp[1]);
  EXPECT_EQ(std::to_string(d.udp.length), udp[2]);
  EXPECT_EQ(HexText(d.udp.checksum, 4), udp[3]);
}

INSTANTIATE_TEST_SUITE_P(All, OuterVectors,
                         ::testing::ValuesIn(testing::VectorsWhere(&HasOuterFields)), kName);

bool HasGeneveFields(const TestVector& vector) {
  return vector.geneve.has_value() && vector.verdict != "NOT_GENEVE";
}

class HeaderVectors : public ::testing::TestWithParam<TestVector> {};

// G-3.4-04, G-3.4-22, G-3.4-26, G-3.4-32, G-3.5-01, G-3.5-02, G-3.5-09, G-3.5-10.
TEST_P(HeaderVectors, HasItsGeneveFields) {
  const TestVector& vector = GetParam();
  const VectorHeader& want = *vector.geneve;
  const Endpoint endpoint(vector);
  const Dissection d = Dissect(vector.frame, endpoint.profile());
  ASSERT_TRUE(d.geneve.has_value());
  EXPECT_EQ(d.geneve_offset, want.offset);
  EXPECT_EQ(d.geneve->version(), want.version);
  EXPECT_EQ(d.geneve->option_bytes(), want.words * 4);
  EXPECT_EQ(d.geneve->control(), want.control);
  EXPECT_EQ(d.geneve->critical(), want.critical);
  EXPECT_EQ(d.geneve->rsvd(), want.rsvd);
  EXPECT_EQ(d.geneve->protocol(), want.protocol);
  EXPECT_EQ(d.geneve->vni().value(), want.vni);
  EXPECT_EQ(d.geneve->reserved(), want.reserved);
  if (!want.option_count) return;
  EXPECT_EQ(d.geneve->options().Count(), *want.option_count);
  OptionIterator it = d.geneve->options().begin();
  size_t offset = kFixedHeaderBytes;
  for (const VectorOption& option : want.options) {
    ASSERT_FALSE(it == std::default_sentinel);
    EXPECT_EQ((*it).key(), option.key);
    EXPECT_EQ((*it).critical(), option.key.critical());
    EXPECT_EQ((*it).reserved_bits(), option.reserved_bits);
    EXPECT_EQ((*it).data_bytes(), option.words * 4);
    EXPECT_EQ((*it).offset(), offset);
    const std::vector<uint8_t> data((*it).data().begin(), (*it).data().end());
    if (option.data) {
      EXPECT_EQ(data, *option.data);
    }
    offset += 4 + option.words * 4;
    ++it;
  }
}

INSTANTIATE_TEST_SUITE_P(All, HeaderVectors,
                         ::testing::ValuesIn(testing::VectorsWhere(&HasGeneveFields)), kName);

// A packet a correct sender makes: well formed, reserved bits zero, C as the options say.
bool IsCanonical(const TestVector& vector) {
  if (vector.verdict != "ACCEPT" && vector.verdict != "CTRL") return false;
  if (!vector.geneve) return true;  // the ECN matrix: B02 with other IP headers
  if (vector.geneve->rsvd != 0 || vector.geneve->reserved != 0) return false;
  bool critical = false;
  for (const VectorOption& option : vector.geneve->options) {
    if (option.reserved_bits != 0) return false;
    critical = critical || option.key.critical();
  }
  return critical == vector.geneve->critical;
}

class SenderVectors : public ::testing::TestWithParam<TestVector> {};

// The same fields, encoded again, are the same bytes. X01..X06: what an encapsulator must send.
TEST_P(SenderVectors, EncodesToTheSameBytes) {
  const TestVector& vector = GetParam();
  const Endpoint endpoint(vector);
  const Dissection d = Dissect(vector.frame, endpoint.profile());
  std::array<uint8_t, kMaxHeaderBytes> buffer{};
  buffer.fill(0xAA);
  HeaderBuilder builder(buffer);
  builder.SetVni(d.geneve->vni()).SetProtocol(d.geneve->protocol());
  builder.SetControl(d.geneve->control());
  for (const OptionView option : d.geneve->options())
    builder.AddOption(option.key(), option.data());
  const auto size = builder.Finish();
  ASSERT_TRUE(size.ok());
  const std::vector<uint8_t> got(buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(*size));
  const ByteSpan want = d.geneve->bytes();
  EXPECT_EQ(got, std::vector<uint8_t>(want.begin(), want.end()));
}

INSTANTIATE_TEST_SUITE_P(All, SenderVectors,
                         ::testing::ValuesIn(testing::VectorsWhere(&IsCanonical)), kName);

// K-15: a verdict never depends on earlier packets.
TEST(VectorSequences, EachPacketKeepsItsOwnVerdict) {
  const std::vector<std::vector<std::string>> sequences = {
      {"O01", "O08", "O01"},        {"O08", "O01", "B02"},
      {"O01", "O17", "O01"},        {"O17", "O01"},
      {"U01", "B02", "U03"},        {"I01", "I03", "I01"},
      {"B02", "H01", "H05", "B02"}, {"N02", "N01", "N02"},
      {"H10", "B02", "F01", "B02"}};
  for (const auto& sequence : sequences) {
    for (const std::string& id : sequence) {
      const TestVector& vector = VectorById(id);
      const Endpoint endpoint(vector);
      const Dissection d = Dissect(vector.frame, endpoint.profile());
      EXPECT_EQ(VerdictName(d.verdict), vector.verdict) << id;
    }
  }
}

}  // namespace
}  // namespace geneve
