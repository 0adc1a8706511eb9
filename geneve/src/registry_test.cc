#include "geneve/registry.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "geneve/leman_options.h"
#include "geneve/packet.h"
#include "vector_file.h"

namespace geneve {
namespace {

using testing::Endpoint;
using testing::VectorById;

TEST(Registry, NamesClassOwners) {
  EXPECT_EQ(OptionClassName(0x0100), "Linux");
  EXPECT_EQ(OptionClassName(0x0102), "OVN");
  // The registry's numbers are hexadecimal: 0x0108 to 0x0110 are nine classes.
  for (uint16_t c = 0x0108; c <= 0x0110; ++c) EXPECT_EQ(OptionClassName(c), "Amazon");
  EXPECT_EQ(OptionClassName(0x0111), "IBM");
  EXPECT_EQ(OptionClassName(0x014B), "Cilium");
  EXPECT_EQ(OptionClassName(0x0132), "Google");
  EXPECT_EQ(OptionClassName(0x0170), "7Generation");
}

// The three ranges.
TEST(Registry, NamesRanges) {
  EXPECT_EQ(OptionClassName(0x0000), "IETF");
  EXPECT_EQ(OptionClassName(0x00FF), "IETF");
  EXPECT_EQ(OptionClassName(0x0171), "unassigned");
  EXPECT_EQ(OptionClassName(0xFEFF), "unassigned");
  EXPECT_EQ(OptionClassName(0xFF00), "experimental");
  EXPECT_EQ(OptionClassName(0xFFFF), "experimental");
}

TEST(Registry, ClassesAscendWithoutOverlap) {
  uint32_t next = 0x0100;
  for (const OptionClassRange& range : OptionClasses()) {
    EXPECT_GE(range.first, next) << range.owner;
    EXPECT_GE(range.last, range.first) << range.owner;
    EXPECT_FALSE(range.owner.empty());
    next = range.last + 1u;
  }
  EXPECT_LE(next, kFirstExperimentalClass);
}

// G-7-01: own options are in the experimental range until a class is assigned.
TEST(Registry, OwnKindsAreExperimental) {
  for (const OptionKind& kind : LemanOptionKinds()) {
    EXPECT_GE(kind.key.option_class, kFirstExperimentalClass);
  }
  EXPECT_EQ(LemanOptionKinds().size(), 5u);
}

TEST(Registry, FindsKinds) {
  const Registry registry;
  EXPECT_EQ(registry.Find({0x0102, 0x80})->name, "ovn");
  EXPECT_EQ(registry.Find({0x0102, 0x00}), nullptr);
  EXPECT_EQ(registry.Find({0xFFF0, 1})->name, "leman-identity");
  EXPECT_EQ(registry.Find({0xFFF0, 6}), nullptr);
  const Registry moved(0xFF42);
  EXPECT_EQ(moved.Find({0xFF42, 5})->name, "leman-telemetry");
  EXPECT_EQ(moved.Find({0xFFF0, 5}), nullptr);
}

TEST(Registry, FillsASetOfKnownOptions) {
  OptionSet set;
  const Registry registry(0xFF42);
  ASSERT_TRUE(registry.AddForeignTo(set).ok());
  ASSERT_TRUE(registry.AddLemanTo(set).ok());
  EXPECT_EQ(set.size(), ForeignOptionKinds().size() + LemanOptionKinds().size());
  EXPECT_TRUE(set.Contains({0x014B, 0x81}));
  EXPECT_TRUE(set.Contains({0xFF42, 1}));
  EXPECT_FALSE(set.Contains({0xFFF0, 1}));
  OptionSet conflict;
  ASSERT_TRUE(conflict.Add({0x0102, 0x80}, LengthSet::Any()).ok());
  EXPECT_EQ(registry.AddForeignTo(conflict).error(), OptionSetError::kConflict);
}

// All options of a packet, one per line.
std::vector<std::string> Lines(const std::string& id) {
  const testing::TestVector& vector = VectorById(id);
  const Endpoint endpoint(vector);
  const Dissection d = Dissect(vector.frame, endpoint.profile());
  std::vector<std::string> lines;
  for (const OptionView option : d.geneve->options()) {
    char buffer[300];
    lines.emplace_back(FormatTo(buffer, option));
  }
  return lines;
}

using StringList = std::vector<std::string>;

// The published layouts read as their owners mean them.

// G-3.5.1-14
TEST(Registry, PrintsOvn) {
  EXPECT_EQ(Lines("W01"), StringList{"ovn 0x0102/0x80 critical: ingress port 5 egress port 7"});
  EXPECT_EQ(Lines("W02"),
            StringList{"ovn 0x0102/0x80 critical: ingress port 5 egress group 32769"});
}

// G-3.5.1-14
TEST(Registry, PrintsAws) {
  EXPECT_EQ(Lines("W03"), (StringList{"aws-gwlbe 0x0108/0x01: endpoint 0x0123456789abcdef",
                                      "aws-attachment 0x0108/0x02: attachment 0x1122334455667788",
                                      "aws-flow 0x0108/0x03: flow cookie 0xc0011e55"}));
}

// G-3.5.1-14
TEST(Registry, PrintsCilium) {
  EXPECT_EQ(Lines("W04"), StringList{"cilium-dsr 0x014b/0x81 critical: service 10.96.0.10:80"});
  EXPECT_EQ(Lines("W06"),
            StringList{"cilium-dsr 0x014b/0x81 critical: service [fd00:10:96::a]:443"});
}

// G-3.5.1-14
TEST(Registry, PrintsInt) {
  EXPECT_EQ(Lines("W07"),
            StringList{"int-md 0x0103/0x01: version 2 discard 0 hops-exceeded 0 mtu-exceeded 0 hop "
                       "words 2 remaining hops 5 instructions 0x9000 domain 0 ds-instructions "
                       "0x0000 ds-flags 0x0000 stack "
                       "000000030000010000000002000001010000000100000102"});
}

// G-3.5.1-14
TEST(Registry, PrintsIntMx) {
  EXPECT_EQ(Lines("W09"), StringList{"int-mx 0x0103/0x03: version 2 discard 0 instructions 0x9000 "
                                     "domain 0 ds-instructions 0x0000 ds-flags 0x0000"});
}

// G-3.5.1-14
TEST(Registry, PrintsGoogle) {
  EXPECT_EQ(Lines("W10"),
            (StringList{"google-network 0x0132/0x01: network 11259375 egress",
                        "google-endpoint 0x0132/0x02: endpoint 0x000102030405060708090a0b0c0d0e0f",
                        "google-profile 0x0132/0x03: profile 4711"}));
}

// G-3.5.1-14
TEST(Registry, PrintsCPacket) {
  EXPECT_EQ(Lines("W11"),
            StringList{"cpacket 0x0164/0x00: sequence 77 original bytes 1514 version 1 seconds "
                       "4294967298 nanoseconds 123456789 fraction 9 device 3 port 4"});
}

// G-3.5.1-14
TEST(Registry, PrintsOxide) {
  EXPECT_EQ(Lines("W12"), (StringList{"oxide-external 0x0129/0x00: from outside the rack",
                                      "oxide-multicast 0x0129/0x01: replication underlay",
                                      "oxide-mss 0x0129/0x02: mss 1460"}));
}

// G-3.5.1-14
TEST(Registry, PrintsLinuxGroHint) {
  EXPECT_EQ(Lines("W13"), StringList{"linux-gro 0x0100/0x01: inner ipv4 nested ipv6 network offset "
                                     "14 transport offset 54 header bytes 62"});
}

TEST(Registry, PrintsUnknownKindsAsHex) {
  EXPECT_EQ(Lines("O03"), (StringList{"experimental 0xff00/0x02",
                                      "experimental 0xff00/0x01: "
                                      "deadbeef",
                                      "experimental 0xff00/0x03: 0011223344556677"}));
  EXPECT_EQ(Lines("O23"), StringList{"IETF 0x0000/0x80 critical"});
}

std::string Value(OptionKey key, ByteSpan data, const Registry& registry = {}) {
  char buffer[300];
  TextWriter out(buffer);
  registry.PrintValue(key, data, out);
  return std::string(out.view());
}

TEST(Registry, PrintsAKnownKindOfWrongLengthAsHex) {
  EXPECT_EQ(Value({0x0102, 0x80}, testing::FromHex("0005000700000000")), "0005000700000000");
  EXPECT_EQ(Value({0x0108, 0x03}, {}), "");
}

TEST(Registry, PrintsLemanKinds) {
  const Registry registry(0xFF42);
  const auto value = [&](uint8_t type, const auto& data) {
    return Value({0xFF42, type}, data, registry);
  };
  EXPECT_EQ(value(1, IdentityOption{.identity = 42, .policy_epoch = 7}.Encode()),
            "identity 42 policy epoch 7");
  EXPECT_EQ(value(2, PacketOption{.ether_type = 0x0806,
                                  .packet_type = PacketType::kUnknownUnicast,
                                  .tunnel_type = 1}
                         .Encode()),
            "ethertype 0x0806 unknown-unicast tunnel type 1");
  EXPECT_EQ(value(3, QosOption{.traffic_class = 2, .dscp = 46, .colour = Colour::kRed}.Encode()),
            "class 2 dscp 46 red");
  EXPECT_EQ(value(4, ChainOption{.chain_id = 9, .hop_index = 2, .flow_cookie = 0xABC}.Encode()),
            "chain 9 hop 2 forward cookie 0x00000abc");
  EXPECT_EQ(
      value(5,
            TelemetryOption{.sequence = 3, .trace_mark = 4, .sent_at_ns = 1234567890123}.Encode()),
      "sequence 3 sent at 1234567890123 ns trace mark 4");
  // Undefined enumerators read as bytes.
  EXPECT_EQ(Value({0xFFF0, 2}, testing::FromHex("08000900")), "08000900");
  EXPECT_EQ(Value({0xFFF0, 3}, testing::FromHex("00000900")), "00000900");
}

// Every kind prints any data of any length without harm.
TEST(Registry, PrintsAnything) {
  for (unsigned fill : {0x00u, 0x5Au, 0xFFu}) {
    for (const auto kinds : {ForeignOptionKinds(), LemanOptionKinds()}) {
      for (const OptionKind& kind : kinds) {
        for (size_t bytes = 0; bytes <= kMaxOptionDataBytes; bytes += 4) {
          const std::vector<uint8_t> data(bytes, static_cast<uint8_t>(fill));
          const std::string text = Value(kind.key, data);
          EXPECT_EQ(text.empty(), bytes == 0 && !kind.lengths.ContainsBytes(0)) << kind.name;
        }
      }
    }
  }
}

}  // namespace
}  // namespace geneve
