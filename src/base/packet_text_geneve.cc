#include "base/packet_text_geneve.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "base/packet_text_frame.h"

namespace leman {

namespace {

using geneve::Dissection;
using geneve::HeaderView;
using geneve::OptionView;

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

}  // namespace

std::string OptionName(const OptionView& option, const geneve::Registry& registry) {
  if (const geneve::OptionKind* kind = registry.Find(option.key()); kind != nullptr) {
    return std::string(kind->name);
  }
  return fmt::format("0x{:04x}/0x{:02x}", option.key().option_class, option.key().type);
}

PacketField DescribeGeneve(const HeaderView& header, std::size_t at,
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

PacketField DescribeNotes(const HeaderView& header, const Dissection& dissection) {
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
  return list;
}

}  // namespace leman
