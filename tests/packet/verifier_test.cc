// What the verifier of this kernel says of the programs: they load, and cost no more than
// committed.
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <sys/utsname.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "port_rx.skel.h"
#include "underlay_rx.skel.h"

namespace leman::packet_test {
namespace {

// "processed N insns" of the program's verifier log; 0 when it does not load.
long ProcessedInstructions(bpf_object* object, bpf_program* program, std::string* log) {
  constexpr std::uint32_t kStatistics = 4;  // BPF_LOG_STATS
  constexpr std::size_t kLogBytes = 1U << 20U;
  std::vector<char> buffer(kLogBytes);
  bpf_program__set_log_level(program, kStatistics);
  bpf_program__set_log_buf(program, buffer.data(), buffer.size());
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    EXPECT_EQ(bpf_map__set_pin_path(map, nullptr), 0);  // nothing stays
  }
  const int err = bpf_object__load(object);
  *log = buffer.data();
  EXPECT_EQ(err, 0) << *log;
  std::smatch found;
  if (err != 0 || !std::regex_search(*log, found, std::regex("processed ([0-9]+) insns"))) {
    return 0;
  }
  return std::stol(found[1]);
}

using Version = std::pair<int, int>;

Version RunningKernel() {
  utsname about{};
  uname(&about);
  Version version{};
  std::sscanf(static_cast<const char*>(about.release), "%d.%d", &version.first, &version.second);
  return version;
}

// Program → instructions, of the newest kernel listed that is not newer than the running one: each
// kernel's verifier prunes in its own way.
std::map<std::string, long> Budget() {
  std::map<Version, std::map<std::string, long>> by_kernel;
  std::ifstream file(VERIFIER_BUDGET);
  std::string line;
  while (std::getline(file, line)) {
    Version kernel{};
    char dot = 0;
    std::string program;
    long instructions = 0;
    std::istringstream words(line);
    if (words >> kernel.first >> dot >> kernel.second >> program >> instructions) {
      by_kernel[kernel][program] = instructions;
    }
  }
  const auto next = by_kernel.upper_bound(RunningKernel());
  return next == by_kernel.begin() ? std::map<std::string, long>() : std::prev(next)->second;
}

void CheckBudget(const std::string& name, bpf_object* object, bpf_program* program) {
  std::string log;
  const long processed = ProcessedInstructions(object, program, &log);
  ASSERT_GT(processed, 0) << log;
  const auto budget = Budget();
  ASSERT_TRUE(budget.contains(name)) << VERIFIER_BUDGET << " has no line for " << name;
  const long allowed = budget.at(name) + budget.at(name) / 10;
  testing::Test::RecordProperty(name, static_cast<int>(processed));
  std::printf("%s: %ld instructions processed, budget %ld\n", name.c_str(), processed,
              budget.at(name));
  EXPECT_LE(processed, allowed) << name << " costs " << processed << " instructions, the budget is "
                                << budget.at(name)
                                << "; if that is worth it, write the new figure into "
                                << VERIFIER_BUDGET;
}

TEST(Verifier, PortRxStaysWithinItsBudget) {
  port_rx* skeleton = port_rx::open();
  ASSERT_NE(skeleton, nullptr);
  CheckBudget("port_rx", skeleton->obj, skeleton->progs.port_rx);
  port_rx::destroy(skeleton);
}

// K-02: the walk over the options is bounded, or it would not load.
TEST(Verifier, UnderlayRxStaysWithinItsBudget) {
  underlay_rx* skeleton = underlay_rx::open();
  ASSERT_NE(skeleton, nullptr);
  CheckBudget("underlay_rx", skeleton->obj, skeleton->progs.underlay_rx);
  underlay_rx::destroy(skeleton);
}

}  // namespace
}  // namespace leman::packet_test
