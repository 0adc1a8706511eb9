#include "lab/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "lab/netns.h"

namespace leman::lab {
namespace {

std::atomic<int> g_interrupt{0};  // the signal that came first
thread_local int t_uninterrupted = 0;

void OnSignal(int number) {
  int none = 0;
  g_interrupt.compare_exchange_strong(none, number, std::memory_order_relaxed);
}

struct Pipe {
  Fd read;
  Fd write;
};

Result<Pipe> MakePipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return Fail(ErrnoError(errno, "pipe"));
  }
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

// Everything the child needs between fork and exec, made before: behind a fork of a process with
// threads only async-signal-safe calls are allowed.
struct Launch {
  std::vector<std::string> argv;
  std::vector<char*> argv_pointers;
  std::string program;
  Fd netns;
  int input = -1;
  int output = -1;
  int error = -1;
  bool daemon = false;
  pid_t parent = getpid();
};

Result<Launch> Prepare(const std::vector<std::string>& argv, const std::string& netns) {
  Launch launch;
  launch.argv = argv;
  launch.program = FindProgram(argv.at(0));
  if (launch.program.empty()) {
    return Fail(Code::kNotFound,
                argv[0] + ": program not found; tools/setup.sh run installs what the lab needs");
  }
  for (std::string& word : launch.argv) {
    launch.argv_pointers.push_back(word.data());
  }
  launch.argv_pointers.push_back(nullptr);
  if (!netns.empty()) {
    LEMAN_ASSIGN_OR_RETURN(launch.netns, OpenNetns(netns));
  }
  return launch;
}

[[noreturn]] void BecomeChild(const Launch& launch, int report) {
  if (launch.daemon) {
    setsid();
  } else {
    // Ctrl-C is for us to act on; and should we be killed, nothing of ours goes on.
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != launch.parent) {
      _exit(127);
    }
  }
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) {
    std::signal(number, SIG_DFL);
  }
  const bool ready = (!launch.netns.valid() || setns(launch.netns.get(), CLONE_NEWNET) == 0) &&
                     dup2(launch.input, STDIN_FILENO) >= 0 &&
                     dup2(launch.output, STDOUT_FILENO) >= 0 &&
                     dup2(launch.error, STDERR_FILENO) >= 0;
  if (launch.daemon) {
    // It outlives us: what our other children inherit on purpose (a lab's lock) is not for it.
    close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  }
  if (ready) {
    execv(launch.program.c_str(), launch.argv_pointers.data());
  }
  const int err = errno;
  [[maybe_unused]] const ssize_t written = write(report, &err, sizeof err);
  _exit(127);
}

Result<Process> Start(const Launch& launch) {
  LEMAN_ASSIGN_OR_RETURN(Pipe report, MakePipe());
  const pid_t pid = fork();
  if (pid < 0) {
    return Fail(ErrnoError(errno, "fork"));
  }
  if (pid == 0) {
    BecomeChild(launch, report.write.get());
  }
  report.write.Reset();
  int err = 0;
  ssize_t got = 0;
  do {  // NOLINT(cppcoreguidelines-avoid-do-while)
    got = read(report.read.get(), &err, sizeof err);
  } while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(sizeof err)) {
    waitpid(pid, nullptr, 0);
    return Fail(ErrnoError(err, launch.program));
  }
  Process process;
  process.pid = pid;
  process.pidfd = OpenPidfd(pid);
  if (!process.pidfd.valid()) {
    return Fail(ErrnoError(errno, "pidfd_open"));
  }
  return process;
}

int RemainingMs(Clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<Milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 100));
}

// Moves what can be moved through one pipe end; closes it at its end.
void Pump(const pollfd& ready, Fd& fd, std::string& text) {
  if (ready.revents == 0) {
    return;
  }
  std::array<char, 65536> buffer{};
  const ssize_t got = read(fd.get(), buffer.data(), buffer.size());
  if (got > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  } else if (got == 0 || errno != EINTR) {
    fd.Reset();
  }
}

void Feed(const pollfd& ready, Fd& fd, std::string_view& rest) {
  if (ready.revents == 0) {
    return;
  }
  const ssize_t put = write(fd.get(), rest.data(), std::min<std::size_t>(rest.size(), 4096));
  if (put > 0) {
    rest.remove_prefix(static_cast<std::size_t>(put));
  }
  if (rest.empty() || (put < 0 && errno != EINTR)) {
    fd.Reset();
  }
}

std::string Joined(const std::vector<std::string>& argv) {
  std::string line;
  for (const std::string& word : argv) {
    line += (line.empty() ? "" : " ") + word;
  }
  return line;
}

}  // namespace

