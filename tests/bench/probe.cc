// Traffic for benchmarks: what one packet, one round trip or one byte costs.
//
//   probe serve                         answers on every address until killed; prints "ready"
//   probe ping ADDRESS SECONDS          as ping -f, whose own figures stop at microseconds: ICMP
//   echo,
//                                       the next one when the answer is there, timed by the kernel
//   probe tcp_rr ADDRESS SECONDS        one byte there and back over one connection
//   probe tcp_crr ADDRESS SECONDS       the same with a new connection each time
//   probe udp ADDRESS SECONDS BYTES     one way, acknowledged every few packets: none is lost
//   probe tcp ADDRESS SECONDS STREAMS   as many bytes as go through, counted by the server
//
// Each prints one line of JSON: how many, in how many seconds, how long the machine's processors
// were busy meanwhile (with whatever they did), and for round trips their times. IPv4.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Buffer = std::array<std::uint8_t, 2048>;

constexpr std::uint16_t kPort = 5299;
constexpr std::uint16_t kBulkPort = 5298;
constexpr std::size_t kBulkBytes = 128U << 10U;  // of one read or write, as iperf3
constexpr std::uint32_t kWindow = 64;            // UDP packets under way at most
constexpr std::uint32_t kAckEvery = 32;          // of which the server acknowledges every so many
constexpr int kAnswerTimeout_ms = 1000;

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "probe: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

int Must(int result, const char* what) {
  if (result < 0) {
    Die(what);
  }
  return result;
}

sockaddr_in Address(const char* text, std::uint16_t port = kPort) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, text, &address.sin_addr) != 1) {
    std::fprintf(stderr, "probe: %s is no IPv4 address\n", text);
    std::exit(2);
  }
  return address;
}

const sockaddr* Generic(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

// Waits for an answer; false when none comes.
bool WaitReadable(int fd) {
  pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&wait, 1, kAnswerTimeout_ms) == 1;
}

void NoDelay(int fd) {
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

// Seconds that this machine's processors had nothing to do since it started, all together. Programs
// of low priority take what others leave: theirs are counted as such.
double IdleSeconds() {
  std::FILE* file = std::fopen("/proc/stat", "re");
  unsigned long long nice = 0;
  unsigned long long idle = 0;
  unsigned long long iowait = 0;
  if (file == nullptr ||
      std::fscanf(file, "cpu %*u %llu %*u %llu %llu", &nice, &idle, &iowait) != 3) {
    Die("/proc/stat");
  }
  (void)std::fclose(file);
  return static_cast<double>(nice + idle + iowait) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

class Timer {
 public:
  explicit Timer(double seconds)
      : idle_(IdleSeconds()),
        start_(Clock::now()),
        end_(start_ +
             std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds))) {}
  [[nodiscard]] bool Running() const { return Clock::now() < end_; }

  // The first half of the line of JSON.
  void Print(double count, std::uint64_t lost) const {
    const double took = std::chrono::duration<double>(Clock::now() - start_).count();
    const double all = took * static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN));
    std::printf(
        "{\"count\": %.0f, \"lost\": %llu, \"seconds\": %.6f, \"busy_seconds\": %.6f, "
        "\"per_second\": %.1f",
        count, static_cast<unsigned long long>(lost), took,
        std::max(0.0, all - (IdleSeconds() - idle_)), count / took);
  }

 private:
  double idle_;
  Clock::time_point start_;
  Clock::time_point end_;
};

void PrintRoundTrips(const Timer& timer, std::vector<double>& times_ns, std::uint64_t lost) {
  if (times_ns.empty()) {
    std::fprintf(stderr, "probe: no answer\n");
    std::exit(1);
  }
  double sum = 0;
  for (const double time_ns : times_ns) {
    sum += time_ns;
  }
  const auto count = static_cast<double>(times_ns.size());
  timer.Print(count, lost);
  std::sort(times_ns.begin(), times_ns.end());
  const auto quantile = [&](double q) {
    return times_ns.at(static_cast<std::size_t>(q * static_cast<double>(times_ns.size() - 1)));
  };
  std::printf(", \"mean_ns\": %.1f, \"median_ns\": %.1f, \"p99_ns\": %.1f}\n", sum / count,
              quantile(0.5), quantile(0.99));
}

