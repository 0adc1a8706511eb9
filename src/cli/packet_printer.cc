#include "cli/packet_printer.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "cli/units.h"

namespace leman::cli {

namespace {

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

struct SplitTime {
  std::time_t seconds;
  std::int64_t nanoseconds;
};

SplitTime Split(std::int64_t time_ns) {
  std::int64_t seconds = time_ns / kNanosecondsPerSecond;
  std::int64_t nanoseconds = time_ns % kNanosecondsPerSecond;
  if (nanoseconds < 0) {
    nanoseconds += kNanosecondsPerSecond;
    --seconds;
  }
  return {seconds, nanoseconds};
}

// The clock on the wall, as tcpdump shows it.
std::string LocalTime(std::int64_t time_ns) {
  const SplitTime split = Split(time_ns);
  std::tm local{};
  localtime_r(&split.seconds, &local);
  return fmt::format("{:02}:{:02}:{:02}.{:06}", local.tm_hour, local.tm_min, local.tm_sec,
                     split.nanoseconds / 1000);
}

std::string IsoTime(std::int64_t time_ns) {
  const SplitTime split = Split(time_ns);
  std::tm utc{};
  gmtime_r(&split.seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                     split.nanoseconds);
}

const char* VerdictWord(PacketVerdict verdict) {
  switch (verdict) {
    case PacketVerdict::kAccept:
      return "ACCEPT";
    case PacketVerdict::kControl:
      return "CTRL";
    case PacketVerdict::kDrop:
      return "DROP";
    case PacketVerdict::kNotGeneve:
      return "-";
    case PacketVerdict::kCut:
      return "CUT";
  }
  return "?";
}

Style VerdictStyle(PacketVerdict verdict) {
  switch (verdict) {
    case PacketVerdict::kAccept:
      return Style::kGood;
    case PacketVerdict::kDrop:
      return Style::kBad;
    case PacketVerdict::kControl:
    case PacketVerdict::kCut:
      return Style::kWarn;
    case PacketVerdict::kNotGeneve:
      break;
  }
  return Style::kDim;
}

Tree FieldTree(const PacketField& field);

// Fields without a key are for people; their children count all the same.
void AddMembers(const std::vector<PacketField>& fields, Tree& object) {
  for (const PacketField& field : fields) {
    if (field.key.empty()) {
      AddMembers(field.children, object);
    } else {
      object[field.key] = FieldTree(field);
    }
  }
}

Tree FieldTree(const PacketField& field) {
  if (field.is_list) {
    Tree list = Tree::array();
    for (const PacketField& child : field.children) {
      list.push_back(FieldTree(child));
    }
    return list;
  }
  if (field.children.empty()) {
    switch (field.value.index()) {
      case 1:
        return std::get<bool>(field.value);
      case 2:
        return std::get<std::uint64_t>(field.value);
      case 3:
        return std::get<std::string>(field.value);
      default:
        break;
    }
  }
  Tree object = Tree::object();
  if (field.offset.has_value()) {
    object["offset"] = *field.offset;
  }
  AddMembers(field.children, object);
  if (!field.text.empty()) {
    object["text"] = field.text;
  }
  return object;
}

}  // namespace

void PacketPrinter::Print(const CapturedPacket& captured, PacketText text) {
  Item item;
  item.number = ++number_;
  item.time_ns = captured.time_ns;
  item.captured_bytes = captured.bytes.size();
  item.original_bytes = captured.original_bytes;
  item.text = std::move(text);
  ++totals_[static_cast<std::size_t>(item.text.verdict)];
  if (item.text.reason.has_value()) {
    ++reasons_[std::string(geneve::ReasonName(*item.text.reason))];
  }
  if (detail_ == Detail::kAuto && !globals_.machine()) {
    held_.push_back(std::move(item));
    if (held_.size() > kFewPackets) {
      detail_ = Detail::kSummary;
      for (const Item& held : std::exchange(held_, {})) {
        Emit(held);
      }
    }
    return;
  }
  Emit(item);
}

void PacketPrinter::Emit(const Item& item) {
  if (!globals_.machine()) {
    const bool full = detail_ != Detail::kSummary;
    if (full && any_emitted_) {
      console_.out << '\n';
    }
    PrintLine(item, full);
    if (full) {
      console_.out << RenderPacket(item.text, 2);
    }
  } else if (live_) {
    ShowTree(console_, globals_, ItemTree(item), true);
  } else if (globals_.format() == Output::kJson) {
    std::string json = ToJsonLine(ItemTree(item));
    json.pop_back();
    console_.out << (any_emitted_ ? ",\n  " : "{\"packets\": [\n  ") << json;
  } else {
    console_.out << (any_emitted_ ? "" : "packets:\n") << ToYaml(Tree::array({ItemTree(item)}));
  }
  any_emitted_ = true;
  if (live_) {
    console_.out.flush();
  }
}

void PacketPrinter::PrintLine(const Item& item, bool headline) {
  const PacketText& text = item.text;
  std::string line =
      headline ? fmt::format("#{} ", item.number) : fmt::format("{:>5} ", item.number);
  if (item.time_ns.has_value()) {
    line += LocalTime(*item.time_ns) + " ";
  }
  console_.out << line
               << console_.Paint(VerdictStyle(text.verdict),
                                 fmt::format("{:<6}", VerdictWord(text.verdict)))
               << " " << text.summary;
  if (headline) {
    console_.out << fmt::format(", {} bytes", item.original_bytes);
    if (item.captured_bytes < item.original_bytes) {
      console_.out << fmt::format(" ({} captured)", item.captured_bytes);
    }
  } else if (text.reason.has_value()) {
    console_.out << "  "
                 << console_.Paint(Style::kBad,
                                   fmt::format("{} at byte {}", geneve::ReasonName(*text.reason),
                                               text.offset.value_or(0)));
  }
  console_.out << '\n';
}

Tree PacketPrinter::ItemTree(const Item& item) const {
  const PacketText& text = item.text;
  Tree tree = Tree::object();
  tree["number"] = item.number;
  if (item.time_ns.has_value()) {
    tree["time"] = IsoTime(*item.time_ns);
  }
  tree["captured_bytes"] = item.captured_bytes;
  tree["original_bytes"] = item.original_bytes;
  tree["verdict"] = PacketVerdictName(text.verdict);
  if (text.reason.has_value()) {
    tree["reason"] = geneve::ReasonName(*text.reason);
    tree["reason_text"] = geneve::ReasonText(*text.reason);
    tree["reason_offset"] = text.offset.value_or(0);
    tree["standard"] = ReasonStandard(*text.reason);
  }
  tree["summary"] = text.summary;
  AddMembers(text.layers, tree);
  return tree;
}

Tree PacketPrinter::TotalsTree() const {
  Tree totals = Tree::object();
  totals["packets"] = number_;
  for (std::size_t i = 0; i < totals_.size(); ++i) {
    totals[std::string(PacketVerdictName(static_cast<PacketVerdict>(i)))] = totals_[i];
  }
  Tree reasons = Tree::object();
  for (const auto& [reason, count] : reasons_) {
    reasons[reason] = count;
  }
  totals["reasons"] = std::move(reasons);
  return totals;
}

std::string PacketPrinter::Totals() const {
  static constexpr std::array<const char*, kPacketVerdicts> kWords = {
      "accepted", "for the control plane", "dropped", "not GENEVE", "cut short"};
  std::string text = fmt::format("{} packet{}", Grouped(number_), number_ == 1 ? "" : "s");
  const char* separator = ": ";
  for (std::size_t i = 0; i < totals_.size(); ++i) {
    if (totals_[i] == 0) {
      continue;
    }
    text += fmt::format("{}{} {}", separator, Grouped(totals_[i]), kWords[i]);
    separator = ", ";
    if (static_cast<PacketVerdict>(i) == PacketVerdict::kDrop) {
      std::string reasons;
      for (const auto& [reason, count] : reasons_) {
        reasons += fmt::format("{}{} {}", reasons.empty() ? "" : ", ", reason, Grouped(count));
      }
      text += " (" + reasons + ")";
    }
  }
  return text;
}

void PacketPrinter::Finish() {
  if (!held_.empty()) {
    detail_ = Detail::kFull;
    for (const Item& held : std::exchange(held_, {})) {
      Emit(held);
    }
  }
  if (!globals_.machine()) {
    console_.out << (any_emitted_ ? "\n" : "") << Totals() << '\n';
  } else if (live_) {
    return;  // a stream of packets has no place for another kind of document
  } else if (globals_.format() == Output::kJson) {
    std::string totals = ToJsonLine(TotalsTree());
    totals.pop_back();
    console_.out << (any_emitted_ ? "\n], " : "{\"packets\": [], ") << "\"totals\": " << totals
                 << "}\n";
  } else {
    console_.out << (any_emitted_ ? "" : "packets: []\n") << ToYaml({{"totals", TotalsTree()}});
  }
}

}  // namespace leman::cli
