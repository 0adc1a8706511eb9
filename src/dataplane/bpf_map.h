// One BPF map with typed key and value: the only caller of bpf_map_*. Internal to dataplane/.
//
// Threads: none of its own; the kernel's map operations are atomic per entry.
// Ownership: owns the descriptor.
#pragma once

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace leman {

// The option of leman-agent that sets the size of a map; empty if its size is fixed.
[[nodiscard]] std::string SizeFlag(const std::string& map);

template <class Key, class Value>
class BpfMap {
  static_assert(std::has_unique_object_representations_v<Key>);
  static_assert(std::is_trivially_copyable_v<Value>);

 public:
  using Entry = std::pair<Key, Value>;

  BpfMap() = default;
  BpfMap(std::string name, int fd, std::uint32_t max_entries)
      : name_(std::move(name)), fd_(fd), max_entries_(max_entries) {}

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::uint32_t max_entries() const { return max_entries_; }

  [[nodiscard]] Status Put(const Key& key, const Value& value) {
    if (bpf_map_update_elem(fd_.get(), &key, &value, BPF_ANY) != 0) {
      return Fail(WriteError(errno));
    }
    return {};
  }

  // Writes all; stops at the first that the kernel refuses and says how many went in.
  [[nodiscard]] Status PutAll(std::span<const Entry> entries, std::size_t* written) {
    *written = 0;
    std::vector<Key> keys;
    std::vector<Value> values;
    while (*written < entries.size()) {
      const std::size_t n = std::min<std::size_t>(entries.size() - *written, kBatch);
      keys.clear();
      values.clear();
      for (const Entry& entry : entries.subspan(*written, n)) {
        keys.push_back(entry.first);
        values.push_back(entry.second);
      }
      auto count = static_cast<std::uint32_t>(n);
      const int err = bpf_map_update_batch(fd_.get(), keys.data(), values.data(), &count, nullptr);
      *written += err == 0 ? n : std::min<std::size_t>(count, n);
      if (err != 0) {
        return Fail(WriteError(errno));
      }
    }
    return {};
  }

  // Removing what is not there is no error: the wish is met.
  [[nodiscard]] Status Remove(const Key& key) {
    if (bpf_map_delete_elem(fd_.get(), &key) != 0 && errno != ENOENT) {
      return Fail(ErrnoError(errno, "cannot delete from map " + name_));
    }
    return {};
  }

  [[nodiscard]] bool Get(const Key& key, Value* value) const {
    return bpf_map_lookup_elem(fd_.get(), &key, value) == 0;
  }

  // Every entry. Entries that come or go meanwhile may or may not be among them.
  [[nodiscard]] Result<std::vector<Entry>> ReadAll() const {
    std::vector<Entry> all;
    std::vector<Key> keys(kBatch);
    std::vector<Value> values(kBatch);
    std::uint32_t position = 0;
    std::uint32_t* in = nullptr;
    auto batch = static_cast<std::uint32_t>(kBatch);
    while (true) {
      std::uint32_t count = batch;
      const int err = bpf_map_lookup_batch(fd_.get(), in, &position, keys.data(), values.data(),
                                           &count, nullptr);
      if (err != 0 && errno == ENOSPC) {
        // One hash bucket holds more than fits: take larger steps.
        batch *= 2;
        keys.resize(batch);
        values.resize(batch);
        continue;
      }
      if (err != 0 && errno != ENOENT) {
        return Fail(ErrnoError(errno, "cannot read map " + name_));
      }
      for (std::uint32_t i = 0; i < count; ++i) {
        all.emplace_back(keys[i], values[i]);
      }
      if (err != 0) {
        return all;
      }
      in = &position;
    }
  }

 private:
  static constexpr std::size_t kBatch = 4096;

  [[nodiscard]] Error WriteError(int err) const {
    if (err == E2BIG || err == ENOSPC) {
      const std::string flag = SizeFlag(name_);
      return {Code::kResourceExhausted,
              "map " + name_ + " is full (" + std::to_string(max_entries_) + " entries); " +
                  (flag.empty() ? "its size is fixed: take some out of the state file"
                                : "restart the agent with a larger " + flag +
                                      ", after leman-agent --detach")};
    }
    return ErrnoError(err, "cannot write map " + name_);
  }

  std::string name_;
  Fd fd_;
  std::uint32_t max_entries_ = 0;
};

// A per-CPU map read as the sum over CPUs. Value consists of 64-bit counters only.
template <class Value>
class CounterMap {
  static constexpr std::size_t kWordBytes = sizeof(std::uint64_t);
  static constexpr std::size_t kWords = sizeof(Value) / kWordBytes;
  static_assert(sizeof(Value) % kWordBytes == 0);

 public:
  CounterMap() = default;
  CounterMap(std::string name, int fd, std::uint32_t max_entries, int cpus)
      : name_(std::move(name)), fd_(fd), max_entries_(max_entries), cpus_(cpus) {}

  template <class Key>
  [[nodiscard]] Value Sum(const Key& key) const {
    std::vector<std::uint64_t> raw(kWords * static_cast<std::size_t>(cpus_));
    std::uint64_t sum[kWords] = {};
    if (bpf_map_lookup_elem(fd_.get(), &key, raw.data()) == 0) {
      for (std::size_t i = 0; i < raw.size(); ++i) {
        sum[i % kWords] += raw[i];
      }
    }
    Value value{};
    std::memcpy(&value, sum, sizeof(value));
    return value;
  }

  void Zero(std::uint32_t slot) {
    std::vector<std::uint64_t> zero(kWords * static_cast<std::size_t>(cpus_));
    // A slot that cannot be zeroed starts with its last user's counts; nothing depends on it.
    (void)bpf_map_update_elem(fd_.get(), &slot, zero.data(), BPF_ANY);
  }

  // Keys of a per-CPU hash.
  template <class Key>
  [[nodiscard]] std::vector<Key> Keys() const {
    std::vector<Key> keys;
    Key key{};
    const Key* last = nullptr;
    Key previous{};
    // Bounded: a map that changes under the walk may restart it.
    while (keys.size() < max_entries_ && bpf_map_get_next_key(fd_.get(), last, &key) == 0) {
      keys.push_back(key);
      previous = key;
      last = &previous;
    }
    return keys;
  }

  [[nodiscard]] std::uint32_t max_entries() const { return max_entries_; }

 private:
  std::string name_;
  Fd fd_;
  std::uint32_t max_entries_ = 0;
  int cpus_ = 1;
};

}  // namespace leman
