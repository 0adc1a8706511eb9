// leman ports, networks, peers, fdb, neighbours.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "cli/agent_client.h"
#include "cli/commands.h"
#include "cli/units.h"
#include "cli/usage.h"

namespace leman::cli {

namespace {

struct NetworkFilter {
  std::optional<std::uint32_t> vni;
  std::string network;
};

template <class Messages>
Tree ListTree(const Messages& messages) {
  Tree list = Tree::array();
  for (const auto& message : messages) {
    list.push_back(ToTree(message));
  }
  return list;
}

Cell DropCell(std::uint64_t drops, bool wide) {
  return {wide ? Grouped(drops) : SiCount(drops), drops > 0 ? Style::kWarn : Style::kPlain};
}

// The five cells of TrafficColumns: exact numbers when there is room for them.
void AddTraffic(std::vector<Cell>& row, const v1::Traffic& traffic, bool wide) {
  const auto count = [wide](std::uint64_t n) { return wide ? Grouped(n) : SiCount(n); };
  const auto bytes = [wide](std::uint64_t n) { return wide ? Grouped(n) : BinaryBytes(n); };
  row.emplace_back(count(traffic.rx_packets()));
  row.emplace_back(bytes(traffic.rx_bytes()));
  row.emplace_back(count(traffic.tx_packets()));
  row.emplace_back(bytes(traffic.tx_bytes()));
  row.push_back(DropCell(traffic.dropped_packets(), wide));
}

void AddTrafficColumns(std::vector<Column>& columns) {
  columns.push_back({.title = "RX PKTS", .right = true, .drop_order = 9});
  columns.push_back({.title = "RX", .right = true, .drop_order = 5});
  columns.push_back({.title = "TX PKTS", .right = true, .drop_order = 8});
  columns.push_back({.title = "TX", .right = true, .drop_order = 4});
  columns.push_back({.title = "DROPS", .right = true, .drop_order = 3});
}

std::string Joined(const google::protobuf::RepeatedPtrField<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : ",") + word;
  }
  return text.empty() ? "-" : text;
}

std::string OrDash(const std::string& text) { return text.empty() ? "-" : text; }

bool Wide(const Session& session) { return session.globals().format() == Output::kWide; }

// An empty table is a question mark to a reader; on a terminal say what it means.
void SayIfEmpty(Session& session, const Table& table, const char* text) {
  if (table.empty() && !session.globals().machine()) {
    session.console().err << text << '\n';
  }
}

Status RunPorts(Session& session) {
  LEMAN_ASSIGN_OR_RETURN(AgentClient agent,
                         AgentClient::Connect(session.globals().socket, session.console()));
  LEMAN_ASSIGN_OR_RETURN(const v1::ListPortsResponse response, agent.ListPorts());
  const bool wide = Wide(session);
  std::vector<Column> columns = {
      {.title = "NAME", .shrink = true, .min_width = 8},
      {.title = "NETWORK", .shrink = true, .drop_order = 2},
      {.title = "VNI", .right = true, .drop_order = 6},
      {.title = "DEVICE", .drop_order = 7},
      {.title = "STATE"},
      {.title = "MAC", .drop_order = 10},
      {.title = "ADDRESSES", .shrink = true, .min_width = 10, .drop_order = 1}};
  AddTrafficColumns(columns);
  columns.push_back({.title = "IFINDEX", .right = true, .wide_only = true});
  columns.push_back({.title = "SECURITY", .wide_only = true});
  Table table(std::move(columns));
  for (const v1::Port& port : response.ports()) {
    std::vector<Cell> row = {
        port.name(),
        port.network(),
        std::to_string(port.vni()),
        OrDash(port.device()),
        {OrDash(port.state()), port.state() == "active" ? Style::kGood : Style::kBad},
        port.mac(),
        Joined(port.addresses())};
    AddTraffic(row, port.traffic(), wide);
    row.emplace_back(std::to_string(port.ifindex()));
    row.emplace_back(port.port_security() ? "on" : "off");
    table.Add(std::move(row));
  }
  Show(session.console(), session.globals(), ListTree(response.ports()), table);
  SayIfEmpty(session, table, "no ports on this host");
  return {};
}

