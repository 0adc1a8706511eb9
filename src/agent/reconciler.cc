#include "agent/reconciler.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace leman::agent {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kStateFile = "state file";  // where of its problem

double MillisecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

bool Contains(const std::vector<model::Problem>& problems, const model::Problem& problem) {
  return std::find(problems.begin(), problems.end(), problem) != problems.end();
}

bool HasSegmenter(const model::HostFacts& links) {
  return links.contains(model::kSegmenterTx) && links.contains(model::kSegmenterRx);
}

// Each problem is logged when it comes and when it goes, not every time it is still there. A
// network may have thousands; beyond some, numbers say more than lines.
void LogChange(const std::vector<model::Problem>& before, const std::vector<model::Problem>& now) {
  constexpr std::size_t kMaxLogged = 50;
  if (before == now) {
    return;
  }
  if (before.size() + now.size() > 4 * kMaxLogged) {
    spdlog::warn("{} problems now, {} before; leman status shows them", now.size(), before.size());
    return;
  }
  for (const model::Problem& problem : now) {
    // A refused state file was logged where it was refused, every time.
    if (!Contains(before, problem) && problem.where != kStateFile) {
      spdlog::warn("{}: {}", problem.where, problem.what);
    }
  }
  for (const model::Problem& problem : before) {
    if (!Contains(now, problem)) {
      spdlog::info("solved: {}: {}", problem.where,
                   problem.where == kStateFile ? "it can be taken over" : problem.what);
    }
  }
}

}  // namespace

void Reconciler::SetStartState(StartState state) {
  now_.start_state = state;
  spdlog::info("start state: {}", StartStateName(state));
  Publish();
}

Result<bool> Reconciler::TakeState(model::DesiredState state) {
  if (now_.state != nullptr && *now_.state == state) {
    SetStateFault(std::nullopt);
    return false;
  }
  if (now_.state == nullptr || now_.state->underlay.udp_port != state.underlay.udp_port) {
    // The new port first: until it is ours, the old one stays.
    auto claim = netlink_.ClaimUdpPort(state.underlay.udp_port);
    if (!claim.ok()) {
      return Fail(std::move(claim).error());
    }
    port_claim_ = std::move(claim).value();
  }
  now_.state = std::make_shared<const model::DesiredState>(std::move(state));
  ++now_.revision;
  SetStateFault(std::nullopt);
  return true;
}

void Reconciler::SetStateFault(std::optional<std::string> fault) {
  std::vector<model::Problem> before = std::exchange(file_problems_, {});
  if (fault.has_value()) {
    ++now_.count.state_load_failures;
    file_problems_.push_back({std::string(kStateFile), *std::move(fault)});
  }
  if (before != file_problems_) {
    Publish();
  }
}

Result<bool> Reconciler::ListLinks() {
  link_problems_.clear();
  auto links = netlink_.ListLinks();
  if (links.ok() && dataplane_ != nullptr && !HasSegmenter(links.value())) {
    if (const auto made = netlink_.MakeSegmenter(); made.ok()) {
      links = netlink_.ListLinks();
    } else {
      link_problems_.push_back({"segmenter", made.error().message()});
    }
  }
  if (!links.ok()) {
    link_problems_.push_back({"links", links.error().message()});
    wants_retry_ = true;
    Publish();
    return Fail(links.error());
  }
  const bool changed = facts_ != links.value() || !link_problems_.empty();
  facts_ = std::move(links).value();
  return changed;
}

bool Reconciler::HasUnderlay() const {
  return now_.state != nullptr && facts_.contains(now_.state->underlay.device);
}

void Reconciler::Compile() {
  model::Compilation compilation = compiler_.Compile(now_.state, facts_);
  compile_problems_ = std::move(compilation.problems);
  now_.program = std::make_shared<const model::HostProgram>(std::move(compilation.program));
  const auto underlay = facts_.find(now_.state->underlay.device);
  now_.underlay_mtu = underlay == facts_.end() ? 0 : underlay->second.mtu;
}

Status Reconciler::Reconcile() {
  const Clock::time_point start = Clock::now();
  Compile();
  const double compile_ms = MillisecondsSince(start);
  wants_retry_ = !link_problems_.empty();
  if (now_.program->underlay_ifindex == 0) {
    // Fail-static: what the kernel holds is better than nothing, and the device may come back.
    Publish();
    return Fail(Code::kNotFound, "underlay device " + now_.state->underlay.device +
                                     " is not there; what is programmed stays");
  }
  const auto report = dataplane_->Apply(*now_.program);
  now_.last_reconcile_ms = MillisecondsSince(start);
  ++now_.count.reconciles;
  if (!report.ok()) {
    ++now_.count.reconcile_failures;
    applied_ = false;
    apply_problems_ = {{"dataplane", report.error().message()}};
    wants_retry_ = true;
    Publish();
    return Fail(report.error());
  }
  applied_ = true;
  const ApplyReport& done = report.value();
  now_.last_added = done.added;
  now_.last_changed = done.changed;
  now_.last_removed = done.removed;
  apply_problems_ = done.problems;
  wants_retry_ = wants_retry_ || !done.problems.empty();
  spdlog::info(
      "reconciled revision={} added={} changed={} removed={} attached={} ms={:.2f} "
      "compile_ms={:.2f}",
      now_.revision, done.added, done.changed, done.removed, done.attached, now_.last_reconcile_ms,
      compile_ms);
  Publish();
  return {};
}

Status Reconciler::Audit() {
  const auto report = dataplane_->Audit();
  ++now_.count.audits;
  if (!report.ok()) {
    audit_problems_ = {{"audit", report.error().message()}};
    Publish();
    return Fail(report.error().In("audit"));
  }
  audit_problems_.clear();
  const ApplyReport& found = report.value();
  const std::uint64_t repairs = found.added + found.changed + found.removed + found.attached;
  if (repairs != 0) {
    now_.count.audit_repairs += repairs;
    spdlog::warn("audit mended what others changed: added={} changed={} removed={} attached={}",
                 found.added, found.changed, found.removed, found.attached);
  }
  if (applied_) {
    apply_problems_ = found.problems;
  }
  Publish();
  return {};
}

void Reconciler::Publish() {
  const std::vector<model::Problem> before = std::exchange(now_.problems, {});
  for (const auto* from :
       {&file_problems_, &link_problems_, &compile_problems_, &apply_problems_, &audit_problems_}) {
    now_.problems.insert(now_.problems.end(), from->begin(), from->end());
  }
  LogChange(before, now_.problems);
  board_.Publish(std::make_shared<const Snapshot>(now_));
}

}  // namespace leman::agent
