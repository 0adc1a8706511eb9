// Typed reading of a YamlTree: every method either gives the value or adds a fault that names line,
// key, what is wrong and what would be right. `right` is that last part, as in "write true or
// false". Threads: none. Ownership: refers to the tree and the faults.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.h"
#include "base/mac_address.h"
#include "model/faults.h"
#include "model/yaml_tree.h"

namespace leman::model {

struct KeySpec {
  std::string_view name;
  bool required = false;
  std::string_view right = {};  // required keys: what to write when it is missing
};

class YamlReader {
 public:
  using NodeId = YamlTree::NodeId;

  YamlReader(const YamlTree& tree, Faults& faults) : tree_(tree), faults_(faults) {}

  [[nodiscard]] const YamlTree& tree() const { return tree_; }
  [[nodiscard]] std::uint32_t line(NodeId node) const { return tree_.line(node); }
  void Fault(NodeId node, const Path& path, std::string_view what) {
    faults_.Add(tree_.line(node), path, what);
  }

  // The values of a mapping in the order of `keys`, kNone for what is not there. Unknown, doubled
  // and missing keys are faults. False if `node` is no mapping at all.
  bool Mapping(NodeId node, const Path& path, std::span<const KeySpec> keys,
               std::span<NodeId> values);

  // The elements of a list; an empty value is an empty list.
  std::vector<NodeId> List(NodeId node, const Path& path, std::string_view right);

  std::optional<std::string_view> Text(NodeId node, const Path& path, std::string_view right);
  // Decimal or 0x hexadecimal, min..max.
  std::optional<std::uint32_t> Number(NodeId node, const Path& path, std::uint32_t min,
                                      std::uint32_t max);
  std::optional<bool> Bool(NodeId node, const Path& path);
  // Index of the word in `words`.
  std::optional<std::size_t> Word(NodeId node, const Path& path,
                                  std::span<const std::string_view> words);
  // 1..63 letters, digits and . _ - : /
  std::optional<std::string> Name(NodeId node, const Path& path);
  // What the kernel takes as name of a network device.
  std::optional<std::string> Device(NodeId node, const Path& path);
  // A workload's own: not a group address, not zero.
  std::optional<MacAddress> Mac(NodeId node, const Path& path);
  // A workload's own: not multicast, broadcast or unspecified.
  std::optional<IpAddress> Address(NodeId node, const Path& path);
  // A tunnel's end: besides, not link-local or loopback.
  std::optional<IpAddress> Vtep(NodeId node, const Path& path);
  // Pairs of hexadecimal digits, at most `max_bytes` bytes, a multiple of 4.
  std::optional<std::vector<std::uint8_t>> Hex(NodeId node, const Path& path,
                                               std::size_t max_bytes);

 private:
  std::optional<IpAddress> AnyAddress(NodeId node, const Path& path, std::string_view right);

  const YamlTree& tree_;
  Faults& faults_;
};

}  // namespace leman::model
