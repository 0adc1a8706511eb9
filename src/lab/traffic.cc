#include "lab/traffic.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <thread>
#include <vector>

#include "lab/files.h"
#include "lab/netns.h"
#include "lab/process.h"
#include "lab/vm.h"

namespace leman::lab {
namespace {

constexpr std::uint16_t kTcpPort = 5001;
constexpr std::uint16_t kHttpPort = 8080;
constexpr std::uint64_t kTransferBytes = std::uint64_t{64} << 20U;
constexpr std::size_t kPatternBytes = std::size_t{1} << 20U;
constexpr int kVmTransferMegabytes = 8;  // an emulated processor makes and checks fewer
constexpr timeval kSocketTimeout{.tv_sec = 5, .tv_usec = 0};

// The same on both sides, and never the same twice within it: a lost, doubled or swapped segment
// shows at once.
std::vector<std::uint8_t> MakePattern() {
  std::vector<std::uint8_t> pattern(kPatternBytes);
  std::uint64_t state = 0x9e3779b97f4a7c15;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    state ^= state << 13U;
    state ^= state >> 7U;
    state ^= state << 17U;
    pattern[i] = static_cast<std::uint8_t>(state >> 32U);
  }
  return pattern;
}

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress MakeAddress(const IpAddress& address, std::uint16_t port) {
  SocketAddress result;
  if (address.IsV4()) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, address.bytes().data() + 12, 4);
    std::memcpy(&result.storage, &in, sizeof in);
    result.size = sizeof in;
  } else {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    std::memcpy(&in.sin6_addr, address.bytes().data(), 16);
    std::memcpy(&result.storage, &in, sizeof in);
    result.size = sizeof in;
  }
  return result;
}

Result<Fd> TcpSocket(const IpAddress& address) {
  Fd fd(socket(address.IsV4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (!fd.valid() || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kSocketTimeout, sizeof kSocketTimeout) != 0 ||
      setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kSocketTimeout, sizeof kSocketTimeout) != 0) {
    return Fail(ErrnoError(errno, "TCP socket"));
  }
  return fd;
}

Status SendAll(int fd, const std::vector<std::uint8_t>& pattern) {
  std::uint64_t sent = 0;
  while (sent < kTransferBytes) {
    const std::size_t offset = sent % pattern.size();
    const ssize_t put =
        send(fd, pattern.data() + offset, std::min(pattern.size() - offset, kTransferBytes - sent),
             MSG_NOSIGNAL);
    if (put <= 0) {
      return Fail(ErrnoError(errno, "after " + std::to_string(sent) + " bytes sent"));
    }
    sent += static_cast<std::uint64_t>(put);
  }
  shutdown(fd, SHUT_WR);
  return {};
}

Status ReceiveAndCompare(int fd, const std::vector<std::uint8_t>& pattern) {
  std::vector<std::uint8_t> buffer(std::size_t{256} << 10U);
  std::uint64_t received = 0;
  for (;;) {
    const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
    if (got < 0) {
      return Fail(ErrnoError(errno, "after " + std::to_string(received) + " bytes received"));
    }
    if (got == 0) {
      break;
    }
    for (std::size_t done = 0; done < static_cast<std::size_t>(got);) {
      const std::size_t offset = received % pattern.size();
      const std::size_t part =
          std::min(pattern.size() - offset, static_cast<std::size_t>(got) - done);
      if (std::memcmp(buffer.data() + done, pattern.data() + offset, part) != 0) {
        return Fail(Code::kInternal,
                    "bytes differ from what was sent, near byte " + std::to_string(received));
      }
      done += part;
      received += part;
    }
  }
  if (received != kTransferBytes) {
    return Fail(Code::kInternal, std::to_string(received) + " of " +
                                     std::to_string(kTransferBytes) + " bytes arrived");
  }
  return {};
}

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Result<Transfer> TransferBetweenNetns(const MachinePlan& from, const MachinePlan& to) {
  const IpAddress& address = to.machine.addresses.front().address;
  const SocketAddress where = MakeAddress(address, kTcpPort);
  Fd listener;
  Fd sender;
  LEMAN_TRY(InNetns(to.netns, [&]() -> Status {
    LEMAN_ASSIGN_OR_RETURN(listener, TcpSocket(address));
    if (bind(listener.get(), where.get(), where.size) != 0 || listen(listener.get(), 1) != 0) {
      return Fail(ErrnoError(errno, "listen on " + address.ToString()));
    }
    return {};
  }));
  LEMAN_TRY(InNetns(from.netns, [&]() -> Status {
    LEMAN_ASSIGN_OR_RETURN(sender, TcpSocket(address));
    if (connect(sender.get(), where.get(), where.size) != 0) {
      return Fail(
          ErrnoError(errno == EINPROGRESS ? ETIMEDOUT : errno, "connect to " + address.ToString()));
    }
    return {};
  }));
  const Fd receiver(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!receiver.valid() || setsockopt(receiver.get(), SOL_SOCKET, SO_RCVTIMEO, &kSocketTimeout,
                                      sizeof kSocketTimeout) != 0) {
    return Fail(ErrnoError(errno, "accept"));
  }
  const std::vector<std::uint8_t> pattern = MakePattern();
  const auto start = Clock::now();
  Status sent;
  std::thread sending([&] { sent = SendAll(sender.get(), pattern); });
  const Status received = ReceiveAndCompare(receiver.get(), pattern);
  const double seconds = SecondsSince(start);
  if (!received.ok()) {
    shutdown(receiver.get(), SHUT_RDWR);
  }
  sending.join();
  LEMAN_TRY(received);
  LEMAN_TRY(sent);
  return Transfer{kTransferBytes, seconds, "every byte compared"};
}

