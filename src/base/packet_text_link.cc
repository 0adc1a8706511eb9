#include "base/packet_text_link.h"

#include <geneve/checksum.h>
#include <geneve/packet.h>

#include <algorithm>
#include <array>

namespace leman {

namespace {

using geneve::ByteSpan;
using geneve::LoadBe16;

constexpr std::size_t kEthernetBytes = 14;
constexpr std::size_t kIpv4Bytes = 20;
constexpr std::size_t kUdpBytes = 8;
constexpr std::size_t kMaxUdpPayload = 65535 - kIpv4Bytes - kUdpBytes;

EthernetFrame WithEthernet(ByteSpan payload, std::uint16_t ether_type, std::size_t removed) {
  EthernetFrame frame;
  frame.store.assign(kEthernetBytes, 0);
  geneve::StoreBe16(&frame.store[12], ether_type);
  frame.store.insert(frame.store.end(), payload.begin(), payload.end());
  frame.bytes = frame.store;
  frame.added = kEthernetBytes;
  frame.removed = removed;
  return frame;
}

// A bare GENEVE message as the payload of a datagram that is right in every outer field.
EthernetFrame AroundUdpPayload(ByteSpan message) {
  message = message.first(std::min(message.size(), kMaxUdpPayload));
  std::array<std::uint8_t, kIpv4Bytes + kUdpBytes> headers{};
  headers[0] = 0x45;
  geneve::StoreBe16(&headers[2], static_cast<std::uint16_t>(headers.size() + message.size()));
  headers[8] = 64;
  headers[9] = 17;
  const std::uint16_t sum =
      geneve::ChecksumFold(geneve::ChecksumAdd(0, ByteSpan(headers).first(kIpv4Bytes)));
  geneve::StoreBe16(&headers[10], static_cast<std::uint16_t>(~sum));
  geneve::StoreBe16(&headers[kIpv4Bytes + 2], geneve::kUdpPort);
  geneve::StoreBe16(&headers[kIpv4Bytes + 4],
                    static_cast<std::uint16_t>(kUdpBytes + message.size()));
  EthernetFrame frame = WithEthernet(headers, geneve::kProtocolIpv4, 0);
  frame.store.insert(frame.store.end(), message.begin(), message.end());
  frame.bytes = frame.store;
  frame.added = kEthernetBytes + headers.size();
  return frame;
}

}  // namespace

EthernetFrame AsEthernet(ByteSpan packet, PacketLink link) {
  switch (link) {
    case PacketLink::kRawIp:
      if (!packet.empty()) {
        return WithEthernet(
            packet, packet[0] >> 4U == 6 ? geneve::kProtocolIpv6 : geneve::kProtocolIpv4, 0);
      }
      break;
    case PacketLink::kLinuxSll:
      if (packet.size() >= 16) {
        return WithEthernet(packet.subspan(16), LoadBe16(&packet[14]), 16);
      }
      break;
    case PacketLink::kLinuxSll2:
      if (packet.size() >= 20) {
        return WithEthernet(packet.subspan(20), LoadBe16(&packet[0]), 20);
      }
      break;
    case PacketLink::kUdpPayload:
      return AroundUdpPayload(packet);
    case PacketLink::kEthernet: {
      EthernetFrame frame;
      frame.bytes = packet;
      return frame;
    }
  }
  EthernetFrame frame;
  frame.readable = false;
  return frame;
}

}  // namespace leman
