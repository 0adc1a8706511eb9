// The kernel side of one host: pinned maps, attached programs, counters. Makes them equal to a
// HostProgram. The only room that knows the map layout (bpf/include/leman/abi.h).
//
// Threads: Apply, Audit and Detach on one thread; the reading methods from any thread.
// Ownership: holds descriptors; the pins and attachments outlive it. Nothing stops forwarding when
// it is destroyed: only Detach() takes traffic away.
// Errors: kPermissionDenied (no root), kFailedPrecondition (kernel lacks a feature, says which),
// kResourceExhausted (map full, names the map), kInternal (kernel refused, errno in the text).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/host_program.h"

namespace leman {

struct DataplaneOptions {
  std::string pin_root = "/sys/fs/bpf/leman";  // a bpffs is mounted there if none is
  std::uint32_t max_ports = 4096;
  std::uint32_t max_networks = 16384;
  std::uint32_t max_peers = 16384;
  std::uint32_t max_fdb = 1U << 20U;  // memory is taken as entries come
  std::uint32_t max_learned = 65536;
  std::uint32_t learn_limit = 4096;  // per network
};

struct PacketCount {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

// See struct lm_counters: tx is from the workloads into the network.
struct TrafficCount {
  PacketCount rx;
  PacketCount tx;
  std::uint64_t dropped_packets = 0;
};

struct VerdictCount {
  std::string hook;     // "port" or "underlay"
  std::string verdict;  // "opt_crit"
  std::string text;     // what it means
  bool is_drop = false;
  PacketCount count;
};

struct EventCount {
  std::string event;
  std::string text;
  std::uint64_t count = 0;
};

struct OptionCount {
  std::uint16_t option_class = 0;
  std::uint8_t type = 0;
  PacketCount count;
};

struct LearnedMac {
  Vni vni;
  MacAddress mac;
  IpAddress vtep;
  std::chrono::nanoseconds age{};
};

struct MapUsage {
  std::string map;
  std::uint64_t entries = 0;
  std::uint64_t max_entries = 0;
};

// What one Apply or Audit did.
struct ApplyReport {
  std::uint64_t added = 0;
  std::uint64_t changed = 0;
  std::uint64_t removed = 0;
  std::uint64_t attached = 0;
  std::vector<model::Problem> problems;  // map full, attach refused: the rest was done
};

class Dataplane {
 public:
  virtual ~Dataplane() = default;

  // Makes the kernel equal to `wanted`. The first call after opening reads what the maps hold and
  // sweeps what is not wanted; later calls touch only what differs from the last one.
  [[nodiscard]] virtual Result<ApplyReport> Apply(const model::HostProgram& wanted) = 0;

  // Reads every map and mends what differs from the last applied program; reports what was found,
  // and as problems those that there are now.
  [[nodiscard]] virtual Result<ApplyReport> Audit() = 0;

  // The device went, and a program on it with it: attached anew by the next Apply if a device with
  // this number is wanted again (one that was moved to another namespace and back keeps it).
  virtual void DeviceGone(std::uint32_t ifindex) = 0;

  // Forgets learned MACs not seen for `age`.
  [[nodiscard]] virtual Status ExpireLearned(std::chrono::seconds age) = 0;

  // Detaches every program and removes every pin and device this class made.
  [[nodiscard]] virtual Status Detach() = 0;

  [[nodiscard]] virtual std::vector<VerdictCount> Verdicts() const = 0;
  [[nodiscard]] virtual std::vector<EventCount> Events() const = 0;
  [[nodiscard]] virtual std::vector<OptionCount> ReceivedOptions() const = 0;
  [[nodiscard]] virtual std::vector<LearnedMac> Learned() const = 0;
  [[nodiscard]] virtual std::vector<MapUsage> Usage() const = 0;
  // All zero for what is not programmed.
  [[nodiscard]] virtual TrafficCount PortTraffic(std::uint32_t ifindex) const = 0;
  [[nodiscard]] virtual TrafficCount NetworkTraffic(Vni vni) const = 0;
  [[nodiscard]] virtual TrafficCount PeerTraffic(const IpAddress& vtep) const = 0;
};

// Version of the map layout this build writes; it is part of the pin path.
[[nodiscard]] std::uint32_t MapAbiVersion();

// Opens (or creates) the pinned maps and loads the programs; nothing is attached before Apply.
[[nodiscard]] Result<std::unique_ptr<Dataplane>> OpenDataplane(const DataplaneOptions& options);

// Removes what an agent left under `pin_root` when none runs: attachments, pins, devices.
[[nodiscard]] Status DetachDataplane(const std::string& pin_root);

}  // namespace leman
