// The agent itself: start sequence, event loop, and who is called when.
//
// Threads: Start and Run on one thread, the loop's; RequestStop and RequestReload from any.
// Ownership: owns reconciler, dataplane and watchers; refers to netlink, which must outlive it.
// Destruction leaves the kernel as it is: traffic flows on.
// Errors: Start says in one sentence why this host cannot run it; nothing is half done then. Later
// failures are problems on the board and tried again.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "agent/event_loop.h"
#include "agent/file_watcher.h"
#include "agent/options.h"
#include "agent/reconciler.h"
#include "agent/reload_gate.h"
#include "agent/snapshot.h"
#include "base/result.h"
#include "dataplane/dataplane.h"
#include "netlink/netlink.h"

namespace leman::agent {

// What the agent takes from outside; the tests hand in fakes.
struct AgentParts {
  Netlink* netlink = nullptr;
  std::function<Result<std::unique_ptr<Dataplane>>(const DataplaneOptions&)> open_dataplane;
  // Opens the doors (API, metrics) once the configuration is known good and before anything is
  // changed: a door that cannot be opened then stops a start that has done nothing yet.
  std::function<Status()> open_doors;
  int signal_fd = -1;  // signalfd of SIGHUP, SIGTERM and SIGINT; -1: none
};

class Agent {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Agent>> Make(AgentOptions options, Board& board);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // Up to kReady; a first Apply that fails is tried again by Run.
  [[nodiscard]] Status Start(AgentParts parts);
  // Until SIGTERM, SIGINT or RequestStop.
  [[nodiscard]] Status Run();

  void RequestStop();
  [[nodiscard]] ReloadGate& reload_gate() { return gate_; }

 private:
  Agent(AgentOptions options, Board& board, std::unique_ptr<EventLoop> loop);

  [[nodiscard]] Result<model::DesiredState> FirstState();
  [[nodiscard]] Status MakeDatapath();
  [[nodiscard]] Status WatchEverything();
  void OnSignals();
  void OnWake();
  void OnLinkEvents();
  void RelistLinks();
  void OnAudit();
  void OnExpire();
  // Reconciles; arms the retry if something is left to do.
  [[nodiscard]] Status ReconcileOrRetry();
  [[nodiscard]] Result<ReloadOutcome> Reload(std::string_view why);

  AgentOptions options_;
  Board& board_;
  AgentParts parts_;
  std::unique_ptr<EventLoop> loop_;
  ReloadGate gate_;
  std::optional<FileWatcher> watcher_;
  std::optional<Reconciler> reconciler_;
  std::unique_ptr<Dataplane> dataplane_;
  std::atomic<bool> stop_ = false;
  bool device_gone_ = false;  // one that a program may have been on
  bool file_is_busy_ = false;
  std::chrono::milliseconds retry_after_{0};
  EventLoop::TimerId links_timer_{};
  EventLoop::TimerId file_timer_{};
  EventLoop::TimerId retry_timer_{};
  EventLoop::TimerId audit_timer_{};
  EventLoop::TimerId expire_timer_{};
};

// Reads and parses a state file; shares what is equal with `before` (may be null). kInvalidArgument
// has every fault, a line each.
[[nodiscard]] Result<model::DesiredState> LoadStateFile(const std::string& path,
                                                        const model::DesiredState* before,
                                                        BusyFile busy);

}  // namespace leman::agent
