#include "cli/hex_text.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string>

namespace leman::cli {

namespace {

using Packet = std::vector<std::uint8_t>;

bool IsHex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v'; }

std::uint8_t Nibble(char c) {
  if (c >= '0' && c <= '9') {
    return static_cast<std::uint8_t>(c - '0');
  }
  return static_cast<std::uint8_t>((c | 0x20) - 'a' + 10);
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && IsBlank(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

std::size_t HexRun(std::string_view text) {
  std::size_t run = 0;
  while (run < text.size() && IsHex(text[run])) {
    ++run;
  }
  return run;
}

struct OffsetLine {
  std::uint64_t offset = 0;
  bool colon = false;
  std::string_view rest;  // behind the column
};

// "0x0010:  45…", "00000010: 45…", "0010  45…", or the lone last offset of hexdump.
std::optional<OffsetLine> ParseOffset(std::string_view line) {
  OffsetLine parsed;
  const bool prefix = line.starts_with("0x") || line.starts_with("0X");
  if (prefix) {
    line.remove_prefix(2);
  }
  const std::size_t digits = HexRun(line);
  if (digits < 4 || digits > 8) {
    return std::nullopt;
  }
  std::from_chars(line.data(), line.data() + digits, parsed.offset, 16);
  parsed.rest = line.substr(digits);
  if (parsed.rest.starts_with(':')) {
    parsed.colon = true;
    parsed.rest.remove_prefix(1);
    if (!parsed.rest.empty() && !IsBlank(parsed.rest.front())) {
      return std::nullopt;  // "0200:c0a8": digits with colons between
    }
    return parsed;
  }
  const bool gap = parsed.rest.size() >= 2 && IsBlank(parsed.rest[0]) && IsBlank(parsed.rest[1]);
  if (prefix || !(gap || (parsed.rest.empty() && digits == 8))) {
    return std::nullopt;
  }
  return parsed;
}

class Parser {
 public:
  Status Line(std::string_view raw, bool dump);
  void EndPacket() {
    if (!packet_.empty()) {
      packets_.push_back(std::move(packet_));
      packet_.clear();
    }
  }
  std::vector<Packet> Take() { return std::move(packets_); }

 private:
  Status DumpLine(std::string_view line);
  Status PlainLine(std::string_view line);
  Status Digits(std::string_view digits);
  [[nodiscard]] Unexpected Fault(const std::string& what) const {
    return Fail(Code::kInvalidArgument, fmt::format("line {}: {}", number_, what));
  }

  std::size_t number_ = 0;
  Packet packet_;
  std::vector<Packet> packets_;
};

Status Parser::Line(std::string_view raw, bool dump) {
  ++number_;
  const std::string_view line = Trim(raw);
  if (line.empty()) {
    EndPacket();
    return {};
  }
  if (line.front() == '#') {
    return {};
  }
  return dump ? DumpLine(line) : PlainLine(line);
}

Status Parser::DumpLine(std::string_view line) {
  const std::optional<OffsetLine> parsed = ParseOffset(line);
  if (!parsed) {
    EndPacket();  // a caption: tcpdump's summary line, tshark's "Frame (100 bytes)"
    return {};
  }
  if (parsed->offset == 0) {
    EndPacket();
  }
  if (parsed->offset != packet_.size()) {
    return Fault(fmt::format("offset {:#x}, but the packet has {:#x} bytes so far", parsed->offset,
                             packet_.size()));
  }
  std::string_view rest = Trim(parsed->rest);
  const std::size_t before = packet_.size();
  while (!rest.empty()) {
    const std::size_t run = HexRun(rest);
    if (run == 0 || run % 2 != 0 || (run < rest.size() && !IsBlank(rest[run]))) {
      break;  // the ASCII column
    }
    LEMAN_TRY(Digits(rest.substr(0, run)));
    rest.remove_prefix(run);
    std::size_t gap = 0;
    while (gap < rest.size() && IsBlank(rest[gap])) {
      ++gap;
    }
    // Two blanks part the ASCII column, except in the middle of a line of hexdump -C.
    if (gap > 2 || (gap == 2 && (parsed->colon || packet_.size() - before != 8))) {
      break;
    }
    rest.remove_prefix(gap);
  }
  return {};
}

Status Parser::PlainLine(std::string_view line) {
  while (!line.empty()) {
    const char c = line.front();
    if (IsBlank(c) || c == ':' || c == ',' || c == '-') {
      line.remove_prefix(1);
      continue;
    }
    if (line.starts_with("0x") || line.starts_with("0X")) {
      line.remove_prefix(2);
    }
    const std::size_t run = HexRun(line);
    if (run == 0) {
      const auto byte = static_cast<unsigned char>(line.empty() ? 'x' : line.front());
      return Fault(byte >= 0x20 && byte < 0x7f
                       ? fmt::format("'{}' is no hexadecimal digit", static_cast<char>(byte))
                       : fmt::format("byte 0x{:02x} is no hexadecimal digit", byte));
    }
    if (run % 2 != 0) {
      return Fault(fmt::format("'{}' has an odd number of digits", line.substr(0, run)));
    }
    LEMAN_TRY(Digits(line.substr(0, run)));
    line.remove_prefix(run);
  }
  return {};
}

Status Parser::Digits(std::string_view digits) {
  if (packet_.size() + digits.size() / 2 > kMaxPacketBytes) {
    return Fault(fmt::format("a packet of more than {} bytes", kMaxPacketBytes));
  }
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    packet_.push_back(static_cast<std::uint8_t>(Nibble(digits[i]) << 4U | Nibble(digits[i + 1])));
  }
  return {};
}

template <class Visit>
Status ForEachLine(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    LEMAN_TRY(visit(text.substr(0, end)));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return {};
}

}  // namespace

Result<std::vector<Packet>> ParseHexText(std::string_view text) {
  // One line with offset 0 makes it a dump; then what has no offset is a caption, not data.
  bool dump = false;
  static_cast<void>(ForEachLine(text, [&](std::string_view line) -> Status {
    const std::optional<OffsetLine> parsed = ParseOffset(Trim(line));
    dump = dump || (parsed && parsed->offset == 0 && !Trim(parsed->rest).empty());
    return {};
  }));
  Parser parser;
  LEMAN_TRY(ForEachLine(text, [&](std::string_view line) { return parser.Line(line, dump); }));
  parser.EndPacket();
  return parser.Take();
}

}  // namespace leman::cli
