#include "agent/agent.h"

#include <fmt/format.h>
#include <malloc.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "model/state_file.h"

namespace leman::agent {

namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxStateFileBytes = 128U << 20U;
// Bursts become one: a new VM makes a handful of link events within a few milliseconds.
constexpr milliseconds kLinkBurst{20};
constexpr milliseconds kFileBurst{5};
constexpr milliseconds kBusyFile{1000};  // how often one is looked at that somebody writes
constexpr std::chrono::seconds kBusyFileAtStart{10};
constexpr milliseconds kFirstRetry{500};
constexpr milliseconds kLastRetry{30'000};

double Milliseconds(EventLoop::Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(EventLoop::Clock::now() - start).count();
}

}  // namespace

Result<model::DesiredState> LoadStateFile(const std::string& path,
                                          const model::DesiredState* before, BusyFile busy) {
  const auto start = EventLoop::Clock::now();
  auto state = [&]() -> Result<model::DesiredState> {
    LEMAN_ASSIGN_OR_RETURN(const std::string text, ReadRegularFile(path, kMaxStateFileBytes, busy));
    return model::ParseStateFile(path, text, before);
  }();
  // The text and tree of a large file are gone now; their pages go back to the kernel too.
  malloc_trim(0);
  if (state.ok()) {
    spdlog::info("read {} networks={} ms={:.1f}", path, state.value().networks.size(),
                 Milliseconds(start));
  }
  return state;
}

Agent::Agent(AgentOptions options, Board& board, std::unique_ptr<EventLoop> loop)
    : options_(std::move(options)),
      board_(board),
      loop_(std::move(loop)),
      gate_([this] { loop_->Wake(); }) {}

Agent::~Agent() {
  gate_.Close();
  board_.SetDataplane(nullptr);
}

Result<std::unique_ptr<Agent>> Agent::Make(AgentOptions options, Board& board) {
  LEMAN_ASSIGN_OR_RETURN(auto loop, EventLoop::Make());
  return std::unique_ptr<Agent>(new Agent(std::move(options), board, std::move(loop)));
}

Status Agent::Start(AgentParts parts) {
  parts_ = std::move(parts);
  reconciler_.emplace(*parts_.netlink, board_);
  // Watched before it is read: no change falls between the two.
  LEMAN_ASSIGN_OR_RETURN(watcher_, FileWatcher::Make(options_.state_file));
  LEMAN_ASSIGN_OR_RETURN(model::DesiredState state, FirstState());
  const std::string underlay = state.underlay.device;
  LEMAN_ASSIGN_OR_RETURN(const bool taken, reconciler_->TakeState(std::move(state)));
  static_cast<void>(taken);
  reconciler_->SetStartState(StartState::kConfigLoaded);

  // What would make the start fail is looked at before anything is made.
  LEMAN_ASSIGN_OR_RETURN(const bool changed, reconciler_->ListLinks());
  static_cast<void>(changed);
  if (!reconciler_->HasUnderlay()) {
    return Fail(Code::kNotFound,
                fmt::format("underlay device {} is not there; create it, or correct "
                            "underlay.device in {}",
                            underlay, options_.state_file));
  }
  if (parts_.open_doors) {
    LEMAN_TRY(parts_.open_doors());
  }
  LEMAN_TRY(WatchEverything());
  LEMAN_TRY(MakeDatapath());
  reconciler_->SetDataplane(*dataplane_);
  board_.SetDataplane(dataplane_.get());
  reconciler_->SetStartState(StartState::kMapsOpen);

  // From here on nothing ends the start: what fails is a problem, and tried again.
  static_cast<void>(reconciler_->ListLinks().ok());
  reconciler_->SetStartState(StartState::kLinksListed);
  reconciler_->Compile();
  reconciler_->SetStartState(StartState::kSnapshotComplete);
  static_cast<void>(ReconcileOrRetry().ok());
  return {};
}

// A file that somebody writes just now is whole in a moment.
Result<model::DesiredState> Agent::FirstState() {
  const auto deadline = EventLoop::Clock::now() + kBusyFileAtStart;
  for (;;) {
    auto state = LoadStateFile(options_.state_file, nullptr, BusyFile::kRefuse);
    if (state.ok() || state.error().code() != Code::kFailedPrecondition ||
        EventLoop::Clock::now() > deadline) {
      return state;
    }
    pollfd event{.fd = watcher_->fd(), .events = POLLIN, .revents = 0};
    static_cast<void>(poll(&event, 1, static_cast<int>(kBusyFile.count())));
    static_cast<void>(watcher_->Drain());
  }
}

// Leaves nothing behind when it fails.
Status Agent::MakeDatapath() {
  LEMAN_ASSIGN_OR_RETURN(const bool made_segmenter, parts_.netlink->MakeSegmenter());
  auto dataplane = parts_.open_dataplane(options_.dataplane);
  if (!dataplane.ok()) {
    if (made_segmenter) {
      static_cast<void>(parts_.netlink->RemoveSegmenter().ok());
    }
    return Fail(std::move(dataplane).error());
  }
  dataplane_ = std::move(dataplane).value();
  return {};
}

Status Agent::WatchEverything() {
  links_timer_ = loop_->AddTimer([this] { RelistLinks(); });
  file_timer_ =
      loop_->AddTimer([this] { static_cast<void>(Reload("the state file changed").ok()); });
  retry_timer_ = loop_->AddTimer([this] {
    if (const auto links = reconciler_->ListLinks(); !links.ok()) {
      spdlog::debug("{}", links.error().message());
    }
    static_cast<void>(ReconcileOrRetry().ok());
  });
  audit_timer_ = loop_->AddTimer([this] { OnAudit(); });
  expire_timer_ = loop_->AddTimer([this] { OnExpire(); });
  loop_->StartTimer(audit_timer_, options_.audit_interval);
  loop_->StartTimer(expire_timer_, options_.expire_interval);
  loop_->OnWake([this] { OnWake(); });
  LEMAN_TRY(loop_->AddFd(parts_.netlink->event_fd(), [this] { OnLinkEvents(); }));
  LEMAN_TRY(loop_->AddFd(watcher_->fd(), [this] {
    if (watcher_->Drain()) {
      loop_->StartTimerIfIdle(file_timer_, kFileBurst);
    }
  }));
  if (parts_.signal_fd >= 0) {
    LEMAN_TRY(loop_->AddFd(parts_.signal_fd, [this] { OnSignals(); }));
  }
  return {};
}

Status Agent::Run() { return loop_->Run(); }

void Agent::RequestStop() {
  stop_ = true;
  loop_->Wake();
}

void Agent::OnSignals() {
  signalfd_siginfo info{};
  while (read(parts_.signal_fd, &info, sizeof(info)) == sizeof(info)) {
    if (info.ssi_signo == SIGHUP) {
      static_cast<void>(Reload("SIGHUP").ok());
    } else {
      spdlog::info("stopping on signal {}; traffic keeps flowing", info.ssi_signo);
      loop_->Stop();
    }
  }
}

void Agent::OnWake() {
  if (stop_) {
    loop_->Stop();
    return;
  }
  if (gate_.Begin()) {
    gate_.Finish(Reload("asked by the API"));
  }
}

void Agent::OnLinkEvents() {
  const auto events = parts_.netlink->DrainEvents();
  if (!events.ok()) {
    spdlog::warn("{}", events.error().message());
    loop_->StartTimerIfIdle(links_timer_, kLinkBurst);
    return;
  }
  for (const std::uint32_t ifindex : events.value().gone) {
    dataplane_->DeviceGone(ifindex);
    device_gone_ = true;
  }
  if (events.value().changed) {
    loop_->StartTimerIfIdle(links_timer_, kLinkBurst);
  }
  if (events.value().lost) {
    loop_->StartTimer(audit_timer_, kLinkBurst);  // finds out what the lost ones would have told
  }
}

void Agent::RelistLinks() {
  const bool device_gone = std::exchange(device_gone_, false);
  const auto changed = reconciler_->ListLinks();
  if (!changed.ok() || changed.value() || device_gone) {
    static_cast<void>(ReconcileOrRetry().ok());
  }
}

void Agent::OnAudit() {
  loop_->StartTimer(audit_timer_, options_.audit_interval);
  // Others may have set it down or its offloads on.
  if (const auto made = parts_.netlink->MakeSegmenter(); !made.ok()) {
    spdlog::warn("{}", made.error().message());
  }
  RelistLinks();  // an event may have been missed
  if (const Status status = reconciler_->Audit(); !status.ok()) {
    spdlog::warn("{}", status.error().message());
  }
}

void Agent::OnExpire() {
  loop_->StartTimer(expire_timer_, options_.expire_interval);
  if (const Status status = dataplane_->ExpireLearned(options_.learned_age); !status.ok()) {
    spdlog::warn("cannot forget old learned MACs: {}", status.error().message());
  }
}

Status Agent::ReconcileOrRetry() {
  Status status = reconciler_->Reconcile();
  if (reconciler_->wants_retry()) {
    retry_after_ = std::clamp(retry_after_ * 2, kFirstRetry, kLastRetry);
    loop_->StartTimer(retry_timer_, retry_after_);
  } else {
    retry_after_ = milliseconds(0);
  }
  if (status.ok() && reconciler_->now().start_state == StartState::kSnapshotComplete) {
    reconciler_->SetStartState(StartState::kReconciled);
    reconciler_->SetStartState(StartState::kReady);
  }
  return status;
}

Result<ReloadOutcome> Agent::Reload(std::string_view why) {
  auto state =
      LoadStateFile(options_.state_file, reconciler_->now().state.get(), BusyFile::kRefuse);
  const bool was_busy = std::exchange(
      file_is_busy_, !state.ok() && state.error().code() == Code::kFailedPrecondition);
  if (file_is_busy_) {
    // No fault of the file: it is read when it is closed, or soon if that is not told.
    loop_->StartTimer(file_timer_, kBusyFile);
    if (!was_busy) {
      spdlog::info("{}", state.error().message());
    }
    return Fail(std::move(state).error());
  }
  spdlog::info("rereading {}: {}", options_.state_file, why);
  auto taken = state.ok() ? reconciler_->TakeState(std::move(state).value())
                          : Result<bool>(Fail(std::move(state).error()));
  if (!taken.ok()) {
    spdlog::error("the running state stays, the new one is refused:\n{}", taken.error().message());
    reconciler_->SetStateFault(taken.error().message());
    return Fail(std::move(taken).error());
  }
  ReloadOutcome outcome;
  if (taken.value() || reconciler_->wants_retry()) {
    LEMAN_TRY(ReconcileOrRetry());
    const Snapshot& now = reconciler_->now();
    outcome.added = now.last_added;
    outcome.changed = now.last_changed;
    outcome.removed = now.last_removed;
    outcome.reconcile_ms = now.last_reconcile_ms;
  }
  outcome.revision = reconciler_->now().revision;
  return outcome;
}

}  // namespace leman::agent
