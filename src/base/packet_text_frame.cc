#include "base/packet_text_frame.h"

#include <fmt/format.h>

#include <utility>

#include "base/header_walk.h"

namespace leman {

namespace {

using geneve::ByteSpan;
using geneve::LoadBe16;
using geneve::LoadBe32;

constexpr std::size_t kEthernetBytes = 14;
constexpr int kMaxTags = 8;  // deeper nesting is shown as bytes

void Arp(HeaderWalk& walk) {
  // RFC 826 for Ethernet and IPv4: 28 bytes.
  if (!walk.Need(28, "ARP")) {
    return;
  }
  const ByteSpan rest = walk.rest();
  PacketField& layer = walk.Layer("arp", "ARP");
  const std::uint16_t operation = LoadBe16(&rest[6]);
  layer.children.push_back(NumberField("operation", operation));
  if (LoadBe32(&rest[0]) != 0x00010800 || LoadBe16(&rest[4]) != 0x0604) {
    layer.text = "not for Ethernet and IPv4";
    walk.text().transport += "ARP " + layer.text;
    return;
  }
  const std::string sender_mac = MacText(rest.subspan(8, 6));
  const std::string sender = AddressText(rest.subspan(14, 4));
  const std::string target_mac = MacText(rest.subspan(18, 6));
  const std::string target = AddressText(rest.subspan(24, 4));
  if (operation == 1) {
    layer.text = fmt::format("who has {}, tell {} ({})", target, sender, sender_mac);
  } else if (operation == 2) {
    layer.text = fmt::format("{} is at {}", sender, sender_mac);
  } else {
    layer.text = fmt::format("operation {}", operation);
  }
  walk.text().transport += "ARP " + layer.text;
  layer.children.push_back(TextField("sender_mac", sender_mac));
  layer.children.push_back(TextField("sender", sender));
  layer.children.push_back(TextField("target_mac", target_mac));
  layer.children.push_back(TextField("target", target));
}

}  // namespace

void WalkEthernet(HeaderWalk& walk) {
  if (!walk.Need(kEthernetBytes, "Ethernet")) {
    return;
  }
  const std::string destination = MacText(walk.rest().first(6));
  const std::string source = MacText(walk.rest().subspan(6, 6));
  std::uint16_t ether_type = LoadBe16(&walk.rest()[12]);
  PacketField& layer = walk.Layer("ethernet", "Ethernet");
  walk.text().hosts = source + " > " + destination;
  layer.text = fmt::format("{}, {}", walk.text().hosts, EtherTypeName(ether_type));
  layer.children.push_back(TextField("source", source));
  layer.children.push_back(TextField("destination", destination));
  layer.children.push_back(NumberField("ether_type", ether_type));
  walk.Skip(kEthernetBytes);
  PacketField tags;
  tags.key = "vlans";
  tags.is_list = true;
  for (int i = 0; i < kMaxTags && (ether_type == 0x8100 || ether_type == 0x88a8); ++i) {
    if (walk.rest().size() < 4) {
      break;  // reported behind the tags that are whole
    }
    const std::uint16_t tci = LoadBe16(&walk.rest()[0]);
    const unsigned vid = tci & 0xfffU;
    const unsigned priority = tci >> 13U;
    PacketField tag;
    tag.label = ether_type == 0x88a8 ? "802.1ad" : "802.1Q";
    tag.offset = walk.at();
    tag.text = fmt::format("VLAN {}, priority {}{}, {}", vid, priority,
                           (tci & 0x1000U) != 0 ? ", drop eligible" : "",
                           EtherTypeName(LoadBe16(&walk.rest()[2])));
    tag.children.push_back(NumberField("protocol", ether_type));
    tag.children.push_back(NumberField("vlan", vid));
    tag.children.push_back(NumberField("priority", priority));
    tag.children.push_back(FlagField("drop_eligible", (tci & 0x1000U) != 0));
    tags.children.push_back(std::move(tag));
    ether_type = LoadBe16(&walk.rest()[2]);
    walk.text().transport += fmt::format("VLAN {} ", vid);
    walk.Skip(4);
  }
  if (!tags.children.empty()) {
    walk.text().layers.push_back(std::move(tags));
  }
  if ((ether_type == 0x8100 || ether_type == 0x88a8) && !walk.Need(4, "VLAN")) {
    return;
  }
  if (ether_type < 0x600) {
    walk.text().transport += "802.3";
    walk.Data("802.3 data");
    return;
  }
  WalkNetwork(walk, ether_type);
}

void WalkNetwork(HeaderWalk& walk, std::uint16_t ether_type) {
  switch (ether_type) {
    case 0x0800:
      return WalkIpv4(walk);
    case 0x86dd:
      return WalkIpv6(walk);
    case 0x0806:
      return Arp(walk);
    default:
      walk.text().transport += EtherTypeName(ether_type);
      return walk.Data("payload");
  }
}

std::string EtherTypeName(std::uint16_t ether_type) {
  switch (ether_type) {
    case 0x0800:
      return "IPv4";
    case 0x0806:
      return "ARP";
    case 0x6558:
      return "Ethernet";
    case 0x8100:
      return "802.1Q";
    case 0x86dd:
      return "IPv6";
    case 0x8847:
      return "MPLS";
    case 0x88a8:
      return "802.1ad";
    case 0x88cc:
      return "LLDP";
    default:
      return ether_type < 0x600 ? fmt::format("802.3 length {}", ether_type)
                                : fmt::format("0x{:04x}", ether_type);
  }
}

FrameText DescribeEthernet(ByteSpan bytes, std::size_t base) {
  HeaderWalk walk(bytes, base);
  WalkEthernet(walk);
  return std::move(walk.text());
}

FrameText DescribeNetwork(ByteSpan bytes, std::size_t base, std::uint16_t ether_type) {
  HeaderWalk walk(bytes, base);
  WalkNetwork(walk, ether_type);
  return std::move(walk.text());
}

}  // namespace leman
