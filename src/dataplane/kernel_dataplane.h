// The Dataplane over a real kernel. Internal to dataplane/; others use OpenDataplane().
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "dataplane/dataplane.h"
#include "dataplane/kernel_objects.h"
#include "dataplane/slots.h"
#include "dataplane/synced_map.h"

namespace leman {

class KernelDataplane : public Dataplane {
 public:
  KernelDataplane(DataplaneOptions options, std::string pin_dir,
                  std::unique_ptr<KernelObjects> objects);

  // Takes over what the pinned maps hold.
  [[nodiscard]] Status TakeOver();

  Result<ApplyReport> Apply(const model::HostProgram& wanted) override;
  Result<ApplyReport> Audit() override;
  void DeviceGone(std::uint32_t ifindex) override;
  Status ExpireLearned(std::chrono::seconds age) override;
  Status Detach() override;
  std::vector<VerdictCount> Verdicts() const override;
  std::vector<EventCount> Events() const override;
  std::vector<OptionCount> ReceivedOptions() const override;
  std::vector<LearnedMac> Learned() const override;
  std::vector<MapUsage> Usage() const override;
  TrafficCount PortTraffic(std::uint32_t ifindex) const override;
  TrafficCount NetworkTraffic(Vni vni) const override;
  TrafficCount PeerTraffic(const IpAddress& vtep) const override;

 private:
  using Network = model::NetworkProgram;
  struct Change {
    std::shared_ptr<const Network> before;  // shared with the program it came from
    std::shared_ptr<const Network> after;
  };

  [[nodiscard]] Status TakeOverFromOtherVersions();
  [[nodiscard]] Status NextGeneration();
  [[nodiscard]] std::vector<Change> ChangedNetworks(const model::HostProgram& wanted) const;
  void EmitHost(const model::HostProgram& wanted);
  void EmitNetwork(const Network& network);
  void EmitFlood(const Network& network);
  [[nodiscard]] bool NeedsHook(std::uint32_t ifindex) const;
  [[nodiscard]] bool LostAnAttachment(const model::HostProgram& wanted) const;
  [[nodiscard]] Status WriteConfig(const model::HostProgram& wanted);
  void WriteAll(ApplyReport* report);
  void Done();
  void SweepAll(const std::vector<Change>& changes, bool whole, ApplyReport* report);
  void AttachAll(const model::HostProgram& wanted, const std::vector<Change>& changes,
                 ApplyReport* report);
  void DetachGone(const model::HostProgram& wanted, ApplyReport* report);
  void DetachStrangers(ApplyReport* report);
  void AttachOne(std::uint32_t ifindex, int program_fd, const std::string& where,
                 ApplyReport* report);
  void FreeSlots(const model::HostProgram& wanted);
  [[nodiscard]] Status ForgetStrangers();
  void Note(const Status& status, const std::string& where, ApplyReport* report);
  [[nodiscard]] std::uint32_t Slot(const char* what, std::optional<std::uint32_t> slot, bool fresh,
                                   CounterMap<lm_counters>& stats);
  void NoteMissingSlots(ApplyReport* report);

  DataplaneOptions options_;
  std::string pin_dir_;
  std::unique_ptr<KernelObjects> objects_;

  SyncedMap<std::uint32_t, lm_port> ports_;
  SyncedMap<lm_port_addr_key, std::uint8_t> port_addrs_;
  SyncedMap<std::uint32_t, lm_network> networks_;
  SyncedMap<lm_mac_key, lm_way> fdb_;
  SyncedMap<lm_neigh_key, lm_neigh> neigh_;
  SyncedMap<lm_addr, lm_peer> peers_;
  SyncedMap<lm_vtep_key, lm_sender> vteps_;
  SyncedMap<std::uint32_t, lm_flood> flood_;
  SyncedMap<lm_opt_key, lm_known_opt> known_opts_;

  lm_config config_{};                               // as the kernel has it
  model::HostProgram applied_;                       // last program written
  std::vector<model::Problem> problems_;             // of the last Apply
  bool first_ = true;                                // nothing was applied yet
  bool whole_next_ = true;                           // compare everything, not only what changed
  std::set<std::uint32_t> made_hooks_;               // ports whose clsact qdisc we made
  std::map<std::uint32_t, std::uint32_t> attached_;  // ifindex → program id

  mutable std::mutex slots_mutex_;  // slots are read by other threads for counters
  Slots<std::uint32_t> port_slots_;
  Slots<Vni> network_slots_;
  Slots<IpAddress> peer_slots_;
  std::set<std::string> short_of_slots_;  // of the change being made
  mutable std::mutex usage_mutex_;
  std::vector<MapUsage> usage_;
};

}  // namespace leman
