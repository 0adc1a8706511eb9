// ParseLabFile: from the YAML tree to a LabFile, collecting faults instead of stopping at the
// first.
#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <set>
#include <utility>

#include "lab/lab_file.h"
#include "lab/plan.h"
#include "lab/yaml_node.h"

namespace leman::lab {
namespace {

constexpr std::size_t kMaxFaults = 20;
constexpr std::size_t kMaxNameLength = 24;  // keeps socket paths under the kernel's 108 bytes
constexpr std::uint32_t kDefaultMachineMtu = 1500;

class Parser {
 public:
  explicit Parser(std::string_view file_name) : file_name_(file_name) {}

  LabFile Parse(const YamlNode& root);
  [[nodiscard]] Status Verdict() const;

 private:
  using Keys = std::initializer_list<std::string_view>;

  void Fault(int line, const std::string& key, const std::string& what);
  // The member of a map, null if absent.
  static const YamlNode* Find(const YamlNode& map, std::string_view key);
  // The same for a key that must be there.
  const YamlNode* Need(const YamlNode& map, const std::string& where, const std::string& key,
                       const std::string& example);
  // Faults keys that are not in `known`; false if `node` is no map.
  bool CheckMap(const YamlNode& node, const std::string& where, Keys known);

  std::optional<std::string> Text(const YamlNode& node, const std::string& where);
  std::optional<std::string> Name(const YamlNode& map, const std::string& where);
  std::optional<std::uint32_t> Number(const YamlNode& node, const std::string& where,
                                      std::uint32_t low, std::uint32_t high);
  std::optional<bool> Switch(const YamlNode& node, const std::string& where);
  std::vector<IpPrefix> Prefixes(const YamlNode& map, const std::string& where,
                                 const std::string& example);
  static void Pass(const YamlNode& map, Keys keys, std::vector<Setting>& settings);

  void ParseUnderlay(const YamlNode& root, LabFile& lab);
  void ParseHost(const YamlNode& node, const std::string& where, LabFile& lab);
  void ParseNetwork(const YamlNode& node, const std::string& where, LabFile& lab);
  void ParseMachine(const YamlNode& node, const std::string& where, Kind kind, LabFile& lab);
  void CheckTogether(const YamlNode& root, LabFile& lab);
  std::uint32_t OptionsBytes(const YamlNode& node, const std::string& where);

