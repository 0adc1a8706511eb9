// Encoding of GENEVE headers (RFC 8926 sections 3.4 and 3.5): a builder for any header, a template
// for the fast path.
//
// Purpose:   write what the RFC allows and nothing else: Ver 0, reserved bits zero, C set exactly
//            when a critical option is present, lengths that add up.
// Threads:   values; one builder is used by one thread, a const template by any.
// Ownership: the builder borrows the output span until Finish(); a template holds its bytes inline.
// Errors:    the builder keeps the first error and Finish() returns it; until Finish() succeeds the
//            output holds nothing to send. No byte of a finished header is left unwritten.
// Units:     bytes; integers in host byte order.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "geneve/bytes.h"
#include "geneve/header.h"
#include "geneve/option.h"
#include "geneve/option_set.h"
#include "geneve/result.h"
#include "geneve/vni.h"

namespace geneve {

enum class EncodeFault : uint8_t {
  kNoRoom,          // the output span is too short
  kVniRange,        // VNI above 0xFFFFFF
  kOptionDataSize,  // option data not a multiple of 4 or above 124 bytes
  kOptionsTooLong,  // more than 252 bytes of options, or more than the receiver takes
  kOptionLength,    // known option with a length that is not registered for it
  kOptionUnknown,   // only registered options may be sent, and this one is not
};
std::string_view EncodeFaultText(EncodeFault fault);

struct EncodeError {
  EncodeFault fault = EncodeFault::kNoRoom;
  uint16_t offset = 0;  // where in the header the refused field or option would have stood

  friend constexpr bool operator==(const EncodeError&, const EncodeError&) = default;
};

struct EncodePolicy {
  uint16_t option_capacity = kMaxOptionsBytes;  // what the receiver takes (section 3.5.1)
  const OptionSet* known = nullptr;             // borrowed; lengths of these kinds are enforced
  bool only_known = false;                      // refuse kinds that are not in `known`
};

// HeaderBuilder b(buffer);
// b.SetVni(vni).AddOption({0x0102, 0x80}, ports);
// Result<size_t, EncodeError> bytes = b.Finish();
class HeaderBuilder {
 public:
  explicit HeaderBuilder(MutableByteSpan out, const EncodePolicy& policy = {})
      : out_(out), policy_(policy) {}
  HeaderBuilder(const HeaderBuilder&) = delete;  // two writers of one buffer
  HeaderBuilder& operator=(const HeaderBuilder&) = delete;

  HeaderBuilder& SetVni(Vni vni) {
    vni_ = vni;
    return *this;
  }
  HeaderBuilder& SetVni(uint32_t vni) {
    const std::optional<Vni> checked = Vni::From(vni);
    if (!checked) return Fail(EncodeFault::kVniRange, 4);
    vni_ = *checked;
    return *this;
  }
  // EtherType of the payload; Ethernet unless set.
  HeaderBuilder& SetProtocol(uint16_t ether_type) {
    protocol_ = ether_type;
    return *this;
  }
  // O bit: control packet, never tenant data.
  HeaderBuilder& SetControl(bool control) {
    flags_ = static_cast<uint8_t>(control ? flags_ | kControlFlag : flags_ & ~kControlFlag);
    return *this;
  }

  // Appends an option; options keep the order of the calls.
  HeaderBuilder& AddOption(OptionKey key, ByteSpan data) {
    uint8_t* const to = BeginOption(key, data.size());
    if (to != nullptr && !data.empty()) std::memcpy(to, data.data(), data.size());
    return *this;
  }
  // The common case of one word.
  HeaderBuilder& AddOption32(OptionKey key, uint32_t value) {
    if (uint8_t* const to = BeginOption(key, 4)) StoreBe32(to, value);
    return *this;
  }

  // Bytes of header so far, options included.
  size_t size() const { return size_; }

  // Writes the fixed header and returns the size of the whole.
  [[nodiscard]] Result<size_t, EncodeError> Finish() {
    if (out_.size() < kFixedHeaderBytes) Fail(EncodeFault::kNoRoom, 0);
    if (failed_) return Unexpected(error_);
    uint8_t* const p = out_.data();
    const auto words = static_cast<uint32_t>((size_ - kFixedHeaderBytes) / 4);
    StoreBe32(p, (words << 24) | (uint32_t{flags_} << 16) | uint32_t{protocol_});
    StoreBe32(p + 4, vni_.value() << 8);
    return size_;
  }