// Calls `once`, which returns its time in ns or a negative number when no answer came, until the
// time is up.
template <typename Once>
void RoundTrips(double seconds, Once once) {
  std::vector<double> times_ns;
  times_ns.reserve(1U << 20U);
  std::uint64_t lost = 0;
  const Timer timer(seconds);
  while (timer.Running()) {
    const double time_ns = once();
    if (time_ns >= 0) {
      times_ns.push_back(time_ns);
    } else {
      ++lost;
    }
  }
  PrintRoundTrips(timer, times_ns, lost);
}

template <typename Transaction>
double TimeOf(Transaction transaction) {
  const auto before = Clock::now();
  const bool done = transaction();
  return done ? std::chrono::duration<double, std::nano>(Clock::now() - before).count() : -1;
}

double Nanoseconds(const timespec& time) {
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

std::uint16_t Checksum(const std::uint8_t* data, std::size_t bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < bytes; i += 2) {
    sum += (static_cast<std::uint32_t>(data[i]) << 8U) | data[i + 1];
  }
  while ((sum >> 16U) != 0) {
    sum = (sum & 0xffffU) + (sum >> 16U);
  }
  return htons(static_cast<std::uint16_t>(~sum));
}

// An answer and when the kernel received it, as ping takes it. Negative: none is there.
double ReceiveEcho(int fd, std::uint16_t id, std::uint16_t sequence) {
  Buffer answer{};
  alignas(cmsghdr) std::array<std::uint8_t, 128> control{};
  iovec part{.iov_base = answer.data(), .iov_len = answer.size()};
  while (true) {
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT);
    if (got < 0) {
      if (!WaitReadable(fd)) {
        return -1;
      }
      continue;
    }
    const std::size_t ip_bytes = std::size_t{answer[0] & 0xfU} * 4;
    icmphdr reply{};
    if (got < static_cast<ssize_t>(ip_bytes + sizeof reply)) {
      continue;
    }
    std::memcpy(&reply, answer.data() + ip_bytes, sizeof reply);
    const cmsghdr* stamp = CMSG_FIRSTHDR(&message);
    if (reply.type != ICMP_ECHOREPLY || reply.un.echo.id != htons(id) ||
        reply.un.echo.sequence != htons(sequence) || stamp == nullptr ||
        stamp->cmsg_type != SCM_TIMESTAMPNS) {
      continue;
    }
    timespec received{};
    std::memcpy(&received, CMSG_DATA(stamp), sizeof received);
    return Nanoseconds(received);
  }
}

void Ping(const char* to, double seconds) {
  const sockaddr_in address = Address(to);
  const int fd = Must(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), "raw socket");
  Must(connect(fd, Generic(address), sizeof address), "connect");
  const int one = 1;
  Must(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one), "SO_TIMESTAMPNS");
  std::array<std::uint8_t, 64> packet{};  // as ping: 8 bytes of header, 56 of data
  const auto id = static_cast<std::uint16_t>(getpid());
  std::uint16_t sequence = 0;
  RoundTrips(seconds, [&]() -> double {
    icmphdr header{};
    header.type = ICMP_ECHO;
    header.un.echo.id = htons(id);
    header.un.echo.sequence = htons(++sequence);
    std::memcpy(packet.data(), &header, sizeof header);
    header.checksum = Checksum(packet.data(), packet.size());
    std::memcpy(packet.data(), &header, sizeof header);
    timespec before{};
    clock_gettime(CLOCK_REALTIME, &before);
    if (send(fd, packet.data(), packet.size(), 0) < 0) {
      return -1;
    }
    const double received_ns = ReceiveEcho(fd, id, sequence);
    return received_ns < 0 ? -1 : received_ns - Nanoseconds(before);
  });
  close(fd);
}

