#include "agent/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace leman::agent {

Result<std::unique_ptr<EventLoop>> EventLoop::Make() {
  Fd epoll(epoll_create1(EPOLL_CLOEXEC));
  Fd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll.valid() || !wake.valid()) {
    return Fail(ErrnoError(errno, "cannot make the event loop"));
  }
  const int wake_fd = wake.get();
  auto loop = std::unique_ptr<EventLoop>(new EventLoop(std::move(epoll), std::move(wake)));
  LEMAN_TRY(loop->AddFd(wake_fd, [self = loop.get()] {
    std::uint64_t count = 0;
    static_cast<void>(!read(self->wake_.get(), &count, sizeof(count)));
    if (self->on_wake_) {
      self->on_wake_();
    }
  }));
  return loop;
}

Status EventLoop::AddFd(int fd, Callback callback) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return Fail(ErrnoError(errno, "cannot wait for a descriptor"));
  }
  fds_[fd] = std::move(callback);
  return {};
}

EventLoop::TimerId EventLoop::AddTimer(Callback callback) {
  const auto id = static_cast<TimerId>(timers_.size());
  timers_[id].callback = std::move(callback);
  return id;
}

void EventLoop::StartTimer(TimerId timer, std::chrono::milliseconds after) {
  timers_[timer].due = Clock::now() + after;
}

void EventLoop::StartTimerIfIdle(TimerId timer, std::chrono::milliseconds after) {
  if (timers_[timer].due == Clock::time_point::max()) {
    StartTimer(timer, after);
  }
}

void EventLoop::Wake() const {
  const std::uint64_t one = 1;
  static_cast<void>(!write(wake_.get(), &one, sizeof(one)));
}

int EventLoop::WaitMilliseconds() const {
  auto due = Clock::time_point::max();
  for (const auto& [id, timer] : timers_) {
    due = std::min(due, timer.due);
  }
  if (due == Clock::time_point::max()) {
    return -1;
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(due - Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
}

void EventLoop::RunTimers() {
  const auto now = Clock::now();
  for (auto& [id, timer] : timers_) {
    if (timer.due <= now) {
      timer.due = Clock::time_point::max();  // first, so that the callback may start it again
      timer.callback();
    }
  }
}

Status EventLoop::Run() {
  std::array<epoll_event, 16> events{};
  while (!stopped_) {
    const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                 WaitMilliseconds());
    if (count < 0 && errno != EINTR) {
      return Fail(ErrnoError(errno, "cannot wait for events"));
    }
    for (int i = 0; i < count && !stopped_; ++i) {
      const auto callback = fds_.find(events[static_cast<std::size_t>(i)].data.fd);
      if (callback != fds_.end()) {
        callback->second();
      }
    }
    if (!stopped_) {
      RunTimers();
    }
  }
  return {};
}

}  // namespace leman::agent
