// A lab that runs: what `leman lab up` made, and how to use and remove it.
//
// Purpose:   carries out a LabPlan with iproute2, one leman-agent a host, and QEMU where asked for.
// Threads:   one at a time.
// Ownership: a lab outlives the process that made it. It is found again by name: its run directory
//            /run/leman/lab/LAB holds the lab file and the list of namespaces, written before the
//            first namespace is made, so that Down() also works after a crash at any point.
//            While a process makes, uses or removes a lab, it alone may: Up() and Remove() hold a
//            lock that ends with the process and the helpers it runs.
// Errors:    kAlreadyExists when another process is at this lab, or it is up. Up() leaves things as
//            they are when it fails; the caller decides to look or to Down().
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "lab/lab_file.h"
#include "lab/plan.h"
#include "lab/process.h"

namespace leman::lab {

// Told what is being done, for people who wait.
using Progress = std::function<void(const std::string& doing)>;

enum class LabState {
  kUp,         // made, and meant to stay
  kBusy,       // a process makes, uses or removes it
  kAbandoned,  // left by a process that was killed
};

class Lab {
 public:
  // Reads and checks a lab file. `kind` replaces the kind of every machine.
  [[nodiscard]] static Result<Lab> FromFile(const std::string& path, std::optional<Kind> kind);
  [[nodiscard]] static Result<Lab> FromText(const std::string& path, std::string text,
                                            std::optional<Kind> kind);
  // A lab that is up (or was left half-made).
  [[nodiscard]] static Result<Lab> Open(const std::string& name);
  // Names of all labs on this machine, half-made ones included.
  [[nodiscard]] static std::vector<std::string> List();
  [[nodiscard]] static LabState StateOf(const std::string& name);

  // Removes what an earlier lab of this name left, then makes everything and waits until every
  // agent is ready and every machine answers.
  [[nodiscard]] Status Up(const Progress& progress);
  // The lab is to stay when this process ends: Up() of another process will not replace it.
  [[nodiscard]] Status Keep();
  [[nodiscard]] Status Down();
  // False after an Up() that never got so far as to touch anything: there is nothing to remove.
  [[nodiscard]] bool Owned() const { return lock_.valid(); }
  // By name, for labs whose lab file cannot be read any more.
  [[nodiscard]] static Status Remove(const std::string& name);
  // Whatever carries a lab's name and belongs to no lab any more.
  [[nodiscard]] static Status RemoveStrays();

  [[nodiscard]] const LabFile& file() const { return file_; }
  [[nodiscard]] const LabPlan& plan() const { return plan_; }
  // "2 hosts, 3 machines"
  [[nodiscard]] std::string Size() const;

  // Before Up(): virtual machines record every frame at their network card.
  void CaptureCards() { capture_cards_ = true; }

  // Runs a command in a machine, to its end. For virtual machines `argv` goes through their shell.
  [[nodiscard]] Result<Output> RunIn(const std::string& machine,
                                     const std::vector<std::string>& argv, Milliseconds timeout);

 private:
  Lab(LabFile file, std::string text) : file_(std::move(file)), text_(std::move(text)) {
    plan_ = MakePlan(file_);
  }

  [[nodiscard]] Status Lock();
  [[nodiscard]] Status Prepare() const;
  [[nodiscard]] Status MakeLinks() const;
  [[nodiscard]] Status StartAgents(const Progress& progress) const;
  // One a machine, in their order; without pidfd for machines that are namespaces.
  [[nodiscard]] Result<std::vector<Process>> StartVirtualMachines(const Progress& progress) const;

  LabFile file_;
  std::string text_;  // of the lab file
  LabPlan plan_;
  bool capture_cards_ = false;
  Fd lock_;
};

// Where CaptureCards() writes what passes a virtual machine's network card.
[[nodiscard]] std::string CardCapturePath(const MachinePlan& machine);

// The agent's program: $LEMAN_AGENT, beside this binary, in the build tree, or in PATH.
[[nodiscard]] Result<std::string> FindAgent();

}  // namespace leman::lab
