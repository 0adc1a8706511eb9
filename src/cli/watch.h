// `--watch[=SECONDS]`: the same command again and again until Ctrl-C.
//
// Threads: one thread. Errors: those of the first round; later ones are told and tried again, since
// people watch exactly while an agent restarts.
#pragma once

#include <CLI/App.hpp>
#include <functional>

#include "base/result.h"
#include "cli/session.h"

namespace leman::cli {

struct WatchOptions {
  bool enabled = false;
  double seconds = 2;
  int rounds = 0;  // 0: until interrupted
};

void AddWatchOptions(CLI::App& command, WatchOptions& options);

// Runs `round` once, or repeatedly. On a terminal each round is drawn over the last one.
[[nodiscard]] Status RunWatched(Session& session, const WatchOptions& options,
                                const std::function<Status(Console&)>& round);

}  // namespace leman::cli
