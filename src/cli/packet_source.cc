#include "cli/packet_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <geneve/bytes.h>
#include <geneve/checksum.h>
#include <pcap/pcap.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/fd.h"
#include "cli/hex_text.h"

namespace leman::cli {

namespace {

using geneve::LoadBe16;
using geneve::LoadBe32;

constexpr std::size_t kMaxHexTextBytes = 256U << 20U;
constexpr const char* kWhatToGive = "give a pcap, a pcapng or hex text, or - for stdin";

// A descriptor whose first bytes were looked at and are read again: works for pipes too.
struct Input {
  Fd owned;  // invalid for stdin
  int fd = -1;
  std::vector<std::uint8_t> head;
  std::size_t head_read = 0;
  std::uint64_t read_so_far = 0;
  std::uint64_t total = 0;

  [[nodiscard]] Result<std::size_t> Read(char* to, std::size_t size) {
    if (head_read < head.size()) {
      const std::size_t count = std::min(size, head.size() - head_read);
      std::memcpy(to, head.data() + head_read, count);
      head_read += count;
      return count;
    }
    for (;;) {
      const ssize_t count = read(fd, to, size);
      if (count >= 0) {
        read_so_far += static_cast<std::uint64_t>(count);
        return static_cast<std::size_t>(count);
      }
      if (errno != EINTR) {
        return Fail(ErrnoError(errno, "read"));
      }
    }
  }
};

ssize_t CookieRead(void* cookie, char* to, std::size_t size) {
  const auto count = static_cast<Input*>(cookie)->Read(to, size);
  return count.ok() ? static_cast<ssize_t>(count.value()) : -1;
}

enum class Form { kPcap, kHex, kGzip, kBinary };

Form FormOf(geneve::ByteSpan head) {
  if (head.size() >= 4) {
    static constexpr std::array<std::uint32_t, 7> kMagics = {
        0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1,  // microseconds, nanoseconds
        0xa1b2cd34, 0x34cdb2a1,                          // patched libpcap
        0x0a0d0d0a};                                     // pcapng
    if (std::find(kMagics.begin(), kMagics.end(), LoadBe32(head.data())) != kMagics.end()) {
      return Form::kPcap;
    }
  }
  if (head.size() >= 2 && LoadBe16(head.data()) == 0x1f8b) {
    return Form::kGzip;
  }
  const bool text = std::all_of(head.begin(), head.end(), [](std::uint8_t c) {
    return c == '\n' || c == '\r' || c == '\t' || c == '\f' || (c >= 0x20 && c != 0x7f);
  });
  return text ? Form::kHex : Form::kBinary;
}

class PcapSource : public PacketSource {
 public:
  PcapSource(std::unique_ptr<Input> input, std::string name)
      : input_(std::move(input)), name_(std::move(name)) {}
  ~PcapSource() override {
    if (pcap_ != nullptr) {
      pcap_close(pcap_);
    }
  }
  PcapSource(const PcapSource&) = delete;
  PcapSource& operator=(const PcapSource&) = delete;

  Status Open() {
    cookie_io_functions_t functions{};
    functions.read = CookieRead;
    std::FILE* file = fopencookie(input_.get(), "rb", functions);
    if (file == nullptr) {
      return Fail(ErrnoError(errno, name_));
    }
    std::array<char, PCAP_ERRBUF_SIZE> error{};
    pcap_ =
        pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, error.data());
    if (pcap_ == nullptr) {
      std::fclose(file);
      return Fail(Code::kInvalidArgument, fmt::format("{}: {}", name_, error.data()));
    }
    const int dlt = pcap_datalink(pcap_);
    const std::optional<PacketLink> link = LinkOfDlt(dlt);
    if (!link) {
      const char* dlt_name = pcap_datalink_val_to_name(dlt);
      return Fail(Code::kInvalidArgument,
                  fmt::format("{}: link type {} cannot be read; Ethernet, raw IP and Linux cooked "
                              "captures can",
                              name_, dlt_name == nullptr ? std::to_string(dlt) : dlt_name));
    }
    link_ = *link;
    return {};
  }

