#include "cli/units.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstddef>

namespace leman::cli {

namespace {

// Three significant digits at most: "1.23", "12.3", "123".
std::string Short(double value) {
  if (value < 9.995) {
    return fmt::format("{:.2f}", value);
  }
  if (value < 99.95) {
    return fmt::format("{:.1f}", value);
  }
  return fmt::format("{:.0f}", value);
}

std::string Scaled(double value) {
  static constexpr std::array<const char*, 7> kPrefixes = {"", "k", "M", "G", "T", "P", "E"};
  std::size_t prefix = 0;
  while (value >= 999.5 && prefix + 1 < kPrefixes.size()) {
    value /= 1000;
    ++prefix;
  }
  return Short(value) + kPrefixes[prefix];
}

}  // namespace

std::string Grouped(std::uint64_t value) {
  const std::string digits = std::to_string(value);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) {
      text += ',';
    }
    text += digits[i];
  }
  return text;
}

std::string SiCount(std::uint64_t value) {
  return value < 10'000 ? std::to_string(value) : Scaled(static_cast<double>(value));
}

std::string BinaryBytes(std::uint64_t bytes) {
  static constexpr std::array<const char*, 7> kUnits = {"B",   "KiB", "MiB", "GiB",
                                                        "TiB", "PiB", "EiB"};
  if (bytes < 1024) {
    return fmt::format("{} B", bytes);
  }
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1023.95 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string Duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) {
    return "?";
  }
  if (seconds < 0.0005) {
    return "0s";
  }
  if (seconds < 0.9995) {
    return fmt::format("{:.0f}ms", seconds * 1000);
  }
  if (seconds < 10) {
    return fmt::format("{:.1f}s", seconds);
  }
  if (seconds > 1e15) {
    return "?";
  }
  const auto total = static_cast<std::uint64_t>(seconds);
  if (total < 60) {
    return fmt::format("{}s", total);
  }
  // The two largest units: more is noise to someone who asks "since when".
  const std::uint64_t minutes = total / 60;
  if (minutes < 60) {
    return fmt::format("{}m {}s", minutes, total % 60);
  }
  const std::uint64_t hours = minutes / 60;
  if (hours < 24) {
    return fmt::format("{}h {}m", hours, minutes % 60);
  }
  return fmt::format("{}d {}h", hours / 24, hours % 24);
}

std::string Rate(double per_second) {
  if (!std::isfinite(per_second) || per_second < 0) {
    return "?";
  }
  if (per_second < 0.005) {
    return "0/s";
  }
  return Scaled(per_second) + "/s";
}

std::string Percent(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) {
    return "-";
  }
  const double percent = 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  if (part > 0 && percent < 1) {
    return "<1%";
  }
  return fmt::format("{:.0f}%", percent);
}

}  // namespace leman::cli
