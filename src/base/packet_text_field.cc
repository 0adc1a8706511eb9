#include "base/packet_text_field.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace leman {

namespace {

using geneve::ByteSpan;

constexpr int kLabelColumns = 15;

}  // namespace

PacketField NumberField(std::string key, std::uint64_t value) {
  PacketField field;
  field.key = std::move(key);
  field.value = value;
  return field;
}

PacketField TextField(std::string key, std::string value) {
  PacketField field;
  field.key = std::move(key);
  field.value = std::move(value);
  return field;
}

PacketField FlagField(std::string key, bool value) {
  PacketField field;
  field.key = std::move(key);
  field.value = value;
  return field;
}

void AppendLines(const PacketField& field, int depth, std::string& out, int indent) {
  if (!field.label.empty()) {
    const std::string place =
        field.offset.has_value() ? "@" + std::to_string(*field.offset) : std::string();
    std::string line(static_cast<std::size_t>(indent), ' ');
    line += fmt::format("{:<6}{:{}}{:<{}} {}", place, "", 2 * depth, field.label,
                        std::max(kLabelColumns - 2 * depth, 8), field.text);
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
    ++depth;
  }
  for (const PacketField& child : field.children) {
    AppendLines(child, depth, out, indent);
  }
}

std::string MacText(ByteSpan six_bytes) {
  return Written([&](geneve::TextWriter& out) { out.Mac(six_bytes); });
}

std::string AddressText(ByteSpan four_or_sixteen_bytes) {
  return Written([&](geneve::TextWriter& out) { out.Address(four_or_sixteen_bytes); });
}

std::string HexText(ByteSpan bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    fmt::format_to(std::back_inserter(text), "{:02x}", byte);
  }
  return text;
}

}  // namespace leman
