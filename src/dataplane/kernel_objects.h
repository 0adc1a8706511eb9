// The programs and maps of one ABI version in the kernel: opened, sized, loaded, pinned. Internal
// to dataplane/.
//
// Threads: loading on one thread. Ownership: holds the skeletons; maps are handed out as duplicated
// descriptors with their own life.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "dataplane/bpf_map.h"
#include "dataplane/dataplane.h"
#include "leman/abi.h"

struct port_rx;      // NOLINT(readability-identifier-naming): named by bpftool
struct underlay_rx;  // NOLINT(readability-identifier-naming): named by bpftool

namespace leman {

struct Maps {
  BpfMap<std::uint32_t, lm_config> config;
  BpfMap<std::uint32_t, lm_port> ports;
  BpfMap<lm_port_addr_key, std::uint8_t> port_addrs;
  BpfMap<std::uint32_t, lm_network> networks;
  BpfMap<lm_mac_key, lm_way> fdb;
  BpfMap<lm_mac_key, lm_learned> learned;
  BpfMap<std::uint32_t, std::uint64_t> learn_count;
  BpfMap<lm_neigh_key, lm_neigh> neigh;
  BpfMap<lm_addr, lm_peer> peers;
  BpfMap<lm_vtep_key, lm_sender> vteps;
  BpfMap<std::uint32_t, lm_flood> flood;
  BpfMap<lm_opt_key, lm_known_opt> known_opts;
  CounterMap<lm_count> opt_stats;
  CounterMap<lm_count> verdicts;
  CounterMap<std::uint64_t> events;
  CounterMap<lm_counters> port_stats;
  CounterMap<lm_counters> net_stats;
  CounterMap<lm_counters> peer_stats;
};

// Whether this kernel and this process can do what the programs need; makes nothing.
[[nodiscard]] Status CheckKernel();

class KernelObjects {
 public:
  // Loads both programs against the maps pinned under `pin_dir`, making those that are missing.
  [[nodiscard]] static Result<std::unique_ptr<KernelObjects>> Load(const DataplaneOptions& options,
                                                                   const std::string& pin_dir);
  ~KernelObjects();
  KernelObjects(const KernelObjects&) = delete;
  KernelObjects& operator=(const KernelObjects&) = delete;

  [[nodiscard]] int PortProgram() const;
  [[nodiscard]] int UnderlayProgram() const;
  [[nodiscard]] std::uint32_t PortProgramId() const { return port_program_id_; }
  [[nodiscard]] std::uint32_t UnderlayProgramId() const { return underlay_program_id_; }
  [[nodiscard]] Maps& maps() { return maps_; }
  [[nodiscard]] const Maps& maps() const { return maps_; }

 private:
  KernelObjects() = default;
  [[nodiscard]] Status TakeMaps(int cpus);
  [[nodiscard]] Status PinPrograms(const std::string& pin_dir);

  port_rx* port_ = nullptr;
  underlay_rx* underlay_ = nullptr;
  std::uint32_t port_program_id_ = 0;
  std::uint32_t underlay_program_id_ = 0;
  Maps maps_;
};

}  // namespace leman
