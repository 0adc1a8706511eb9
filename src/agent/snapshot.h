// What the agent knows, as its API and its metrics read it.
//
// Threads: a Snapshot never changes once published; Board from any thread. Ownership: snapshots are
// shared by the loop that makes them and the requests that read them, the last one frees them.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/dataplane.h"
#include "model/desired_state.h"
#include "model/host_program.h"

namespace leman::agent {

// The start in order; numbers are those of AgentState in api/leman/v1/agent.proto.
enum class StartState : std::uint8_t {
  kStarting = 0,
  kConfigLoaded = 1,
  kMapsOpen = 2,
  kLinksListed = 3,
  kSnapshotComplete = 4,
  kReconciled = 5,
  kReady = 6,
};

[[nodiscard]] constexpr std::string_view StartStateName(StartState state) {
  constexpr std::string_view kNames[] = {"starting",     "config loaded",     "maps open",
                                         "links listed", "snapshot complete", "reconciled",
                                         "ready"};
  return kNames[static_cast<std::size_t>(state)];
}

struct ReconcileCount {
  std::uint64_t reconciles = 0;
  std::uint64_t reconcile_failures = 0;
  std::uint64_t state_load_failures = 0;
  std::uint64_t audits = 0;
  std::uint64_t audit_repairs = 0;  // entries that an audit found other than applied
};

struct Snapshot {
  StartState start_state = StartState::kStarting;
  std::shared_ptr<const model::DesiredState> state;   // null before kConfigLoaded
  std::shared_ptr<const model::HostProgram> program;  // null before kSnapshotComplete
  std::vector<model::Problem> problems;
  std::uint32_t underlay_mtu = 0;  // bytes; 0: device not there
  std::uint64_t revision = 0;      // states taken over since start
  double last_reconcile_ms = 0;
  std::uint64_t last_added = 0;
  std::uint64_t last_changed = 0;
  std::uint64_t last_removed = 0;
  ReconcileCount count;
};

class Board {
 public:
  void Publish(std::shared_ptr<const Snapshot> snapshot) {
    const std::lock_guard lock(mutex_);
    snapshot_.swap(snapshot);  // the old one is freed outside of the lock
  }
  // Never null.
  [[nodiscard]] std::shared_ptr<const Snapshot> Get() const {
    const std::lock_guard lock(mutex_);
    return snapshot_;
  }

  // Null before kMapsOpen. Only its reading methods are for other threads than the loop's.
  void SetDataplane(const Dataplane* dataplane) { dataplane_ = dataplane; }
  [[nodiscard]] const Dataplane* dataplane() const { return dataplane_; }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Snapshot> snapshot_ = std::make_shared<const Snapshot>();
  std::atomic<const Dataplane*> dataplane_ = nullptr;
};

}  // namespace leman::agent
