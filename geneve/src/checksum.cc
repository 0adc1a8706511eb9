#include "geneve/checksum.h"

namespace geneve {

uint64_t ChecksumAdd(uint64_t sum, ByteSpan bytes) {
  const uint8_t* p = bytes.data();
  size_t left = bytes.size();
  for (; left >= 4; left -= 4, p += 4) sum += LoadBe32(p);
  if (left >= 2) {
    sum += LoadBe16(p);
    left -= 2;
    p += 2;
  }
  if (left != 0) sum += uint64_t{*p} << 8;
  return sum;
}

}  // namespace geneve
