// Lets API threads ask the loop to reread the state file and wait for what came of it. Any number
// of requests that come before a reading begins are answered by that one reading: nothing queues
// up.
//
// Threads: Request and Close from any; Begin and Finish from the loop's. Errors: kUnavailable when
// the agent ends or is too slow.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>

#include "base/result.h"

namespace leman::agent {

struct ReloadOutcome {
  std::uint64_t revision = 0;
  std::uint64_t added = 0;
  std::uint64_t changed = 0;
  std::uint64_t removed = 0;
  double reconcile_ms = 0;
};

class ReloadGate {
 public:
  // `wake` makes the loop call Begin soon; from any thread.
  explicit ReloadGate(std::function<void()> wake) : wake_(std::move(wake)) {}

  [[nodiscard]] Result<ReloadOutcome> Request(std::chrono::milliseconds deadline) {
    std::unique_lock lock(mutex_);
    const std::uint64_t mine = ++requested_;
    wake_();
    const bool done =
        changed_.wait_for(lock, deadline, [&] { return finished_ >= mine || closed_; });
    if (!done) {
      return Fail(Code::kUnavailable, "the agent is busy; the reload is still to come");
    }
    if (finished_ < mine) {
      return Fail(Code::kUnavailable, "the agent is stopping");
    }
    return outcome_;
  }

  // True: somebody waits; read now and call Finish.
  [[nodiscard]] bool Begin() {
    const std::lock_guard lock(mutex_);
    begun_ = requested_;
    return begun_ > finished_;
  }
  void Finish(Result<ReloadOutcome> outcome) {
    const std::lock_guard lock(mutex_);
    outcome_ = std::move(outcome);
    finished_ = begun_;
    changed_.notify_all();
  }
  void Close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  std::function<void()> wake_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t requested_ = 0;
  std::uint64_t begun_ = 0;
  std::uint64_t finished_ = 0;
  Result<ReloadOutcome> outcome_;
  bool closed_ = false;
};

}  // namespace leman::agent
