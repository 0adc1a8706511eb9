#include "base/packet_text.h"

#include <fmt/format.h>
#include <geneve/bytes.h>
#include <geneve/checksum.h>

#include <array>
#include <utility>

#include "base/packet_text_frame.h"
#include "base/packet_text_geneve.h"

namespace leman {

namespace {

using geneve::ByteSpan;
using geneve::Dissection;
using geneve::HeaderView;
using geneve::LoadBe16;
using geneve::OptionView;
using geneve::Reason;

constexpr std::size_t kEthernetBytes = 14;

// Every option that has a name here counts as known: a capture shows what others agreed on.
geneve::OptionSet KnownOptions(const geneve::Registry& registry) {
  geneve::OptionSet known;
  static_cast<void>(registry.AddLemanTo(known));
  static_cast<void>(registry.AddForeignTo(known));
  return known;
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
Dissection DissectFinished(const EthernetFrame& frame, const Dissection& unfinished,
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

void Conclude(const Dissection& dissection, const EthernetFrame& frame, bool cut, bool unfinished,
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
  const EthernetFrame frame = AsEthernet(given, options.link);
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
    packet.layers.push_back(DescribeGeneve(header, at, options.registry));
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
    packet.layers.push_back(DescribeNotes(header, dissection));
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
