#include "base/mac_address.h"

#include <charconv>
#include <cstdio>

namespace leman {

std::optional<MacAddress> MacAddress::Parse(std::string_view text) {
  constexpr std::size_t kTextLength = 17;
  if (text.size() != kTextLength) {
    return std::nullopt;
  }
  Bytes bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::string_view pair = text.substr(i * 3, 2);
    const auto [end, error] = std::from_chars(pair.data(), pair.data() + 2, bytes[i], 16);
    if (error != std::errc{} || end != pair.data() + 2) {
      return std::nullopt;
    }
    if (i + 1 < bytes.size() && text[i * 3 + 2] != ':' && text[i * 3 + 2] != '-') {
      return std::nullopt;
    }
  }
  return MacAddress(bytes);
}

std::string MacAddress::ToString() const {
  char text[18];
  std::snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", bytes_[0], bytes_[1],
                bytes_[2], bytes_[3], bytes_[4], bytes_[5]);
  return text;
}

}  // namespace leman