// The first word of what a command printed.
std::string FirstWord(const std::string& text) { return text.substr(0, text.find_first_of(" \n")); }

Result<std::string> Shell(Lab& lab, const MachinePlan& machine, const std::string& line,
                          Milliseconds timeout) {
  LEMAN_ASSIGN_OR_RETURN(const Output output,
                         lab.RunIn(machine.machine.name, {"sh", "-c", line}, timeout));
  if (output.exit_status != 0) {
    return Fail(Code::kInternal, machine.machine.name + ": " + line + ": exit status " +
                                     std::to_string(output.exit_status) + ": " + output.out);
  }
  return output.out;
}

Result<Transfer> TransferBetweenVms(Lab& lab, const MachinePlan& from, const MachinePlan& to) {
  const std::string address = to.machine.addresses.front().address.ToString();
  const std::string port = std::to_string(kTcpPort);
  LEMAN_ASSIGN_OR_RETURN(
      const std::string expected,
      Shell(lab, from,
            "dd if=/dev/urandom of=/tmp/data bs=1M count=" + std::to_string(kVmTransferMegabytes) +
                " 2>/dev/null; md5sum < /tmp/data",
            Milliseconds(30'000)));
  // A server with a program behind it: without one nc hangs up when its own input ends.
  LEMAN_TRY(Shell(lab, to,
                  "nc -l -p " + port +
                      " -e dd of=/tmp/received bs=64k >/dev/null 2>&1 & while ! netstat -ltn | "
                      "grep -q ':" +
                      port + " '; do :; done",
                  Milliseconds(10'000)));
  const auto start = Clock::now();
  LEMAN_TRY(Shell(lab, from, "nc " + address + " " + port + " < /tmp/data", Milliseconds(30'000)));
  const double seconds = SecondsSince(start);
  LEMAN_ASSIGN_OR_RETURN(const std::string received,
                         Shell(lab, to, "md5sum < /tmp/received", Milliseconds(30'000)));
  if (FirstWord(received) != FirstWord(expected)) {
    return Fail(Code::kInternal, "MD5 of what arrived is " + FirstWord(received) +
                                     ", of what was sent " + FirstWord(expected));
  }
  return Transfer{std::uint64_t{kVmTransferMegabytes} << 20U, seconds,
                  "MD5 " + FirstWord(received) + " on both sides"};
}

// A connection of the machine to itself shows that its server listens.
Status WaitListening(const MachinePlan& machine, std::uint16_t port, const Process& server) {
  const SocketAddress where = MakeAddress(machine.machine.addresses.front().address, port);
  const auto deadline = Clock::now() + Milliseconds(10'000);
  return InNetns(machine.netns, [&]() -> Status {
    for (;;) {
      LEMAN_ASSIGN_OR_RETURN(const Fd fd, TcpSocket(machine.machine.addresses.front().address));
      if (connect(fd.get(), where.get(), where.size) == 0) {
        return {};
      }
      if (Clock::now() >= deadline || WaitEnd(server, Milliseconds(20))) {
        return Fail(Code::kUnavailable, "the web server does not listen");
      }
      if (Interrupted()) {
        return FailInterrupted();
      }
    }
  });
}

std::string Url(const IpAddress& address) {
  const std::string host = address.IsV4() ? address.ToString() : "[" + address.ToString() + "]";
  return "http://" + host + ":" + std::to_string(kHttpPort) + "/hello.txt";
}

std::string HelloText(const MachinePlan& machine) {
  return "Hello from " + machine.machine.name + ", behind " + machine.machine.host + ".\n";
}

Result<HttpAnswer> FetchBetweenNetns(Lab& lab, const MachinePlan& from, const MachinePlan& to) {
  const IpAddress& address = to.machine.addresses.front().address;
  const std::string directory = to.run_dir + "/www";
  LEMAN_TRY(MakeDirectories(directory));
  LEMAN_TRY(WriteText(directory + "/hello.txt", HelloText(to)));
  LEMAN_ASSIGN_OR_RETURN(Process server,
                         Spawn({"python3", "-m", "http.server", "--bind", address.ToString(),
                                "--directory", directory, std::to_string(kHttpPort)},
                               to.netns, to.run_dir + "/http.log"));
  auto fetched = WaitListening(to, kHttpPort, server);
  Result<Output> output(Output{});
  if (fetched.ok()) {
    output = lab.RunIn(from.machine.name,
                       {"curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "5",
                        "--write-out", "\n%{http_code}", Url(address)},
                       Milliseconds(10'000));
  }
  Terminate(server, Milliseconds(500));
  LEMAN_TRY(fetched);
  LEMAN_TRY(output);
  const std::size_t last = output->out.rfind('\n');
  HttpAnswer answer;
  answer.server = "python3 -m http.server";
  answer.client = "curl";
  answer.status = last == std::string::npos ? "" : output->out.substr(last + 1);
  const std::string body = output->out.substr(0, last == std::string::npos ? 0 : last);
  answer.body_bytes = body.size();
  if (answer.status != "200" || body != HelloText(to)) {
    return Fail(Code::kInternal, "status " + answer.status + ", body of " +
                                     std::to_string(body.size()) + " bytes; " + output->err);
  }
  return answer;
}

Result<HttpAnswer> FetchBetweenVms(Lab& lab, const MachinePlan& from, const MachinePlan& to) {
  const IpAddress& address = to.machine.addresses.front().address;
  LEMAN_TRY(Shell(lab, to,
                  "mkdir -p /tmp/www; echo '" + HelloText(to).substr(0, HelloText(to).size() - 1) +
                      "' > /tmp/www/hello.txt; httpd -p " + std::to_string(kHttpPort) +
                      " -h /tmp/www",
                  Milliseconds(10'000)));
  LEMAN_ASSIGN_OR_RETURN(
      const std::string headers,
      // Debian's busybox crashes on wget -T.
      Shell(lab, from, "timeout 5 wget -S -O /tmp/body " + Url(address) + " 2>&1",
            Milliseconds(15'000)));
  LEMAN_ASSIGN_OR_RETURN(const std::string body,
                         Shell(lab, from, "cat /tmp/body", Milliseconds(10'000)));
  HttpAnswer answer;
  answer.server = "busybox httpd";
  answer.client = "wget";
  answer.body_bytes = body.size();
  if (headers.find(" 200 OK") != std::string::npos) {
    answer.status = "200";
  }
  if (answer.status != "200" || body != HelloText(to)) {
    return Fail(Code::kInternal, "wget said: " + headers);
  }
  return answer;
}

}  // namespace

Result<Transfer> TransferTcp(Lab& lab, const MachinePlan& from, const MachinePlan& to) {
  if (from.machine.kind != to.machine.kind) {
    return Fail(Code::kInvalidArgument, "both machines must be of one kind");
  }
  return from.machine.kind == Kind::kQemu ? TransferBetweenVms(lab, from, to)
                                          : TransferBetweenNetns(from, to);
}

Result<HttpAnswer> FetchHttp(Lab& lab, const MachinePlan& from, const MachinePlan& to) {
  if (from.machine.kind != to.machine.kind) {
    return Fail(Code::kInvalidArgument, "both machines must be of one kind");
  }
  return from.machine.kind == Kind::kQemu ? FetchBetweenVms(lab, from, to)
                                          : FetchBetweenNetns(lab, from, to);
}

Result<Pings> Ping(Lab& lab, const MachinePlan& from, const IpAddress& to, int count,
                   const std::string& pattern) {
  std::vector<std::string> argv = {"ping", "-c", std::to_string(count), "-W", "1", "-i", "0.2"};
  if (from.machine.kind == Kind::kNetns) {
    argv.emplace_back("-n");
    if (!pattern.empty()) {
      argv.insert(argv.end(), {"-p", pattern});
    }
  }
  argv.push_back(to.ToString());
  LEMAN_ASSIGN_OR_RETURN(const Output output,
                         lab.RunIn(from.machine.name, argv, Milliseconds(20'000)));
  // "3 packets transmitted, 2 received, …" or, busybox, "… 2 packets received, …".
  Pings pings;
  const std::size_t line = output.out.find(" packets transmitted, ");
  if (line == std::string::npos) {
    return Fail(Code::kInternal, "ping said: " + output.out + output.err);
  }
  const std::size_t start = output.out.rfind('\n', line) + 1;
  const char* end = output.out.data() + output.out.size();
  std::from_chars(output.out.data() + start, end, pings.sent);
  std::from_chars(output.out.data() + output.out.find(", ", line) + 2, end, pings.received);
  if (const std::size_t time = output.out.rfind(" time="); time != std::string::npos) {
    pings.round_trip = output.out.substr(time + 6, output.out.find('\n', time) - time - 6);
  }
  return pings;
}

}  // namespace leman::lab
