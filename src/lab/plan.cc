#include "lab/plan.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "lab/yaml_node.h"

namespace leman::lab {
namespace {

constexpr std::size_t kMaxDeviceNameLength = 15;  // IFNAMSIZ - 1

std::string Number(std::uint32_t value) { return std::to_string(value); }

// IPv6 addresses hold ':' and need quotes in YAML's flow style.
std::string YamlAddress(const IpAddress& address) {
  return address.IsV4() ? address.ToString() : QuoteYaml(address.ToString());
}

std::string YamlAddresses(const std::vector<IpPrefix>& prefixes) {
  std::string list;
  for (const IpPrefix& prefix : prefixes) {
    list += (list.empty() ? "" : ", ") + YamlAddress(prefix.address);
  }
  return "[" + list + "]";
}

// Tunnels run over IPv4 when every host has it; a pair of hosts never mixes families.
bool TunnelsUseIpv4(const LabFile& lab) {
  return std::all_of(lab.hosts.begin(), lab.hosts.end(),
                     [](const Host& host) { return host.address4.has_value(); });
}

IpAddress VtepOf(const LabFile& lab, const Host& host) {
  return TunnelsUseIpv4(lab) ? host.address4->address : host.address6->address;
}

// Device of each machine's port: port-VM without dashes, or a number where that is too long or
// taken on the host.
std::map<std::string, std::string> PortDevices(const LabFile& lab) {
  std::map<std::string, std::string> devices;
  std::set<std::pair<std::string, std::string>> taken;
  for (std::size_t i = 0; i < lab.machines.size(); ++i) {
    const Machine& machine = lab.machines[i];
    std::string device = "port-";
    std::copy_if(machine.name.begin(), machine.name.end(), std::back_inserter(device),
                 [](char c) { return c != '-'; });
    if (device.size() > kMaxDeviceNameLength || taken.contains({machine.host, device})) {
      device = "port-n" + std::to_string(i);
    }
    taken.insert({machine.host, device});
    devices[machine.name] = device;
  }
  return devices;
}

class StateWriter {
 public:
  StateWriter(const LabFile& lab, const Host& host,
              const std::map<std::string, std::string>& devices)
      : lab_(lab), host_(host), devices_(devices) {}

  std::string Write();

 private:
  void WriteNetwork(const Network& network);
  void Line(const std::string& text) { text_ += text + "\n"; }

