#include "lab/capture.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <pcap/pcap.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>

#include "lab/netns.h"

namespace leman::lab {
namespace {

constexpr int kSnapBytes = 2048;
constexpr int kBufferBytes = 4 << 20;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

struct PcapCloser {
  void operator()(pcap_t* handle) const { pcap_close(handle); }
  void operator()(pcap_dumper_t* dumper) const { pcap_dump_close(dumper); }
};
using PcapHandle = std::unique_ptr<pcap_t, PcapCloser>;
using PcapDumper = std::unique_ptr<pcap_dumper_t, PcapCloser>;

// With nanosecond precision libpcap keeps nanoseconds in tv_usec.
Packet MakePacket(const pcap_pkthdr& header, const u_char* data) {
  Packet packet;
  packet.time_ns = std::int64_t{header.ts.tv_sec} * kNsPerSecond + header.ts.tv_usec;
  packet.bytes.assign(data, data + header.caplen);
  packet.original_bytes = header.len;
  return packet;
}

Status Activate(pcap_t* handle, Direction direction) {
  pcap_set_snaplen(handle, kSnapBytes);
  pcap_set_buffer_size(handle, kBufferBytes);
  pcap_set_immediate_mode(handle, 1);
  pcap_set_tstamp_precision(handle, PCAP_TSTAMP_PRECISION_NANO);
  std::array<char, PCAP_ERRBUF_SIZE> error{};
  pcap_direction_t wanted = PCAP_D_INOUT;
  if (direction != Direction::kBoth) {
    wanted = direction == Direction::kIn ? PCAP_D_IN : PCAP_D_OUT;
  }
  if (pcap_activate(handle) < 0 || pcap_setdirection(handle, wanted) != 0) {
    return Fail(Code::kInternal, pcap_geterr(handle));
  }
  if (pcap_setnonblock(handle, 1, error.data()) != 0) {
    return Fail(Code::kInternal, error.data());
  }
  return {};
}

}  // namespace

struct Capture::Handles {
  PcapHandle pcap;
  PcapDumper dumper;
};

Capture::~Capture() = default;

Result<std::unique_ptr<Capture>> Capture::Open(const std::string& netns, const std::string& device,
                                               Direction direction, const std::string& pcap_path) {
  std::unique_ptr<Capture> capture(new Capture);
  capture->handles_ = std::make_unique<Handles>();
  Handles& handles = *capture->handles_;
  auto opened = InNetns(netns, [&]() -> Status {
    std::array<char, PCAP_ERRBUF_SIZE> error{};
    handles.pcap.reset(pcap_create(device.c_str(), error.data()));
    if (handles.pcap == nullptr) {
      return Fail(Code::kInternal, error.data());
    }
    return Activate(handles.pcap.get(), direction);
  });
  if (!opened.ok()) {
    return Fail(opened.error().In("capture at " + netns + " " + device));
  }
  capture->path_ = pcap_path;
  handles.dumper.reset(pcap_dump_open(handles.pcap.get(), pcap_path.c_str()));
  if (handles.dumper == nullptr) {
    return Fail(Code::kInternal, pcap_path + ": " + pcap_geterr(handles.pcap.get()));
  }
  return capture;
}

const std::vector<Packet>& Capture::Packets() {
  pcap_pkthdr* header = nullptr;
  const u_char* data = nullptr;
  while (pcap_next_ex(handles_->pcap.get(), &header, &data) == 1) {
    packets_.push_back(MakePacket(*header, data));
    pcap_dump(reinterpret_cast<u_char*>(handles_->dumper.get()), header, data);
  }
  pcap_dump_flush(handles_->dumper.get());
  return packets_;
}

Result<std::vector<Packet>> ReadPcap(const std::string& path) {
  std::array<char, PCAP_ERRBUF_SIZE> error{};
  const PcapHandle file(pcap_open_offline_with_tstamp_precision(
      path.c_str(), PCAP_TSTAMP_PRECISION_NANO, error.data()));
  if (file == nullptr) {
    return Fail(Code::kInternal, error.data());
  }
  std::vector<Packet> packets;
  pcap_pkthdr* header = nullptr;
  const u_char* data = nullptr;
  while (pcap_next_ex(file.get(), &header, &data) == 1) {
    packets.push_back(MakePacket(*header, data));
  }
  return packets;
}

Result<IcmpSocket> IcmpSocket::Open(const std::string& netns, bool ipv6) {
  IcmpSocket result;
  LEMAN_TRY(InNetns(netns, [&]() -> Status {
    result.socket_ =
        Fd(socket(ipv6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                  ipv6 ? static_cast<int>(IPPROTO_ICMPV6) : static_cast<int>(IPPROTO_ICMP)));
    const int on = 1;
    if (!result.socket_.valid() ||
        setsockopt(result.socket_.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) != 0) {
      return Fail(ErrnoError(errno, "ICMP socket in " + netns));
    }
    return {};
  }));
  return result;
}

std::vector<Packet> IcmpSocket::Packets() const {
  std::vector<Packet> packets;
  for (;;) {
    std::array<std::uint8_t, kSnapBytes> buffer{};
    alignas(cmsghdr) std::array<char, 128> control{};
    iovec part{buffer.data(), buffer.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = recvmsg(socket_.get(), &message, 0);
    if (got < 0) {
      return packets;
    }
    Packet packet;
    packet.bytes.assign(buffer.begin(), buffer.begin() + got);
    packet.original_bytes = packet.bytes.size();
    for (cmsghdr* entry = CMSG_FIRSTHDR(&message); entry != nullptr;
         entry = CMSG_NXTHDR(&message, entry)) {
      if (entry->cmsg_level == SOL_SOCKET && entry->cmsg_type == SO_TIMESTAMPNS) {
        timespec time{};
        __builtin_memcpy(&time, CMSG_DATA(entry), sizeof time);
        packet.time_ns = std::int64_t{time.tv_sec} * kNsPerSecond + time.tv_nsec;
      }
    }
    packets.push_back(std::move(packet));
  }
}

}  // namespace leman::lab
