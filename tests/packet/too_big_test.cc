#include <sched.h>

#include <chrono>

#include "packet_case.h"

namespace leman::packet_test {
namespace {

// The rate limit is of each CPU and remembers: every case waits until one answer is allowed again.
class TooBigTable : public PacketCaseTest {};
TEST_P(TooBigTable, IsAnsweredAsTheTableSays) { RunCase(GetParam().spec); }
INSTANTIATE_TEST_SUITE_P(TooBig, TooBigTable, testing::ValuesIn(LoadCases("too_big")), CaseName);

class TooBigRate : public PacketCaseTest {};

// At once and a second: 100 answers of one CPU; the rest is counted, not answered.
TEST_F(TooBigRate, AnswersAreLimited) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);

  Configure();
  const Bytes over = FromHex(CaseByName("too_big", "over_ip4_1450").at("in").get<std::string>());
  constexpr std::uint64_t kFrames = 2000;
  constexpr std::uint64_t kBurst = 100;
  const Counters start = Count();
  const auto started = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < kFrames; ++i) {
    (void)RunHook(Hook::kPort, "port-a", over);
  }
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - started);
  Counters moved = Difference(start, Count());
  ASSERT_EQ(sched_setaffinity(0, sizeof(before), &before), 0);

  const std::uint64_t sent = moved["event icmp_too_big"];
  EXPECT_EQ(sent + moved["event icmp_limited"], kFrames);
  EXPECT_EQ(moved["verdict port.too_big packets"], moved["event icmp_limited"]);
  EXPECT_EQ(moved["verdict port.forwarded packets"], sent);
  // One more for each millisecond that passed.
  EXPECT_LE(sent, kBurst + static_cast<std::uint64_t>(elapsed.count()) + 1);
  EXPECT_GE(sent, 1U);
}

}  // namespace
}  // namespace leman::packet_test
