// The command line of `leman`: builds the command tree, parses, runs one command.
//
// Threads: call from the main thread; one run at a time.
// Errors:  none leave; RunLeman returns the exit status of the process and has told why on
//          console.err. CLI11's exceptions are caught here and nowhere else.
#pragma once

#include <CLI/App.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/console.h"
#include "cli/session.h"

namespace leman::cli {

// The whole command tree; completion and the check of the man page walk it too.
[[nodiscard]] std::unique_ptr<CLI::App> BuildApp(Session& session);

// `arguments` without the program's name.
[[nodiscard]] int RunLeman(const std::vector<std::string>& arguments, Console& console);

}  // namespace leman::cli
