// Counter slots: a small stable number for each thing counted. Internal to dataplane/.
// Threads: none of its own. A slot stays with its key until freed, also over a restart of the
// agent, because the number stands in the pinned maps (Seed).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

namespace leman {

template <class Key>
class Slots {
 public:
  void Reset(std::uint32_t size) {
    by_key_.clear();
    used_.assign(size, false);
    next_ = 0;
  }

  // What the kernel already has. False if the number is out of range or taken: the key gets
  // another.
  bool Seed(const Key& key, std::uint32_t slot) {
    if (slot >= used_.size() || used_[slot] || by_key_.contains(key)) {
      return false;
    }
    used_[slot] = true;
    by_key_.emplace(key, slot);
    return true;
  }

  [[nodiscard]] std::optional<std::uint32_t> Find(const Key& key) const {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? std::nullopt : std::optional(found->second);
  }

  // The key's slot, a new one if it has none (`*fresh`); nothing if all are taken.
  [[nodiscard]] std::optional<std::uint32_t> Take(const Key& key, bool* fresh) {
    *fresh = false;
    if (const auto slot = Find(key)) {
      return slot;
    }
    for (std::size_t tried = 0; tried < used_.size(); ++tried) {
      const std::uint32_t slot = next_;
      next_ = (next_ + 1) % static_cast<std::uint32_t>(used_.size());
      if (!used_[slot]) {
        used_[slot] = true;
        by_key_.emplace(key, slot);
        *fresh = true;
        return slot;
      }
    }
    return std::nullopt;
  }

  void FreeIf(const std::function<bool(const Key&)>& gone) {
    for (auto it = by_key_.begin(); it != by_key_.end();) {
      if (gone(it->first)) {
        used_[it->second] = false;
        it = by_key_.erase(it);
      } else {
        ++it;
      }
    }
  }

 private:
  std::unordered_map<Key, std::uint32_t> by_key_;
  std::vector<bool> used_;
  std::uint32_t next_ = 0;  // round robin: a freed slot rests before its next user
};

}  // namespace leman
