#include "net_lab.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>

namespace leman::packet_test {
namespace {

// struct virtio_net_hdr, whose header file is no C++.
struct VirtioHeader {
  std::uint8_t flags = 0;
  std::uint8_t gso_type = 0;
  std::uint16_t header_bytes = 0;
  std::uint16_t gso_size = 0;
  std::uint16_t checksum_start = 0;
  std::uint16_t checksum_offset = 0;
};
static_assert(sizeof(VirtioHeader) == 10);

constexpr const char* kOwnNamespace = "/proc/thread-self/ns/net";
constexpr std::size_t kMaxFrame = 1U << 17U;

void Check(bool ok, const std::string& what) {
  if (!ok) {
    throw std::runtime_error(what + ": " + std::strerror(errno));
  }
}

Fd OpenNamespace() {
  Fd fd(open(kOwnNamespace, O_RDONLY));  // not CLOEXEC: `ip` names it by /proc/PID/fd
  Check(fd.valid(), "open network namespace");
  return fd;
}

void Enter(const Fd& ns) { Check(setns(ns.get(), CLONE_NEWNET) == 0, "setns"); }

Fd NewNamespace() {
  Check(unshare(CLONE_NEWNET) == 0, "unshare");
  // Quiet devices: nothing but what the test sends.
  std::ofstream("/proc/sys/net/ipv6/conf/default/disable_ipv6") << "1";
  return OpenNamespace();
}

void Batch(const std::string& lines) {
  FILE* ip = popen("ip -batch - 2>&1", "w");
  Check(ip != nullptr, "ip -batch");
  std::fputs(lines.c_str(), ip);
  if (pclose(ip) != 0) {
    throw std::runtime_error("ip -batch refused one of:\n" + lines);
  }
}

template <class T>
void SetOption(int fd, int option, const T& value) {
  Check(setsockopt(fd, SOL_PACKET, option, &value, sizeof(value)) == 0, "setsockopt(SOL_PACKET)");
}

FrameSocket OpenSocket(const std::string& device) {
  const std::uint32_t ifindex = if_nametoindex(device.c_str());
  Check(ifindex != 0, "no device " + device);
  Fd fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  Check(fd.valid(), "socket(AF_PACKET)");
  SetOption(fd.get(), PACKET_IGNORE_OUTGOING, 1);
  SetOption(fd.get(), PACKET_AUXDATA, 1);
  SetOption(fd.get(), PACKET_VNET_HDR, 1);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(ifindex);
  Check(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0, "bind");
  return FrameSocket(std::move(fd));
}

// The kernel moves the outermost tag out of the frame; here it goes back.
void RestoreTag(const msghdr& message, Bytes* frame) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr;
       c = CMSG_NXTHDR(const_cast<msghdr*>(&message), c)) {
    if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA) {
      continue;
    }
    tpacket_auxdata aux{};
    std::memcpy(&aux, CMSG_DATA(c), sizeof(aux));
    if ((aux.tp_status & TP_STATUS_VLAN_VALID) == 0 || frame->size() < ETH_ALEN * 2) {
      continue;
    }
    const std::uint16_t tpid =
        (aux.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0 ? aux.tp_vlan_tpid : ETH_P_8021Q;
    const std::array<std::uint8_t, 4> tag = {static_cast<std::uint8_t>(tpid >> 8U),
                                             static_cast<std::uint8_t>(tpid),
                                             static_cast<std::uint8_t>(aux.tp_vlan_tci >> 8U),
                                             static_cast<std::uint8_t>(aux.tp_vlan_tci)};
    frame->insert(frame->begin() + ETH_ALEN * 2, tag.begin(), tag.end());
  }
}

}  // namespace

void FrameSocket::Send(const Bytes& frame, const Offload& offload) const {
  VirtioHeader header{};
  header.flags = offload.flags;
  header.gso_type = offload.gso_type;
  header.header_bytes = offload.header_bytes;
  header.gso_size = offload.gso_size;
  header.checksum_start = offload.checksum_start;
  header.checksum_offset = offload.checksum_offset;
  std::array<iovec, 2> parts = {
      iovec{.iov_base = &header, .iov_len = sizeof(header)},
      iovec{.iov_base = const_cast<std::uint8_t*>(frame.data()), .iov_len = frame.size()}};
  Check(writev(fd_.get(), parts.data(), parts.size()) ==
            static_cast<ssize_t>(sizeof(header) + frame.size()),
        "send frame");
}

