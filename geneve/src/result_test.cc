#include "geneve/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace geneve {
namespace {

enum class Fault { kNone, kBad, kWorse };

using IntResult = Result<int, Fault>;
using PtrResult = Result<std::unique_ptr<int>, std::string>;
using VoidResult = Result<void, std::string>;

// Hot-path results must stay in registers: trivial for trivial contents.
static_assert(std::is_trivially_copyable_v<IntResult>);
static_assert(std::is_trivially_destructible_v<IntResult>);
static_assert(!std::is_copy_constructible_v<PtrResult>);
static_assert(std::is_nothrow_move_constructible_v<PtrResult>);
static_assert(std::is_nothrow_move_assignable_v<PtrResult>);
static_assert(!std::is_convertible_v<IntResult, bool>);
static_assert(std::is_constructible_v<bool, IntResult>);

constexpr IntResult Halve(int n) {
  if (n % 2 != 0) return Unexpected(Fault::kBad);
  return n / 2;
}
static_assert(Halve(8).value() == 4);
static_assert(Halve(7).error() == Fault::kBad);
static_assert(Halve(7).value_or(9) == 9);

constexpr bool CopiesInConstantExpressions() {
  Result<std::string, Fault> a = std::string("x");
  Result<std::string, Fault> b = a;
  b = Unexpected(Fault::kWorse);
  a = b;
  return a.error() == Fault::kWorse;
}

TEST(Result, HoldsAValue) {
  IntResult r = 5;
  EXPECT_TRUE(r.ok());
  EXPECT_TRUE(r.has_value());
  EXPECT_TRUE(static_cast<bool>(r));
  EXPECT_EQ(*r, 5);
  *r = 6;
  EXPECT_EQ(r.value(), 6);
}

TEST(Result, HoldsAnError) {
  IntResult r = Unexpected(Fault::kWorse);
  EXPECT_FALSE(r.ok());
  EXPECT_EQ(r.error(), Fault::kWorse);
  EXPECT_EQ(r.value_or(3), 3);
}

TEST(Result, MovesAMoveOnlyValue) {
  PtrResult r = std::make_unique<int>(4);
  PtrResult moved = std::move(r);
  ASSERT_TRUE(moved.ok());
  std::unique_ptr<int> out = std::move(moved).value();
  EXPECT_EQ(*out, 4);
}

TEST(Result, AssignsAcrossSides) {
  Result<std::vector<int>, std::string> r = std::vector<int>{1, 2};
  r = Unexpected(std::string("a reason that is too long to be held in line"));
  EXPECT_EQ(r.error(), "a reason that is too long to be held in line");
  Result<std::vector<int>, std::string> copy = r;
  r = std::vector<int>{3};
  EXPECT_EQ(r->size(), 1u);
  r = copy;
  EXPECT_EQ(r, copy);
  copy = std::vector<int>{3};
  EXPECT_FALSE(r == copy);
  Result<std::vector<int>, std::string>& self = r;
  r = self;
  EXPECT_FALSE(r.ok());
  EXPECT_TRUE(CopiesInConstantExpressions());
}

TEST(Result, ConvertsTheErrorType) {
  const auto fails = []() -> Result<int, std::string> { return Unexpected("literal"); };
  EXPECT_EQ(fails().error(), "literal");
}

TEST(Result, VoidSaysOnlyWhetherItWorked) {
  VoidResult r;
  EXPECT_TRUE(r.ok());
  r.value();
  r = Unexpected(std::string("no"));
  EXPECT_EQ(r.error(), "no");
  EXPECT_FALSE(r == VoidResult());
}

TEST(Result, BoolIsNotMadeFromAnotherResult) {
  static_assert(!std::is_constructible_v<Result<bool, int>, IntResult>);
  Result<bool, int> r = false;
  EXPECT_TRUE(r.ok());
  EXPECT_FALSE(*r);
}

TEST(ResultDeathTest, TheWrongSideAborts) {
  IntResult bad = Unexpected(Fault::kBad);
  IntResult good = 1;
  EXPECT_DEATH(static_cast<void>(bad.value()), "");
  EXPECT_DEATH(static_cast<void>(good.error()), "");
}

}  // namespace
}  // namespace geneve
