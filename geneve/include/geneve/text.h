// TextWriter: readable text into a caller's buffer.
//
// Threads: one writer, one thread. Ownership: borrows the buffer; view() points into it.
// Errors: what does not fit is cut off at the end and truncated() says so; never writes outside.
// The text is not terminated by a zero byte.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "geneve/bytes.h"

namespace geneve {

class TextWriter {
 public:
  explicit TextWriter(std::span<char> out) : out_(out) {}
  TextWriter(const TextWriter&) = delete;
  TextWriter& operator=(const TextWriter&) = delete;

  TextWriter& Text(std::string_view text);
  TextWriter& Char(char c) { return Text({&c, 1}); }
  TextWriter& Dec(uint64_t value);
  // At least `digits` lower-case hex digits, without prefix.
  TextWriter& Hex(uint64_t value, int digits);
  TextWriter& HexBytes(ByteSpan bytes);
  TextWriter& Mac(ByteSpan six_bytes);
  // 4 bytes as dotted quad, 16 as RFC 5952, anything else as hex.
  TextWriter& Address(ByteSpan bytes);

  std::string_view view() const { return {out_.data(), size_}; }
  bool truncated() const { return truncated_; }

 private:
  void Ipv6(ByteSpan bytes);

  std::span<char> out_;
  size_t size_ = 0;
  bool truncated_ = false;
};

}  // namespace geneve
