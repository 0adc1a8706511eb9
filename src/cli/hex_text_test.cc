#include "cli/hex_text.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "cli/test_support.h"

namespace leman::cli {
namespace {

using Packets = std::vector<std::vector<std::uint8_t>>;

Packets Parsed(std::string_view text) {
  auto result = ParseHexText(text);
  EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message());
  return result.ok() ? std::move(result).value() : Packets{};
}

std::string FaultOf(std::string_view text) {
  const auto result = ParseHexText(text);
  return result.ok() ? "no fault" : result.error().message();
}

const Packets kOne = {{0x02, 0x00, 0xc0, 0xa8, 0x01, 0x66}};

TEST(HexTextTest, PlainDigitsInAnyDress) {
  EXPECT_EQ(Parsed("0200c0a80166"), kOne);
  EXPECT_EQ(Parsed("0200 C0A8 0166\n"), kOne);
  EXPECT_EQ(Parsed("02:00:c0:a8:01:66"), kOne);
  EXPECT_EQ(Parsed("0x02, 0x00, 0xc0,\n 0xa8, 0x01, 0x66,"), kOne);
  EXPECT_EQ(Parsed("0x0200c0a80166"), kOne);
  EXPECT_EQ(Parsed("# a comment\r\n0200c0\r\na80166\r\n"), kOne);
}

TEST(HexTextTest, BlankLinesPartPackets) {
  EXPECT_EQ(Parsed("0102\n\n\n0304\n"), (Packets{{1, 2}, {3, 4}}));
  EXPECT_EQ(Parsed(" \n\n"), Packets{});
}

std::vector<std::uint8_t> Counting(std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::uint8_t>(i + 0x20);  // printable, so the ASCII column is hex too
  }
  return bytes;
}

TEST(HexTextTest, TcpdumpWithCaptionAndAscii) {
  EXPECT_EQ(Parsed("12:00:00.000000 IP 10.0.1.10 > 10.0.1.11: ICMP echo request\n"
                   "\t0x0000:  2021 2223 2425 2627 2829 2a2b 2c2d 2e2f  .!\"#$%&'()*+,-./\n"
                   "\t0x0010:  3031 32                                  abc\n"
                   "12:00:00.000001 IP 10.0.1.10 > 10.0.1.11: ICMP echo request\n"
                   "\t0x0000:  2021 22\n"),
            (Packets{Counting(19), Counting(3)}));
}

TEST(HexTextTest, TsharkXxdAndHexdump) {
  EXPECT_EQ(Parsed("0000  20 21 22 23 24 25 26 27 28 29 2a 2b 2c 2d 2e 2f    !\"#$%&'()*+,-./\n"
                   "0010  30 31 32                                          012\n\n"
                   "0000  20 21                                              !\n"),
            (Packets{Counting(19), Counting(2)}));
  EXPECT_EQ(Parsed("00000000: 2021 2223 2425 2627 2829 2a2b 2c2d 2e2f   !\"#$%&'()*+,-./\n"
                   "00000010: 3031 32                                  012\n"),
            Packets{Counting(19)});
  EXPECT_EQ(Parsed("00000000  20 21 22 23 24 25 26 27  28 29 2a 2b 2c 2d 2e 2f  | !\"#$%&'()*+,-|\n"
                   "00000010  30 31 32                                          |012|\n"
                   "00000013\n"),
            Packets{Counting(19)});
}

// xxd -c 8: the ASCII column may look like hex, and stands where hexdump has its middle gap.
TEST(HexTextTest, AsciiColumnIsNeverData) {
  EXPECT_EQ(Parsed("00000000: 6162 6364 6566 3132  abcdef12\n00000008: 6162  ab\n"),
            (Packets{{'a', 'b', 'c', 'd', 'e', 'f', '1', '2', 'a', 'b'}}));
}

// What the tools really print, not what they are thought to print.
TEST(HexTextTest, ReadsWhatTheToolsPrint) {
  if (!HaveTool("tcpdump") || !HaveTool("tshark")) {
    GTEST_SKIP() << "tcpdump and tshark are not both installed";
  }
  const std::string file = TestData("mixed.pcap");
  const Packets from_tshark = Parsed(Shell("tshark -r " + file + " -x 2>/dev/null"));
  const Packets from_tcpdump = Parsed(Shell("tcpdump -r " + file + " -xx 2>/dev/null"));
  const Packets with_ascii = Parsed(Shell("tcpdump -r " + file + " -XX 2>/dev/null"));
  ASSERT_EQ(from_tcpdump.size(), 8U);
  EXPECT_EQ(from_tshark, from_tcpdump);
  EXPECT_EQ(with_ascii, from_tcpdump);
}

TEST(HexTextTest, FaultsNameTheLine) {
  EXPECT_EQ(FaultOf("0102\nzz"), "line 2: 'z' is no hexadecimal digit");
  EXPECT_EQ(FaultOf("010"), "line 1: '010' has an odd number of digits");
  EXPECT_EQ(FaultOf("0102\n\xff\xfe"), "line 2: byte 0xff is no hexadecimal digit");
  EXPECT_EQ(FaultOf("0x0000:  0102\n0x0010:  0304"),
            "line 2: offset 0x10, but the packet has 0x2 bytes so far");
  EXPECT_NE(FaultOf(std::string(2 * kMaxPacketBytes + 2, '0')).find("more than 262144 bytes"),
            std::string::npos);
}

TEST(HexTextTest, AnyTextIsAnswered) {
  std::mt19937 random(42);
  const std::string alphabet = "0123456789abcdefx:  \n\t|#,-z\xff";
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 80, ' ');
    for (char& c : text) {
      c = alphabet[random() % alphabet.size()];
    }
    static_cast<void>(ParseHexText(text).ok());
  }
}

}  // namespace
}  // namespace leman::cli
