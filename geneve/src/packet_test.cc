// Whole packets where testdata/ has no packet of its own for a rule. The cases are made by changing
// named bytes of a packet there; offsets are those of an untagged IPv4 packet: IP 14, UDP 34,
// GENEVE 42, inner 50 without options.

#include "geneve/packet.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "geneve/checksum.h"
#include "vector_file.h"

namespace geneve {
namespace {

using testing::Endpoint;
using testing::FromHex;
using testing::TestVector;
using testing::VectorById;

const std::vector<uint8_t>& Frame(const std::string& id) { return VectorById(id).frame; }

Dissection Received(const std::vector<uint8_t>& frame) {
  const Endpoint endpoint;
  return Dissect(frame, endpoint.profile());
}

std::string Outcome(const Dissection& d) {
  std::string text(VerdictName(d.verdict));
  if (d.verdict == Verdict::kDrop) text += " " + std::string(ReasonName(d.reason));
  return text;
}

void ClearUdpChecksum(std::vector<uint8_t>& frame) { StoreBe16(&frame[40], 0); }

void FixIpChecksum(std::vector<uint8_t>& frame) {
  StoreBe16(&frame[24], 0);
  StoreBe16(&frame[24],
            static_cast<uint16_t>(~ChecksumFold(ChecksumAdd(0, ByteSpan(frame).subspan(14, 20)))));
}

// G-3.3-04: any source port.
TEST(Packet, SourcePortIsNotFiltered) {
  for (const unsigned port : {0u, 1u, 53u, 6081u, 65535u}) {
    std::vector<uint8_t> frame = Frame("B03");
    StoreBe16(&frame[34], static_cast<uint16_t>(port));
    EXPECT_EQ(Outcome(Received(frame)), "ACCEPT") << port;
  }
}

// G-3.3-08: another port of ours; then 6081 is not ours.
TEST(Packet, DestinationPortIsConfigurable) {
  Endpoint endpoint;
  endpoint.profile().udp_port = 16081;
  EXPECT_EQ(Outcome(Dissect(Frame("B02"), endpoint.profile())), "NOT_GENEVE");
  std::vector<uint8_t> frame = Frame("B03");
  StoreBe16(&frame[36], 16081);
  EXPECT_EQ(Outcome(Dissect(frame, endpoint.profile())), "ACCEPT");
}

// G-3.3-18: what is not for us goes to the stack, however it looks inside.
TEST(Packet, OthersPacketsAreLeftAlone) {
  std::vector<uint8_t> frame = Frame("B02");
  frame[33] = 103;  // to 192.168.1.103
  FixIpChecksum(frame);
  EXPECT_EQ(Outcome(Received(frame)), "NOT_GENEVE");
  frame = Frame("B02");
  frame[23] = 6;  // TCP
  FixIpChecksum(frame);
  EXPECT_EQ(Outcome(Received(frame)), "NOT_GENEVE");
  frame = Frame("B02");
  StoreBe16(&frame[12], 0x0806);
  EXPECT_EQ(Outcome(Received(frame)), "NOT_GENEVE");
  for (size_t size = 0; size < 14; ++size) {
    EXPECT_EQ(Outcome(Received(std::vector<uint8_t>(size, 0))), "NOT_GENEVE");
  }
}

// G-3.3-14, G-3.3-15: every single byte of the datagram is under the checksum.
TEST(Packet, ChecksumCoversTheWholeDatagram) {
  for (const char* id : {"B02", "I01"}) {
    const std::vector<uint8_t> good = Frame(id);
    const size_t udp = good[12] == 0x08 ? 34 : 54;
    for (size_t at = udp; at < good.size(); ++at) {
      // Not the destination port, and not the length or the checksum field itself.
      if (at >= udp + 2 && at < udp + 8) continue;
      std::vector<uint8_t> frame = good;
      frame[at] ^= 0x10;
      EXPECT_EQ(Outcome(Received(frame)), "DROP UDP_CSUM") << id << " byte " << at;
    }
  }
}

// Z-4-01, Z-4-07: with zero-checksum mode on, real checksums are accepted and verified.
TEST(Packet, ZeroModeStillVerifies) {
  Endpoint endpoint;
  endpoint.profile().udp6_zero_checksum = true;
  EXPECT_EQ(Outcome(Dissect(Frame("I01"), endpoint.profile())), "ACCEPT");
  EXPECT_EQ(Outcome(Dissect(Frame("I06"), endpoint.profile())), "DROP UDP_CSUM");
  EXPECT_EQ(Outcome(Dissect(Frame("I03"), endpoint.profile())), "ACCEPT");
}

// G-3.4-25: 0x6558 on an L3 VNI, the mirror of H09.
TEST(Packet, EthernetDoesNotFitAnL3Vni) {
  std::vector<uint8_t> frame = Frame("B03");
  frame[47] = 0x4E;  // VNI 20001
  frame[48] = 0x21;
  const Dissection d = Received(frame);
  EXPECT_EQ(Outcome(d), "DROP PROTO");
  EXPECT_EQ(d.offset, 44u);
}

// G-4.4.3-06: the critical rule holds for multicast too.
TEST(Packet, CriticalOptionOverMulticast) {
  std::vector<uint8_t> frame = Frame("O08");
  ClearUdpChecksum(frame);
  frame[30] = 239;
  frame[31] = 1;
  frame[32] = 1;
  frame[33] = 1;
  FixIpChecksum(frame);
  EXPECT_EQ(Outcome(Received(frame)), "DROP OPT_CRIT");
  Endpoint knows;
  ASSERT_TRUE(knows.known().Add({0xFF00, 0x81}, *LengthSet::Of({4})).ok());
  EXPECT_EQ(Outcome(Dissect(frame, knows.profile())), "ACCEPT");
}

// O-X-01, CH-19: without the O bit too, nothing on the management VNI is tenant data.
TEST(Packet, ManagementVniIsControlWithoutTheControlBit) {
  std::vector<uint8_t> frame = Frame("D08");
  ClearUdpChecksum(frame);
  frame[43] = 0;
  EXPECT_EQ(Outcome(Received(frame)), "CTRL");
}

// O-2.2-02: with another management VNI, VNI 1 is an unknown one.
TEST(Packet, ManagementVniIsConfigurable) {
  Endpoint endpoint;
  endpoint.vnis()[2] = {*Vni::From(77), Service::kManagement};
  endpoint.Refresh();
  EXPECT_EQ(Outcome(Dissect(Frame("D08"), endpoint.profile())), "DROP VNI");
}

// G-3.5.1-14: real option layouts without the registry.
TEST(Packet, ForeignOptionsUnknownToTheEndpoint) {
  for (const char* id : {"W01", "W02", "W04", "W05", "W06"}) {
    EXPECT_EQ(Outcome(Received(Frame(id))), "DROP OPT_CRIT") << id;
  }
  for (const char* id : {"W07", "W09", "W11", "W12", "W13"}) {
    EXPECT_EQ(Outcome(Received(Frame(id))), "ACCEPT") << id;
  }
}

// D-3.1-01, D-3.1-02, G-4.4.2-06: pipe keeps the inner DSCP, uniform takes the outer one.
TEST(Packet, DscpModels) {
  Endpoint endpoint;
  EXPECT_TRUE(Dissect(Frame("N09"), endpoint.profile()).patches().empty());
  endpoint.profile().copy_outer_dscp = true;
  const std::vector<uint8_t> frame = Frame("N09");
  const Dissection d = Dissect(frame, endpoint.profile());
  ASSERT_GE(d.patches().size(), 2u);
  EXPECT_EQ(d.patches()[0], (InnerPatch{15, 0xB8}));
  std::vector<uint8_t> inner(frame.begin() + 50, frame.end());
  for (const InnerPatch& patch : d.patches()) inner[patch.index] = patch.value;
  EXPECT_EQ(ChecksumFold(ChecksumAdd(0, ByteSpan(inner).subspan(14, 20))), 0xFFFF);
}

// D-3.1-03: outer BB, inner 2A: uniform gives BB, pipe 2B.
TEST(Packet, DscpAndEcnAreSeparate) {
  std::vector<uint8_t> frame = Frame("N09");
  ClearUdpChecksum(frame);
  frame[15] = 0xBB;
  FixIpChecksum(frame);
  frame[65] = 0x2A;
  Endpoint endpoint;
  EXPECT_EQ(Dissect(frame, endpoint.profile()).patches()[0], (InnerPatch{15, 0x2B}));
  endpoint.profile().copy_outer_dscp = true;
  EXPECT_EQ(Dissect(frame, endpoint.profile()).patches()[0], (InnerPatch{15, 0xBB}));
}

// Inner IPv6: the Traffic Class lies across two bytes.
TEST(Packet, UniformDscpOverInnerIpv6) {
  std::vector<uint8_t> frame = Frame("B13");
  ClearUdpChecksum(frame);
  frame[15] = 0xB8;
  FixIpChecksum(frame);
  Endpoint endpoint;
  endpoint.profile().copy_outer_dscp = true;
  const Dissection d = Dissect(frame, endpoint.profile());
  ASSERT_EQ(d.patches().size(), 2u);
  EXPECT_EQ(d.patches()[0], (InnerPatch{14, 0x6B}));
  EXPECT_EQ(d.patches()[1], (InnerPatch{15, 0x80}));
}

// G-4.4.2-02: ECN is found behind two inner tags.
TEST(Packet, EcnReachesIpBehindTwoTags) {
  std::vector<uint8_t> frame = Frame("B16");
  ClearUdpChecksum(frame);
  frame[15] = 0x03;
  FixIpChecksum(frame);
  EXPECT_EQ(Outcome(Received(frame)), "DROP ECN");  // inner Not-ECT
  frame[50 + 23] = 0x02;
  const Dissection d = Received(frame);
  EXPECT_EQ(Outcome(d), "ACCEPT");
  EXPECT_EQ(d.patches()[0], (InnerPatch{23, 0x03}));
}

// E-4.2-19: the unused combinations are reported, with the verdict unchanged.
TEST(Packet, ReportsUnusedEcnCombinations) {
  EXPECT_EQ(Received(Frame("E02")).ecn_alarm, EcnAlarm::kAlways);
  EXPECT_EQ(Received(Frame("E04")).ecn_alarm, EcnAlarm::kAlways);
  EXPECT_EQ(Received(Frame("E10")).ecn_alarm, EcnAlarm::kPossible);
  EXPECT_EQ(Received(Frame("E06")).ecn_alarm, EcnAlarm::kNone);
}

// CH-20: an L3 payload is trimmed to the inner IP length, an Ethernet payload is not.
TEST(Packet, TrimsL3PayloadOnly) {
  std::vector<uint8_t> frame = Frame("B11");
  ClearUdpChecksum(frame);
  frame.insert(frame.end(), 4, 0xEE);
  StoreBe16(&frame[16], 76);
  StoreBe16(&frame[38], 56);
  FixIpChecksum(frame);
  Endpoint endpoint;
  EXPECT_EQ(Dissect(frame, endpoint.profile()).inner_bytes, 36u);
  endpoint.profile().trim_l3_payload = false;
  EXPECT_EQ(Dissect(frame, endpoint.profile()).inner_bytes, 40u);
}

// G-3.1-07: an inner tag or IP header that is cut anywhere.
TEST(Packet, IncompleteInnerHeadersAreDropped) {
  for (const char* id : {"B02", "B13", "B15", "B16", "B11", "B12"}) {
    const std::vector<uint8_t> whole = Frame(id);
    const Dissection full = Received(whole);
    const size_t need = full.inner_ip.offset + full.inner_ip.header_bytes;
    for (size_t end = 50; end <= whole.size(); ++end) {
      std::vector<uint8_t> frame(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(end));
      ClearUdpChecksum(frame);
      StoreBe16(&frame[16], static_cast<uint16_t>(end - 14));
      StoreBe16(&frame[38], static_cast<uint16_t>(end - 34));
      FixIpChecksum(frame);
      EXPECT_EQ(Outcome(Received(frame)), end < need ? "DROP INNER_SHORT" : "ACCEPT")
          << id << " cut at " << end;
    }
  }
}

TEST(Packet, InnerIpOfAnotherVersionIsIncomplete) {
  std::vector<uint8_t> frame = Frame("B03");
  frame[64] = 0x65;
  EXPECT_EQ(Outcome(Received(frame)), "DROP INNER_SHORT");
  frame[64] = 0x44;  // IHL 4
  EXPECT_EQ(Outcome(Received(frame)), "DROP INNER_SHORT");
  frame[64] = 0x4F;  // 60 bytes of header, 36 there
  EXPECT_EQ(Outcome(Received(frame)), "DROP INNER_SHORT");
}

// G-3.3-19: outer length faults.
TEST(Packet, OuterLengthFaults) {
  const auto change = [](size_t at, uint8_t value) {
    std::vector<uint8_t> frame = Frame("B02");
    frame[at] = value;
    FixIpChecksum(frame);
    return Outcome(Received(frame));
  };
  EXPECT_EQ(change(14, 0x44), "DROP OUTER_LEN");  // IHL 4
  EXPECT_EQ(change(14, 0x65), "DROP OUTER_LEN");  // version 6 under 0x0800
  EXPECT_EQ(change(17, 19), "DROP OUTER_LEN");    // Total Length below the header
  EXPECT_EQ(change(17, 87), "DROP OUTER_LEN");    // one byte too long
  std::vector<uint8_t> six = Frame("I01");
  six[19] = 67;
  EXPECT_EQ(Outcome(Received(six)), "DROP OUTER_LEN");
}

TEST(Packet, FragmentsOfOthersAreLeftAlone) {
  std::vector<uint8_t> frame = Frame("F01");
  StoreBe16(&frame[36], 6082);
  EXPECT_EQ(Outcome(Received(frame)), "NOT_GENEVE");
  frame = Frame("I09");
  StoreBe16(&frame[64], 6082);
  EXPECT_EQ(Outcome(Received(frame)), "NOT_GENEVE");
}

// G-8200-01: extension headers are never misparsed.
TEST(Packet, ExtensionHeadersAreWalkedByTheirLength) {
  std::vector<uint8_t> frame = Frame("I10");
  frame[55] = 200;  // longer than the packet
  EXPECT_EQ(Outcome(Received(frame)), "DROP OUTER_LEN");
  frame = Frame("I10");
  frame[20] = 43;  // routing header, nothing left: we are the destination
  frame[57] = 0;
  EXPECT_EQ(Outcome(Received(frame)), "ACCEPT");
  frame[57] = 1;  // one segment left: not for the tunnel
  EXPECT_EQ(Outcome(Received(frame)), "NOT_GENEVE");
  frame[20] = 51;  // authentication header: the stack's business
  EXPECT_EQ(Outcome(Received(frame)), "NOT_GENEVE");
}

TEST(Packet, EndlessExtensionHeadersStop) {
  std::vector<uint8_t> frame = Frame("I01");
  std::vector<uint8_t> chain;
  for (int i = 0; i < 40; ++i) {
    const std::vector<uint8_t> one = FromHex("3c00010400000000");
    chain.insert(chain.end(), one.begin(), one.end());
  }
  frame[20] = 60;
  frame.insert(frame.begin() + 54, chain.begin(), chain.end());
  StoreBe16(&frame[18], static_cast<uint16_t>(frame.size() - 54));
  EXPECT_EQ(Outcome(Received(frame)), "NOT_GENEVE");
}

// For tools: other people's packets, whoever they are between.
TEST(Packet, AnyEndpointTakesOthersPackets) {
  const EndpointProfile any{.any_local = true, .any_peer = true, .any_vni = true};
  for (const char* id : {"B02", "H07", "H10", "S01", "W03", "B11"}) {
    EXPECT_EQ(Outcome(Dissect(Frame(id), any)), "ACCEPT") << id;
  }
  EXPECT_EQ(Outcome(Dissect(Frame("H08"), any)), "DROP PROTO");
}

// A dropped packet still shows what could be read.
TEST(Packet, ShowsTheLayersOfABadPacket) {
  const Dissection d = Received(Frame("Q03"));
  EXPECT_EQ(Outcome(d), "DROP UDP_CSUM");
  EXPECT_EQ(d.offset, 40u);
  ASSERT_TRUE(d.geneve.has_value());
  EXPECT_EQ(d.geneve->version(), 1);
  EXPECT_EQ(Received(Frame("H10")).offset, 26u);
  EXPECT_EQ(Received(Frame("O08")).offset, 50u);
  EXPECT_EQ(Received(Frame("H07")).offset, 46u);
}

// S03, G-6.2-03: a GENEVE packet inside is payload.
TEST(Packet, InnerGeneveIsPayload) {
  const Dissection d = Received(Frame("S03"));
  EXPECT_EQ(d.geneve->vni().value(), 10001u);
  EXPECT_EQ(d.inner_source_port, 49425);
  EXPECT_EQ(d.inner_destination_port, 6081);
}

// Inner tags are shown as sent.
TEST(Packet, ReadsInnerAndOuterTags) {
  const Dissection inner = Received(Frame("B16"));
  ASSERT_EQ(inner.inner_ethernet.tag_count, 2);
  EXPECT_EQ(inner.inner_ethernet.tag_protocols[0], 0x88A8);
  EXPECT_EQ(inner.inner_ethernet.tags[0], 300);
  EXPECT_EQ(inner.inner_ethernet.tag_protocols[1], 0x8100);
  EXPECT_EQ(inner.inner_ethernet.tags[1], 100);
  const Dissection outer = Received(Frame("B08"));
  ASSERT_EQ(outer.ethernet.tag_count, 1);
  EXPECT_EQ(outer.ethernet.tags[0], 200);
  EXPECT_EQ(Received(Frame("I02")).ip.flow_label, 0x0D431u);
}

// The VNI decides alone; the same bytes in another VNI are another network.
TEST(Packet, EachFrameBelongsToItsOwnVni) {
  Endpoint endpoint;
  endpoint.vnis().push_back({*Vni::From(0xFFFFFF), Service::kL2});
  endpoint.Refresh();
  EXPECT_EQ(Dissect(Frame("B02"), endpoint.profile()).geneve->vni().value(), 10001u);
  EXPECT_EQ(Dissect(Frame("B04"), endpoint.profile()).geneve->vni().value(), 0xFFFFFFu);
  EXPECT_EQ(Outcome(Received(Frame("B04"))), "DROP VNI");
}

}  // namespace
}  // namespace geneve