  const LabFile& lab_;
  const Host& host_;
  const std::map<std::string, std::string>& devices_;
  std::string text_;
};

std::string StateWriter::Write() {
  Line("# Made by `leman lab up`; the lab file is the place for changes.");
  Line("host: " + host_.name);
  Line("underlay:");
  Line("  device: " + std::string(kUnderlayDevice));
  std::vector<IpPrefix> addresses;
  if (host_.address4) {
    addresses.push_back(*host_.address4);
  }
  if (host_.address6) {
    addresses.push_back(*host_.address6);
  }
  Line("  addresses: " + YamlAddresses(addresses));
  for (const Setting& setting : lab_.underlay_settings) {
    Line("  " + setting.key + ": " + setting.yaml);
  }
  if (lab_.options) {
    Line("options: " + *lab_.options);
  }
  if (!lab_.peer_settings.empty() && lab_.hosts.size() > 1) {
    Line("peers:");
    for (const Host& other : lab_.hosts) {
      if (other.name == host_.name) {
        continue;
      }
      std::string entry = "  - { address: " + YamlAddress(VtepOf(lab_, other));
      for (const Setting& setting : lab_.peer_settings) {
        entry += ", " + setting.key + ": " + setting.yaml;
      }
      Line(entry + " }");
    }
  }
  const auto here = [&](const Network& network) {
    return std::any_of(lab_.machines.begin(), lab_.machines.end(), [&](const Machine& machine) {
      return machine.network == network.name && machine.host == host_.name;
    });
  };
  if (std::none_of(lab_.networks.begin(), lab_.networks.end(), here)) {
    Line("networks: []");
    return text_;
  }
  Line("networks:");
  for (const Network& network : lab_.networks) {
    if (here(network)) {
      WriteNetwork(network);
    }
  }
  return text_;
}

void StateWriter::WriteNetwork(const Network& network) {
  Line("  - name: " + network.name);
  Line("    vni: " + Number(network.vni.value()));
  Line("    mtu: " + Number(network.mtu.value_or(0)));
  for (const Setting& setting : network.settings) {
    Line("    " + setting.key + ": " + setting.yaml);
  }
  std::string ports;
  std::string remotes;
  std::vector<std::string> vteps;
  for (const Machine& machine : lab_.machines) {
    if (machine.network != network.name) {
      continue;
    }
    const std::string who = "mac: " + QuoteYaml(machine.mac.ToString()) +
                            ", addresses: " + YamlAddresses(machine.addresses);
    if (machine.host == host_.name) {
      ports += "      - { name: " + machine.name + ", device: " + devices_.at(machine.name) + ", " +
               who + ", security: " + (machine.security ? "true" : "false") + " }\n";
      continue;
    }
    const std::string vtep = YamlAddress(VtepOf(lab_, *lab_.FindHost(machine.host)));
    remotes += "      - { " + who + ", vtep: " + vtep + " }\n";
    if (std::find(vteps.begin(), vteps.end(), vtep) == vteps.end()) {
      vteps.push_back(vtep);
    }
  }
  text_ += "    ports:\n" + ports;
  if (!remotes.empty()) {
    text_ += "    remotes:\n" + remotes;
  }
  if (!vteps.empty()) {
    std::string list;
    for (const std::string& vtep : vteps) {
      list += (list.empty() ? "" : ", ") + vtep;
    }
    Line("    vteps: [" + list + "]");
  }
}

// Duplicate address detection waits a second, and nobody else is on these links; without an address
// of its own the kernel keeps quiet on a link, so that captures show the lab's traffic only.
std::string SetUpDevice(std::string_view device, const std::vector<IpPrefix>& addresses) {
  const std::string name(device);
  std::string batch = "link set " + name + " addrgenmode none\n";
  for (const IpPrefix& prefix : addresses) {
    batch += "address add " + prefix.ToString() + " dev " + name +
             (prefix.address.IsV4() ? "" : " nodad") + "\n";
  }
  return batch + "link set " + name + " up\n";
}

// Links are made from inside the namespace of one of their ends: before 6.15 the kernel takes a
// name for taken when it is so where the asker is, and many a computer has an eth0.
std::string MakeVeth(std::string_view device, std::string_view mtu, std::string_view peer,
                     std::string_view peer_netns, std::string_view peer_mac = {}) {
  return "link add " + std::string(device) + " mtu " + std::string(mtu) + " type veth peer name " +
         std::string(peer) + (peer_mac.empty() ? "" : " address " + std::string(peer_mac)) +
         " mtu " + std::string(mtu) + " netns " + std::string(peer_netns) + "\n";
}

// The links between hosts, put in front of what fills the namespaces they are made in.
void PlanUnderlay(const LabFile& lab, LabPlan& plan, std::vector<NamespacePlan>& hosts) {
  const std::string mtu = Number(lab.underlay_mtu);
  if (lab.topology == Topology::kDirect) {
    std::string& batch = hosts.front().ip_batch;
    batch = MakeVeth(kUnderlayDevice, mtu, kUnderlayDevice, hosts.back().name) + batch;
    return;
  }
  NamespacePlan bridge;
  bridge.name = NetnsName(lab.name, kUnderlayThing);
  bridge.ip_batch =
      "link add br0 mtu " + mtu + " type bridge forward_delay 0 stp_state 0 mcast_snooping 0\n";
  bridge.ip_batch += SetUpDevice("br0", {});
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    const std::string port = "host" + std::to_string(i);
    bridge.ip_batch += MakeVeth(port, mtu, kUnderlayDevice, hosts[i].name) + "link set " + port +
                       " master br0\n" + SetUpDevice(port, {});
    if (!lab.offloads) {
      bridge.no_offload_devices.push_back(port);
    }
  }
  plan.contents.push_back(std::move(bridge));
}

}  // namespace

std::string NetnsName(std::string_view lab, std::string_view thing) {
  return std::string(kNamespacePrefix) + std::string(lab) + "-" + std::string(thing);
}

std::string RunDir(std::string_view lab) { return std::string(kRunRoot) + "/" + std::string(lab); }

bool IsPlainName(std::string_view name) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && plain(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return plain(c) || c == '-'; });
}

std::optional<IpPrefix> ParsePrefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    return std::nullopt;
  }
  const auto address = IpAddress::Parse(text.substr(0, slash));
  std::uint8_t length = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + slash + 1, end, length);
  if (!address || error != std::errc() || rest != end || length > (address->IsV4() ? 32 : 128)) {
    return std::nullopt;
  }
  return IpPrefix{*address, length};
}

