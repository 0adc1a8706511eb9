// Hostile bytes. Built with AddressSanitizer these tests also show that nothing is read
// outside the frame, which is why each case is its own heap block of exactly the right size.

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "geneve/packet.h"
#include "vector_file.h"

namespace geneve {
namespace {

using testing::AllVectors;
using testing::Endpoint;
using testing::TestVector;

// What must hold for any input, whatever the verdict.
void CheckInvariants(ByteSpan frame, const Dissection& d) {
  const uint64_t inner_end = uint64_t{d.inner_offset} + d.inner_bytes;
  if (d.verdict == Verdict::kDrop) {
    ASSERT_LE(d.offset, frame.size());
  }
  if (d.verdict != Verdict::kAccept && d.verdict != Verdict::kControl) return;
  ASSERT_TRUE(d.geneve.has_value());
  ASSERT_EQ(d.geneve->version(), 0);
  ASSERT_LE(inner_end, frame.size());
  ASSERT_EQ(d.inner_offset, d.geneve_offset + d.geneve->size());
  ASSERT_FALSE(d.geneve->options().error().has_value());
  size_t option_bytes = 0;
  for (const OptionView option : d.geneve->options()) option_bytes += option.size();
  ASSERT_EQ(option_bytes, d.geneve->option_bytes());
  for (const InnerPatch& patch : d.patches()) ASSERT_LT(patch.index, d.inner_bytes);
  if (d.verdict == Verdict::kAccept) {
    ASSERT_FALSE(d.geneve->control());
  }
}

Dissection RunExact(const std::vector<uint8_t>& bytes, const EndpointProfile& profile) {
  const std::unique_ptr<uint8_t[]> exact(new uint8_t[bytes.size()]);
  if (!bytes.empty()) std::memcpy(exact.get(), bytes.data(), bytes.size());
  const ByteSpan frame(exact.get(), bytes.size());
  const Dissection d = Dissect(frame, profile);
  CheckInvariants(frame, d);
  return d;
}

// G-6-06: every cut of every packet. No cut frame is accepted unless only padding was lost.
TEST(Robustness, EveryTruncationOfEveryPacket) {
  for (const TestVector& vector : AllVectors()) {
    const Endpoint endpoint(vector);
    // Bytes behind the IP datagram belong to nobody.
    const Dissection whole = Dissect(vector.frame, endpoint.profile());
    const uint32_t ip_end = whole.ip.offset + whole.ip.payload_bytes + whole.ip.header_bytes;
    for (size_t size = 0; size < vector.frame.size(); ++size) {
      const std::vector<uint8_t> cut(vector.frame.begin(),
                                     vector.frame.begin() + static_cast<ptrdiff_t>(size));
      const Dissection d = RunExact(cut, endpoint.profile());
      char text[512];
      EXPECT_FALSE(FormatTo(text, Dissect(cut, endpoint.profile())).empty());
      if (size >= ip_end) continue;
      EXPECT_NE(d.verdict, Verdict::kAccept) << vector.id << " cut at " << size;
      EXPECT_NE(d.verdict, Verdict::kControl) << vector.id << " cut at " << size;
    }
  }
}

// G-6-06: every single-bit fault of every packet, seen by an endpoint that takes much and by a
// tool.
TEST(Robustness, EveryBitFlipOfEveryPacket) {
  for (const TestVector& vector : AllVectors()) {
    const Endpoint endpoint(vector);
    EndpointProfile any = endpoint.profile();
    any.any_local = any.any_peer = any.any_vni = any.udp6_zero_checksum = true;
    any.options.handling = OptionHandling::kLenient;
    std::vector<uint8_t> frame = vector.frame;
    for (size_t bit = 0; bit < frame.size() * 8; ++bit) {
      frame[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
      RunExact(frame, endpoint.profile());
      RunExact(frame, any);
      frame[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    }
  }
}

// G-3.3-15: a flipped bit under a checksum never gets through: IPv4 header and UDP datagram of B02.
TEST(Robustness, ChecksummedBitsAreProtected) {
  const TestVector& vector = testing::VectorById("B02");
  const Endpoint endpoint(vector);
  std::vector<uint8_t> frame = vector.frame;
  for (size_t bit = size_t{14} * 8; bit < frame.size() * 8; ++bit) {
    frame[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    EXPECT_NE(Dissect(frame, endpoint.profile()).verdict, Verdict::kAccept) << "bit " << bit;
    frame[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
  }
}

// G-6-06, G-3.5-12: random options areas behind a good header: accepted exactly when the lengths
// add up.
TEST(Robustness, RandomOptionAreas) {
  std::minstd_rand random(8926);
  for (int round = 0; round < 20000; ++round) {
    const size_t words = random() % 64;
    std::vector<uint8_t> message(8 + words * 4);
    for (uint8_t& byte : message) byte = static_cast<uint8_t>(random() >> 8);
    message[0] = static_cast<uint8_t>(words);
    // Short lengths, or hardly any area would ever add up.
    for (size_t at = 11; at < message.size(); at += 4) message[at] &= 0x03;

    size_t at = 8;
    bool critical = false;
    while (at < message.size()) {
      critical = critical || message[at + 2] >= 0x80;
      at += 4 + (message[at + 3] % 32u) * 4u;
    }
    const bool adds_up = at == message.size();
    const auto header = DecodeHeader(message);
    ASSERT_EQ(header.ok(), adds_up && !critical);
    if (!header.ok()) {
      ASSERT_EQ(header.error().reason, adds_up ? Reason::kOptCrit : Reason::kOptLen);
    }
  }
}

}  // namespace
}  // namespace geneve
