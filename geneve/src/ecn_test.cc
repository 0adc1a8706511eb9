#include "geneve/ecn.h"

#include <gtest/gtest.h>

#include <optional>

namespace geneve {
namespace {

using enum Ecn;
using enum EcnAlarm;

struct Row {
  const char* id = "";
  Ecn inner = kNotEct;
  Ecn outer = kNotEct;
  std::optional<Ecn> delivered;  // nothing: drop
  EcnAlarm alarm = kNone;
};

// RFC 6040 figure 4, row by row.
constexpr Row kDecapsulation[] = {
    {"E-4.2-01", kNotEct, kNotEct, kNotEct, kNone},
    {"E-4.2-02", kNotEct, kEct0, kNotEct, kAlways},
    {"E-4.2-03", kNotEct, kEct1, kNotEct, kAlways},
    {"E-4.2-04", kNotEct, kCe, std::nullopt, kAlways},
    {"E-4.2-05", kEct0, kNotEct, kEct0, kNone},
    {"E-4.2-06", kEct0, kEct0, kEct0, kNone},
    {"E-4.2-07", kEct0, kEct1, kEct1, kNone},
    {"E-4.2-08", kEct0, kCe, kCe, kNone},
    {"E-4.2-09", kEct1, kNotEct, kEct1, kNone},
    {"E-4.2-10", kEct1, kEct0, kEct1, kPossible},
    {"E-4.2-11", kEct1, kEct1, kEct1, kNone},
    {"E-4.2-12", kEct1, kCe, kCe, kNone},
    {"E-4.2-13", kCe, kNotEct, kCe, kNone},
    {"E-4.2-14", kCe, kEct0, kCe, kNone},
    {"E-4.2-15", kCe, kEct1, kCe, kAlways},
    {"E-4.2-16", kCe, kCe, kCe, kNone},
};

// E-4.2-01..16, E-4.2-17, E-4.2-19.
TEST(Ecn, DecapsulatesAllSixteenCombinations) {
  for (const Row& row : kDecapsulation) {
    const EcnDecision decision = DecapsulateEcn(row.inner, row.outer);
    EXPECT_EQ(decision.drop, !row.delivered.has_value()) << row.id;
    if (row.delivered) {
      EXPECT_EQ(decision.inner, *row.delivered) << row.id;
    }
    EXPECT_EQ(decision.alarm, row.alarm) << row.id;
  }
}

// E-4.1-01: normal mode copies, CE included.
TEST(Ecn, NormalModeCopiesAtEncapsulation) {
  for (const Ecn inner : {kNotEct, kEct0, kEct1, kCe}) {
    EXPECT_EQ(EncapsulateEcn(inner, EcnMode::kNormal), inner);
  }
}

// E-4.1-03
TEST(Ecn, CompatibilityModeSendsNotEct) {
  for (const Ecn inner : {kNotEct, kEct0, kEct1, kCe}) {
    EXPECT_EQ(EncapsulateEcn(inner, EcnMode::kCompatibility), kNotEct);
  }
}

TEST(Ecn, ReadsTheTwoLowBits) {
  EXPECT_EQ(EcnOf(0xB8), kNotEct);
  EXPECT_EQ(EcnOf(0xB9), kEct1);
  EXPECT_EQ(EcnOf(0xBA), kEct0);
  EXPECT_EQ(EcnOf(0xBB), kCe);
  EXPECT_EQ(EcnName(EcnOf(0x02)), "ECT(0)");
}

}  // namespace
}  // namespace geneve
