// A state as large as one host may get: 1,000 networks of 100 remotes. Prints what parsing and
// compiling cost; the bounds are several times what an idle machine needs, to hold on a busy one.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "model/compile.h"
#include "model/state_file.h"

namespace leman::model {
namespace {

#if defined(__SANITIZE_ADDRESS__) || !defined(__OPTIMIZE__)
constexpr double kSlower = 20;  // also covers the memory that a sanitizer keeps
#else
constexpr double kSlower = 1;
#endif

std::string LargeState(int networks, int remotes) {
  std::string text = "host: big\nunderlay: { device: eth0, addresses: [192.0.2.1] }\nnetworks:\n";
  int workload = 0;
  for (int n = 0; n < networks; ++n) {
    text += fmt::format("  - name: net-{}\n    vni: {}\n    remotes:\n", n, 10000 + n);
    for (int r = 0; r < remotes; ++r, ++workload) {
      text += fmt::format(
          "      - {{ mac: \"02:00:00:{:02x}:{:02x}:{:02x}\", addresses: [10.0.{}.{}], vtep: "
          "198.51.{}.{} }}\n",
          workload >> 16, (workload >> 8) & 0xff, workload & 0xff, r / 250, 1 + r % 250,
          100 + n % 4, 1 + r % 20);
    }
  }
  return text;
}

double Milliseconds(std::chrono::steady_clock::time_point from) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - from).count();
}

long RssKib() {
  long pages = 0;
  long resident = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r"); file != nullptr) {
    if (std::fscanf(file, "%ld %ld", &pages, &resident) != 2) {
      resident = 0;
    }
    std::fclose(file);
  }
  return resident * sysconf(_SC_PAGESIZE) / 1024;
}

TEST(ModelScale, AHundredThousandRemotes) {
  std::string text = LargeState(1000, 100);
  const long before_kib = RssKib();
  auto start = std::chrono::steady_clock::now();
  auto parsed = ParseStateFile("big.yaml", text);
  const double parse_ms = Milliseconds(start);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const long peak_kib = usage.ru_maxrss - before_kib;
  malloc_trim(0);
  const long kept_kib = RssKib() - before_kib;

  const auto first = std::make_shared<const DesiredState>(std::move(parsed).value());
  const std::size_t middle =
      text.find("vtep: ", text.size() / 2) + std::string_view("vtep: ").size();
  text.replace(middle, 3, "203");
  start = std::chrono::steady_clock::now();
  auto reparsed = ParseStateFile("big.yaml", text, first.get());
  const double reparse_ms = Milliseconds(start);
  ASSERT_TRUE(reparsed.ok()) << reparsed.error().message();
  const auto second = std::make_shared<const DesiredState>(std::move(reparsed).value());
  EXPECT_FALSE(*first == *second);
  HostFacts facts;
  facts["eth0"] = {
      .ifindex = 2, .mtu = 1500, .up = true, .addresses = {IpAddress::FromV4({192, 0, 2, 1})}};
  Compiler compiler;
  start = std::chrono::steady_clock::now();
  const Compilation full = compiler.Compile(first, facts);
  const double full_ms = Milliseconds(start);
  // The best of several: what the code costs, not what else the machine did.
  double change_ms = 1e9;
  for (int i = 0; i < 10; ++i) {
    start = std::chrono::steady_clock::now();
    const Compilation again = compiler.Compile(i % 2 == 0 ? second : first, facts);
    change_ms = std::min(change_ms, Milliseconds(start));
    int differ = 0;
    for (const auto& [vni, network] : again.program.networks) {
      differ += full.program.networks.at(vni) != network ? 1 : 0;
    }
    // Going back makes an equal program anew, so from then on this network is another object.
    EXPECT_EQ(differ, 1);
  }
  fmt::print(
      "1000 x 100 remotes: file {:.1f} MB, parse {:.0f} ms, again {:.0f} ms, peak +{} MiB, kept "
      "+{} MiB, "
      "full compile {:.1f} ms, one change {:.2f} ms\n",
      static_cast<double>(text.size()) / 1e6, parse_ms, reparse_ms, peak_kib / 1024,
      kept_kib / 1024, full_ms, change_ms);
  EXPECT_TRUE(full.problems.empty());
  EXPECT_EQ(full.program.networks.size(), 1000U);
  EXPECT_LT(parse_ms, 5000 * kSlower);
  EXPECT_LT(full_ms, 1000 * kSlower);
  // Where the full compilation takes longer than the 30 ms of an idle machine, so may this.
  EXPECT_LT(change_ms, std::max(2.0, full_ms / 10) * kSlower);
  EXPECT_LT(peak_kib, static_cast<long>(150 * 1024 * kSlower));
}

}  // namespace
}  // namespace leman::model
