#include "geneve/text.h"

#include <algorithm>

namespace geneve {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

}  // namespace

TextWriter& TextWriter::Text(std::string_view text) {
  const size_t fits = std::min(text.size(), out_.size() - size_);
  std::copy_n(text.begin(), fits, out_.data() + size_);
  size_ += fits;
  if (fits != text.size()) truncated_ = true;
  return *this;
}

TextWriter& TextWriter::Dec(uint64_t value) {
  char digits[20] = {};
  size_t at = sizeof(digits);
  do {
    digits[--at] = kDigits[value % 10];
    value /= 10;
  } while (value != 0);
  return Text({digits + at, sizeof(digits) - at});
}

TextWriter& TextWriter::Hex(uint64_t value, int digits) {
  for (int i = 15; i >= 0; --i) {
    if (i < digits || (value >> (4 * i)) != 0) Char(kDigits[(value >> (4 * i)) & 0xF]);
  }
  return *this;
}

TextWriter& TextWriter::HexBytes(ByteSpan bytes) {
  for (const uint8_t b : bytes) Hex(b, 2);
  return *this;
}

TextWriter& TextWriter::Mac(ByteSpan six_bytes) {
  for (size_t i = 0; i < six_bytes.size(); ++i) {
    if (i != 0) Char(':');
    Hex(six_bytes[i], 2);
  }
  return *this;
}

TextWriter& TextWriter::Address(ByteSpan bytes) {
  if (bytes.size() == 4) {
    for (size_t i = 0; i < 4; ++i) {
      if (i != 0) Char('.');
      Dec(bytes[i]);
    }
  } else if (bytes.size() == 16) {
    Ipv6(bytes);
  } else {
    HexBytes(bytes);
  }
  return *this;
}

void TextWriter::Ipv6(ByteSpan bytes) {
  const auto group = [&](size_t i) { return LoadBe16(&bytes[2 * i]); };
  // The longest run of at least two zero groups is written "::", the first one if several.
  size_t run_start = 8;
  size_t run_length = 1;
  for (size_t i = 0; i < 8;) {
    size_t end = i;
    while (end < 8 && group(end) == 0) ++end;
    if (end - i > run_length) {
      run_start = i;
      run_length = end - i;
    }
    i = end + 1;
  }
  for (size_t i = 0; i < 8;) {
    if (i == run_start) {
      Text("::");
      i += run_length;
      continue;
    }
    if (i != 0 && i != run_start + run_length) Char(':');
    Hex(group(i), 1);
    ++i;
  }
}

}  // namespace geneve
