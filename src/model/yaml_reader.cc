#include "model/yaml_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace leman::model {

namespace {

using Kind = YamlTree::Kind;

bool IsNullWord(std::string_view text) {
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

std::optional<std::uint32_t> ParseNumber(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    text.remove_prefix(2);
    base = 16;
  } else if (text.size() > 1 && text.front() == '0') {
    return std::nullopt;  // octal to some, decimal to others
  }
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value, base);
  if (error == std::errc::result_out_of_range && at == end) {
    return UINT32_MAX;
  }
  if (text.empty() || error != std::errc{} || at != end) {
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(value, UINT32_MAX));
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  if (c >= 'A' && c <= 'F') {
    return c - 'A' + 10;
  }
  return -1;
}

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-' || c == ':' || c == '/';
}

}  // namespace

bool YamlReader::Mapping(NodeId node, const Path& path, std::span<const KeySpec> keys,
                         std::span<NodeId> values) {
  std::fill(values.begin(), values.end(), YamlTree::kNone);
  if (tree_.kind(node) != Kind::kMapping) {
    Fault(node, path,
          fmt::format("is {}; write keys and values, like {}: ...",
                      tree_.kind(node) == Kind::kSequence ? "a list" : "a single value",
                      keys.front().name));
    return false;
  }
  for (NodeId key = tree_.first_child(node); key != YamlTree::kNone;) {
    const NodeId value = tree_.next(key);
    if (tree_.kind(key) != Kind::kScalar) {
      Fault(key, path, "has a key that is a list or mapping; write key: value");
    } else {
      const std::string_view word = tree_.text(key);
      const auto known = std::find_if(keys.begin(), keys.end(),
                                      [word](const KeySpec& spec) { return spec.name == word; });
      if (known != keys.end()) {
        NodeId& slot = values[static_cast<std::size_t>(known - keys.begin())];
        if (slot != YamlTree::kNone) {
          Fault(key, Path(path, word),
                fmt::format("is given twice, first on line {}; keep one", tree_.line(slot)));
        } else {
          slot = value;
        }
      } else if (!faults_.telling()) {
        Fault(key, path, "");
      } else {
        std::vector<std::string_view> words;
        for (const KeySpec& spec : keys) {
          words.push_back(spec.name);
        }
        const std::string_view near = Nearest(word, words);
        Fault(key, Path(path, word),
              near.empty()
                  ? fmt::format("is not a known key; known here: {}", fmt::join(words, ", "))
                  : fmt::format("is not a known key; did you mean {}?", near));
      }
    }
    key = tree_.next(value);
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].required && values[i] == YamlTree::kNone) {
      Fault(node, Path(path, keys[i].name), fmt::format("is missing; write {}", keys[i].right));
    }
  }
  return true;
}

std::vector<YamlReader::NodeId> YamlReader::List(NodeId node, const Path& path,
                                                 std::string_view right) {
  std::vector<NodeId> elements;
  if (tree_.kind(node) == Kind::kScalar && tree_.plain(node) && IsNullWord(tree_.text(node))) {
    return elements;
  }
  if (tree_.kind(node) != Kind::kSequence) {
    Fault(node, path,
          fmt::format("is {}; write a list, like {}",
                      tree_.kind(node) == Kind::kMapping ? "a mapping" : "a single value", right));
    return elements;
  }
  elements.reserve(tree_.child_count(node));
  for (NodeId e = tree_.first_child(node); e != YamlTree::kNone; e = tree_.next(e)) {
    elements.push_back(e);
  }
  return elements;
}

std::optional<std::string_view> YamlReader::Text(NodeId node, const Path& path,
                                                 std::string_view right) {
  if (tree_.kind(node) != Kind::kScalar) {
    Fault(node, path,
          fmt::format("is {}; {}", tree_.kind(node) == Kind::kMapping ? "a mapping" : "a list",
                      right));
    return std::nullopt;
  }
  const std::string_view text = tree_.text(node);
  if (text.empty() || (tree_.plain(node) && IsNullWord(text))) {
    Fault(node, path, fmt::format("is empty; {}", right));
    return std::nullopt;
  }
  return text;
}

