// Reading what the kernel counts, and the life of learned MACs.
#include <time.h>

#include <array>
#include <cctype>
#include <string>
#include <unordered_map>

#include "dataplane/encode.h"
#include "dataplane/kernel_dataplane.h"

namespace leman {
namespace {

struct Named {
  const char* name;
  std::uint32_t number;
  const char* text;
};

constexpr std::array kVerdicts = {
#define LM_NAMED(name, number, text) Named{#name, number, text},
    LM_VERDICTS(LM_NAMED)};
constexpr std::array kEvents = {LM_EVENTS(LM_NAMED)
#undef LM_NAMED
};
constexpr std::array kHookNames = {"port", "underlay"};

std::string Lower(const char* name) {
  std::string text(name);
  for (char& c : text) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return text;
}

TrafficCount ToTraffic(const lm_counters& counters) {
  return {.rx = {counters.rx_packets, counters.rx_bytes},
          .tx = {counters.tx_packets, counters.tx_bytes},
          .dropped_packets = counters.dropped_packets};
}

// The clock of bpf_ktime_get_ns().
std::uint64_t MonotonicNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
  return static_cast<std::uint64_t>(now.tv_sec) * kNsPerSecond +
         static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

std::vector<VerdictCount> KernelDataplane::Verdicts() const {
  std::vector<VerdictCount> all;
  for (std::uint32_t hook = 0; hook < kHookNames.size(); ++hook) {
    for (const Named& verdict : kVerdicts) {
      const std::uint32_t index = hook * LM_VERDICT_SLOTS + verdict.number;
      const lm_count count = objects_->maps().verdicts.Sum(index);
      all.push_back({.hook = kHookNames[hook],
                     .verdict = Lower(verdict.name),
                     .text = verdict.text,
                     .is_drop = verdict.number > LM_V_PASSED,
                     .count = {count.packets, count.bytes}});
    }
  }
  return all;
}

std::vector<EventCount> KernelDataplane::Events() const {
  std::vector<EventCount> all;
  all.reserve(std::size(kEvents));
  for (const Named& event : kEvents) {
    all.push_back({.event = Lower(event.name),
                   .text = event.text,
                   .count = objects_->maps().events.Sum(event.number)});
  }
  return all;
}

std::vector<OptionCount> KernelDataplane::ReceivedOptions() const {
  std::vector<OptionCount> all;
  for (const lm_opt_key& key : objects_->maps().opt_stats.Keys<lm_opt_key>()) {
    const lm_count count = objects_->maps().opt_stats.Sum(key);
    all.push_back(
        {.option_class = key.opt_class, .type = key.type, .count = {count.packets, count.bytes}});
  }
  return all;
}

std::vector<LearnedMac> KernelDataplane::Learned() const {
  std::vector<LearnedMac> all;
  const auto entries = objects_->maps().learned.ReadAll();
  if (!entries.ok()) {
    return all;
  }
  const std::uint64_t now = MonotonicNs();
  for (const auto& [key, value] : entries.value()) {
    MacAddress::Bytes mac{};
    std::copy_n(key.mac, mac.size(), mac.begin());
    if (const auto vni = Vni::From(key.vni)) {
      all.push_back(
          {.vni = *vni,
           .mac = MacAddress(mac),
           .vtep = DecodeAddress(value.way.vtep),
           .age = std::chrono::nanoseconds(now > value.seen_ns ? now - value.seen_ns : 0)});
    }
  }
  return all;
}

std::vector<MapUsage> KernelDataplane::Usage() const {
  const std::lock_guard lock(usage_mutex_);
  return usage_;
}

TrafficCount KernelDataplane::PortTraffic(std::uint32_t ifindex) const {
  const std::lock_guard lock(slots_mutex_);
  const auto slot = port_slots_.Find(ifindex);
  return slot ? ToTraffic(objects_->maps().port_stats.Sum(*slot)) : TrafficCount{};
}

TrafficCount KernelDataplane::NetworkTraffic(Vni vni) const {
  const std::lock_guard lock(slots_mutex_);
  const auto slot = network_slots_.Find(vni);
  return slot ? ToTraffic(objects_->maps().net_stats.Sum(*slot)) : TrafficCount{};
}

TrafficCount KernelDataplane::PeerTraffic(const IpAddress& vtep) const {
  const std::lock_guard lock(slots_mutex_);
  const auto slot = peer_slots_.Find(vtep);
  return slot ? ToTraffic(objects_->maps().peer_stats.Sum(*slot)) : TrafficCount{};
}

Status KernelDataplane::ExpireLearned(std::chrono::seconds age) {
  auto& learned = objects_->maps().learned;
  LEMAN_ASSIGN_OR_RETURN(const auto entries, learned.ReadAll());
  const std::uint64_t now = MonotonicNs();
  const auto limit = static_cast<std::uint64_t>(std::chrono::nanoseconds(age).count());
  std::unordered_map<std::uint32_t, std::uint64_t> left;
  for (const auto& [key, value] : entries) {
    if (now > value.seen_ns && now - value.seen_ns > limit) {
      LEMAN_TRY(learned.Remove(key));
    } else {
      ++left[key.vni];
    }
  }
  // The kernel only counts up; this is where the numbers come down again.
  auto& counts = objects_->maps().learn_count;
  LEMAN_ASSIGN_OR_RETURN(const auto counted, counts.ReadAll());
  for (const auto& [vni, count] : counted) {
    const auto found = left.find(vni);
    if (found == left.end()) {
      LEMAN_TRY(counts.Remove(vni));
    } else if (found->second != count) {
      LEMAN_TRY(counts.Put(vni, found->second));
    }
  }
  return {};
}

// Learned MACs behind a VTEP that may no longer send into their network.
Status KernelDataplane::ForgetStrangers() {
  auto& learned = objects_->maps().learned;
  LEMAN_ASSIGN_OR_RETURN(const auto entries, learned.ReadAll());
  for (const auto& [key, value] : entries) {
    const lm_vtep_key vtep{.vni = key.vni, .addr = value.way.vtep};
    const lm_mac_key mac = key;
    if (!vteps_.held().contains(vtep) || fdb_.held().contains(mac)) {
      LEMAN_TRY(learned.Remove(key));
    }
  }
  return {};
}

}  // namespace leman
