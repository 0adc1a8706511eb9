// Packets of one device as they pass, through libpcap.
//
// Threads: one thread. Ownership: owns the capture; moving it does not end it.
// Errors: kNotFound with the devices that are there, kPermissionDenied with the way out,
//         kInvalidArgument for a filter that does not compile.
#pragma once

#include <pcap/pcap.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "cli/packet_source.h"

namespace leman::cli {

struct LiveOptions {
  std::string device;
  std::string filter;
  int snap_length = 262'144;
  bool promiscuous = false;
};

struct LiveStatistics {
  std::uint64_t received = 0;
  std::uint64_t dropped = 0;  // by the kernel, for want of buffer
};

class LiveCapture {
 public:
  [[nodiscard]] static Result<LiveCapture> Open(const LiveOptions& options);

  // For poll(2).
  [[nodiscard]] int fd() const;
  // Hands what is there to `each`, until it returns false; does not wait.
  [[nodiscard]] Status Drain(const std::function<bool(const CapturedPacket&)>& each);
  [[nodiscard]] PacketLink link() const { return link_; }
  [[nodiscard]] LiveStatistics statistics() const;

 private:
  struct Close {
    void operator()(pcap_t* pcap) const { pcap_close(pcap); }
  };
  using Pcap = std::unique_ptr<pcap_t, Close>;

  LiveCapture(Pcap pcap, PacketLink link) : pcap_(std::move(pcap)), link_(link) {}

  Pcap pcap_;
  PacketLink link_;
};

// Moves this thread into the network namespace /run/netns/NAME, for good.
[[nodiscard]] Status EnterNetworkNamespace(const std::string& name);

}  // namespace leman::cli
