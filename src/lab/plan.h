// From a lab file to everything that `leman lab up` makes: names, `ip` commands, state files.
//
// Purpose:   decides all names and contents, so that Up() only carries out and Down() knows what to
//            look for. Pure: no I/O.
// Threads:   pure functions and values.
// Names:     namespaces are lm-LAB-THING; inside them devices have short names of their own: eth0
//            the way out, port-VM a machine's port on its host.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lab/lab_file.h"

namespace leman::lab {

inline constexpr std::string_view kRunRoot = "/run/leman/lab";
inline constexpr std::string_view kPinRoot = "/sys/fs/bpf/leman-lab";
inline constexpr std::string_view kNamespacePrefix = "lm-";
inline constexpr std::string_view kUnderlayThing =
    "underlay";                                              // namespace of the underlay's bridge
inline constexpr std::string_view kUnderlayDevice = "eth0";  // of every host
inline constexpr std::string_view kMachineDevice = "eth0";   // of every machine

// What fills one namespace, as lines for `ip -batch` inside it. Some links have their far end in a
// namespace that comes later.
struct NamespacePlan {
  std::string name;
  std::string ip_batch;
  std::vector<std::string> no_offload_devices;  // offloads are turned off here
};

struct HostPlan {
  std::string name;
  std::string netns;
  std::string run_dir;
  std::string state_path;
  std::string state_yaml;
  std::string pin_root;
  [[nodiscard]] std::string SocketPath() const { return run_dir + "/agent.sock"; }
  [[nodiscard]] std::string LogPath() const { return run_dir + "/agent.log"; }
};

struct MachinePlan {
  Machine machine;
  std::uint16_t mtu = 0;
  std::string port_device;  // on the host
  std::string host_netns;
  std::string netns;  // of the machine; empty for a virtual machine, whose process runs on the host
  std::string run_dir;
};

struct LabPlan {
  std::string lab;
  std::string run_dir;
  std::string pin_root;
  std::vector<NamespacePlan> contents;  // every namespace of the lab, in the order to fill them
  std::vector<HostPlan> hosts;
  std::vector<MachinePlan> machines;

  [[nodiscard]] const HostPlan* FindHost(std::string_view name) const;
  [[nodiscard]] const MachinePlan* FindMachine(std::string_view name) const;
};

[[nodiscard]] LabPlan MakePlan(const LabFile& lab);

[[nodiscard]] std::string NetnsName(std::string_view lab, std::string_view thing);
[[nodiscard]] std::string RunDir(std::string_view lab);

// a-z, 0-9 and '-', a letter or digit first: fits a file name, a namespace and a host name.
[[nodiscard]] bool IsPlainName(std::string_view name);
// "10.0.1.10/24"; nothing if the length does not fit the family.
[[nodiscard]] std::optional<IpPrefix> ParsePrefix(std::string_view text);
// Locally administered, for machines that name none.
[[nodiscard]] MacAddress DefaultMac(std::size_t machine_index);
// Bytes of inner IP packet that fit the underlay after all headers (RFC 8926 section 4.4.1).
[[nodiscard]] std::uint32_t LargestMachineMtu(const LabFile& lab, const Network& network);

}  // namespace leman::lab
