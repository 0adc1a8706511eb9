#include <gtest/gtest.h>

#include "base/ip_address.h"
#include "base/mac_address.h"

namespace leman {
namespace {

TEST(MacAddress, ParsesBothSeparatorsAndEitherCase) {
  const auto mac = MacAddress::Parse("AA:bb:cc:DD:ee:0f");
  ASSERT_TRUE(mac.has_value());
  EXPECT_EQ(mac->ToString(), "aa:bb:cc:dd:ee:0f");
  EXPECT_EQ(MacAddress::Parse("aa-bb-cc-dd-ee-0f"), mac);
}

TEST(MacAddress, RefusesWhatIsNoMac) {
  for (const char* text : {"", "aa:bb:cc:dd:ee", "aa:bb:cc:dd:ee:ff:00", "aa:bb:cc:dd:ee:fg",
                           "aabb:cc:dd:ee:ff0", "aa:bb:cc:dd:ee: f", "aa.bb.cc.dd.ee.ff"}) {
    EXPECT_FALSE(MacAddress::Parse(text).has_value()) << text;
  }
}

TEST(MacAddress, GroupBitIsTheLowestOfTheFirstByte) {
  EXPECT_TRUE(MacAddress::Parse("01:00:5e:00:00:01")->IsGroup());
  EXPECT_TRUE(MacAddress::Parse("ff:ff:ff:ff:ff:ff")->IsGroup());
  EXPECT_FALSE(MacAddress::Parse("02:00:00:00:00:01")->IsGroup());
}

TEST(IpAddress, RoundTrips) {
  for (const char* text :
       {"10.0.1.10", "0.0.0.0", "255.255.255.255", "2001:db8::101", "fe80::1", "::", "::1"}) {
    const auto address = IpAddress::Parse(text);
    ASSERT_TRUE(address.has_value()) << text;
    EXPECT_EQ(address->ToString(), text);
  }
}

TEST(IpAddress, RefusesWhatIsNoAddress) {
  for (const char* text : {"", "10.0.1", "10.0.1.256", "10.0.1.1/24", "2001:db8:::1", "host-a"}) {
    EXPECT_FALSE(IpAddress::Parse(text).has_value()) << text;
  }
}

TEST(IpAddress, KnowsItsKind) {
  EXPECT_TRUE(IpAddress::Parse("10.0.1.10")->IsV4());
  EXPECT_FALSE(IpAddress::Parse("2001:db8::1")->IsV4());
  EXPECT_TRUE(IpAddress::Parse("239.1.1.1")->IsMulticast());
  EXPECT_TRUE(IpAddress::Parse("ff02::1")->IsMulticast());
  EXPECT_FALSE(IpAddress::Parse("192.168.1.101")->IsMulticast());
  EXPECT_TRUE(IpAddress::Parse("fe80::1")->IsLinkLocal());
  EXPECT_TRUE(IpAddress::Parse("0.0.0.0")->IsUnspecified());
  EXPECT_TRUE(IpAddress::Parse("::")->IsUnspecified());
}

}  // namespace
}  // namespace leman
