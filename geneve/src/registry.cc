#include "geneve/registry.h"

#include <algorithm>
#include <array>

#include "geneve/leman_options.h"
#include "option_print.h"

namespace geneve {
namespace {

constexpr std::array<OptionClassRange, 34> kClasses = {{
    {0x0100, 0x0100, "Linux"},     {0x0101, 0x0101, "Open vSwitch"},
    {0x0102, 0x0102, "OVN"},       {0x0103, 0x0103, "In-band Network Telemetry"},
    {0x0104, 0x0104, "VMware"},    {0x0105, 0x0105, "Amazon"},
    {0x0106, 0x0106, "Cisco"},     {0x0107, 0x0107, "Oracle"},
    {0x0108, 0x0110, "Amazon"},    {0x0111, 0x0118, "IBM"},
    {0x0119, 0x0128, "Ericsson"},  {0x0129, 0x0129, "Oxide"},
    {0x0130, 0x0131, "Cisco"},     {0x0132, 0x0135, "Google"},
    {0x0136, 0x0136, "InfoQuick"}, {0x0137, 0x0140, "Alibaba"},
    {0x0141, 0x0144, "Palo Alto"}, {0x0145, 0x0149, "Huawei"},
    {0x014A, 0x014A, "EMnify"},    {0x014B, 0x014B, "Cilium"},
    {0x014C, 0x014C, "Corelight"}, {0x014D, 0x014D, "1NCE"},
    {0x014E, 0x0157, "CTYUN"},     {0x0158, 0x0161, "Volcengine"},
    {0x0162, 0x0162, "nat64.net"}, {0x0163, 0x0163, "Multi Segment SD-WAN"},
    {0x0164, 0x0164, "cPacket"},   {0x0165, 0x0167, "Tencent"},
    {0x0168, 0x0168, "ExtraHop"},  {0x0169, 0x0169, "Soosan INT"},
    {0x016A, 0x016C, "Spacelink"}, {0x016D, 0x016D, "617A"},
    {0x016E, 0x016E, "Zscaler"},   {0x016F, 0x0170, "7Generation"},
}};

constexpr LengthSet Exactly(size_t bytes) { return *LengthSet::Of({bytes}); }

using enum OptionConfidence;

constexpr std::array kForeign = {
    OptionKind{{0x0100, 0x01},
               Exactly(4),
               "linux-gro",
               "Linux GRO hint for nested headers",
               kOwner,
               &option_print::LinuxGroHint},
    OptionKind{{0x0102, 0x80},
               Exactly(4),
               "ovn",
               "OVN logical ingress and egress port",
               kOwner,
               &option_print::Ovn},
    OptionKind{{0x0103, 0x01},
               LengthSet::AtLeast(12),
               "int-md",
               "In-band telemetry, metadata stack",
               kOwner,
               &option_print::IntMd},
    OptionKind{{0x0103, 0x02},
               LengthSet::AtLeast(12),
               "int-destination",
               "In-band telemetry for the sink",
               kOwner,
               &option_print::IntMd},
    OptionKind{{0x0103, 0x03},
               Exactly(12),
               "int-mx",
               "In-band telemetry, instructions only",
               kOwner,
               &option_print::IntMx},
    OptionKind{{0x0108, 0x01},
               Exactly(8),
               "aws-gwlbe",
               "AWS Gateway Load Balancer endpoint",
               kOwner,
               &option_print::AwsEndpoint},
    OptionKind{{0x0108, 0x02},
               Exactly(8),
               "aws-attachment",
               "AWS Gateway Load Balancer attachment",
               kOwner,
               &option_print::AwsAttachment},
    OptionKind{{0x0108, 0x03},
               Exactly(4),
               "aws-flow",
               "AWS Gateway Load Balancer flow cookie",
               kOwner,
               &option_print::AwsFlowCookie},
    OptionKind{{0x0129, 0x00},
               Exactly(0),
               "oxide-external",
               "Oxide: from outside the rack",
               kOwner,
               &option_print::OxideExternal},
    OptionKind{{0x0129, 0x01},
               Exactly(4),
               "oxide-multicast",
               "Oxide multicast replication",
               kOwner,
               &option_print::OxideMulticast},
    OptionKind{{0x0129, 0x02},
               Exactly(4),
               "oxide-mss",
               "Oxide maximum segment size",
               kOwner,
               &option_print::OxideMss},
    OptionKind{{0x0132, 0x01},
               Exactly(4),
               "google-network",
               "Google Cloud NSI network",
               kThirdParty,
               &option_print::GoogleNetwork},
    OptionKind{{0x0132, 0x02},
               LengthSet::Any(),
               "google-endpoint",
               "Google Cloud NSI endpoint",
               kThirdParty,
               &option_print::GoogleEndpoint},
    OptionKind{{0x0132, 0x03},
               Exactly(8),
               "google-profile",
               "Google Cloud NSI profile",
               kThirdParty,
               &option_print::GoogleProfile},
    OptionKind{{0x014B, 0x81},
               *LengthSet::Of({8, 20}),
               "cilium-dsr",
               "Cilium direct server return",
               kOwner,
               &option_print::CiliumDsr},
    OptionKind{{0x0164, 0x00},
               Exactly(24),
               "cpacket",
               "cPacket capture metadata",
               kThirdParty,
               &option_print::CPacket},
};

constexpr std::array kLeman = {
    OptionKind{LemanKey<IdentityOption>(), Exactly(IdentityOption::kBytes), "leman-identity",
               "Leman security identity and policy epoch", kOwner, &option_print::LemanIdentity},
    OptionKind{LemanKey<PacketOption>(), Exactly(PacketOption::kBytes), "leman-packet",
               "Leman original packet type", kOwner, &option_print::LemanPacket},
    OptionKind{LemanKey<QosOption>(), Exactly(QosOption::kBytes), "leman-qos",
               "Leman traffic class, DSCP and colour", kOwner, &option_print::LemanQos},
    OptionKind{LemanKey<ChainOption>(), Exactly(ChainOption::kBytes), "leman-chain",
               "Leman service chain position", kOwner, &option_print::LemanChain},
    OptionKind{LemanKey<TelemetryOption>(), Exactly(TelemetryOption::kBytes), "leman-telemetry",
               "Leman sequence, time stamp and trace mark", kOwner, &option_print::LemanTelemetry},
};

}  // namespace

std::span<const OptionClassRange> OptionClasses() { return kClasses; }

std::string_view OptionClassName(uint16_t option_class) {
  for (const OptionClassRange& range : OptionClasses()) {
    if (option_class >= range.first && option_class <= range.last) return range.owner;
  }
  if (option_class < 0x0100) return "IETF";
  return option_class >= kFirstExperimentalClass ? "experimental" : "unassigned";
}

std::span<const OptionKind> ForeignOptionKinds() { return kForeign; }
std::span<const OptionKind> LemanOptionKinds() { return kLeman; }

const OptionKind* Registry::Find(OptionKey key) const {
  for (const OptionKind& kind : kForeign) {
    if (kind.key == key) return &kind;
  }
  if (key.option_class != leman_class_) return nullptr;
  for (const OptionKind& kind : kLeman) {
    if (kind.key.type == key.type) return &kind;
  }
  return nullptr;
}

Result<void, OptionSetError> Registry::AddLemanTo(OptionSet& set) const {
  for (const OptionKind& kind : kLeman) {
    const auto added = set.Add({leman_class_, kind.key.type}, kind.lengths);
    if (!added) return added;
  }
  return {};
}

Result<void, OptionSetError> Registry::AddForeignTo(OptionSet& set) const {
  for (const OptionKind& kind : kForeign) {
    const auto added = set.Add(kind.key, kind.lengths);
    if (!added) return added;
  }
  return {};
}

void Registry::PrintValue(OptionKey key, ByteSpan data, TextWriter& out) const {
  const OptionKind* const kind = Find(key);
  if (kind != nullptr && kind->lengths.ContainsBytes(data.size())) {
    kind->print(data, out);
  } else {
    out.HexBytes(data);
  }
}

void Registry::Print(OptionKey key, ByteSpan data, TextWriter& out) const {
  const OptionKind* const kind = Find(key);
  out.Text(kind != nullptr ? kind->name : OptionClassName(key.option_class));
  out.Text(" 0x").Hex(key.option_class, 4).Text("/0x").Hex(key.type, 2);
  if (key.critical()) out.Text(" critical");
  if (data.empty() && kind == nullptr) return;
  out.Text(": ");
  PrintValue(key, data, out);
}

}  // namespace geneve
