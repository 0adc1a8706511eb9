#include "netlink/udp_port.h"

#include <dirent.h>
#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "netlink/mnl_socket.h"

namespace leman {

namespace {

// Bound, never read: a filter that takes nothing keeps datagrams from piling up in it. What the
// datapath leaves to the host (PASSED) ends here instead of as "port unreachable".
Result<Fd> BindClosed(int family, std::uint16_t port) {
  Fd fd(socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) {
    return Fail(ErrnoError(errno, "cannot open a UDP socket"));
  }
  sock_filter take_nothing{.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = 0};
  const sock_fprog program{.len = 1, .filter = &take_nothing};
  if (setsockopt(fd.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0) {
    return Fail(ErrnoError(errno, "cannot close a UDP socket to datagrams"));
  }
  int status = 0;
  if (family == AF_INET6) {
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(port);
    status = bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof(any));
  } else {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_port = htons(port);
    status = bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof(any));
  }
  if (status != 0) {
    return Fail(ErrnoError(errno, fmt::format("cannot bind UDP port {}", port)));
  }
  return fd;
}

// Inodes of the UDP sockets on `port`; 0 stands for a socket of the kernel itself.
std::set<std::uint32_t> SocketsOn(std::uint16_t port) {
  std::set<std::uint32_t> inodes;
  auto socket = MnlSocket::Open(NETLINK_SOCK_DIAG, 0);
  if (!socket.ok()) {
    return inodes;
  }
  for (const int family : {AF_INET, AF_INET6}) {
    std::array<char, 256> buffer{};
    nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
    request->nlmsg_type = SOCK_DIAG_BY_FAMILY;
    auto* query = static_cast<inet_diag_req_v2*>(
        mnl_nlmsg_put_extra_header(request, sizeof(inet_diag_req_v2)));
    query->sdiag_family = static_cast<__u8>(family);
    query->sdiag_protocol = IPPROTO_UDP;
    query->idiag_states = ~0U;
    // Best effort: only the wording of a refusal depends on it (udp_diag may be no module here).
    static_cast<void>(socket.value()
                          .Dump(request, "sockets",
                                [&](const nlmsghdr* message) {
                                  const auto* entry = static_cast<const inet_diag_msg*>(
                                      mnl_nlmsg_get_payload(message));
                                  if (mnl_nlmsg_get_payload_len(message) >= sizeof(*entry) &&
                                      ntohs(entry->id.idiag_sport) == port) {
                                    inodes.insert(entry->idiag_inode);
                                  }
                                })
                          .ok());
  }
  return inodes;
}

using Dir = std::unique_ptr<DIR, int (*)(DIR*)>;

bool HasOneOf(const std::string& fd_dir, const std::set<std::string>& links) {
  const Dir dir(opendir(fd_dir.c_str()), closedir);
  while (const dirent* entry = dir == nullptr ? nullptr : readdir(dir.get())) {
    char target[64];
    const ssize_t size = readlink((fd_dir + "/" + entry->d_name).c_str(), target, sizeof(target));
    if (size > 0 && links.contains(std::string(target, static_cast<std::size_t>(size)))) {
      return true;
    }
  }
  return false;
}

std::string CommandOf(const std::string& pid) {
  char name[32] = {};
  std::FILE* file = std::fopen(("/proc/" + pid + "/comm").c_str(), "r");
  if (file != nullptr) {
    if (std::fgets(name, sizeof(name), file) != nullptr) {
      name[strcspn(name, "\n")] = '\0';
    }
    std::fclose(file);
  }
  return name;
}

// "ovs-vswitchd (pid 12)"; empty if it is no process that we can see.
std::string ProcessOf(const std::set<std::uint32_t>& inodes) {
  std::set<std::string> links;
  for (const std::uint32_t inode : inodes) {
    if (inode != 0) {
      links.insert(fmt::format("socket:[{}]", inode));
    }
  }
  const Dir proc(links.empty() ? nullptr : opendir("/proc"), closedir);
  while (const dirent* entry = proc == nullptr ? nullptr : readdir(proc.get())) {
    const std::string pid = entry->d_name;
    if (pid.find_first_not_of("0123456789") == std::string::npos &&
        HasOneOf("/proc/" + pid + "/fd", links)) {
      return fmt::format("{} (pid {})", CommandOf(pid), pid);
    }
  }
  return {};
}

}  // namespace

Result<UdpPortClaim> ClaimPort(std::uint16_t port, const std::string& owner_device) {
  auto v4 = BindClosed(AF_INET, port);
  auto v6 = v4.ok() ? BindClosed(AF_INET6, port) : Result<Fd>(Fd());
  if (v4.ok() && !v6.ok() && v6.error().code() == Code::kInternal) {
    v6 = Fd();  // a host without IPv6: nobody can take the port there either
  }
  if (v4.ok() && v6.ok()) {
    return UdpPortClaim(std::move(v4).value(), std::move(v6).value());
  }
  const Error& error = v4.ok() ? v6.error() : v4.error();
  if (error.code() != Code::kAlreadyExists) {
    return Fail(error);
  }
  const std::string owner = owner_device.empty() ? ProcessOf(SocketsOn(port)) : owner_device;
  return Fail(Code::kAlreadyExists,
              fmt::format("UDP port {} is taken by {}; stop or delete that, or set underlay.port",
                          port, owner.empty() ? "another tunnel or program" : owner));
}

}  // namespace leman
