// GENEVE options on the wire: one option, and the walk over an options area (RFC 8926 section 3.5).
//
// Purpose:   read options where they lie. OptionRange is safe over any bytes: it yields whole
//            options only and stops before one that would run past the area.
// Threads:   views; as safe as the bytes they look at.
// Ownership: borrow from the caller's buffer and must not outlive it.
// Errors:    OptionRange::error() names the option that does not fit. Duplicates are no error: the
//            walk reports all in order, Find() takes the last one as Open vSwitch does.
// Units:     bytes; offsets count from the start of the GENEVE message.

#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>

#include "geneve/bytes.h"
#include "geneve/error.h"

namespace geneve {

inline constexpr size_t kFixedHeaderBytes = 8;
inline constexpr size_t kOptionHeaderBytes = 4;
inline constexpr size_t kMaxOptionDataBytes = 124;  // Length is 5 bits of 4-byte words
inline constexpr size_t kMaxOptionsBytes = 252;     // Opt Len is 6 bits of 4-byte words
inline constexpr size_t kMaxHeaderBytes = kFixedHeaderBytes + kMaxOptionsBytes;
inline constexpr uint8_t kCriticalTypeBit = 0x80;

// What an option means: class and type together. The critical bit is part of the type.
struct OptionKey {
  uint16_t option_class = 0;
  uint8_t type = 0;

  constexpr bool critical() const { return (type & kCriticalTypeBit) != 0; }
  // Class and type in one number, 0..0xFFFFFF.
  constexpr uint32_t packed() const { return (uint32_t{option_class} << 8) | uint32_t{type}; }

  friend constexpr auto operator<=>(const OptionKey&, const OptionKey&) = default;
};

// One whole option. Only OptionRange makes these, so the bytes are known to be there.
class OptionView {
 public:
  constexpr OptionKey key() const { return {LoadBe16(base_), base_[2]}; }
  constexpr bool critical() const { return (base_[2] & kCriticalTypeBit) != 0; }
  // The three R bits: sent as zero, ignored on receipt; kept for tools that show what was sent.
  constexpr uint8_t reserved_bits() const { return static_cast<uint8_t>(base_[3] >> 5); }
  constexpr size_t data_bytes() const { return (size_t{base_[3]} & 0x1F) * 4; }
  constexpr size_t size() const { return kOptionHeaderBytes + data_bytes(); }

  constexpr ByteSpan data() const { return {base_ + kOptionHeaderBytes, data_bytes()}; }
  constexpr ByteSpan bytes() const { return {base_, size()}; }
  constexpr size_t offset() const { return offset_; }

 private:
  friend class OptionIterator;
  constexpr OptionView(const uint8_t* base, size_t offset) : base_(base), offset_(offset) {}

  const uint8_t* base_;
  size_t offset_;
};

class OptionIterator {
 public:
  using value_type = OptionView;
  using difference_type = ptrdiff_t;

  constexpr OptionIterator() = default;
  constexpr OptionIterator(ByteSpan area, size_t offset) : rest_(area), offset_(offset) { Check(); }

  constexpr OptionView operator*() const { return OptionView(rest_.data(), offset_); }
  constexpr OptionIterator& operator++() {
    rest_ = rest_.subspan(size_);
    offset_ += size_;
    Check();
    return *this;
  }
  constexpr OptionIterator operator++(int) {
    OptionIterator old = *this;
    ++*this;
    return old;
  }

  friend constexpr bool operator==(const OptionIterator& a, const OptionIterator& b) {
    return a.offset_ == b.offset_ && a.size_ == b.size_;
  }
  friend constexpr bool operator==(const OptionIterator& it, std::default_sentinel_t) {
    return it.size_ == 0;
  }

  // Bytes not walked: empty after a clean walk, else the option that does not fit.
  constexpr ByteSpan rest() const { return rest_; }
  constexpr size_t offset() const { return offset_; }

 private:
  constexpr void Check() {
    size_ = 0;  // 0 = end: a real option has at least 4 bytes
    if (rest_.size() < kOptionHeaderBytes) return;
    const size_t size = kOptionHeaderBytes + (size_t{rest_[3]} & 0x1F) * 4;
    if (size <= rest_.size()) size_ = size;
  }

  ByteSpan rest_;
  size_t offset_ = 0;
  size_t size_ = 0;
};

// All options of an options area, in the order sent.
class OptionRange {
 public:
  constexpr OptionRange() = default;
  // `offset` is where the area starts in the message; it only labels the options.
  constexpr explicit OptionRange(ByteSpan area, size_t offset = kFixedHeaderBytes)
      : area_(area), offset_(offset) {}

  constexpr OptionIterator begin() const { return OptionIterator(area_, offset_); }
  constexpr std::default_sentinel_t end() const { return {}; }
  constexpr bool empty() const { return begin() == end(); }
  constexpr ByteSpan bytes() const { return area_; }

  // How many whole options there are: at most 63.
  size_t Count() const;
  size_t Count(OptionKey key) const;
  // The last option with this key; the value that counts when a sender repeats one.
  std::optional<OptionView> Find(OptionKey key) const;
  std::optional<OptionView> FindFirst(OptionKey key) const;
  bool HasCritical() const;
  bool HasDuplicates() const;
  // OPT_LEN and the place of the option that runs past the area, if one does.
  std::optional<DecodeError> error() const;

 private:
  ByteSpan area_;
  size_t offset_ = kFixedHeaderBytes;
};

}  // namespace geneve