MacAddress DefaultMac(std::size_t machine_index) {
  const std::size_t number = machine_index + 1;
  return MacAddress({0x02, 0x4c, 0x4d, static_cast<std::uint8_t>(number >> 16U),
                     static_cast<std::uint8_t>(number >> 8U), static_cast<std::uint8_t>(number)});
}

std::uint32_t LargestMachineMtu(const LabFile& lab, const Network& network) {
  const std::uint32_t ip_header = TunnelsUseIpv4(lab) ? 20 : 40;
  const std::uint32_t overhead =
      ip_header + 8 /* UDP */ + 8 /* GENEVE */ + network.options_bytes + 14 /* inner Ethernet */;
  return lab.underlay_mtu > overhead ? lab.underlay_mtu - overhead : 0;
}

LabPlan MakePlan(const LabFile& lab) {
  LabPlan plan;
  plan.lab = lab.name;
  plan.run_dir = RunDir(lab.name);
  plan.pin_root = std::string(kPinRoot) + "/" + lab.name;
  const auto devices = PortDevices(lab);

  std::vector<NamespacePlan> host_contents;
  for (const Host& host : lab.hosts) {
    HostPlan entry;
    entry.name = host.name;
    entry.netns = NetnsName(lab.name, host.name);
    entry.run_dir = plan.run_dir + "/" + host.name;
    entry.state_path = entry.run_dir + "/state.yaml";
    entry.state_yaml = StateWriter(lab, host, devices).Write();
    entry.pin_root = plan.pin_root + "/" + host.name;

    std::vector<IpPrefix> addresses;
    for (const auto& address : {host.address4, host.address6}) {
      if (address) {
        addresses.push_back(*address);
      }
    }
    NamespacePlan contents;
    contents.name = entry.netns;
    contents.ip_batch = "link set lo up\n" + SetUpDevice(kUnderlayDevice, addresses);
    if (!lab.offloads) {
      contents.no_offload_devices.emplace_back(kUnderlayDevice);
    }
    host_contents.push_back(std::move(contents));
    plan.hosts.push_back(std::move(entry));
  }
  PlanUnderlay(lab, plan, host_contents);

  std::vector<NamespacePlan> machine_contents;
  for (const Machine& machine : lab.machines) {
    MachinePlan entry;
    entry.machine = machine;
    entry.mtu = lab.FindNetwork(machine.network)->mtu.value_or(0);
    entry.port_device = devices.at(machine.name);
    entry.host_netns = NetnsName(lab.name, machine.host);
    entry.run_dir = plan.run_dir + "/" + machine.name;
    const std::string mtu = Number(entry.mtu);
    NamespacePlan& host =
        *std::find_if(host_contents.begin(), host_contents.end(),
                      [&](const NamespacePlan& one) { return one.name == entry.host_netns; });
    if (machine.kind == Kind::kQemu) {
      // vnet_hdr lets the guest send and take aggregates and partial checksums.
      host.ip_batch += "tuntap add dev " + entry.port_device + " mode tap" +
                       (lab.offloads ? " vnet_hdr" : "") + "\nlink set " + entry.port_device +
                       " mtu " + mtu + "\n";
    } else {
      entry.netns = NetnsName(lab.name, machine.name);
      host.ip_batch +=
          MakeVeth(entry.port_device, mtu, kMachineDevice, entry.netns, machine.mac.ToString());
      NamespacePlan contents;
      contents.name = entry.netns;
      contents.ip_batch = "link set lo up\n" + SetUpDevice(kMachineDevice, machine.addresses);
      if (!lab.offloads) {
        contents.no_offload_devices.emplace_back(kMachineDevice);
        host.no_offload_devices.push_back(entry.port_device);
      }
      machine_contents.push_back(std::move(contents));
    }
    host.ip_batch += SetUpDevice(entry.port_device, {});
    plan.machines.push_back(std::move(entry));
  }
  for (std::vector<NamespacePlan>* part : {&host_contents, &machine_contents}) {
    std::move(part->begin(), part->end(), std::back_inserter(plan.contents));
  }
  return plan;
}

const HostPlan* LabPlan::FindHost(std::string_view name) const {
  const auto found = std::find_if(hosts.begin(), hosts.end(),
                                  [&](const HostPlan& host) { return host.name == name; });
  return found == hosts.end() ? nullptr : &*found;
}

const MachinePlan* LabPlan::FindMachine(std::string_view name) const {
  const auto found = std::find_if(machines.begin(), machines.end(), [&](const MachinePlan& entry) {
    return entry.machine.name == name;
  });
  return found == machines.end() ? nullptr : &*found;
}

}  // namespace leman::lab
