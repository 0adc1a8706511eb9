// OptionSet: the options an endpoint knows, each with the data lengths it may have.
//
// Purpose:   the decoder drops unknown critical options and known ones of another length; the
//            encoder refuses to build what is not registered. Both ask this set.
// Threads:   const use from any thread; Add() needs exclusive access.
// Ownership: everything inline, about 1 KiB; no allocation.
// Errors:    Add() refuses a second, different length for a kind (RFC 8926 section 3.5.1: a
//            fixed-size option never changes size) and a 65th kind.
// Units:     lengths are bytes of option data, without the 4-byte option header.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>

#include "geneve/option.h"
#include "geneve/result.h"

namespace geneve {

// Which data lengths an option may have: one bit for each of the 32 possible ones.
class LengthSet {
 public:
  constexpr LengthSet() = default;  // no length at all
  static constexpr LengthSet Any() { return LengthSet(0xFFFFFFFF); }
  // Exactly these; nothing if one is not a multiple of 4 or above 124.
  static constexpr std::optional<LengthSet> Of(std::initializer_list<size_t> lengths) {
    uint32_t mask = 0;
    for (const size_t bytes : lengths) {
      if (bytes % 4 != 0 || bytes > kMaxOptionDataBytes) return std::nullopt;
      mask |= uint32_t{1} << (bytes / 4);
    }
    return LengthSet(mask);
  }
  // This many bytes (rounded up to a word) or more.
  static constexpr LengthSet AtLeast(size_t bytes) {
    const size_t words = (bytes + 3) / 4;
    return LengthSet(words > 31 ? 0 : 0xFFFFFFFF << words);
  }

  // Bit n: n words of data may occur.
  static constexpr LengthSet FromMask(uint32_t mask) { return LengthSet(mask); }

  constexpr bool ContainsBytes(size_t bytes) const {
    return bytes % 4 == 0 && bytes <= kMaxOptionDataBytes && ContainsWords(bytes / 4);
  }
  // `words` < 32.
  constexpr bool ContainsWords(size_t words) const { return ((mask_ >> words) & 1) != 0; }
  constexpr uint32_t mask() const { return mask_; }

  friend constexpr bool operator==(LengthSet, LengthSet) = default;

 private:
  constexpr explicit LengthSet(uint32_t mask) : mask_(mask) {}
  uint32_t mask_ = 0;
};

enum class OptionSetError : uint8_t {
  kConflict,   // the kind is in the set with other lengths
  kNoLengths,  // an empty LengthSet would make every such option invalid
  kFull,       // kCapacity kinds are in
};

class OptionSet {
 public:
  static constexpr size_t kCapacity = 64;

  constexpr OptionSet() = default;

  // Adding the same kind with the same lengths again changes nothing and succeeds.
  constexpr Result<void, OptionSetError> Add(OptionKey key, LengthSet lengths) {
    if (lengths == LengthSet()) return Unexpected(OptionSetError::kNoLengths);
    size_t slot = SlotOf(key);
    for (; slots_[slot].tag != 0; slot = (slot + 1) % kSlots) {
      if (slots_[slot].tag != TagOf(key)) continue;
      if (slots_[slot].mask == lengths.mask()) return {};
      return Unexpected(OptionSetError::kConflict);
    }
    if (size_ == kCapacity) return Unexpected(OptionSetError::kFull);
    slots_[slot] = {TagOf(key), lengths.mask()};
    ++size_;
    return {};
  }

  // The mask of allowed lengths (bit n: n words), or 0 if the kind is not in the set.
  constexpr uint32_t LengthMask(OptionKey key) const {
    for (size_t slot = SlotOf(key); slots_[slot].tag != 0; slot = (slot + 1) % kSlots) {
      if (slots_[slot].tag == TagOf(key)) return slots_[slot].mask;
    }
    return 0;
  }
  constexpr bool Contains(OptionKey key) const { return LengthMask(key) != 0; }
  constexpr size_t size() const { return size_; }

 private:
  // Twice the capacity: a probe always meets a free slot and rarely a foreign one.
  static constexpr size_t kSlots = 2 * kCapacity;
  struct Slot {
    uint32_t tag = 0;  // 0: free
    uint32_t mask = 0;
  };

  // The 24 bits of the key with a bit above, so that no key looks like a free slot.
  static constexpr uint32_t TagOf(OptionKey key) { return key.packed() | 0x1000000; }
  static constexpr size_t SlotOf(OptionKey key) {
    return static_cast<uint32_t>(key.packed() * 0x9E3779B1u) >> 25;  // 7 bits: 0..127
  }
  static_assert(kSlots == 128);

  std::array<Slot, kSlots> slots_{};
  size_t size_ = 0;
};

}  // namespace geneve
