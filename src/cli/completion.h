// Shell completion scripts made from the command tree, so that they cannot fall behind it.
//
// What an option's value may be is read from its type name: "a|b|c" is a list of words; FILE and
// PATH complete files, DEV network devices, NETNS namespaces, NETWORK asks the agent.
// Threads: pure functions. Errors: none.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace leman::cli {

[[nodiscard]] std::string BashCompletion(const CLI::App& app);
[[nodiscard]] std::string ZshCompletion(const CLI::App& app);
[[nodiscard]] std::string FishCompletion(const CLI::App& app);

}  // namespace leman::cli
