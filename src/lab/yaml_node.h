// A small YAML document as a tree of values with line numbers. Wraps yaml-cpp: no exception leaves.
//
// Threads: values and pure functions. Ownership: by value.
// Errors: LoadYaml fails with "FILE:LINE: what is wrong; what would be right".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace leman::lab {

struct YamlNode {
  enum class Type : std::uint8_t { kNull, kScalar, kList, kMap };

  Type type = Type::kNull;
  int line = 1;         // from 1
  bool quoted = false;  // of a scalar
  std::string text;     // of a scalar
  std::vector<YamlNode> items;
  std::vector<YamlNode> members;  // of a map: values with their `key`, in the file's order
  std::string key;                // of a member; unique within its map

  // One line of flow style that reads back as the same value.
  [[nodiscard]] std::string ToFlow() const;
};

[[nodiscard]] Result<YamlNode> LoadYaml(std::string_view file_name, std::string_view text);

// A double-quoted YAML scalar.
[[nodiscard]] std::string QuoteYaml(std::string_view text);

}  // namespace leman::lab
