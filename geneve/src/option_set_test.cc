#include "geneve/option_set.h"

#include <gtest/gtest.h>

namespace geneve {
namespace {

TEST(LengthSet, HoldsExactlyTheGivenLengths) {
  const LengthSet set = *LengthSet::Of({0, 8, 124});
  for (size_t bytes = 0; bytes < 300; ++bytes) {
    EXPECT_EQ(set.ContainsBytes(bytes), bytes == 0 || bytes == 8 || bytes == 124) << bytes;
  }
}

// G-3.5-11: multiples of 4 up to 124.
TEST(LengthSet, RefusesImpossibleLengths) {
  EXPECT_FALSE(LengthSet::Of({5}).has_value());
  EXPECT_FALSE(LengthSet::Of({4, 128}).has_value());
}

TEST(LengthSet, AtLeastCountsUpFromTheNextWord) {
  for (size_t bytes = 0; bytes <= 124; bytes += 4) {
    EXPECT_EQ(LengthSet::AtLeast(12).ContainsBytes(bytes), bytes >= 12);
    EXPECT_EQ(LengthSet::AtLeast(13).ContainsBytes(bytes), bytes >= 16);
    EXPECT_TRUE(LengthSet::Any().ContainsBytes(bytes));
  }
  EXPECT_TRUE(LengthSet::AtLeast(124).ContainsBytes(124));
  EXPECT_EQ(LengthSet::AtLeast(125), LengthSet());
}

// G-3.5.1-10: a second length for the same class and type is refused.
TEST(OptionSet, RefusesASecondLength) {
  OptionSet set;
  EXPECT_TRUE(set.Add({0xFF00, 1}, *LengthSet::Of({4})).ok());
  EXPECT_TRUE(set.Add({0xFF00, 1}, *LengthSet::Of({4})).ok());
  EXPECT_EQ(set.Add({0xFF00, 1}, *LengthSet::Of({8})).error(), OptionSetError::kConflict);
  EXPECT_EQ(set.Add({0xFF00, 1}, LengthSet::Any()).error(), OptionSetError::kConflict);
  EXPECT_EQ(set.size(), 1u);
  EXPECT_EQ(set.LengthMask({0xFF00, 1}), LengthSet::Of({4})->mask());
}

TEST(OptionSet, TellsKeysApart) {
  OptionSet set;
  EXPECT_TRUE(set.Add({0xFF00, 0x01}, LengthSet::Any()).ok());
  EXPECT_TRUE(set.Contains({0xFF00, 0x01}));
  EXPECT_FALSE(set.Contains({0xFF00, 0x81}));  // the critical bit is part of the type
  EXPECT_FALSE(set.Contains({0x00FF, 0x01}));
  EXPECT_FALSE(set.Contains({0, 0}));
}

TEST(OptionSet, HoldsSixtyFourKinds) {
  OptionSet set;
  for (uint16_t i = 0; i < OptionSet::kCapacity; ++i) {
    ASSERT_TRUE(set.Add({static_cast<uint16_t>(i * 257), static_cast<uint8_t>(i)},
                        *LengthSet::Of({i % size_t{32} * 4}))
                    .ok());
  }
  EXPECT_EQ(set.Add({0xABCD, 0xEF}, LengthSet::Any()).error(), OptionSetError::kFull);
  for (uint16_t i = 0; i < OptionSet::kCapacity; ++i) {
    EXPECT_EQ(set.LengthMask({static_cast<uint16_t>(i * 257), static_cast<uint8_t>(i)}),
              uint32_t{1} << (i % 32));
  }
  EXPECT_FALSE(set.Contains({0xABCD, 0xEF}));
}

TEST(OptionSet, RefusesAnEmptyLengthSet) {
  OptionSet set;
  EXPECT_EQ(set.Add({1, 1}, LengthSet()).error(), OptionSetError::kNoLengths);
}

TEST(OptionSet, WorksInConstantExpressions) {
  constexpr OptionSet kSet = [] {
    OptionSet set;
    static_cast<void>(set.Add({0x0102, 0x80}, *LengthSet::Of({4})));
    return set;
  }();
  static_assert(kSet.Contains({0x0102, 0x80}));
}

}  // namespace
}  // namespace geneve
