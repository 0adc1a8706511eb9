// Readable text for what geneve/packet.h decodes.
#include <array>

#include "geneve/packet.h"
#include "geneve/text.h"

namespace geneve {
namespace {

void Ethernet(const EthernetInfo& ethernet, TextWriter& out) {
  out.Mac(ethernet.source).Text(" > ").Mac(ethernet.destination);
  for (uint8_t i = 0; i < ethernet.tag_count; ++i) {
    out.Text(ethernet.tag_protocols[i] == 0x88A8 ? ", s-vlan " : ", vlan ");
    out.Dec(ethernet.tags[i] & 0xFFF);
    if (ethernet.tags[i] >> 13 != 0) out.Text(" priority ").Dec(ethernet.tags[i] >> 13);
  }
  if (ethernet.ether_type < 0x0600) {
    out.Text(", 802.3 length ").Dec(ethernet.ether_type);
  } else {
    out.Text(", type 0x").Hex(ethernet.ether_type, 4);
  }
}

void Ip(const IpInfo& ip, TextWriter& out) {
  out.Text("IPv").Dec(ip.source.family).Char(' ');
  out.Address(ip.source.bytes()).Text(" > ").Address(ip.destination.bytes());
  out.Text(", protocol ").Dec(ip.protocol).Text(", ttl ").Dec(ip.ttl);
  out.Text(", dscp ").Dec(ip.tos >> 2).Char(' ').Text(EcnName(EcnOf(ip.tos)));
  if (ip.flow_label != 0) out.Text(", flow label 0x").Hex(ip.flow_label, 5);
  if (ip.dont_fragment) out.Text(", DF");
  if (ip.fragment) out.Text(", fragment");
}

void Udp(const UdpInfo& udp, TextWriter& out) {
  constexpr std::array<std::string_view, 4> kStates = {"none", "good", "WRONG", "not checked"};
  out.Text("UDP ").Dec(udp.source_port).Text(" > ").Dec(udp.destination_port);
  out.Text(", length ").Dec(udp.length).Text(", checksum 0x").Hex(udp.checksum, 4);
  out.Text(" (").Text(kStates[static_cast<size_t>(udp.checksum_state)]).Char(')');
}

void Header(const HeaderView& header, TextWriter& out) {
  out.Text("GENEVE version ").Dec(header.version()).Text(", VNI ").Dec(header.vni().value());
  out.Text(", protocol 0x").Hex(header.protocol(), 4);
  if (header.control()) out.Text(", control");
  if (header.critical()) out.Text(", critical");
  if (header.rsvd() != 0) out.Text(", rsvd 0x").Hex(header.rsvd(), 2);
  if (header.reserved() != 0) out.Text(", reserved 0x").Hex(header.reserved(), 2);
  out.Text(", options ").Dec(header.option_bytes()).Text(" bytes");
}

void Geneve(const HeaderView& header, const Registry& registry, TextWriter& out) {
  Header(header, out);
  out.Char('\n');
  for (const OptionView option : header.options()) {
    out.Text("  option ");
    registry.Print(option.key(), option.data(), out);
    if (option.reserved_bits() != 0)
      out.Text(" (reserved bits ").Dec(option.reserved_bits()).Char(')');
    out.Char('\n');
  }
  if (const auto error = header.options().error()) {
    out.Text("  option at byte ").Dec(error->offset).Text(" runs past the options\n");
  }
}

void Inner(const Dissection& d, TextWriter& out) {
  out.Text("inner ").Dec(d.inner_bytes).Text(" bytes at ").Dec(d.inner_offset).Char('\n');
  if (d.inner_ethernet.present) {
    out.Text("  ");
    Ethernet(d.inner_ethernet, out);
    out.Char('\n');
  }
  if (d.inner_ip.present()) {
    out.Text("  ");
    Ip(d.inner_ip, out);
    if (d.inner_source_port != 0 || d.inner_destination_port != 0) {
      out.Text(", ports ").Dec(d.inner_source_port).Text(" > ").Dec(d.inner_destination_port);
    }
    out.Char('\n');
  }
  for (const InnerPatch& patch : d.patches()) {
    out.Text("  byte ").Dec(patch.index).Text(" delivered as 0x").Hex(patch.value, 2).Char('\n');
  }
}

}  // namespace

std::string_view FormatTo(std::span<char> out, const Dissection& dissection,
                          const Registry& registry) {
  TextWriter text(out);
  if (dissection.ethernet.present) {
    Ethernet(dissection.ethernet, text);
    text.Char('\n');
  }
  if (dissection.ip.present()) {
    Ip(dissection.ip, text);
    text.Char('\n');
  }
  if (dissection.udp.present) {
    Udp(dissection.udp, text);
    text.Char('\n');
  }
  if (dissection.geneve) Geneve(*dissection.geneve, registry, text);
  if (dissection.inner_offset != 0) Inner(dissection, text);
  if (dissection.ecn_alarm != EcnAlarm::kNone) text.Text("unused ECN combination\n");
  text.Text("verdict ").Text(VerdictName(dissection.verdict));
  if (dissection.verdict == Verdict::kDrop) {
    text.Char(' ').Text(ReasonName(dissection.reason)).Text(" at byte ").Dec(dissection.offset);
    text.Text(": ").Text(ReasonText(dissection.reason));
  }
  text.Char('\n');
  return text.view();
}

std::string_view FormatTo(std::span<char> out, const HeaderView& header) {
  TextWriter text(out);
  Header(header, text);
  return text.view();
}

std::string_view FormatTo(std::span<char> out, const OptionView& option, const Registry& registry) {
  TextWriter text(out);
  registry.Print(option.key(), option.data(), text);
  return text.view();
}

}  // namespace geneve
