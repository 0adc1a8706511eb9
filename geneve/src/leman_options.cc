#include "geneve/leman_options.h"

namespace geneve {

std::array<uint8_t, IdentityOption::kBytes> IdentityOption::Encode() const {
  std::array<uint8_t, kBytes> out{};
  StoreBe32(&out[0], identity);
  StoreBe32(&out[4], policy_epoch);
  return out;
}

std::optional<IdentityOption> IdentityOption::Decode(ByteSpan data) {
  if (data.size() != kBytes) return std::nullopt;
  return IdentityOption{.identity = LoadBe32(&data[0]), .policy_epoch = LoadBe32(&data[4])};
}

std::array<uint8_t, PacketOption::kBytes> PacketOption::Encode() const {
  std::array<uint8_t, kBytes> out{};
  StoreBe16(&out[0], ether_type);
  out[2] = static_cast<uint8_t>(packet_type);
  out[3] = tunnel_type;
  return out;
}

std::optional<PacketOption> PacketOption::Decode(ByteSpan data) {
  if (data.size() != kBytes || data[2] > static_cast<uint8_t>(PacketType::kUnknownUnicast)) {
    return std::nullopt;
  }
  return PacketOption{.ether_type = LoadBe16(&data[0]),
                      .packet_type = static_cast<PacketType>(data[2]),
                      .tunnel_type = data[3]};
}

std::array<uint8_t, QosOption::kBytes> QosOption::Encode() const {
  return {traffic_class, static_cast<uint8_t>(dscp & 0x3F), static_cast<uint8_t>(colour), 0};
}

std::optional<QosOption> QosOption::Decode(ByteSpan data) {
  if (data.size() != kBytes || data[2] > static_cast<uint8_t>(Colour::kRed)) return std::nullopt;
  return QosOption{.traffic_class = data[0],
                   .dscp = static_cast<uint8_t>(data[1] & 0x3F),
                   .colour = static_cast<Colour>(data[2])};
}

std::array<uint8_t, ChainOption::kBytes> ChainOption::Encode() const {
  std::array<uint8_t, kBytes> out{};
  StoreBe32(&out[0], chain_id);
  out[4] = hop_index;
  out[5] = reverse ? 1 : 0;
  StoreBe32(&out[8], flow_cookie);
  return out;
}

std::optional<ChainOption> ChainOption::Decode(ByteSpan data) {
  if (data.size() != kBytes) return std::nullopt;
  return ChainOption{.chain_id = LoadBe32(&data[0]),
                     .hop_index = data[4],
                     .reverse = (data[5] & 1) != 0,
                     .flow_cookie = LoadBe32(&data[8])};
}

std::array<uint8_t, TelemetryOption::kBytes> TelemetryOption::Encode() const {
  std::array<uint8_t, kBytes> out{};
  StoreBe32(&out[0], sequence);
  StoreBe32(&out[4], trace_mark);
  StoreBe64(&out[8], sent_at_ns);
  return out;
}

std::optional<TelemetryOption> TelemetryOption::Decode(ByteSpan data) {
  if (data.size() != kBytes) return std::nullopt;
  return TelemetryOption{.sequence = LoadBe32(&data[0]),
                         .trace_mark = LoadBe32(&data[4]),
                         .sent_at_ns = LoadBe64(&data[8])};
}

}  // namespace geneve
