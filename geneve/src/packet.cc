#include "geneve/packet.h"

#include <algorithm>

#include "geneve/checksum.h"

namespace geneve {
namespace {

constexpr size_t kEthernetBytes = 14;
constexpr size_t kTagBytes = 4;
constexpr size_t kMinIpv4Bytes = 20;
constexpr size_t kIpv6Bytes = 40;
constexpr size_t kUdpBytes = 8;

constexpr uint16_t kTypeVlan = 0x8100;
constexpr uint16_t kTypeQinQ = 0x88A8;

constexpr uint8_t kIpHopByHop = 0;
constexpr uint8_t kIpTcp = 6;
constexpr uint8_t kIpUdp = 17;
constexpr uint8_t kIpRouting = 43;
constexpr uint8_t kIpFragment = 44;
constexpr uint8_t kIpDestinationOptions = 60;
constexpr uint8_t kIpSctp = 132;

// A chain longer than this is nothing a tunnel endpoint sends; the bound keeps the walk short.
constexpr int kMaxExtensionHeaders = 8;

bool IsTag(uint16_t ether_type) { return ether_type == kTypeVlan || ether_type == kTypeQinQ; }

uint32_t U32(size_t n) { return static_cast<uint32_t>(n); }

// Reads the Ethernet header at `at`, tags included. Returns where its payload starts, or nothing if
// the header is cut; what could be read is in `out` all the same.
std::optional<size_t> ReadEthernet(ByteSpan frame, size_t at, EthernetInfo& out) {
  if (frame.size() < at + kEthernetBytes) return std::nullopt;
  out.present = true;
  std::copy_n(&frame[at], 6, out.destination.begin());
  std::copy_n(&frame[at + 6], 6, out.source.begin());
  out.ether_type = LoadBe16(&frame[at + 12]);
  at += kEthernetBytes;
  while (IsTag(out.ether_type) && out.tag_count < out.tags.size()) {
    if (frame.size() < at + kTagBytes) return std::nullopt;
    out.tag_protocols[out.tag_count] = out.ether_type;
    out.tags[out.tag_count] = LoadBe16(&frame[at]);
    ++out.tag_count;
    out.ether_type = LoadBe16(&frame[at + 2]);
    at += kTagBytes;
  }
  return at;
}

// Reads an IPv4 header at `at` if `end` leaves room for all of it.
bool ReadIpv4(ByteSpan frame, size_t at, size_t end, IpInfo& out) {
  if (end < at + kMinIpv4Bytes) return false;
  const size_t header_bytes = (size_t{frame[at]} & 0xF) * 4;
  if (frame[at] >> 4 != 4 || header_bytes < kMinIpv4Bytes || end < at + header_bytes) return false;
  const size_t total = LoadBe16(&frame[at + 2]);
  const uint16_t fragment = LoadBe16(&frame[at + 6]);
  out.offset = U32(at);
  out.header_bytes = U32(header_bytes);
  out.payload_bytes = total < header_bytes ? 0 : U32(total - header_bytes);
  out.tos = frame[at + 1];
  out.ttl = frame[at + 8];
  out.protocol = frame[at + 9];
  out.dont_fragment = (fragment & 0x4000) != 0;
  out.fragment = (fragment & 0x3FFF) != 0;  // MF or an offset
  out.source = PacketAddress::FromBytes(frame.subspan(at + 12, 4));
  out.destination = PacketAddress::FromBytes(frame.subspan(at + 16, 4));
  return true;
}

bool ReadIpv6(ByteSpan frame, size_t at, size_t end, IpInfo& out) {
  if (end < at + kIpv6Bytes || frame[at] >> 4 != 6) return false;
  const uint32_t word = LoadBe32(&frame[at]);
  out.offset = U32(at);
  out.header_bytes = U32(kIpv6Bytes);
  out.payload_bytes = LoadBe16(&frame[at + 4]);
  out.flow_label = word & 0xFFFFF;
  out.tos = static_cast<uint8_t>(word >> 20);
  out.protocol = frame[at + 6];
  out.ttl = frame[at + 7];
  out.source = PacketAddress::FromBytes(frame.subspan(at + 8, 16));
  out.destination = PacketAddress::FromBytes(frame.subspan(at + 24, 16));
  return true;
}

class Dissector {
 public:
  Dissector(ByteSpan frame, const EndpointProfile& profile) : frame_(frame), profile_(profile) {}

  Dissection Run() {
    if (!OuterEthernet() || !OuterIp() || !ForUs() || !OuterUdp()) return out_;
    Geneve();
    return out_;
  }

