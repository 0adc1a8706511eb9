#include "packet_case.h"

#include <array>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "tunnel_packet.h"

namespace leman::packet_test {
namespace {

using nlohmann::json;

constexpr std::array kFarDevices = {"far-a", "far-b", "far-c", "far-underlay"};

int Action(const std::string& name) {
  return name == "redirect" ? kActionRedirect : name == "shot" ? kActionShot : kActionOk;
}

// The counters that the case says will move.
Counters ExpectedCounters(const json& spec, std::size_t frame_bytes) {
  Counters wanted;
  const auto add = [&wanted, &spec](const char* key, const std::string& prefix) {
    const json items = spec.value(key, json::object());
    for (const auto& [name, count] : items.items()) {
      if (count.get<std::uint64_t>() != 0) {
        wanted[prefix + name] = count.get<std::uint64_t>();
      }
    }
  };
  if (spec.contains("verdicts")) {
    add("verdicts", "verdict ");
  } else {
    const std::string verdict = "verdict " + spec.at("hook").get<std::string>() + "." +
                                spec.at("verdict").get<std::string>();
    wanted[verdict + " packets"] = 1;
    wanted[verdict + " bytes"] = spec.value("verdict_bytes", std::uint64_t{frame_bytes});
  }
  add("events", "event ");
  add("traffic", "");
  add("options", "option ");
  return wanted;
}

std::string Describe(const Counters& counters) {
  std::string text;
  for (const auto& [name, count] : counters) {
    text += "  " + name + " +" + std::to_string(count) + "\n";
  }
  return text;
}

void CheckCopies(const std::string& device, const FrameSocket& socket, const json& wanted) {
  constexpr std::chrono::milliseconds kDeadline(2000);
  std::vector<Bytes> expected;
  for (const json& hex : wanted) {
    expected.push_back(FromHex(hex.get<std::string>()));
  }
  while (!expected.empty()) {
    const auto frame = socket.Receive(kDeadline);
    if (!frame) {
      ADD_FAILURE() << device << ": " << expected.size() << " frames did not come, the first\n  "
                    << ToHex(expected.front());
      return;
    }
    const bool underlay = device == "far-underlay";
    if (underlay && !IsTunnelPacket(frame->bytes)) {
      continue;  // the underlay's own chatter
    }
    const auto match = std::find_if(expected.begin(), expected.end(), [&](const Bytes& one) {
      return underlay ? SameButEntropy(frame->bytes, one) : frame->bytes == one;
    });
    if (match == expected.end()) {
      ADD_FAILURE() << device
                    << ": unexpected frame: " << DescribeDifference(frame->bytes, expected.front());
      return;
    }
    if (underlay && UdpChecksumField(frame->bytes) != 0) {
      EXPECT_TRUE(UdpChecksumIsRight(frame->bytes)) << ToHex(frame->bytes);
    }
    expected.erase(match);
  }
  for (const Frame& frame : socket.Drain()) {
    if (device != "far-underlay" || IsTunnelPacket(frame.bytes)) {
      ADD_FAILURE() << device << ": one frame too many: " << ToHex(frame.bytes);
    }
  }
}

}  // namespace

void PrintTo(const PacketCase& one, std::ostream* out) { *out << one.name; }

std::vector<PacketCase> LoadCases(const std::string& table) {
  const std::string path = std::string(PACKET_TABLES) + "/" + table + ".json";
  std::ifstream file(path);
  if (!file) {
    std::cerr << "cannot read " << path << "\n";
    std::exit(1);
  }
  std::vector<PacketCase> cases;
  for (const json& spec : json::parse(file)) {
    cases.push_back({.name = spec.at("name").get<std::string>(), .spec = spec});
  }
  return cases;
}

const json& CaseByName(const std::string& table, const std::string& name) {
  static std::map<std::string, std::vector<PacketCase>> tables;
  auto found = tables.find(table);
  if (found == tables.end()) {
    found = tables.emplace(table, LoadCases(table)).first;
  }
  for (const PacketCase& one : found->second) {
    if (one.name == name) {
      return one.spec;
    }
  }
  std::cerr << "no case " << name << " in table " << table << "\n";
  std::exit(1);
}

std::string CaseName(const testing::TestParamInfo<PacketCase>& info) { return info.param.name; }

void PacketCaseTest::RunCase(const json& spec) {
  SCOPED_TRACE(spec.value("ids", ""));
  ASSERT_NO_FATAL_FAILURE(Configure(spec.value("config", json::object())));
  const Bytes frame = FromHex(spec.at("in").get<std::string>());
  const Hook hook = spec.at("hook") == "port" ? Hook::kPort : Hook::kUnderlay;

  for (const char* device : kFarDevices) {
    (void)Listen(device);
  }
  const Counters wanted = ExpectedCounters(spec, frame.size());
  const Counters before = Count();
  const auto device = spec.at("device").get<std::string>();
  RunResult result;
  if (spec.value("wire", false)) {
    SendInto(device, frame);
  } else {
    result = RunHook(hook, device, frame,
                     {.mark = spec.value("mark", 0U),
                      .gso_size = spec.value("gso_size", 0U),
                      .gso_segs = spec.value("gso_segs", 0U)});
    EXPECT_EQ(result.action, Action(spec.at("action").get<std::string>()));
  }
  const Counters moved = WaitFor(before, wanted);
  EXPECT_TRUE(moved == wanted) << "counters that moved:\n"
                               << Describe(moved) << "wanted:\n"
                               << Describe(wanted);
  const json copies = spec.value("copies", json::object());
  for (const char* far : kFarDevices) {
    CheckCopies(far, Socket(far), copies.value(far, json::array()));
  }
  if (spec.contains("out") && spec.value("encap", false)) {
    CheckEncapsulated(spec, result.frame);
  } else if (spec.contains("out")) {
    const Bytes out = FromHex(spec.at("out").get<std::string>());
    EXPECT_TRUE(result.frame == out) << DescribeDifference(result.frame, out);
  }
}

void CheckEncapsulated(const json& spec, const Bytes& got) {
  const Bytes wanted = FromHex(spec.at("out").get<std::string>());
  EXPECT_TRUE(SameButEntropy(got, wanted)) << DescribeDifference(got, wanted);
  if (got.size() != wanted.size()) {
    return;
  }
  const auto sport = spec.value("sport", std::vector<std::uint16_t>{49152, 65535});
  EXPECT_GE(SourcePort(got), sport.at(0));
  EXPECT_LE(SourcePort(got), sport.at(1));

  Bytes on_wire = got;
  if (spec.contains("fill")) {
    FillChecksum(&on_wire, spec["fill"][0].get<std::size_t>(), spec["fill"][1].get<std::size_t>());
  }
  if (spec.at("checksum") == "zero") {
    EXPECT_EQ(UdpChecksumField(got), 0);
  } else {
    EXPECT_NE(UdpChecksumField(got), 0);
    EXPECT_TRUE(UdpChecksumIsRight(on_wire)) << ToHex(got);
  }
  Bytes inner = FromHex(spec.at("inner").get<std::string>());
  if (spec.contains("fill")) {
    const std::size_t before_inner = got.size() - inner.size();
    FillChecksum(&inner, spec["fill"][0].get<std::size_t>() - before_inner,
                 spec["fill"][1].get<std::size_t>() - before_inner);
  }
  CheckByCodec(on_wire, inner);
  KeepForTshark(on_wire);
}

}  // namespace leman::packet_test
