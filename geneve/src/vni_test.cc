#include "geneve/vni.h"

#include <gtest/gtest.h>

#include <unordered_set>

namespace geneve {
namespace {

// G-3.4-27: a VNI above 2^24 - 1 is refused by the API.
TEST(Vni, RefusesMoreThan24Bits) {
  EXPECT_FALSE(Vni::From(0x1000000).has_value());
  EXPECT_FALSE(Vni::From(0xFFFFFFFF).has_value());
}

// G-3.4-33: no value is reserved.
TEST(Vni, AcceptsTheWholeRange) {
  EXPECT_EQ(Vni::From(0)->value(), 0u);
  EXPECT_EQ(Vni::From(1)->value(), 1u);
  EXPECT_EQ(Vni::From(0xFFFFFF)->value(), 0xFFFFFFu);
}

// G-3.4-26: network order. Three different bytes, so that a swap shows.
TEST(Vni, ReadsBytesInNetworkOrder) {
  EXPECT_EQ(Vni::FromBytes(0x12, 0x34, 0x56).value(), 0x123456u);
  static_assert(Vni::FromBytes(0, 0x27, 0x11) == *Vni::From(10001));
}

TEST(Vni, ComparesAndHashes) {
  EXPECT_LT(*Vni::From(1), *Vni::From(2));
  EXPECT_EQ(Vni(), *Vni::From(0));
  std::unordered_set<Vni> set{*Vni::From(7), *Vni::From(7), *Vni::From(8)};
  EXPECT_EQ(set.size(), 2u);
}

}  // namespace
}  // namespace geneve
