#include "model/state_file.h"

#include <fmt/format.h>

#include "model/decode.h"

namespace leman::model {

namespace {

class Decoder {
 public:
  Decoder(const YamlTree& tree, const DesiredState* before, Faults& faults)
      : reader_(tree, faults), before_(before) {}

  DesiredState Decode(NodeId root) {
    static constexpr KeySpec kKeys[] = {{"host", true, "host: NAME, shown in the status"},
                                        {"underlay", true, "underlay: with device and addresses"},
                                        {"options"},
                                        {"peers"},
                                        {"networks"}};
    const Path path;
    const Fields fields(reader_, root, path, kKeys);
    if (!fields.is_mapping()) {
      return {};
    }
    Set(reader_, state_.host, fields["host"], Path(path, "host"), &YamlReader::Name);
    if (fields["underlay"] != kNone) {
      DecodeUnderlay(fields["underlay"], Path(path, "underlay"));
    }
    if (fields["options"] != kNone) {
      DecodeKnownOptions(fields["options"], Path(path, "options"));
    }
    if (fields["peers"] != kNone) {
      DecodePeers(fields["peers"], Path(path, "peers"));
    }
    if (fields["networks"] != kNone) {
      DecodeNetworks(reader_, fields["networks"], Path(path, "networks"), before_, state_);
    }
    return std::move(state_);
  }

 private:
  void DecodeUnderlay(NodeId node, const Path& path) {
    static constexpr KeySpec kKeys[] = {
        {"device", true, "device: the network device that carries the tunnels"},
        {"addresses", true, "addresses: [ADDRESS], one IPv4, one IPv6, or both"},
        {"port"},
        {"source_ports"},
        {"ttl"}};
    const Fields fields(reader_, node, path, kKeys);
    if (!fields.is_mapping()) {
      return;
    }
    Underlay& underlay = state_.underlay;
    Set(reader_, underlay.device, fields["device"], Path(path, "device"), &YamlReader::Device);
    if (const NodeId addresses = fields["addresses"]; addresses != kNone) {
      const Path here(path, "addresses");
      const std::size_t before = reader_.tree().child_count(addresses);
      ForEach(
          reader_, addresses, here, "[192.168.1.101]",
          [this](NodeId element, const Path& at, std::uint32_t) { DecodeOwnAddress(element, at); });
      if (reader_.tree().kind(addresses) == YamlTree::Kind::kSequence && before == 0) {
        reader_.Fault(addresses, here,
                      "is empty; write one IPv4 address, one IPv6 address, or both");
      }
    }
    SetNumber(reader_, underlay.udp_port, fields["port"], Path(path, "port"), 1, 65535);
    SetNumber(reader_, underlay.ttl, fields["ttl"], Path(path, "ttl"), 1, 255);
    if (fields["source_ports"] != kNone) {
      DecodeSourcePorts(fields["source_ports"], Path(path, "source_ports"));
    }
  }

  void DecodeOwnAddress(NodeId node, const Path& path) {
    const auto address = reader_.Vtep(node, path);
    if (!address.has_value()) {
      return;
    }
    auto& slot = address->IsV4() ? state_.underlay.address4 : state_.underlay.address6;
    if (slot.has_value()) {
      reader_.Fault(node, path,
                    fmt::format("{} is a second {} address; write one of each family at most",
                                address->ToString(), address->IsV4() ? "IPv4" : "IPv6"));
      return;
    }
    slot = *address;
  }

  void DecodeSourcePorts(NodeId node, const Path& path) {
    constexpr std::string_view kRight = "write FIRST-LAST, like 49152-65535";
    const auto text = reader_.Text(node, path, kRight);
    if (!text.has_value()) {
      return;
    }
    const std::size_t dash = text->find('-');
    const auto first = PortNumber(text->substr(0, dash));
    const auto last =
        dash == std::string_view::npos ? std::nullopt : PortNumber(text->substr(dash + 1));
    if (!first.has_value() || !last.has_value() || *first > *last) {
      reader_.Fault(node, path,
                    fmt::format("{} is not a range of UDP ports; {}", Quoted(*text), kRight));
      return;
    }
    state_.underlay.source_port_min = *first;
    state_.underlay.source_port_max = *last;
  }

  static std::optional<std::uint16_t> PortNumber(std::string_view text) {
    while (text.ends_with(' ')) {
      text.remove_suffix(1);
    }
    while (text.starts_with(' ')) {
      text.remove_prefix(1);
    }
    std::uint32_t value = 0;
    for (const char c : text) {
      if (c < '0' || c > '9' || value > 65535) {
        return std::nullopt;
      }
      value = value * 10 + static_cast<std::uint32_t>(c - '0');
    }
    if (value == 0 || value > 65535) {
      return std::nullopt;
    }
    return static_cast<std::uint16_t>(value);
  }

