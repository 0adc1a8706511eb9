#include "base/packet_text.h"

#include <fmt/format.h>
#include <geneve/bytes.h>
#include <geneve/checksum.h>
#include <geneve/text.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/packet_text_frame.h"

namespace leman {

namespace {

using geneve::ByteSpan;
using geneve::Dissection;
using geneve::HeaderView;
using geneve::LoadBe16;
using geneve::OptionView;
using geneve::Reason;

constexpr std::size_t kEthernetBytes = 14;
constexpr std::size_t kIpv4Bytes = 20;
constexpr std::size_t kUdpBytes = 8;
constexpr int kLabelColumns = 15;
constexpr std::size_t kMaxUdpPayload = 65535 - kIpv4Bytes - kUdpBytes;

// The codec reads Ethernet frames. Other link types get an Ethernet header in place of their own;
// `added` and `removed` translate offsets back.
struct Frame {
  std::vector<std::uint8_t> store;  // empty: `bytes` is what was given
  ByteSpan bytes;
  std::size_t added = 0;
  std::size_t removed = 0;
  bool readable = true;

  [[nodiscard]] std::size_t Given(std::size_t offset) const {
    const std::size_t real = offset + removed;
    return real < added ? 0 : real - added;
  }
};

Frame WithEthernet(ByteSpan payload, std::uint16_t ether_type, std::size_t removed) {
  Frame frame;
  frame.store.assign(kEthernetBytes, 0);
  geneve::StoreBe16(&frame.store[12], ether_type);
  frame.store.insert(frame.store.end(), payload.begin(), payload.end());
  frame.bytes = frame.store;
  frame.added = kEthernetBytes;
  frame.removed = removed;
  return frame;
}

// A bare GENEVE message as the payload of a datagram that is right in every outer field.
Frame AroundUdpPayload(ByteSpan message) {
  message = message.first(std::min(message.size(), kMaxUdpPayload));
  std::array<std::uint8_t, kIpv4Bytes + kUdpBytes> headers{};
  headers[0] = 0x45;
  geneve::StoreBe16(&headers[2], static_cast<std::uint16_t>(headers.size() + message.size()));
  headers[8] = 64;
  headers[9] = 17;
  const std::uint16_t sum =
      geneve::ChecksumFold(geneve::ChecksumAdd(0, ByteSpan(headers).first(kIpv4Bytes)));
  geneve::StoreBe16(&headers[10], static_cast<std::uint16_t>(~sum));
  geneve::StoreBe16(&headers[kIpv4Bytes + 2], geneve::kUdpPort);
  geneve::StoreBe16(&headers[kIpv4Bytes + 4],
                    static_cast<std::uint16_t>(kUdpBytes + message.size()));
  Frame frame = WithEthernet(headers, geneve::kProtocolIpv4, 0);
  frame.store.insert(frame.store.end(), message.begin(), message.end());
  frame.bytes = frame.store;
  frame.added = kEthernetBytes + headers.size();
  return frame;
}

Frame Normalise(ByteSpan packet, PacketLink link) {
  switch (link) {
    case PacketLink::kRawIp:
      if (!packet.empty()) {
        return WithEthernet(
            packet, packet[0] >> 4U == 6 ? geneve::kProtocolIpv6 : geneve::kProtocolIpv4, 0);
      }
      break;
    case PacketLink::kLinuxSll:
      if (packet.size() >= 16) {
        return WithEthernet(packet.subspan(16), LoadBe16(&packet[14]), 16);
      }
      break;
    case PacketLink::kLinuxSll2:
      if (packet.size() >= 20) {
        return WithEthernet(packet.subspan(20), LoadBe16(&packet[0]), 20);
      }
      break;
    case PacketLink::kUdpPayload:
      return AroundUdpPayload(packet);
    case PacketLink::kEthernet: {
      Frame frame;
      frame.bytes = packet;
      return frame;
    }
  }
  Frame frame;
  frame.readable = false;
  return frame;
}

// Every option that has a name here counts as known: a capture shows what others agreed on.
geneve::OptionSet KnownOptions(const geneve::Registry& registry) {
  geneve::OptionSet known;
  static_cast<void>(registry.AddLemanTo(known));
  static_cast<void>(registry.AddForeignTo(known));
  return known;
}

PacketField Line(std::string label, std::size_t offset, std::string text) {
  PacketField field;
  field.label = std::move(label);
  field.text = std::move(text);
  field.offset = offset;
  return field;
}

// A leaf that has a line in the text and a member in the JSON.
PacketField Line(std::string label, std::size_t offset, std::string text, PacketField member) {
  member.label = std::move(label);
  member.text = std::move(text);
  member.offset = offset;
  return member;
}

template <class Write>
std::string Written(Write write) {
  std::array<char, 1024> buffer{};
  geneve::TextWriter writer{std::span<char>(buffer)};
  write(writer);
  return std::string(writer.view()) + (writer.truncated() ? "..." : "");
}

std::string OptionName(const OptionView& option, const geneve::Registry& registry) {
  if (const geneve::OptionKind* kind = registry.Find(option.key()); kind != nullptr) {
    return std::string(kind->name);
  }
  return fmt::format("0x{:04x}/0x{:02x}", option.key().option_class, option.key().type);
}

PacketField OptionField(const OptionView& option, std::size_t offset,
                        const geneve::Registry& registry) {
  const geneve::OptionKey key = option.key();
  PacketField field =
      Line("option", offset,
           Written([&](geneve::TextWriter& out) { registry.Print(key, option.data(), out); }));
  if (option.reserved_bits() != 0) {
    field.text += fmt::format(" (reserved bits {})", option.reserved_bits());
  }
  const geneve::OptionKind* kind = registry.Find(key);
  field.children.push_back(NumberField("class", key.option_class));
  field.children.push_back(NumberField("type", key.type));
  field.children.push_back(FlagField("critical", key.critical()));
  field.children.push_back(TextField("name", kind == nullptr ? "" : std::string(kind->name)));
  field.children.push_back(
      TextField("owner", std::string(geneve::OptionClassName(key.option_class))));
  field.children.push_back(
      TextField("value", kind == nullptr ? "" : Written([&](geneve::TextWriter& out) {
                  registry.PrintValue(key, option.data(), out);
                })));
  field.children.push_back(TextField("data", HexText(option.data())));
  field.children.push_back(NumberField("reserved_bits", option.reserved_bits()));
  return field;
}

// The GENEVE header field by field; `at` is its offset in what was given.
PacketField HeaderField(const HeaderView& header, std::size_t at,
                        const geneve::Registry& registry) {
  PacketField field;
  field.key = "geneve";
  field.label = "GENEVE";
  field.offset = at;
  const std::uint32_t vni = header.vni().value();
  field.text =
      fmt::format("VNI {}, {}, {} bytes of options{}{}", vni, EtherTypeName(header.protocol()),
                  header.option_bytes(), header.critical() ? ", critical" : "",
                  header.control() ? ", control" : "");
  auto& children = field.children;
  children.push_back(Line("version", at, std::to_string(header.version()),
                          NumberField("version", header.version())));
  children.push_back(Line("opt len", at, fmt::format("{} bytes", header.option_bytes()),
                          NumberField("options_bytes", header.option_bytes())));
  children.push_back(Line("O flag", at + 1, header.control() ? "1, control packet" : "0",
                          FlagField("control", header.control())));
  children.push_back(Line("C flag", at + 1, header.critical() ? "1, critical options" : "0",
                          FlagField("critical", header.critical())));
  children.push_back(Line("rsvd", at + 1, fmt::format("0x{:02x}", header.rsvd()),
                          NumberField("rsvd", header.rsvd())));
  children.push_back(Line("protocol", at + 2,
                          fmt::format("0x{:04x} {}", header.protocol(),
                                      header.protocol() == 0x6558 || header.protocol() == 0x0800 ||
                                              header.protocol() == 0x86dd
                                          ? EtherTypeName(header.protocol())
                                          : ""),
                          NumberField("protocol", header.protocol())));
  if (children.back().text.back() == ' ') {
    children.back().text.pop_back();
  }
  children.push_back(
      Line("VNI", at + 4, fmt::format("{} (0x{:06x})", vni, vni), NumberField("vni", vni)));
  children.push_back(Line("reserved", at + 7, fmt::format("0x{:02x}", header.reserved()),
                          NumberField("reserved", header.reserved())));
  // Another version has another layout behind the first byte: its options would be guesses.
  PacketField options;
  options.key = "options";
  options.is_list = true;
  if (header.version() == 0) {
    for (const OptionView option : header.options()) {
      options.children.push_back(OptionField(option, at + option.offset(), registry));
    }
  }
  children.push_back(std::move(options));
  if (const auto error = header.options().error(); error && header.version() == 0) {
    children.push_back(Line("option", at + error->offset, "does not fit into what is left"));
  }
  return field;
}

void AddNotes(const HeaderView& header, const Dissection& dissection, PacketText& packet) {
  std::vector<std::string> notes;
  if (header.version() == 0) {
    const geneve::HeaderAnomalies odd = geneve::FindAnomalies(header);
    if (odd.critical_flag_alone) {
      notes.emplace_back("C flag set, but no option is critical");
    }
    if (odd.critical_flag_missing) {
      notes.emplace_back("a critical option is there, but the C flag is not set");
    }
    if (odd.reserved_bits) {
      notes.emplace_back("reserved bits are not zero; receivers ignore them");
    }
    if (odd.duplicate_option) {
      notes.emplace_back("an option occurs more than once");
    }
  }
  if (dissection.ecn_alarm != geneve::EcnAlarm::kNone) {
    notes.emplace_back("inner and outer ECN combine as no sender does (RFC 6040 section 4.2)");
  }
  if (dissection.patch_count > 0) {
    const geneve::EcnDecision ecn = geneve::DecapsulateEcn(geneve::EcnOf(dissection.inner_ip.tos),
                                                           geneve::EcnOf(dissection.ip.tos));
    notes.push_back(fmt::format("decapsulation turns inner {} into {} (RFC 6040 section 4.2)",
                                geneve::EcnName(geneve::EcnOf(dissection.inner_ip.tos)),
                                geneve::EcnName(ecn.inner)));
  }
  PacketField list;
  list.key = "notes";
  list.is_list = true;
  for (std::string& note : notes) {
    PacketField field;
    field.label = "note";
    field.text = note;
    field.value = std::move(note);
    list.children.push_back(std::move(field));
  }
  packet.layers.push_back(std::move(list));
}

// A sender with checksum offload leaves the sum of the pseudo-header in the field and the rest to
// the network card.
bool ChecksumUnfinished(const Dissection& dissection) {
  const geneve::UdpInfo& udp = dissection.udp;
  if (!udp.present || udp.checksum_state != geneve::ChecksumState::kBad) {
    return false;
  }
  std::uint64_t sum = std::uint64_t{17} + udp.length;
  sum = geneve::ChecksumAdd(sum, dissection.ip.source.bytes());
  sum = geneve::ChecksumAdd(sum, dissection.ip.destination.bytes());
  return geneve::ChecksumFold(sum) == udp.checksum;
}

// The verdict on the packet as the card will send it: what follows the checksum is judged.
Dissection DissectFinished(const Frame& frame, const Dissection& unfinished,
                           geneve::EndpointProfile profile) {
  std::vector<std::uint8_t> copy(frame.bytes.begin(), frame.bytes.end());
  geneve::StoreBe16(&copy[unfinished.udp.offset + 6], 0);
  profile.udp6_zero_checksum = true;
  Dissection dissection = geneve::Dissect(copy, profile);
  dissection.udp = unfinished.udp;
  dissection.geneve = unfinished.geneve;  // of the frame that stays, not of the copy
  return dissection;
}

void AddChecksum(const geneve::UdpInfo& udp, bool unfinished, std::vector<PacketField>& layers) {
  static constexpr std::array<std::string_view, 4> kWords = {"absent", "correct", "wrong",
                                                             "unchecked"};
  const std::string_view word =
      unfinished ? "unfinished" : kWords[static_cast<std::size_t>(udp.checksum_state)];
  for (PacketField& layer : layers) {
    if (layer.key == "udp") {
      layer.text += udp.checksum == 0 ? ", checksum zero"
                                      : fmt::format(", checksum 0x{:04x} {}", udp.checksum, word);
      layer.children.push_back(NumberField("length", udp.length));
      layer.children.push_back(NumberField("checksum", udp.checksum));
      layer.children.push_back(TextField("checksum_state", std::string(word)));
    }
  }
}

void Conclude(const Dissection& dissection, const Frame& frame, bool cut, bool unfinished,
              ByteSpan given, PacketText& packet) {
  switch (dissection.verdict) {
    case geneve::Verdict::kAccept:
      packet.verdict = PacketVerdict::kAccept;
      packet.conclusion = "ACCEPT";
      return;
    case geneve::Verdict::kControl:
      packet.verdict = PacketVerdict::kControl;
      packet.conclusion =
          "CONTROL: for the control plane, never for a tenant (RFC 8926 section 3.4)";
      return;
    case geneve::Verdict::kNotGeneve:
      packet.verdict = PacketVerdict::kNotGeneve;
      packet.conclusion = "NOT GENEVE";
      return;
    case geneve::Verdict::kDrop:
      break;
  }
  if (cut && dissection.reason == Reason::kOuterLen) {
    packet.verdict = PacketVerdict::kCut;
    packet.conclusion = fmt::format(
        "CUT: the capture kept {} bytes of the packet; capture with a larger snapshot "
        "length for a verdict",
        given.size());
    return;
  }
  packet.verdict = PacketVerdict::kDrop;
  packet.reason = dissection.reason;
  packet.offset = frame.Given(dissection.offset);
  packet.conclusion = fmt::format(
      "DROP {} at byte {}: {} ({})", geneve::ReasonName(dissection.reason), *packet.offset,
      geneve::ReasonText(dissection.reason), ReasonStandard(dissection.reason));
  if (dissection.reason == Reason::kUdpCsum && unfinished) {
    packet.conclusion += "; it is only begun, as on a sender with checksum offload";
  }
}

void MarkInner(std::vector<PacketField>& layers) {
  for (PacketField& layer : layers) {
    if (layer.label.empty()) {
      MarkInner(layer.children);
    } else {
      layer.label = "inner " + layer.label;
    }
  }
}

PacketField Group(std::string key, std::vector<PacketField> layers) {
  PacketField group;
  group.key = std::move(key);
  group.children = std::move(layers);
  return group;
}

void AppendLines(const PacketField& field, int depth, std::string& out, int indent) {
  if (!field.label.empty()) {
    const std::string place =
        field.offset.has_value() ? "@" + std::to_string(*field.offset) : std::string();
    std::string line(static_cast<std::size_t>(indent), ' ');
    line += fmt::format("{:<6}{:{}}{:<{}} {}", place, "", 2 * depth, field.label,
                        std::max(kLabelColumns - 2 * depth, 8), field.text);
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
    ++depth;
  }
  for (const PacketField& child : field.children) {
    AppendLines(child, depth, out, indent);
  }
}

}  // namespace

std::string_view PacketVerdictName(PacketVerdict verdict) {
  switch (verdict) {
    case PacketVerdict::kAccept:
      return "accept";
    case PacketVerdict::kControl:
      return "control";
    case PacketVerdict::kDrop:
      return "drop";
    case PacketVerdict::kNotGeneve:
      return "not_geneve";
    case PacketVerdict::kCut:
      return "cut";
  }
  return "?";
}

std::string_view ReasonStandard(Reason reason) {
  switch (reason) {
    case Reason::kOuterLen:
    case Reason::kOuterIpCsum:
      return "RFC 791 section 3.1, RFC 8200 section 3";
    case Reason::kOuterFrag:
      return "RFC 8926 section 4.4.1";
    case Reason::kUdpLen:
      return "RFC 768";
    case Reason::kUdpCsum:
      return "RFC 8926 section 4.3";
    case Reason::kUdp6ZeroCsum:
      return "RFC 8926 section 4.3.1";
    case Reason::kShortHdr:
    case Reason::kVersion:
    case Reason::kOptTrunc:
    case Reason::kVni:
    case Reason::kProto:
    case Reason::kInnerShort:
      return "RFC 8926 section 3.4";
    case Reason::kOptLen:
      return "RFC 8926 section 3.5";
    case Reason::kOptCapacity:
    case Reason::kOptKnownLen:
    case Reason::kOptCrit:
      return "RFC 8926 section 3.5.1";
    case Reason::kPeer:
      return "RFC 8926 section 6";
    case Reason::kEcn:
      return "RFC 6040 section 4.2";
  }
  return "RFC 8926";
}

PacketText DescribePacket(ByteSpan given, const PacketTextOptions& options) {
  PacketText packet;
  const Frame frame = Normalise(given, options.link);
  if (!frame.readable) {
    packet.summary = fmt::format("{} bytes, link header incomplete", given.size());
    packet.conclusion = "NOT GENEVE";
    return packet;
  }
  const geneve::OptionSet known = KnownOptions(options.registry);
  geneve::EndpointProfile profile;
  profile.any_local = true;
  profile.any_peer = true;
  profile.any_vni = true;
  profile.udp_port = options.link == PacketLink::kUdpPayload ? geneve::kUdpPort : options.udp_port;
  profile.udp6_zero_checksum = options.lenient;
  profile.options.known = &known;
  profile.options.handling =
      options.lenient ? geneve::OptionHandling::kLenient : geneve::OptionHandling::kStrict;
  Dissection dissection = geneve::Dissect(frame.bytes, profile);
  const bool unfinished = ChecksumUnfinished(dissection);
  if (unfinished && (options.unfinished_checksum || options.lenient)) {
    dissection = DissectFinished(frame, dissection, profile);
  }

  FrameText outer;
  if (options.link == PacketLink::kEthernet) {
    outer = DescribeEthernet(given, 0);
  } else if (options.link != PacketLink::kUdpPayload) {
    outer = DescribeNetwork(frame.bytes.subspan(kEthernetBytes), frame.removed,
                            LoadBe16(&frame.bytes[12]));
  }
  if (dissection.udp.present) {
    AddChecksum(dissection.udp, unfinished, outer.layers);
  }
  packet.layers.push_back(Group("outer", std::move(outer.layers)));
  packet.summary = outer.hosts;
  if (!dissection.geneve) {
    packet.summary += (packet.summary.empty() ? "" : " ") + outer.transport;
  } else {
    const HeaderView& header = *dissection.geneve;
    const std::size_t at = frame.Given(dissection.geneve_offset);
    packet.vni = header.vni().value();
    packet.layers.push_back(HeaderField(header, at, options.registry));
    packet.summary += fmt::format("{}VNI {}", packet.summary.empty() ? "" : "  ", *packet.vni);
    if (header.version() == 0) {
      std::string names;
      for (const OptionView option : header.options()) {
        names += (names.empty() ? "" : ",") + OptionName(option, options.registry);
      }
      if (!names.empty()) {
        packet.summary += " [" + names + "]";
      }
      if (header.size() <= header.message().size()) {
        FrameText inner =
            header.protocol() == geneve::kProtocolEthernet
                ? DescribeEthernet(header.payload(), at + header.size())
                : DescribeNetwork(header.payload(), at + header.size(), header.protocol());
        MarkInner(inner.layers);
        PacketField group = Group("inner", std::move(inner.layers));
        group.offset = at + header.size();
        group.children.insert(group.children.begin(),
                              NumberField("bytes", header.payload().size()));
        packet.layers.push_back(std::move(group));
        packet.summary += "  " + inner.hosts + (inner.hosts.empty() ? "" : " ") + inner.transport;
      }
    }
    AddNotes(header, dissection, packet);
  }
  Conclude(dissection, frame, options.original_bytes > given.size(), unfinished, given, packet);
  return packet;
}

std::string RenderPacket(const PacketText& packet, int indent) {
  std::string out;
  for (const PacketField& layer : packet.layers) {
    AppendLines(layer, 0, out, indent);
  }
  PacketField verdict;
  verdict.label = "verdict";
  verdict.text = packet.conclusion;
  AppendLines(verdict, 0, out, indent);
  return out;
}

}  // namespace leman
