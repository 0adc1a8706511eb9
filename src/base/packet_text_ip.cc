// IPv4 and IPv6 of packet_text_frame.
#include <fmt/format.h>
#include <geneve/ecn.h>

#include <string>

#include "base/header_walk.h"

namespace leman {

namespace {

using geneve::ByteSpan;
using geneve::LoadBe16;
using geneve::LoadBe32;

constexpr int kMaxExtensions = 8;  // IPv6 extension headers walked
constexpr std::uint8_t kHopByHop = 0;
constexpr std::uint8_t kRouting = 43;
constexpr std::uint8_t kFragment = 44;
constexpr std::uint8_t kDestinationOptions = 60;

// DSCP and ECN where they are not zero: most packets have neither.
std::string TosText(unsigned tos) {
  std::string text;
  if (tos >> 2U != 0) {
    text += fmt::format(", DSCP {}", tos >> 2U);
  }
  if ((tos & 3U) != 0) {
    text += fmt::format(", {}", geneve::EcnName(geneve::EcnOf(static_cast<std::uint8_t>(tos))));
  }
  return text;
}

void TosFields(PacketField& layer, unsigned tos) {
  layer.children.push_back(NumberField("dscp", tos >> 2U));
  layer.children.push_back(NumberField("ecn", tos & 3U));
}

}  // namespace

void WalkIpv4(HeaderWalk& walk) {
  if (!walk.Need(20, "IPv4")) {
    return;
  }
  const ByteSpan rest = walk.rest();
  const std::size_t header = std::size_t{rest[0] & 0xfU} * 4;
  if (rest[0] >> 4U != 4 || header < 20) {
    PacketField& layer = walk.Layer("ipv4", "IPv4");
    layer.text = fmt::format("no IPv4 header (first byte 0x{:02x})", rest[0]);
    walk.text().transport += "not IPv4";
    return;
  }
  const std::uint16_t total = LoadBe16(&rest[2]);
  const std::uint16_t fragment = LoadBe16(&rest[6]);
  const unsigned offset = (fragment & 0x1fffU) * 8;
  const bool more = (fragment & 0x2000U) != 0;
  const bool dont_fragment = (fragment & 0x4000U) != 0;
  const std::uint8_t ttl = rest[8];
  const std::uint8_t protocol = rest[9];
  const std::string source = AddressText(rest.subspan(12, 4));
  const std::string destination = AddressText(rest.subspan(16, 4));
  PacketField& layer = walk.Layer("ipv4", "IPv4");
  walk.text().hosts = source + " > " + destination;
  layer.text =
      fmt::format("{}, {}, TTL {}{}{}, {} bytes", walk.text().hosts, ProtocolName(protocol), ttl,
                  dont_fragment ? ", DF" : "", TosText(rest[1]), total);
  const bool is_fragment = more || offset != 0;
  if (is_fragment) {
    layer.text += fmt::format(", fragment at {}{}", offset, more ? ", more follow" : ", the last");
  }
  if (header > 20) {
    layer.text += fmt::format(", {} bytes of IP options", header - 20);
  }
  layer.children.push_back(TextField("source", source));
  layer.children.push_back(TextField("destination", destination));
  layer.children.push_back(NumberField("protocol", protocol));
  layer.children.push_back(NumberField("ttl", ttl));
  TosFields(layer, rest[1]);
  layer.children.push_back(FlagField("dont_fragment", dont_fragment));
  layer.children.push_back(FlagField("fragment", is_fragment));
  layer.children.push_back(NumberField("header_bytes", header));
  layer.children.push_back(NumberField("total_bytes", total));
  if (total >= header) {
    walk.Limit(total);  // Ethernet padding is not payload
  }
  walk.Skip(header);
  if (offset != 0) {
    walk.text().transport += fmt::format("{} fragment at {}", ProtocolName(protocol), offset);
    return walk.Data("fragment");
  }
  WalkTransport(walk, protocol);
}

void WalkIpv6(HeaderWalk& walk) {
  if (!walk.Need(40, "IPv6")) {
    return;
  }
  const ByteSpan rest = walk.rest();
  const std::uint32_t word = LoadBe32(&rest[0]);
  if (word >> 28U != 6) {
    PacketField& layer = walk.Layer("ipv6", "IPv6");
    layer.text = fmt::format("no IPv6 header (first byte 0x{:02x})", rest[0]);
    walk.text().transport += "not IPv6";
    return;
  }
  const unsigned traffic_class = (word >> 20U) & 0xffU;
  const std::uint16_t length = LoadBe16(&rest[4]);
  std::uint8_t next = rest[6];
  const std::uint8_t hop_limit = rest[7];
  const std::string source = AddressText(rest.subspan(8, 16));
  const std::string destination = AddressText(rest.subspan(24, 16));
  walk.text().hosts = source + " > " + destination;
  PacketField& layer = walk.Layer("ipv6", "IPv6");
  layer.children.push_back(TextField("source", source));
  layer.children.push_back(TextField("destination", destination));
  layer.children.push_back(NumberField("hop_limit", hop_limit));
  TosFields(layer, traffic_class);
  layer.children.push_back(NumberField("flow_label", word & 0xfffffU));
  layer.children.push_back(NumberField("payload_bytes", length));
  if (length != 0) {  // a jumbogram says its length elsewhere
    walk.Limit(std::size_t{40} + length);
  }
  walk.Skip(40);
  std::string extensions;
  unsigned fragment_offset = 0;
  for (int i = 0; i < kMaxExtensions; ++i) {
    if (next != kHopByHop && next != kRouting && next != kFragment && next != kDestinationOptions) {
      break;
    }
    const ByteSpan extension = walk.rest();
    if (extension.size() < 8) {
      break;  // WalkTransport() reports what is missing
    }
    if (next == kFragment) {
      fragment_offset = LoadBe16(&extension[2]) & 0xfff8U;
      extensions += fmt::format(", fragment at {}", fragment_offset);
    } else {
      extensions += next == kHopByHop  ? ", hop-by-hop"
                    : next == kRouting ? ", routing"
                                       : ", options";
    }
    const std::size_t size = next == kFragment ? 8 : (std::size_t{extension[1]} + 1) * 8;
    next = extension[0];
    walk.Skip(size);
  }
  layer.text =
      fmt::format("{}, {}, hop limit {}{}{}, {} bytes", walk.text().hosts, ProtocolName(next),
                  hop_limit, TosText(traffic_class), extensions, length);
  layer.children.push_back(NumberField("protocol", next));
  if (fragment_offset != 0) {
    walk.text().transport += fmt::format("{} fragment at {}", ProtocolName(next), fragment_offset);
    return walk.Data("fragment");
  }
  WalkTransport(walk, next);
}

}  // namespace leman
