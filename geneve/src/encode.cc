#include "geneve/encode.h"

namespace geneve {

std::string_view EncodeFaultText(EncodeFault fault) {
  switch (fault) {
    case EncodeFault::kNoRoom:
      return "the buffer is too short for the header";
    case EncodeFault::kVniRange:
      return "the VNI is above 16777215";
    case EncodeFault::kOptionDataSize:
      return "option data must be a multiple of 4 and at most 124 bytes";
    case EncodeFault::kOptionsTooLong:
      return "options are longer than 252 bytes or than the receiver takes";
    case EncodeFault::kOptionLength:
      return "option data has another length than registered for this option";
    case EncodeFault::kOptionUnknown:
      return "the option is not registered";
  }
  return "?";
}

bool HeaderBuilder::Registered(OptionKey key, size_t data_bytes) {
  const uint32_t lengths = policy_.known->LengthMask(key);
  if (lengths == 0) {
    if (policy_.only_known) Fail(EncodeFault::kOptionUnknown, size_);
    return !policy_.only_known;
  }
  if (((lengths >> (data_bytes / 4)) & 1) != 0) return true;
  Fail(EncodeFault::kOptionLength, size_);
  return false;
}

Result<HeaderTemplate, DecodeError> HeaderTemplate::From(ByteSpan header) {
  // With C set to 0 a lenient endpoint passes every option, which is what "all known" means here;
  // the copy keeps the bit as the sender set it.
  std::array<uint8_t, kMaxHeaderBytes> unflagged{};
  const size_t copied = header.size() < unflagged.size() ? header.size() : unflagged.size();
  for (size_t i = 0; i < copied; ++i) unflagged[i] = header[i];
  unflagged[1] = static_cast<uint8_t>(unflagged[1] & ~kCriticalFlag);
  const auto decoded =
      DecodeHeader(ByteSpan(unflagged).first(copied), {.handling = OptionHandling::kLenient});
  if (!decoded) return Unexpected(decoded.error());

  HeaderTemplate made;
  made.size_ = decoded->size();
  for (size_t i = 0; i < made.size_; ++i) made.bytes_[i] = header[i];
  return made;
}

std::optional<OptionSlot> HeaderTemplate::FindSlot(OptionKey key) const {
  const auto option = OptionRange(bytes().subspan(kFixedHeaderBytes)).Find(key);
  if (!option) return std::nullopt;
  return OptionSlot{static_cast<uint16_t>(option->offset() + kOptionHeaderBytes),
                    static_cast<uint16_t>(option->data_bytes())};
}

}  // namespace geneve
