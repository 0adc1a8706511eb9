// Apply at size: 100,000 remote MACs in 1,000 networks.
#include <gtest/gtest.h>
#include <time.h>

#include <chrono>

#include "datapath_test.h"

namespace leman::packet_test {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

// Of this thread, the kernel's work for it included: what a busy machine does not change.
nanoseconds CpuTime() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + nanoseconds(now.tv_nsec);
}

constexpr std::uint32_t kNetworks = 1000;
constexpr std::uint32_t kMacs = 100;  // of each network
constexpr std::uint32_t kVteps = 250;

MacAddress MacOf(std::uint32_t network, std::uint32_t mac) {
  return MacAddress({0x02, 0x10, static_cast<std::uint8_t>(network >> 8U),
                     static_cast<std::uint8_t>(network), static_cast<std::uint8_t>(mac >> 8U),
                     static_cast<std::uint8_t>(mac)});
}

model::VtepWay WayOf(std::uint32_t number) {
  return {.address = IpAddress::FromV4(
              {10, 9, static_cast<std::uint8_t>(number >> 8U), static_cast<std::uint8_t>(number)})};
}

model::HostProgram Large(const NetLab& lab) {
  model::HostProgram program = MakeProgram(lab, nlohmann::json::object());
  for (std::uint32_t n = 0; n < kNetworks; ++n) {
    auto net = std::make_shared<model::NetworkProgram>();
    net->vni = MakeVni(100000 + n);
    net->mtu = 1450;
    for (std::uint32_t m = 0; m < kMacs; ++m) {
      net->fdb.push_back({.mac = MacOf(n, m), .ifindex = 0, .vtep = WayOf((n + m) % kVteps)});
      net->neighbours.push_back(
          {.address = IpAddress::FromV4(
               {10, 0, static_cast<std::uint8_t>(m >> 8U), static_cast<std::uint8_t>(m)}),
           .mac = MacOf(n, m)});
    }
    for (std::uint32_t v = 0; v < kVteps; v += 10) {
      net->vteps.push_back(WayOf(v));
    }
    program.networks.emplace(net->vni, std::move(net));
  }
  for (std::uint32_t v = 0; v < kVteps; ++v) {
    program.peers.push_back(WayOf(v));
  }
  return program;
}

TEST(ReconcileScale, HundredThousandMacs) {
  const NetLab lab;
  DataplaneOptions options;
  options.pin_root = FreshPinRoot();
  auto opened = OpenDataplane(options);
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  auto dataplane = std::move(opened).value();
  model::HostProgram program = Large(lab);

  const auto timed = [&](const char* what) {
    const auto start = steady_clock::now();
    const auto cpu_start = CpuTime();
    const auto applied = dataplane->Apply(program);
    const auto took = duration_cast<microseconds>(CpuTime() - cpu_start);
    const auto wall = duration_cast<microseconds>(steady_clock::now() - start);
    EXPECT_TRUE(applied.ok());
    std::printf("%s: %.3f ms (%.3f ms of CPU), %llu added, %llu changed\n", what,
                static_cast<double>(wall.count()) / 1000.0,
                static_cast<double>(took.count()) / 1000.0,
                static_cast<unsigned long long>(applied.value().added),
                static_cast<unsigned long long>(applied.value().changed));
    EXPECT_TRUE(applied.value().problems.empty());
    return std::pair(took, applied.value());
  };
  const auto first = timed("first Apply");
  EXPECT_GT(first.second.added, std::uint64_t{kNetworks} * kMacs * 2);
  EXPECT_LT(first.first, std::chrono::seconds(3));

  // One of five may be disturbed, not all.
  microseconds best = std::chrono::seconds(1);
  for (std::uint32_t i = 0; i < 5; ++i) {
    auto changed = std::make_shared<model::NetworkProgram>(*program.networks.at(MakeVni(100500)));
    changed->fdb.at(7).vtep = WayOf(200 + i);
    program.networks[changed->vni] = changed;
    const auto one = timed("one entry");
    EXPECT_EQ(one.second.added + one.second.removed, 0U);
    EXPECT_EQ(one.second.changed, 1U);
    best = std::min(best, one.first);
  }
  EXPECT_LT(best, std::chrono::milliseconds(5));
  dataplane.reset();
  RemovePins(options.pin_root);
}

}  // namespace
}  // namespace leman::packet_test
