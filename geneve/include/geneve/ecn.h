// Explicit Congestion Notification through a tunnel (RFC 6040, which RFC 8926 section 4.4.2
// requires for IP payload, also inside Ethernet).
//
// Threads: pure functions. Errors: EcnDecision::drop.

#pragma once

#include <cstdint>
#include <string_view>

namespace geneve {

// The two low bits of IPv4 TOS and IPv6 Traffic Class. Mind that ECT(1) is 1 and ECT(0) is 2.
enum class Ecn : uint8_t { kNotEct = 0, kEct1 = 1, kEct0 = 2, kCe = 3 };

constexpr Ecn EcnOf(uint8_t tos) { return static_cast<Ecn>(tos & 3); }
std::string_view EcnName(Ecn ecn);

// Combinations no sender produces today (RFC 6040 figure 4): worth a rate-limited log line.
enum class EcnAlarm : uint8_t {
  kNone,
  kPossible,  // "(!)"
  kAlways,    // "(!!!)"
};

struct EcnDecision {
  Ecn inner = Ecn::kNotEct;  // what the delivered packet carries, unless drop
  bool drop = false;
  EcnAlarm alarm = EcnAlarm::kNone;

  friend constexpr bool operator==(const EcnDecision&, const EcnDecision&) = default;
};

// RFC 6040 section 4.2: the inner field after decapsulation.
EcnDecision DecapsulateEcn(Ecn inner, Ecn outer);

// RFC 6040 section 4.1: the outer field at encapsulation. Compatibility mode is for a receiver that
// is not known to handle ECN, and for payload without an IP header.
enum class EcnMode : uint8_t { kNormal, kCompatibility };
constexpr Ecn EncapsulateEcn(Ecn inner, EcnMode mode) {
  return mode == EcnMode::kNormal ? inner : Ecn::kNotEct;
}

}  // namespace geneve
