// Packets out of text: hex as people paste it.
//
// Understood: plain hex digits with any of blank, ':', ',', '-' and "0x" between them; dumps with
// an offset column and perhaps an ASCII column (xxd, hexdump -C, tcpdump -x/-X/-xx/-XX, tshark -x).
// Packets are parted by blank lines, or by an offset that starts again at 0. Lines that begin with
// '#' are skipped, and so are caption lines between dumps.
// Threads: pure function. Errors: kInvalidArgument with the number of the line at fault.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace leman::cli {

inline constexpr std::size_t kMaxPacketBytes = 262'144;  // libpcap's own bound

[[nodiscard]] Result<std::vector<std::vector<std::uint8_t>>> ParseHexText(std::string_view text);

}  // namespace leman::cli
