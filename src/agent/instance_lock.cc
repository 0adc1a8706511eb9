#include "agent/instance_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

extern "C" {  // glibc 2.36 forgot to say so itself
#include <sys/pidfd.h>
}

namespace leman::agent {

namespace {

Status MakeDirectories(const std::string& path) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (mkdir(part.c_str(), 0755) != 0 && errno != EEXIST) {
      return Fail(ErrnoError(errno, fmt::format("cannot make the run directory {}", part)));
    }
    if (end == std::string::npos) {
      return {};
    }
  }
}

pid_t PidIn(int fd) {
  std::array<char, 24> text{};
  const ssize_t size = pread(fd, text.data(), text.size(), 0);
  pid_t pid = 0;
  if (size > 0) {
    std::from_chars(text.data(), text.data() + size, pid);
  }
  return pid;
}

struct Attempt {
  Fd fd;
  bool locked = false;
  pid_t holder = 0;
};

Result<Attempt> Try(const std::string& path) {
  for (;;) {
    Attempt attempt;
    attempt.fd = Fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!attempt.fd.valid()) {
      return Fail(ErrnoError(errno, fmt::format("cannot open {}", path)));
    }
    if (flock(attempt.fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) {
        return Fail(ErrnoError(errno, fmt::format("cannot lock {}", path)));
      }
      attempt.holder = PidIn(attempt.fd.get());
      return attempt;
    }
    // A --detach may have removed the file between open and lock; then this lock guards nothing.
    struct stat ours{};
    struct stat named{};
    if (fstat(attempt.fd.get(), &ours) == 0 && stat(path.c_str(), &named) == 0 &&
        ours.st_ino == named.st_ino && ours.st_dev == named.st_dev) {
      attempt.locked = true;
      return attempt;
    }
  }
}

Status WritePid(int fd, const std::string& path) {
  const std::string text = fmt::format("{}\n", getpid());
  if (ftruncate(fd, 0) != 0 ||
      pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return Fail(ErrnoError(errno, fmt::format("cannot write {}", path)));
  }
  return {};
}

}  // namespace

Result<InstanceLock> InstanceLock::Take(const std::string& run_dir) {
  LEMAN_TRY(MakeDirectories(run_dir));
  const std::string path = run_dir + "/agent.lock";
  LEMAN_ASSIGN_OR_RETURN(Attempt attempt, Try(path));
  if (!attempt.locked) {
    return Fail(Code::kAlreadyExists,
                fmt::format("another leman-agent (pid {}) runs with {}; stop it, or give this one "
                            "its own --run-dir and --pin-root",
                            attempt.holder, run_dir));
  }
  LEMAN_TRY(WritePid(attempt.fd.get(), path));
  return InstanceLock(std::move(attempt.fd), path);
}

Result<InstanceLock> InstanceLock::TakeOver(const std::string& run_dir,
                                            std::chrono::milliseconds deadline,
                                            pid_t& stopped_pid) {
  stopped_pid = 0;
  LEMAN_TRY(MakeDirectories(run_dir));
  const std::string path = run_dir + "/agent.lock";
  LEMAN_ASSIGN_OR_RETURN(Attempt attempt, Try(path));
  if (!attempt.locked) {
    const pid_t pid = attempt.holder;
    // A descriptor of the process: no other can be hit if it ends and its number is used again.
    const Fd process(pid > 0 ? pidfd_open(pid, 0) : -1);
    if (!process.valid() || pidfd_send_signal(process.get(), SIGTERM, nullptr, 0) != 0) {
      return Fail(ErrnoError(
          errno, fmt::format("cannot stop the leman-agent that holds {} (pid {})", path, pid)));
    }
    pollfd ended{.fd = process.get(), .events = POLLIN, .revents = 0};
    if (poll(&ended, 1, static_cast<int>(deadline.count())) != 1) {
      return Fail(Code::kUnavailable,
                  fmt::format("leman-agent (pid {}) did not stop within {} s; stop it by hand and "
                              "try again",
                              pid, deadline.count() / 1000));
    }
    stopped_pid = pid;
    LEMAN_ASSIGN_OR_RETURN(attempt, Try(path));
    if (!attempt.locked) {
      return Fail(Code::kAlreadyExists,
                  fmt::format("another leman-agent (pid {}) started meanwhile; does a service "
                              "manager restart it? Stop it there",
                              attempt.holder));
    }
  }
  LEMAN_TRY(WritePid(attempt.fd.get(), path));
  return InstanceLock(std::move(attempt.fd), path);
}

InstanceLock::~InstanceLock() {
  if (fd_.valid()) {
    unlink(path_.c_str());  // before it is unlocked: nobody else's by mistake
  }
}

}  // namespace leman::agent
