// The GENEVE header and its options in words.
//
// Threads: pure functions. Errors: none; an option that does not fit is said in a line of its own.
#pragma once

#include <geneve/packet.h>

#include <cstddef>
#include <string>

#include "base/packet_text_field.h"

namespace leman {

// The header field by field, then its options; `at` is its offset in what was given.
[[nodiscard]] PacketField DescribeGeneve(const geneve::HeaderView& header, std::size_t at,
                                         const geneve::Registry& registry);

// What a receiver forgives or changes, and people should know.
[[nodiscard]] PacketField DescribeNotes(const geneve::HeaderView& header,
                                        const geneve::Dissection& dissection);

// "ovn", or "0xff00/0x01" without a name in the registry.
[[nodiscard]] std::string OptionName(const geneve::OptionView& option,
                                     const geneve::Registry& registry);

}  // namespace leman
