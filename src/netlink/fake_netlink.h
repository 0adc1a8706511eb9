// A Netlink in memory, for the tests of the agent: links are set by hand, Notify() makes an event.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "netlink/netlink.h"

namespace leman {

class FakeNetlink : public Netlink {
 public:
  FakeNetlink() : event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

  Result<model::HostFacts> ListLinks() override {
    ++lists;
    if (fail_with.has_value()) {
      return Fail(*fail_with);
    }
    return links;
  }
  int event_fd() const override { return event_.get(); }
  Result<LinkEvents> DrainEvents() override {
    std::uint64_t count = 0;
    return LinkEvents{.changed = read(event_.get(), &count, sizeof(count)) == sizeof(count),
                      .lost = lost.exchange(false),
                      .gone = std::exchange(gone, {})};
  }
  Result<bool> MakeSegmenter() override {
    if (segmenter_fails_with.has_value()) {
      return Fail(*segmenter_fails_with);
    }
    ++segmenters;
    const bool made = links.try_emplace(model::kSegmenterTx).second;
    links.try_emplace(model::kSegmenterRx);
    return made;
  }
  Status RemoveSegmenter() override {
    links.erase(model::kSegmenterTx);
    links.erase(model::kSegmenterRx);
    return {};
  }
  Result<UdpPortClaim> ClaimUdpPort(std::uint16_t port) override {
    if (port == busy_port) {
      return Fail(Code::kAlreadyExists, "UDP port is busy");
    }
    claimed_port = port;
    return UdpPortClaim();
  }

  void Notify() const {
    const std::uint64_t one = 1;
    static_cast<void>(!write(event_.get(), &one, sizeof(one)));
  }

  model::HostFacts links;
  std::vector<std::uint32_t> gone;  // told with the next event
  std::atomic<bool> lost = false;
  std::optional<Error> fail_with;
  std::optional<Error> segmenter_fails_with;
  std::uint16_t busy_port = 0;
  std::uint16_t claimed_port = 0;
  int lists = 0;
  int segmenters = 0;

 private:
  Fd event_;
};

}  // namespace leman