Status RunNetworks(Session& session) {
  LEMAN_ASSIGN_OR_RETURN(AgentClient agent,
                         AgentClient::Connect(session.globals().socket, session.console()));
  LEMAN_ASSIGN_OR_RETURN(const v1::ListNetworksResponse response, agent.ListNetworks());
  const bool wide = Wide(session);
  std::vector<Column> columns = {
      {.title = "NAME", .shrink = true, .min_width = 8},
      {.title = "VNI", .right = true},
      {.title = "MTU", .right = true, .drop_order = 2},
      {.title = "PORTS", .right = true, .drop_order = 1},
      {.title = "REMOTES", .right = true, .drop_order = 6},
      {.title = "VTEPS", .right = true, .drop_order = 7},
      {.title = "LEARNING", .drop_order = 10},
      {.title = "OPTIONS", .shrink = true, .min_width = 8, .drop_order = 11}};
  AddTrafficColumns(columns);
  columns.push_back({.title = "OPTION BYTES", .right = true, .wide_only = true});
  Table table(std::move(columns));
  for (const v1::Network& network : response.networks()) {
    std::vector<Cell> row = {network.name(),
                             std::to_string(network.vni()),
                             std::to_string(network.mtu()),
                             Grouped(network.ports()),
                             Grouped(network.remotes()),
                             Grouped(network.vteps()),
                             network.learning() ? "on" : "off",
                             OrDash(network.options())};
    AddTraffic(row, network.traffic(), wide);
    row.emplace_back(std::to_string(network.options_bytes()));
    table.Add(std::move(row));
  }
  Show(session.console(), session.globals(), ListTree(response.networks()), table);
  SayIfEmpty(session, table, "no networks on this host");
  return {};
}

Status RunPeers(Session& session) {
  LEMAN_ASSIGN_OR_RETURN(AgentClient agent,
                         AgentClient::Connect(session.globals().socket, session.console()));
  LEMAN_ASSIGN_OR_RETURN(const v1::ListPeersResponse response, agent.ListPeers());
  const bool wide = Wide(session);
  std::vector<Column> columns = {{.title = "ADDRESS"},
                                 {.title = "NETWORKS", .right = true, .drop_order = 6},
                                 {.title = "CHECKSUM", .drop_order = 7},
                                 {.title = "ECN", .drop_order = 10}};
  AddTrafficColumns(columns);
  Table table(std::move(columns));
  for (const v1::Peer& peer : response.peers()) {
    std::vector<Cell> row = {peer.address(), Grouped(peer.networks()), OrDash(peer.udp_checksum()),
                             peer.ecn_compatibility() ? "compatibility" : "normal"};
    AddTraffic(row, peer.traffic(), wide);
    table.Add(std::move(row));
  }
  Show(session.console(), session.globals(), ListTree(response.peers()), table);
  SayIfEmpty(session, table, "no peers");
  return {};
}

// The VNI to ask for: --vni as given, --network looked up among the host's networks.
Result<std::optional<std::uint32_t>> FilterVni(AgentClient& agent, const NetworkFilter& filter) {
  if (filter.network.empty()) {
    return filter.vni;
  }
  LEMAN_ASSIGN_OR_RETURN(const v1::ListNetworksResponse response, agent.ListNetworks());
  std::vector<std::string> names;
  for (const v1::Network& network : response.networks()) {
    if (network.name() == filter.network) {
      return std::optional<std::uint32_t>(network.vni());
    }
    names.push_back(network.name());
  }
  return Fail(Code::kNotFound, fmt::format("no network '{}' on this host{}{}", filter.network,
                                           Suggest(filter.network, names),
                                           names.empty() ? "" : " (see: leman networks)"));
}

