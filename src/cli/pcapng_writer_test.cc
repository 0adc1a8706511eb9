#include "cli/pcapng_writer.h"

#include <gtest/gtest.h>
#include <pcap/pcap.h>

#include <array>
#include <string>
#include <vector>

#include "cli/test_support.h"

namespace leman::cli {
namespace {

constexpr std::int64_t kTimeNs = 1'767'322'800'123'456'789;

std::string WriteExample(const TempDir& dir, std::uint16_t linktype) {
  const std::string path = dir.File("example.pcapng");
  FILE* file = fopen(path.c_str(), "wbe");
  EXPECT_NE(file, nullptr);
  PcapngWriter writer(file);
  EXPECT_TRUE(
      writer.WriteSection({.hardware = "x86_64", .os = "Linux 6.1", .application = "leman test"})
          .ok());
  const auto number = writer.AddInterface({.linktype = linktype,
                                           .snap_length = 4096,
                                           .name = "eth0",
                                           .filter = "udp port 6081",
                                           .os = "Linux 6.1"});
  EXPECT_TRUE(number.ok());
  EXPECT_EQ(number.value_or(9), 0U);
  // Every padding, and one packet that was longer on the wire.
  for (std::size_t size = 14; size < 18; ++size) {
    const std::vector<std::uint8_t> bytes(size, static_cast<std::uint8_t>(size));
    EXPECT_TRUE(writer
                    .WritePacket(0, kTimeNs + static_cast<std::int64_t>(size), bytes,
                                 size == 17 ? 1500 : size)
                    .ok());
  }
  EXPECT_TRUE(writer.Flush().ok());
  fclose(file);
  return path;
}

TEST(PcapngWriterTest, LibpcapReadsItBack) {
  const TempDir dir;
  const std::string path = WriteExample(dir, kLinktypeEthernet);
  std::array<char, PCAP_ERRBUF_SIZE> error{};
  pcap_t* pcap = pcap_open_offline_with_tstamp_precision(path.c_str(), PCAP_TSTAMP_PRECISION_NANO,
                                                         error.data());
  ASSERT_NE(pcap, nullptr) << error.data();
  EXPECT_EQ(pcap_datalink(pcap), DLT_EN10MB);
  EXPECT_EQ(pcap_snapshot(pcap), 4096);
  for (std::uint32_t size = 14; size < 18; ++size) {
    pcap_pkthdr* header = nullptr;
    const u_char* bytes = nullptr;
    ASSERT_EQ(pcap_next_ex(pcap, &header, &bytes), 1) << pcap_geterr(pcap);
    EXPECT_EQ(header->caplen, size);
    EXPECT_EQ(header->len, size == 17 ? 1500 : size);
    EXPECT_EQ(header->ts.tv_sec, kTimeNs / 1'000'000'000);
    EXPECT_EQ(header->ts.tv_usec, kTimeNs % 1'000'000'000 + size);  // nanoseconds
    EXPECT_EQ(bytes[size - 1], size);
  }
  pcap_pkthdr* header = nullptr;
  const u_char* bytes = nullptr;
  EXPECT_EQ(pcap_next_ex(pcap, &header, &bytes), PCAP_ERROR_BREAK);
  pcap_close(pcap);
}

TEST(PcapngWriterTest, BlocksAreLaidOutAsTheDraftSays) {
  const TempDir dir;
  const std::string bytes = ReadFile(WriteExample(dir, kLinktypeEthernet));
  const auto u32 = [&](std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 4; i-- > 0;) {
      value = value << 8U | static_cast<unsigned char>(bytes.at(at + i));
    }
    return value;
  };
  std::vector<std::uint32_t> types;
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::uint32_t length = u32(at + 4);
    ASSERT_EQ(length % 4, 0U);
    ASSERT_LE(at + length, bytes.size());
    EXPECT_EQ(u32(at + length - 4), length);  // the length stands at both ends
    types.push_back(u32(at));
    at += length;
  }
  EXPECT_EQ(types, (std::vector<std::uint32_t>{0x0a0d0d0a, 1, 6, 6, 6, 6}));
  EXPECT_EQ(u32(8), 0x1a2b3c4dU);
}

TEST(PcapngWriterTest, CapinfosReadsTheOptions) {
  if (!HaveTool("capinfos")) {
    GTEST_SKIP() << "capinfos is not installed";
  }
  const TempDir dir;
  const std::string text = Shell("capinfos " + WriteExample(dir, kLinktypeEthernet) + " 2>&1");
  for (const char* expected :
       {"Capture hardware:    x86_64", "Capture oper-sys:    Linux 6.1",
        "Capture application: leman test", "Name = eth0", "Time precision = nanoseconds (9)",
        "Filter string = udp port 6081", "Operating system = Linux 6.1", "Capture length = 4096",
        "Number of packets:   4"}) {
    EXPECT_NE(text.find(expected), std::string::npos) << expected << "\nin\n" << text;
  }
}

TEST(PcapngWriterTest, TsharkReadsThePackets) {
  if (!HaveTool("tshark")) {
    GTEST_SKIP() << "tshark is not installed";
  }
  const TempDir dir;
  EXPECT_EQ(Shell("tshark -r " + WriteExample(dir, kLinktypeEthernet) +
                  " -T fields -e frame.time_epoch -e frame.cap_len -e frame.len 2>/dev/null"),
            "1767322800.123456803\t14\t14\n1767322800.123456804\t15\t15\n"
            "1767322800.123456805\t16\t16\n1767322800.123456806\t17\t1500\n");
}

TEST(PcapngWriterTest, RefusesAnUnknownInterfaceAndTellsAFullDisk) {
  FILE* full = fopen("/dev/full", "wbe");
  if (full == nullptr) {
    GTEST_SKIP() << "/dev/full is not there";
  }
  PcapngWriter writer(full);
  EXPECT_FALSE(writer.WritePacket(0, 0, {}, 0).ok());
  static_cast<void>(writer.WriteSection({}).ok());  // may sit in the buffer still
  const Status flushed = writer.Flush();
  ASSERT_FALSE(flushed.ok());
  EXPECT_NE(flushed.error().message().find("No space left"), std::string::npos);
  fclose(full);
}

}  // namespace
}  // namespace leman::cli
