// Makes the kernel equal to what was asked for: state + links → program → Dataplane.
// Level-triggered: whatever happened, Reconcile() compares all that is wanted with all that was
// applied.
//
// Threads: the loop's alone; others read the Board. Ownership: refers to netlink, dataplane and
// board. Errors: what cannot be met is a problem on the board (degraded), the rest is done; a state
// that cannot be taken over at all leaves the running one untouched.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/snapshot.h"
#include "base/result.h"
#include "dataplane/dataplane.h"
#include "model/compile.h"
#include "netlink/netlink.h"

namespace leman::agent {

class Reconciler {
 public:
  Reconciler(Netlink& netlink, Board& board) : netlink_(netlink), board_(board) {}

  void SetDataplane(Dataplane& dataplane) { dataplane_ = &dataplane; }
  void SetStartState(StartState state);

  // Takes a state over for the next Reconcile and claims its UDP port. False: it says what the
  // running one says. On failure (port busy) the running state and port stay.
  [[nodiscard]] Result<bool> TakeState(model::DesiredState state);
  // What is wrong with the state file that could not be taken over; nullopt: it is fine.
  void SetStateFault(std::optional<std::string> fault);

  // Lists the links anew; once there is a dataplane, makes the segmenter if it is gone. True:
  // something changed for us.
  [[nodiscard]] Result<bool> ListLinks();
  [[nodiscard]] bool HasUnderlay() const;

  // Compiles what is wanted; the program of the next Apply.
  void Compile();
  // Compile and Apply. On failure problems say why and wants_retry() is true.
  [[nodiscard]] Status Reconcile();
  // Compares the kernel with what was applied and mends it.
  [[nodiscard]] Status Audit();

  // True: something was left undone that may succeed later without a new event.
  [[nodiscard]] bool wants_retry() const { return wants_retry_; }
  [[nodiscard]] const Snapshot& now() const { return now_; }

 private:
  void Publish();

  Netlink& netlink_;
  Board& board_;
  Dataplane* dataplane_ = nullptr;
  model::Compiler compiler_;
  model::HostFacts facts_;
  UdpPortClaim port_claim_;
  Snapshot now_;  // the next to publish
  // Problems by where they come from; the board has them one after the other.
  std::vector<model::Problem> file_problems_;
  std::vector<model::Problem> link_problems_;
  std::vector<model::Problem> compile_problems_;
  std::vector<model::Problem> apply_problems_;
  std::vector<model::Problem> audit_problems_;
  bool wants_retry_ = false;
  bool applied_ = false;  // the last Apply went through
};

}  // namespace leman::agent
