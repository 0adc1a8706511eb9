// An IPv4 or IPv6 address as a value; IPv4 is kept v4-mapped (::ffff:a.b.c.d) so that one 16-byte
// form is the key everywhere. Threads: value type.
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

class IpAddress {
 public:
  using Bytes = std::array<std::uint8_t, 16>;  // network order

  constexpr IpAddress() = default;  // "::"
  constexpr explicit IpAddress(const Bytes& mapped) : bytes_(mapped) {}
  [[nodiscard]] static constexpr IpAddress FromV4(const std::array<std::uint8_t, 4>& v4) {
    Bytes bytes{};
    bytes[10] = 0xff;
    bytes[11] = 0xff;
    for (std::size_t i = 0; i < v4.size(); ++i) {
      bytes[12 + i] = v4[i];
    }
    return IpAddress(bytes);
  }

  [[nodiscard]] static std::optional<IpAddress> Parse(std::string_view text);

  [[nodiscard]] constexpr bool IsV4() const {
    for (std::size_t i = 0; i < 10; ++i) {
      if (bytes_[i] != 0) {
        return false;
      }
    }
    return bytes_[10] == 0xff && bytes_[11] == 0xff;
  }
  [[nodiscard]] constexpr bool IsUnspecified() const {
    return bytes_ == Bytes{} ||
           (IsV4() && bytes_[12] == 0 && bytes_[13] == 0 && bytes_[14] == 0 && bytes_[15] == 0);
  }
  [[nodiscard]] constexpr bool IsMulticast() const {
    return IsV4() ? (bytes_[12] & 0xf0U) == 0xe0U : bytes_[0] == 0xff;
  }
  [[nodiscard]] constexpr bool IsLinkLocal() const {
    return IsV4() ? bytes_[12] == 169 && bytes_[13] == 254
                  : bytes_[0] == 0xfe && (bytes_[1] & 0xc0U) == 0x80U;
  }
  [[nodiscard]] constexpr const Bytes& bytes() const { return bytes_; }
  [[nodiscard]] std::string ToString() const;

  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  Bytes bytes_{};
};

}  // namespace leman

template <>
struct std::hash<leman::IpAddress> {
  std::size_t operator()(const leman::IpAddress& address) const noexcept {
    return std::hash<std::string_view>{}(std::string_view(
        reinterpret_cast<const char*>(address.bytes().data()), address.bytes().size()));
  }
};
