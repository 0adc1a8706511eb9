#include "geneve/header.h"

namespace geneve {
namespace {

// Kept out of line: the way of a good packet stays short.
[[gnu::cold, gnu::noinline]] Unexpected<DecodeError> Fail(Reason reason, size_t offset) {
  return Unexpected(DecodeError{reason, static_cast<uint32_t>(offset)});
}

// No option starts at byte 0 of a message.
constexpr uint16_t kNone = 0;

// What the options of a message have wrong; each the offset of the first such option, or kNone.
// Small enough to be returned in a register.
struct OptionFaults {
  uint16_t overrun = kNone;
  uint16_t wrong_length = kNone;
  uint16_t unknown_critical = kNone;
};

// The bytes of the option at `at`. Opt Len and Length both count words, so an option's own header
// is always inside the area.
size_t OptionSize(const uint8_t* base, size_t at) {
  return kOptionHeaderBytes + (size_t{base[at + 3]} & 0x1F) * 4;
}

OptionFaults CheckUnknownOptions(const uint8_t* base, size_t end) {
  OptionFaults faults;
  uint8_t types = 0;
  size_t at = kFixedHeaderBytes;
  size_t last = at;
  for (; at < end; at += OptionSize(base, at)) {
    types |= base[at + 2];
    last = at;
  }
  if (at != end) {
    faults.overrun = static_cast<uint16_t>(last);
  } else if ((types & kCriticalTypeBit) != 0) {
    at = kFixedHeaderBytes;
    while ((base[at + 2] & kCriticalTypeBit) == 0) at += OptionSize(base, at);
    faults.unknown_critical = static_cast<uint16_t>(at);
  }
  return faults;
}

OptionFaults CheckOptions(const uint8_t* base, size_t end, const OptionSet& known, bool strict) {
  OptionFaults faults;
  for (size_t at = kFixedHeaderBytes; at < end;) {
    const size_t size = OptionSize(base, at);
    const auto offset = static_cast<uint16_t>(at);
    if (at + size > end) {
      faults.overrun = offset;
      break;
    }
    const OptionKey key{LoadBe16(base + at), base[at + 2]};
    const uint32_t lengths = known.LengthMask(key);
    const bool fits = ((lengths >> ((size - kOptionHeaderBytes) / 4)) & 1) != 0;
    if (!fits) {
      const bool wrong = lengths != 0 && strict;
      if (wrong && faults.wrong_length == kNone) faults.wrong_length = offset;
      if (!wrong && key.critical() && faults.unknown_critical == kNone) {
        faults.unknown_critical = offset;
      }
    }
    at += size;
  }
  return faults;
}

}  // namespace

Result<HeaderView, DecodeError> DecodeHeader(ByteSpan message, const DecodePolicy& policy) {
  if (message.size() < kFixedHeaderBytes) return Fail(Reason::kShortHdr, message.size());
  const uint8_t* const base = message.data();
  // Before anything else: under another version the other fields have no defined meaning.
  if (base[0] >> 6 != 0) return Fail(Reason::kVersion, 0);
  const size_t option_bytes = size_t{base[0]} * 4;
  const size_t end = kFixedHeaderBytes + option_bytes;
  if (end > message.size()) return Fail(Reason::kOptTrunc, message.size());
  if (option_bytes > policy.option_capacity) return Fail(Reason::kOptCapacity, 0);

  const bool strict = policy.handling == OptionHandling::kStrict;
  const bool flagged = (base[1] & kCriticalFlag) != 0;
  if (option_bytes != 0) {
    const OptionFaults faults = policy.known == nullptr
                                    ? CheckUnknownOptions(base, end)
                                    : CheckOptions(base, end, *policy.known, strict);
    if (faults.overrun != kNone) return Fail(Reason::kOptLen, faults.overrun);
    if (policy.handling != OptionHandling::kNone) {
      if (faults.wrong_length != kNone) return Fail(Reason::kOptKnownLen, faults.wrong_length);
      if (faults.unknown_critical != kNone && (strict || flagged)) {
        return Fail(Reason::kOptCrit, faults.unknown_critical);
      }
    }
  }
  if (flagged && policy.handling == OptionHandling::kNone) return Fail(Reason::kOptCrit, 1);
  return HeaderView(message);
}

HeaderAnomalies FindAnomalies(const HeaderView& header) {
  const OptionRange options = header.options();
  HeaderAnomalies found;
  const bool has_critical = options.HasCritical();
  found.critical_flag_alone = header.critical() && !has_critical;
  found.critical_flag_missing = !header.critical() && has_critical;
  found.reserved_bits = header.rsvd() != 0 || header.reserved() != 0;
  for (const OptionView option : options) {
    if (option.reserved_bits() != 0) found.reserved_bits = true;
  }
  found.duplicate_option = options.HasDuplicates();
  return found;
}

}  // namespace geneve
