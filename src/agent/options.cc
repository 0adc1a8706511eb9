#include "agent/options.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

namespace leman::agent {

namespace {

void AddOptions(CLI::App& app, AgentOptions& options, bool& check, bool& detach) {
  app.set_version_flag("--version", "leman-agent " LEMAN_VERSION);
  app.add_option("--state", options.state_file,
                 "YAML file of what this host should be; reread when it changes and on SIGHUP");
  app.add_flag("--check", check, "only tell whether the state file is right");
  app.add_flag("--detach", detach,
               "stop a running agent and remove everything it made; traffic stops");
  app.add_option("--run-dir", options.run_dir, "directory of agent.sock and agent.lock")
      ->capture_default_str();
  app.add_option("--socket", options.socket, "unix socket of the API (default RUN_DIR/agent.sock)");
  app.add_option("--pin-root", options.dataplane.pin_root, "where maps and programs are pinned")
      ->capture_default_str();
  app.add_option("--metrics-address", options.metrics_address,
                 "ADDRESS:PORT of the Prometheus metrics, or off")
      ->capture_default_str();
  app.add_option("--log-level", options.log_level, "trace, debug, info, warn or error")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error"}))
      ->capture_default_str();
  app.add_option("--audit-interval", options.audit_interval,
                 "seconds between comparisons of the kernel's maps with what was applied")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  app.add_option("--learned-age", options.learned_age,
                 "seconds after which a learned MAC that is not seen is forgotten")
      ->check(CLI::Range(10, 86400))
      ->capture_default_str();
  const CLI::Range entries(1U, 1U << 26U);
  DataplaneOptions& maps = options.dataplane;
  app.add_option("--max-ports", maps.max_ports, "ports of this host")
      ->check(entries)
      ->capture_default_str();
  app.add_option("--max-networks", maps.max_networks, "networks of this host")
      ->check(entries)
      ->capture_default_str();
  app.add_option("--max-peers", maps.max_peers, "VTEPs of all networks")
      ->check(entries)
      ->capture_default_str();
  app.add_option("--max-fdb", maps.max_fdb, "MACs of all networks; memory is taken as they come")
      ->check(entries)
      ->capture_default_str();
  app.add_option("--max-learned", maps.max_learned, "learned MACs of all networks")
      ->check(entries)
      ->capture_default_str();
  app.add_option("--learn-limit", maps.learn_limit, "learned MACs of one network")
      ->check(entries)
      ->capture_default_str();
}

}  // namespace

ParsedOptions ParseOptions(int argc, const char* const* argv) {
  ParsedOptions parsed;
  AgentOptions options;
  bool check = false;
  bool detach = false;
  try {
    CLI::App app("The agent of one Leman host: makes the kernel equal to the state file.",
                 "leman-agent");
    app.footer(
        "Traffic keeps flowing when the agent ends, however it ends, except by --detach.\n"
        "Exit status: 0 success, 1 cannot run here, 2 wrong command line, 3 wrong state file.");
    AddOptions(app, options, check, detach);
    try {
      app.parse(argc, argv);
      if (check && detach) {
        throw CLI::ValidationError("--check and --detach exclude each other");
      }
      if (!detach && options.state_file.empty()) {
        throw CLI::RequiredError("--state FILE");
      }
    } catch (const CLI::ParseError& error) {
      parsed.exit_status = app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::kUsage);
      return parsed;
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "leman-agent: %s\n", error.what());
    parsed.exit_status = static_cast<int>(ExitCode::kUsage);
    return parsed;
  }
  if (check) {
    options.action = AgentOptions::Action::kCheck;
  } else if (detach) {
    options.action = AgentOptions::Action::kDetach;
  }
  parsed.options = std::move(options);
  return parsed;
}

}  // namespace leman::agent
