#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "geneve/packet.h"
#include "vector_file.h"

namespace geneve {
namespace {

using testing::Endpoint;
using testing::TestVector;
using testing::VectorById;

std::string Text(const std::string& id) {
  const TestVector& vector = VectorById(id);
  const Endpoint endpoint(vector);
  char buffer[4096];
  return std::string(FormatTo(buffer, Dissect(vector.frame, endpoint.profile())));
}

TEST(Format, ShowsAllLayersOfAPacket) {
  EXPECT_EQ(Text("W01"),
            "02:00:c0:a8:01:65 > 02:00:c0:a8:01:66, type 0x0800\n"
            "IPv4 192.168.1.101 > 192.168.1.102, protocol 17, ttl 64, dscp 0 Not-ECT, DF\n"
            "UDP 54321 > 6081, length 74, checksum 0x0000 (none)\n"
            "GENEVE version 0, VNI 10001, protocol 0x6558, critical, options 8 bytes\n"
            "  option ovn 0x0102/0x80 critical: ingress port 5 egress port 7\n"
            "inner 50 bytes at 58\n"
            "  aa:bb:cc:dd:ee:ff > aa:bb:cc:dd:ee:11, type 0x0800\n"
            "  IPv4 10.0.1.10 > 10.0.1.11, protocol 1, ttl 64, dscp 0 Not-ECT\n"
            "verdict ACCEPT\n");
}

TEST(Format, ShowsTheReasonAndThePlace) {
  const std::string text = Text("Q02");
  EXPECT_NE(text.find("  option at byte 16 runs past the options\n"), std::string::npos) << text;
  EXPECT_NE(text.find("verdict DROP OPT_LEN at byte 58: an option runs past the options area\n"),
            std::string::npos)
      << text;
}

TEST(Format, ShowsTagsPatchesAndAlarms) {
  const std::string tagged = Text("N07");
  EXPECT_NE(tagged.find(", vlan 100 priority 5, type 0x0800\n"), std::string::npos) << tagged;
  EXPECT_NE(tagged.find("  byte 19 delivered as 0x03\n"), std::string::npos) << tagged;
  EXPECT_NE(Text("E15").find("unused ECN combination\n"), std::string::npos);
  EXPECT_NE(Text("B16").find(", s-vlan 300, vlan 100, type"), std::string::npos);
  EXPECT_NE(Text("B20").find(", 802.3 length "), std::string::npos);
  EXPECT_NE(Text("S03").find(", ports 49425 > 6081\n"), std::string::npos);
  EXPECT_NE(Text("I02").find(", flow label 0x0d431\n"), std::string::npos);
  EXPECT_NE(Text("U01").find("checksum 0x4596 (WRONG)\n"), std::string::npos);
  EXPECT_NE(Text("Q04").find(", rsvd 0x15, reserved 0xa5, options 12 bytes\n"), std::string::npos);
  EXPECT_NE(Text("Q04").find(": deadbeef (reserved bits 5)\n"), std::string::npos);
  EXPECT_NE(Text("H05").find(", control, options 0 bytes\n"), std::string::npos);
  EXPECT_NE(Text("F02").find(", fragment\n"), std::string::npos);
  EXPECT_EQ(Text("B21").substr(Text("B21").size() - 19), "verdict NOT_GENEVE\n");
}

TEST(Format, FitsAnyBuffer) {
  const TestVector& vector = VectorById("O06");
  const Endpoint endpoint(vector);
  const Dissection d = Dissect(vector.frame, endpoint.profile());
  std::vector<char> whole(8192);
  const std::string full(FormatTo(whole, d));
  for (size_t size = 0; size < full.size(); size += 7) {
    std::vector<char> buffer(size);
    EXPECT_EQ(FormatTo(buffer, d), full.substr(0, size));
  }
}

TEST(Format, ShowsAHeaderAlone) {
  const TestVector& vector = VectorById("H05");
  char buffer[128];
  EXPECT_EQ(FormatTo(buffer, *HeaderView::Peek(ByteSpan(vector.frame).subspan(42))),
            "GENEVE version 0, VNI 10001, protocol 0x6558, control, options 0 bytes");
}

}  // namespace
}  // namespace geneve
