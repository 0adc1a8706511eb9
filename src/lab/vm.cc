#include "lab/vm.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "lab/agent_client.h"

namespace leman::lab {
namespace {

std::string SocketPath(const MachinePlan& machine) { return machine.run_dir + "/shell.sock"; }
std::string LogPath(const MachinePlan& machine) { return machine.run_dir + "/qemu.log"; }

std::string Base64(std::string_view text) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string result;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    std::uint32_t group = 0;
    const std::size_t bytes = std::min<std::size_t>(3, text.size() - i);
    for (std::size_t k = 0; k < 3; ++k) {
      group = (group << 8U) | (k < bytes ? static_cast<unsigned char>(text[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      result += k <= bytes ? kDigits[(group >> (18U - 6U * k)) & 0x3fU] : '=';
    }
  }
  return result;
}

// False when nobody reads any more.
bool WriteToStdout(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno != EINTR) {
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
  }
  return true;
}

// Our side of the machine's shell, which reads its second serial port: see kShell in
// guest_image.cc.
class Shell {
 public:
  // `process`, if there is one, is watched: without it nobody will ever listen.
  [[nodiscard]] Status Connect(const std::string& path, Clock::time_point deadline,
                               const Process* process);
  // `word` is what the answer is known by.
  [[nodiscard]] Status Ask(const std::string& word, const std::string& command_line) const {
    // The line break first: whoever hung up before may have left half a line in the machine.
    return Send("\n" + word + " " + Base64(command_line) + "\n");
  }
  // Has the machine end what it runs, and forget what it did not read yet.
  [[nodiscard]] Status Interrupt() const { return Send("\003"); }
  // The exit status; the output goes to `out`, or with `echo` to stdout as it comes.
  [[nodiscard]] Result<int> ReadAnswer(const std::string& word, Clock::time_point deadline,
                                       bool echo, std::string& out);

 private:
  [[nodiscard]] Status Send(std::string_view text) const;
  [[nodiscard]] Status Receive();

  Fd socket_;
  std::string pending_;
};

Status Shell::Connect(const std::string& path, Clock::time_point deadline, const Process* process) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Fail(Code::kInvalidArgument, path + ": longer than a socket's name may be");
  }
  std::memcpy(static_cast<char*>(address.sun_path), path.data(), path.size());
  for (;;) {
    socket_ = Fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      return {};
    }
    const int err = errno;
    if (Interrupted()) {
      return FailInterrupted();
    }
    // Until QEMU has made its socket.
    if (Clock::now() >= deadline ||
        (process == nullptr ? poll(nullptr, 0, 10) > 0 : WaitEnd(*process, Milliseconds(10)))) {
      return Fail(ErrnoError(err, path));
    }
  }
}

Status Shell::Send(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t sent = send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EINTR) {
      return Fail(ErrnoError(errno, "shell of the machine"));
    }
    text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(sent, 0)));
  }
  return {};
}

// What came so far, 100 ms at most.
Status Shell::Receive() {
  pollfd wait{socket_.get(), POLLIN, 0};
  if (poll(&wait, 1, 100) <= 0) {
    return {};
  }
  std::array<char, 4096> buffer{};
  const ssize_t got = read(socket_.get(), buffer.data(), buffer.size());
  if (got == 0 || (got < 0 && errno != EINTR)) {
    return Fail(Code::kUnavailable, "the virtual machine has ended");
  }
  pending_.append(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return {};
}

Result<int> Shell::ReadAnswer(const std::string& word, Clock::time_point deadline, bool echo,
                              std::string& out) {
  // Before the first mark is somebody else's; between the marks nothing is special.
  const std::string start = "\001" + word + "\n";
  const std::string end = "\001" + word + " ";
  bool started = false;
  bool told = false;
  bool unread = false;
  const auto pass = [&](std::size_t count) {
    if (!echo) {
      out.append(pending_, 0, count);
    } else if (!unread) {
      unread = !WriteToStdout(std::string_view(pending_).substr(0, count));
    }
    pending_.erase(0, count);
  };
  for (;;) {
    if (const std::size_t at = pending_.find(start); !started && at != std::string::npos) {
      pending_.erase(0, at + start.size());
      started = true;
    }
    if (started) {
      const std::size_t at = pending_.find(end);
      if (at != std::string::npos) {
        pass(at);
      } else if (const std::size_t mark = pending_.rfind('\001');
                 mark == std::string::npos || pending_.size() - mark >= end.size()) {
        pass(pending_.size());
      } else {
        pass(mark);  // perhaps the first half of the end
      }
      const std::size_t line_end = pending_.find('\n');
      if (pending_.starts_with(end) && line_end != std::string::npos) {
        int status = 0;
        std::from_chars(pending_.data() + end.size(), pending_.data() + line_end, status);
        pending_.erase(0, line_end + 1);
        return status;
      }
    }
    if ((Interrupted() || unread) && !told) {
      LEMAN_TRY(Interrupt());
      told = true;
      deadline = std::min(deadline, Clock::now() + Milliseconds(1000));
    }
    if (Clock::now() >= deadline) {
      return Interrupted()
                 ? FailInterrupted()
                 : Fail(Code::kUnavailable, "the machine's shell does not answer in time");
    }
    LEMAN_TRY(Receive());
  }
}

}  // namespace

