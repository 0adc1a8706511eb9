// One thread that waits: descriptors, timers, and work posted from other threads.
//
// Threads: everything on the loop's thread, except Wake(), which any thread may call.
// Ownership: descriptors stay the caller's and must outlive the loop's last Run. Errors: kInternal
// when the kernel refuses a descriptor. Units: std::chrono.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "base/fd.h"
#include "base/result.h"

namespace leman::agent {

class EventLoop {
 public:
  using Clock = std::chrono::steady_clock;
  using Callback = std::function<void()>;
  enum class TimerId : std::uint32_t {};

  [[nodiscard]] static Result<std::unique_ptr<EventLoop>> Make();

  // `callback` runs whenever `fd` is readable.
  [[nodiscard]] Status AddFd(int fd, Callback callback);

  // A timer at rest; `callback` runs once each time it is started and has run down.
  [[nodiscard]] TimerId AddTimer(Callback callback);
  // Starting a running timer sets it anew.
  void StartTimer(TimerId timer, std::chrono::milliseconds after);
  // Lets a running timer run: what comes in bursts is handled once.
  void StartTimerIfIdle(TimerId timer, std::chrono::milliseconds after);

  // Runs `callback` of OnWake soon, once however often it is called before that. Any thread.
  void Wake() const;
  void OnWake(Callback callback) { on_wake_ = std::move(callback); }

  // Until Stop().
  [[nodiscard]] Status Run();
  void Stop() { stopped_ = true; }

 private:
  struct Timer {
    Callback callback;
    Clock::time_point due = Clock::time_point::max();
  };

  EventLoop(Fd epoll, Fd wake) : epoll_(std::move(epoll)), wake_(std::move(wake)) {}
  void RunTimers();
  [[nodiscard]] int WaitMilliseconds() const;

  Fd epoll_;
  Fd wake_;
  std::map<int, Callback> fds_;
  std::map<TimerId, Timer> timers_;
  Callback on_wake_;
  bool stopped_ = false;
};

}  // namespace leman::agent