  void DecodeKnownOptions(NodeId list, const Path& path) {
    static constexpr KeySpec kKeys[] = {{"class", true, "class: 0x0000..0xffff"},
                                        {"type", true, "type: 0x00..0xff"},
                                        {"length"},
                                        {"name"}};
    std::vector<Use<std::uint32_t>> uses;
    ForEach(
        reader_, list, path, "[{ class: 0x0102, type: 0x80 }]",
        [&](NodeId node, const Path& at, std::uint32_t i) {
          const Fields fields(reader_, node, at, kKeys);
          KnownOption option;
          if (!fields.is_mapping()) {
            return;
          }
          const bool has_class = SetNumber(reader_, option.option_class, fields["class"],
                                           Path(at, "class"), 0, 0xffff);
          const bool has_type =
              SetNumber(reader_, option.type, fields["type"], Path(at, "type"), 0, 0xff);
          std::uint32_t length = 0;
          if (SetNumber(reader_, length, fields["length"], Path(at, "length"), 0,
                        kMaxOptionDataBytes)) {
            if (length % 4 != 0) {
              reader_.Fault(
                  fields["length"], Path(at, "length"),
                  fmt::format("{} is no multiple of 4; option data comes in 4-byte words", length));
            }
            option.length_bytes = static_cast<std::uint8_t>(length);
          }
          Set(reader_, option.name, fields["name"], Path(at, "name"), &YamlReader::Name);
          if (!has_class || !has_type) {
            return;
          }
          uses.push_back({.key = (std::uint32_t{option.option_class} << 8U) | option.type,
                          .line = reader_.line(node),
                          .node = node,
                          .index = i});
          state_.options.push_back(std::move(option));
        });
    FindTwice(uses, [&](const auto& first, const auto& again) {
      reader_.Fault(again.node, Path(path, again.index),
                    fmt::format("class {:#06x} type {:#04x} is also on line {}; keep one",
                                again.key >> 8U, again.key & 0xffU, first.line));
    });
  }

  void DecodePeers(NodeId list, const Path& path) {
    static constexpr KeySpec kKeys[] = {
        {"address", true, "address: of the VTEP"}, {"udp_checksum"}, {"ecn"}};
    static constexpr std::string_view kChecksums[] = {"default", "zero", "required", "accept_zero"};
    static constexpr std::string_view kEcn[] = {"normal", "compatibility"};
    std::vector<Use<IpAddress>> uses;
    ForEach(reader_, list, path, "[{ address: 192.168.1.102 }]",
            [&](NodeId node, const Path& at, std::uint32_t i) {
              const Fields fields(reader_, node, at, kKeys);
              if (!fields.is_mapping()) {
                return;
              }
              Peer peer;
              if (const NodeId value = fields["udp_checksum"]; value != kNone) {
                peer.udp_checksum = static_cast<UdpChecksum>(
                    reader_.Word(value, Path(at, "udp_checksum"), kChecksums).value_or(0));
              }
              if (const NodeId value = fields["ecn"]; value != kNone) {
                peer.ecn_compatibility =
                    reader_.Word(value, Path(at, "ecn"), kEcn).value_or(0) == 1;
              }
              const NodeId value = fields["address"];
              const auto address =
                  value == kNone ? std::nullopt
                                 : RemoteVtep(reader_, state_.underlay, value, Path(at, "address"));
              if (address.has_value()) {
                peer.address = *address;
                uses.push_back(
                    {.key = *address, .line = reader_.line(value), .node = value, .index = i});
                state_.peers.push_back(peer);
              }
            });
    FindTwice(uses, [&](const auto& first, const auto& again) {
      reader_.Fault(again.node, Path(Path(path, again.index), "address"),
                    fmt::format("{} is also on line {}; keep one entry a peer",
                                again.key.ToString(), first.line));
    });
  }

  YamlReader reader_;
  const DesiredState* before_;
  DesiredState state_;
};

}  // namespace

std::optional<IpAddress> RemoteVtep(YamlReader& reader, const Underlay& underlay, NodeId node,
                                    const Path& path) {
  const auto address = reader.Vtep(node, path);
  if (!address.has_value() || (!underlay.address4.has_value() && !underlay.address6.has_value())) {
    return address;  // with no own address that is the fault, told once
  }
  const auto& own = address->IsV4() ? underlay.address4 : underlay.address6;
  if (!own.has_value()) {
    const std::string_view family = address->IsV4() ? "IPv4" : "IPv6";
    reader.Fault(
        node, path,
        fmt::format("{} is {}, but this host has no {} address; add one to underlay.addresses, or "
                    "write the VTEP's {} address",
                    address->ToString(), family, family, address->IsV4() ? "IPv6" : "IPv4"));
    return std::nullopt;
  }
  if (own == address) {
    reader.Fault(
        node, path,
        fmt::format("{} is this host's own address; write another host's", address->ToString()));
    return std::nullopt;
  }
  return address;
}

Result<DesiredState> ParseStateFile(std::string_view file_name, std::string_view text,
                                    const DesiredState* before) {
  LEMAN_ASSIGN_OR_RETURN(const YamlTree tree, YamlTree::Parse(file_name, text));
  if (tree.root() == YamlTree::kNone) {
    return Fail(Code::kInvalidArgument,
                fmt::format("{}:1: is empty; write at least host and underlay", file_name));
  }
  Faults faults;
  DesiredState state = Decoder(tree, before, faults).Decode(tree.root());
  if (!faults.empty()) {
    return Fail(Code::kInvalidArgument, faults.Text(file_name));
  }
  return state;
}

}  // namespace leman::model