Result<Process> StartVm(const MachinePlan& plan, const GuestImage& image,
                        const std::string& dump_path) {
  const Machine& machine = plan.machine;
  std::string parameters =
      "console=ttyS0 quiet panic=-1 mitigations=off no_timer_check cryptomgr.notests leman.name=" +
      machine.name + " leman.mtu=" + std::to_string(plan.mtu);
  for (const IpPrefix& address : machine.addresses) {
    parameters += " leman.address=" + address.ToString();
  }
  std::vector<std::string> argv = {
      "qemu-system-x86_64",
      "-name",
      machine.name,
      "-nodefaults",
      "-no-user-config",
      "-display",
      "none",
      "-machine",
      "pc,accel=" + image.accelerator,
      "-cpu",
      image.processor,
      "-m",
      "256",
      "-smp",
      "1",
      "-no-reboot",
      "-kernel",
      image.kernel,
      "-initrd",
      image.initramfs,
      "-append",
      parameters,
      "-netdev",
      "tap,id=net0,ifname=" + plan.port_device + ",script=no,downscript=no,vhost=off",
      "-device",
      "virtio-net-pci,netdev=net0,romfile=,mac=" + machine.mac.ToString(),
      "-serial",
      "file:" + plan.run_dir + "/console.log",
      "-chardev",
      "socket,id=shell,server=on,wait=off,path=" + SocketPath(plan),
      "-serial",
      "chardev:shell"};
  if (!dump_path.empty()) {
    argv.insert(argv.end(),
                {"-object", "filter-dump,id=dump0,netdev=net0,maxlen=256,file=" + dump_path});
  }
  return Spawn(argv, plan.host_netns, LogPath(plan));
}

Status WaitVm(const MachinePlan& machine, const Process& process, Milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  Shell shell;
  std::string ignored;
  Status failed = shell.Connect(SocketPath(machine), deadline, &process);
  // What is sent before the shell reads may be lost, whole or in part: ask until it answers.
  while (failed.ok()) {
    LEMAN_TRY(shell.Ask("probe", "true"));
    const auto answer = shell.ReadAnswer("probe", Clock::now() + Milliseconds(500), false, ignored);
    if (answer.ok()) {
      return {};
    }
    if (Interrupted() || Clock::now() >= deadline || WaitEnd(process, Milliseconds(0))) {
      failed = Fail(answer.error());
    }
  }
  if (WaitEnd(process, Milliseconds(100))) {
    return Fail(Code::kUnavailable,
                machine.machine.name + ": QEMU ended; it said\n" + TailOf(LogPath(machine), 8));
  }
  return Fail(failed.error().In(machine.machine.name));
}

Result<Output> RunInVm(const MachinePlan& machine, const std::string& command_line,
                       Milliseconds timeout, bool echo) {
  static std::atomic<std::uint32_t> count{0};
  const std::string word = "c" + std::to_string(getpid()) + "-" + std::to_string(++count);
  const auto deadline = Clock::now() + timeout;
  Shell shell;
  LEMAN_TRY(shell.Connect(SocketPath(machine), Clock::now() + Milliseconds(1000), nullptr));
  // QEMU lets in one after the other: what still runs there when it reads this is of somebody who
  // was killed.
  LEMAN_TRY(shell.Interrupt());
  LEMAN_TRY(shell.Ask(word, command_line));
  Output output;
  LEMAN_ASSIGN_OR_RETURN(output.exit_status, shell.ReadAnswer(word, deadline, echo, output.out));
  return output;
}

std::string QuoteForShell(const std::vector<std::string>& argv) {
  std::string line;
  for (const std::string& word : argv) {
    line += line.empty() ? "'" : " '";
    for (const char c : word) {
      line += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    line += "'";
  }
  return line;
}

}  // namespace leman::lab
