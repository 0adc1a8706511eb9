#include "agent/metrics.h"

#include <fmt/format.h>

#include <initializer_list>
#include <utility>

#include "agent/api_service.h"
#include "agent/option_names.h"

namespace leman::agent {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::initializer_list<std::pair<const char*, std::string>>;

class Families {
 public:
  void Begin(const std::string& name, const std::string& help, MetricType type) {
    MetricFamily& family = families_.emplace_back();
    family.name = "leman_" + name;
    family.help = help;
    family.type = type;
  }
  void Add(Labels labels, double value) {
    ClientMetric& metric = families_.back().metric.emplace_back();
    for (const auto& [name, text] : labels) {
      metric.label.push_back({name, text});
    }
    if (families_.back().type == MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
  }
  void Add(Labels labels, std::uint64_t value) { Add(labels, static_cast<double>(value)); }
  void Gauge(const std::string& name, const std::string& help, double value) {
    Begin(name, help, MetricType::Gauge);
    Add({}, value);
  }
  void Counter(const std::string& name, const std::string& help, std::uint64_t value) {
    Begin(name, help, MetricType::Counter);
    Add({}, value);
  }
  [[nodiscard]] std::vector<MetricFamily> Take() { return std::move(families_); }

 private:
  std::vector<MetricFamily> families_;
};

void AddAgent(const Snapshot& snapshot, const std::string& version, Families& out) {
  out.Begin("build_info", "Version of the agent; always 1.", MetricType::Gauge);
  out.Add({{"version", version}}, 1.0);
  out.Begin("agent_state", "Start state of the agent: 1 for the one it is in.", MetricType::Gauge);
  for (int i = 1; i <= static_cast<int>(StartState::kReady); ++i) {
    const auto state = static_cast<StartState>(i);
    out.Add({{"state", std::string(StartStateName(state))}},
            state == snapshot.start_state ? 1.0 : 0.0);
  }
  out.Gauge("degraded", "1 if something that is wanted cannot be met now.",
            snapshot.problems.empty() ? 0 : 1);
  out.Gauge("problems", "Wishes that cannot be met now; leman status tells them.",
            static_cast<double>(snapshot.problems.size()));
  out.Gauge("state_revision", "States taken over since the start of the agent.",
            static_cast<double>(snapshot.revision));
  out.Gauge("reconcile_seconds", "Time the last reconcile took.",
            snapshot.last_reconcile_ms / 1000);
  out.Counter("reconciles_total", "Reconciles since the start of the agent.",
              snapshot.count.reconciles);
  out.Counter("reconcile_failures_total", "Reconciles that failed.",
              snapshot.count.reconcile_failures);
  out.Counter("state_load_failures_total", "State files that were refused.",
              snapshot.count.state_load_failures);
  out.Counter("audits_total", "Comparisons of the kernel's maps with what was applied.",
              snapshot.count.audits);
  out.Counter("audit_repairs_total", "Entries that an audit had to mend.",
              snapshot.count.audit_repairs);
  out.Gauge("agent_resident_bytes", "Resident memory of the agent.",
            static_cast<double>(ResidentBytes()));
}

// Packets, bytes and drops of many things of one kind: three families, told in one pass.
class TrafficFamilies {
 public:
  TrafficFamilies(std::string kind, std::string help)
      : kind_(std::move(kind)), help_(std::move(help)) {}

  void Add(std::vector<ClientMetric::Label> labels, const TrafficCount& count) {
    AddOne(packets_, labels, "rx", count.rx.packets);
    AddOne(packets_, labels, "tx", count.tx.packets);
    AddOne(bytes_, labels, "rx", count.rx.bytes);
    AddOne(bytes_, labels, "tx", count.tx.bytes);
    ClientMetric& drops = drops_.emplace_back();
    drops.label = std::move(labels);
    drops.counter.value = static_cast<double>(count.dropped_packets);
  }
  void MoveTo(std::vector<MetricFamily>& out) {
    Move(out, "_packets_total", "Packets ", std::move(packets_));
    Move(out, "_bytes_total", "Bytes of inner frames ", std::move(bytes_));
    Move(out, "_dropped_packets_total", "Packets dropped ", std::move(drops_));
  }

