// What people read who ask for help or typed something wrong, and what options accept.
//
// Threads: one thread. Errors: none of its own.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <memory>
#include <string>

namespace leman::cli {

// Checks of a value, for CLI::Option::check; both bounds are allowed.
[[nodiscard]] CLI::Validator WholeNumber(std::uint64_t low, std::uint64_t high);
[[nodiscard]] CLI::Validator Seconds(double low, double high);

// Help that fits 80 columns. Commands added afterwards inherit it.
void UseNarrowHelp(CLI::App& app);

// Help on the deepest command that was typed.
[[nodiscard]] std::string Help(const CLI::App& app);

// What is wrong with what was typed and what may have been meant; then where the help is.
[[nodiscard]] std::string UsageText(const CLI::App& app, const CLI::ParseError& error);

}  // namespace leman::cli
