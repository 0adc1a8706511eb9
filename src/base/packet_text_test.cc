#include "base/packet_text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace leman {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes FromHex(std::string_view hex) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(
        static_cast<std::uint8_t>(std::stoul(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

// VNI 10001, no options, ICMP echo request 10.0.1.10 > 10.0.1.11.
const Bytes kEcho = FromHex(
    "0200c0a801660200c0a80165080045000056000140004011b67ac0a80165c0a80166d43117c1004244970000655800"
    "27"
    "1100aabbccddee11aabbccddeeff08004500002400010000400164c40a00010a0a00010b0800d8d91234000147454e"
    "45"
    "56452121");
// The same inside 802.1ad 300 and 802.1Q 100.
const Bytes kQinQ = FromHex(
    "0200c0a801660200c0a8016508004500005e000140004011b672c0a80165c0a80166d43117c1004a394e0000655800"
    "27"
    "1100aabbccddee11aabbccddeeff88a8012c8100006408004500002400010000400164c40a00010a0a00010b0800d8"
    "d9"
    "1234000147454e4556452121");
// One experimental option, not critical.
const Bytes kOption = FromHex(
    "0200c0a801660200c0a8016508004500005e000140004011b672c0a80165c0a80166d43117c1004aa4e70200655800"
    "27"
    "1100ff000101deadbeefaabbccddee11aabbccddeeff08004500002400010000400164c40a00010a0a00010b0800d8"
    "d9"
    "1234000147454e4556452121");
// IPv6 underlay, UDP checksum zero.
const Bytes kIpv6ZeroChecksum = FromHex(
    "0200c0a801660200c0a8016586dd600000000042114020010db800000000000000000000010120010db80000000000"
    "00"
    "000000000102d43117c1004200000000655800271100aabbccddee11aabbccddeeff08004500002400010000400164"
    "c4"
    "0a00010a0a00010b0800d8d91234000147454e4556452121");
// Outer CE over inner ECT(0).
const Bytes kCongested = FromHex(
    "0200c0a801660200c0a80165080045030056000140004011b677c0a80165c0a80166d43117c1004244970000655800"
    "27"
    "1100aabbccddee11aabbccddeeff08004502002400010000400164c20a00010a0a00010b0800d8d91234000147454e"
    "45"
    "56452121");
// Broadcast ARP request.
const Bytes kArp = FromHex(
    "01005e0101010200c0a8016508004500004e000140004011888ec0a80165ef010101d43117c1003af1a30000655800"
    "27"
    "1100ffffffffffffaabbccddeeff08060001080006040001aabbccddeeff0a00010a0000000000000a00010b");

TEST(PacketTextTest, ShowsEveryLayerWithItsOffset) {
  const PacketText packet = DescribePacket(kEcho, {});
  EXPECT_EQ(packet.verdict, PacketVerdict::kAccept);
  EXPECT_EQ(packet.vni, 10001U);
  EXPECT_EQ(packet.summary,
            "192.168.1.101 > 192.168.1.102  VNI 10001  "
            "10.0.1.10 > 10.0.1.11 ICMP echo request id 4660 seq 1");
  EXPECT_EQ(RenderPacket(packet, 0),
            R"(@0    Ethernet        02:00:c0:a8:01:65 > 02:00:c0:a8:01:66, IPv4
@14   IPv4            192.168.1.101 > 192.168.1.102, UDP, TTL 64, DF, 86 bytes
@34   UDP             54321 > 6081, 58 bytes of data, checksum 0x4497 correct
@42   GENEVE          VNI 10001, Ethernet, 0 bytes of options
@42     version       0
@42     opt len       0 bytes
@43     O flag        0
@43     C flag        0
@43     rsvd          0x00
@44     protocol      0x6558 Ethernet
@46     VNI           10001 (0x002711)
@49     reserved      0x00
@50   inner Ethernet  aa:bb:cc:dd:ee:ff > aa:bb:cc:dd:ee:11, IPv4
@64   inner IPv4      10.0.1.10 > 10.0.1.11, ICMP, TTL 64, 36 bytes
@84   inner ICMP      echo request id 4660 seq 1
      verdict         ACCEPT
)");
}

TEST(PacketTextTest, LooksThroughNestedTags) {
  const std::string text = RenderPacket(DescribePacket(kQinQ, {}), 0);
  EXPECT_NE(text.find("@64   inner 802.1ad   VLAN 300, priority 0, 802.1Q\n"
                      "@68   inner 802.1Q    VLAN 100, priority 0, IPv4\n"
                      "@72   inner IPv4 "),
            std::string::npos)
      << text;
}

TEST(PacketTextTest, NamesOptions) {
  const PacketText packet = DescribePacket(kOption, {});
  EXPECT_EQ(packet.verdict, PacketVerdict::kAccept);
  EXPECT_NE(packet.summary.find("VNI 10001 [0xff00/0x01]"), std::string::npos) << packet.summary;
  const std::string text = RenderPacket(packet, 0);
  EXPECT_NE(text.find("@50     option        "), std::string::npos) << text;
  EXPECT_NE(text.find("deadbeef"), std::string::npos) << text;
}

TEST(PacketTextTest, SaysWhichRuleIsBrokenAndWhere) {
  Bytes packet = kEcho;
  packet[42] = 0x40;  // version 1
  packet[40] = packet[41] = 0;
  const PacketText text = DescribePacket(packet, {});
  EXPECT_EQ(text.verdict, PacketVerdict::kDrop);
  EXPECT_EQ(text.reason, geneve::Reason::kVersion);
  EXPECT_EQ(text.offset, 42U);
  EXPECT_EQ(text.conclusion,
            "DROP VERSION at byte 42: GENEVE version is not 0 (RFC 8926 section 3.4)");
}

TEST(PacketTextTest, UnknownCriticalOptionIsDroppedOnlyWhenStrict) {
  Bytes packet = kOption;
  packet[52] = 0x81;
  packet[40] = packet[41] = 0;
  EXPECT_EQ(DescribePacket(packet, {}).reason, geneve::Reason::kOptCrit);
  PacketTextOptions lenient;
  lenient.lenient = true;
  EXPECT_EQ(DescribePacket(packet, lenient).verdict, PacketVerdict::kAccept);
}

TEST(PacketTextTest, ZeroChecksumOverIpv6NeedsLenience) {
  EXPECT_EQ(DescribePacket(kIpv6ZeroChecksum, {}).reason, geneve::Reason::kUdp6ZeroCsum);
  PacketTextOptions lenient;
  lenient.lenient = true;
  EXPECT_EQ(DescribePacket(kIpv6ZeroChecksum, lenient).verdict, PacketVerdict::kAccept);
}

TEST(PacketTextTest, ChecksumLeftToTheCardIsToldFromAWrongOne) {
  Bytes packet = kEcho;
  packet[40] = 0x84;  // c0a8 + 0165 + c0a8 + 0166 + 17 + 66, folded
  packet[41] = 0x6f;
  const PacketText strict = DescribePacket(packet, {});
  EXPECT_EQ(strict.reason, geneve::Reason::kUdpCsum);
  EXPECT_NE(strict.conclusion.find("only begun"), std::string::npos) << strict.conclusion;
  PacketTextOptions options;
  options.unfinished_checksum = true;
  const PacketText sent = DescribePacket(packet, options);
  EXPECT_EQ(sent.verdict, PacketVerdict::kAccept);
  EXPECT_NE(RenderPacket(sent, 0).find("checksum 0x846f unfinished"), std::string::npos);
  packet[41] = 0x70;
  EXPECT_EQ(DescribePacket(packet, options).reason, geneve::Reason::kUdpCsum);
}

TEST(PacketTextTest, TellsWhatDecapsulationChanges) {
  const std::string text = RenderPacket(DescribePacket(kCongested, {}), 0);
  EXPECT_NE(text.find("note            decapsulation turns inner ECT(0) into CE"),
            std::string::npos)
      << text;
}

TEST(PacketTextTest, ReadsArp) {
  EXPECT_NE(DescribePacket(kArp, {}).summary.find("ARP who has 10.0.1.11, tell 10.0.1.10"),
            std::string::npos);
}

// The same packet behind other link headers: same verdict, offsets of what was given.
TEST(PacketTextTest, OffsetsFollowTheLinkType) {
  const Bytes ip(kEcho.begin() + 14, kEcho.end());
  PacketTextOptions options;
  options.link = PacketLink::kRawIp;
  EXPECT_EQ(RenderPacket(DescribePacket(ip, options), 0).substr(0, 10), "@0    IPv4");

  Bytes sll(16, 0);
  sll[14] = 0x08;
  sll.insert(sll.end(), ip.begin(), ip.end());
  options.link = PacketLink::kLinuxSll;
  std::string text = RenderPacket(DescribePacket(sll, options), 0);
  EXPECT_EQ(text.substr(0, 10), "@16   IPv4");
  EXPECT_NE(text.find("@44   GENEVE"), std::string::npos) << text;

  Bytes sll2(20, 0);
  sll2[0] = 0x08;
  sll2.insert(sll2.end(), ip.begin(), ip.end());
  options.link = PacketLink::kLinuxSll2;
  text = RenderPacket(DescribePacket(sll2, options), 0);
  EXPECT_NE(text.find("@48   GENEVE"), std::string::npos) << text;

  Bytes message(kEcho.begin() + 42, kEcho.end());
  options.link = PacketLink::kUdpPayload;
  text = RenderPacket(DescribePacket(message, options), 0);
  EXPECT_EQ(text.substr(0, 12), "@0    GENEVE");
  EXPECT_NE(text.find("@8    inner Ethernet"), std::string::npos) << text;
  message[0] = 0xc0;
  EXPECT_EQ(DescribePacket(message, options).offset, 0U);
}

TEST(PacketTextTest, CutCaptureIsNotBlamedOnTheSender) {
  const Bytes cut(kEcho.begin(), kEcho.begin() + 60);
  PacketTextOptions options;
  options.original_bytes = kEcho.size();
  const PacketText packet = DescribePacket(cut, options);
  EXPECT_EQ(packet.verdict, PacketVerdict::kCut);
  EXPECT_EQ(packet.vni, 10001U);
  options.original_bytes = 0;
  EXPECT_EQ(DescribePacket(cut, options).reason, geneve::Reason::kOuterLen);
}

// Every length and thousands of damaged packets: whatever comes, a description leaves.
TEST(PacketTextTest, AnyBytesAreDescribed) {
  std::mt19937 random(8926);
  const std::vector<const Bytes*> seeds = {&kEcho, &kQinQ,     &kOption, &kIpv6ZeroChecksum,
                                           &kArp,  &kCongested};
  const PacketLink links[] = {PacketLink::kEthernet, PacketLink::kRawIp, PacketLink::kLinuxSll,
                              PacketLink::kLinuxSll2, PacketLink::kUdpPayload};
  int drops = 0;
  for (int round = 0; round < 6000; ++round) {
    Bytes packet = *seeds[random() % seeds.size()];
    for (std::size_t i = 0, n = random() % 6; i < n; ++i) {
      packet[random() % packet.size()] = static_cast<std::uint8_t>(random());
    }
    packet.resize(random() % 4 == 0 ? random() % (packet.size() + 1) : packet.size());
    PacketTextOptions options;
    options.link = links[random() % 5];
    options.lenient = random() % 2 == 0;
    const PacketText text = DescribePacket(packet, options);
    EXPECT_FALSE(text.conclusion.empty());
    EXPECT_FALSE(RenderPacket(text, 2).empty());
    drops += text.verdict == PacketVerdict::kDrop ? 1 : 0;
    if (text.offset.has_value()) {
      EXPECT_LE(*text.offset, packet.size());
    }
  }
  EXPECT_GT(drops, 500);  // the damage is of the interesting kind
}

}  // namespace
}  // namespace leman
