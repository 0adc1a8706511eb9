#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>

#include "model/decode.h"

namespace leman::model {

namespace {

constexpr std::size_t kMaxOptionsBytes = 252;  // RFC 8926 section 3.4: 6 bits of 4-byte words
constexpr std::size_t kOptionHeaderBytes = 4;

class NetworkDecoder {
 public:
  NetworkDecoder(YamlReader& reader, const DesiredState* before, DesiredState& state)
      : reader_(reader), state_(state) {
    if (before != nullptr) {
      for (const auto& network : before->networks) {
        before_.emplace(network->vni, network);
      }
    }
    for (const KnownOption& option : state.options) {
      known_options_.try_emplace({option.option_class, option.type}, option.length_bytes);
    }
  }

  void Decode(NodeId list, const Path& path) {
    const auto elements = reader_.List(list, path, "- name: blue");
    state_.networks.reserve(elements.size());
    for (std::size_t i = 0; i < elements.size(); ++i) {
      DecodeNetwork(elements[i], Path(path, i), static_cast<std::uint32_t>(i));
    }
    FindTwice(vnis_, [&](const auto& first, const auto& again) {
      reader_.Fault(again.node, Path(Path(path, again.index), "vni"),
                    fmt::format("{} is also on line {}; every network has its own VNI", again.key,
                                first.line));
    });
    FindTwice(network_names_, [&](const auto& first, const auto& again) {
      reader_.Fault(again.node, Path(Path(path, again.index), "name"),
                    fmt::format("{} is also on line {}; every network has its own name",
                                Quoted(again.key), first.line));
    });
    FindTwice(port_names_, [&](const auto& first, const auto& again) {
      const Path network(path, again.index);
      const Path ports(network, "ports");
      reader_.Fault(again.node, Path(Path(ports, again.address), "name"),
                    fmt::format("{} is also on line {}; every port of a host has its own name",
                                Quoted(again.key), first.line));
    });
    FindTwice(port_devices_, [&](const auto& first, const auto& again) {
      const Path network(path, again.index);
      const Path ports(network, "ports");
      reader_.Fault(again.node, Path(Path(ports, again.address), "device"),
                    fmt::format("{} is also on line {}; a device is one port", Quoted(again.key),
                                first.line));
    });
  }

 private:
  void DecodeNetwork(NodeId node, const Path& path, std::uint32_t index) {
    static constexpr KeySpec kKeys[] = {{"name", true, "name: of the network, unique"},
                                        {"vni", true, "vni: 0..16777215, unique"},
                                        {"mtu"},
                                        {"learning"},
                                        {"flood_unknown"},
                                        {"dscp"},
                                        {"dscp_decap"},
                                        {"link_control"},
                                        {"icmp_too_big"},
                                        {"options"},
                                        {"ports"},
                                        {"remotes"},
                                        {"vteps"}};
    static constexpr std::string_view kDecap[] = {"keep", "copy"};
    const Fields fields(reader_, node, path, kKeys);
    if (!fields.is_mapping()) {
      return;
    }
    Network network;
    if (Set(reader_, network.name, fields["name"], Path(path, "name"), &YamlReader::Name)) {
      network_names_.push_back({.key = network.name,
                                .line = reader_.line(fields["name"]),
                                .node = fields["name"],
                                .index = index});
    }
    std::uint32_t vni = 0;
    if (SetNumber(reader_, vni, fields["vni"], Path(path, "vni"), 0, Vni::kMax)) {
      network.vni = Vni::From(vni).value_or(Vni());
      vnis_.push_back(
          {.key = vni, .line = reader_.line(fields["vni"]), .node = fields["vni"], .index = index});
    }
    SetNumber(reader_, network.mtu, fields["mtu"], Path(path, "mtu"), 576, 65535);
    Set(reader_, network.learning, fields["learning"], Path(path, "learning"), &YamlReader::Bool);
    Set(reader_, network.flood_unknown, fields["flood_unknown"], Path(path, "flood_unknown"),
        &YamlReader::Bool);
    if (fields["dscp"] != kNone) {
      DecodeDscp(fields["dscp"], Path(path, "dscp"), network);
    }
    if (fields["dscp_decap"] != kNone) {
      network.dscp_uniform =
          reader_.Word(fields["dscp_decap"], Path(path, "dscp_decap"), kDecap).value_or(0) == 1;
    }
    Set(reader_, network.link_control, fields["link_control"], Path(path, "link_control"),
        &YamlReader::Bool);
    Set(reader_, network.icmp_too_big, fields["icmp_too_big"], Path(path, "icmp_too_big"),
        &YamlReader::Bool);
    if (fields["options"] != kNone) {
      DecodeOptions(fields["options"], Path(path, "options"), network);
    }
    macs_.clear();
    addresses_.clear();
    if (fields["ports"] != kNone) {
      DecodePorts(fields["ports"], Path(path, "ports"), index, network);
    }
    if (fields["remotes"] != kNone) {
      DecodeRemotes(fields["remotes"], Path(path, "remotes"), network);
    }
    CheckWorkloads(path);
    DecodeVteps(fields["vteps"], Path(path, "vteps"), network);
    state_.networks.push_back(Share(std::move(network)));
  }

