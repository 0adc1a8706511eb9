// The command line of leman-agent. CLI11, which throws, stays inside options.cc.
// Threads: none. Errors: a wrong command line ends in a sentence and an exit status.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "dataplane/dataplane.h"

namespace leman::agent {

enum class ExitCode : int {
  kSuccess = 0,
  kFailure = 1,    // this host cannot run it: the sentence says what is missing
  kUsage = 2,      // the command line is wrong
  kStateFile = 3,  // the state file is wrong
};

struct AgentOptions {
  enum class Action { kRun, kCheck, kDetach };

  Action action = Action::kRun;
  std::string state_file;
  std::string run_dir = "/run/leman";
  std::string socket;                              // empty: RUN_DIR/agent.sock
  std::string metrics_address = "127.0.0.1:9461";  // "off": none
  std::string log_level = "info";
  std::chrono::seconds audit_interval{60};
  std::chrono::seconds expire_interval{10};
  std::chrono::seconds learned_age{300};
  DataplaneOptions dataplane;

  [[nodiscard]] std::string SocketPath() const {
    return socket.empty() ? run_dir + "/agent.sock" : socket;
  }
};

// The options, or the status to exit with (after --help, --version or a complaint on stderr).
struct ParsedOptions {
  std::optional<AgentOptions> options;
  int exit_status = 0;
};

[[nodiscard]] ParsedOptions ParseOptions(int argc, const char* const* argv);

}  // namespace leman::agent