std::optional<std::uint32_t> YamlReader::Number(NodeId node, const Path& path, std::uint32_t min,
                                                std::uint32_t max) {
  const std::string right = fmt::format("write a number {}..{}", min, max);
  const auto text = Text(node, path, right);
  if (!text.has_value()) {
    return std::nullopt;
  }
  const auto number = ParseNumber(*text);
  if (!number.has_value()) {
    Fault(node, path, fmt::format("{} is not a number; {}", Quoted(*text), right));
    return std::nullopt;
  }
  if (!tree_.plain(node)) {
    Fault(node, path, fmt::format("{} is text; write the number without quotes", Quoted(*text)));
    return std::nullopt;
  }
  if (*number < min || *number > max) {
    Fault(node, path, fmt::format("{} is out of range; {}", Quoted(*text), right));
    return std::nullopt;
  }
  return number;
}

std::optional<bool> YamlReader::Bool(NodeId node, const Path& path) {
  const auto text = Text(node, path, "write true or false");
  if (!text.has_value()) {
    return std::nullopt;
  }
  if (!tree_.plain(node) || (*text != "true" && *text != "false")) {
    Fault(node, path,
          fmt::format("{} is not a truth value; write true or false{}", Quoted(*text),
                      tree_.plain(node) ? "" : " without quotes"));
    return std::nullopt;
  }
  return *text == "true";
}

std::optional<std::size_t> YamlReader::Word(NodeId node, const Path& path,
                                            std::span<const std::string_view> words) {
  const std::string right = fmt::format("write {}", fmt::join(words, " or "));
  const auto text = Text(node, path, right);
  if (!text.has_value()) {
    return std::nullopt;
  }
  const auto found = std::find(words.begin(), words.end(), *text);
  if (found == words.end()) {
    Fault(node, path, fmt::format("{} is not known; {}", Quoted(*text), right));
    return std::nullopt;
  }
  return static_cast<std::size_t>(found - words.begin());
}

std::optional<std::string> YamlReader::Name(NodeId node, const Path& path) {
  constexpr std::size_t kMaxNameBytes = 63;
  constexpr std::string_view kRight = "write 1 to 63 letters, digits and . _ - : /";
  const auto text = Text(node, path, kRight);
  if (!text.has_value()) {
    return std::nullopt;
  }
  if (text->size() > kMaxNameBytes || !std::all_of(text->begin(), text->end(), IsNameCharacter)) {
    Fault(node, path, fmt::format("{} cannot be a name; {}", Quoted(*text), kRight));
    return std::nullopt;
  }
  return std::string(*text);
}

std::optional<std::string> YamlReader::Device(NodeId node, const Path& path) {
  constexpr std::size_t kMaxDeviceBytes = 15;  // IFNAMSIZ less the end
  constexpr std::string_view kRight = "write the name of a network device, like eth0";
  const auto text = Text(node, path, kRight);
  if (!text.has_value()) {
    return std::nullopt;
  }
  const bool bad_character = std::any_of(text->begin(), text->end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte >= 0x7f || c == '/' || c == ':';
  });
  if (text->size() > kMaxDeviceBytes || bad_character || *text == "." || *text == "..") {
    Fault(node, path,
          fmt::format("{} cannot be a device's name; {}, of at most 15 characters", Quoted(*text),
                      kRight));
    return std::nullopt;
  }
  return std::string(*text);
}

std::optional<MacAddress> YamlReader::Mac(NodeId node, const Path& path) {
  constexpr std::string_view kRight = "write six hexadecimal pairs, like aa:bb:cc:dd:ee:ff";
  const auto text = Text(node, path, kRight);
  if (!text.has_value()) {
    return std::nullopt;
  }
  const auto mac = MacAddress::Parse(*text);
  if (!mac.has_value()) {
    Fault(node, path, fmt::format("{} is not a MAC address; {}", Quoted(*text), kRight));
    return std::nullopt;
  }
  if (mac->IsGroup()) {
    Fault(node, path,
          fmt::format("{} is a group address; write the workload's own, its first byte is even",
                      mac->ToString()));
    return std::nullopt;
  }
  if (mac->IsZero()) {
    Fault(node, path,
          fmt::format("{} is nobody's address; write the workload's own", mac->ToString()));
    return std::nullopt;
  }
  return mac;
}

