#include "model/faults.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace leman::model {

namespace {

constexpr std::size_t kMaxShownBytes = 40;

std::string Printable(std::string_view text) {
  std::size_t shown = std::min(text.size(), kMaxShownBytes);
  // Not in the middle of a UTF-8 sequence.
  while (shown > 0 && shown < text.size() &&
         (static_cast<unsigned char>(text[shown]) & 0xc0U) == 0x80U) {
    --shown;
  }
  std::string out;
  for (const char c : text.substr(0, shown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  if (shown < text.size()) {
    out += "...";
  }
  return out;
}

// Edits (insert, delete, replace) between two short words.
std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string Path::ToString() const {
  if (parent_ == nullptr) {
    return {};
  }
  const std::string parent = parent_->ToString();
  if (key_.data() == nullptr) {
    return fmt::format("{}[{}]", parent, index_);
  }
  return parent.empty() ? Printable(key_) : parent + "." + Printable(key_);
}

void Faults::Add(std::uint32_t line, const Path& path, std::string_view what) {
  if (telling()) {
    const std::string where = path.ToString();
    told_.push_back({line, where.empty() ? std::string(what) : fmt::format("{}: {}", where, what)});
  }
  ++count_;
}

std::string Faults::Text(std::string_view file_name) const {
  std::vector<const Fault*> sorted;
  sorted.reserve(told_.size());
  for (const Fault& fault : told_) {
    sorted.push_back(&fault);
  }
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Fault* a, const Fault* b) { return a->line < b->line; });
  std::string out;
  for (const Fault* fault : sorted) {
    out += fmt::format("{}{}:{}: {}", out.empty() ? "" : "\n", file_name, fault->line, fault->text);
  }
  if (count_ > told_.size()) {
    out += fmt::format("\nand {} more", count_ - told_.size());
  }
  return out;
}

std::string Quoted(std::string_view text) { return "\"" + Printable(text) + "\""; }

std::string_view Nearest(std::string_view word, std::span<const std::string_view> known) {
  constexpr std::size_t kLongestWord = 32;
  if (word.size() > kLongestWord) {
    return {};
  }
  std::string_view best;
  std::size_t best_distance = 3;  // two edits are a typing error, three another word
  for (const std::string_view candidate : known) {
    const std::size_t distance = Distance(word, candidate);
    if (distance < best_distance && distance < candidate.size()) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace leman::model
