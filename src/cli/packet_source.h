// Packets one after the other out of a file or of stdin, whatever form they have there.
//
// Threads: one thread. Ownership: a source owns its file; a packet owns its bytes.
// Errors:  Open: the file is not there, or is none of pcap, pcapng and hex text. Next: the file
// ends
//          in the middle of a packet, or is damaged; what came before is good.
#pragma once

#include <sys/time.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/packet_text.h"
#include "base/result.h"

namespace leman::cli {

struct CapturedPacket {
  std::optional<std::int64_t> time_ns;  // since the epoch
  std::vector<std::uint8_t> bytes;
  std::size_t original_bytes = 0;
  PacketLink link = PacketLink::kEthernet;
};

class PacketSource {
 public:
  virtual ~PacketSource() = default;
  // False at the end.
  [[nodiscard]] virtual Result<bool> Next(CapturedPacket& packet) = 0;
  // For a progress line; 0 when not known.
  [[nodiscard]] virtual std::uint64_t bytes_read() const { return 0; }
  [[nodiscard]] virtual std::uint64_t bytes_total() const { return 0; }
};

// `path` may be "-": then `in_fd` is read. `from` is the link type of hex text; nothing: guess it
// packet by packet.
[[nodiscard]] Result<std::unique_ptr<PacketSource>> OpenPacketSource(
    const std::string& path, int in_fd, std::optional<PacketLink> from);

// What the bytes look like: a raw IP packet, an Ethernet frame, or a bare GENEVE message.
[[nodiscard]] PacketLink GuessLink(geneve::ByteSpan packet);

// The time of a packet read with nanosecond precision; nothing when it is beyond what 64 bits of
// nanoseconds hold, as a damaged pcapng may claim.
[[nodiscard]] std::optional<std::int64_t> CaptureTimeNs(const timeval& time);

// The link type of libpcap's DLT_ number, nothing if it is none that can be read here.
[[nodiscard]] std::optional<PacketLink> LinkOfDlt(int dlt);

}  // namespace leman::cli
