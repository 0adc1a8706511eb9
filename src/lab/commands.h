// The commands `leman lab …` and `leman demo`, for the composition root of the `leman` binary.
//
// Threads: the callbacks run inside CLI::App::parse, on its thread.
// Errors: told on stderr; `exit_code` becomes 1, 128 and the number of the signal that interrupted
// a
//         command, or the exit status of the command that `lab exec` ran. `app` and `exit_code`
//         must live until parse has returned.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace leman::lab {

// All but `lab status`, whose form is the program's.
void RegisterCommands(CLI::App& app, int& exit_code);

struct HostStatus {
  std::string name;
  std::vector<std::string> addresses;  // with prefix length
  std::string agent;                   // its state, "no answer" or "no namespace"
  std::int64_t problems = 0;
  std::uint64_t ports = 0;
  std::uint64_t fdb_entries = 0;
  std::string netns;
  std::string socket;  // of the agent
};

struct MachineStatus {
  std::string name;
  std::string kind;  // netns or qemu
  std::string host;
  std::string network;
  std::uint32_t vni = 0;
  std::string mac;
  std::vector<std::string> addresses;
  std::string device;  // of its port, on the host
  std::string netns;   // empty for a virtual machine
};

struct LabStatus {
  std::string name;
  std::string state;  // up; busy: a process makes, uses or removes it; abandoned: it was killed
  std::string directory;
  std::vector<HostStatus> hosts;
  std::vector<MachineStatus> machines;
};

[[nodiscard]] std::vector<LabStatus> DescribeLabs();

}  // namespace leman::lab
