// The machine-readable side of every command: one tree, written as JSON or as YAML.
//
// A message keeps its snake_case field names and all its fields, those at zero too; 64-bit numbers
// stay numbers; an enum is its name without the type's prefix, in lower case.
// Threads: pure functions. Errors: none; bytes that are no UTF-8 are replaced.
#pragma once

#include <google/protobuf/message.h>

#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

namespace leman::cli {

using Tree = nlohmann::ordered_json;

[[nodiscard]] Tree ToTree(const google::protobuf::Message& message);

[[nodiscard]] std::string ToJson(const Tree& tree);      // indented, ends with a newline
[[nodiscard]] std::string ToJsonLine(const Tree& tree);  // one line, ends with a newline
[[nodiscard]] std::string ToYaml(const Tree& tree);      // block style, ends with a newline

}  // namespace leman::cli
