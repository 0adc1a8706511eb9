// One packet, readable: a GENEVE packet from the outer frame to the inner transport header, with
// the verdict a strict endpoint gives on it.
//
// Purpose:   what `leman decode`, `leman capture` and the demo show. The codec says what is right
//            (geneve/packet.h); this says it in words, as a tree that prints as text or as JSON.
// Threads:   pure functions.
// Ownership: results own their text; nothing refers to the packet's bytes afterwards.
// Errors:    none. Any bytes give a description; what cannot be read is said.
// Units:     bytes; offsets count from the first byte of what was given, whatever its link type.
#pragma once

#include <geneve/packet.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/packet_text_field.h"
#include "base/packet_text_link.h"

namespace leman {

struct PacketTextOptions {
  PacketLink link = PacketLink::kEthernet;
  std::uint16_t udp_port = geneve::kUdpPort;
  // Forgive what a receiver may forgive: see geneve::OptionHandling::kLenient; and accept UDP
  // checksum zero over IPv6.
  bool lenient = false;
  // Take an outer checksum that is only begun (it holds the pseudo-header's sum) for the work of
  // checksum offload: what a capture on the sending host shows. Lenient does so too.
  bool unfinished_checksum = false;
  // Bytes on the wire when the capture kept fewer; 0: all are there.
  std::size_t original_bytes = 0;
  geneve::Registry registry;
};

enum class PacketVerdict {
  kAccept,
  kControl,
  kDrop,
  kNotGeneve,
  kCut,  // the capture kept too few bytes to say
};
inline constexpr std::size_t kPacketVerdicts = 5;
[[nodiscard]] std::string_view PacketVerdictName(PacketVerdict verdict);  // "accept", "not_geneve"

struct PacketText {
  PacketVerdict verdict = PacketVerdict::kNotGeneve;
  std::optional<geneve::Reason> reason;  // with kDrop
  std::optional<std::size_t> offset;     // of the fault
  std::optional<std::uint32_t> vni;      // when a GENEVE header was seen
  std::string summary;                   // one line: addresses, VNI, inner packet
  std::string conclusion;                // "ACCEPT", "DROP OPT_TRUNC at byte 42: … (RFC 8926 …)"
  std::vector<PacketField> layers;
};

[[nodiscard]] PacketText DescribePacket(geneve::ByteSpan packet, const PacketTextOptions& options);

// The tree, one field a line, `indent` blanks before each; ends with the verdict.
[[nodiscard]] std::string RenderPacket(const PacketText& packet, int indent);

// Where the rule behind a reason is written: "RFC 8926 section 3.4".
[[nodiscard]] std::string_view ReasonStandard(geneve::Reason reason);

}  // namespace leman
