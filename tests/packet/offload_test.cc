// Frames of senders that leave work to the device: TCP aggregates and checksums not filled in yet.
// They come in by the wire, as those of a virtual machine or a container do.
#include "packet_case.h"
#include "tunnel_packet.h"

namespace leman::packet_test {
namespace {

using nlohmann::json;
using Milliseconds = std::chrono::milliseconds;

constexpr Milliseconds kDeadline(2000);
constexpr std::uint64_t kSegments = 4;

class Offloads : public PacketCaseTest {
 protected:
  // virtio_net.h
  static constexpr std::uint8_t kNeedsChecksum = 1;
  static constexpr std::uint8_t kTcp4 = 1;
  static constexpr std::uint8_t kTcp6 = 4;
  static constexpr std::uint16_t kSegmentBytes = 1300;

  static Offload Aggregate(const json& spec) {
    const auto start = spec.at("start").get<std::uint16_t>();
    return {.flags = kNeedsChecksum,
            .gso_type = spec.at("family") == 4 ? kTcp4 : kTcp6,
            .header_bytes = static_cast<std::uint16_t>(start + 20),
            .gso_size = kSegmentBytes,
            .checksum_start = start,
            .checksum_offset = 16};
  }

  static json Config(const json& spec, bool checksum) {
    const std::string vtep = spec.at("v6").get<bool>() ? "2001:db8::101" : "192.168.1.101";
    return {{"checksum", checksum},
            {"options", spec.at("network_options")},
            {"fdb", {{"aa:bb:cc:dd:ee:ff", vtep}}}};
  }

  static std::string Peer(const json& spec) {
    return spec.at("v6").get<bool>() ? "peer:2001:db8::101" : "peer:192.168.1.101";
  }

  // Tunnel packets at the other end of the underlay, until `count` or the deadline.
  static std::vector<Frame> TunnelPackets(std::size_t count) {
    std::vector<Frame> frames;
    while (frames.size() < count) {
      auto frame = Socket("far-underlay").Receive(kDeadline);
      if (!frame) {
        break;
      }
      if (IsTunnelPacket(frame->bytes)) {
        frames.push_back(std::move(*frame));
      }
    }
    return frames;
  }

