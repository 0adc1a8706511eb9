#include "option_print.h"

#include <array>
#include <optional>
#include <string_view>

#include "geneve/leman_options.h"

namespace geneve::option_print {
namespace {

constexpr size_t kIntHeaderBytes = 12;

// First word of INT-MD and INT-MX headers (INT 2.1 section 5.7.1).
void IntVersionAndDiscard(uint32_t word, TextWriter& out) {
  out.Text("version ").Dec(word >> 28).Text(" discard ").Dec((word >> 27) & 1);
}

void IntInstructions(ByteSpan data, TextWriter& out) {
  out.Text(" instructions 0x").Hex(LoadBe16(&data[4]), 4);
  out.Text(" domain ").Dec(LoadBe16(&data[6]));
  out.Text(" ds-instructions 0x").Hex(LoadBe16(&data[8]), 4);
  out.Text(" ds-flags 0x").Hex(LoadBe16(&data[10]), 4);
}

}  // namespace

void LinuxGroHint(ByteSpan data, TextWriter& out) {
  // C bit-fields of a little-endian machine: the first field is in the low bits.
  constexpr std::array<std::string_view, 4> kInner = {"ethernet", "ipv6", "ipv4", "reserved"};
  out.Text("inner ").Text(kInner[data[0] & 3]);
  out.Text(" nested ").Text((data[0] & 4) != 0 ? "ipv6" : "ipv4");
  out.Text(" network offset ").Dec(data[1]).Text(" transport offset ").Dec(data[2]);
  out.Text(" header bytes ").Dec(data[3]);
}

void Ovn(ByteSpan data, TextWriter& out) {
  const uint16_t egress = LoadBe16(&data[2]);
  out.Text("ingress port ").Dec(LoadBe16(&data[0]) & 0x7FFF);
  // Upper half of the egress keys: multicast groups of the logical switch.
  out.Text(egress >= 0x8000 ? " egress group " : " egress port ").Dec(egress);
}

void IntMd(ByteSpan data, TextWriter& out) {
  const uint32_t word = LoadBe32(&data[0]);
  IntVersionAndDiscard(word, out);
  out.Text(" hops-exceeded ").Dec((word >> 26) & 1).Text(" mtu-exceeded ").Dec((word >> 25) & 1);
  out.Text(" hop words ").Dec((word >> 8) & 0x1F).Text(" remaining hops ").Dec(word & 0xFF);
  IntInstructions(data, out);
  const ByteSpan stack = data.subspan(kIntHeaderBytes);
  if (!stack.empty()) out.Text(" stack ").HexBytes(stack);
}

void IntMx(ByteSpan data, TextWriter& out) {
  IntVersionAndDiscard(LoadBe32(&data[0]), out);
  IntInstructions(data, out);
}

void AwsEndpoint(ByteSpan data, TextWriter& out) { out.Text("endpoint 0x").HexBytes(data); }
void AwsAttachment(ByteSpan data, TextWriter& out) { out.Text("attachment 0x").HexBytes(data); }
void AwsFlowCookie(ByteSpan data, TextWriter& out) { out.Text("flow cookie 0x").HexBytes(data); }

void OxideExternal(ByteSpan, TextWriter& out) { out.Text("from outside the rack"); }

void OxideMulticast(ByteSpan data, TextWriter& out) {
  constexpr std::array<std::string_view, 4> kModes = {"external", "underlay", "all", "reserved"};
  out.Text("replication ").Text(kModes[data[0] >> 6]);
}

void OxideMss(ByteSpan data, TextWriter& out) { out.Text("mss ").Dec(LoadBe32(&data[0])); }

void GoogleNetwork(ByteSpan data, TextWriter& out) {
  const uint32_t word = LoadBe32(&data[0]);
  out.Text("network ").Dec(word >> 4).Text((word & 1) != 0 ? " egress" : " ingress");
}

void GoogleEndpoint(ByteSpan data, TextWriter& out) { out.Text("endpoint 0x").HexBytes(data); }

void GoogleProfile(ByteSpan data, TextWriter& out) { out.Text("profile ").Dec(LoadBe64(&data[0])); }

void CiliumDsr(ByteSpan data, TextWriter& out) {
  const bool v6 = data.size() == 20;
  const ByteSpan address = data.first(v6 ? 16 : 4);
  out.Text("service ").Text(v6 ? "[" : "").Address(address).Text(v6 ? "]" : "");
  out.Char(':').Dec(LoadBe16(&data[address.size()]));
}

void CPacket(ByteSpan data, TextWriter& out) {
  const uint64_t seconds = (uint64_t{LoadBe16(&data[8])} << 32) | LoadBe32(&data[10]);
  out.Text("sequence ").Dec(LoadBe32(&data[0])).Text(" original bytes ").Dec(LoadBe16(&data[4]));
  out.Text(" version ").Dec(data[7]).Text(" seconds ").Dec(seconds);
  out.Text(" nanoseconds ").Dec(LoadBe32(&data[14])).Text(" fraction ").Dec(LoadBe16(&data[18]));
  out.Text(" device ").Dec(LoadBe16(&data[20])).Text(" port ").Dec(LoadBe16(&data[22]));
}

void LemanIdentity(ByteSpan data, TextWriter& out) {
  if (const auto value = IdentityOption::Decode(data)) {
    out.Text("identity ").Dec(value->identity).Text(" policy epoch ").Dec(value->policy_epoch);
  }
}

void LemanPacket(ByteSpan data, TextWriter& out) {
  constexpr std::array<std::string_view, 4> kTypes = {"unicast", "multicast", "broadcast",
                                                      "unknown-unicast"};
  const auto value = PacketOption::Decode(data);
  if (!value) {
    out.HexBytes(data);
    return;
  }
  out.Text("ethertype 0x").Hex(value->ether_type, 4).Char(' ');
  out.Text(kTypes[static_cast<size_t>(value->packet_type)]);
  out.Text(" tunnel type ").Dec(value->tunnel_type);
}

void LemanQos(ByteSpan data, TextWriter& out) {
  constexpr std::array<std::string_view, 3> kColours = {"green", "yellow", "red"};
  const auto value = QosOption::Decode(data);
  if (!value) {
    out.HexBytes(data);
    return;
  }
  out.Text("class ").Dec(value->traffic_class).Text(" dscp ").Dec(value->dscp).Char(' ');
  out.Text(kColours[static_cast<size_t>(value->colour)]);
}

void LemanChain(ByteSpan data, TextWriter& out) {
  if (const auto value = ChainOption::Decode(data)) {
    out.Text("chain ").Dec(value->chain_id).Text(" hop ").Dec(value->hop_index);
    out.Text(value->reverse ? " reverse" : " forward");
    out.Text(" cookie 0x").Hex(value->flow_cookie, 8);
  }
}

void LemanTelemetry(ByteSpan data, TextWriter& out) {
  if (const auto value = TelemetryOption::Decode(data)) {
    out.Text("sequence ").Dec(value->sequence).Text(" sent at ").Dec(value->sent_at_ns);
    out.Text(" ns trace mark ").Dec(value->trace_mark);
  }
}

}  // namespace geneve::option_print
