#include "lab/stations.h"

#include <algorithm>
#include <array>
#include <span>

namespace leman::lab {
namespace {

constexpr std::size_t kEthernetBytes = 14;
// QEMU 7 records the virtio header (none, 10 or 12 bytes) before each frame of its network card.
constexpr std::array<std::size_t, 3> kCardOffsets = {0, 10, 12};

struct Found {
  Packet packet;
  std::vector<std::uint8_t> inner;  // the machine's IP packet
};

// The echo request as it leaves the sending machine. Virtio headers are cut off.
std::optional<Found> FirstEchoRequest(const std::vector<Packet>& packets, const IpAddress& to) {
  for (const Packet& packet : packets) {
    for (const std::size_t offset : kCardOffsets) {
      std::vector<std::uint8_t> inner = EchoRequestTo(packet.bytes, offset, to);
      if (!inner.empty()) {
        Found found{packet, std::move(inner)};
        found.packet.bytes.erase(found.packet.bytes.begin(),
                                 found.packet.bytes.begin() + static_cast<std::ptrdiff_t>(offset));
        found.packet.original_bytes -= offset;
        return found;
      }
    }
  }
  return std::nullopt;
}

// The first packet that holds `needle`; `offset` tells where.
const Packet* FindHolding(const std::vector<Packet>& packets, std::span<const std::uint8_t> needle,
                          std::size_t& offset) {
  for (const Packet& packet : packets) {
    const auto at =
        std::search(packet.bytes.begin(), packet.bytes.end(), needle.begin(), needle.end());
    if (at != packet.bytes.end()) {
      offset = static_cast<std::size_t>(at - packet.bytes.begin());
      return &packet;
    }
  }
  return nullptr;
}

Result<std::vector<Packet>> PacketsOf(const std::unique_ptr<Capture>& capture,
                                      const MachinePlan& machine) {
  if (capture == nullptr) {
    LEMAN_ASSIGN_OR_RETURN(std::vector<Packet> packets, ReadPcap(CardCapturePath(machine)));
    for (Packet& packet : packets) {
      packet.time_ns = 0;  // QEMU stamps by a clock of its own
    }
    return packets;
  }
  return capture->Packets();
}

// Fills in the packet; false if this capture did not see it.
bool Fill(Station& station, const std::vector<Packet>& packets,
          const std::vector<std::uint8_t>& inner) {
  const Packet* packet = FindHolding(packets, inner, station.inner_offset);
  if (packet == nullptr) {
    return false;
  }
  station.packet = *packet;
  station.inner_bytes = inner.size();
  if (station.kind == StationKind::kMachine && station.inner_offset > kEthernetBytes) {
    const std::size_t before = station.inner_offset - kEthernetBytes;
    station.packet.bytes.erase(station.packet.bytes.begin(),
                               station.packet.bytes.begin() + static_cast<std::ptrdiff_t>(before));
    station.packet.original_bytes -= before;
    station.inner_offset = kEthernetBytes;
  }
  return true;
}

Unexpected NotSeen(const Station& station) {
  return Fail(Code::kInternal, "the packet did not pass " + station.place +
                                   (station.file.empty() ? "" : " (" + station.file + ")"));
}

}  // namespace

std::vector<std::uint8_t> EchoRequestTo(const std::vector<std::uint8_t>& frame, std::size_t offset,
                                        const IpAddress& to) {
  const std::size_t ip = offset + kEthernetBytes;
  if (frame.size() < ip + (to.IsV4() ? 28 : 48)) {
    return {};
  }
  const unsigned ether_type =
      (static_cast<unsigned>(frame[offset + 12]) << 8U) | static_cast<unsigned>(frame[offset + 13]);
  const auto word = [&](std::size_t at) {
    return (std::size_t{frame[at]} << 8U) | std::size_t{frame[at + 1]};
  };
  std::size_t bytes = 0;
  const IpAddress::Bytes& address = to.bytes();
  if (to.IsV4()) {
    const std::size_t header = std::size_t{frame[ip] & 0x0fU} * 4;
    if (ether_type != 0x0800 || frame[ip + 9] != 1 || frame.size() <= ip + header ||
        frame[ip + header] != 8 ||
        !std::equal(address.begin() + 12, address.end(),
                    frame.begin() + static_cast<std::ptrdiff_t>(ip + 16))) {
      return {};
    }
    bytes = word(ip + 2);
  } else {
    if (ether_type != 0x86dd || frame[ip + 6] != 58 || frame[ip + 40] != 128 ||
        !std::equal(address.begin(), address.end(),
                    frame.begin() + static_cast<std::ptrdiff_t>(ip + 24))) {
      return {};
    }
    bytes = 40 + word(ip + 4);
  }
  if (frame.size() < ip + bytes) {
    return {};
  }
  const auto begin = frame.begin() + static_cast<std::ptrdiff_t>(ip);
  return {begin, begin + static_cast<std::ptrdiff_t>(bytes)};
}

Result<Stations> Stations::Listen(const MachinePlan& from, const MachinePlan& to,
                                  const std::string& directory) {
  Stations stations;
  stations.from_ = from;
  stations.to_ = to;
  const std::string underlay(kUnderlayDevice);
  const std::string device(kMachineDevice);
  if (!from.netns.empty()) {
    LEMAN_ASSIGN_OR_RETURN(
        stations.from_machine_,
        Capture::Open(from.netns, device, Direction::kOut, directory + "/1-machine.pcap"));
  }
  LEMAN_ASSIGN_OR_RETURN(stations.from_host_,
                         Capture::Open(from.host_netns, underlay, Direction::kOut,
                                       directory + "/2-encapsulation.pcap"));
  LEMAN_ASSIGN_OR_RETURN(stations.to_host_, Capture::Open(to.host_netns, underlay, Direction::kIn,
                                                          directory + "/3-underlay.pcap"));
  LEMAN_ASSIGN_OR_RETURN(stations.to_port_,
                         Capture::Open(to.host_netns, to.port_device, Direction::kOut,
                                       directory + "/4-decapsulation.pcap"));
  if (!to.netns.empty()) {
    LEMAN_ASSIGN_OR_RETURN(stations.to_machine_, Capture::Open(to.netns, device, Direction::kIn,
                                                               directory + "/5-machine.pcap"));
    LEMAN_ASSIGN_OR_RETURN(
        stations.to_program_,
        IcmpSocket::Open(to.netns, !to.machine.addresses.front().address.IsV4()));
  }
  return stations;
}

Result<std::vector<Station>> Stations::Follow() {
  const std::string underlay(kUnderlayDevice);
  const std::string device(kMachineDevice);
  const std::string& from_host = from_.machine.host;
  const std::string& to_host = to_.machine.host;
  const auto path_of = [](const std::unique_ptr<Capture>& capture, const MachinePlan& machine) {
    return capture != nullptr ? capture->path() : CardCapturePath(machine);
  };
  std::vector<Station> way(5);
  way[0] = {.kind = StationKind::kMachine,
            .title = "machine",
            .place = from_.machine.name + " " + device + ", sent",
            .file = path_of(from_machine_, from_),
            .packet = {}};
  way[1] = {.kind = StationKind::kEncapsulation,
            .title = "encapsulation",
            .place = from_host + " " + underlay + ", leaving",
            .file = from_host_->path(),
            .packet = {}};
  way[2] = {.kind = StationKind::kUnderlay,
            .title = "underlay",
            .place = to_host + " " + underlay + ", arriving",
            .file = to_host_->path(),
            .packet = {}};
  way[3] = {.kind = StationKind::kDecapsulation,
            .title = "decapsulation",
            .place = to_host + " " + to_.port_device + ", handed to the port",
            .file = to_port_->path(),
            .packet = {}};
  way[4] = {.kind = StationKind::kMachine,
            .title = "machine",
            .place = to_.machine.name + " " + device + ", received",
            .file = path_of(to_machine_, to_),
            .packet = {}};

  LEMAN_ASSIGN_OR_RETURN(const std::vector<Packet> sent, PacketsOf(from_machine_, from_));
  const auto first = FirstEchoRequest(sent, to_.machine.addresses.front().address);
  if (!first) {
    return NotSeen(way[0]);
  }
  way[0].packet = first->packet;
  way[0].inner_offset = kEthernetBytes;
  way[0].inner_bytes = first->inner.size();
  const std::vector<std::uint8_t>& inner = first->inner;
  if (!Fill(way[1], from_host_->Packets(), inner)) {
    return NotSeen(way[1]);
  }
  if (!Fill(way[2], to_host_->Packets(), inner)) {
    return NotSeen(way[2]);
  }
  LEMAN_ASSIGN_OR_RETURN(const std::vector<Packet> received, PacketsOf(to_machine_, to_));
  if (Fill(way[3], to_port_->Packets(), inner)) {
    return Fill(way[4], received, inner) ? Result<std::vector<Station>>(std::move(way))
                                         : NotSeen(way[4]);
  }
  // bpf_redirect_peer hands the frame to the far end of the port's veth pair, so it never shows at
  // the near end: the first place to see it decapsulated is the machine's device. The last station
  // is then what the machine's own IP stack gave to a program.
  way[3].place =
      to_host + " → " + to_.machine.name + " " + device + ", handed straight into the machine";
  way[3].file = path_of(to_machine_, to_);
  if (!Fill(way[3], received, inner)) {
    return NotSeen(way[3]);
  }
  way[4].place = to_.machine.name + ", a program's ICMP socket";
  way[4].file.clear();
  way[4].raw_ip = true;
  const std::vector<Packet> accepted = to_program_ ? to_program_->Packets() : std::vector<Packet>();
  if (!Fill(way[4], accepted, inner)) {
    return NotSeen(way[4]);
  }
  return way;
}

}  // namespace leman::lab