  // The packets of an aggregate: those of the list, in its order, with the segments inside.
  static void CheckSegments(const json& spec, const std::vector<Frame>& got, const json& list) {
    ASSERT_EQ(got.size(), kSegments);
    for (std::size_t i = 0; i < kSegments; ++i) {
      const Bytes wanted = FromHex(list.at(i).get<std::string>());
      const Bytes inner = FromHex(spec.at("local").at(i).get<std::string>());
      Bytes packet = got[i].bytes;
      if ((got[i].offload.flags & kNeedsChecksum) != 0) {
        const std::size_t at = packet.size() - inner.size() + spec.at("start").get<std::size_t>();
        FillChecksum(&packet, at, at + 16);
      }
      EXPECT_TRUE(SameButEntropy(packet, wanted)) << i << DescribeDifference(packet, wanted);
      EXPECT_TRUE(UdpChecksumField(packet) == 0 || UdpChecksumIsRight(packet)) << i;
      CheckByCodec(packet, inner);
    }
  }
};

// K-05: the aggregate leaves whole, and says how it is to be cut.
TEST_P(Offloads, AggregatesGoThroughWhole) {
  const json& spec = GetParam().spec;
  Configure(Config(spec, false));
  (void)Listen("far-underlay");
  const Bytes frame = FromHex(spec.at("in").get<std::string>());
  const Counters before = Count();
  SendInto("port-a", frame, Aggregate(spec));
  const auto got = TunnelPackets(1);
  ASSERT_EQ(got.size(), 1U);
  const Bytes wanted = FromHex(spec.at("out").get<std::string>());
  EXPECT_TRUE(SameButEntropy(got[0].bytes, wanted)) << DescribeDifference(got[0].bytes, wanted);
  EXPECT_EQ(UdpChecksumField(got[0].bytes), 0);
  EXPECT_EQ(got[0].offload.gso_size, kSegmentBytes);
  Counters moved = Difference(before, Count());
  EXPECT_EQ(moved["event gso_out"], 1U);
  EXPECT_EQ(moved["event reentered"], 0U);
  EXPECT_EQ(moved[Peer(spec) + " tx packets"], kSegments);
  EXPECT_EQ(moved["port-a tx packets"], kSegments);
  EXPECT_EQ(moved["verdict port.forwarded packets"], 1U);
}

// G-4.6-01, G-4.6-03, G-4.6-05, K-05: a device of the underlay that takes no aggregates gets
// packets that are each right, with the options in their order.
TEST_P(Offloads, AggregatesAreCutForTheUnderlaysDevice) {
  const json& spec = GetParam().spec;
  Configure(Config(spec, false));
  (void)Listen("far-underlay");
  lab().Ip("link set underlay gso_max_size 2000\n");
  SendInto("port-a", FromHex(spec.at("in").get<std::string>()), Aggregate(spec));
  const auto got = TunnelPackets(kSegments);
  lab().Ip("link set underlay gso_max_size 65536\n");
  CheckSegments(spec, got, spec.at("cut"));
}

// G-4.6-01, G-4.6-03, G-4.6-05, G-3.3-12: a required outer checksum cannot be made for an
// aggregate: it is cut first, and every packet is right.
TEST_P(Offloads, AggregatesAreCutWhereTheOuterChecksumIsRequired) {
  const json& spec = GetParam().spec;
  model::HostProgram program = MakeProgram(lab(), Config(spec, true));
  static const bool made = [] {
    // A device that takes no aggregates; its other end is where the packets come in again.
    // The sending end comes up last: with its peer up it is ready at once.
    lab().Ip(
        "link add seg-tx type veth peer name seg-rx\nlink set seg-tx gso_max_segs 1\n"
        "link set seg-rx up\nlink set seg-tx up\n");
    return true;
  }();
  ASSERT_TRUE(made);
  program.segment_tx_ifindex = lab().Ifindex("seg-tx");
  program.segment_rx_ifindex = lab().Ifindex("seg-rx");
  ApplyProgram(program);
  (void)Listen("far-underlay");
  const Bytes frame = FromHex(spec.at("in").get<std::string>());
  const Counters before = Count();
  SendInto("port-a", frame, Aggregate(spec));

  const auto got = TunnelPackets(kSegments);
  ASSERT_NO_FATAL_FAILURE(CheckSegments(spec, got, spec.at("segments")));
  for (const Frame& packet : got) {
    EXPECT_NE(UdpChecksumField(packet.bytes), 0);
  }
  Counters moved = Difference(before, Count());
  EXPECT_EQ(moved["event reentered"], kSegments);
  EXPECT_EQ(moved["event gso_out"], 0U);
  EXPECT_EQ(moved[Peer(spec) + " tx packets"], kSegments);
}

// Without the device that cuts, such aggregates end and count.
TEST_P(Offloads, AggregatesThatCannotBeCutAreDropped) {
  const json& spec = GetParam().spec;
  Configure(Config(spec, true));
  (void)Listen("far-underlay");
  const Counters before = Count();
  SendInto("port-a", FromHex(spec.at("in").get<std::string>()), Aggregate(spec));
  Counters moved;
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (moved.empty() && std::chrono::steady_clock::now() < deadline) {
    moved = Difference(before, Count());
  }
  EXPECT_EQ(moved["verdict port.gso packets"], 1U);
  EXPECT_EQ(moved["port-a dropped"], 1U);
}

INSTANTIATE_TEST_SUITE_P(Tcp, Offloads, testing::ValuesIn(LoadCases("offload")), CaseName);

}  // namespace
}  // namespace leman::packet_test
