// The composition root of leman-agent: every part and who knows whom. What is constructed first is
// destructed last; nothing here or below takes traffic away but --detach.
#include <fmt/format.h>
#include <linux/capability.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>

#include "agent/agent.h"
#include "agent/api_server.h"
#include "agent/api_service.h"
#include "agent/instance_lock.h"
#include "agent/metrics.h"
#include "agent/metrics_server.h"
#include "agent/options.h"
#include "base/fd.h"
#include "base/log.h"
#include "dataplane/dataplane.h"
#include "netlink/netlink.h"
#include "netlink/segmenter.h"

namespace leman::agent {
namespace {

ExitCode Complain(const Error& error, ExitCode code) {
  std::fprintf(stderr, "leman-agent: %s\n", error.message().c_str());
  return code;
}

// Root, or its part that is needed. Looked at first: every later refusal of the kernel would be a
// riddle beside this one.
Status CheckPrivileges() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (syscall(SYS_capget, &header, data.data()) != 0) {
    return Fail(ErrnoError(errno, "cannot read the capabilities of this process"));
  }
  std::string missing;
  for (const auto& [number, name] :
       {std::pair{CAP_NET_ADMIN, "CAP_NET_ADMIN"}, std::pair{CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}}) {
    const auto& word = data.at(static_cast<std::size_t>(number) / 32);
    if ((word.effective & (1U << (static_cast<unsigned>(number) % 32))) == 0) {
      missing += missing.empty() ? name : fmt::format(" and {}", name);
    }
  }
  if (!missing.empty()) {
    return Fail(
        Code::kPermissionDenied,
        fmt::format("{} missing, which loading programs and attaching them to devices needs; "
                    "run leman-agent as root",
                    missing));
  }
  return {};
}

// Blocked before any thread is made, so that every thread leaves them to the loop.
Result<Fd> TakeSignals() {
  sigset_t signals{};
  sigemptyset(&signals);
  for (const int number : {SIGHUP, SIGTERM, SIGINT}) {
    sigaddset(&signals, number);
  }
  if (pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0) {
    return Fail(ErrnoError(errno, "cannot block signals"));
  }
  signal(SIGPIPE, SIG_IGN);
  Fd fd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) {
    return Fail(ErrnoError(errno, "cannot wait for signals"));
  }
  return fd;
}

Status RunAgent(const AgentOptions& options, ExitCode& exit_code) {
  LEMAN_ASSIGN_OR_RETURN(const Fd signals, TakeSignals());
  LEMAN_TRY(CheckPrivileges());
  LEMAN_ASSIGN_OR_RETURN(const InstanceLock lock, InstanceLock::Take(options.run_dir));
  LEMAN_ASSIGN_OR_RETURN(const std::unique_ptr<Netlink> netlink, OpenNetlink());

  Board board;
  LEMAN_ASSIGN_OR_RETURN(const std::unique_ptr<Agent> agent, Agent::Make(options, board));
  ApiService service(
      {.version = LEMAN_VERSION, .abi_version = MapAbiVersion(), .state_file = options.state_file},
      board, agent->reload_gate());
  const auto metrics = std::make_shared<Metrics>(LEMAN_VERSION, board);
  std::unique_ptr<MetricsServer> metrics_server;
  std::unique_ptr<ApiServer> api_server;

  AgentParts parts;
  parts.netlink = netlink.get();
  parts.open_dataplane = OpenDataplane;
  parts.signal_fd = signals.get();
  parts.open_doors = [&]() -> Status {
    if (options.metrics_address != "off") {
      LEMAN_ASSIGN_OR_RETURN(metrics_server,
                             MetricsServer::Start(options.metrics_address, metrics));
    }
    LEMAN_ASSIGN_OR_RETURN(api_server, ApiServer::Start(options.SocketPath(), service));
    return {};
  };
  if (Status started = agent->Start(std::move(parts)); !started.ok()) {
    agent->reload_gate().Close();
    if (started.error().code() == Code::kInvalidArgument) {
      exit_code = ExitCode::kStateFile;
    }
    return started;
  }
  Status ended = agent->Run();
  agent->reload_gate().Close();  // nobody waits for the loop any more
  return ended;
}

Status Check(const AgentOptions& options) {
  LEMAN_ASSIGN_OR_RETURN(const model::DesiredState state,
                         LoadStateFile(options.state_file, nullptr, BusyFile::kRead));
  std::size_t ports = 0;
  std::size_t remotes = 0;
  for (const auto& network : state.networks) {
    ports += network->ports.size();
    remotes += network->remotes.size();
  }
  fmt::print("{}: fine, {} networks, {} ports, {} remotes\n", options.state_file,
             state.networks.size(), ports, remotes);
  return {};
}

Status DetachLocked(const AgentOptions& options) {
  pid_t stopped = 0;
  LEMAN_ASSIGN_OR_RETURN(
      const InstanceLock lock,
      InstanceLock::TakeOver(options.run_dir, std::chrono::seconds(10), stopped));
  if (stopped != 0) {
    fmt::print("stopped leman-agent (pid {})\n", stopped);
  }
  struct stat status{};
  const bool pinned = stat(options.dataplane.pin_root.c_str(), &status) == 0;
  const Status detached = DetachDataplane(options.dataplane.pin_root);
  const Status removed = RemoveSegmenter();
  LEMAN_TRY(detached);
  LEMAN_TRY(removed);
  unlink(options.SocketPath().c_str());
  if (pinned) {
    fmt::print("detached the programs and removed the maps under {}\n", options.dataplane.pin_root);
  } else {
    fmt::print("nothing was pinned under {}\n", options.dataplane.pin_root);
  }
  return {};
}

Status DetachAll(const AgentOptions& options) {
  LEMAN_TRY(CheckPrivileges());
  LEMAN_TRY(DetachLocked(options));
  rmdir(options.run_dir.c_str());  // refused when something else is in it
  return {};
}

ExitCode Main(int argc, char** argv) {
  const ParsedOptions parsed = ParseOptions(argc, argv);
  if (!parsed.options.has_value()) {
    return static_cast<ExitCode>(parsed.exit_status);
  }
  const AgentOptions& options = *parsed.options;
  const bool quiet = options.action != AgentOptions::Action::kRun;
  if (!InitLog("leman-agent", quiet ? "warn" : options.log_level)) {
    return Complain(Error(Code::kInvalidArgument, "unknown log level"), ExitCode::kUsage);
  }
  ExitCode exit_code = ExitCode::kFailure;
  Status status;
  switch (options.action) {
    case AgentOptions::Action::kRun:
      status = RunAgent(options, exit_code);
      break;
    case AgentOptions::Action::kCheck:
      status = Check(options);
      exit_code = ExitCode::kStateFile;
      break;
    case AgentOptions::Action::kDetach:
      status = DetachAll(options);
      break;
  }
  return status.ok() ? ExitCode::kSuccess : Complain(status.error(), exit_code);
}

}  // namespace
}  // namespace leman::agent

int main(int argc, char** argv) { return static_cast<int>(leman::agent::Main(argc, argv)); }
