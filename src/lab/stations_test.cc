#include "lab/stations.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "lab/demo_text.h"

namespace leman::lab {
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

// Echo request 10.0.1.10 > 10.0.1.11, 36 bytes of IP.
const Bytes kFrame = FromHex(
    "aabbccddee11aabbccddeeff08004500002400010000400164c40a00010a0a00010b0800d8d91234000147454e45"
    "56452121");
const Bytes kOuter = FromHex(
    "0200c0a801660200c0a80165080045000056000140004011b67ac0a80165c0a80166d43117c10042449700006558"
    "00271100");

const IpAddress kTarget = IpAddress::FromV4({10, 0, 1, 11});

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Station At(StationKind kind, const Bytes& bytes, std::size_t inner_offset) {
  Station station{.kind = kind, .title = "t", .place = "p", .file = {}, .packet = {}};
  station.packet.bytes = bytes;
  station.packet.original_bytes = bytes.size();
  station.inner_offset = inner_offset;
  station.inner_bytes = 36;
  return station;
}

TEST(StationsTest, FindsTheEchoRequestBehindEachHeaderOfTheCard) {
  const Bytes ip(kFrame.begin() + 14, kFrame.end());
  EXPECT_EQ(EchoRequestTo(kFrame, 0, kTarget), ip);
  EXPECT_EQ(EchoRequestTo(Bytes(12) + kFrame, 12, kTarget), ip);
  // Padding of short frames belongs to nobody.
  EXPECT_EQ(EchoRequestTo(kFrame + Bytes(10), 0, kTarget), ip);
}

TEST(StationsTest, RefusesEverythingElse) {
  EXPECT_TRUE(EchoRequestTo(kFrame, 0, IpAddress::FromV4({10, 0, 1, 12})).empty());
  EXPECT_TRUE(EchoRequestTo(kFrame, 12, kTarget).empty());
  EXPECT_TRUE(EchoRequestTo(kOuter + kFrame, 0, kTarget).empty());
  Bytes reply = kFrame;
  reply[34] = 0;
  EXPECT_TRUE(EchoRequestTo(reply, 0, kTarget).empty());
  for (std::size_t size = 0; size < kFrame.size(); ++size) {
    const Bytes cut(kFrame.begin(), kFrame.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_TRUE(EchoRequestTo(cut, 0, kTarget).empty()) << size;
  }
}

TEST(StationsTest, TheWayIsRightWhenBothEndsHoldTheSameBytes) {
  std::vector<Station> way = {
      At(StationKind::kMachine, kFrame, 14), At(StationKind::kEncapsulation, kOuter + kFrame, 64),
      At(StationKind::kUnderlay, kOuter + kFrame, 64), At(StationKind::kDecapsulation, kFrame, 14),
      At(StationKind::kMachine, kFrame, 14)};
  const auto right = CheckWay(way, *Vni::From(10001));
  ASSERT_TRUE(right.ok());
  EXPECT_EQ(*right, "found 5 times, its 36 bytes unchanged");
  EXPECT_FALSE(CheckWay(way, *Vni::From(10002)).ok());
  way[4].packet.bytes[40] ^= 1;
  EXPECT_FALSE(CheckWay(way, *Vni::From(10001)).ok());
}

TEST(StationsTest, TellsWhatEachStationChanged) {
  const std::vector<Station> way = {At(StationKind::kMachine, kFrame, 14),
                                    At(StationKind::kEncapsulation, kOuter + kFrame, 64),
                                    At(StationKind::kDecapsulation, kFrame, 14)};
  const std::string text = DescribeWay(way, Report());
  EXPECT_NE(text.find("+50 bytes: outer Ethernet, IP, UDP and GENEVE with VNI 10001"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("−50 bytes: outer headers gone"), std::string::npos) << text;
}

}  // namespace
}  // namespace leman::lab