  Result<bool> Next(CapturedPacket& packet) override {
    pcap_pkthdr* header = nullptr;
    const u_char* bytes = nullptr;
    const int got = pcap_next_ex(pcap_, &header, &bytes);
    if (got == 1) {
      packet.time_ns = CaptureTimeNs(header->ts);
      packet.bytes.assign(bytes, bytes + header->caplen);
      packet.original_bytes = header->len;
      packet.link = link_;
      return true;
    }
    if (got == PCAP_ERROR_BREAK) {
      return false;
    }
    return Fail(Code::kInvalidArgument, fmt::format("{}: {}", name_, pcap_geterr(pcap_)));
  }

  std::uint64_t bytes_read() const override { return input_->read_so_far; }
  std::uint64_t bytes_total() const override { return input_->total; }

 private:
  std::unique_ptr<Input> input_;  // outlives pcap_, which reads through it
  std::string name_;
  pcap_t* pcap_ = nullptr;
  PacketLink link_ = PacketLink::kEthernet;
};

class HexSource : public PacketSource {
 public:
  HexSource(std::vector<std::vector<std::uint8_t>> packets, std::optional<PacketLink> from)
      : packets_(std::move(packets)), from_(from) {}

  Result<bool> Next(CapturedPacket& packet) override {
    if (next_ == packets_.size()) {
      return false;
    }
    packet.time_ns.reset();
    packet.bytes = std::move(packets_[next_++]);
    packet.original_bytes = packet.bytes.size();
    packet.link = from_.value_or(GuessLink(packet.bytes));
    return true;
  }

 private:
  std::vector<std::vector<std::uint8_t>> packets_;
  std::optional<PacketLink> from_;
  std::size_t next_ = 0;
};

Result<std::unique_ptr<PacketSource>> OpenHex(Input& input, const std::string& name,
                                              std::optional<PacketLink> from) {
  std::string text;
  std::array<char, 65536> chunk{};
  for (;;) {
    LEMAN_ASSIGN_OR_RETURN(const std::size_t count, input.Read(chunk.data(), chunk.size()));
    if (count == 0) {
      break;
    }
    text.append(chunk.data(), count);
    if (text.size() > kMaxHexTextBytes) {
      return Fail(Code::kInvalidArgument,
                  fmt::format("{}: more than {} MiB of hex text; make a pcap of it with text2pcap",
                              name, kMaxHexTextBytes >> 20U));
    }
  }
  auto packets = ParseHexText(text);
  if (!packets.ok()) {
    return Fail(packets.error().In(name));
  }
  if (packets.value().empty()) {
    return Fail(Code::kInvalidArgument,
                fmt::format("{}: nothing to decode; {}", name, kWhatToGive));
  }
  return std::unique_ptr<PacketSource>(
      std::make_unique<HexSource>(std::move(packets).value(), from));
}

}  // namespace

