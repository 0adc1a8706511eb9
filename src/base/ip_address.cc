#include "base/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>

namespace leman {

std::optional<IpAddress> IpAddress::Parse(std::string_view text) {
  const std::string copy(text);
  std::array<std::uint8_t, 4> v4{};
  if (inet_pton(AF_INET, copy.c_str(), v4.data()) == 1) {
    return FromV4(v4);
  }
  Bytes v6{};
  if (inet_pton(AF_INET6, copy.c_str(), v6.data()) == 1) {
    return IpAddress(v6);
  }
  return std::nullopt;
}

std::string IpAddress::ToString() const {
  char text[INET6_ADDRSTRLEN];
  if (IsV4()) {
    inet_ntop(AF_INET, bytes_.data() + 12, text, sizeof(text));
  } else {
    inet_ntop(AF_INET6, bytes_.data(), text, sizeof(text));
  }
  return text;
}

}  // namespace leman
