#include "cli/tree.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace leman::cli {

namespace {

using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// AGENT_STATE_READY of enum AgentState -> "ready".
std::string EnumWord(const EnumValueDescriptor& value) {
  std::string prefix;
  for (const char c : value.type()->name()) {
    if (c >= 'A' && c <= 'Z' && !prefix.empty()) {
      prefix += '_';
    }
    prefix += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  prefix += '_';
  std::string name = value.name();
  if (name.starts_with(prefix)) {
    name.erase(0, prefix.size());
  }
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

// One value of a field; `index` is used when the field is repeated.
Tree Value(const Message& message, const FieldDescriptor* field, int index) {
  const Reflection* reflection = message.GetReflection();
  const bool repeated = field->is_repeated();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return repeated ? reflection->GetRepeatedInt32(message, field, index)
                      : reflection->GetInt32(message, field);
    case FieldDescriptor::CPPTYPE_INT64:
      return repeated ? reflection->GetRepeatedInt64(message, field, index)
                      : reflection->GetInt64(message, field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return repeated ? reflection->GetRepeatedUInt32(message, field, index)
                      : reflection->GetUInt32(message, field);
    case FieldDescriptor::CPPTYPE_UINT64:
      return repeated ? reflection->GetRepeatedUInt64(message, field, index)
                      : reflection->GetUInt64(message, field);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return repeated ? reflection->GetRepeatedDouble(message, field, index)
                      : reflection->GetDouble(message, field);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return repeated ? reflection->GetRepeatedFloat(message, field, index)
                      : reflection->GetFloat(message, field);
    case FieldDescriptor::CPPTYPE_BOOL:
      return repeated ? reflection->GetRepeatedBool(message, field, index)
                      : reflection->GetBool(message, field);
    case FieldDescriptor::CPPTYPE_ENUM:
      return EnumWord(repeated ? *reflection->GetRepeatedEnum(message, field, index)
                               : *reflection->GetEnum(message, field));
    case FieldDescriptor::CPPTYPE_STRING:
      return repeated ? reflection->GetRepeatedString(message, field, index)
                      : reflection->GetString(message, field);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ToTree(repeated ? reflection->GetRepeatedMessage(message, field, index)
                             : reflection->GetMessage(message, field));
  }
  return nullptr;
}

// Plain only what every YAML reader takes for a string: starts with a letter or '/', holds no
// character with a meaning, and is no word of YAML 1.1 or 1.2.
bool PlainInYaml(std::string_view text) {
  if (text.empty()) {
    return false;
  }
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (!letter(text.front()) && text.front() != '/') {
    return false;
  }
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    if (!letter(c) && !digit && std::string_view("_-./: ").find(c) == std::string_view::npos) {
      return false;
    }
  }
  // "a: b" would be a mapping, "a " loses its blank, "a:" would be a key.
  if (text.find(": ") != std::string_view::npos || text.back() == ':' || text.back() == ' ') {
    return false;
  }
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  static constexpr std::array<std::string_view, 9> kWords = {"true", "false", "yes", "no", "on",
                                                             "off",  "null",  "y",   "n"};
  return std::find(kWords.begin(), kWords.end(), lower) == kWords.end();
}

std::string Dump(const Tree& tree, int indent) {
  return tree.dump(indent, ' ', false, Tree::error_handler_t::replace);
}

std::string YamlScalar(const Tree& value) {
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    // A JSON string is a YAML double-quoted one.
    return PlainInYaml(text) ? text : Dump(value, -1);
  }
  return Dump(value, -1);  // also "[]" and "{}"
}

void AppendYaml(const Tree& tree, int indent, bool after_dash, std::string& out) {
  const std::string blanks(static_cast<std::size_t>(indent), ' ');
  const auto nested = [](const Tree& value) { return value.is_structured() && !value.empty(); };
  if (!nested(tree)) {
    out += (after_dash ? "" : blanks) + YamlScalar(tree) + "\n";
    return;
  }
  bool first = after_dash;
  if (tree.is_object()) {
    for (const auto& [key, value] : tree.items()) {
      out += (first ? "" : blanks) + YamlScalar(key) + ":";
      first = false;
      if (nested(value)) {
        out += "\n";
        AppendYaml(value, indent + (value.is_object() ? 2 : 0), false, out);
      } else {
        out += " " + YamlScalar(value) + "\n";
      }
    }
    return;
  }
  for (const Tree& value : tree) {
    out += (first ? "" : blanks) + "- ";
    first = false;
    AppendYaml(value, indent + 2, true, out);
  }
}

}  // namespace

Tree ToTree(const Message& message) {
  Tree tree = Tree::object();
  const auto* descriptor = message.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    if (!field->is_repeated()) {
      tree[field->name()] = Value(message, field, 0);
      continue;
    }
    Tree list = Tree::array();
    for (int at = 0; at < message.GetReflection()->FieldSize(message, field); ++at) {
      list.push_back(Value(message, field, at));
    }
    tree[field->name()] = std::move(list);
  }
  return tree;
}

std::string ToJson(const Tree& tree) { return Dump(tree, 2) + "\n"; }

std::string ToJsonLine(const Tree& tree) { return Dump(tree, -1) + "\n"; }

std::string ToYaml(const Tree& tree) {
  std::string out;
  AppendYaml(tree, 0, false, out);
  return out;
}

}  // namespace leman::cli
