// leman lab, leman demo: the lab's own commands, and `lab status` in the form of all others.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "cli/commands.h"
#include "lab/commands.h"

namespace leman::cli {

namespace {

Tree ToTree(const lab::LabStatus& lab) {
  Tree tree = {{"name", lab.name},
               {"state", lab.state},
               {"directory", lab.directory},
               {"hosts", Tree::array()},
               {"machines", Tree::array()}};
  for (const lab::HostStatus& host : lab.hosts) {
    tree["hosts"].push_back({{"name", host.name},
                             {"addresses", host.addresses},
                             {"agent", host.agent},
                             {"problems", host.problems},
                             {"ports", host.ports},
                             {"fdb_entries", host.fdb_entries},
                             {"netns", host.netns},
                             {"socket", host.socket}});
  }
  for (const lab::MachineStatus& machine : lab.machines) {
    tree["machines"].push_back({{"name", machine.name},
                                {"kind", machine.kind},
                                {"host", machine.host},
                                {"network", machine.network},
                                {"vni", machine.vni},
                                {"mac", machine.mac},
                                {"addresses", machine.addresses},
                                {"device", machine.device},
                                {"netns", machine.netns}});
  }
  return tree;
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : ",") + word;
  }
  return text;
}

Cell AgentCell(const lab::HostStatus& host) {
  if (host.problems > 0) {
    return {fmt::format("{}, degraded: {} problem{}", host.agent, host.problems,
                        host.problems == 1 ? "" : "s"),
            Style::kBad};
  }
  return {host.agent, host.agent == "ready" ? Style::kGood : Style::kBad};
}

Table HostTable(const lab::LabStatus& lab) {
  Table table({{.title = "HOST", .shrink = true, .min_width = 8},
               {.title = "ADDRESSES", .shrink = true, .min_width = 16},
               {.title = "AGENT"},
               {.title = "PORTS", .right = true},
               {.title = "FDB", .right = true},
               {.title = "NETNS", .wide_only = true},
               {.title = "SOCKET", .wide_only = true}});
  for (const lab::HostStatus& host : lab.hosts) {
    table.Add({host.name, Joined(host.addresses), AgentCell(host), std::to_string(host.ports),
               std::to_string(host.fdb_entries), host.netns, host.socket});
  }
  return table;
}

Table MachineTable(const lab::LabStatus& lab) {
  Table table({{.title = "MACHINE", .shrink = true, .min_width = 8},
               {.title = "KIND", .drop_order = 1},
               {.title = "HOST", .shrink = true, .min_width = 8},
               {.title = "NETWORK", .shrink = true, .min_width = 7},
               {.title = "VNI", .right = true, .drop_order = 2},
               {.title = "MAC"},
               {.title = "ADDRESSES", .shrink = true, .min_width = 13},
               {.title = "PORT", .drop_order = 3},
               {.title = "NETNS", .wide_only = true}});
  for (const lab::MachineStatus& machine : lab.machines) {
    table.Add({machine.name, machine.kind, machine.host, machine.network,
               std::to_string(machine.vni), machine.mac, Joined(machine.addresses), machine.device,
               machine.netns});
  }
  return table;
}

const char* Meaning(const std::string& state) {
  if (state == "up") {
    return "up";
  }
  return state == "busy" ? "a leman process is at work on it"
                         : "abandoned by a killed process; lab down clears it";
}

void PrintLab(const Session& session, Console& console, const lab::LabStatus& lab) {
  console.out << "lab " << console.Paint(Style::kBold, Printable(lab.name)) << ": "
              << console.Paint(lab.state == "up" ? Style::kGood : Style::kWarn, Meaning(lab.state))
              << "\n";
  const TableOptions options = {.wide = session.globals().format() == Output::kWide,
                                .headers = !session.globals().no_headers,
                                .indent = 2};
  for (const Table& table : {HostTable(lab), MachineTable(lab)}) {
    if (!table.empty()) {
      table.Print(console, options);
    }
  }
}

Status RunLabStatus(Session& session) {
  const std::vector<lab::LabStatus> labs = lab::DescribeLabs();
  Console& console = session.console();
  if (session.globals().machine()) {
    Tree list = Tree::array();
    for (const lab::LabStatus& lab : labs) {
      list.push_back(ToTree(lab));
    }
    ShowTree(console, session.globals(), list, false);
    return {};
  }
  for (const lab::LabStatus& lab : labs) {
    if (&lab != &labs.front()) {
      console.out << "\n";
    }
    PrintLab(session, console, lab);
  }
  if (labs.empty()) {
    console.err << "no lab is up\n";
  }
  return {};
}

}  // namespace

void RegisterLab(CLI::App& app, Session& session) {
  lab::RegisterCommands(app, session.exit_code());
  CLI::App* status = app.get_subcommand("lab")->add_subcommand(
      "status", "The labs of this computer, and their state");
  status->fallthrough();
  status->callback([&session] { session.Finish(RunLabStatus(session)); });
}

}  // namespace leman::cli
