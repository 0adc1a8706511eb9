#include "tunnel_packet.h"

#include <geneve/packet.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "datapath_test.h"

namespace leman::packet_test {
namespace {

constexpr std::size_t kEthernet = 14;
constexpr std::size_t kIp4 = 20;
constexpr std::size_t kIp6 = 40;
constexpr std::uint16_t kGenevePort = 6081;

std::uint16_t Load16(const Bytes& frame, std::size_t at) {
  return static_cast<std::uint16_t>((frame.at(at) << 8U) | frame.at(at + 1));
}

bool IsV6(const Bytes& frame) { return Load16(frame, 12) == 0x86dd; }

std::size_t UdpOffset(const Bytes& frame) { return kEthernet + (IsV6(frame) ? kIp6 : kIp4); }

std::uint16_t Fold(std::uint64_t sum) {
  while (sum > 0xffff) {
    sum = (sum & 0xffffU) + (sum >> 16U);
  }
  return static_cast<std::uint16_t>(sum);
}

std::uint64_t Sum(const Bytes& frame, std::size_t from, std::size_t end) {
  std::uint64_t sum = 0;
  for (std::size_t i = from; i < end; ++i) {
    sum += (i - from) % 2 == 0 ? static_cast<std::uint64_t>(frame.at(i)) << 8U : frame.at(i);
  }
  return sum;
}

}  // namespace

bool IsTunnelPacket(const Bytes& frame) {
  if (frame.size() < kEthernet + kIp4 + 8) {
    return false;
  }
  const std::uint16_t type = Load16(frame, 12);
  if (type == 0x0800) {
    return frame[23] == 17 && Load16(frame, 36) == kGenevePort;
  }
  return type == 0x86dd && frame.size() >= kEthernet + kIp6 + 8 && frame[20] == 17 &&
         Load16(frame, 56) == kGenevePort;
}

std::uint16_t SourcePort(const Bytes& frame) { return Load16(frame, UdpOffset(frame)); }

std::uint16_t UdpChecksumField(const Bytes& frame) { return Load16(frame, UdpOffset(frame) + 6); }

std::uint32_t FlowLabel(const Bytes& frame) {
  return IsV6(frame) ? ((frame.at(15) & 0xfU) << 16U) | Load16(frame, 16) : 0U;
}

bool UdpChecksumIsRight(const Bytes& frame) {
  const std::size_t udp = UdpOffset(frame);
  const std::size_t addresses = IsV6(frame) ? 22 : 26;
  constexpr std::uint64_t kUdp = 17;
  return Fold(Sum(frame, addresses, udp) + kUdp + Load16(frame, udp + 4) +
              Sum(frame, udp, frame.size())) == 0xffff;
}

bool SameButEntropy(const Bytes& a, const Bytes& b) {
  if (a.size() != b.size() || !IsTunnelPacket(a) || !IsTunnelPacket(b) || IsV6(a) != IsV6(b)) {
    return false;
  }
  const auto plain = [](Bytes frame) {
    const std::size_t udp = UdpOffset(frame);
    if (IsV6(frame)) {
      frame[15] &= 0xf0;
      frame[16] = 0;
      frame[17] = 0;
    }
    frame[udp] = 0;
    frame[udp + 1] = 0;
    frame[udp + 6] = 0;
    frame[udp + 7] = 0;
    return frame;
  };
  return plain(a) == plain(b);
}

void FillChecksum(Bytes* frame, std::size_t from, std::size_t field) {
  const std::uint16_t sum = static_cast<std::uint16_t>(~Fold(Sum(*frame, from, frame->size())));
  (*frame)[field] = static_cast<std::uint8_t>(sum >> 8U);
  (*frame)[field + 1] = static_cast<std::uint8_t>(sum);
}

void CheckByCodec(const Bytes& frame, const Bytes& inner) {
  const std::size_t addresses = IsV6(frame) ? 22 : 26;
  const std::size_t bytes = IsV6(frame) ? 16 : 4;
  const geneve::ByteSpan view(frame);
  const std::array<geneve::PacketAddress, 1> source = {
      geneve::PacketAddress::FromBytes(view.subspan(addresses, bytes))};
  const std::array<geneve::PacketAddress, 1> destination = {
      geneve::PacketAddress::FromBytes(view.subspan(addresses + bytes, bytes))};
  geneve::EndpointProfile profile;
  profile.local = destination;
  profile.peers = source;
  profile.any_vni = true;
  profile.udp6_zero_checksum = UdpChecksumField(frame) == 0;
  geneve::OptionSet known;  // the one critical option that tests send
  ASSERT_TRUE(known.Add({0xff00, 0x81}, geneve::LengthSet::Any()).ok());
  profile.options.known = &known;
  const geneve::Dissection seen = geneve::Dissect(view, profile);
  ASSERT_EQ(geneve::VerdictName(seen.verdict), "ACCEPT") << geneve::ReasonName(seen.reason);
  const Bytes delivered(frame.begin() + seen.inner_offset,
                        frame.begin() + seen.inner_offset + seen.inner_bytes);
  EXPECT_TRUE(delivered == inner) << DescribeDifference(delivered, inner);
}

void KeepForTshark(const Bytes& frame) {
  const char* path = std::getenv("PACKET_CAPTURE");
  if (path == nullptr) {
    return;
  }
  static std::ofstream file = [path] {
    // Classic pcap, microseconds, Ethernet.
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    const std::array<std::uint32_t, 6> header = {0xa1b2c3d4, 0x00040002, 0, 0, 0x40000, 1};
    out.write(reinterpret_cast<const char*>(header.data()), sizeof(header));
    return out;
  }();
  const auto bytes = static_cast<std::uint32_t>(frame.size());
  const std::array<std::uint32_t, 4> record = {0, 0, bytes, bytes};
  file.write(reinterpret_cast<const char*>(record.data()), sizeof(record));
  file.write(reinterpret_cast<const char*>(frame.data()), static_cast<std::streamsize>(bytes));
  file.flush();
}

}  // namespace leman::packet_test
