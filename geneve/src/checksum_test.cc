#include "geneve/checksum.h"

#include <gtest/gtest.h>

#include <array>

namespace geneve {
namespace {

// RFC 1071 section 3 gives this example: the sum of the four words is 0xddf2.
TEST(Checksum, SumsTheExampleOfRfc1071) {
  const std::array<uint8_t, 8> bytes = {0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7};
  EXPECT_EQ(ChecksumFold(ChecksumAdd(0, bytes)), 0xDDF2);
}

TEST(Checksum, PadsAnOddByteOnTheRight) {
  const std::array<uint8_t, 3> bytes = {0x12, 0x34, 0x56};
  EXPECT_EQ(ChecksumFold(ChecksumAdd(0, bytes)), 0x1234 + 0x5600);
}

TEST(Checksum, IsTheSameInPieces) {
  const std::array<uint8_t, 10> bytes = {0xFF, 0xFF, 0x01, 0x02, 0xAB,
                                         0xCD, 0xEF, 0x01, 0x80, 0x7F};
  const ByteSpan all = bytes;
  const uint64_t pieces = ChecksumAdd(ChecksumAdd(0, all.first(6)), all.subspan(6));
  EXPECT_EQ(ChecksumFold(pieces), ChecksumFold(ChecksumAdd(0, all)));
}

// RFC 1624 section 4: HC = 0xDD2F, m = 0x5555, m' = 0x3285 gives 0x0000.
TEST(Checksum, ReplacesAWordAsRfc1624Shows) {
  EXPECT_EQ(ChecksumReplace(0xDD2F, 0x5555, 0x3285), 0x0000);
}

}  // namespace
}  // namespace geneve
