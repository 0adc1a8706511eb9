#include "agent/option_names.h"

#include <fmt/format.h>
#include <geneve/registry.h>
#include <geneve/text.h>

#include <algorithm>
#include <array>

namespace leman::agent {

std::string OptionName(const model::HostProgram* program, std::uint16_t option_class,
                       std::uint8_t type) {
  if (program != nullptr) {
    for (const model::KnownOption& known : program->known_options) {
      if (known.option_class == option_class && known.type == type && !known.name.empty()) {
        return known.name;
      }
    }
  }
  const geneve::OptionKind* kind = geneve::Registry().Find({option_class, type});
  if (kind != nullptr) {
    return std::string(kind->name);
  }
  return fmt::format("{:#06x}/{:#04x}", option_class, type);
}

std::string OptionsText(std::span<const std::uint8_t> wire) {
  constexpr std::size_t kHeaderBytes = 4;
  std::string text;
  while (wire.size() >= kHeaderBytes) {
    const std::size_t data_bytes = (wire[3] & 0x1fU) * std::size_t{4};
    if (wire.size() < kHeaderBytes + data_bytes) {
      break;
    }
    std::array<char, 512> line{};
    geneve::TextWriter writer(line);
    const auto option_class = static_cast<std::uint16_t>((wire[0] << 8U) | wire[1]);
    geneve::Registry().Print({option_class, wire[2]}, wire.subspan(kHeaderBytes, data_bytes),
                             writer);
    text += text.empty() ? "" : "; ";
    text += writer.view();
    wire = wire.subspan(kHeaderBytes + data_bytes);
  }
  return text;
}

}  // namespace leman::agent
