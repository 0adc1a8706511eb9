// How packet_text_frame reads one header after the other: a cursor over the bytes that collects the
// layers, and the protocols that move it. Nobody else includes this.
//
// Threads: one thread. Ownership: the walk owns its text and refers to the bytes.
#pragma once

#include <geneve/bytes.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/packet_text_field.h"
#include "base/packet_text_frame.h"

namespace leman {

class HeaderWalk {
 public:
  HeaderWalk(geneve::ByteSpan bytes, std::size_t base) : rest_(bytes), at_(base) {}

  // What has not been read yet, and its offset in the packet.
  [[nodiscard]] geneve::ByteSpan rest() const { return rest_; }
  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] FrameText& text() { return text_; }

  // A new layer that starts here; the reference is good until the next one.
  PacketField& Layer(std::string key, std::string label);
  // False, with a layer that says so, when fewer than `count` bytes are left.
  [[nodiscard]] bool Need(std::size_t count, const std::string& what);
  void Skip(std::size_t count);
  // The first `count` bytes of the rest are all there is: what follows is padding.
  void Limit(std::size_t count);
  // The rest as bytes.
  void Data(const std::string& what);

 private:
  geneve::ByteSpan rest_;
  std::size_t at_;
  FrameText text_;
};

// Each reads its header, adds its layer and goes on to what the header names.
void WalkEthernet(HeaderWalk& walk);
void WalkNetwork(HeaderWalk& walk, std::uint16_t ether_type);
void WalkIpv4(HeaderWalk& walk);
void WalkIpv6(HeaderWalk& walk);
void WalkTransport(HeaderWalk& walk, std::uint8_t protocol);

// "TCP", "protocol 99".
[[nodiscard]] std::string ProtocolName(std::uint8_t protocol);

}  // namespace leman
