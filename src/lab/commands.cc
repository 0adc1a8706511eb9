#include "lab/commands.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lab/agent_client.h"
#include "lab/demo.h"
#include "lab/lab.h"
#include "lab/netns.h"
#include "lab/report.h"
#include "lab/vm.h"

namespace leman::lab {
namespace {

struct Arguments {
  std::string file;
  std::string kind;
  std::string name;
  std::string lab;
  std::vector<std::string> command;
  bool all = false;
  bool keep = false;
};

int Told(const Error& error) {
  std::cerr << "leman: " << error.message() << "\n";
  return error.code() == Code::kInvalidArgument ? 2 : 1;
}

int Told(Status status) { return status.ok() ? 0 : Told(std::move(status).error()); }

int Up(const Arguments& arguments) {
  auto lab = Lab::FromFile(arguments.file, ParseKind(arguments.kind));
  if (!lab.ok()) {
    return Told(lab.error());
  }
  CatchInterrupts();
  Report report;
  report.Begin("lab " + lab->file().name);
  const auto status = lab->Up([&](const std::string& doing) { report.Doing(doing); });
  if (!status.ok()) {
    report.Bad("not up");
    const int code = Told(status);
    if (!lab->Owned()) {
      return code;
    }
    if (arguments.keep) {
      std::cerr << "leman: left as it is; see " << lab->plan().run_dir << "\n";
    } else {
      return std::max(code, Told(lab->Down()));
    }
    return code;
  }
  report.Good("up: " + std::to_string(lab->file().hosts.size()) + " hosts, " +
              std::to_string(lab->file().machines.size()) + " machines");
  report.Note(
      "leman lab exec NAME -- CMD runs a command in a host or machine, leman lab down ends it");
  return 0;
}

// The lab that `name` (a host or machine, or LAB/NAME) belongs to.
Result<std::pair<Lab, std::string>> Locate(const std::string& name) {
  std::string thing = name;
  std::vector<std::string> labs = Lab::List();
  if (const std::size_t slash = name.find('/'); slash != std::string::npos) {
    labs = {name.substr(0, slash)};
    thing = name.substr(slash + 1);
  }
  std::optional<Lab> found;
  for (const std::string& candidate : labs) {
    auto lab = Lab::Open(candidate);
    if (!lab.ok()) {
      if (labs.size() == 1) {
        return Fail(lab.error());
      }
      continue;
    }
    if (lab->plan().FindHost(thing) == nullptr && lab->plan().FindMachine(thing) == nullptr) {
      continue;
    }
    if (found) {
      return Fail(Code::kInvalidArgument, name + " is in several labs; write LAB/" + thing);
    }
    found.emplace(std::move(lab).value());
  }
  if (!found) {
    return Fail(Code::kNotFound,
                "no host or machine " + name + " in a lab that is up; see leman lab status");
  }
  return std::make_pair(std::move(*found), thing);
}

int ExecIn(const Arguments& arguments) {
  auto located = Locate(arguments.name);
  if (!located.ok()) {
    return Told(located.error());
  }
  const LabPlan& plan = located->first.plan();
  const MachinePlan* machine = plan.FindMachine(located->second);
  if (machine != nullptr && machine->machine.kind == Kind::kQemu) {
    CatchInterrupts();
    const auto output =
        RunInVm(*machine, QuoteForShell(arguments.command), std::chrono::hours(24), true);
    return output.ok() ? output->exit_status : Told(output.error());
  }
  return Told(Exec(arguments.command,
                   machine != nullptr ? machine->netns : plan.FindHost(located->second)->netns));
}

std::string Joined(const std::vector<IpPrefix>& prefixes) {
  std::string text;
  for (const IpPrefix& prefix : prefixes) {
    text += (text.empty() ? "" : " ") + prefix.ToString();
  }
  return text;
}

// Columns as wide as their widest cell.
void PrintTable(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) {
        line += std::string(widths[i] - row[i].size() + 2, ' ');
      }
    }
    std::cout << "  " << line << "\n";
  }
}

