#include "base/packet_text_frame.h"

#include <fmt/format.h>
#include <geneve/bytes.h>
#include <geneve/ecn.h>
#include <geneve/text.h>

#include <algorithm>
#include <array>
#include <utility>

namespace leman {

namespace {

using geneve::ByteSpan;
using geneve::LoadBe16;
using geneve::LoadBe32;

constexpr std::size_t kEthernetBytes = 14;
constexpr int kMaxTags = 8;        // deeper nesting is shown as bytes
constexpr int kMaxExtensions = 8;  // IPv6 extension headers walked

constexpr std::uint8_t kHopByHop = 0;
constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kRouting = 43;
constexpr std::uint8_t kFragment = 44;
constexpr std::uint8_t kIcmp6 = 58;
constexpr std::uint8_t kDestinationOptions = 60;
constexpr std::uint8_t kSctp = 132;

template <class Write>
std::string Written(Write write) {
  std::array<char, 512> buffer{};
  geneve::TextWriter writer{std::span<char>(buffer)};
  write(writer);
  return std::string(writer.view());
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

// Walks the headers and collects layers; `rest_` is what has not been read yet.
class Walk {
 public:
  Walk(ByteSpan bytes, std::size_t base) : rest_(bytes), at_(base) {}

  void Ethernet();
  void Network(std::uint16_t ether_type);
  FrameText Take() { return std::move(text_); }

 private:
  PacketField& Layer(std::string key, std::string label) {
    PacketField layer;
    layer.key = std::move(key);
    layer.label = std::move(label);
    layer.offset = at_;
    text_.layers.push_back(std::move(layer));
    return text_.layers.back();
  }
  void Skip(std::size_t count) {
    count = std::min(count, rest_.size());
    rest_ = rest_.subspan(count);
    at_ += count;
  }
  // False, with a layer that says so, when fewer than `count` bytes are left.
  bool Need(std::size_t count, const std::string& what);
  void Data(const std::string& what);

  void Arp();
  void Ipv4();
  void Ipv6();
  void Transport(std::uint8_t protocol);
  void Icmp();
  void Icmp6();
  void Tcp();
  void Ports(std::string key, std::string label, std::size_t header_bytes);

  ByteSpan rest_;
  std::size_t at_;
  FrameText text_;
};

bool Walk::Need(std::size_t count, const std::string& what) {
  if (rest_.size() >= count) {
    return true;
  }
  text_.cut = true;
  PacketField& layer = Layer("cut", what);
  layer.text = fmt::format("cut: {} of {} bytes", rest_.size(), count);
  layer.value = layer.text;
  if (text_.transport.empty()) {
    text_.transport = what + " cut";
  }
  return false;
}

void Walk::Data(const std::string& what) {
  PacketField& layer = Layer("data", what);
  layer.text = fmt::format("{} bytes", rest_.size());
  if (!rest_.empty()) {
    const std::size_t shown = std::min<std::size_t>(rest_.size(), 16);
    layer.text += ": " + HexText(rest_.first(shown)) + (shown < rest_.size() ? "..." : "");
  }
  layer.value = HexText(rest_.first(std::min<std::size_t>(rest_.size(), 128)));
}

void Walk::Ethernet() {
  if (!Need(kEthernetBytes, "Ethernet")) {
    return;
  }
  const std::string destination = MacText(rest_.first(6));
  const std::string source = MacText(rest_.subspan(6, 6));
  std::uint16_t ether_type = LoadBe16(&rest_[12]);
  PacketField& layer = Layer("ethernet", "Ethernet");
  text_.hosts = source + " > " + destination;
  layer.text = fmt::format("{}, {}", text_.hosts, EtherTypeName(ether_type));
  layer.children.push_back(TextField("source", source));
  layer.children.push_back(TextField("destination", destination));
  layer.children.push_back(NumberField("ether_type", ether_type));
  Skip(kEthernetBytes);
  PacketField tags;
  tags.key = "vlans";
  tags.is_list = true;
  for (int i = 0; i < kMaxTags && (ether_type == 0x8100 || ether_type == 0x88a8); ++i) {
    if (rest_.size() < 4) {
      break;  // reported behind the tags that are whole
    }
    const std::uint16_t tci = LoadBe16(&rest_[0]);
    const unsigned vid = tci & 0xfffU;
    const unsigned priority = tci >> 13U;
    PacketField tag;
    tag.label = ether_type == 0x88a8 ? "802.1ad" : "802.1Q";
    tag.offset = at_;
    tag.text = fmt::format("VLAN {}, priority {}{}, {}", vid, priority,
                           (tci & 0x1000U) != 0 ? ", drop eligible" : "",
                           EtherTypeName(LoadBe16(&rest_[2])));
    tag.children.push_back(NumberField("protocol", ether_type));
    tag.children.push_back(NumberField("vlan", vid));
    tag.children.push_back(NumberField("priority", priority));
    tag.children.push_back(FlagField("drop_eligible", (tci & 0x1000U) != 0));
    tags.children.push_back(std::move(tag));
    ether_type = LoadBe16(&rest_[2]);
    text_.transport += fmt::format("VLAN {} ", vid);
    Skip(4);
  }
  if (!tags.children.empty()) {
    text_.layers.push_back(std::move(tags));
  }
  if ((ether_type == 0x8100 || ether_type == 0x88a8) && !Need(4, "VLAN")) {
    return;
  }
  if (ether_type < 0x600) {
    text_.transport += "802.3";
    Data("802.3 data");
    return;
  }
  Network(ether_type);
}

void Walk::Network(std::uint16_t ether_type) {
  switch (ether_type) {
    case 0x0800:
      return Ipv4();
    case 0x86dd:
      return Ipv6();
    case 0x0806:
      return Arp();
    default:
      text_.transport += EtherTypeName(ether_type);
      return Data("payload");
  }
}

void Walk::Arp() {
  // RFC 826 for Ethernet and IPv4: 28 bytes.
  if (!Need(28, "ARP")) {
    return;
  }
  PacketField& layer = Layer("arp", "ARP");
  const std::uint16_t operation = LoadBe16(&rest_[6]);
  layer.children.push_back(NumberField("operation", operation));
  if (LoadBe32(&rest_[0]) != 0x00010800 || LoadBe16(&rest_[4]) != 0x0604) {
    layer.text = "not for Ethernet and IPv4";
    text_.transport += "ARP " + layer.text;
    return;
  }
  const std::string sender_mac = MacText(rest_.subspan(8, 6));
  const std::string sender = AddressText(rest_.subspan(14, 4));
  const std::string target_mac = MacText(rest_.subspan(18, 6));
  const std::string target = AddressText(rest_.subspan(24, 4));
  if (operation == 1) {
    layer.text = fmt::format("who has {}, tell {} ({})", target, sender, sender_mac);
  } else if (operation == 2) {
    layer.text = fmt::format("{} is at {}", sender, sender_mac);
  } else {
    layer.text = fmt::format("operation {}", operation);
  }
  text_.transport += "ARP " + layer.text;
  layer.children.push_back(TextField("sender_mac", sender_mac));
  layer.children.push_back(TextField("sender", sender));
  layer.children.push_back(TextField("target_mac", target_mac));
  layer.children.push_back(TextField("target", target));
}

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

void Walk::Ipv4() {
  if (!Need(20, "IPv4")) {
    return;
  }
  const std::size_t header = std::size_t{rest_[0] & 0xfU} * 4;
  if (rest_[0] >> 4U != 4 || header < 20) {
    PacketField& layer = Layer("ipv4", "IPv4");
    layer.text = fmt::format("no IPv4 header (first byte 0x{:02x})", rest_[0]);
    text_.transport += "not IPv4";
    text_.cut = true;
    return;
  }
  const std::uint16_t total = LoadBe16(&rest_[2]);
  const std::uint16_t fragment = LoadBe16(&rest_[6]);
  const unsigned offset = (fragment & 0x1fffU) * 8;
  const bool more = (fragment & 0x2000U) != 0;
  const bool dont_fragment = (fragment & 0x4000U) != 0;
  const std::uint8_t ttl = rest_[8];
  const std::uint8_t protocol = rest_[9];
  const std::string source = AddressText(rest_.subspan(12, 4));
  const std::string destination = AddressText(rest_.subspan(16, 4));
  PacketField& layer = Layer("ipv4", "IPv4");
  text_.hosts = source + " > " + destination;
  layer.text = fmt::format("{}, {}, TTL {}{}{}, {} bytes", text_.hosts, ProtocolName(protocol), ttl,
                           dont_fragment ? ", DF" : "", TosText(rest_[1]), total);
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
  TosFields(layer, rest_[1]);
  layer.children.push_back(FlagField("dont_fragment", dont_fragment));
  layer.children.push_back(FlagField("fragment", is_fragment));
  layer.children.push_back(NumberField("header_bytes", header));
  layer.children.push_back(NumberField("total_bytes", total));
  if (rest_.size() > total && total >= header) {
    rest_ = rest_.first(total);  // Ethernet padding is not payload
  }
  Skip(header);
  if (offset != 0) {
    text_.transport += fmt::format("{} fragment at {}", ProtocolName(protocol), offset);
    return Data("fragment");
  }
  Transport(protocol);
}

void Walk::Ipv6() {
  if (!Need(40, "IPv6")) {
    return;
  }
  const std::uint32_t word = LoadBe32(&rest_[0]);
  if (word >> 28U != 6) {
    PacketField& layer = Layer("ipv6", "IPv6");
    layer.text = fmt::format("no IPv6 header (first byte 0x{:02x})", rest_[0]);
    text_.transport += "not IPv6";
    text_.cut = true;
    return;
  }
  const unsigned traffic_class = (word >> 20U) & 0xffU;
  const std::uint16_t length = LoadBe16(&rest_[4]);
  std::uint8_t next = rest_[6];
  const std::uint8_t hop_limit = rest_[7];
  const std::string source = AddressText(rest_.subspan(8, 16));
  const std::string destination = AddressText(rest_.subspan(24, 16));
  text_.hosts = source + " > " + destination;
  const std::size_t layer_index = text_.layers.size();
  PacketField& layer = Layer("ipv6", "IPv6");
  layer.children.push_back(TextField("source", source));
  layer.children.push_back(TextField("destination", destination));
  layer.children.push_back(NumberField("hop_limit", hop_limit));
  TosFields(layer, traffic_class);
  layer.children.push_back(NumberField("flow_label", word & 0xfffffU));
  layer.children.push_back(NumberField("payload_bytes", length));
  if (rest_.size() > std::size_t{40} + length && length != 0) {
    rest_ = rest_.first(std::size_t{40} + length);
  }
  Skip(40);
  const std::string_view comma = ", ";
  std::string extensions;
  unsigned fragment_offset = 0;
  for (int i = 0; i < kMaxExtensions; ++i) {
    if (next != kHopByHop && next != kRouting && next != kFragment && next != kDestinationOptions) {
      break;
    }
    if (rest_.size() < 8) {
      break;  // Transport() reports what is missing
    }
    if (next == kFragment) {
      fragment_offset = LoadBe16(&rest_[2]) & 0xfff8U;
      extensions += fmt::format(", fragment at {}", fragment_offset);
    } else {
      extensions += comma;
      extensions += next == kHopByHop ? "hop-by-hop" : next == kRouting ? "routing" : "options";
    }
    const std::size_t size = next == kFragment ? 8 : (std::size_t{rest_[1]} + 1) * 8;
    next = rest_[0];
    Skip(size);
  }
  PacketField& ip = text_.layers[layer_index];
  ip.text = fmt::format("{}, {}, hop limit {}{}{}, {} bytes", text_.hosts, ProtocolName(next),
                        hop_limit, TosText(traffic_class), extensions, length);
  ip.children.push_back(NumberField("protocol", next));
  if (fragment_offset != 0) {
    text_.transport += fmt::format("{} fragment at {}", ProtocolName(next), fragment_offset);
    return Data("fragment");
  }
  Transport(next);
}

void Walk::Transport(std::uint8_t protocol) {
  switch (protocol) {
    case kIcmp:
      return Icmp();
    case kIcmp6:
      return Icmp6();
    case kTcp:
      return Tcp();
    case kUdp:
      return Ports("udp", "UDP", 8);
    case kSctp:
      return Ports("sctp", "SCTP", 12);
    default:
      text_.transport += ProtocolName(protocol);
      return Data(ProtocolName(protocol));
  }
}

void Walk::Icmp() {
  if (!Need(8, "ICMP")) {
    return;
  }
  const std::uint8_t type = rest_[0];
  const std::uint8_t code = rest_[1];
  std::string what;
  if (type == 8 || type == 0) {
    what = fmt::format("echo {} id {} seq {}", type == 8 ? "request" : "reply", LoadBe16(&rest_[4]),
                       LoadBe16(&rest_[6]));
  } else if (type == 3 && code == 4) {
    what = fmt::format("fragmentation needed, MTU {}", LoadBe16(&rest_[6]));
  } else if (type == 3) {
    what = fmt::format("destination unreachable, code {}", code);
  } else if (type == 11) {
    what = "time exceeded";
  } else {
    what = fmt::format("type {} code {}", type, code);
  }
  PacketField& layer = Layer("icmp", "ICMP");
  layer.text = what;
  layer.children.push_back(NumberField("type", type));
  layer.children.push_back(NumberField("code", code));
  text_.transport += "ICMP " + what;
}

void Walk::Icmp6() {
  if (!Need(8, "ICMPv6")) {
    return;
  }
  const std::uint8_t type = rest_[0];
  const std::uint8_t code = rest_[1];
  std::string what;
  switch (type) {
    case 1:
      what = fmt::format("destination unreachable, code {}", code);
      break;
    case 2:
      what = fmt::format("packet too big, MTU {}", LoadBe32(&rest_[4]));
      break;
    case 3:
      what = "time exceeded";
      break;
    case 128:
    case 129:
      what = fmt::format("echo {} id {} seq {}", type == 128 ? "request" : "reply",
                         LoadBe16(&rest_[4]), LoadBe16(&rest_[6]));
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
      if (rest_.size() >= 24) {
        what += " for " + AddressText(rest_.subspan(8, 16));
      }
      break;
    default:
      what = fmt::format("type {} code {}", type, code);
  }
  PacketField& layer = Layer("icmpv6", "ICMPv6");
  layer.text = what;
  layer.children.push_back(NumberField("type", type));
  layer.children.push_back(NumberField("code", code));
  text_.transport += "ICMPv6 " + what;
}

void Walk::Tcp() {
  if (!Need(20, "TCP")) {
    return;
  }
  static constexpr std::array<std::string_view, 8> kFlags = {"FIN", "SYN", "RST", "PSH",
                                                             "ACK", "URG", "ECE", "CWR"};
  std::string flags;
  for (std::size_t i = 0; i < kFlags.size(); ++i) {
    if ((rest_[13] >> i & 1U) != 0) {
      flags += (flags.empty() ? "" : " ") + std::string(kFlags[i]);
    }
  }
  const std::uint16_t source = LoadBe16(&rest_[0]);
  const std::uint16_t destination = LoadBe16(&rest_[2]);
  const std::size_t header = std::size_t{rest_[12]} / 16 * 4;
  const std::size_t data = rest_.size() > header && header >= 20 ? rest_.size() - header : 0;
  PacketField& layer = Layer("tcp", "TCP");
  layer.text =
      fmt::format("{} > {} [{}] seq {} ack {} window {}, {} bytes of data", source, destination,
                  flags, LoadBe32(&rest_[4]), LoadBe32(&rest_[8]), LoadBe16(&rest_[14]), data);
  layer.children.push_back(NumberField("source_port", source));
  layer.children.push_back(NumberField("destination_port", destination));
  layer.children.push_back(TextField("flags", flags));
  layer.children.push_back(NumberField("sequence", LoadBe32(&rest_[4])));
  layer.children.push_back(NumberField("acknowledgement", LoadBe32(&rest_[8])));
  layer.children.push_back(NumberField("window", LoadBe16(&rest_[14])));
  layer.children.push_back(NumberField("data_bytes", data));
  text_.transport += fmt::format("TCP {} > {} [{}] {} bytes", source, destination, flags, data);
}

void Walk::Ports(std::string key, std::string label, std::size_t header_bytes) {
  if (!Need(header_bytes, label)) {
    return;
  }
  const std::uint16_t source = LoadBe16(&rest_[0]);
  const std::uint16_t destination = LoadBe16(&rest_[2]);
  const std::size_t data = rest_.size() - header_bytes;
  text_.transport += fmt::format("{} {} > {} {} bytes", label, source, destination, data);
  PacketField& layer = Layer(std::move(key), std::move(label));
  layer.text = fmt::format("{} > {}, {} bytes of data", source, destination, data);
  layer.children.push_back(NumberField("source_port", source));
  layer.children.push_back(NumberField("destination_port", destination));
  layer.children.push_back(NumberField("data_bytes", data));
}

}  // namespace

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

std::string MacText(ByteSpan six_bytes) {
  return Written([&](geneve::TextWriter& out) { out.Mac(six_bytes); });
}

std::string AddressText(ByteSpan four_or_sixteen_bytes) {
  return Written([&](geneve::TextWriter& out) { out.Address(four_or_sixteen_bytes); });
}

std::string HexText(ByteSpan bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    fmt::format_to(std::back_inserter(text), "{:02x}", byte);
  }
  return text;
}

PacketField NumberField(std::string key, std::uint64_t value) {
  PacketField field;
  field.key = std::move(key);
  field.value = value;
  return field;
}

PacketField TextField(std::string key, std::string value) {
  PacketField field;
  field.key = std::move(key);
  field.value = std::move(value);
  return field;
}

PacketField FlagField(std::string key, bool value) {
  PacketField field;
  field.key = std::move(key);
  field.value = value;
  return field;
}

FrameText DescribeEthernet(ByteSpan bytes, std::size_t base) {
  Walk walk(bytes, base);
  walk.Ethernet();
  return walk.Take();
}

FrameText DescribeNetwork(ByteSpan bytes, std::size_t base, std::uint16_t ether_type) {
  Walk walk(bytes, base);
  walk.Network(ether_type);
  return walk.Take();
}

}  // namespace leman
