// A Dataplane in memory, for the tests of the agent. Keeps what was applied; counters are set by
// hand.
#pragma once

#include <optional>
#include <vector>

#include "dataplane/dataplane.h"

namespace leman {

class FakeDataplane : public Dataplane {
 public:
  Result<ApplyReport> Apply(const model::HostProgram& wanted) override {
    ++applies;
    if (fail_with.has_value()) {
      return Fail(*fail_with);
    }
    applied = wanted;
    return ApplyReport{};
  }
  Result<ApplyReport> Audit() override {
    ++audits;
    return ApplyReport{};
  }
  void DeviceGone(std::uint32_t ifindex) override { gone.push_back(ifindex); }
  Status ExpireLearned(std::chrono::seconds /*age*/) override { return {}; }
  Status Detach() override {
    detached = true;
    return {};
  }
  std::vector<VerdictCount> Verdicts() const override { return verdicts; }
  std::vector<EventCount> Events() const override { return {}; }
  std::vector<OptionCount> ReceivedOptions() const override { return {}; }
  std::vector<LearnedMac> Learned() const override { return {}; }
  std::vector<MapUsage> Usage() const override { return {}; }
  TrafficCount PortTraffic(std::uint32_t /*ifindex*/) const override { return {}; }
  TrafficCount NetworkTraffic(Vni /*vni*/) const override { return {}; }
  TrafficCount PeerTraffic(const IpAddress& /*vtep*/) const override { return {}; }

  int applies = 0;
  int audits = 0;
  bool detached = false;
  std::vector<std::uint32_t> gone;
  std::optional<Error> fail_with;
  std::optional<model::HostProgram> applied;
  std::vector<VerdictCount> verdicts;
};

}  // namespace leman