int Connect(const sockaddr_in& address) {
  const int fd = Must(socket(AF_INET, SOCK_STREAM, 0), "socket");
  Must(connect(fd, Generic(address), sizeof address), "connect");
  NoDelay(fd);
  return fd;
}

bool Transaction(int fd) {
  std::uint8_t byte = 1;
  return send(fd, &byte, 1, MSG_NOSIGNAL) == 1 && recv(fd, &byte, 1, 0) == 1;
}

void TcpRoundTrips(const char* to, double seconds) {
  const int fd = Connect(Address(to));
  RoundTrips(seconds, [&] { return TimeOf([&] { return Transaction(fd); }); });
  close(fd);
}

void TcpConnections(const char* to, double seconds) {
  const sockaddr_in address = Address(to);
  const auto connection = [&] {
    const int fd = Connect(address);
    // Closed by reset: thousands of connections a second leave nothing waiting behind.
    const linger now{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    const bool done = Transaction(fd);
    close(fd);
    return done;
  };
  RoundTrips(seconds, [&] { return TimeOf(connection); });
}

void UdpOneWay(const char* to, double seconds, std::size_t bytes) {
  const sockaddr_in address = Address(to);
  const int fd = Must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
  Must(connect(fd, Generic(address), sizeof address), "connect");
  Buffer packet{};
  bytes = std::clamp<std::size_t>(bytes, sizeof(std::uint32_t), packet.size());
  std::uint32_t sent = 0;
  std::uint32_t acknowledged = 0;
  std::uint64_t lost = 0;
  const Timer timer(seconds);
  while (timer.Running()) {
    while (sent - acknowledged < kWindow) {
      ++sent;
      std::memcpy(packet.data(), &sent, sizeof sent);
      Must(static_cast<int>(send(fd, packet.data(), bytes, 0)), "send");
    }
    if (!WaitReadable(fd)) {
      lost += sent - acknowledged;
      acknowledged = sent;  // go on as if they had arrived
      continue;
    }
    std::uint32_t ack = 0;
    if (recv(fd, &ack, sizeof ack, MSG_DONTWAIT) == sizeof ack) {
      acknowledged = std::max(acknowledged, ack);
    }
  }
  timer.Print(static_cast<double>(acknowledged - lost), lost);
  std::puts("}");
  close(fd);
}

void TcpBulk(const char* to, double seconds, std::size_t streams) {
  const std::vector<char> data(kBulkBytes);
  std::vector<pollfd> fds;
  fds.reserve(streams);
  for (std::size_t i = 0; i < streams; ++i) {
    fds.push_back({Connect(Address(to, kBulkPort)), POLLOUT, 0});
  }
  const Timer timer(seconds);
  while (timer.Running() && poll(fds.data(), fds.size(), kAnswerTimeout_ms) > 0) {
    for (const pollfd& stream : fds) {
      if (stream.revents != 0 &&
          send(stream.fd, data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
          errno != EAGAIN) {
        Die("send");
      }
    }
  }
  // When all has arrived the server tells how much it was.
  double arrived = 0;
  for (const pollfd& stream : fds) {
    std::uint64_t bytes = 0;
    shutdown(stream.fd, SHUT_WR);
    if (recv(stream.fd, &bytes, sizeof bytes, MSG_WAITALL) != sizeof bytes) {
      Die("the server's count");
    }
    arrived += static_cast<double>(bytes);
    close(stream.fd);
  }
  timer.Print(arrived, 0);
  std::puts("}");
}

// Blocking, in a process of its own: one system call a packet.
[[noreturn]] void AnswerUdp(int fd) {
  Buffer packet{};
  while (true) {
    sockaddr_in from{};
    socklen_t from_bytes = sizeof from;
    std::uint32_t number = 0;
    if (recvfrom(fd, packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&from),
                 &from_bytes) < static_cast<ssize_t>(sizeof number)) {
      continue;
    }
    std::memcpy(&number, packet.data(), sizeof number);
    if (number % kAckEvery == 0) {
      sendto(fd, &number, sizeof number, 0, reinterpret_cast<sockaddr*>(&from), from_bytes);
    }
  }
}

// A connection to the server.
struct Caller {
  bool bulk;
  std::uint64_t bytes;
};

// False when the connection is at its end.
bool AnswerTcp(int fd, Caller& caller, std::vector<char>& buffer) {
  if (!caller.bulk) {
    return recv(fd, buffer.data(), 1, MSG_DONTWAIT) == 1 &&
           send(fd, buffer.data(), 1, MSG_NOSIGNAL) == 1;
  }
  const ssize_t got = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got > 0) {
    caller.bytes += static_cast<std::uint64_t>(got);
    return true;
  }
  if (got == 0) {
    (void)send(fd, &caller.bytes, sizeof caller.bytes, MSG_NOSIGNAL);
  }
  return got < 0 && errno == EAGAIN;
}