Status RunFdb(Session& session, const NetworkFilter& filter) {
  LEMAN_ASSIGN_OR_RETURN(AgentClient agent,
                         AgentClient::Connect(session.globals().socket, session.console()));
  LEMAN_ASSIGN_OR_RETURN(const std::optional<std::uint32_t> vni, FilterVni(agent, filter));
  LEMAN_ASSIGN_OR_RETURN(std::vector<v1::FdbEntry> entries, agent.ListFdb(vni));
  std::sort(entries.begin(), entries.end(), [](const v1::FdbEntry& a, const v1::FdbEntry& b) {
    return std::tuple(a.vni(), std::string_view(a.mac())) <
           std::tuple(b.vni(), std::string_view(b.mac()));
  });
  if (session.globals().machine()) {
    ShowTree(session.console(), session.globals(), ListTree(entries), false);
    return {};
  }
  Table table({{.title = "NETWORK", .shrink = true, .drop_order = 3},
               {.title = "VNI", .right = true, .drop_order = 2},
               {.title = "MAC"},
               {.title = "KIND", .drop_order = 1},
               {.title = "WHERE", .shrink = true, .min_width = 10},
               {.title = "AGE", .right = true, .drop_order = 4}});
  for (const v1::FdbEntry& entry : entries) {
    table.Add({OrDash(entry.network()), std::to_string(entry.vni()), entry.mac(), entry.kind(),
               OrDash(entry.kind() == "local" ? entry.port() : entry.vtep()),
               entry.kind() == "learned" ? Duration(entry.age_seconds()) : "-"});
  }
  Show(session.console(), session.globals(), Tree(), table);
  SayIfEmpty(session, table, "no forwarding entries");
  return {};
}

Status RunNeighbours(Session& session, const NetworkFilter& filter) {
  LEMAN_ASSIGN_OR_RETURN(AgentClient agent,
                         AgentClient::Connect(session.globals().socket, session.console()));
  LEMAN_ASSIGN_OR_RETURN(const std::optional<std::uint32_t> vni, FilterVni(agent, filter));
  LEMAN_ASSIGN_OR_RETURN(std::vector<v1::NeighbourEntry> entries, agent.ListNeighbours(vni));
  std::sort(entries.begin(), entries.end(),
            [](const v1::NeighbourEntry& a, const v1::NeighbourEntry& b) {
              return std::tuple(a.vni(), std::string_view(a.address())) <
                     std::tuple(b.vni(), std::string_view(b.address()));
            });
  if (session.globals().machine()) {
    ShowTree(session.console(), session.globals(), ListTree(entries), false);
    return {};
  }
  Table table({{.title = "NETWORK", .shrink = true, .drop_order = 3},
               {.title = "VNI", .right = true, .drop_order = 2},
               {.title = "ADDRESS"},
               {.title = "MAC"}});
  for (const v1::NeighbourEntry& entry : entries) {
    table.Add({OrDash(entry.network()), std::to_string(entry.vni()), entry.address(), entry.mac()});
  }
  Show(session.console(), session.globals(), Tree(), table);
  SayIfEmpty(session, table, "no neighbours");
  return {};
}

void AddFilterOptions(CLI::App& command, NetworkFilter& filter) {
  CLI::Option* vni = command.add_option("--vni", filter.vni, "Only this network, by its VNI")
                         ->check(WholeNumber(0, 0xffffff))
                         ->type_name("N");
  command.add_option("--network", filter.network, "Only this network, by its name")
      ->type_name("NETWORK")
      ->excludes(vni);
}

}  // namespace

void RegisterShow(CLI::App& app, Session& session) {
  app.add_subcommand("ports", "Workload ports on this host, with traffic")->callback([&session] {
    session.Finish(RunPorts(session));
  });
  app.add_subcommand("networks", "Virtual networks on this host")->callback([&session] {
    session.Finish(RunNetworks(session));
  });
  app.add_subcommand("peers", "Tunnel endpoints this host talks to")->callback([&session] {
    session.Finish(RunPeers(session));
  });

  auto fdb_filter = std::make_shared<NetworkFilter>();
  CLI::App* fdb = app.add_subcommand("fdb", "Where each MAC address is: forwarding entries");
  AddFilterOptions(*fdb, *fdb_filter);
  fdb->callback([&session, fdb_filter] { session.Finish(RunFdb(session, *fdb_filter)); });

  auto neighbour_filter = std::make_shared<NetworkFilter>();
  CLI::App* neighbours =
      app.add_subcommand("neighbours", "IP to MAC: what ARP and ND are answered with");
  AddFilterOptions(*neighbours, *neighbour_filter);
  neighbours->callback(
      [&session, neighbour_filter] { session.Finish(RunNeighbours(session, *neighbour_filter)); });
}

}  // namespace leman::cli