std::optional<IpAddress> YamlReader::AnyAddress(NodeId node, const Path& path,
                                                std::string_view right) {
  const auto text = Text(node, path, right);
  if (!text.has_value()) {
    return std::nullopt;
  }
  const auto address = IpAddress::Parse(*text);
  if (!address.has_value()) {
    const std::size_t slash = text->find('/');
    const bool prefix =
        slash != std::string_view::npos && IpAddress::Parse(text->substr(0, slash)).has_value();
    Fault(node, path,
          prefix ? fmt::format("{} has a prefix length; write {} alone", Quoted(*text),
                               text->substr(0, slash))
                 : fmt::format("{} is not an IP address; {}", Quoted(*text), right));
  }
  return address;
}

std::optional<IpAddress> YamlReader::Address(NodeId node, const Path& path) {
  constexpr std::string_view kRight = "write an address, like 10.0.1.10 or \"2001:db8::10\"";
  const auto address = AnyAddress(node, path, kRight);
  if (!address.has_value()) {
    return std::nullopt;
  }
  static constexpr IpAddress kBroadcast = IpAddress::FromV4({255, 255, 255, 255});
  if (address->IsMulticast() || address->IsUnspecified() || *address == kBroadcast) {
    Fault(node, path,
          fmt::format("{} is {}; write the address of one workload", address->ToString(),
                      address->IsMulticast()     ? "a multicast address"
                      : address->IsUnspecified() ? "the unspecified address"
                                                 : "the broadcast address"));
    return std::nullopt;
  }
  return address;
}

std::optional<IpAddress> YamlReader::Vtep(NodeId node, const Path& path) {
  constexpr std::string_view kRight =
      "write the address of a VTEP, like 192.168.1.102 or \"2001:db8::102\"";
  const auto address = AnyAddress(node, path, kRight);
  if (!address.has_value()) {
    return std::nullopt;
  }
  constexpr IpAddress kBroadcast = IpAddress::FromV4({255, 255, 255, 255});
  constexpr IpAddress kLoopback6(IpAddress::Bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
  std::string_view wrong;
  if (address->IsMulticast()) {
    wrong = "a multicast address";
  } else if (address->IsUnspecified()) {
    wrong = "the unspecified address";
  } else if (address->IsLinkLocal()) {
    wrong = "a link-local address";
  } else if (*address == kBroadcast) {
    wrong = "the broadcast address";
  } else if (*address == kLoopback6 || (address->IsV4() && address->bytes()[12] == 127)) {
    wrong = "a loopback address";
  }
  if (!wrong.empty()) {
    Fault(node, path,
          fmt::format("{} is {}; write the global unicast address of a VTEP", address->ToString(),
                      wrong));
    return std::nullopt;
  }
  return address;
}

std::optional<std::vector<std::uint8_t>> YamlReader::Hex(NodeId node, const Path& path,
                                                         std::size_t max_bytes) {
  constexpr std::string_view kRight = "write pairs of hexadecimal digits, like \"0a0b0c0d\"";
  std::vector<std::uint8_t> bytes;
  if (tree_.kind(node) == Kind::kScalar && tree_.text(node).empty()) {
    return bytes;  // an option may be nothing but its presence
  }
  const auto text = Text(node, path, kRight);
  if (!text.has_value()) {
    return std::nullopt;
  }
  bool good = text->size() % 2 == 0;
  for (std::size_t i = 0; good && i + 1 < text->size(); i += 2) {
    const int high = HexDigit((*text)[i]);
    const int low = HexDigit((*text)[i + 1]);
    good = high >= 0 && low >= 0;
    bytes.push_back(static_cast<std::uint8_t>((high << 4) | low));
  }
  if (!good) {
    Fault(node, path, fmt::format("{} is not hexadecimal; {}", Quoted(*text), kRight));
    return std::nullopt;
  }
  if (bytes.size() % 4 != 0 || bytes.size() > max_bytes) {
    Fault(node, path,
          fmt::format("has {} bytes; write a multiple of 4, at most {}", bytes.size(), max_bytes));
    return std::nullopt;
  }
  return bytes;
}

}  // namespace leman::model