 private:
  HeaderBuilder& Fail(EncodeFault fault, size_t offset) {
    if (!failed_) error_ = {fault, static_cast<uint16_t>(offset)};
    failed_ = true;
    return *this;
  }

  // Checks, writes the option header and returns where the data goes; null on error.
  uint8_t* BeginOption(OptionKey key, size_t data_bytes) {
    if (data_bytes % 4 != 0 || data_bytes > kMaxOptionDataBytes) {
      Fail(EncodeFault::kOptionDataSize, size_);
      return nullptr;
    }
    const size_t end = size_ + kOptionHeaderBytes + data_bytes;
    if (end > kMaxHeaderBytes || end - kFixedHeaderBytes > policy_.option_capacity) {
      Fail(EncodeFault::kOptionsTooLong, size_);
      return nullptr;
    }
    if (end > out_.size()) {
      Fail(EncodeFault::kNoRoom, size_);
      return nullptr;
    }
    if (policy_.known != nullptr && !Registered(key, data_bytes)) return nullptr;
    uint8_t* const p = out_.data() + size_;
    StoreBe32(p, (key.packed() << 8) | static_cast<uint32_t>(data_bytes / 4));
    // kCriticalTypeBit is 0x80 and C is 0x40: the OR over all types, moved by one, is the C bit.
    flags_ = static_cast<uint8_t>(flags_ | ((key.type & kCriticalTypeBit) >> 1));
    size_ = end;
    return p + kOptionHeaderBytes;
  }
  static_assert(kCriticalTypeBit >> 1 == kCriticalFlag);

  bool Registered(OptionKey key, size_t data_bytes);

  MutableByteSpan out_;
  EncodePolicy policy_;
  size_t size_ = kFixedHeaderBytes;
  Vni vni_;
  uint16_t protocol_ = kProtocolEthernet;
  uint8_t flags_ = 0;
  bool failed_ = false;
  EncodeError error_;
};

// Where the data of one option lies in every header stamped from a template.
struct OptionSlot {
  uint16_t offset = 0;
  uint16_t length = 0;

  // Replace the data in a stamped header; false and no change if the value has another length than
  // the slot or `header` is too short to hold it.
  [[nodiscard]] bool Put(MutableByteSpan header, ByteSpan value) const {
    if (value.size() != length || header.size() < size_t{offset} + length) return false;
    std::copy(value.begin(), value.end(), header.begin() + offset);
    return true;
  }
  [[nodiscard]] bool Put32(MutableByteSpan header, uint32_t value) const {
    if (length != 4 || header.size() < size_t{offset} + 4) return false;
    StoreBe32(header.data() + offset, value);
    return true;
  }
  [[nodiscard]] bool Put64(MutableByteSpan header, uint64_t value) const {
    if (length != 8 || header.size() < size_t{offset} + 8) return false;
    StoreBe64(header.data() + offset, value);
    return true;
  }
};

// A header made once and stamped onto every packet of a network: only the VNI and the values of
// chosen options change from packet to packet.
class HeaderTemplate {
 public:
  // From a header that HeaderBuilder made. Anything DecodeHeader() would refuse is refused here,
  // except that every option counts as known: a sender may send what the receiver agreed to.
  static Result<HeaderTemplate, DecodeError> From(ByteSpan header);

  size_t size() const { return size_; }
  ByteSpan bytes() const { return ByteSpan(bytes_).first(size_); }
  // The last option of this kind.
  std::optional<OptionSlot> FindSlot(OptionKey key) const;

  // Writes the header with this VNI at the start of `out` and returns its size; returns 0 and
  // writes nothing if it does not fit.
  size_t Stamp(MutableByteSpan out, Vni vni) const {
    if (out.size() < size_) return 0;
    // Whole 8-byte blocks, the last one overlapping: a header is never shorter than one, and this
    // is several times faster than a call of memcpy with an unknown length.
    uint8_t* const to = out.data();
    const size_t last = size_ - 8;
    // NOLINTNEXTLINE(bugprone-not-null-terminated-result): bytes, not text
    for (size_t i = 8; i < last; i += 8) std::memcpy(to + i, bytes_.data() + i, 8);
    std::memcpy(to + last, bytes_.data() + last, 8);
    std::memcpy(to, bytes_.data(), 4);
    StoreBe32(to + 4, vni.value() << 8);
    return size_;
  }

 private:
  HeaderTemplate() = default;

  std::array<uint8_t, kMaxHeaderBytes> bytes_{};
  size_t size_ = 0;
};

}  // namespace geneve
