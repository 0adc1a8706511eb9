// The links and addresses of this host, and who has its UDP ports. The only room that speaks
// rtnetlink and sock_diag for the agent.
//
// Threads: one; all methods on the thread that made it. Ownership: holds its sockets.
// Errors: kPermissionDenied, kInternal with the errno; a listing that the kernel interrupted is
// repeated and never half told.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "model/compile.h"

namespace leman {

// A claimed UDP port: sockets bound to it on both families that take in nothing. While it lives, no
// other tunnel device or program can take the port and swallow or answer what is ours.
class UdpPortClaim {
 public:
  UdpPortClaim() = default;
  UdpPortClaim(Fd v4, Fd v6) : v4_(std::move(v4)), v6_(std::move(v6)) {}

 private:
  Fd v4_;
  Fd v6_;
};

// What happened to links and addresses since it was asked last.
struct LinkEvents {
  bool changed = false;             // list again
  bool lost = false;                // some events were lost: `gone` may lack some
  std::vector<std::uint32_t> gone;  // ifindexes of devices that were deleted or moved away
};

class Netlink {
 public:
  virtual ~Netlink() = default;

  // Every link of this network namespace by name, with its addresses.
  [[nodiscard]] virtual Result<model::HostFacts> ListLinks() = 0;

  // Readable when a link or address may have changed; then call DrainEvents.
  [[nodiscard]] virtual int event_fd() const = 0;
  // Takes what waits.
  [[nodiscard]] virtual Result<LinkEvents> DrainEvents() = 0;

  // See segmenter.h. True: it was not there.
  [[nodiscard]] virtual Result<bool> MakeSegmenter() = 0;
  [[nodiscard]] virtual Status RemoveSegmenter() = 0;

  // kAlreadyExists names who has the port: a tunnel device or a process.
  [[nodiscard]] virtual Result<UdpPortClaim> ClaimUdpPort(std::uint16_t port) = 0;
};

// Of the network namespace of the calling thread.
[[nodiscard]] Result<std::unique_ptr<Netlink>> OpenNetlink();

}  // namespace leman
