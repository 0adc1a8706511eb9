#include "lab/lab.h"

#include <poll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <utility>

#include "lab/agent_client.h"
#include "lab/files.h"
#include "lab/netns.h"
#include "lab/vm.h"

namespace leman::lab {
namespace {

// For one that works at it; one that ends is noticed at once. A slow machine (under emulation)
// takes many seconds to load the programs.
constexpr Milliseconds kAgentTimeout{60'000};
constexpr Milliseconds kVmTimeout{120'000};
constexpr Milliseconds kLockPatience{3000};
constexpr unsigned kBpfFsMagic = 0xcafe4a11;

std::string LabFilePath(const std::string& name) { return RunDir(name) + "/lab.yaml"; }
std::string NetnsListPath(const std::string& name) { return RunDir(name) + "/netns"; }
// There once a lab is meant to stay when the process that made it ends.
std::string KeptPath(const std::string& name) { return RunDir(name) + "/kept"; }

Status NeedRoot() {
  if (geteuid() != 0) {
    return Fail(
        Code::kPermissionDenied,
        "a lab makes network namespaces and loads BPF programs, which needs root; use sudo");
  }
  return {};
}

// systemd mounts it; a container or a bare system may not have.
Status MountBpfFs() {
  struct statfs about{};
  if (statfs("/sys/fs/bpf", &about) == 0 && static_cast<unsigned>(about.f_type) == kBpfFsMagic) {
    return {};
  }
  if (mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0700") != 0) {
    return Fail(ErrnoError(errno, "mount a BPF file system on /sys/fs/bpf"));
  }
  return {};
}

Status IpBatch(const std::string& netns, const std::string& batch) {
  std::vector<std::string> argv = {"ip"};
  if (!netns.empty()) {
    argv.insert(argv.end(), {"-n", netns});
  }
  argv.insert(argv.end(), {"-batch", "-"});
  LEMAN_TRY(RunOk({.argv = argv, .netns = {}, .input = batch}));
  return {};
}

// A name that only one process can hold, and that nobody has to clean up: an abstract socket. The
// helpers that we run inherit it: when we are killed in their midst, the lab is free once the last
// of them has ended, and none of them makes anything behind the back of whoever comes next.
Result<Fd> TakeLock(const std::string& lab, Milliseconds patience) {
  Fd fd(socket(AF_UNIX, SOCK_DGRAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = std::string(1, '\0') + "leman-lab-" + lab;
  std::memcpy(static_cast<char*>(address.sun_path), name.data(),
              std::min(name.size(), sizeof address.sun_path));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  // Whoever was killed just now holds it for a moment yet.
  const auto deadline = Clock::now() + patience;
  while (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    if (errno != EADDRINUSE) {
      return Fail(ErrnoError(errno, "lock of lab " + lab));
    }
    if (Interrupted()) {
      return FailInterrupted();
    }
    if (Clock::now() >= deadline) {
      return Fail(Code::kAlreadyExists,
                  "another leman process is at work on lab " + lab + "; wait for it or end it");
    }
    poll(nullptr, 0, 10);
  }
  return fd;
}

// Whether somebody counts on this lab: it was meant to stay, and all its agents are alive.
bool InUse(const std::string& name) {
  const auto lab = Lab::Open(name);
  return lab.ok() && access(KeptPath(name).c_str(), F_OK) == 0 &&
         std::all_of(lab->plan().hosts.begin(), lab->plan().hosts.end(), [](const HostPlan& host) {
           return AgentClient(host.SocketPath()).GetStatus(Milliseconds(1000)).ok();
         });
}

Status RemoveLocked(const std::string& name) {
  const UninterruptedScope scope;
  std::vector<std::string> names;
  if (const auto list = ReadText(NetnsListPath(name)); list.ok()) {
    std::istringstream lines(*list);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with(kNamespacePrefix) && NetnsExists(line)) {
        names.push_back(line);
      }
    }
  }
  LEMAN_TRY(KillInside(names));
  for (const std::string& netns : names) {
    LEMAN_TRY(DeleteNetns(netns));
  }
  // With its devices gone, the pins are the last that hold the programs' maps.
  LEMAN_TRY(RemoveTree(std::string(kPinRoot) + "/" + name));
  return RemoveTree(RunDir(name));
}

}  // namespace

std::string CardCapturePath(const MachinePlan& machine) { return machine.run_dir + "/card.pcap"; }

Result<std::string> FindAgent() {
  // Environment variables are read before any thread starts.
  if (const char* wanted = std::getenv("LEMAN_AGENT")) {  // NOLINT(concurrency-mt-unsafe)
    return std::string(wanted);
  }
  const std::string here = ProgramDirectory();
  for (const std::string& place :
       {here + "/leman-agent", here + "/../agent/leman-agent", here + "/../sbin/leman-agent"}) {
    if (access(place.c_str(), X_OK) == 0) {
      return place;
    }
  }
  std::string found = FindProgram("leman-agent");
  if (found.empty()) {
    return Fail(Code::kNotFound,
                "leman-agent is not beside leman and not in PATH; build it, or name it in "
                "LEMAN_AGENT");
  }
  return found;
}

Result<Lab> Lab::FromFile(const std::string& path, std::optional<Kind> kind) {
  LEMAN_ASSIGN_OR_RETURN(std::string text, ReadText(path));
  return FromText(path, std::move(text), kind);
}

Result<Lab> Lab::FromText(const std::string& path, std::string text, std::optional<Kind> kind) {
  LEMAN_ASSIGN_OR_RETURN(LabFile file, ParseLabFile(path, text));
  if (kind) {
    for (Machine& machine : file.machines) {
      machine.kind = *kind;
    }
  }
  return Lab(std::move(file), std::move(text));
}

Result<Lab> Lab::Open(const std::string& name) {
  if (!IsPlainName(name) || access(LabFilePath(name).c_str(), F_OK) != 0) {
    return Fail(Code::kNotFound,
                "no lab " + name + " is up; `leman lab status` lists those that are");
  }
  LEMAN_ASSIGN_OR_RETURN(Lab lab, FromFile(LabFilePath(name), std::nullopt));
  // What `--kind` made of it at the time: a virtual machine has no namespace of its own.
  for (Machine& machine : lab.file_.machines) {
    machine.kind = access((RunDir(name) + "/" + machine.name + "/qemu.log").c_str(), F_OK) == 0
                       ? Kind::kQemu
                       : Kind::kNetns;
  }
  lab.plan_ = MakePlan(lab.file_);
  return lab;
}

std::vector<std::string> Lab::List() { return ListSubdirectories(std::string(kRunRoot)); }

LabState Lab::StateOf(const std::string& name) {
  if (!TakeLock(name, Milliseconds(0)).ok()) {
    return LabState::kBusy;
  }
  return access(KeptPath(name).c_str(), F_OK) == 0 ? LabState::kUp : LabState::kAbandoned;
}

Status Lab::Remove(const std::string& name) {
  LEMAN_TRY(NeedRoot());
  LEMAN_ASSIGN_OR_RETURN(const Fd lock, TakeLock(name, kLockPatience));
  return RemoveLocked(name);
}

Status Lab::Lock() {
  if (!lock_.valid()) {
    LEMAN_ASSIGN_OR_RETURN(lock_, TakeLock(file_.name, kLockPatience));
  }
  return {};
}

Status Lab::Down() {
  LEMAN_TRY(NeedRoot());
  LEMAN_TRY(Lock());
  return RemoveLocked(file_.name);
}

Status Lab::RemoveStrays() {
  LEMAN_TRY(NeedRoot());
  std::vector<std::string> names = ListNetns(kNamespacePrefix);
  for (const std::string& lab : List()) {
    std::erase_if(names,
                  [&](const std::string& name) { return name.starts_with(NetnsName(lab, "")); });
  }
  LEMAN_TRY(KillInside(names));
  for (const std::string& netns : names) {
    LEMAN_TRY(DeleteNetns(netns));
  }
  for (const std::string& lab : ListSubdirectories(std::string(kPinRoot))) {
    if (access(RunDir(lab).c_str(), F_OK) != 0) {
      LEMAN_TRY(RemoveTree(std::string(kPinRoot) + "/" + lab));
    }
  }
  return {};
}

Status Lab::Prepare() const {
  LEMAN_TRY(MakeDirectories(plan_.run_dir));
  std::string list;
  for (const NamespacePlan& contents : plan_.contents) {
    list += contents.name + "\n";
  }
  LEMAN_TRY(WriteText(NetnsListPath(file_.name), list));
  LEMAN_TRY(WriteText(LabFilePath(file_.name), text_));
  LEMAN_TRY(MountBpfFs());
  LEMAN_TRY(MakeDirectories(plan_.pin_root));
  for (const HostPlan& host : plan_.hosts) {
    LEMAN_TRY(MakeDirectories(host.run_dir));
    LEMAN_TRY(WriteText(host.state_path, host.state_yaml));
  }
  for (const MachinePlan& machine : plan_.machines) {
    LEMAN_TRY(MakeDirectories(machine.run_dir));
  }
  return {};
}

Status Lab::MakeLinks() const {
  std::string batch;
  for (const NamespacePlan& contents : plan_.contents) {
    batch += "netns add " + contents.name + "\n";
  }
  LEMAN_TRY(IpBatch("", batch));
  for (const NamespacePlan& contents : plan_.contents) {
    LEMAN_TRY(IpBatch(contents.name, contents.ip_batch));
    for (const std::string& device : contents.no_offload_devices) {
      LEMAN_TRY(RunOk(
          {.argv = {"ethtool", "-K", device, "tx", "off", "tso", "off", "gso", "off", "gro", "off"},
           .netns = contents.name,
           .input = {}}));
    }
  }
  return {};
}

Status Lab::StartAgents(const Progress& progress) const {
  LEMAN_ASSIGN_OR_RETURN(const std::string agent, FindAgent());
  std::vector<Process> agents;
  for (const HostPlan& host : plan_.hosts) {
    progress("starting the agent of " + host.name);
    LEMAN_ASSIGN_OR_RETURN(Process process,
                           Spawn({agent, "--state", host.state_path, "--pin-root", host.pin_root,
                                  "--run-dir", host.run_dir, "--metrics-address", "off"},
                                 host.netns, host.LogPath()));
    agents.push_back(std::move(process));
  }
  for (std::size_t i = 0; i < agents.size(); ++i) {
    const HostPlan& host = plan_.hosts[i];
    progress("waiting for the agent of " + host.name);
    LEMAN_TRY(WaitReady(host.name, host.SocketPath(), host.LogPath(), agents[i], kAgentTimeout));
  }
  return {};
}

Result<std::vector<Process>> Lab::StartVirtualMachines(const Progress& progress) const {
  std::vector<Process> started;
  GuestImage image;
  for (const MachinePlan& machine : plan_.machines) {
    if (machine.machine.kind != Kind::kQemu) {
      started.emplace_back();
      continue;
    }
    if (image.kernel.empty()) {
      progress("packing the virtual machines' file system");
      const std::string directory = plan_.run_dir + "/guest-image";
      LEMAN_TRY(MakeDirectories(directory));
      LEMAN_ASSIGN_OR_RETURN(image, MakeGuestImage(directory));
    }
    LEMAN_ASSIGN_OR_RETURN(
        Process process,
        StartVm(machine, image, capture_cards_ ? CardCapturePath(machine) : std::string()));
    started.push_back(std::move(process));
  }
  return started;
}

Status Lab::Up(const Progress& progress) {
  LEMAN_TRY(NeedRoot());
  LEMAN_TRY(FindAgent());
  progress("removing leftovers");
  LEMAN_TRY(Lock());
  if (InUse(file_.name)) {
    lock_.Reset();
    return Fail(Code::kAlreadyExists, "lab " + file_.name +
                                          " is up already; end it by `leman lab down " +
                                          file_.name + "`, or give this one another name");
  }
  LEMAN_TRY(RemoveLocked(file_.name));
  LEMAN_TRY(Prepare());
  progress("making namespaces and links");
  LEMAN_TRY(MakeLinks());
  // Virtual machines take seconds to boot: the agents start meanwhile.
  LEMAN_ASSIGN_OR_RETURN(const std::vector<Process> vms, StartVirtualMachines(progress));
  LEMAN_TRY(StartAgents(progress));
  for (std::size_t i = 0; i < vms.size(); ++i) {
    if (vms[i].pidfd.valid()) {
      progress("booting " + plan_.machines[i].machine.name);
      LEMAN_TRY(WaitVm(plan_.machines[i], vms[i], kVmTimeout));
    }
  }
  return {};
}

std::string Lab::Size() const {
  const auto counted = [](std::size_t count, const char* what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
  };
  return counted(plan_.hosts.size(), "host") + ", " + counted(plan_.machines.size(), "machine");
}

Status Lab::Keep() {
  if (Interrupted()) {
    return FailInterrupted();
  }
  return WriteText(KeptPath(file_.name), "");
}

Result<Output> Lab::RunIn(const std::string& machine, const std::vector<std::string>& argv,
                          Milliseconds timeout) {
  const MachinePlan* plan = plan_.FindMachine(machine);
  if (plan == nullptr) {
    return Fail(Code::kNotFound, "no machine " + machine);
  }
  if (plan->machine.kind == Kind::kQemu) {
    return RunInVm(*plan, QuoteForShell(argv), timeout, false);
  }
  return Run({.argv = argv, .netns = plan->netns, .input = {}, .timeout = timeout});
}

}  // namespace leman::lab
