// A YAML document as a compact tree with line numbers: what libyaml's parser tells, kept in two
// arrays (24 bytes a node, one text), so that a file of 100,000 workloads stays a few tens of
// megabytes while it is decoded. Anchors, aliases, tags and further documents are refused: they
// have no use in a state file and make the size of a document differ from the size of its text.
//
// Threads: any, no shared state. Ownership: the tree owns copies of all text; views returned live
// as long as the tree. Errors: by line, never an exception; the input is not trusted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace leman::model {

class YamlTree {
 public:
  enum class Kind : std::uint8_t { kScalar, kSequence, kMapping };
  using NodeId = std::uint32_t;
  static constexpr NodeId kNone = 0xffffffff;

  static constexpr std::size_t kMaxTextBytes = 128U << 20U;
  static constexpr std::size_t kMaxNodes = 4U << 20U;
  static constexpr std::size_t kMaxDepth = 16;
  static constexpr std::size_t kMaxScalarBytes = 4096;

  // One document. On failure the message is "FILE:LINE: what is wrong; what would be right".
  // An empty document has root() == kNone.
  [[nodiscard]] static Result<YamlTree> Parse(std::string_view file_name, std::string_view text);

  [[nodiscard]] NodeId root() const { return root_; }
  [[nodiscard]] Kind kind(NodeId node) const { return nodes_[node].kind; }
  // From 1.
  [[nodiscard]] std::uint32_t line(NodeId node) const { return nodes_[node].line; }
  // Of a scalar.
  [[nodiscard]] std::string_view text(NodeId node) const {
    return std::string_view(text_).substr(nodes_[node].text_begin, nodes_[node].size);
  }
  // A scalar written without quotes: may be a number, a truth value or null.
  [[nodiscard]] bool plain(NodeId node) const { return nodes_[node].plain; }
  // Children of a sequence in order; of a mapping key, value, key, value.
  [[nodiscard]] NodeId first_child(NodeId node) const { return nodes_[node].first_child; }
  [[nodiscard]] NodeId next(NodeId node) const { return nodes_[node].next; }
  // Number of children of a sequence or mapping (keys and values both count).
  [[nodiscard]] std::uint32_t child_count(NodeId node) const { return nodes_[node].size; }

 private:
  friend class YamlTreeBuilder;
  struct Node {
    std::uint32_t line = 0;
    std::uint32_t text_begin = 0;
    std::uint32_t size = 0;  // scalar: bytes of text; else: children
    NodeId first_child = kNone;
    NodeId next = kNone;
    Kind kind = Kind::kScalar;
    bool plain = false;
  };

  YamlTree() = default;

  std::vector<Node> nodes_;
  std::string text_;
  NodeId root_ = kNone;
};

}  // namespace leman::model
