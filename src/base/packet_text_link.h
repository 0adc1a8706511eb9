// Packets of any link type as the Ethernet frames that the codec reads.
//
// Threads: pure functions. Errors: a link header that is cut gives a frame that is not readable.
// Units: bytes.
#pragma once

#include <geneve/bytes.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace leman {

// What the first byte of a packet is.
enum class PacketLink {
  kEthernet,
  kRawIp,       // IPv4 or IPv6 header
  kLinuxSll,    // "cooked" capture, 16 bytes (device "any")
  kLinuxSll2,   // the same, 20 bytes
  kUdpPayload,  // the GENEVE header
};

// Other link types get an Ethernet header in place of their own; `added` and `removed` translate
// offsets back. Ownership: `bytes` refers to `store`, or to the packet given when that is empty; so
// a frame moves and is never copied.
struct EthernetFrame {
  EthernetFrame() = default;
  EthernetFrame(EthernetFrame&&) = default;
  EthernetFrame& operator=(EthernetFrame&&) = default;

  std::vector<std::uint8_t> store;
  geneve::ByteSpan bytes;
  std::size_t added = 0;
  std::size_t removed = 0;
  bool readable = true;

  // Where the byte at `offset` of this frame is in the packet given.
  [[nodiscard]] std::size_t Given(std::size_t offset) const {
    const std::size_t real = offset + removed;
    return real < added ? 0 : real - added;
  }
};

[[nodiscard]] EthernetFrame AsEthernet(geneve::ByteSpan packet, PacketLink link);

}  // namespace leman
