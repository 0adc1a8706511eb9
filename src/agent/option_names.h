// How options are called towards people. Threads: any. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "model/host_program.h"

namespace leman::agent {

// The operator's name for the kind, else libgeneve's, else "0x0102/0x80".
[[nodiscard]] std::string OptionName(const model::HostProgram* program, std::uint16_t option_class,
                                     std::uint8_t type);

// Options in wire form as libgeneve prints them, parted by "; ".
[[nodiscard]] std::string OptionsText(std::span<const std::uint8_t> wire);

}  // namespace leman::agent
