#include "geneve/text.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "vector_file.h"

namespace geneve {
namespace {

using testing::FromHex;

TEST(TextWriter, WritesNumbers) {
  char buffer[100];
  TextWriter out(buffer);
  out.Dec(0).Char(' ').Dec(18446744073709551615u).Char(' ').Hex(0, 2).Char(' ');
  out.Hex(0xABC, 2).Char(' ').Hex(0x5, 1).Char(' ').HexBytes(FromHex("00ff10"));
  EXPECT_EQ(out.view(), "0 18446744073709551615 00 abc 5 00ff10");
  EXPECT_FALSE(out.truncated());
}

TEST(TextWriter, CutsAtTheEndOfTheBuffer) {
  std::vector<char> buffer(5, '#');
  TextWriter out(std::span<char>(buffer).first(4));
  out.Text("abc").Text("def");
  EXPECT_EQ(out.view(), "abcd");
  EXPECT_TRUE(out.truncated());
  EXPECT_EQ(buffer[4], '#');
  out.Char('x').Dec(1);
  EXPECT_EQ(out.view(), "abcd");
}

TEST(TextWriter, TakesAnEmptyBuffer) {
  TextWriter out(std::span<char>{});
  EXPECT_FALSE(out.Text("").truncated());
  EXPECT_TRUE(out.Char('a').truncated());
}

std::string Address(const std::string& hex) {
  char buffer[64];
  TextWriter out(buffer);
  out.Address(FromHex(hex));
  return std::string(out.view());
}

// RFC 5952 section 4.
TEST(TextWriter, WritesAddresses) {
  EXPECT_EQ(Address("c0a80166"), "192.168.1.102");
  EXPECT_EQ(Address("20010db8000000000000000000000001"), "2001:db8::1");
  EXPECT_EQ(Address("00000000000000000000000000000000"), "::");
  EXPECT_EQ(Address("00000000000000000000000000000001"), "::1");
  EXPECT_EQ(Address("fe800000000000000000000000000000"), "fe80::");
  EXPECT_EQ(Address("20010db8000000010001000100010001"), "2001:db8:0:1:1:1:1:1");
  EXPECT_EQ(Address("20010000000000010000000000000001"), "2001:0:0:1::1");
  EXPECT_EQ(Address("20010db8000000000001000000000001"), "2001:db8::1:0:0:1");
  EXPECT_EQ(Address("00010002000300040005000600070008"), "1:2:3:4:5:6:7:8");
  EXPECT_EQ(Address("abcdef"), "abcdef");
}

TEST(TextWriter, WritesMacs) {
  char buffer[32];
  TextWriter out(buffer);
  EXPECT_EQ(out.Mac(FromHex("0200c0a80166")).view(), "02:00:c0:a8:01:66");
}

}  // namespace
}  // namespace geneve
