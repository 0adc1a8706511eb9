// Packets seen at one place of a lab: a device in a namespace, or a socket of a machine.
//
// Threads:   one at a time. Ownership: a Capture owns its libpcap handle and the packets read so
// far. Errors:    kInternal with libpcap's own words. A Capture hears everything from the moment
// Open() returns: the kernel keeps what is not read yet.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace leman::lab {

struct Packet {
  std::int64_t time_ns = 0;  // of day; 0: not known
  std::vector<std::uint8_t> bytes;
  std::uint64_t original_bytes = 0;
};

enum class Direction : std::uint8_t { kIn, kOut, kBoth };

class Capture {
 public:
  // Whole frames at `device`; `pcap_path` gets the same as a pcap file.
  [[nodiscard]] static Result<std::unique_ptr<Capture>> Open(const std::string& netns,
                                                             const std::string& device,
                                                             Direction direction,
                                                             const std::string& pcap_path);
  ~Capture();
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  // What has come so far, the oldest first.
  [[nodiscard]] const std::vector<Packet>& Packets();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  Capture() = default;

  struct Handles;
  std::unique_ptr<Handles> handles_;
  std::vector<Packet> packets_;
  std::string path_;
};

// Every packet of a pcap file that something else wrote.
[[nodiscard]] Result<std::vector<Packet>> ReadPcap(const std::string& path);

// The ICMP messages that a machine's own IP stack accepted, as a program inside would get them: the
// IPv4 header first for IPv4, the ICMPv6 message alone for IPv6.
class IcmpSocket {
 public:
  [[nodiscard]] static Result<IcmpSocket> Open(const std::string& netns, bool ipv6);
  [[nodiscard]] std::vector<Packet> Packets() const;

 private:
  Fd socket_;
};

}  // namespace leman::lab
