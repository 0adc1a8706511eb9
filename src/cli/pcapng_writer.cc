#include "cli/pcapng_writer.h"

#include <algorithm>
#include <cerrno>

namespace leman::cli {

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint32_t kSectionHeaderBlock = 0x0a0d0d0a;
constexpr std::uint32_t kInterfaceDescriptionBlock = 1;
constexpr std::uint32_t kEnhancedPacketBlock = 6;
constexpr std::uint32_t kByteOrderMagic = 0x1a2b3c4d;

// Option codes of the draft, sections 4.1 and 4.2.
constexpr std::uint16_t kOptionEnd = 0;
constexpr std::uint16_t kShbHardware = 2;
constexpr std::uint16_t kShbOs = 3;
constexpr std::uint16_t kShbUserAppl = 4;
constexpr std::uint16_t kIfName = 2;
constexpr std::uint16_t kIfTsresol = 9;
constexpr std::uint16_t kIfFilter = 11;
constexpr std::uint16_t kIfOs = 12;

constexpr std::size_t kMaxOptionBytes = 0xffff;

void Put16(Bytes& out, std::uint16_t value) {
  out.push_back(static_cast<std::uint8_t>(value));
  out.push_back(static_cast<std::uint8_t>(value >> 8U));
}

void Put32(Bytes& out, std::uint32_t value) {
  Put16(out, static_cast<std::uint16_t>(value));
  Put16(out, static_cast<std::uint16_t>(value >> 16U));
}

void PutPadded(Bytes& out, std::span<const std::uint8_t> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
  out.resize((out.size() + 3) / 4 * 4);
}

void PutOption(Bytes& out, std::uint16_t code, std::span<const std::uint8_t> value) {
  value = value.first(std::min(value.size(), kMaxOptionBytes));
  Put16(out, code);
  Put16(out, static_cast<std::uint16_t>(value.size()));
  PutPadded(out, value);
}

void PutText(Bytes& out, std::uint16_t code, const std::string& text) {
  if (!text.empty()) {
    PutOption(out, code, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  }
}

}  // namespace

Status PcapngWriter::WriteSection(const PcapngSection& section) {
  Bytes body;
  Put32(body, kByteOrderMagic);
  Put16(body, 1);  // version 1.0
  Put16(body, 0);
  Put32(body, 0xffffffff);  // section length: not known, 64 bits
  Put32(body, 0xffffffff);
  PutText(body, kShbHardware, section.hardware);
  PutText(body, kShbOs, section.os);
  PutText(body, kShbUserAppl, section.application);
  PutOption(body, kOptionEnd, {});
  return WriteBlock(kSectionHeaderBlock, body);
}

Result<std::uint32_t> PcapngWriter::AddInterface(const PcapngInterface& interface) {
  Bytes body;
  Put16(body, interface.linktype);
  Put16(body, 0);
  Put32(body, interface.snap_length);
  PutText(body, kIfName, interface.name);
  const std::uint8_t nanoseconds = 9;  // ten to the minus nine
  PutOption(body, kIfTsresol, {&nanoseconds, 1});
  if (!interface.filter.empty()) {
    PutText(body, kIfFilter, std::string(1, '\0') + interface.filter);  // 0: libpcap's language
  }
  PutText(body, kIfOs, interface.os);
  PutOption(body, kOptionEnd, {});
  LEMAN_TRY(WriteBlock(kInterfaceDescriptionBlock, body));
  return interfaces_++;
}

Status PcapngWriter::WritePacket(std::uint32_t interface, std::int64_t time_ns,
                                 std::span<const std::uint8_t> bytes, std::size_t original_bytes) {
  if (interface >= interfaces_) {
    return Fail(Code::kInvalidArgument, "pcapng: packet of an interface that was not added");
  }
  const auto time = static_cast<std::uint64_t>(time_ns);
  Bytes body;
  body.reserve(bytes.size() + 24);
  Put32(body, interface);
  Put32(body, static_cast<std::uint32_t>(time >> 32U));
  Put32(body, static_cast<std::uint32_t>(time));
  Put32(body, static_cast<std::uint32_t>(bytes.size()));
  Put32(body, static_cast<std::uint32_t>(std::max(original_bytes, bytes.size())));
  PutPadded(body, bytes);
  return WriteBlock(kEnhancedPacketBlock, body);
}

Status PcapngWriter::Flush() {
  if (std::fflush(out_) != 0) {
    return Fail(ErrnoError(errno, "write"));
  }
  return {};
}

Status PcapngWriter::WriteBlock(std::uint32_t type, const Bytes& body) {
  Bytes block;
  block.reserve(body.size() + 12);
  const auto length = static_cast<std::uint32_t>(body.size() + 12);
  Put32(block, type);
  Put32(block, length);
  block.insert(block.end(), body.begin(), body.end());
  Put32(block, length);
  if (std::fwrite(block.data(), 1, block.size(), out_) != block.size()) {
    return Fail(ErrnoError(errno, "write"));
  }
  return {};
}

}  // namespace leman::cli
