// Decoding of the GENEVE header (RFC 8926 sections 3.4 and 3.5).
//
// Purpose:   DecodeHeader() gives the verdict of an endpoint on a GENEVE message: the UDP payload
//            of a datagram whose outer headers have been dealt with (geneve/packet.h does that).
// Threads:   pure functions over the caller's bytes.
// Ownership: HeaderView borrows the message and must not outlive it.
// Errors:    Reason and byte offset, never a read outside the span. The checks run in the order
//            SHORT_HDR, VERSION, OPT_TRUNC, OPT_CAPACITY, OPT_LEN, OPT_KNOWN_LEN, OPT_CRIT; each
//            is made for the whole list before the next, so one packet has one reason however its
//            options are ordered.
// Units:     bytes; integers in host byte order.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "geneve/bytes.h"
#include "geneve/error.h"
#include "geneve/option.h"
#include "geneve/option_set.h"
#include "geneve/result.h"
#include "geneve/vni.h"

namespace geneve {

inline constexpr uint16_t kUdpPort = 6081;             // section 3.3
inline constexpr uint16_t kProtocolEthernet = 0x6558;  // Trans Ether Bridging
inline constexpr uint16_t kProtocolIpv4 = 0x0800;
inline constexpr uint16_t kProtocolIpv6 = 0x86DD;

inline constexpr uint8_t kControlFlag = 0x80;   // O: control packet
inline constexpr uint8_t kCriticalFlag = 0x40;  // C: critical options present

// How an endpoint treats options.
enum class OptionHandling : uint8_t {
  // The endpoint reads options. An unknown critical one drops the packet whatever the C bit says
  // (section 3.5.1), a known one must have a registered length.
  kStrict,
  // As strict, but forgiving where a sender broke a rule and the sense is clear: unknown critical
  // options under C = 0 pass (section 3.4 lets such a packet be stripped unread), and a known
  // option of wrong length counts as unknown.
  kLenient,
  // The endpoint has no option parser: C = 1 drops the packet (section 3.4), else options are
  // stripped unread. Lengths are checked all the same.
  kNone,
};

struct DecodePolicy {
  OptionHandling handling = OptionHandling::kStrict;
  uint16_t option_capacity = kMaxOptionsBytes;  // section 3.5.1: more than this is dropped
  const OptionSet* known = nullptr;             // borrowed; null: no option is known
};

class HeaderView;

// Decodes the header at the start of `message`; what follows it is payload and not looked at.
Result<HeaderView, DecodeError> DecodeHeader(ByteSpan message, const DecodePolicy& policy = {});

class HeaderView {
 public:
  // The header as it claims to be, with nothing checked but that its 8 bytes are there: for tools
  // that show what was sent, also when it is wrong. Options and payload end with the message.
  static constexpr std::optional<HeaderView> Peek(ByteSpan message) {
    if (message.size() < kFixedHeaderBytes) return std::nullopt;
    return HeaderView(message);
  }

  constexpr uint8_t version() const { return static_cast<uint8_t>(message_[0] >> 6); }
  constexpr size_t option_bytes() const { return (size_t{message_[0]} & 0x3F) * 4; }
  constexpr bool control() const { return (message_[1] & kControlFlag) != 0; }
  constexpr bool critical() const { return (message_[1] & kCriticalFlag) != 0; }
  // Rsvd and Reserved mean nothing to a receiver; they are here for tools.
  constexpr uint8_t rsvd() const { return message_[1] & 0x3F; }
  constexpr uint16_t protocol() const { return LoadBe16(&message_[2]); }
  constexpr Vni vni() const { return Vni::FromBytes(message_[4], message_[5], message_[6]); }
  constexpr uint8_t reserved() const { return message_[7]; }

  // The header with its options: 8..260 bytes.
  constexpr size_t size() const { return kFixedHeaderBytes + option_bytes(); }
  constexpr OptionRange options() const {
    return OptionRange(Clip(kFixedHeaderBytes, option_bytes()), kFixedHeaderBytes);
  }
  constexpr ByteSpan bytes() const { return Clip(0, size()); }
  constexpr ByteSpan payload() const { return Clip(size(), message_.size()); }
  constexpr ByteSpan message() const { return message_; }

 private:
  friend Result<HeaderView, DecodeError> DecodeHeader(ByteSpan message, const DecodePolicy& policy);
  constexpr explicit HeaderView(ByteSpan message) : message_(message) {}

  constexpr ByteSpan Clip(size_t start, size_t length) const {
    if (start >= message_.size()) return message_.last(0);
    const size_t left = message_.size() - start;
    return message_.subspan(start, length < left ? length : left);
  }

  ByteSpan message_;
};

// Things a receiver accepts but an operator may want to count.
struct HeaderAnomalies {
  bool critical_flag_alone = false;  // C = 1 and no critical option
  bool critical_flag_missing = false;
  bool reserved_bits = false;  // Rsvd, Reserved or an option's R bits are not zero
  bool duplicate_option = false;

  friend constexpr bool operator==(const HeaderAnomalies&, const HeaderAnomalies&) = default;
};
HeaderAnomalies FindAnomalies(const HeaderView& header);

}  // namespace geneve