std::optional<std::int64_t> CaptureTimeNs(const timeval& time) {
  std::int64_t nanoseconds = 0;
  if (__builtin_mul_overflow(std::int64_t{time.tv_sec}, 1'000'000'000, &nanoseconds) ||
      __builtin_add_overflow(nanoseconds, std::int64_t{time.tv_usec}, &nanoseconds)) {
    return std::nullopt;
  }
  return nanoseconds;
}

std::optional<PacketLink> LinkOfDlt(int dlt) {
  switch (dlt) {
    case DLT_EN10MB:
      return PacketLink::kEthernet;
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6:
      return PacketLink::kRawIp;
    case DLT_LINUX_SLL:
      return PacketLink::kLinuxSll;
    case DLT_LINUX_SLL2:
      return PacketLink::kLinuxSll2;
    default:
      return std::nullopt;
  }
}

PacketLink GuessLink(geneve::ByteSpan packet) {
  // The strongest sign first: an IPv4 header sums up to all ones.
  if (packet.size() >= 20 && packet[0] >> 4U == 4) {
    const std::size_t header = std::size_t{packet[0] & 0xfU} * 4;
    if (header >= 20 && header <= packet.size() &&
        geneve::ChecksumFold(geneve::ChecksumAdd(0, packet.first(header))) == 0xffff) {
      return PacketLink::kRawIp;
    }
  }
  if (packet.size() >= 14) {
    const std::uint16_t type = LoadBe16(&packet[12]);
    if (type == 0x0800 || type == 0x86dd || type == 0x8100 || type == 0x88a8 || type == 0x0806) {
      return PacketLink::kEthernet;
    }
  }
  if (packet.size() >= 40 && packet[0] >> 4U == 6 &&
      std::size_t{LoadBe16(&packet[4])} + 40 <= packet.size()) {
    return PacketLink::kRawIp;
  }
  if (packet.size() >= 8 && packet[0] >> 6U == 0) {
    const std::uint16_t protocol = LoadBe16(&packet[2]);
    if (protocol == 0x6558 || protocol == 0x0800 || protocol == 0x86dd) {
      return PacketLink::kUdpPayload;
    }
  }
  return PacketLink::kEthernet;
}

Result<std::unique_ptr<PacketSource>> OpenPacketSource(const std::string& path, int in_fd,
                                                       std::optional<PacketLink> from) {
  auto input = std::make_unique<Input>();
  const std::string name = path == "-" ? "stdin" : path;
  input->fd = in_fd;
  if (path != "-") {
    input->owned = Fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    input->fd = input->owned.get();
    if (!input->owned.valid()) {
      const int err = errno;
      return Fail(ErrnoError(err, path).code(),
                  fmt::format("{}: {}; {}", path, std::strerror(err), kWhatToGive));
    }
  }
  struct stat info{};
  if (fstat(input->fd, &info) == 0) {
    if (S_ISDIR(info.st_mode)) {
      return Fail(Code::kInvalidArgument, fmt::format("{}: is a directory; {}", path, kWhatToGive));
    }
    if (S_ISREG(info.st_mode)) {
      input->total = static_cast<std::uint64_t>(info.st_size);
    }
  }
  std::array<char, 64> head{};
  std::size_t have = 0;
  while (have < head.size()) {  // a pipe may give less than asked for
    LEMAN_ASSIGN_OR_RETURN(const std::size_t count,
                           input->Read(head.data() + have, head.size() - have));
    if (count == 0) {
      break;
    }
    have += count;
    if (have >= 4 &&
        FormOf({reinterpret_cast<const std::uint8_t*>(head.data()), have}) == Form::kPcap) {
      break;  // a live pipe may wait long before its first packet
    }
  }
  input->head.assign(head.begin(), head.begin() + static_cast<std::ptrdiff_t>(have));
  if (have == 0) {
    return Fail(Code::kInvalidArgument, fmt::format("{}: is empty; {}", name, kWhatToGive));
  }
  switch (FormOf(input->head)) {
    case Form::kPcap: {
      auto source = std::make_unique<PcapSource>(std::move(input), name);
      LEMAN_TRY(source->Open());
      return std::unique_ptr<PacketSource>(std::move(source));
    }
    case Form::kHex:
      return OpenHex(*input, name, from);
    case Form::kGzip:
      return Fail(Code::kInvalidArgument,
                  fmt::format("{}: is compressed; use: gunzip -c FILE | leman decode -", name));
    case Form::kBinary:
      break;
  }
  return Fail(
      Code::kInvalidArgument,
      fmt::format(
          "{}: neither pcap nor pcapng nor hex text; make a pcap of it with editcap -F pcap",
          name));
}

}  // namespace leman::cli
