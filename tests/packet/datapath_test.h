// The fixture of the packet tests: the real dataplane in fresh namespaces, one per test suite, and
// the programs run on single frames by bpf_prog_test_run.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "dataplane/dataplane.h"
#include "net_lab.h"
#include "test_program.h"

namespace leman::packet_test {

enum class Hook { kPort, kUnderlay };

// struct __sk_buff as far as a test may set it.
struct RunOptions {
  std::uint32_t mark = 0;
  std::uint32_t gso_size = 0;
  std::uint32_t gso_segs = 0;
};

struct RunResult {
  int action = -1;
  Bytes frame;
};

inline constexpr int kActionOk = 0;        // TC_ACT_OK
inline constexpr int kActionShot = 2;      // TC_ACT_SHOT
inline constexpr int kActionRedirect = 7;  // TC_ACT_REDIRECT

// Everything the datapath counts, by name: "verdict port.forwarded packets", "event learned",
// "port-a tx bytes", "net:10001 rx packets", "peer:192.168.1.101 tx packets", "option ff00/01
// bytes".
using Counters = std::map<std::string, std::uint64_t>;

// What moved, unmoved ones left out.
[[nodiscard]] Counters Difference(const Counters& before, const Counters& after);

class DatapathTest : public testing::Test {
 protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite();

  // Makes the kernel hold MakeProgram(wish).
  static void Configure(const nlohmann::json& wish = nlohmann::json::object());
  // Of every network, until the next program with another underlay is applied.
  static void SetLearnLimit(std::uint32_t limit);
  static void ApplyProgram(const model::HostProgram& program);

  [[nodiscard]] static RunResult RunHook(Hook hook, const std::string& device, const Bytes& frame,
                                         const RunOptions& options = {});
  [[nodiscard]] static Counters Count();
  [[nodiscard]] static const NetLab& lab();
  // A socket on a far device that sees from now on; what came before is thrown away.
  [[nodiscard]] static const FrameSocket& Listen(const std::string& far_device);
  // The same socket with what has come since.
  [[nodiscard]] static const FrameSocket& Socket(const std::string& far_device);
  // Puts the frame on the wire of the device's far end, for what bpf_prog_test_run cannot do: VLAN
  // tags that the kernel has taken off, offloads, headers it finds too short.
  static void SendInto(const std::string& device, const Bytes& frame, const Offload& offload = {});
  // Counts again and again until what moved is `wanted` or two seconds are over; what moved then.
  [[nodiscard]] static Counters WaitFor(const Counters& before, const Counters& wanted);
  [[nodiscard]] static Dataplane& dataplane();
  [[nodiscard]] static const std::string& pin_root();
};

// "/sys/fs/bpf/leman-test-PID-N", another one at each call.
[[nodiscard]] std::string FreshPinRoot();
// A program or map of the current ABI version, as the agent pins it.
[[nodiscard]] std::string PinPath(const std::string& pin_root, const std::string& name);

// Takes everything away that a test left under `pin_root`.
void RemovePins(const std::string& pin_root);

// The bytes in which two frames differ, for messages: "@24 b6 not b7, …" and both lengths.
[[nodiscard]] std::string DescribeDifference(const Bytes& got, const Bytes& wanted);
[[nodiscard]] std::string ToHex(const Bytes& bytes);

}  // namespace leman::packet_test
