// The subcommands of `leman`, a file for each group. Register… adds the subcommands with their
// options to `app`; the callback of the one that was typed runs inside CLI11's parse and ends in
// Session::Finish.
// Ownership: `app` and `session` outlive the parse.
#pragma once

#include <CLI/App.hpp>

#include "cli/session.h"

namespace leman::cli {

void RegisterStatus(CLI::App& app, Session& session);    // status, reload
void RegisterShow(CLI::App& app, Session& session);      // ports, networks, peers, fdb, neighbours
void RegisterCounters(CLI::App& app, Session& session);  // drops, counters
void RegisterDecode(CLI::App& app, Session& session);    // decode
void RegisterCapture(CLI::App& app, Session& session);   // capture
void RegisterLab(CLI::App& app, Session& session);       // lab, demo; built with src/lab/ only
void RegisterCompletion(CLI::App& app, Session& session);  // completion

}  // namespace leman::cli