  void DecodeDscp(NodeId node, const Path& path, Network& network) {
    if (reader_.tree().kind(node) == YamlTree::Kind::kScalar &&
        reader_.tree().text(node) == "copy") {
      network.dscp_copy = true;
      return;
    }
    constexpr std::string_view kRight = "write 0..63, or copy";
    const auto text = reader_.Text(node, path, kRight);
    if (!text.has_value()) {
      return;
    }
    std::uint32_t value = text->size() > 2 ? 64 : 0;
    for (const char c : text->substr(0, 2)) {
      value = c >= '0' && c <= '9' ? value * 10 + static_cast<std::uint32_t>(c - '0') : 640;
    }
    if (value > 63) {
      reader_.Fault(node, path, fmt::format("{} is no DSCP; {}", Quoted(*text), kRight));
      return;
    }
    network.dscp = static_cast<std::uint8_t>(value);
  }

  void DecodeOptions(NodeId list, const Path& path, Network& network) {
    static constexpr KeySpec kKeys[] = {
        {"class", true, "class: 0x0000..0xffff"}, {"type", true, "type: 0x00..0xff"}, {"data"}};
    std::size_t total = 0;
    ForEach(reader_, list, path, "[{ class: 0xfff0, type: 1, data: \"0a0b0c0d\" }]",
            [&](NodeId node, const Path& at, std::uint32_t) {
              const Fields fields(reader_, node, at, kKeys);
              if (!fields.is_mapping()) {
                return;
              }
              OptionTlv option;
              const bool has_class = SetNumber(reader_, option.option_class, fields["class"],
                                               Path(at, "class"), 0, 0xffff);
              const bool has_type =
                  SetNumber(reader_, option.type, fields["type"], Path(at, "type"), 0, 0xff);
              if (const NodeId data = fields["data"]; data != kNone) {
                auto bytes = reader_.Hex(data, Path(at, "data"), kMaxOptionDataBytes);
                if (bytes.has_value()) {
                  option.data = *std::move(bytes);
                }
              }
              total += kOptionHeaderBytes + option.data.size();
              if (has_class && has_type) {
                CheckAgainstKnown(option, node, at);
              }
              network.options.push_back(std::move(option));
            });
    if (total > kMaxOptionsBytes) {
      reader_.Fault(list, path,
                    fmt::format("take {} bytes with their headers; GENEVE has room for {}, leave "
                                "some out",
                                total, kMaxOptionsBytes));
    }
  }

