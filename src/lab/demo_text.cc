#include "lab/demo_text.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/packet_text.h"

namespace leman::lab {
namespace {

bool InTunnel(const Station& station) {
  return station.kind == StationKind::kEncapsulation || station.kind == StationKind::kUnderlay;
}

PacketText Describe(const Station& station) {
  PacketTextOptions options;
  options.link = station.raw_ip ? PacketLink::kRawIp : PacketLink::kEthernet;
  options.original_bytes = station.packet.original_bytes;
  options.lenient = true;  // hosts of one lab agreed on UDP checksum zero over IPv6
  return DescribePacket(station.packet.bytes, options);
}

std::string Bytes(std::uint64_t count) { return std::to_string(count) + " bytes"; }

// What this station did to the packet of the one before.
std::string Change(const Station* before, const Station& station, const PacketText& text) {
  if (before == nullptr) {
    return "the machine's own frame";
  }
  const auto size = static_cast<std::int64_t>(station.packet.original_bytes);
  const auto delta = size - static_cast<std::int64_t>(before->packet.original_bytes);
  std::string grown =
      (delta >= 0 ? "+" : "−") + Bytes(static_cast<std::uint64_t>(delta >= 0 ? delta : -delta));
  switch (station.kind) {
    case StationKind::kEncapsulation:
      return grown + ": outer Ethernet, IP, UDP and GENEVE with VNI " +
             std::to_string(text.vni.value_or(0)) + " in front of the frame";
    case StationKind::kUnderlay:
      return delta == 0 && station.packet.bytes == before->packet.bytes
                 ? "the same bytes after the cable"
                 : grown + ": the underlay's own Ethernet header";
    case StationKind::kDecapsulation:
      return grown + ": outer headers gone, VNI looked up, MAC found behind this port";
    case StationKind::kMachine:
      return station.raw_ip
                 ? grown + ": accepted; the program gets the packet without Ethernet header"
                 : grown + ": the frame that was sent";
  }
  return grown;
}

// Leaves a line a layer: fields without label only group others.
void DropFields(std::vector<PacketField>& layers) {
  for (PacketField& layer : layers) {
    if (layer.label.empty()) {
      DropFields(layer.children);
    } else {
      layer.children.clear();
    }
  }
}

// Every layer a line; the fields of a layer only where they are new to the reader.
std::string Layers(const PacketText& text, bool fields) {
  PacketText shown = text;
  if (!fields) {
    DropFields(shown.layers);
  }
  std::string lines = RenderPacket(shown, 7);
  // The verdict of a GENEVE endpoint says nothing about frames outside of the tunnel.
  if (text.verdict == PacketVerdict::kNotGeneve) {
    lines.erase(lines.rfind('\n', lines.size() - 2) + 1);
  }
  return lines;
}

std::string Format(const char* format, double value) {
  std::array<char, 64> text{};
  // The formats are this file's own literals.
  const int size = std::snprintf(text.data(), text.size(), format, value);  // NOLINT
  return {text.data(), static_cast<std::size_t>(std::max(size, 0))};
}

std::string Pad(const std::string& text, std::size_t width) {
  return text.size() >= width ? text : text + std::string(width - text.size(), ' ');
}

}  // namespace

std::string DescribeCast(const LabFile& lab, const Machine& sender, const Machine& receiver,
                         const Machine& stranger) {
  const auto machine = [&](const Machine& who) {
    return "  " + Pad(who.name, 6) + Pad(who.addresses.front().address.ToString(), 16) +
           who.mac.ToString() + "  network " + who.network + ", VNI " +
           std::to_string(lab.FindNetwork(who.network)->vni.value()) + ", on " + who.host + "\n";
  };
  const auto host = [&](const Machine& who) {
    const Host& found = *lab.FindHost(who.host);
    return found.name + " " +
           (found.address4 ? found.address4 : found.address6)->address.ToString();
  };
  return machine(sender) + machine(receiver) + machine(stranger) + "  underlay: " + host(sender) +
         " ── " + host(receiver) + ", MTU " + std::to_string(lab.underlay_mtu);
}

Result<std::string> CheckWay(const std::vector<Station>& way, Vni vni) {
  for (const Station& station : way) {
    if (!InTunnel(station)) {
      continue;
    }
    const PacketText text = Describe(station);
    if (text.verdict != PacketVerdict::kAccept || text.vni != vni.value()) {
      return Fail(Code::kInternal, station.place + ": " + text.conclusion + "; " + text.summary);
    }
  }
  const auto inner = [](const Station& station) {
    const auto begin =
        station.packet.bytes.begin() + static_cast<std::ptrdiff_t>(station.inner_offset);
    return std::vector<std::uint8_t>(begin,
                                     begin + static_cast<std::ptrdiff_t>(station.inner_bytes));
  };
  if (way.empty() || inner(way.front()) != inner(way.back())) {
    return Fail(Code::kInternal, "the machines do not hold the same bytes");
  }
  return "found " + std::to_string(way.size()) + " times, its " + Bytes(way.front().inner_bytes) +
         " unchanged";
}

std::string DescribeWay(const std::vector<Station>& way, const Report& report) {
  std::string result;
  const Station* before = nullptr;
  int number = 0;
  std::int64_t start_ns = 0;
  for (const Station& station : way) {
    const PacketText text = Describe(station);
    std::string when;
    if (station.packet.time_ns != 0) {
      start_ns = start_ns == 0 ? station.packet.time_ns : start_ns;
      when = Format(", +%.0f µs", static_cast<double>(station.packet.time_ns - start_ns) / 1000.0);
    }
    result += "\n  " + report.Color(Paint::kBold, std::to_string(++number) + " " + station.title) +
              "  " + station.place + "  " +
              report.Color(Paint::kDim, Bytes(station.packet.original_bytes) + when) + "\n     " +
              report.Color(Paint::kMark, Change(before, station, text)) + "\n" +
              Layers(text, station.kind == StationKind::kEncapsulation);
    before = &station;
  }
  while (!result.empty() && result.back() == '\n') {
    result.pop_back();
  }
  return result;
}

std::string DescribeTransfer(const Transfer& transfer) {
  const auto megabytes = static_cast<double>(transfer.bytes) / (1 << 20);
  const double gigabits = static_cast<double>(transfer.bytes) * 8 / transfer.seconds / 1e9;
  return Format("%.0f MiB", megabytes) + Format(" in %.2f s", transfer.seconds) +
         Format(", %.2f Gbit/s, ", gigabits) + transfer.checked;
}

std::string DescribeCounters(const std::string& host, const v1::ListNetworksResponse& networks,
                             const v1::Drops& drops, const Report& report) {
  std::string text = "  " + report.Color(Paint::kBold, host) + "\n";
  for (const v1::Network& network : networks.networks()) {
    const v1::Traffic& traffic = network.traffic();
    text += "    VNI " + Pad(std::to_string(network.vni()), 9) + Pad(network.name(), 8) + "in " +
            Pad(std::to_string(traffic.tx_packets()) + " packets", 16) +
            Pad(Bytes(traffic.tx_bytes()), 18) + "out " +
            Pad(std::to_string(traffic.rx_packets()) + " packets", 16) +
            Pad(Bytes(traffic.rx_bytes()), 18) + "dropped " +
            std::to_string(traffic.dropped_packets()) + "\n";
  }
  for (const v1::Verdict& verdict : drops.verdicts()) {
    if (verdict.packets() > 0) {
      text += "    " + Pad(verdict.hook(), 13) + Pad(std::to_string(verdict.packets()), 8) +
              verdict.verdict() + (verdict.is_drop() ? " (dropped): " : ": ") + verdict.text() +
              "\n";
    }
  }
  text.pop_back();
  return text;
}

}  // namespace leman::lab
