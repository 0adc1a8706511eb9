// One agent a run directory: a lock on RUN_DIR/agent.lock that the kernel lets go of when its
// holder dies, however it dies. The file holds the pid for whoever finds it locked.
//
// Threads: one. Ownership: the descriptor is the lock. Errors: kAlreadyExists names the pid.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace leman::agent {

class InstanceLock {
 public:
  // Makes the directory if it is not there.
  [[nodiscard]] static Result<InstanceLock> Take(const std::string& run_dir);

  // For --detach: ends an agent that runs (SIGTERM) and waits for it. `stopped_pid` is 0 if there
  // was none. kUnavailable if it does not end in time.
  [[nodiscard]] static Result<InstanceLock> TakeOver(const std::string& run_dir,
                                                     std::chrono::milliseconds deadline,
                                                     pid_t& stopped_pid);

  // The file goes with the lock, except when its holder is killed.
  ~InstanceLock();
  InstanceLock(InstanceLock&&) = default;
  InstanceLock& operator=(InstanceLock&&) = delete;
  InstanceLock(const InstanceLock&) = delete;
  InstanceLock& operator=(const InstanceLock&) = delete;

 private:
  InstanceLock(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Fd fd_;
  std::string path_;
};

}  // namespace leman::agent
