// The tree a packet is described as, and how it prints as lines.
//
// Threads: pure functions. Ownership: fields own their text. Errors: none.
// Units: offsets count bytes from the first one of what was given.
#pragma once

#include <geneve/bytes.h>
#include <geneve/text.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace leman {

// One line of the tree, or one member of the JSON object. A field without label shows its children
// only; a field without key is for people only.
struct PacketField {
  using Value = std::variant<std::monostate, bool, std::uint64_t, std::string>;

  std::string key;
  std::string label;
  std::string text;
  Value value;
  std::optional<std::size_t> offset;
  bool is_list = false;  // children are elements without names
  std::vector<PacketField> children;
};

// Leaves of a layer: a member of the JSON, shown as a line of its own when they get a label.
[[nodiscard]] PacketField NumberField(std::string key, std::uint64_t value);
[[nodiscard]] PacketField TextField(std::string key, std::string value);
[[nodiscard]] PacketField FlagField(std::string key, bool value);

// Appends the tree, one field a line, `indent` blanks before each; `depth` steps in from the left.
void AppendLines(const PacketField& field, int depth, std::string& out, int indent);

// Values in words.
[[nodiscard]] std::string MacText(geneve::ByteSpan six_bytes);
[[nodiscard]] std::string AddressText(geneve::ByteSpan four_or_sixteen_bytes);
[[nodiscard]] std::string HexText(geneve::ByteSpan bytes);

// What `write` puts into a geneve::TextWriter; ends with "..." where that was too much.
template <class Write>
[[nodiscard]] std::string Written(Write write) {
  std::array<char, 1024> buffer{};
  geneve::TextWriter writer{std::span<char>(buffer)};
  write(writer);
  return std::string(writer.view()) + (writer.truncated() ? "..." : "");
}

}  // namespace leman
