// Vni: the Virtual Network Identifier of RFC 8926 section 3.4, a 24-bit number that is always
// valid.
//
// Threads, ownership: a plain value. Errors: From() refuses values above 0xFFFFFF, so whoever holds
// a Vni need not check again. RFC 8926 reserves no value: 0 and 0xFFFFFF are ordinary.

#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

namespace geneve {

class Vni {
 public:
  static constexpr uint32_t kMax = 0xFFFFFF;

  constexpr Vni() = default;  // VNI 0

  static constexpr std::optional<Vni> From(uint32_t value) {
    if (value > kMax) return std::nullopt;
    return Vni(value);
  }

  // The 24 bits as they stand on the wire, most significant byte first. Cannot fail.
  static constexpr Vni FromBytes(uint8_t high, uint8_t middle, uint8_t low) {
    return Vni((uint32_t{high} << 16) | (uint32_t{middle} << 8) | uint32_t{low});
  }

  constexpr uint32_t value() const { return value_; }

  friend constexpr auto operator<=>(Vni, Vni) = default;

 private:
  constexpr explicit Vni(uint32_t value) : value_(value) {}

  uint32_t value_ = 0;
};

}  // namespace geneve

template <>
struct std::hash<geneve::Vni> {
  size_t operator()(geneve::Vni vni) const noexcept { return std::hash<uint32_t>{}(vni.value()); }
};
