// Closed-loop traffic for benchmarks: what one round trip or one packet costs, to the nanosecond.
//
//   probe serve                         answers on every address until killed; prints "ready"
//   probe ping ADDRESS SECONDS          as ping -f, whose own figures stop at microseconds: ICMP
//   echo,
//                                       the next one when the answer is there, timed by the kernel
//   probe tcp_rr ADDRESS SECONDS        one byte there and back over one connection
//   probe tcp_crr ADDRESS SECONDS       the same with a new connection each time
//   probe udp ADDRESS SECONDS BYTES     one way, acknowledged every few packets, so that none is
//   lost
//
// Each prints one line of JSON: how many, in how many seconds, and for round trips their times.
// IPv4.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
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
constexpr std::uint32_t kWindow = 64;    // UDP packets under way at most
constexpr std::uint32_t kAckEvery = 32;  // of which the server acknowledges every so many
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

sockaddr_in Address(const char* text) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(kPort);
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

class Timer {
 public:
  explicit Timer(double seconds)
      : start_(Clock::now()),
        end_(start_ +
             std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds))) {}
  [[nodiscard]] bool Running() const { return Clock::now() < end_; }
  [[nodiscard]] double Seconds() const {
    return std::chrono::duration<double>(Clock::now() - start_).count();
  }

 private:
  Clock::time_point start_;
  Clock::time_point end_;
};

void PrintRoundTrips(std::vector<double>& times_ns, std::uint64_t lost, double seconds) {
  if (times_ns.empty()) {
    std::fprintf(stderr, "probe: no answer\n");
    std::exit(1);
  }
  double sum = 0;
  for (const double time_ns : times_ns) {
    sum += time_ns;
  }
  std::sort(times_ns.begin(), times_ns.end());
  const auto quantile = [&](double q) {
    return times_ns.at(static_cast<std::size_t>(q * static_cast<double>(times_ns.size() - 1)));
  };
  const auto count = static_cast<double>(times_ns.size());
  std::printf(
      "{\"count\": %zu, \"lost\": %llu, \"seconds\": %.6f, \"per_second\": %.1f, "
      "\"mean_ns\": %.1f, \"median_ns\": %.1f, \"p99_ns\": %.1f}\n",
      times_ns.size(), static_cast<unsigned long long>(lost), seconds, count / seconds, sum / count,
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
  PrintRoundTrips(times_ns, lost, timer.Seconds());
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
    const std::size_t ip_bytes = (answer[0] & 0xfU) * 4U;
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
  const double took = timer.Seconds();
  std::printf("{\"count\": %u, \"lost\": %llu, \"seconds\": %.6f, \"per_second\": %.1f}\n",
              acknowledged, static_cast<unsigned long long>(lost), took,
              static_cast<double>(acknowledged - lost) / took);
  close(fd);
}

void AnswerUdp(int fd) {
  Buffer packet{};
  sockaddr_in from{};
  socklen_t from_bytes = sizeof from;
  while (recvfrom(fd, packet.data(), packet.size(), MSG_DONTWAIT,
                  reinterpret_cast<sockaddr*>(&from),
                  &from_bytes) >= static_cast<ssize_t>(sizeof(std::uint32_t))) {
    std::uint32_t number = 0;
    std::memcpy(&number, packet.data(), sizeof number);
    if (number % kAckEvery == 0) {
      sendto(fd, &number, sizeof number, 0, reinterpret_cast<sockaddr*>(&from), from_bytes);
    }
  }
}

void Serve() {
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(kPort);
  const int listener = Must(socket(AF_INET, SOCK_STREAM, 0), "socket");
  const int one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  Must(bind(listener, Generic(any), sizeof any), "bind");
  Must(listen(listener, 64), "listen");
  const int udp = Must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
  Must(bind(udp, Generic(any), sizeof any), "bind");
  std::puts("ready");
  std::fflush(stdout);
  std::vector<pollfd> fds{{listener, POLLIN, 0}, {udp, POLLIN, 0}};
  while (poll(fds.data(), fds.size(), -1) > 0) {
    if ((fds[1].revents & POLLIN) != 0) {
      AnswerUdp(udp);
    }
    const bool caller = (fds[0].revents & POLLIN) != 0;
    for (std::size_t i = 2; i < fds.size(); ++i) {
      std::uint8_t byte = 0;
      if (fds[i].revents != 0 && (recv(fds[i].fd, &byte, 1, MSG_DONTWAIT) != 1 ||
                                  send(fds[i].fd, &byte, 1, MSG_NOSIGNAL) != 1)) {
        close(fds[i].fd);
        fds[i].fd = -1;
      }
    }
    fds.erase(std::remove_if(fds.begin(), fds.end(), [](const pollfd& p) { return p.fd < 0; }),
              fds.end());
    if (caller) {
      const int fd = accept(listener, nullptr, nullptr);
      if (fd >= 0) {
        NoDelay(fd);
        fds.push_back({fd, POLLIN, 0});
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
  } else {
    std::fprintf(stderr,
                 "usage: probe serve | ping|tcp_rr|tcp_crr ADDRESS SECONDS | "
                 "udp ADDRESS SECONDS BYTES\n");
    return 2;
  }
  return 0;
}
