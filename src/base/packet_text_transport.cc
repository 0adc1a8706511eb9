// ICMP, ICMPv6, TCP, UDP and SCTP of packet_text_frame.
#include <fmt/format.h>

#include <array>
#include <string_view>
#include <utility>

#include "base/header_walk.h"

namespace leman {

namespace {

using geneve::ByteSpan;
using geneve::LoadBe16;
using geneve::LoadBe32;

constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kIcmp6 = 58;
constexpr std::uint8_t kSctp = 132;

void Icmp(HeaderWalk& walk) {
  if (!walk.Need(8, "ICMP")) {
    return;
  }
  const ByteSpan rest = walk.rest();
  const std::uint8_t type = rest[0];
  const std::uint8_t code = rest[1];
  std::string what;
  if (type == 8 || type == 0) {
    what = fmt::format("echo {} id {} seq {}", type == 8 ? "request" : "reply", LoadBe16(&rest[4]),
                       LoadBe16(&rest[6]));
  } else if (type == 3 && code == 4) {
    what = fmt::format("fragmentation needed, MTU {}", LoadBe16(&rest[6]));
  } else if (type == 3) {
    what = fmt::format("destination unreachable, code {}", code);
  } else if (type == 11) {
    what = "time exceeded";
  } else {
    what = fmt::format("type {} code {}", type, code);
  }
  PacketField& layer = walk.Layer("icmp", "ICMP");
  layer.text = what;
  layer.children.push_back(NumberField("type", type));
  layer.children.push_back(NumberField("code", code));
  walk.text().transport += "ICMP " + what;
}

void Icmp6(HeaderWalk& walk) {
  if (!walk.Need(8, "ICMPv6")) {
    return;
  }
  const ByteSpan rest = walk.rest();
  const std::uint8_t type = rest[0];
  const std::uint8_t code = rest[1];
  std::string what;
  switch (type) {
    case 1:
      what = fmt::format("destination unreachable, code {}", code);
      break;
    case 2:
      what = fmt::format("packet too big, MTU {}", LoadBe32(&rest[4]));
      break;
    case 3:
      what = "time exceeded";
      break;
    case 128:
    case 129:
      what = fmt::format("echo {} id {} seq {}", type == 128 ? "request" : "reply",
                         LoadBe16(&rest[4]), LoadBe16(&rest[6]));
      break;
    case 133:
      what = "router solicitation";
      break;
    case 134:
      what = "router advertisement";
      break;
    case 135:
    case 136:
      what = type == 135 ? "neighbour solicitation" : "neighbour advertisement";
      if (rest.size() >= 24) {
        what += " for " + AddressText(rest.subspan(8, 16));
      }
      break;
    default:
      what = fmt::format("type {} code {}", type, code);
  }
  PacketField& layer = walk.Layer("icmpv6", "ICMPv6");
  layer.text = what;
  layer.children.push_back(NumberField("type", type));
  layer.children.push_back(NumberField("code", code));
  walk.text().transport += "ICMPv6 " + what;
}

void Tcp(HeaderWalk& walk) {
  if (!walk.Need(20, "TCP")) {
    return;
  }
  const ByteSpan rest = walk.rest();
  static constexpr std::array<std::string_view, 8> kFlags = {"FIN", "SYN", "RST", "PSH",
                                                             "ACK", "URG", "ECE", "CWR"};
  std::string flags;
  for (std::size_t i = 0; i < kFlags.size(); ++i) {
    if ((rest[13] >> i & 1U) != 0) {
      flags += (flags.empty() ? "" : " ") + std::string(kFlags[i]);
    }
  }
  const std::uint16_t source = LoadBe16(&rest[0]);
  const std::uint16_t destination = LoadBe16(&rest[2]);
  const std::size_t header = std::size_t{rest[12]} / 16 * 4;
  const std::size_t data = rest.size() > header && header >= 20 ? rest.size() - header : 0;
  PacketField& layer = walk.Layer("tcp", "TCP");
  layer.text =
      fmt::format("{} > {} [{}] seq {} ack {} window {}, {} bytes of data", source, destination,
                  flags, LoadBe32(&rest[4]), LoadBe32(&rest[8]), LoadBe16(&rest[14]), data);
  layer.children.push_back(NumberField("source_port", source));
  layer.children.push_back(NumberField("destination_port", destination));
  layer.children.push_back(TextField("flags", flags));
  layer.children.push_back(NumberField("sequence", LoadBe32(&rest[4])));
  layer.children.push_back(NumberField("acknowledgement", LoadBe32(&rest[8])));
  layer.children.push_back(NumberField("window", LoadBe16(&rest[14])));
  layer.children.push_back(NumberField("data_bytes", data));
  walk.text().transport +=
      fmt::format("TCP {} > {} [{}] {} bytes", source, destination, flags, data);
}

void Ports(HeaderWalk& walk, std::string key, std::string label, std::size_t header_bytes) {
  if (!walk.Need(header_bytes, label)) {
    return;
  }
  const ByteSpan rest = walk.rest();
  const std::uint16_t source = LoadBe16(&rest[0]);
  const std::uint16_t destination = LoadBe16(&rest[2]);
  const std::size_t data = rest.size() - header_bytes;
  walk.text().transport += fmt::format("{} {} > {} {} bytes", label, source, destination, data);
  PacketField& layer = walk.Layer(std::move(key), std::move(label));
  layer.text = fmt::format("{} > {}, {} bytes of data", source, destination, data);
  layer.children.push_back(NumberField("source_port", source));
  layer.children.push_back(NumberField("destination_port", destination));
  layer.children.push_back(NumberField("data_bytes", data));
}

}  // namespace

void WalkTransport(HeaderWalk& walk, std::uint8_t protocol) {
  switch (protocol) {
    case kIcmp:
      return Icmp(walk);
    case kIcmp6:
      return Icmp6(walk);
    case kTcp:
      return Tcp(walk);
    case kUdp:
      return Ports(walk, "udp", "UDP", 8);
    case kSctp:
      return Ports(walk, "sctp", "SCTP", 12);
    default:
      walk.text().transport += ProtocolName(protocol);
      return walk.Data(ProtocolName(protocol));
  }
}

std::string ProtocolName(std::uint8_t protocol) {
  switch (protocol) {
    case kIcmp:
      return "ICMP";
    case 2:
      return "IGMP";
    case kTcp:
      return "TCP";
    case kUdp:
      return "UDP";
    case 47:
      return "GRE";
    case 50:
      return "ESP";
    case kIcmp6:
      return "ICMPv6";
    case 89:
      return "OSPF";
    case 112:
      return "VRRP";
    case kSctp:
      return "SCTP";
    default:
      return fmt::format("protocol {}", protocol);
  }
}

}  // namespace leman