int Bound(int type, std::uint16_t port) {
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(port);
  const int fd = Must(socket(AF_INET, type, 0), "socket");
  const int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  Must(bind(fd, Generic(any), sizeof any), "bind");
  return fd;
}

void Serve() {
  const int transactions = Bound(SOCK_STREAM, kPort);
  const int bulk = Bound(SOCK_STREAM, kBulkPort);
  const int udp = Bound(SOCK_DGRAM, kPort);
  Must(listen(transactions, 64), "listen");
  Must(listen(bulk, 64), "listen");
  if (Must(fork(), "fork") == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    AnswerUdp(udp);
  }
  close(udp);
  std::puts("ready");
  std::fflush(stdout);
  std::vector<char> buffer(kBulkBytes);
  std::vector<pollfd> fds{{transactions, POLLIN, 0}, {bulk, POLLIN, 0}};
  const std::size_t first_caller = fds.size();
  std::vector<Caller> callers(first_caller);  // beside `fds`
  while (poll(fds.data(), fds.size(), -1) > 0) {
    const std::size_t known = fds.size();
    for (std::size_t i = first_caller; i < known; ++i) {
      if (fds[i].revents != 0 && !AnswerTcp(fds[i].fd, callers[i], buffer)) {
        close(fds[i].fd);
        fds[i].fd = -1;  // poll() passes over it
      }
    }
    for (std::size_t i = 0; i < first_caller; ++i) {
      const int fd = fds[i].revents != 0 ? accept(fds[i].fd, nullptr, nullptr) : -1;
      if (fd >= 0) {
        NoDelay(fd);
        fds.push_back({fd, POLLIN, 0});
        callers.push_back({.bulk = fds[i].fd == bulk, .bytes = 0});
      }
    }
    for (std::size_t i = fds.size(); i-- > first_caller;) {
      if (fds[i].fd < 0) {
        fds.erase(fds.begin() + static_cast<std::ptrdiff_t>(i));
        callers.erase(callers.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<const char*> words(argv, argv + argc);
  const std::string_view mode = argc > 1 ? words[1] : "";
  const double seconds = argc > 3 ? std::atof(words[3]) : 1.0;
  if (mode == "serve") {
    Serve();
  } else if (mode == "ping" && argc == 4) {
    Ping(words[2], seconds);
  } else if (mode == "tcp_rr" && argc == 4) {
    TcpRoundTrips(words[2], seconds);
  } else if (mode == "tcp_crr" && argc == 4) {
    TcpConnections(words[2], seconds);
  } else if (mode == "udp" && argc == 5) {
    UdpOneWay(words[2], seconds, static_cast<std::size_t>(std::atol(words[4])));
  } else if (mode == "tcp" && argc == 5) {
    TcpBulk(words[2], seconds, static_cast<std::size_t>(std::atol(words[4])));
  } else {
    std::fprintf(stderr,
                 "usage: probe serve | ping|tcp_rr|tcp_crr ADDRESS SECONDS | "
                 "udp ADDRESS SECONDS BYTES | tcp ADDRESS SECONDS STREAMS\n");
    return 2;
  }
  return 0;
}