  std::string file_name_;
  std::vector<std::string> faults_;
  std::set<std::string> names_;  // of hosts and machines: both name a namespace
};

void Parser::Fault(int line, const std::string& key, const std::string& what) {
  if (faults_.size() < kMaxFaults) {
    faults_.push_back(file_name_ + ":" + std::to_string(line) + ": " + key + ": " + what);
  }
}

Status Parser::Verdict() const {
  std::string text;
  for (const std::string& fault : faults_) {
    text += (text.empty() ? "" : "\n") + fault;
  }
  return text.empty() ? Status() : Status(Fail(Code::kInvalidArgument, text));
}

const YamlNode* Parser::Find(const YamlNode& map, std::string_view key) {
  for (const YamlNode& member : map.members) {
    if (member.key == key) {
      return &member;
    }
  }
  return nullptr;
}

const YamlNode* Parser::Need(const YamlNode& map, const std::string& where, const std::string& key,
                             const std::string& example) {
  const YamlNode* found = Find(map, key);
  if (found == nullptr || found->type == YamlNode::Type::kNull) {
    Fault(map.line, where + key, "is missing; write for example " + key + ": " + example);
    return nullptr;
  }
  return found;
}

bool Parser::CheckMap(const YamlNode& node, const std::string& where, Keys known) {
  std::string list;
  for (const std::string_view key : known) {
    list += (list.empty() ? "" : ", ") + std::string(key);
  }
  if (node.type != YamlNode::Type::kMap) {
    Fault(node.line, where.empty() ? "lab file" : where, "is not a map; its keys are " + list);
    return false;
  }
  for (const YamlNode& member : node.members) {
    if (std::find(known.begin(), known.end(), member.key) == known.end()) {
      Fault(member.line, where.empty() ? member.key : where + "." + member.key,
            "is not known here; the keys are " + list);
    }
  }
  return true;
}

std::optional<std::string> Parser::Text(const YamlNode& node, const std::string& where) {
  if (node.type != YamlNode::Type::kScalar || node.text.empty()) {
    Fault(node.line, where, "is not a word; write one value");
    return std::nullopt;
  }
  return node.text;
}

std::optional<std::string> Parser::Name(const YamlNode& map, const std::string& where) {
  const YamlNode* node = Need(map, where, "name", "vm-1");
  if (node == nullptr) {
    return std::nullopt;
  }
  auto name = Text(*node, where + "name");
  if (!name) {
    return std::nullopt;
  }
  if (!IsPlainName(*name) || name->size() > kMaxNameLength) {
    Fault(node->line, where + "name",
          "\"" + *name + "\" does not fit; up to 24 of a-z, 0-9 and '-', a letter or digit first");
    return std::nullopt;
  }
  return name;
}

std::optional<std::uint32_t> Parser::Number(const YamlNode& node, const std::string& where,
                                            std::uint32_t low, std::uint32_t high) {
  std::uint32_t value = 0;
  const char* end = node.text.data() + node.text.size();
  const auto [rest, error] = std::from_chars(node.text.data(), end, value);
  if (node.type != YamlNode::Type::kScalar || error != std::errc() || rest != end || value < low ||
      value > high) {
    Fault(node.line, where,
          node.ToFlow() + " does not fit; a number from " + std::to_string(low) + " to " +
              std::to_string(high));
    return std::nullopt;
  }
  return value;
}

std::optional<bool> Parser::Switch(const YamlNode& node, const std::string& where) {
  if (node.text == "on" || node.text == "true") {
    return true;
  }
  if (node.text == "off" || node.text == "false") {
    return false;
  }
  Fault(node.line, where, node.ToFlow() + " does not fit; on or off");
  return std::nullopt;
}

std::vector<IpPrefix> Parser::Prefixes(const YamlNode& map, const std::string& where,
                                       const std::string& example) {
  std::vector<IpPrefix> result;
  const YamlNode* list = Need(map, where, "addresses", "[" + example + "]");
  if (list == nullptr) {
    return result;
  }
  if (list->type != YamlNode::Type::kList || list->items.empty()) {
    Fault(list->line, where + "addresses", "is not a list; write for example [" + example + "]");
    return result;
  }
  for (const YamlNode& item : list->items) {
    const auto prefix = ParsePrefix(item.text);
    if (!prefix) {
      Fault(item.line, where + "addresses",
            item.ToFlow() + " is no address with prefix length; write for example " + example);
    } else {
      result.push_back(*prefix);
    }
  }
  return result;
}

void Parser::Pass(const YamlNode& map, Keys keys, std::vector<Setting>& settings) {
  for (const YamlNode& member : map.members) {
    if (std::find(keys.begin(), keys.end(), member.key) != keys.end()) {
      settings.push_back({member.key, member.ToFlow()});
    }
  }
}

void Parser::ParseUnderlay(const YamlNode& root, LabFile& lab) {
  const YamlNode* topology = nullptr;
  if (const YamlNode* node = Find(root, "underlay");
      node != nullptr && CheckMap(*node, "underlay",
                                  {"mtu", "topology", "offloads", "port", "source_ports", "ttl",
                                   "udp_checksum", "ecn"})) {
    if (const YamlNode* mtu = Find(*node, "mtu")) {
      lab.underlay_mtu =
          static_cast<std::uint16_t>(Number(*mtu, "underlay.mtu", 576, 65535).value_or(1600));
    }
    if (const YamlNode* offloads = Find(*node, "offloads")) {
      lab.offloads = Switch(*offloads, "underlay.offloads").value_or(true);
    }
    topology = Find(*node, "topology");
    Pass(*node, {"port", "source_ports", "ttl"}, lab.underlay_settings);
    Pass(*node, {"udp_checksum", "ecn"}, lab.peer_settings);
  }
  lab.topology = lab.hosts.size() == 2 ? Topology::kDirect : Topology::kBridge;
  if (topology == nullptr || topology->text == "auto") {
    return;
  }
  if (topology->text == "bridge") {
    lab.topology = Topology::kBridge;
  } else if (topology->text != "direct") {
    Fault(topology->line, "underlay.topology",
          topology->ToFlow() + " does not fit; auto, direct or bridge");
  } else if (lab.hosts.size() != 2) {
    Fault(
        topology->line, "underlay.topology",
        "direct joins two hosts, here are " + std::to_string(lab.hosts.size()) + "; write bridge");
  }
}

void Parser::ParseHost(const YamlNode& node, const std::string& where, LabFile& lab) {
  if (!CheckMap(node, where, {"name", "addresses"})) {
    return;
  }
  Host host;
  const auto name = Name(node, where + ".");
  for (const IpPrefix& prefix : Prefixes(node, where + ".", "192.168.1.101/24")) {
    auto& slot = prefix.address.IsV4() ? host.address4 : host.address6;
    if (slot) {
      Fault(node.line, where + ".addresses", "has two of one family; one IPv4, one IPv6, or both");
    }
    slot = prefix;
  }
  if (!name) {
    return;
  }
  host.name = *name;
  if (!names_.insert(host.name).second) {
    Fault(node.line, where + ".name", host.name + " is taken; hosts and machines share names");
  }
  lab.hosts.push_back(std::move(host));
}

std::uint32_t Parser::OptionsBytes(const YamlNode& node, const std::string& where) {
  std::uint32_t bytes = 0;
  for (const YamlNode& option : node.items) {
    const YamlNode* data = Find(option, "data");
    bytes += 4 + static_cast<std::uint32_t>(data == nullptr ? 0 : data->text.size() / 2);
  }
  if (node.type != YamlNode::Type::kList || bytes > 252 || bytes % 4 != 0) {
    Fault(node.line, where,
          "does not fit; a list like [{ class: 0xFFF0, type: 1, data: \"0a0b0c0d\" }], at most 252 "
          "bytes with 4 for each header, data in steps of 4 bytes");
    return 0;
  }
  return bytes;
}

void Parser::ParseNetwork(const YamlNode& node, const std::string& where, LabFile& lab) {
  if (!CheckMap(node, where,
                {"name", "vni", "mtu", "learning", "flood_unknown", "dscp", "dscp_decap",
                 "link_control", "icmp_too_big", "options"})) {
    return;
  }
  Network network;
  const auto name = Name(node, where + ".");
  if (const YamlNode* vni = Need(node, where + ".", "vni", "10001")) {
    network.vni = Vni::From(Number(*vni, where + ".vni", 0, Vni::kMax).value_or(0)).value_or(Vni());
  }
  if (const YamlNode* mtu = Find(node, "mtu")) {
    if (const auto value = Number(*mtu, where + ".mtu", 68, 65535)) {
      network.mtu = static_cast<std::uint16_t>(*value);
    }
  }
  if (const YamlNode* options = Find(node, "options")) {
    network.options_bytes = OptionsBytes(*options, where + ".options");
  }
  Pass(node,
       {"learning", "flood_unknown", "dscp", "dscp_decap", "link_control", "icmp_too_big",
        "options"},
       network.settings);
  if (!name) {
    return;
  }
  network.name = *name;
  for (const Network& other : lab.networks) {
    if (other.name == network.name) {
      Fault(node.line, where + ".name", network.name + " is taken; names are unique");
    }
    if (other.vni == network.vni) {
      Fault(node.line, where + ".vni",
            std::to_string(network.vni.value()) + " is " + other.name + "'s; VNIs are unique");
    }
  }
  lab.networks.push_back(std::move(network));
}

void Parser::ParseMachine(const YamlNode& node, const std::string& where, Kind kind, LabFile& lab) {
  if (!CheckMap(node, where, {"name", "host", "network", "mac", "addresses", "kind", "security"})) {
    return;
  }
  Machine machine;
  machine.kind = kind;
  const auto name = Name(node, where + ".");
  machine.addresses = Prefixes(node, where + ".", "10.0.1.10/24");
  if (const YamlNode* host = Need(node, where + ".", "host", "host-a")) {
    machine.host = host->text;
    if (lab.FindHost(machine.host) == nullptr) {
      Fault(host->line, where + ".host", host->ToFlow() + " is none of hosts; name one of them");
    }
  }
  if (const YamlNode* network = Need(node, where + ".", "network", "blue")) {
    machine.network = network->text;
    if (lab.FindNetwork(machine.network) == nullptr) {
      Fault(network->line, where + ".network",
            network->ToFlow() + " is none of networks; name one of them");
    }
  }
  machine.mac = DefaultMac(lab.machines.size());
  if (const YamlNode* mac = Find(node, "mac")) {
    const auto parsed = MacAddress::Parse(mac->text);
    if (!parsed || parsed->IsGroup() || parsed->IsZero()) {
      Fault(mac->line, where + ".mac",
            mac->ToFlow() + " is no machine's MAC; write for example \"02:00:00:00:00:01\"");
    } else {
      machine.mac = *parsed;
    }
  }
  if (const YamlNode* own_kind = Find(node, "kind")) {
    const auto parsed = ParseKind(own_kind->text);
    if (!parsed) {
      Fault(own_kind->line, where + ".kind", own_kind->ToFlow() + " does not fit; netns or qemu");
    }
    machine.kind = parsed.value_or(kind);
  }
  if (const YamlNode* security = Find(node, "security")) {
    machine.security = Switch(*security, where + ".security").value_or(true);
  }
  if (!name) {
    return;
  }
  machine.name = *name;
  if (!names_.insert(machine.name).second) {
    Fault(node.line, where + ".name", machine.name + " is taken; hosts and machines share names");
  }
  for (const Machine& other : lab.machines) {
    if (other.network != machine.network) {
      continue;
    }
    if (other.mac == machine.mac) {
      Fault(node.line, where + ".mac",
            machine.mac.ToString() + " is " + other.name + "'s; unique within a network");
    }
    for (const IpPrefix& prefix : machine.addresses) {
      if (std::any_of(other.addresses.begin(), other.addresses.end(),
                      [&](const IpPrefix& taken) { return taken.address == prefix.address; })) {
        Fault(node.line, where + ".addresses",
              prefix.address.ToString() + " is " + other.name + "'s; unique within a network");
      }
    }
  }
  lab.machines.push_back(std::move(machine));
}

// What only shows when all parts are there: every pair of hosts can talk, every network has an MTU.
void Parser::CheckTogether(const YamlNode& root, LabFile& lab) {
  const YamlNode* hosts = Find(root, "hosts");
  const bool all4 = std::all_of(lab.hosts.begin(), lab.hosts.end(),
                                [](const Host& host) { return host.address4.has_value(); });
  const bool all6 = std::all_of(lab.hosts.begin(), lab.hosts.end(),
                                [](const Host& host) { return host.address6.has_value(); });
  if (!all4 && !all6) {
    Fault(hosts == nullptr ? root.line : hosts->line, "hosts",
          "have no address family in common; give each an IPv4 or each an IPv6 address");
  }
  for (const Network& network : lab.networks) {
    const std::uint32_t room = LargestMachineMtu(lab, network);
    const bool ipv6 =
        std::any_of(lab.machines.begin(), lab.machines.end(), [&](const Machine& machine) {
          return machine.network == network.name &&
                 std::any_of(machine.addresses.begin(), machine.addresses.end(),
                             [](const IpPrefix& prefix) { return !prefix.address.IsV4(); });
        });
    const std::uint32_t mtu = network.mtu.value_or(std::min(room, kDefaultMachineMtu));
    if (mtu > room) {
      Fault(Find(root, "networks")->line, "networks." + network.name + ".mtu",
            std::to_string(mtu) + " does not fit through the underlay; at most " +
                std::to_string(room) + ", or a larger underlay.mtu");
    } else if (ipv6 && mtu < 1280) {
      Fault(Find(root, "networks")->line, "networks." + network.name + ".mtu",
            std::to_string(mtu) + " is too small for IPv6 (1280); raise underlay.mtu");
    }
  }
}

LabFile Parser::Parse(const YamlNode& root) {
  LabFile lab;
  if (!CheckMap(root, "",
                {"lab", "kind", "underlay", "options", "hosts", "networks", "machines"})) {
    return lab;
  }
  if (const YamlNode* name = Need(root, "", "lab", "two-hosts")) {
    lab.name = name->text;
    if (!IsPlainName(lab.name) || lab.name.size() > kMaxNameLength) {
      Fault(
          name->line, "lab",
          name->ToFlow() + " does not fit; up to 24 of a-z, 0-9 and '-', a letter or digit first");
    }
  }
  Kind kind = Kind::kNetns;
  if (const YamlNode* node = Find(root, "kind")) {
    const auto parsed = ParseKind(node->text);
    if (!parsed) {
      Fault(node->line, "kind", node->ToFlow() + " does not fit; netns or qemu");
    }
    kind = parsed.value_or(kind);
  }
  names_.insert(std::string(kUnderlayThing));
  const auto each = [&](const std::string& key, const auto& parse) {
    const YamlNode* list = Need(root, "", key, "[…]");
    if (list == nullptr) {
      return;
    }
    if (list->type != YamlNode::Type::kList) {
      Fault(list->line, key, "is not a list; write an entry a line, each with '-'");
      return;
    }
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      parse(list->items[i], key + "[" + std::to_string(i) + "]");
    }
  };
  each("hosts",
       [&](const YamlNode& node, const std::string& where) { ParseHost(node, where, lab); });
  each("networks",
       [&](const YamlNode& node, const std::string& where) { ParseNetwork(node, where, lab); });
  each("machines", [&](const YamlNode& node, const std::string& where) {
    ParseMachine(node, where, kind, lab);
  });
  ParseUnderlay(root, lab);
  if (const YamlNode* options = Find(root, "options")) {
    lab.options = options->ToFlow();
  }
  if (faults_.empty()) {
    CheckTogether(root, lab);
  }
  for (Network& network : lab.networks) {
    if (faults_.empty() && !network.mtu) {
      network.mtu =
          static_cast<std::uint16_t>(std::min(LargestMachineMtu(lab, network), kDefaultMachineMtu));
    }
  }
  return lab;
}

}  // namespace

Result<LabFile> ParseLabFile(std::string_view file_name, std::string_view text) {
  LEMAN_ASSIGN_OR_RETURN(const YamlNode root, LoadYaml(file_name, text));
  Parser parser(file_name);
  LabFile lab = parser.Parse(root);
  LEMAN_TRY(parser.Verdict());
  return lab;
}

}  // namespace leman::lab
