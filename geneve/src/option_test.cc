#include "geneve/option.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "vector_file.h"

namespace geneve {
namespace {

using testing::FromHex;
using testing::VectorById;

OptionRange OptionsOf(const testing::TestVector& vector) {
  const size_t at = vector.geneve->offset + 8;
  return OptionRange(ByteSpan(vector.frame).subspan(at, vector.geneve->words * 4));
}

// G-3.5-02: the high bit of the type, and no other, makes an option critical.
TEST(Option, HighTypeBitIsCritical) {
  for (unsigned type = 0; type < 256; ++type) {
    const std::array<uint8_t, 4> bytes = {0xFF, 0xFF, static_cast<uint8_t>(type), 0xE0};
    const OptionRange range(bytes);
    EXPECT_EQ((*range.begin()).critical(), type >= 128);
    EXPECT_EQ((*range.begin()).key().critical(), type >= 128);
    EXPECT_EQ(range.HasCritical(), type >= 128);
  }
}

// G-3.5-09, G-3.5-10: Length is the low five bits, in words, without the option header.
TEST(Option, LengthIsFiveBitsOfWords) {
  std::vector<uint8_t> bytes(128, 0xFF);
  for (unsigned r = 0; r < 8; ++r) {
    for (unsigned words = 0; words < 32; ++words) {
      bytes[3] = static_cast<uint8_t>(r << 5 | words);
      const OptionView option = *OptionRange(bytes).begin();
      EXPECT_EQ(option.data_bytes(), words * 4);
      EXPECT_EQ(option.size(), 4 + words * 4);
      EXPECT_EQ(option.reserved_bits(), r);
      EXPECT_EQ(option.data().data(), bytes.data() + 4);
      EXPECT_EQ(option.bytes().size(), 4 + words * 4);
    }
  }
}

// G-3.5-15, K-02: the worst case is 63 steps.
TEST(Option, WalksSixtyThreeOptions) {
  const OptionRange range = OptionsOf(VectorById("O06"));
  size_t at = 8;
  for (const OptionView option : range) {
    EXPECT_EQ(option.offset(), at);
    at += 4;
  }
  EXPECT_EQ(at, 260u);
  EXPECT_EQ(range.Count(), 63u);
  EXPECT_FALSE(range.error().has_value());
}

// G-3.5-17: data that looks like a critical option is data.
TEST(Option, DataIsNotReadAsAnOption) {
  const OptionRange range = OptionsOf(VectorById("O24"));
  EXPECT_EQ(range.Count(), 1u);
  EXPECT_FALSE(range.HasCritical());
  EXPECT_FALSE(range.Find({0xFF00, 0x81}).has_value());
}

// G-3.5-16, G-3.5.1-09: a known option is found among unknown ones, wherever it stands.
TEST(Option, IsFoundInAnyOrder) {
  for (const char* id : {"O03", "O16"}) {
    const auto option = OptionsOf(VectorById(id)).Find({0xFF00, 0x01});
    ASSERT_TRUE(option.has_value()) << id;
    EXPECT_EQ(LoadBe32(option->data().data()), 0xDEADBEEFu) << id;
    const auto eight = OptionsOf(VectorById(id)).Find({0xFF00, 0x03});
    ASSERT_TRUE(eight.has_value()) << id;
    EXPECT_EQ(LoadBe64(eight->data().data()), 0x0011223344556677u) << id;
  }
}

// CH-03: duplicates are all reported in order; Find() takes the last, FindFirst() the first.
TEST(Option, LastDuplicateWins) {
  const OptionRange range = OptionsOf(VectorById("O15"));
  const OptionKey key{0xFF00, 0x01};
  EXPECT_EQ(range.Count(key), 2u);
  EXPECT_TRUE(range.HasDuplicates());
  EXPECT_EQ(LoadBe32(range.Find(key)->data().data()), 2u);
  EXPECT_EQ(LoadBe32(range.FindFirst(key)->data().data()), 1u);
  EXPECT_FALSE(OptionsOf(VectorById("O03")).HasDuplicates());
  EXPECT_EQ(range.Count({0xFF00, 0x02}), 0u);
  EXPECT_FALSE(range.FindFirst({0xFF00, 0x02}).has_value());
}

// CH-15: zero words after the last option are options of class 0, type 0.
TEST(Option, ZeroWordsAreOptionsOfClassZero) {
  const OptionRange range = OptionsOf(VectorById("O22"));
  EXPECT_EQ(range.Count(), 3u);
  EXPECT_EQ(range.Count({0, 0}), 2u);
  EXPECT_FALSE(range.error().has_value());
}

// G-3.5-12: the overrunning option is named, the ones before it are still there.
TEST(Option, OverrunStopsTheWalk) {
  const OptionRange range = OptionsOf(VectorById("O19"));
  EXPECT_EQ(range.Count(), 1u);
  ASSERT_TRUE(range.error().has_value());
  EXPECT_EQ(range.error()->reason, Reason::kOptLen);
  EXPECT_EQ(range.error()->offset, 16u);
}

TEST(Option, AreasOfAnySizeAreSafe) {
  const std::vector<uint8_t> bytes = FromHex("ff000101deadbeef");
  for (size_t size = 0; size < bytes.size(); ++size) {
    const std::vector<uint8_t> cut(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
    const OptionRange range(cut);
    EXPECT_EQ(range.Count(), 0u);
    EXPECT_EQ(range.error().has_value(), size != 0);
    EXPECT_TRUE(range.empty());
  }
  EXPECT_EQ(OptionRange(bytes).Count(), 1u);
  EXPECT_FALSE(OptionRange(bytes).empty());
}

// The iterator is a forward iterator: it can be copied, compared and walked again.
TEST(Option, IteratorIsForward) {
  static_assert(std::forward_iterator<OptionIterator>);
  const OptionRange range = OptionsOf(VectorById("O03"));
  OptionIterator a = range.begin();
  OptionIterator b = a++;
  EXPECT_FALSE(a == b);
  EXPECT_TRUE(++b == a);
  EXPECT_TRUE(b == a);
}

}  // namespace
}  // namespace geneve