std::optional<Frame> FrameSocket::Receive(std::chrono::milliseconds deadline) const {
  pollfd wait{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  if (poll(&wait, 1, static_cast<int>(deadline.count())) <= 0) {
    return std::nullopt;
  }
  Frame frame;
  frame.bytes.resize(kMaxFrame);
  VirtioHeader header{};
  alignas(cmsghdr) std::array<char, 256> control{};
  std::array<iovec, 2> parts = {
      iovec{.iov_base = &header, .iov_len = sizeof(header)},
      iovec{.iov_base = frame.bytes.data(), .iov_len = frame.bytes.size()}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = recvmsg(fd_.get(), &message, 0);
  if (got < static_cast<ssize_t>(sizeof(header))) {
    return std::nullopt;
  }
  frame.bytes.resize(static_cast<std::size_t>(got) - sizeof(header));
  RestoreTag(message, &frame.bytes);
  frame.offload = {.flags = header.flags,
                   .gso_type = header.gso_type,
                   .header_bytes = header.header_bytes,
                   .gso_size = header.gso_size,
                   .checksum_start = header.checksum_start,
                   .checksum_offset = header.checksum_offset};
  return frame;
}

std::vector<Frame> FrameSocket::Drain() const {
  std::vector<Frame> frames;
  while (auto frame = Receive(std::chrono::milliseconds(0))) {
    frames.push_back(std::move(*frame));
  }
  return frames;
}

NetLab::NetLab() : before_(OpenNamespace()), guest_(NewNamespace()), host_(NewNamespace()) {
  const std::string guest =
      "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(guest_.get());
  const auto veth = [&guest](const std::string& device, const std::string& far,
                             const std::string& mac, const std::string& far_mac) {
    return "link add " + device + " address " + mac + " type veth peer name " + far + " address " +
           far_mac + " netns " + guest + "\nlink set " + device + " up\n";
  };
  std::string host = "link set lo up\n";
  host += veth("underlay", "far-underlay", "02:00:c0:a8:01:66", "02:00:c0:a8:01:65");
  host += veth("port-a", "far-a", "02:00:00:00:01:0a", "aa:bb:cc:dd:ee:11");
  host += veth("port-b", "far-b", "02:00:00:00:01:0b", "02:00:00:00:00:0b");
  host += veth("port-c", "far-c", "02:00:00:00:01:0c", "aa:bb:cc:dd:ee:11");
  Batch(host);
  GuestIp(
      "link set far-underlay up\nlink set far-a up\nlink set far-b up\nlink set far-c up\n"
      "link set lo up\n");
  std::ofstream("/proc/sys/net/ipv6/conf/underlay/disable_ipv6") << "0";
  // Neighbours for every address the tests use as VTEP, so that nothing is asked on the way.
  std::string lines =
      "link set underlay mtu 9000\n"
      "addr add 192.168.1.102/24 dev underlay\naddr add 2001:db8::102/64 dev underlay nodad\n"
      "neigh add 2001:db8::101 lladdr 02:00:c0:a8:01:65 dev underlay\n";
  for (int i = 1; i < 102; ++i) {
    lines +=
        "neigh add 192.168.1." + std::to_string(i) + " lladdr 02:00:c0:a8:01:65 dev underlay\n";
  }
  Batch(lines);
  GuestIp("link set far-underlay mtu 9000\n");
}

NetLab::~NetLab() {
  // A thread that cannot go home ends with its namespace: nothing to be done about it.
  (void)setns(before_.get(), CLONE_NEWNET);
}

void NetLab::Ip(const std::string& lines) const { Batch(lines); }

void NetLab::GuestIp(const std::string& lines) const {
  Enter(guest_);
  Batch(lines);
  Enter(host_);
}

std::string NetLab::Run(const std::string& command) const {
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  Check(pipe != nullptr, command);
  std::string said;
  std::array<char, 4096> buffer{};
  while (std::fgets(buffer.data(), static_cast<int>(buffer.size()), pipe) != nullptr) {
    said += buffer.data();
  }
  if (pclose(pipe) != 0) {
    throw std::runtime_error(command + ": " + said);
  }
  return said;
}

std::uint32_t NetLab::Ifindex(const std::string& device) const {
  const std::uint32_t ifindex = if_nametoindex(device.c_str());
  Check(ifindex != 0, "no device " + device);
  return ifindex;
}

FrameSocket NetLab::OpenGuest(const std::string& device) const {
  Enter(guest_);
  FrameSocket socket = OpenSocket(device);
  Enter(host_);
  return socket;
}

FrameSocket NetLab::OpenHost(const std::string& device) const { return OpenSocket(device); }

}  // namespace leman::packet_test
