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

// As a shell has it.
constexpr int kExitNoSuchCommand = 127;

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
  if (const int number = InterruptSignal(); number != 0) {
    return 128 + number;
  }
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
  Status status = lab->Up([&](const std::string& doing) { report.Doing(doing); });
  if (status.ok()) {
    status = lab->Keep();
  }
  if (status.ok()) {
    report.Good("up: " + lab->Size());
    report.Note(
        "leman lab exec NAME -- CMD runs a command in a host or machine, leman lab down ends it");
    return 0;
  }
  report.Bad("not up");
  const int code = Told(std::move(status));
  if (!lab->Owned()) {
    return code;
  }
  if (arguments.keep) {
    std::cerr << "leman: left as it is; see " << lab->plan().run_dir << "\n";
    return code;
  }
  return std::max(code, Told(lab->Down()));
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
  const int code =
      Told(Exec(arguments.command,
                machine != nullptr ? machine->netns : plan.FindHost(located->second)->netns));
  return FindProgram(arguments.command.front()).empty() ? kExitNoSuchCommand : code;
}

std::vector<std::string> AddressTexts(const std::vector<IpPrefix>& prefixes) {
  std::vector<std::string> texts;
  texts.reserve(prefixes.size());
  for (const IpPrefix& prefix : prefixes) {
    texts.push_back(prefix.ToString());
  }
  return texts;
}

HostStatus DescribeHost(const HostPlan& plan, const Host& host) {
  HostStatus about;
  about.name = plan.name;
  for (const auto& address : {host.address4, host.address6}) {
    if (address) {
      about.addresses.push_back(address->ToString());
    }
  }
  about.netns = plan.netns;
  about.socket = plan.SocketPath();
  about.agent = NetnsExists(plan.netns) ? "no answer" : "no namespace";
  const auto status = AgentClient(about.socket).GetStatus(Milliseconds(1000));
  if (status.ok()) {
    about.agent = v1::AgentState_Name(status->state()).substr(std::string("AGENT_STATE_").size());
    std::transform(about.agent.begin(), about.agent.end(), about.agent.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    about.problems = status->problems_size();
    about.ports = status->ports();
    about.fdb_entries = status->fdb_entries();
  }
  return about;
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
  CatchInterrupts();  // a removal that has begun is finished
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

std::string_view StateName(LabState state) {
  switch (state) {
    case LabState::kUp:
      return "up";
    case LabState::kBusy:
      return "busy";
    case LabState::kAbandoned:
      break;
  }
  return "abandoned";
}

}  // namespace

std::vector<LabStatus> DescribeLabs() {
  std::vector<LabStatus> labs;
  for (const std::string& name : Lab::List()) {
    LabStatus about;
    about.name = name;
    about.state = StateName(Lab::StateOf(name));
    about.directory = RunDir(name);
    // Its lab file is the last that a lab gets, and may not be there yet or any more.
    if (const auto lab = Lab::Open(name); lab.ok()) {
      for (const HostPlan& plan : lab->plan().hosts) {
        about.hosts.push_back(DescribeHost(plan, *lab->file().FindHost(plan.name)));
      }
      for (const MachinePlan& plan : lab->plan().machines) {
        const Machine& machine = plan.machine;
        about.machines.push_back({.name = machine.name,
                                  .kind = std::string(KindName(machine.kind)),
                                  .host = machine.host,
                                  .network = machine.network,
                                  .vni = lab->file().FindNetwork(machine.network)->vni.value(),
                                  .mac = machine.mac.ToString(),
                                  .addresses = AddressTexts(machine.addresses),
                                  .device = plan.port_device,
                                  .netns = plan.netns});
      }
    }
    labs.push_back(std::move(about));
  }
  return labs;
}

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
  exec->footer(
      "The exit status is the command's, 127 if there is no such command.\n"
      "In a virtual machine stdin is empty, and stdout and stderr come as one.");
  exec->add_option("NAME", arguments->name, "Host or machine, or LAB/NAME")->required();
  exec->add_option("CMD", arguments->command, "Command and its arguments, after --")->required();
  exec->callback([arguments, &exit_code] { exit_code = ExecIn(*arguments); });

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