 private:
  // Keeps the first failure: later checks run on for display only.
  void Fail(Reason reason, size_t offset) {
    if (out_.verdict == Verdict::kDrop) return;
    out_.verdict = Verdict::kDrop;
    out_.reason = reason;
    out_.offset = U32(offset);
  }
  // Returns false, the sign to stop. A frame that failed before stays a drop.
  bool NotGeneve() {
    if (out_.verdict != Verdict::kDrop) out_.verdict = Verdict::kNotGeneve;
    return false;
  }

  bool OuterEthernet() {
    const std::optional<size_t> payload = ReadEthernet(frame_, 0, out_.ethernet);
    if (!payload) return NotGeneve();
    at_ = *payload;
    return true;
  }

  bool OuterIp() {
    if (out_.ethernet.ether_type == kProtocolIpv4) return OuterIpv4();
    if (out_.ethernet.ether_type == kProtocolIpv6) return OuterIpv6();
    return NotGeneve();
  }

  bool OuterIpv4() {
    if (!ReadIpv4(frame_, at_, frame_.size(), out_.ip)) {
      Fail(Reason::kOuterLen, at_);
      return false;
    }
    const size_t total = LoadBe16(&frame_[at_ + 2]);
    if (total < out_.ip.header_bytes || total > frame_.size() - at_) {
      Fail(Reason::kOuterLen, at_ + 2);
      if (total < out_.ip.header_bytes) return false;
    }
    const ByteSpan header = frame_.subspan(at_, out_.ip.header_bytes);
    if (ChecksumFold(ChecksumAdd(0, header)) != 0xFFFF) Fail(Reason::kOuterIpCsum, at_ + 10);
    end_ = std::min(at_ + total, frame_.size());
    if (out_.ip.fragment) {
      // Only a first fragment can show its ports.
      fragment_at_ = at_ + 6;
      ports_visible_ = (LoadBe16(&frame_[at_ + 6]) & 0x1FFF) == 0;
    }
    at_ += out_.ip.header_bytes;
    return true;
  }

  bool OuterIpv6() {
    if (!ReadIpv6(frame_, at_, frame_.size(), out_.ip)) {
      Fail(Reason::kOuterLen, at_);
      return false;
    }
    const size_t header = at_;
    at_ += kIpv6Bytes;
    if (out_.ip.payload_bytes > frame_.size() - at_) Fail(Reason::kOuterLen, header + 4);
    end_ = std::min(at_ + out_.ip.payload_bytes, frame_.size());
    for (int i = 0; i < kMaxExtensionHeaders; ++i) {
      const uint8_t next = out_.ip.protocol;
      if (next != kIpHopByHop && next != kIpRouting && next != kIpFragment &&
          next != kIpDestinationOptions) {
        return true;
      }
      if (!ExtensionHeader(next)) return false;
      if (!ports_visible_) return true;  // what follows is the middle of a datagram
    }
    return NotGeneve();
  }

  bool ExtensionHeader(uint8_t kind) {
    if (end_ - at_ < 8) {
      Fail(Reason::kOuterLen, end_);
      return false;
    }
    size_t bytes = 8;
    if (kind == kIpFragment) {
      const uint16_t field = LoadBe16(&frame_[at_ + 2]);
      out_.ip.fragment = true;
      fragment_at_ = at_;
      ports_visible_ = (field & 0xFFF8) == 0;
    } else {
      bytes = (size_t{frame_[at_ + 1]} + 1) * 8;
      if (end_ - at_ < bytes) {
        Fail(Reason::kOuterLen, end_);
        return false;
      }
      // Segments left: we are a waypoint, not the destination; that is the stack's business.
      if (kind == kIpRouting && frame_[at_ + 3] != 0) return NotGeneve();
    }
    out_.ip.protocol = frame_[at_];
    at_ += bytes;
    return true;
  }

  bool ForUs() {
    if (out_.ip.protocol != kIpUdp) return NotGeneve();
    if (!profile_.any_local && !Contains(profile_.local, out_.ip.destination)) return NotGeneve();
    if (out_.ip.fragment) {
      if (ports_visible_ && end_ - at_ >= 4 && LoadBe16(&frame_[at_ + 2]) != profile_.udp_port) {
        return NotGeneve();
      }
      Fail(Reason::kOuterFrag, fragment_at_);
      return false;
    }
    if (end_ - at_ < 4 || LoadBe16(&frame_[at_ + 2]) != profile_.udp_port) return NotGeneve();
    return true;
  }