  // What we send ourselves must pass our own check of known options.
  void CheckAgainstKnown(const OptionTlv& option, NodeId node, const Path& path) {
    const auto known = known_options_.find({option.option_class, option.type});
    if (known != known_options_.end() && known->second.has_value() &&
        *known->second != option.data.size()) {
      reader_.Fault(
          node, path,
          fmt::format("has {} bytes of data, but options says that class {:#06x} type "
                      "{:#04x} has {}; make them equal",
                      option.data.size(), option.option_class, option.type, *known->second));
    }
  }

  void DecodePorts(NodeId list, const Path& path, std::uint32_t network_index, Network& network) {
    static constexpr KeySpec kKeys[] = {{"name", true, "name: of the port, unique on this host"},
                                        {"device", true, "device: the workload's network device"},
                                        {"mac", true, "mac: the workload's MAC address"},
                                        {"addresses"},
                                        {"security"}};
    ForEach(reader_, list, path, "- name: vm-1", [&](NodeId node, const Path& at, std::uint32_t i) {
      const Fields fields(reader_, node, at, kKeys);
      if (!fields.is_mapping()) {
        return;
      }
      Port port;
      if (Set(reader_, port.name, fields["name"], Path(at, "name"), &YamlReader::Name)) {
        port_names_.push_back({.key = port.name,
                               .line = reader_.line(fields["name"]),
                               .node = fields["name"],
                               .index = network_index,
                               .address = i});
      }
      if (Set(reader_, port.device, fields["device"], Path(at, "device"), &YamlReader::Device)) {
        if (port.device == state_.underlay.device) {
          reader_.Fault(
              fields["device"], Path(at, "device"),
              fmt::format("{} is the underlay; write the workload's device", Quoted(port.device)));
        }
        port_devices_.push_back({.key = port.device,
                                 .line = reader_.line(fields["device"]),
                                 .node = fields["device"],
                                 .index = network_index,
                                 .address = i});
      }
      if (Set(reader_, port.mac, fields["mac"], Path(at, "mac"), &YamlReader::Mac)) {
        AddMac(port.mac, fields["mac"], false, i);
      }
      DecodeAddresses(fields["addresses"], Path(at, "addresses"), false, i, port.addresses);
      Set(reader_, port.port_security, fields["security"], Path(at, "security"), &YamlReader::Bool);
      network.ports.push_back(std::move(port));
    });
  }

  void DecodeRemotes(NodeId list, const Path& path, Network& network) {
    static constexpr KeySpec kKeys[] = {{"mac", true, "mac: the workload's MAC address"},
                                        {"addresses"},
                                        {"vtep", true, "vtep: the VTEP of the workload's host"}};
    const auto elements =
        reader_.List(list, path, "- { mac: \"aa:bb:cc:dd:ee:11\", vtep: 192.168.1.102 }");
    network.remotes.reserve(elements.size());
    macs_.reserve(macs_.size() + elements.size());
    addresses_.reserve(addresses_.size() + elements.size());
    for (std::uint32_t i = 0; i < elements.size(); ++i) {
      const Path at(path, i);
      const Fields fields(reader_, elements[i], at, kKeys);
      if (!fields.is_mapping()) {
        continue;
      }
      Remote remote;
      if (Set(reader_, remote.mac, fields["mac"], Path(at, "mac"), &YamlReader::Mac)) {
        AddMac(remote.mac, fields["mac"], true, i);
      }
      DecodeAddresses(fields["addresses"], Path(at, "addresses"), true, i, remote.addresses);
      if (fields["vtep"] != kNone) {
        const auto vtep = RemoteVtep(reader_, state_.underlay, fields["vtep"], Path(at, "vtep"));
        remote.vtep = vtep.value_or(IpAddress());
      }
      network.remotes.push_back(std::move(remote));
    }
  }

  void AddMac(const MacAddress& mac, NodeId node, bool remote, std::uint32_t index) {
    macs_.push_back(
        {.key = mac, .line = reader_.line(node), .node = node, .remote = remote, .index = index});
  }

