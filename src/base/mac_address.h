// A 48-bit MAC address as a value. Threads: value type.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace leman {

class MacAddress {
 public:
  using Bytes = std::array<std::uint8_t, 6>;

  constexpr MacAddress() = default;
  constexpr explicit MacAddress(const Bytes& bytes) : bytes_(bytes) {}

  // Six hexadecimal pairs parted by ':' or '-', either case.
  [[nodiscard]] static std::optional<MacAddress> Parse(std::string_view text);

  [[nodiscard]] constexpr const Bytes& bytes() const { return bytes_; }
  // Group bit (IEEE 802): multicast or broadcast, never a port's own address.
  [[nodiscard]] constexpr bool IsGroup() const { return (bytes_[0] & 1U) != 0; }
  [[nodiscard]] constexpr bool IsZero() const { return bytes_ == Bytes{}; }
  [[nodiscard]] std::string ToString() const;  // "aa:bb:cc:dd:ee:ff"

  friend constexpr auto operator<=>(const MacAddress&, const MacAddress&) = default;

 private:
  Bytes bytes_{};
};

}  // namespace leman

template <>
struct std::hash<leman::MacAddress> {
  std::size_t operator()(const leman::MacAddress& mac) const noexcept {
    std::uint64_t value = 0;
    for (const std::uint8_t byte : mac.bytes()) {
      value = (value << 8U) | byte;
    }
    return std::hash<std::uint64_t>{}(value);
  }
};
