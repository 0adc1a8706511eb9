#include "geneve/leman_options.h"

#include <gtest/gtest.h>

#include <vector>

#include "vector_file.h"

namespace geneve {
namespace {

using testing::FromHex;

template <class Array>
std::vector<uint8_t> Bytes(const Array& array) {
  return {array.begin(), array.end()};
}

TEST(LemanOptions, Identity) {
  const IdentityOption value{.identity = 0x01020304, .policy_epoch = 0x05060708};
  EXPECT_EQ(Bytes(value.Encode()), FromHex("0102030405060708"));
  EXPECT_EQ(IdentityOption::Decode(FromHex("0102030405060708")), value);
  EXPECT_FALSE(IdentityOption::Decode(FromHex("01020304")).has_value());
}

TEST(LemanOptions, Packet) {
  const PacketOption value{
      .ether_type = 0x86DD, .packet_type = PacketType::kBroadcast, .tunnel_type = 9};
  EXPECT_EQ(Bytes(value.Encode()), FromHex("86dd0209"));
  EXPECT_EQ(PacketOption::Decode(FromHex("86dd0209")), value);
  EXPECT_FALSE(PacketOption::Decode(FromHex("86dd0409")).has_value());
  EXPECT_FALSE(PacketOption::Decode(FromHex("86dd020900000000")).has_value());
}

TEST(LemanOptions, Qos) {
  const QosOption value{.traffic_class = 3, .dscp = 46, .colour = Colour::kYellow};
  EXPECT_EQ(Bytes(value.Encode()), FromHex("032e0100"));
  EXPECT_EQ(QosOption::Decode(FromHex("03ee01ff")), value);  // unused bits are ignored
  EXPECT_EQ(Bytes(QosOption{.dscp = 0xFF}.Encode()), FromHex("003f0000"));
  EXPECT_FALSE(QosOption::Decode(FromHex("032e0300")).has_value());
}

TEST(LemanOptions, Chain) {
  const ChainOption value{
      .chain_id = 0xA1B2C3D4, .hop_index = 5, .reverse = true, .flow_cookie = 0x11223344};
  EXPECT_EQ(Bytes(value.Encode()), FromHex("a1b2c3d40501000011223344"));
  EXPECT_EQ(ChainOption::Decode(FromHex("a1b2c3d405ffffff11223344")), value);
  // The direction is the lowest bit alone.
  EXPECT_TRUE(ChainOption::Decode(FromHex("000000000001000000000000"))->reverse);
  EXPECT_FALSE(ChainOption::Decode(FromHex("0000000000fe000000000000"))->reverse);
  EXPECT_FALSE(ChainOption::Decode({}).has_value());
}

TEST(LemanOptions, Telemetry) {
  const TelemetryOption value{
      .sequence = 1, .trace_mark = 0xCAFE, .sent_at_ns = 0x0102030405060708};
  EXPECT_EQ(Bytes(value.Encode()), FromHex("000000010000cafe0102030405060708"));
  EXPECT_EQ(TelemetryOption::Decode(FromHex("000000010000cafe0102030405060708")), value);
  EXPECT_FALSE(TelemetryOption::Decode(FromHex("00000001")).has_value());
}

TEST(LemanOptions, KeysAreNotCritical) {
  EXPECT_EQ(LemanKey<TelemetryOption>(), (OptionKey{0xFFF0, 5}));
  EXPECT_EQ(LemanKey<IdentityOption>(0xFF10), (OptionKey{0xFF10, 1}));
  EXPECT_FALSE(LemanKey<ChainOption>().critical());
}

}  // namespace
}  // namespace geneve
