// Runs other programs, in a network namespace if wanted, with a deadline and under Ctrl-C.
//
// Threads:   any. The interrupt flag is process-wide.
// Ownership: Run() leaves no process behind. What Spawn() starts goes on without us: it is found
//            again by its namespace (see netns.h), not by a pid that may have been reused.
// Errors:    kNotFound program missing, kUnavailable deadline or interrupt; messages hold stderr.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace leman::lab {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

struct Command {
  std::vector<std::string> argv;
  std::string netns;  // name; empty: ours
  std::string input;  // for its stdin
  Milliseconds timeout{15'000};
};

struct Output {
  int exit_status = 0;  // 128 + signal if one ended it
  std::string out;
  std::string err;
};

// Runs to the end. An exit status other than 0 is not an error here.
[[nodiscard]] Result<Output> Run(const Command& command);
// The same; an exit status other than 0 is an error that quotes stderr.
[[nodiscard]] Result<Output> RunOk(const Command& command);

// A program that goes on by itself, in a session of its own.
struct Process {
  pid_t pid = -1;
  Fd pidfd;  // readable once it has ended
};
[[nodiscard]] Result<Process> Spawn(const std::vector<std::string>& argv, const std::string& netns,
                                    const std::string& log_path);
// The kernel's calls by number: glibc 2.36 declares them without C linkage.
[[nodiscard]] Fd OpenPidfd(pid_t pid);
void SendSignal(const Fd& pidfd, int number);

// Waits until the process ended or `timeout` passed; true: it ended.
[[nodiscard]] bool WaitEnd(const Process& process, Milliseconds timeout);
// SIGTERM, SIGKILL after `patience`, and reaped if it is our child.
void Terminate(Process& process, Milliseconds patience);

// Replaces this process by the command, inside the namespace. Returns only on failure.
[[nodiscard]] Error Exec(const std::vector<std::string>& argv, const std::string& netns);

// Finds a program as the shell would, /usr/sbin and /sbin included; empty if there is none.
[[nodiscard]] std::string FindProgram(const std::string& name);

// From now on SIGINT, SIGTERM and SIGHUP set a flag that ends every wait of the lab with an error.
void CatchInterrupts();
[[nodiscard]] bool Interrupted();
// The first of them that came, 0 if none did; also within an UninterruptedScope.
[[nodiscard]] int InterruptSignal();
// For the error that an interrupted wait returns.
[[nodiscard]] Unexpected FailInterrupted();

// Within this scope the calling thread does not see the flag: cleaning up must get through.
class UninterruptedScope {
 public:
  UninterruptedScope();
  ~UninterruptedScope();
  UninterruptedScope(const UninterruptedScope&) = delete;
  UninterruptedScope& operator=(const UninterruptedScope&) = delete;
};

}  // namespace leman::lab
