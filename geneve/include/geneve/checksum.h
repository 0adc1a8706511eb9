// The Internet checksum (RFC 1071) and its incremental update (RFC 1624).
//
// Threads: pure functions. Errors: none. Units: 16-bit words in host byte order as LoadBe16() reads
// them; an odd last byte is padded with zero.

#pragma once

#include <cstdint>

#include "geneve/bytes.h"

namespace geneve {

// One's complement sum of the bytes, added to `sum`; not folded, so sums can be chained. Only the
// last span of a chain may have an odd length.
uint64_t ChecksumAdd(uint64_t sum, ByteSpan bytes);

// Folds a sum to 16 bits, without complement. A region with a correct checksum folds to 0xFFFF.
constexpr uint16_t ChecksumFold(uint64_t sum) {
  while ((sum >> 16) != 0) sum = (sum & 0xFFFF) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

// The checksum field after one 16-bit word changed (RFC 1624 equation 3).
constexpr uint16_t ChecksumReplace(uint16_t checksum, uint16_t old_word, uint16_t new_word) {
  const uint64_t sum = uint64_t{static_cast<uint16_t>(~checksum)} +
                       uint64_t{static_cast<uint16_t>(~old_word)} + uint64_t{new_word};
  return static_cast<uint16_t>(~ChecksumFold(sum));
}

}  // namespace geneve
