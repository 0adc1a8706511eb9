// Two fresh network namespaces for one test: "host" with the devices the datapath is attached to,
// and "guest" with their other ends.
//
//   host                          guest
//   underlay  192.168.1.102/24 -- far-underlay   other VTEPs
//   port-a, port-b, port-c     -- far-a, far-b, far-c   workloads
//
// Threads: moves the calling thread into the host namespace; use it on that thread only.
// Ownership: the namespaces go with the object, which moves the thread back.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"

namespace leman::packet_test {

using Bytes = std::vector<std::uint8_t>;

// virtio_net_hdr of a frame: what an offloading sender says of it.
struct Offload {
  std::uint8_t flags = 0;  // VIRTIO_NET_HDR_F_NEEDS_CSUM
  std::uint8_t gso_type = 0;
  std::uint16_t header_bytes = 0;
  std::uint16_t gso_size = 0;
  std::uint16_t checksum_start = 0;
  std::uint16_t checksum_offset = 0;
};

struct Frame {
  Bytes bytes;  // VLAN tags are where they were on the wire
  Offload offload;
};

// Sends and receives whole frames on one device. Sees what comes in, not what it sends itself.
class FrameSocket {
 public:
  FrameSocket() = default;
  explicit FrameSocket(Fd fd) : fd_(std::move(fd)) {}

  void Send(const Bytes& frame, const Offload& offload = {}) const;
  // The next frame; nothing when none comes before the deadline.
  [[nodiscard]] std::optional<Frame> Receive(std::chrono::milliseconds deadline) const;
  // Frames that are there now.
  [[nodiscard]] std::vector<Frame> Drain() const;

 private:
  Fd fd_;
};

class NetLab {
 public:
  NetLab();
  ~NetLab();
  NetLab(const NetLab&) = delete;
  NetLab& operator=(const NetLab&) = delete;

  // Lines for `ip -batch`; throws std::runtime_error with the text when one is refused.
  void Ip(const std::string& lines) const;
  void GuestIp(const std::string& lines) const;
  // Any command in the host namespace; what it printed.
  [[nodiscard]] std::string Run(const std::string& command) const;
  // Of a device in the host namespace; throws when there is none.
  [[nodiscard]] std::uint32_t Ifindex(const std::string& device) const;
  [[nodiscard]] FrameSocket OpenGuest(const std::string& device) const;
  [[nodiscard]] FrameSocket OpenHost(const std::string& device) const;

 private:
  Fd before_;
  Fd guest_;
  Fd host_;
};

}  // namespace leman::packet_test
