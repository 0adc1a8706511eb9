// Numbers as people read them. Tables use these; JSON and YAML carry the raw numbers.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>

namespace leman::cli {

[[nodiscard]] std::string Grouped(std::uint64_t value);  // 1234567 -> "1,234,567"
[[nodiscard]] std::string SiCount(
    std::uint64_t value);  // 1234567 -> "1.23M", below 10,000 as it is
[[nodiscard]] std::string BinaryBytes(std::uint64_t bytes);  // 3565158 -> "3.4 MiB"
[[nodiscard]] std::string Duration(double seconds);          // 93784 -> "1d 2h", 0.25 -> "250ms"
[[nodiscard]] std::string Rate(double per_second);           // 1234.5 -> "1.23k/s"
[[nodiscard]] std::string Percent(std::uint64_t part, std::uint64_t whole);  // "3%", "<1%"

}  // namespace leman::cli
