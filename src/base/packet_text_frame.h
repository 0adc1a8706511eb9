// Ethernet, VLAN, ARP, IP, ICMP, TCP, UDP and SCTP headers in words: the part of packet_text that
// knows nothing of GENEVE, used for the outer and for the inner packet alike.
//
// Threads: pure functions. Errors: none; a header that is cut ends the walk and the text says so.
#pragma once

#include <geneve/bytes.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/packet_text_field.h"

namespace leman {

struct FrameText {
  std::vector<PacketField> layers;
  std::string hosts;      // "10.0.1.10 > 10.0.1.11", or the MACs where there is no IP
  std::string transport;  // "ICMP echo request id 4660 seq 1"
};

// `base` is the offset of bytes[0] in the packet. DescribeNetwork starts behind the link header.
[[nodiscard]] FrameText DescribeEthernet(geneve::ByteSpan bytes, std::size_t base);
[[nodiscard]] FrameText DescribeNetwork(geneve::ByteSpan bytes, std::size_t base,
                                        std::uint16_t ether_type);

// "IPv4", "ARP", "0x1234".
[[nodiscard]] std::string EtherTypeName(std::uint16_t ether_type);

}  // namespace leman