  void DecodeAddresses(NodeId list, const Path& path, bool remote, std::uint32_t index,
                       std::vector<IpAddress>& out) {
    if (list == kNone) {
      return;
    }
    const auto elements = reader_.List(list, path, "[10.0.1.10]");
    out.reserve(elements.size());
    for (std::uint32_t i = 0; i < elements.size(); ++i) {
      const auto address = reader_.Address(elements[i], Path(path, i));
      if (!address.has_value()) {
        continue;
      }
      addresses_.push_back({.key = *address,
                            .line = reader_.line(elements[i]),
                            .node = elements[i],
                            .remote = remote,
                            .index = index,
                            .address = i});
      out.push_back(*address);
    }
  }

  void CheckWorkloads(const Path& network) {
    FindTwice(macs_, [&](const auto& first, const auto& again) {
      const Path list(network, again.remote ? "remotes" : "ports");
      reader_.Fault(again.node, Path(Path(list, again.index), "mac"),
                    fmt::format("{} is also on line {}; a MAC address is in a network once",
                                again.key.ToString(), first.line));
    });
    FindTwice(addresses_, [&](const auto& first, const auto& again) {
      const Path list(network, again.remote ? "remotes" : "ports");
      const Path item(list, again.index);
      const Path addresses(item, "addresses");
      reader_.Fault(again.node, Path(addresses, again.address),
                    fmt::format("{} is also on line {}; an address is in a network once",
                                again.key.ToString(), first.line));
    });
  }

  // In address order, with those of the remotes.
  void DecodeVteps(NodeId list, const Path& path, Network& network) {
    std::vector<Use<IpAddress>> uses;
    if (list != kNone) {
      ForEach(
          reader_, list, path, "[192.168.1.102]",
          [&](NodeId node, const Path& at, std::uint32_t i) {
            const auto vtep = RemoteVtep(reader_, state_.underlay, node, at);
            if (vtep.has_value()) {
              uses.push_back({.key = *vtep, .line = reader_.line(node), .node = node, .index = i});
              network.vteps.push_back(*vtep);
            }
          });
    }
    FindTwice(uses, [&](const auto& first, const auto& again) {
      reader_.Fault(
          again.node, Path(path, again.index),
          fmt::format("{} is also on line {}; keep one", again.key.ToString(), first.line));
    });
    const IpAddress* last = nullptr;
    for (const Remote& remote : network.remotes) {
      if (last == nullptr || *last != remote.vtep) {  // mostly one VTEP has many in a row
        network.vteps.push_back(remote.vtep);
        last = &remote.vtep;
      }
    }
    std::sort(network.vteps.begin(), network.vteps.end());
    network.vteps.erase(std::unique(network.vteps.begin(), network.vteps.end()),
                        network.vteps.end());
    network.vteps.shrink_to_fit();
  }

  // The object of the state before, if it says the same. Here the new one is still in the cache.
  std::shared_ptr<const Network> Share(Network&& network) const {
    const auto before = before_.find(network.vni);
    if (before != before_.end() && *before->second == network) {
      return before->second;
    }
    return std::make_shared<const Network>(std::move(network));
  }

  YamlReader& reader_;
  DesiredState& state_;
  std::map<Vni, std::shared_ptr<const Network>> before_;
  std::map<std::pair<std::uint16_t, std::uint8_t>, std::optional<std::uint8_t>> known_options_;
  std::vector<Use<std::uint32_t>> vnis_;
  std::vector<Use<std::string>> network_names_;
  std::vector<Use<std::string>> port_names_;    // index: network, address: port
  std::vector<Use<std::string>> port_devices_;  // likewise
  std::vector<Use<MacAddress>> macs_;           // of the network at hand
  std::vector<Use<IpAddress>> addresses_;       // likewise
};

}  // namespace

void DecodeNetworks(YamlReader& reader, NodeId list, const Path& path, const DesiredState* before,
                    DesiredState& state) {
  NetworkDecoder(reader, before, state).Decode(list, path);
}

}  // namespace leman::model
