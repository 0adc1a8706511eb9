#include "geneve/header.h"

namespace geneve {
namespace {

Unexpected<DecodeError> Fail(Reason reason, size_t offset) {
  return Unexpected(DecodeError{reason, static_cast<uint32_t>(offset)});
}

// No option starts at byte 0 of a message.
constexpr size_t kNone = 0;

}  // namespace

Result<HeaderView, DecodeError> DecodeHeader(ByteSpan message, const DecodePolicy& policy) {
  const std::optional<HeaderView> header = HeaderView::Peek(message);
  if (!header) return Fail(Reason::kShortHdr, message.size());
  // Before anything else: under another version the other fields have no defined meaning.
  if (header->version() != 0) return Fail(Reason::kVersion, 0);
  const size_t end = header->size();
  if (end > message.size()) return Fail(Reason::kOptTrunc, message.size());
  if (header->option_bytes() > policy.option_capacity) return Fail(Reason::kOptCapacity, 0);

  const bool strict = policy.handling == OptionHandling::kStrict;
  const bool read_options = policy.handling != OptionHandling::kNone;
  size_t wrong_length = kNone;
  size_t unknown_critical = kNone;
  const uint8_t* const base = message.data();
  for (size_t at = kFixedHeaderBytes; at < end;) {
    // Opt Len and Length both count words, so an option's own header is always inside the area.
    const size_t words = base[at + 3] & 0x1F;
    const size_t next = at + kOptionHeaderBytes + words * 4;
    if (next > end) return Fail(Reason::kOptLen, at);
    const bool critical = (base[at + 2] & kCriticalTypeBit) != 0;
    if (policy.known != nullptr) {
      const uint32_t lengths = policy.known->LengthMask({LoadBe16(base + at), base[at + 2]});
      const bool fits = ((lengths >> words) & 1) != 0;
      if (lengths != 0 && !fits && strict && wrong_length == kNone) wrong_length = at;
      if (critical && !fits && (lengths == 0 || !strict) && unknown_critical == kNone) {
        unknown_critical = at;
      }
    } else if (critical && unknown_critical == kNone) {
      unknown_critical = at;
    }
    at = next;
  }

  if (!read_options) {
    if (header->critical()) return Fail(Reason::kOptCrit, 1);
    return *header;
  }
  if (wrong_length != kNone) return Fail(Reason::kOptKnownLen, wrong_length);
  if (unknown_critical != kNone && (strict || header->critical())) {
    return Fail(Reason::kOptCrit, unknown_critical);
  }
  return *header;
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
