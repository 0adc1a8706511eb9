// One line of the packet tables: a frame in, and everything that must come of it. The tables are
// made at build time by the scripts beside this file, with scapy.
//
//   name      [A-Za-z0-9_]
//   ids       conformance rows the case proves
//   config    see MakeProgram()
//   hook      "port" or "underlay";  device: where the frame comes in
//   in        hex
//   action    "redirect", "shot" or "ok"
//   verdict   the one that counts this frame, with its bytes
//   out       hex of what the program leaves; absent: not looked at, for the frame is dropped
//   encap     true: `out` is a tunnel packet whose source port, flow label and UDP checksum are not
//             known beforehand; they are checked by rule (checksum: "zero" or "good")
//   fill      [from, field]: a transport checksum in the tunnel packet is still pending: the sum of
//   the
//             bytes from `from` to the end belongs at `field` before the outer checksum is checked
//   events    {name: count}, traffic {name: count}, options {name: count}: all that moves besides
//   copies    {far device: [hex]}: frames that come out there, in any order; tunnel packets at
//             far-underlay are compared as with `encap`
//   wire      true: the frame is sent to the device instead of the program being run; all that
//   comes of
//             it is in `copies`, and the kernel has taken off the outer VLAN tag
//   verdict_bytes  when not those of `in`
//   verdicts  {name: count}: instead of the one verdict, when second passes count too
#pragma once

#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "datapath_test.h"

namespace leman::packet_test {

struct PacketCase {
  std::string name;
  nlohmann::json spec;
};

void PrintTo(const PacketCase& one, std::ostream* out);

// The cases of one table, in order; exits with a message when it cannot be read.
[[nodiscard]] std::vector<PacketCase> LoadCases(const std::string& table);
// The line with this name; exits when there is none.
[[nodiscard]] const nlohmann::json& CaseByName(const std::string& table, const std::string& name);
[[nodiscard]] std::string CaseName(const testing::TestParamInfo<PacketCase>& info);

// Runs one case and checks all of it.
class PacketCaseTest : public DatapathTest, public testing::WithParamInterface<PacketCase> {
 protected:
  void RunCase(const nlohmann::json& spec);
};

// A tunnel packet against what it must be, field by field where `encap` says so; keeps it for
// tshark.
void CheckEncapsulated(const nlohmann::json& spec, const Bytes& got);

}  // namespace leman::packet_test
