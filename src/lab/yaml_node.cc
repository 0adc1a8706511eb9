#include "lab/yaml_node.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <exception>

namespace leman::lab {
namespace {

constexpr std::size_t kMaxTextBytes = std::size_t{4} << 20U;
constexpr int kMaxDepth = 16;

Unexpected FaultAt(std::string_view file, int line, std::string_view what) {
  return Fail(Code::kInvalidArgument,
              std::string(file) + ":" + std::to_string(line) + ": " + std::string(what));
}

Result<YamlNode> Convert(std::string_view file, const YAML::Node& node, int depth) {
  YamlNode result;
  result.line = node.Mark().line + 1;
  if (depth > kMaxDepth) {
    return FaultAt(file, result.line, "nested too deep; no lab needs that");
  }
  switch (node.Type()) {
    case YAML::NodeType::Undefined:
    case YAML::NodeType::Null:
      break;
    case YAML::NodeType::Scalar:
      result.type = YamlNode::Type::kScalar;
      result.text = node.Scalar();
      result.quoted = node.Tag() == "!";
      break;
    case YAML::NodeType::Sequence:
      result.type = YamlNode::Type::kList;
      for (const YAML::Node& item : node) {
        LEMAN_ASSIGN_OR_RETURN(YamlNode child, Convert(file, item, depth + 1));
        result.items.push_back(std::move(child));
      }
      break;
    case YAML::NodeType::Map:
      result.type = YamlNode::Type::kMap;
      for (const auto& member : node) {
        const int line = member.first.Mark().line + 1;
        if (!member.first.IsScalar()) {
          return FaultAt(file, line, "a key is a list or a map; keys are words");
        }
        const std::string& key = member.first.Scalar();
        if (std::any_of(result.members.begin(), result.members.end(),
                        [&](const YamlNode& other) { return other.key == key; })) {
          return FaultAt(file, line, key + ": key appears twice; leave one");
        }
        LEMAN_ASSIGN_OR_RETURN(YamlNode child, Convert(file, member.second, depth + 1));
        child.key = key;
        result.members.push_back(std::move(child));
      }
      break;
  }
  return result;
}

}  // namespace

Result<YamlNode> LoadYaml(std::string_view file_name, std::string_view text) {
  if (text.size() > kMaxTextBytes) {
    return FaultAt(file_name, 1, "larger than 4 MiB; a lab file is small");
  }
  try {
    return Convert(file_name, YAML::Load(std::string(text)), 0);
  } catch (const YAML::Exception& error) {
    return FaultAt(file_name, error.mark.line + 1, "not YAML: " + error.msg);
  } catch (const std::exception& error) {
    return FaultAt(file_name, 1, std::string("not YAML: ") + error.what());
  }
}

std::string QuoteYaml(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += {'\\', c};
    } else if (byte < 0x20) {
      result += {'\\', 'x', kHex[byte >> 4U], kHex[byte & 0xfU]};
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string YamlNode::ToFlow() const {
  std::string result;
  switch (type) {
    case Type::kNull:
      return "null";
    case Type::kScalar:
      return quoted ? QuoteYaml(text) : text;
    case Type::kList:
      for (const YamlNode& item : items) {
        result += (result.empty() ? "" : ", ") + item.ToFlow();
      }
      return "[" + result + "]";
    case Type::kMap:
      for (const YamlNode& member : members) {
        result += (result.empty() ? "" : ", ") + member.key + ": " + member.ToFlow();
      }
      return result.empty() ? "{}" : "{ " + result + " }";
  }
  return result;
}

}  // namespace leman::lab