 private:
  static void AddOne(std::vector<ClientMetric>& to, const std::vector<ClientMetric::Label>& labels,
                     const char* direction, std::uint64_t value) {
    ClientMetric& metric = to.emplace_back();
    metric.label = labels;
    metric.label.push_back({"direction", direction});
    metric.counter.value = static_cast<double>(value);
  }
  void Move(std::vector<MetricFamily>& out, const std::string& suffix, const std::string& what,
            std::vector<ClientMetric>&& metrics) {
    MetricFamily family;
    family.name = "leman_" + kind_ + suffix;
    family.help = what + help_;
    family.type = MetricType::Counter;
    family.metric = std::move(metrics);
    out.push_back(std::move(family));
  }

  std::string kind_;
  std::string help_;
  std::vector<ClientMetric> packets_;
  std::vector<ClientMetric> bytes_;
  std::vector<ClientMetric> drops_;
};

void AddTraffic(const model::HostProgram& program, const Dataplane& dataplane,
                std::vector<MetricFamily>& out) {
  TrafficFamilies ports("port", "of a port; tx: into the network.");
  TrafficFamilies networks("network", "of a network on this host; tx: into it.");
  TrafficFamilies peers("peer", "of a remote VTEP; tx: sent to it.");
  for (const auto& [vni, network] : program.networks) {
    networks.Add({{"network", network->name}, {"vni", std::to_string(vni.value())}},
                 dataplane.NetworkTraffic(vni));
    for (const model::LocalPort& port : network->ports) {
      ports.Add({{"port", port.name}, {"network", network->name}},
                dataplane.PortTraffic(port.ifindex));
    }
  }
  for (const model::VtepWay& way : program.peers) {
    peers.Add({{"peer", way.address.ToString()}}, dataplane.PeerTraffic(way.address));
  }
  ports.MoveTo(out);
  networks.MoveTo(out);
  peers.MoveTo(out);
}

void AddDatapath(const model::HostProgram* program, const Dataplane& dataplane, Families& out) {
  out.Begin("verdict_packets_total", "Where packets ended, by hook.", MetricType::Counter);
  const auto verdicts = dataplane.Verdicts();
  for (const VerdictCount& verdict : verdicts) {
    out.Add({{"hook", verdict.hook},
             {"verdict", verdict.verdict},
             {"drop", verdict.is_drop ? "true" : "false"}},
            verdict.count.packets);
  }
  out.Begin("verdict_bytes_total", "Bytes of these packets.", MetricType::Counter);
  for (const VerdictCount& verdict : verdicts) {
    out.Add({{"hook", verdict.hook}, {"verdict", verdict.verdict}}, verdict.count.bytes);
  }
  out.Begin("event_total", "Things worth a count that do not end a packet.", MetricType::Counter);
  for (const EventCount& event : dataplane.Events()) {
    out.Add({{"event", event.event}}, event.count);
  }
  out.Begin("option_packets_total", "Packets received with an option of this kind.",
            MetricType::Counter);
  for (const OptionCount& option : dataplane.ReceivedOptions()) {
    out.Add({{"class", fmt::format("{:#06x}", option.option_class)},
             {"type", fmt::format("{:#04x}", option.type)},
             {"name", OptionName(program, option.option_class, option.type)}},
            option.count.packets);
  }
  const auto usage = dataplane.Usage();
  out.Begin("map_entries", "Entries in a map of the kernel.", MetricType::Gauge);
  for (const MapUsage& map : usage) {
    out.Add({{"map", map.map}}, map.entries);
  }
  out.Begin("map_max_entries", "Entries a map has room for.", MetricType::Gauge);
  for (const MapUsage& map : usage) {
    out.Add({{"map", map.map}}, map.max_entries);
  }
}

}  // namespace

std::vector<MetricFamily> Metrics::Collect() const {
  const auto snapshot = board_.Get();
  const Dataplane* dataplane = board_.dataplane();
  Families out;
  AddAgent(*snapshot, version_, out);
  if (dataplane != nullptr) {
    AddDatapath(snapshot->program.get(), *dataplane, out);
  }
  std::vector<MetricFamily> families = out.Take();
  if (dataplane != nullptr && snapshot->program != nullptr) {
    AddTraffic(*snapshot->program, *dataplane, families);
  }
  return families;
}

}  // namespace leman::agent
