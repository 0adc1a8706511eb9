// What the two halves of the state file's decoder share: host (state_file.cc) and networks
// (decode_networks.cc). Inside of the module. Threads: none. Ownership: see YamlReader.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "model/desired_state.h"
#include "model/faults.h"
#include "model/yaml_reader.h"
#include "model/yaml_tree.h"

namespace leman::model {

using NodeId = YamlTree::NodeId;
inline constexpr NodeId kNone = YamlTree::kNone;
inline constexpr std::size_t kMaxOptionDataBytes = 124;  // RFC 8926 3.5: 5 bits of 4-byte words

// The mapping at `node` by the names of its keys.
template <std::size_t N>
class Fields {
 public:
  Fields(YamlReader& reader, NodeId node, const Path& path, const KeySpec (&keys)[N])
      : keys_(keys), is_mapping_(reader.Mapping(node, path, keys, values_)) {}

  [[nodiscard]] bool is_mapping() const { return is_mapping_; }
  // kNone: not given. `key` is one of `keys`.
  [[nodiscard]] NodeId operator[](std::string_view key) const {
    for (std::size_t i = 0; i < N; ++i) {
      if (keys_[i].name == key) {
        return values_[i];
      }
    }
    return kNone;
  }

 private:
  std::span<const KeySpec> keys_;
  std::array<NodeId, N> values_{};
  bool is_mapping_;
};

// Where a thing that must be unique was written, for the sentence about its second use.
template <class Key>
struct Use {
  Key key;
  std::uint32_t line = 0;
  NodeId node = kNone;
  bool remote = false;
  std::uint32_t index = 0;
  std::uint32_t address = 0;
  friend bool operator<(const Use& a, const Use& b) {
    return a.key != b.key ? a.key < b.key : a.node < b.node;
  }
};

// Calls `told(first use, further use)`. By sorting: no input makes this slow.
template <class Key, class F>
void FindTwice(std::vector<Use<Key>>& uses, F&& told) {
  std::sort(uses.begin(), uses.end());
  const Use<Key>* first = nullptr;
  for (const Use<Key>& use : uses) {
    if (first != nullptr && first->key == use.key) {
      told(*first, use);
    } else {
      first = &use;
    }
  }
}

// Reads a value if it is given; true if `target` holds one now.
template <class T, class V>
bool Set(YamlReader& reader, T& target, NodeId node, const Path& path,
         std::optional<V> (YamlReader::*read)(NodeId, const Path&)) {
  if (node == kNone) {
    return false;
  }
  auto value = (reader.*read)(node, path);
  if (!value.has_value()) {
    return false;
  }
  V& held = *value;
  target = std::move(held);
  return true;
}

template <class T>
bool SetNumber(YamlReader& reader, T& target, NodeId node, const Path& path, std::uint32_t min,
               std::uint32_t max) {
  if (node == kNone) {
    return false;
  }
  const auto value = reader.Number(node, path, min, max);
  if (value.has_value()) {
    target = static_cast<T>(*value);
  }
  return value.has_value();
}

// Calls `decode(element, path, index)` for each element of a list.
template <class F>
void ForEach(YamlReader& reader, NodeId list, const Path& path, std::string_view right,
             F&& decode) {
  std::uint32_t index = 0;
  for (const NodeId element : reader.List(list, path, right)) {
    decode(element, Path(path, index), index);
    ++index;
  }
}

// A VTEP on another host: not ourselves, and of a family we can send.
[[nodiscard]] std::optional<IpAddress> RemoteVtep(YamlReader& reader, const Underlay& underlay,
                                                  NodeId node, const Path& path);

// Fills state.networks; underlay and options are there already.
void DecodeNetworks(YamlReader& reader, NodeId list, const Path& path, const DesiredState* before,
                    DesiredState& state);

}  // namespace leman::model
