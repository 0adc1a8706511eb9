// Why a packet is not accepted, and where in it.
//
// Purpose: one closed list of reasons for the header codec (geneve/header.h) and the whole-packet
// decoder (geneve/packet.h). The order of the list is the order of the checks.
// Threads, ownership: plain values, static strings.
// Units: DecodeError::offset counts bytes from the start of what was given to the decoder.

#pragma once

#include <cstdint>
#include <string_view>

namespace geneve {

// X(enumerator, NAME, text). The names are the words that counters and tools show.
#define GENEVE_REASONS(X)                                                                   \
  X(kOuterLen, "OUTER_LEN", "outer IP length fields do not fit the frame")                  \
  X(kOuterIpCsum, "OUTER_IPCSUM", "outer IPv4 header checksum is wrong")                    \
  X(kOuterFrag, "OUTER_FRAG", "outer packet is a fragment")                                 \
  X(kUdpLen, "UDP_LEN", "UDP length below 8 or beyond the IP payload")                      \
  X(kUdpCsum, "UDP_CSUM", "UDP checksum is wrong")                                          \
  X(kUdp6ZeroCsum, "UDP6_ZERO_CSUM", "UDP checksum 0 over IPv6 without zero-checksum mode") \
  X(kShortHdr, "SHORT_HDR", "fewer than the 8 bytes of the GENEVE header")                  \
  X(kVersion, "VERSION", "GENEVE version is not 0")                                         \
  X(kOptTrunc, "OPT_TRUNC", "options longer than the datagram")                             \
  X(kOptCapacity, "OPT_CAPACITY", "options longer than this endpoint takes")                \
  X(kOptLen, "OPT_LEN", "an option runs past the options area")                             \
  X(kOptKnownLen, "OPT_KNOWN_LEN", "known option with another length than registered")      \
  X(kOptCrit, "OPT_CRIT", "unknown option that is critical")                                \
  X(kPeer, "PEER", "outer source is no configured peer")                                    \
  X(kVni, "VNI", "VNI is not provisioned")                                                  \
  X(kProto, "PROTO", "protocol type does not fit the VNI")                                  \
  X(kInnerShort, "INNER_SHORT", "inner Ethernet or IP header is incomplete")                \
  X(kEcn, "ECN", "inner Not-ECT under an outer CE mark")

enum class Reason : uint8_t {
#define GENEVE_REASON_ENUM(enumerator, name, text) enumerator,
  GENEVE_REASONS(GENEVE_REASON_ENUM)
#undef GENEVE_REASON_ENUM
};

// "OPT_TRUNC"
std::string_view ReasonName(Reason reason);
// "options longer than the datagram"
std::string_view ReasonText(Reason reason);

struct DecodeError {
  Reason reason = Reason::kShortHdr;
  // First byte of the field or option at fault; where bytes are missing, the first missing one.
  uint32_t offset = 0;

  friend constexpr bool operator==(const DecodeError&, const DecodeError&) = default;
};

}  // namespace geneve
