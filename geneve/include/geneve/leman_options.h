// The values of Leman's own options and their byte layout.
//
// Purpose:   one definition for the agent that fills them, the datapath that reads them and the
//            tools that show them. Class 0xFFF0 (experimental range) unless configured otherwise.
// Threads, ownership: plain values.
// Errors:    Decode() refuses a span of the wrong length and undefined enumerators; unused bits are
//            ignored, and written as zero.
// Units:     all integers big endian on the wire; sizes are bytes of option data.
//
//   identity   type 1, 8 bytes    | identity 32 | policy epoch 32 |
//   packet     type 2, 4 bytes    | EtherType 16 | packet type 8 | tunnel type 8 |
//   qos        type 3, 4 bytes    | traffic class 8 | 0 2, DSCP 6 | colour 8 | 0 8 |
//   chain      type 4, 12 bytes   | chain id 32 | hop index 8 | 0 7, reverse 1 | 0 16 | cookie 32 |
//   telemetry  type 5, 16 bytes   | sequence 32 | trace mark 32 | sent at 64, ns since the epoch |

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "geneve/bytes.h"
#include "geneve/option.h"
#include "geneve/registry.h"

namespace geneve {

// Who sent the packet, and under which policy revision that was decided.
struct IdentityOption {
  static constexpr uint8_t kType = 1;
  static constexpr size_t kBytes = 8;

  uint32_t identity = 0;
  uint32_t policy_epoch = 0;

  std::array<uint8_t, kBytes> Encode() const;
  static std::optional<IdentityOption> Decode(ByteSpan data);
  friend constexpr bool operator==(const IdentityOption&, const IdentityOption&) = default;
};

enum class PacketType : uint8_t { kUnicast, kMulticast, kBroadcast, kUnknownUnicast };

// What the packet was before it entered the tunnel, for functions that see only the tunnel.
struct PacketOption {
  static constexpr uint8_t kType = 2;
  static constexpr size_t kBytes = 4;

  uint16_t ether_type = 0;
  PacketType packet_type = PacketType::kUnicast;
  uint8_t tunnel_type = 0;

  std::array<uint8_t, kBytes> Encode() const;
  static std::optional<PacketOption> Decode(ByteSpan data);
  friend constexpr bool operator==(const PacketOption&, const PacketOption&) = default;
};

enum class Colour : uint8_t { kGreen, kYellow, kRed };

// Marking from end to end, independent of what the underlay makes of the outer DSCP.
struct QosOption {
  static constexpr uint8_t kType = 3;
  static constexpr size_t kBytes = 4;

  uint8_t traffic_class = 0;
  uint8_t dscp = 0;  // 6 bits
  Colour colour = Colour::kGreen;

  std::array<uint8_t, kBytes> Encode() const;
  static std::optional<QosOption> Decode(ByteSpan data);
  friend constexpr bool operator==(const QosOption&, const QosOption&) = default;
};

// Position in a service chain.
struct ChainOption {
  static constexpr uint8_t kType = 4;
  static constexpr size_t kBytes = 12;

  uint32_t chain_id = 0;
  uint8_t hop_index = 0;
  bool reverse = false;
  uint32_t flow_cookie = 0;

  std::array<uint8_t, kBytes> Encode() const;
  static std::optional<ChainOption> Decode(ByteSpan data);
  friend constexpr bool operator==(const ChainOption&, const ChainOption&) = default;
};

// Loss and one-way delay per tunnel, and a mark for live traces.
struct TelemetryOption {
  static constexpr uint8_t kType = 5;
  static constexpr size_t kBytes = 16;

  uint32_t sequence = 0;
  uint32_t trace_mark = 0;  // 0: not traced
  uint64_t sent_at_ns = 0;

  std::array<uint8_t, kBytes> Encode() const;
  static std::optional<TelemetryOption> Decode(ByteSpan data);
  friend constexpr bool operator==(const TelemetryOption&, const TelemetryOption&) = default;
};

template <class Option>
constexpr OptionKey LemanKey(uint16_t leman_class = kDefaultLemanClass) {
  return {leman_class, Option::kType};
}

}  // namespace geneve