void PrintLab(const Lab& lab) {
  std::cout << "lab " << lab.file().name << " (" << lab.plan().run_dir << ")\n";
  std::vector<std::vector<std::string>> rows = {{"HOST", "ADDRESS", "AGENT", "PORTS", "FDB"}};
  for (const HostPlan& host : lab.plan().hosts) {
    const Host& about = *lab.file().FindHost(host.name);
    std::vector<IpPrefix> addresses;
    for (const auto& address : {about.address4, about.address6}) {
      if (address) {
        addresses.push_back(*address);
      }
    }
    std::vector<std::string> row = {host.name, Joined(addresses)};
    const auto status = AgentClient(host.SocketPath()).GetStatus(Milliseconds(1000));
    if (!NetnsExists(host.netns)) {
      row.emplace_back("no namespace");
    } else if (!status.ok()) {
      row.emplace_back("no answer");
    } else {
      std::string state = v1::AgentState_Name(status->state());
      state.erase(0, std::string("AGENT_STATE_").size());
      row.insert(row.end(),
                 {state + (status->degraded() ? " (degraded)" : ""),
                  std::to_string(status->ports()), std::to_string(status->fdb_entries())});
    }
    rows.push_back(std::move(row));
  }
  PrintTable(rows);
  rows = {{"MACHINE", "KIND", "HOST", "NETWORK", "VNI", "MAC", "ADDRESSES", "DEVICE"}};
  for (const MachinePlan& plan : lab.plan().machines) {
    const Machine& machine = plan.machine;
    rows.push_back({machine.name, std::string(KindName(machine.kind)), machine.host,
                    machine.network,
                    std::to_string(lab.file().FindNetwork(machine.network)->vni.value()),
                    machine.mac.ToString(), Joined(machine.addresses), plan.port_device});
  }
  PrintTable(rows);
}

int PrintStatus() {
  const std::vector<std::string> labs = Lab::List();
  if (labs.empty()) {
    std::cout << "no lab is up\n";
  }
  for (const std::string& name : labs) {
    const auto lab = Lab::Open(name);
    if (lab.ok()) {
      PrintLab(*lab);
    } else {
      std::cout << "lab " << name << ": half-made; leman lab down " << name << " removes it\n";
    }
  }
  return 0;
}

int Down(const Arguments& arguments) {
  std::vector<std::string> labs = Lab::List();
  if (!arguments.name.empty()) {
    if (std::find(labs.begin(), labs.end(), arguments.name) == labs.end()) {
      return Told(Error(Code::kNotFound, "no lab " + arguments.name + " is up"));
    }
    labs = {arguments.name};
  } else if (labs.size() > 1 && !arguments.all) {
    return Told(Error(Code::kInvalidArgument, "several labs are up; name one, or write --all"));
  }
  int code = 0;
  for (const std::string& name : labs) {
    const int one = Told(Lab::Remove(name));
    if (one == 0) {
      std::cout << "lab " << name << ": removed\n";
    }
    code = std::max(code, one);
  }
  if (arguments.all) {
    code = std::max(code, Told(Lab::RemoveStrays()));
  }
  return code;
}

}  // namespace

void RegisterCommands(CLI::App& app, int& exit_code) {
  // Shared by the callbacks, which live as long as the app.
  const auto arguments = std::make_shared<Arguments>();
  const auto kinds = CLI::IsMember({"netns", "qemu"});

  CLI::App* lab = app.add_subcommand(
      "lab", "Hosts and machines on this computer: network namespaces, or virtual machines");
  lab->require_subcommand(1);

  CLI::App* up =
      lab->add_subcommand("up", "Make the lab that a file describes and wait until it is ready");
  up->add_option("FILE", arguments->file, "Lab file, for example examples/two-hosts.yaml")
      ->required();
  up->add_option("--kind", arguments->kind, "Make every machine of this kind")->check(kinds);
  up->add_flag("--keep", arguments->keep, "Leave a lab that fails to start, to look into it");
  up->callback([arguments, &exit_code] { exit_code = Up(*arguments); });

  CLI::App* exec = lab->add_subcommand("exec", "Run a command in a host or machine");
  exec->add_option("NAME", arguments->name, "Host or machine, or LAB/NAME")->required();
  exec->add_option("CMD", arguments->command, "Command and its arguments, after --")->required();
  exec->callback([arguments, &exit_code] { exit_code = ExecIn(*arguments); });

  CLI::App* status = lab->add_subcommand("status", "List the labs that are up");
  status->callback([&exit_code] { exit_code = PrintStatus(); });

  CLI::App* down = lab->add_subcommand("down", "Remove a lab, also one left by a crash");
  down->add_option("LAB", arguments->name, "Which one; may be left out when only one is up");
  down->add_flag("--all", arguments->all, "Every lab, and whatever carries a lab's name");
  down->callback([arguments, &exit_code] { exit_code = Down(*arguments); });

  CLI::App* demo = app.add_subcommand(
      "demo", "Bring up two hosts and show one packet's way from machine to machine");
  demo->add_option("--kind", arguments->kind, "Kind of the machines (default netns)")->check(kinds);
  demo->add_option("--file", arguments->file, "Lab file (default: the two hosts of the examples)");
  demo->add_flag("--keep", arguments->keep, "Leave the lab up and the captures in place");
  demo->callback([arguments, &exit_code] {
    exit_code = RunDemo({arguments->file, ParseKind(arguments->kind), arguments->keep});
  });
}

}  // namespace leman::lab
