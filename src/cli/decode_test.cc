// leman decode, end to end: captures made by scapy, hex text, damage.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <regex>
#include <string>

#include "base/fd.h"
#include "cli/packet_source.h"
#include "cli/test_support.h"
#include "cli/tree.h"

namespace leman::cli {
namespace {

constexpr const char* kEchoHex =
    "0200c0a801660200c0a80165080045000056000140004011b67ac0a80165c0a80166d43117c1004244970000655800"
    "27"
    "1100aabbccddee11aabbccddeeff08004500002400010000400164c40a00010a0a00010b0800d8d91234000147454e"
    "45"
    "56452121";

class DecodeTest : public testing::Test {
 protected:
  DecodeTest() {
    setenv("TZ", "UTC", 1);
    tzset();
  }

  // The bytes as stdin of the command.
  RunResult DecodeStdin(const std::string& bytes, std::vector<std::string> arguments = {}) {
    WriteFile(dir_.File("stdin"), bytes);
    const Fd fd(open(dir_.File("stdin").c_str(), O_RDONLY | O_CLOEXEC));
    arguments.insert(arguments.begin(), {"decode", "-"});
    return RunCommand(arguments, {.in_fd = fd.get()});
  }

  TempDir dir_;
};

TEST_F(DecodeTest, MixedCaptureAsLines) {
  const RunResult result = RunCommand({"decode", TestData("mixed.pcap")});
  EXPECT_EQ(result.code, kExitOk) << result.err;
  EXPECT_EQ(
      result.out,
      R"(    1 03:00:00.000000 ACCEPT 192.168.1.101 > 192.168.1.102  VNI 10001  10.0.1.10 > 10.0.1.11 ICMP echo request id 4660 seq 1
    2 03:00:01.000999 ACCEPT 192.168.1.101 > 192.168.1.102  VNI 10002 [ovn]  10.0.1.10 > 10.0.1.11 VLAN 100 TCP 40000 > 443 [SYN] 0 bytes
    3 03:00:02.002000 DROP   192.168.1.101 > 192.168.1.102  VNI 10001 [0xff00/0x81]  10.0.1.10 > 10.0.1.11 ICMP echo request id 4660 seq 1  OPT_CRIT at byte 50
    4 03:00:03.003000 ACCEPT 192.168.1.101 > 192.168.1.102  VNI 10001  aa:bb:cc:dd:ee:ff > ff:ff:ff:ff:ff:ff ARP who has 10.0.1.11, tell 10.0.1.10 (aa:bb:cc:dd:ee:ff)
    5 03:00:04.003999 ACCEPT 2001:db8::101 > 2001:db8::102  VNI 7  fe80::1 > ff02::1 UDP 5353 > 5353 4 bytes
    6 03:00:05.005000 DROP   192.168.1.101 > 192.168.1.102  VNI 10001  VERSION at byte 42
    7 03:00:06.006000 CTRL   192.168.1.101 > 192.168.1.102  VNI 10001  10.0.1.10 > 10.0.1.11 ICMP echo request id 4660 seq 1
    8 03:00:07.006999 -      192.168.1.101 > 192.168.1.102 UDP 53000 > 53 3 bytes

8 packets: 4 accepted, 1 for the control plane, 2 dropped (OPT_CRIT 1, VERSION 1), 1 not GENEVE
)");
}

// tshark as the second opinion on every GENEVE field.
TEST_F(DecodeTest, FieldsAgreeWithTshark) {
  if (!HaveTool("tshark")) {
    GTEST_SKIP() << "tshark is not installed";
  }
  const Tree decoded =
      Tree::parse(RunCommand({"decode", TestData("mixed.pcap"), "-o", "json"}).out);
  std::string ours;
  for (const Tree& packet : decoded["packets"]) {
    if (!packet.contains("geneve")) {
      ours += "\t\t\t\t\t\n";
      continue;
    }
    const Tree& geneve = packet["geneve"];
    char line[128];
    std::snprintf(line, sizeof(line), "%d\t0x%06x\t0x%04x\t%d\t%d\t", geneve["version"].get<int>(),
                  geneve["vni"].get<unsigned>(), geneve["protocol"].get<unsigned>(),
                  geneve["control"].get<bool>() ? 1 : 0, geneve["critical"].get<bool>() ? 1 : 0);
    ours += line;
    if (!geneve["options"].empty()) {
      std::snprintf(line, sizeof(line), "0x%04x", geneve["options"][0]["class"].get<unsigned>());
      ours += line;
    }
    ours += "\n";
  }
  EXPECT_EQ(ours, Shell("tshark -r " + TestData("mixed.pcap") +
                        " -T fields -e geneve.version -e geneve.vni -e geneve.proto_type"
                        " -e geneve.flags.oam -e geneve.flags.critical -e geneve.option.class"
                        " 2>/dev/null"));
}

TEST_F(DecodeTest, PcapngSaysTheSame) {
  // Times differ in what the two formats keep; the packets may not.
  const std::regex clock("[0-9:]{8}\\.[0-9]{6}");
  const auto without_time = [&](const std::string& text) {
    return std::regex_replace(text, clock, "T");
  };
  EXPECT_EQ(without_time(RunCommand({"decode", TestData("mixed.pcapng")}).out),
            without_time(RunCommand({"decode", TestData("mixed.pcap")}).out));
}

TEST_F(DecodeTest, EveryLinkTypeFindsTheSamePackets) {
  for (const char* name : {"raw.pcap", "sll.pcap", "sll2.pcap"}) {
    const RunResult result = RunCommand({"decode", TestData(name), "--summary"});
    EXPECT_EQ(result.code, kExitOk) << result.err;
    EXPECT_NE(result.out.find("VNI 10001  10.0.1.10 > 10.0.1.11 ICMP echo request"),
              std::string::npos)
        << name << "\n"
        << result.out;
    EXPECT_NE(result.out.find("2 packets: 2 accepted"), std::string::npos) << result.out;
  }
}

TEST_F(DecodeTest, FewPacketsAreShownWhole) {
  const RunResult result = DecodeStdin(kEchoHex);
  EXPECT_EQ(result.code, kExitOk) << result.err;
  EXPECT_EQ(result.out.substr(0, result.out.find('\n')),
            "#1 ACCEPT 192.168.1.101 > 192.168.1.102  VNI 10001  10.0.1.10 > 10.0.1.11 ICMP echo "
            "request id 4660 seq 1, 100 bytes");
  EXPECT_NE(result.out.find("\n  @46     VNI           10001 (0x002711)\n"), std::string::npos)
      << result.out;
  EXPECT_NE(result.out.find("\n  @84   inner ICMP      echo request"), std::string::npos);
  EXPECT_TRUE(result.out.ends_with("\n1 packet: 1 accepted\n"));
}

TEST_F(DecodeTest, StdinTakesPcapPcapngAndHex) {
  const std::string from_file = RunCommand({"decode", TestData("mixed.pcap")}).out;
  EXPECT_EQ(DecodeStdin(ReadFile(TestData("mixed.pcap"))).out, from_file);
  EXPECT_NE(DecodeStdin(ReadFile(TestData("mixed.pcapng"))).out.find("8 packets"),
            std::string::npos);
  EXPECT_NE(DecodeStdin(std::string(kEchoHex) + "\n\n" + kEchoHex).out.find("2 packets"),
            std::string::npos);
}

// A pipe cannot be rewound after its magic has been read.
TEST_F(DecodeTest, PipesWork) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const std::string bytes = ReadFile(TestData("mixed.pcap"));
  ASSERT_EQ(write(ends[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  close(ends[1]);
  const RunResult result = RunCommand({"decode", "-"}, {.in_fd = ends[0]});
  close(ends[0]);
  EXPECT_NE(result.out.find("8 packets: 4 accepted"), std::string::npos) << result.err;
}

TEST_F(DecodeTest, HexMayStartAtIpOrAtGeneve) {
  const std::string hex = kEchoHex;
  EXPECT_NE(DecodeStdin(hex.substr(28)).out.find("@28   GENEVE"), std::string::npos);
  const std::string geneve = hex.substr(84);
  EXPECT_NE(DecodeStdin(geneve).out.find("@0    GENEVE"), std::string::npos);
  EXPECT_NE(DecodeStdin(geneve, {"--from", "udp"}).out.find("1 packet: 1 accepted"),
            std::string::npos);
  EXPECT_NE(DecodeStdin(geneve, {"--from", "eth"}).out.find("1 not GENEVE"), std::string::npos);
}

TEST_F(DecodeTest, FiltersByVniAndPort) {
  EXPECT_NE(RunCommand({"decode", TestData("mixed.pcap"), "--vni", "10002"}).out.find("1 packet:"),
            std::string::npos);
  EXPECT_NE(
      RunCommand({"decode", TestData("mixed.pcap"), "--port", "6082"}).out.find("8 not GENEVE"),
      std::string::npos);
}

TEST_F(DecodeTest, StrictExitAndLenience) {
  EXPECT_EQ(RunCommand({"decode", TestData("mixed.pcap"), "--strict-exit"}).code, kExitFailure);
  EXPECT_EQ(RunCommand({"decode", TestData("raw.pcap"), "--strict-exit"}).code, kExitOk);
  EXPECT_NE(RunCommand({"decode", TestData("mixed.pcap"), "--lenient"}).out.find("2 dropped"),
            std::string::npos);  // the C flag is set: the critical option stays a reason
}

TEST_F(DecodeTest, JsonIsOneDocument) {
  const RunResult result = RunCommand({"decode", TestData("mixed.pcap"), "-o", "json"});
  const Tree tree = Tree::parse(result.out);
  EXPECT_EQ(tree["totals"]["packets"], 8);
  EXPECT_EQ(tree["totals"]["reasons"]["OPT_CRIT"], 1);
  const Tree& ovn = tree["packets"][1];
  EXPECT_EQ(ovn["time"], "2026-01-02T03:00:01.000999928Z");
  EXPECT_EQ(ovn["verdict"], "accept");
  EXPECT_EQ(ovn["geneve"]["vni"], 10002);
  EXPECT_EQ(ovn["geneve"]["offset"], 42);
  EXPECT_EQ(ovn["geneve"]["options"][0]["name"], "ovn");
  EXPECT_EQ(ovn["geneve"]["options"][0]["data"], "00058003");
  EXPECT_EQ(ovn["inner"]["vlans"][0]["vlan"], 100);
  EXPECT_EQ(ovn["inner"]["tcp"]["flags"], "SYN");
  EXPECT_EQ(ovn["outer"]["udp"]["checksum_state"], "correct");
  EXPECT_EQ(tree["packets"][2]["reason"], "OPT_CRIT");
  EXPECT_EQ(tree["packets"][2]["reason_offset"], 50);
  // No packet at all is a document too.
  EXPECT_EQ(Tree::parse(RunCommand({"decode", TestData("mixed.pcap"), "-o", "json", "--vni", "1"})
                            .out)["packets"],
            Tree::array());
}

TEST_F(DecodeTest, YamlIsOneDocument) {
  const RunResult result = RunCommand({"decode", TestData("raw.pcap"), "-o", "yaml"});
  EXPECT_TRUE(result.out.starts_with("packets:\n- number: 1\n")) << result.out;
  EXPECT_NE(result.out.find("\n- number: 2\n"), std::string::npos);
  EXPECT_NE(result.out.find("\ntotals:\n  packets: 2\n"), std::string::npos);
}

TEST_F(DecodeTest, CutFileShowsWhatCameBefore) {
  const std::string bytes = ReadFile(TestData("mixed.pcap"));
  const RunResult result = DecodeStdin(bytes.substr(0, bytes.size() - 10));
  EXPECT_EQ(result.code, kExitFailure);
  EXPECT_NE(result.out.find("7 packets:"), std::string::npos) << result.out;
  EXPECT_NE(result.err.find("stdin: truncated dump file"), std::string::npos) << result.err;
}

TEST_F(DecodeTest, WrongInputIsNamed) {
  EXPECT_EQ(RunCommand({"decode", dir_.File("none.pcap")}).err,
            "leman: " + dir_.File("none.pcap") +
                ": No such file or directory; give a pcap, a pcapng or hex text, or - for stdin\n");
  EXPECT_NE(RunCommand({"decode", "/tmp"}).err.find("is a directory"), std::string::npos);
  EXPECT_NE(DecodeStdin("").err.find("stdin: is empty"), std::string::npos);
  EXPECT_NE(DecodeStdin(std::string("\x1f\x8b\x08\x00", 4)).err.find("gunzip -c"),
            std::string::npos);
  EXPECT_NE(DecodeStdin(std::string("\x7f"
                                    "ELF\x02",
                                    5))
                .err.find("neither pcap nor pcapng"),
            std::string::npos);
  EXPECT_NE(DecodeStdin("hello").err.find("stdin: line 1: 'h' is no hexadecimal digit"),
            std::string::npos);
}

// Found by damaging files under UBSan: a resolution of whole seconds made the time overflow.
TEST_F(DecodeTest, TimesBeyondMeasureAreLeftOut) {
  const timeval fits{.tv_sec = 1'767'322'800, .tv_usec = 999'999'999};
  EXPECT_EQ(CaptureTimeNs(fits), 1'767'322'800'999'999'999);
  EXPECT_EQ(CaptureTimeNs({.tv_sec = 51'869'868'654, .tv_usec = 0}), std::nullopt);
  EXPECT_EQ(CaptureTimeNs({.tv_sec = 9'223'372'036, .tv_usec = 999'999'999}), std::nullopt);
}

TEST_F(DecodeTest, GuessesTheFirstHeader) {
  EXPECT_EQ(GuessLink({}), PacketLink::kEthernet);
  const std::vector<std::uint8_t> geneve = {0, 0, 0x65, 0x58, 0, 0, 1, 0};
  EXPECT_EQ(GuessLink(geneve), PacketLink::kUdpPayload);
}

// Thousands of damaged files: an answer each time, never a crash or an exception.
TEST_F(DecodeTest, DamagedFilesAreSurvived) {
  std::mt19937 random(6081);
  const std::vector<std::string> seeds = {
      ReadFile(TestData("mixed.pcap")), ReadFile(TestData("mixed.pcapng")),
      ReadFile(TestData("sll2.pcap")), ReadFile(TestData("raw.pcap"))};
  int decoded = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = seeds[random() % seeds.size()];
    for (std::size_t i = 0, n = 1 + random() % 12; i < n; ++i) {
      // Headers of the file as often as packets.
      const std::size_t at = random() % (random() % 3 == 0 ? 64 : bytes.size());
      bytes[at] = static_cast<char>(random());
    }
    if (random() % 5 == 0) {
      bytes.resize(random() % bytes.size());
    }
    const RunResult result = DecodeStdin(bytes, {"-o", round % 3 == 0   ? "json"
                                                       : round % 3 == 1 ? "yaml"
                                                                        : "table"});
    EXPECT_TRUE(result.code == kExitOk || result.code == kExitFailure);
    decoded += result.code == kExitOk ? 1 : 0;
    if (round % 3 == 0 && !result.out.empty()) {
      EXPECT_TRUE(Tree::accept(result.out)) << result.out;
    }
  }
  EXPECT_GT(decoded, 500);
}

}  // namespace
}  // namespace leman::cli
