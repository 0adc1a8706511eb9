// A map that is made equal to what is wanted, touching only what differs. Internal to dataplane/.
//
// Use: Load() once; then for each change Want() every entry of the part that changed, Write(), and,
// after the other maps were written too, Sweep() what that part had before. What the kernel holds
// is remembered here, so that nothing is read back on the way.
#pragma once

#include <cstddef>
#include <cstring>
#include <functional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "dataplane/bpf_map.h"
#include "dataplane/dataplane.h"

namespace leman {

template <class T>
struct BytesHash {
  std::size_t operator()(const T& value) const noexcept {
    return std::hash<std::string_view>{}(
        std::string_view(reinterpret_cast<const char*>(&value), sizeof(value)));
  }
};

template <class T>
struct BytesEqual {
  bool operator()(const T& a, const T& b) const noexcept {
    return std::memcmp(&a, &b, sizeof(T)) == 0;
  }
};

template <class Key, class Value>
class SyncedMap {
 public:
  using Entry = typename BpfMap<Key, Value>::Entry;
  using Table = std::unordered_map<Key, Value, BytesHash<Key>, BytesEqual<Key>>;

  SyncedMap() = default;
  explicit SyncedMap(BpfMap<Key, Value> map) : map_(std::move(map)) {}

  [[nodiscard]] Status Load() {
    LEMAN_ASSIGN_OR_RETURN(const std::vector<Entry> all, map_.ReadAll());
    held_.clear();
    held_.reserve(all.size());
    for (const Entry& entry : all) {
      held_.insert_or_assign(entry.first, entry.second);
    }
    return {};
  }

  void Want(const Key& key, const Value& value) { wanted_.insert_or_assign(key, value); }
  [[nodiscard]] bool IsWanted(const Key& key) const { return wanted_.contains(key); }

  // Writes wanted entries that the kernel does not hold yet.
  [[nodiscard]] Status Write(ApplyReport* report) {
    // Changes first: they find room in a full map, and a stale entry is worse than a missing one.
    std::vector<Entry> changed;
    std::vector<Entry> added;
    for (const auto& [key, value] : wanted_) {
      const auto held = held_.find(key);
      if (held == held_.end()) {
        added.emplace_back(key, value);
      } else if (!BytesEqual<Value>{}(held->second, value)) {
        changed.emplace_back(key, value);
      }
    }
    LEMAN_TRY(Put(changed, &report->changed));
    return Put(added, &report->added);
  }

  // Removes those of `had` that are not wanted; with had == nullptr whatever else the map holds.
  [[nodiscard]] Status Sweep(const std::vector<Key>* had, ApplyReport* report) {
    std::vector<Key> stale;
    if (had != nullptr) {
      for (const Key& key : *had) {
        if (!wanted_.contains(key) && held_.contains(key)) {
          stale.push_back(key);
        }
      }
    } else {
      for (const auto& [key, value] : held_) {
        if (!wanted_.contains(key)) {
          stale.push_back(key);
        }
      }
    }
    for (const Key& key : stale) {
      LEMAN_TRY(map_.Remove(key));
      held_.erase(key);
      ++report->removed;
    }
    return {};
  }

  void Done() { wanted_.clear(); }

  // Compares the kernel's entries with what was written and mends the difference.
  [[nodiscard]] Status Audit(ApplyReport* report) {
    LEMAN_ASSIGN_OR_RETURN(const std::vector<Entry> all, map_.ReadAll());
    Table actual;
    actual.reserve(all.size());
    for (const Entry& entry : all) {
      actual.insert_or_assign(entry.first, entry.second);
    }
    for (const auto& [key, value] : held_) {
      const auto found = actual.find(key);
      if (found == actual.end() || !BytesEqual<Value>{}(found->second, value)) {
        LEMAN_TRY(map_.Put(key, value));
        ++(found == actual.end() ? report->added : report->changed);
      }
    }
    for (const auto& [key, value] : actual) {
      if (!held_.contains(key)) {
        LEMAN_TRY(map_.Remove(key));
        ++report->removed;
      }
    }
    return {};
  }

  [[nodiscard]] const Table& held() const { return held_; }
  [[nodiscard]] const BpfMap<Key, Value>& map() const { return map_; }

 private:
  [[nodiscard]] Status Put(const std::vector<Entry>& entries, std::uint64_t* count) {
    std::size_t written = 0;
    Status status = map_.PutAll(entries, &written);
    for (std::size_t i = 0; i < written; ++i) {
      held_.insert_or_assign(entries[i].first, entries[i].second);
    }
    *count += written;
    return status;
  }

  BpfMap<Key, Value> map_;
  Table held_;    // what the kernel holds, as far as we wrote or read it
  Table wanted_;  // of the change being made
};

}  // namespace leman
