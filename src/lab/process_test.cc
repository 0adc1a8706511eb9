#include "lab/process.h"

#include <gtest/gtest.h>

#include <csignal>
#include <string>

#include "lab/vm.h"

namespace leman::lab {
namespace {

TEST(ProcessTest, ReturnsWhatAProgramSays) {
  const auto output = lab::Run(
      {.argv = {"sh", "-c", "cat; echo problem >&2; exit 3"}, .netns = {}, .input = "words"});
  ASSERT_TRUE(output.ok());
  EXPECT_EQ(output->out, "words");
  EXPECT_EQ(output->err, "problem\n");
  EXPECT_EQ(output->exit_status, 3);
}

TEST(ProcessTest, MovesMoreThanAPipeHolds) {
  const std::string input(1 << 20, 'x');
  const auto output = lab::Run({.argv = {"cat"}, .netns = {}, .input = input});
  ASSERT_TRUE(output.ok());
  EXPECT_EQ(output->out, input);
}

TEST(ProcessTest, QuotesStderrInTheError) {
  auto output =
      RunOk({.argv = {"sh", "-c", "echo no such thing >&2; exit 2"}, .netns = {}, .input = {}});
  ASSERT_FALSE(output.ok());
  EXPECT_NE(output.error().message().find("exit status 2: no such thing"), std::string::npos)
      << output.error().message();
}

TEST(ProcessTest, NamesAMissingProgram) {
  auto output = lab::Run({.argv = {"no-such-program-anywhere"}, .netns = {}, .input = {}});
  ASSERT_FALSE(output.ok());
  EXPECT_EQ(output.error().code(), Code::kNotFound);
}

TEST(ProcessTest, EndsAProgramThatTakesTooLong) {
  const auto start = Clock::now();
  auto output =
      lab::Run({.argv = {"sleep", "60"}, .netns = {}, .input = {}, .timeout = Milliseconds(100)});
  ASSERT_FALSE(output.ok());
  EXPECT_EQ(output.error().code(), Code::kUnavailable);
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(5));
}

TEST(ProcessTest, TellsTheSignalThatEndedAProgram) {
  const auto output = lab::Run({.argv = {"sh", "-c", "kill -9 $$"}, .netns = {}, .input = {}});
  ASSERT_TRUE(output.ok());
  EXPECT_EQ(output->exit_status, 128 + SIGKILL);
}

TEST(ProcessTest, FailsForANamespaceThatIsNotThere) {
  auto output = lab::Run({.argv = {"true"}, .netns = "lm-no-such-namespace", .input = {}});
  ASSERT_FALSE(output.ok());
  EXPECT_EQ(output.error().code(), Code::kNotFound);
}

TEST(ProcessTest, SpawnedProgramRunsUntilItIsEnded) {
  auto process = Spawn({"sleep", "60"}, "", "/dev/null");
  ASSERT_TRUE(process.ok());
  EXPECT_FALSE(WaitEnd(*process, Milliseconds(0)));
  Terminate(*process, Milliseconds(2000));
  EXPECT_FALSE(process->pidfd.valid());
}

TEST(ProcessTest, QuotesForTheShell) {
  const auto output =
      lab::Run({.argv = {"sh", "-c", "printf '%s|' " + QuoteForShell({"a b", "it's", "$HOME", ""})},
                .netns = {},
                .input = {}});
  ASSERT_TRUE(output.ok());
  EXPECT_EQ(output->out, "a b|it's|$HOME||");
}

}  // namespace
}  // namespace leman::lab