  bool OuterUdp() {
    UdpInfo& udp = out_.udp;
    if (end_ - at_ < kUdpBytes) {
      Fail(Reason::kUdpLen, end_);
      return false;
    }
    udp.present = true;
    udp.offset = U32(at_);
    udp.source_port = LoadBe16(&frame_[at_]);
    udp.destination_port = LoadBe16(&frame_[at_ + 2]);
    udp.length = LoadBe16(&frame_[at_ + 4]);
    udp.checksum = LoadBe16(&frame_[at_ + 6]);
    const bool fits = udp.length >= kUdpBytes && udp.length <= end_ - at_;
    if (!fits) Fail(Reason::kUdpLen, at_ + 4);
    // From here on the datagram, not the IP payload, is the bound; a bad length shows what is
    // there.
    if (fits) end_ = at_ + udp.length;

    if (udp.checksum == 0) {
      udp.checksum_state = ChecksumState::kAbsent;
      if (out_.ip.source.family == 6 && !profile_.udp6_zero_checksum) {
        Fail(Reason::kUdp6ZeroCsum, at_ + 6);
      }
    } else if (fits) {
      udp.checksum_state = UdpChecksumIsGood() ? ChecksumState::kGood : ChecksumState::kBad;
      if (udp.checksum_state == ChecksumState::kBad) Fail(Reason::kUdpCsum, at_ + 6);
    }
    at_ += kUdpBytes;
    return true;
  }

  bool UdpChecksumIsGood() const {
    // Pseudo-header (RFC 768, RFC 8200 section 8.1): addresses, protocol and UDP length.
    uint64_t sum = uint64_t{kIpUdp} + out_.udp.length;
    sum = ChecksumAdd(sum, out_.ip.source.bytes());
    sum = ChecksumAdd(sum, out_.ip.destination.bytes());
    sum = ChecksumAdd(sum, frame_.subspan(at_, out_.udp.length));
    return ChecksumFold(sum) == 0xFFFF;
  }

  void Geneve() {
    const ByteSpan message = frame_.subspan(at_, end_ - at_);
    out_.geneve_offset = U32(at_);
    out_.geneve = HeaderView::Peek(message);
    const auto decoded = DecodeHeader(message, profile_.options);
    if (!decoded) Fail(decoded.error().reason, at_ + decoded.error().offset);
    // Another version or a cut options area leaves no known place where the payload starts.
    if (!out_.geneve || out_.geneve->version() != 0) return;
    if (out_.geneve->size() > message.size()) return;

    const bool known_peer = profile_.any_peer || Contains(profile_.peers, out_.ip.source);
    if (!known_peer) {
      Fail(Reason::kPeer, out_.ip.offset + (out_.ip.source.family == 4 ? 12u : 8u));
    }
    const uint16_t protocol = out_.geneve->protocol();
    const std::optional<Service> service = ServiceOf(out_.geneve->vni(), protocol);
    if (!service) Fail(Reason::kVni, at_ + 4);
    if (out_.geneve->control() && out_.verdict == Verdict::kAccept) {
      out_.verdict = Verdict::kControl;
    }

    const bool ip_payload = protocol == kProtocolIpv4 || protocol == kProtocolIpv6;
    const bool allowed =
        !service || (*service == Service::kL2 ? protocol == kProtocolEthernet : ip_payload);
    if (!allowed && out_.verdict != Verdict::kControl) Fail(Reason::kProto, at_ + 2);
    if (service == Service::kManagement && out_.verdict == Verdict::kAccept) {
      // RFC 9772: nothing on the management VNI is tenant data, with or without the O bit.
      out_.verdict = Verdict::kControl;
    }
    Inner(at_ + out_.geneve->size(), protocol);
  }

  std::optional<Service> ServiceOf(Vni vni, uint16_t protocol) const {
    for (const VniService& entry : profile_.vnis) {
      if (entry.vni == vni) return entry.service;
    }
    if (!profile_.any_vni) return std::nullopt;
    return protocol == kProtocolIpv4 || protocol == kProtocolIpv6 ? Service::kL3 : Service::kL2;
  }

  void Inner(size_t start, uint16_t protocol) {
    out_.inner_offset = U32(start);
    out_.inner_bytes = U32(end_ - start);
    size_t ip_at = start;
    uint16_t ether_type = protocol;
    if (protocol == kProtocolEthernet) {
      const std::optional<size_t> payload =
          ReadEthernet(frame_.first(end_), start, out_.inner_ethernet);
      if (!payload) {
        InnerFault(Reason::kInnerShort, end_);
        return;
      }
      ip_at = *payload;
      ether_type = out_.inner_ethernet.ether_type;
    }
    if (ether_type != kProtocolIpv4 && ether_type != kProtocolIpv6) return;
    const bool whole = ether_type == kProtocolIpv4 ? ReadIpv4(frame_, ip_at, end_, out_.inner_ip)
                                                   : ReadIpv6(frame_, ip_at, end_, out_.inner_ip);
    if (!whole) {
      InnerFault(Reason::kInnerShort, ip_at);
      return;
    }
    InnerPorts(ip_at);
    if (protocol != kProtocolEthernet && profile_.trim_l3_payload) {
      const uint32_t ip_bytes = out_.inner_ip.header_bytes + out_.inner_ip.payload_bytes;
      out_.inner_bytes = std::min(out_.inner_bytes, ip_bytes);
    }
    Congestion(start, ip_at);
  }

