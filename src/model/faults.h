// The faults found in a state file, each with line, key and the way out.
// Threads: none. Ownership: a Path lives on the stack of whoever walks the document and is written
// out only when a fault is told; a file of 100,000 good entries makes no path text at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leman::model {

// Where in the document: a key below `parent`, or an element of a list.
class Path {
 public:
  Path() = default;
  Path(const Path& parent, std::string_view key) : parent_(&parent), key_(key) {}
  Path(const Path& parent, std::size_t index) : parent_(&parent), index_(index) {}

  [[nodiscard]] std::string ToString() const;  // "networks[2].ports[0].mac"

 private:
  const Path* parent_ = nullptr;
  std::string_view key_;
  std::size_t index_ = 0;
};

class Faults {
 public:
  static constexpr std::size_t kMaxTold = 20;

  // `what` is "what is wrong; what would be right".
  void Add(std::uint32_t line, const Path& path, std::string_view what);

  [[nodiscard]] bool empty() const { return count_ == 0; }
  // False: further faults are only counted, making their text is waste.
  [[nodiscard]] bool telling() const { return told_.size() < kMaxTold; }
  // One line a fault in the order of the file, then "and N more".
  [[nodiscard]] std::string Text(std::string_view file_name) const;

 private:
  struct Fault {
    std::uint32_t line = 0;
    std::string text;
  };
  std::vector<Fault> told_;
  std::size_t count_ = 0;
};

// Text of the file as it may stand in a message: in quotes, cut at 40 bytes, controls escaped.
[[nodiscard]] std::string Quoted(std::string_view text);

// The known word that `word` was most likely meant to be; empty if none is near.
[[nodiscard]] std::string_view Nearest(std::string_view word,
                                       std::span<const std::string_view> known);

}  // namespace leman::model
