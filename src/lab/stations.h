// The five stations of one packet: captures on the way from one machine to another, and the same
// packet found in each of them.
//
// Threads: one at a time. Ownership: a Stations object owns its captures; the pcap files stay.
// Errors: which station did not see the packet.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "lab/capture.h"
#include "lab/lab.h"

namespace leman::lab {

enum class StationKind : std::uint8_t { kMachine, kEncapsulation, kUnderlay, kDecapsulation };

struct Station {
  StationKind kind = StationKind::kMachine;
  std::string title;  // "encapsulation"
  std::string place;  // "host-a eth0, leaving"
  std::string file;   // the capture as a pcap file, empty if there is none
  Packet packet;
  bool raw_ip = false;           // the packet starts with its IP header, not with Ethernet
  std::size_t inner_offset = 0;  // where the machine's own packet starts, past its Ethernet header
  std::size_t inner_bytes = 0;   // of the machine's IP packet
};

class Stations {
 public:
  // Starts listening everywhere on the way from `from` to `to`; files go to `directory`.
  [[nodiscard]] static Result<Stations> Listen(const MachinePlan& from, const MachinePlan& to,
                                               const std::string& directory);
  // Follows the first echo request from machine to machine through all captures.
  [[nodiscard]] Result<std::vector<Station>> Follow();

 private:
  Stations() = default;

  MachinePlan from_;
  MachinePlan to_;
  std::unique_ptr<Capture> from_machine_;  // empty for a virtual machine: its card records
  std::unique_ptr<Capture> from_host_;
  std::unique_ptr<Capture> to_host_;
  std::unique_ptr<Capture> to_port_;
  std::unique_ptr<Capture> to_machine_;
  std::optional<IcmpSocket> to_program_;
};

// Finds an ICMP or ICMPv6 echo request to `to` in an Ethernet frame that starts at `offset`;
// returns the IP packet's bytes (without padding), empty if it is none.
[[nodiscard]] std::vector<std::uint8_t> EchoRequestTo(const std::vector<std::uint8_t>& frame,
                                                      std::size_t offset, const IpAddress& to);

}  // namespace leman::lab
