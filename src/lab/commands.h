// The commands `leman lab …` and `leman demo`, for the composition root of the `leman` binary.
//
// Threads: the callbacks run inside CLI::App::parse, on its thread.
// Errors: told on stderr; `exit_code` becomes 1 (or the exit status of the command that
//         `lab exec` ran). `app` and `exit_code` must live until parse has returned.
#pragma once

namespace CLI {
class App;
}

namespace leman::lab {

void RegisterCommands(CLI::App& app, int& exit_code);

}  // namespace leman::lab
