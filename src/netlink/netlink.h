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

class Netlink {
 public:
  virtual ~Netlink() = default;

  // Every link of this network namespace by name, with its addresses.
  [[nodiscard]] virtual Result<model::HostFacts> ListLinks() = 0;

  // Readable when a link or address may have changed; then call DrainEvents.
  [[nodiscard]] virtual int event_fd() const = 0;
  // Takes what waits. True: something changed (or events were lost): list again.
  [[nodiscard]] virtual Result<bool> DrainEvents() = 0;

  // Makes the segmenter if it is not there, see segmenter.h.
  [[nodiscard]] virtual Status MakeSegmenter() = 0;

  // kAlreadyExists names who has the port: a tunnel device or a process.
  [[nodiscard]] virtual Result<UdpPortClaim> ClaimUdpPort(std::uint16_t port) = 0;
};

// Of the network namespace of the calling thread.
[[nodiscard]] Result<std::unique_ptr<Netlink>> OpenNetlink();

}  // namespace leman
