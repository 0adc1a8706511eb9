// Dissect(): a whole Ethernet frame, from the outer MAC to the inner IP header, with the verdict an
// endpoint of a given profile must give on it.
//
// Purpose:   the user-space truth for tools (`decode`), for tests, and for differential tests of a
//            datapath. It shows as much of a bad packet as can be read, and says which check
//            failed.
// Threads:   pure function. Allocates nothing.
// Ownership: the profile's spans are borrowed for the call. Dissection::geneve and spans handed out
//            borrow the frame.
// Errors:    verdict kDrop with the reason and the byte offset in the frame. Checks run in the
// order
//            of the Reason list; the first that fails decides.
// Units:     bytes; offsets count from the start of the frame (without FCS); integers in host
// order. Standards: RFC 8926; outer and inner IP by RFC 791 and 8200, UDP checksum by RFC 768 and
// 6935,
//            ECN by RFC 6040, DSCP by RFC 2983.
//
// Choices where the RFCs leave one: outer fragments are not reassembled, and a fragment whose UDP
// ports are not visible counts as ours if it is UDP to a local address; outer VLAN tags (up to
// two), IPv4 options and IPv6 hop-by-hop, routing (nothing left) and destination options are
// accepted; an IP header whose version does not fit its EtherType counts as incomplete; up to two
// inner VLAN tags are looked through, frames with more are delivered as non-IP.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "geneve/bytes.h"
#include "geneve/ecn.h"
#include "geneve/error.h"
#include "geneve/header.h"
#include "geneve/registry.h"
#include "geneve/vni.h"

namespace geneve {

struct PacketAddress {
  std::array<uint8_t, 16> octets{};  // IPv4 uses the first four
  uint8_t family = 0;                // 4, 6, or 0 for none

  static PacketAddress V4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
  // 4 or 16 bytes; anything else gives family 0.
  static PacketAddress FromBytes(ByteSpan bytes);
  ByteSpan bytes() const { return ByteSpan(octets).first(family == 4 ? 4 : family == 6 ? 16 : 0); }

  friend constexpr bool operator==(const PacketAddress&, const PacketAddress&) = default;
};

enum class Service : uint8_t {
  kL2,          // Ethernet payload only
  kL3,          // IPv4 and IPv6 payload only
  kManagement,  // IPv4 and IPv6 payload, for the control plane only (RFC 9772)
};

struct VniService {
  Vni vni{};
  Service service = Service::kL2;
};

// What the receiving endpoint is configured to accept.
struct EndpointProfile {
  std::span<const PacketAddress> local{};  // tunnel addresses, joined groups included
  std::span<const PacketAddress> peers{};
  std::span<const VniService> vnis{};
  // For tools that look at captures of other people's endpoints: skip that check. An unlisted VNI
  // then has the service that fits its protocol type.
  bool any_local = false;
  bool any_peer = false;
  bool any_vni = false;

  uint16_t udp_port = kUdpPort;
  bool udp6_zero_checksum = false;  // RFC 8926 section 4.3.1
  bool copy_outer_dscp = false;     // uniform model at egress (RFC 2983 section 3.1); default pipe
  bool trim_l3_payload = true;      // L3: bytes beyond the inner IP length are not delivered
  DecodePolicy options{};
};

enum class Verdict : uint8_t {
  kAccept,     // deliver `inner`
  kControl,    // hand to the control plane, never to a tenant
  kDrop,       // silently, counted under `reason`
  kNotGeneve,  // not for this endpoint: leave it to the stack, untouched
};
std::string_view VerdictName(Verdict verdict);  // ACCEPT, CTRL, DROP, NOT_GENEVE

struct EthernetInfo {
  bool present = false;
  std::array<uint8_t, 6> destination{};
  std::array<uint8_t, 6> source{};
  uint8_t tag_count = 0;  // 0..2
  std::array<uint16_t, 2> tag_protocols{};
  std::array<uint16_t, 2> tags{};  // TCI: priority 3, drop eligible 1, VLAN id 12
  uint16_t ether_type = 0;         // behind the tags; below 0x0600 an IEEE 802.3 length
};

struct IpInfo {
  PacketAddress source{};  // family 0: no IP header here
  PacketAddress destination{};
  uint32_t offset = 0;
  uint32_t header_bytes = 0;   // IPv4 options included, IPv6 extension headers not
  uint32_t payload_bytes = 0;  // as the header says; IPv6: extension headers included
  uint32_t flow_label = 0;     // IPv6
  uint8_t tos = 0;             // DSCP and ECN; IPv6: Traffic Class
  uint8_t ttl = 0;
  uint8_t protocol =
      0;  // of the transport header, behind extension headers where those were walked
  bool dont_fragment = false;
  bool fragment = false;

  bool present() const { return source.family != 0; }
};

enum class ChecksumState : uint8_t { kAbsent, kGood, kBad, kUnchecked };

struct UdpInfo {
  bool present = false;
  uint32_t offset = 0;
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  uint16_t length = 0;
  uint16_t checksum = 0;
  ChecksumState checksum_state = ChecksumState::kUnchecked;
};

// A byte of the inner frame that decapsulation changes; `index` counts from its first byte.
struct InnerPatch {
  uint32_t index = 0;
  uint8_t value = 0;

  friend constexpr bool operator==(const InnerPatch&, const InnerPatch&) = default;
};

struct Dissection {
  Verdict verdict = Verdict::kAccept;
  Reason reason = Reason::kShortHdr;  // only with kDrop
  uint32_t offset = 0;                // only with kDrop

  EthernetInfo ethernet{};
  IpInfo ip{};
  UdpInfo udp{};
  std::optional<HeaderView>
      geneve{};  // as it claims to be; trust it only after kAccept or kControl
  uint32_t geneve_offset = 0;

  // What a decapsulator delivers, before patches; meaningful with kAccept and kControl.
  uint32_t inner_offset = 0;
  uint32_t inner_bytes = 0;
  EthernetInfo inner_ethernet{};
  IpInfo inner_ip{};
  uint16_t inner_source_port = 0;  // TCP, UDP or SCTP, else 0
  uint16_t inner_destination_port = 0;

  EcnAlarm ecn_alarm = EcnAlarm::kNone;
  std::array<InnerPatch, 4> patch_store{};
  uint8_t patch_count = 0;
  std::span<const InnerPatch> patches() const {
    return std::span<const InnerPatch>(patch_store).first(patch_count);
  }
};

Dissection Dissect(ByteSpan frame, const EndpointProfile& profile);

// Several lines of text, one per layer, with the verdict last. Returns the part of `out` written;
// 4 KiB hold any packet with a few options.
std::string_view FormatTo(std::span<char> out, const Dissection& dissection,
                          const Registry& registry = {});
// One header, one option: a line without newline.
std::string_view FormatTo(std::span<char> out, const HeaderView& header);
std::string_view FormatTo(std::span<char> out, const OptionView& option,
                          const Registry& registry = {});

}  // namespace geneve