Result<Output> Run(const Command& command) {
  LEMAN_ASSIGN_OR_RETURN(Launch launch, Prepare(command.argv, command.netns));
  LEMAN_ASSIGN_OR_RETURN(Pipe input, MakePipe());
  LEMAN_ASSIGN_OR_RETURN(Pipe output, MakePipe());
  LEMAN_ASSIGN_OR_RETURN(Pipe error, MakePipe());
  launch.input = input.read.get();
  launch.output = output.write.get();
  launch.error = error.write.get();
  LEMAN_ASSIGN_OR_RETURN(Process process, Start(launch));
  input.read.Reset();
  output.write.Reset();
  error.write.Reset();
  std::string_view rest = command.input;
  if (rest.empty()) {
    input.write.Reset();
  }
  const auto deadline = Clock::now() + command.timeout;
  Output result;
  while (output.read.valid() || error.read.valid() || input.write.valid()) {
    std::array<pollfd, 3> waits{};
    waits[0] = {output.read.get(), POLLIN, 0};
    waits[1] = {error.read.get(), POLLIN, 0};
    waits[2] = {input.write.get(), POLLOUT, 0};
    const int ready = poll(waits.data(), waits.size(), RemainingMs(deadline));
    if (Interrupted() || Clock::now() >= deadline) {
      Terminate(process, Milliseconds(200));
      if (Interrupted()) {
        return FailInterrupted();
      }
      return Fail(Code::kUnavailable, Joined(command.argv) + ": not done after " +
                                          std::to_string(command.timeout.count()) + " ms");
    }
    if (ready > 0) {
      Pump(waits[0], output.read, result.out);
      Pump(waits[1], error.read, result.err);
      Feed(waits[2], input.write, rest);
    }
    // Children of the child may hold the pipes open; its own end is what counts.
    if (WaitEnd(process, Milliseconds(0)) && ready == 0) {
      break;
    }
  }
  if (!WaitEnd(process, std::chrono::duration_cast<Milliseconds>(deadline - Clock::now()))) {
    Terminate(process, Milliseconds(200));
    return Fail(Code::kUnavailable, Joined(command.argv) + ": closed its output and goes on");
  }
  int status = 0;
  waitpid(process.pid, &status, 0);
  result.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

Result<Output> RunOk(const Command& command) {
  LEMAN_ASSIGN_OR_RETURN(Output output, Run(command));
  if (output.exit_status != 0) {
    std::string said = output.err.empty() ? output.out : output.err;
    while (!said.empty() && said.back() == '\n') {
      said.pop_back();
    }
    return Fail(Code::kInternal, Joined(command.argv) + ": exit status " +
                                     std::to_string(output.exit_status) +
                                     (said.empty() ? "" : ": " + said));
  }
  return output;
}

Result<Process> Spawn(const std::vector<std::string>& argv, const std::string& netns,
                      const std::string& log_path) {
  LEMAN_ASSIGN_OR_RETURN(Launch launch, Prepare(argv, netns));
  const Fd nothing(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Fd log(open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  if (!nothing.valid() || !log.valid()) {
    return Fail(ErrnoError(errno, log_path));
  }
  launch.input = nothing.get();
  launch.output = log.get();
  launch.error = log.get();
  launch.daemon = true;
  return Start(launch);
}

Fd OpenPidfd(pid_t pid) { return Fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))); }

void SendSignal(const Fd& pidfd, int number) {
  syscall(SYS_pidfd_send_signal, pidfd.get(), number, nullptr, 0);
}

bool WaitEnd(const Process& process, Milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  for (;;) {
    pollfd wait{process.pidfd.get(), POLLIN, 0};
    if (poll(&wait, 1, RemainingMs(deadline)) > 0) {
      return true;
    }
    if (Clock::now() >= deadline || Interrupted()) {
      return false;
    }
  }
}

void Terminate(Process& process, Milliseconds patience) {
  const UninterruptedScope scope;
  if (!process.pidfd.valid()) {
    return;
  }
  SendSignal(process.pidfd, SIGTERM);
  if (!WaitEnd(process, patience)) {
    SendSignal(process.pidfd, SIGKILL);
    [[maybe_unused]] const bool ended = WaitEnd(process, Milliseconds(2000));
  }
  waitpid(process.pid, nullptr, WNOHANG);
  process.pidfd.Reset();
}

Error Exec(const std::vector<std::string>& argv, const std::string& netns) {
  auto launch = Prepare(argv, netns);
  if (!launch.ok()) {
    return launch.error();
  }
  if (auto entered = EnterNetnsWithSysfs(launch->netns.get()); !entered.ok()) {
    return entered.error();
  }
  execv(launch->program.c_str(), launch->argv_pointers.data());
  return ErrnoError(errno, launch->program);
}

std::string FindProgram(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    return access(name.c_str(), X_OK) == 0 ? name : "";
  }
  const char* path = std::getenv("PATH");
  std::string rest = std::string(path == nullptr ? "" : path) + ":/usr/sbin:/sbin:/usr/bin:/bin:";
  for (std::size_t colon = rest.find(':'); colon != std::string::npos; colon = rest.find(':')) {
    const std::string candidate = rest.substr(0, colon) + "/" + name;
    rest.erase(0, colon + 1);
    struct stat about{};
    if (candidate.front() == '/' && access(candidate.c_str(), X_OK) == 0 &&
        stat(candidate.c_str(), &about) == 0 && S_ISREG(about.st_mode)) {
      return candidate;
    }
  }
  return "";
}

void CatchInterrupts() {
  struct sigaction action{};
  action.sa_handler = OnSignal;  // no SA_RESTART: waits must end
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    sigaction(number, &action, nullptr);
  }
  std::signal(SIGPIPE, SIG_IGN);
}

int InterruptSignal() { return g_interrupt.load(std::memory_order_relaxed); }

bool Interrupted() { return t_uninterrupted == 0 && InterruptSignal() != 0; }

Unexpected FailInterrupted() { return Fail(Code::kUnavailable, "interrupted"); }

UninterruptedScope::UninterruptedScope() { ++t_uninterrupted; }
UninterruptedScope::~UninterruptedScope() { --t_uninterrupted; }

}  // namespace leman::lab
