// What the tests must know of a GENEVE packet by themselves, without the code under test.
#pragma once

#include <cstddef>
#include <cstdint>

#include "net_lab.h"

namespace leman::packet_test {

// Untagged Ethernet, IPv4 without options or IPv6 without extension headers, UDP.
[[nodiscard]] bool IsTunnelPacket(const Bytes& frame);  // to UDP port 6081
[[nodiscard]] std::uint16_t SourcePort(const Bytes& frame);
[[nodiscard]] std::uint16_t UdpChecksumField(const Bytes& frame);
[[nodiscard]] std::uint32_t FlowLabel(const Bytes& frame);  // 0 with IPv4
// Over the whole datagram with its pseudo header.
[[nodiscard]] bool UdpChecksumIsRight(const Bytes& frame);

// Equal but for UDP source port, UDP checksum and IPv6 flow label.
[[nodiscard]] bool SameButEntropy(const Bytes& a, const Bytes& b);

// Writes the checksum over the bytes [from, end) into `field`, as an offloading device does.
void FillChecksum(Bytes* frame, std::size_t from, std::size_t field);

// libgeneve accepts the packet and delivers exactly `inner`.
void CheckByCodec(const Bytes& frame, const Bytes& inner);

// Appends to the capture file $PACKET_CAPTURE, if there is one, which the tshark test reads.
void KeepForTshark(const Bytes& frame);

}  // namespace leman::packet_test