  // The control plane takes its packets as they are; only data must be whole.
  void InnerFault(Reason reason, size_t offset) {
    if (out_.verdict != Verdict::kControl) Fail(reason, offset);
  }

  void InnerPorts(size_t ip_at) {
    const IpInfo& ip = out_.inner_ip;
    const size_t at = ip_at + ip.header_bytes;
    if (ip.fragment || end_ < at + 4) return;
    if (ip.protocol != kIpTcp && ip.protocol != kIpUdp && ip.protocol != kIpSctp) return;
    out_.inner_source_port = LoadBe16(&frame_[at]);
    out_.inner_destination_port = LoadBe16(&frame_[at + 2]);
  }

  void Congestion(size_t start, size_t ip_at) {
    const uint8_t old_tos = out_.inner_ip.tos;
    const EcnDecision decision = DecapsulateEcn(EcnOf(old_tos), EcnOf(out_.ip.tos));
    out_.ecn_alarm = decision.alarm;
    if (decision.drop) {
      InnerFault(Reason::kEcn, ip_at + (out_.inner_ip.source.family == 4 ? 1u : 0u));
      return;
    }
    // Packets for the control plane stay as they came.
    if (out_.verdict == Verdict::kControl) return;
    const uint8_t dscp = profile_.copy_outer_dscp ? out_.ip.tos : old_tos;
    const auto tos = static_cast<uint8_t>((dscp & 0xFC) | static_cast<uint8_t>(decision.inner));
    const size_t at = ip_at - start;
    if (out_.inner_ip.source.family == 4) {
      const uint16_t old_word = LoadBe16(&frame_[ip_at]);
      const auto new_word = static_cast<uint16_t>((old_word & 0xFF00) | tos);
      const uint16_t old_sum = LoadBe16(&frame_[ip_at + 10]);
      const uint16_t sum = tos == old_tos ? old_sum : ChecksumReplace(old_sum, old_word, new_word);
      Patch(start, at + 1, tos);
      Patch(start, at + 10, static_cast<uint8_t>(sum >> 8));
      Patch(start, at + 11, static_cast<uint8_t>(sum));
    } else {
      // Traffic Class lies across the first two bytes, after the version.
      Patch(start, at, static_cast<uint8_t>((frame_[ip_at] & 0xF0) | (tos >> 4)));
      Patch(start, at + 1, static_cast<uint8_t>((frame_[ip_at + 1] & 0x0F) | (tos << 4)));
    }
  }

  void Patch(size_t start, size_t index, uint8_t value) {
    if (frame_[start + index] == value) return;
    out_.patch_store[out_.patch_count] = {U32(index), value};
    ++out_.patch_count;
  }

  static bool Contains(std::span<const PacketAddress> list, const PacketAddress& address) {
    return std::find(list.begin(), list.end(), address) != list.end();
  }

  ByteSpan frame_;
  const EndpointProfile& profile_;
  Dissection out_;
  size_t at_ = 0;   // start of the layer being read
  size_t end_ = 0;  // end of what the outer layers enclose; never beyond the frame, never below at_
  size_t fragment_at_ = 0;
  bool ports_visible_ = true;
};

}  // namespace

PacketAddress PacketAddress::V4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
  return {.octets = {a, b, c, d}, .family = 4};
}

PacketAddress PacketAddress::FromBytes(ByteSpan bytes) {
  PacketAddress address;
  if (bytes.size() != 4 && bytes.size() != 16) return address;
  address.family = bytes.size() == 4 ? 4 : 6;
  std::copy(bytes.begin(), bytes.end(), address.octets.begin());
  return address;
}

std::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kAccept:
      return "ACCEPT";
    case Verdict::kControl:
      return "CTRL";
    case Verdict::kDrop:
      return "DROP";
    case Verdict::kNotGeneve:
      return "NOT_GENEVE";
  }
  return "?";
}

Dissection Dissect(ByteSpan frame, const EndpointProfile& profile) {
  return Dissector(frame, profile).Run();
}

}  // namespace geneve
