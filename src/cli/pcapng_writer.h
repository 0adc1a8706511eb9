// Writes pcapng (draft-ietf-opsawg-pcapng): one section, interfaces, enhanced packets with
// nanosecond timestamps. libpcap reads this form but does not write it.
//
// Threads: one thread. Ownership: borrows the stream. Errors: kInternal and friends from errno when
// the stream refuses (disk full); the file is good up to the block before.
// The byte order is little endian on every machine, so that files can be compared.
#pragma once

#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace leman::cli {

// LINKTYPE_ numbers of the registry, which are what files carry (DLT_ numbers differ by system).
inline constexpr std::uint16_t kLinktypeEthernet = 1;
inline constexpr std::uint16_t kLinktypeRaw = 101;
inline constexpr std::uint16_t kLinktypeLinuxSll = 113;
inline constexpr std::uint16_t kLinktypeLinuxSll2 = 276;

struct PcapngSection {  // empty strings are left out
  std::string hardware;
  std::string os;
  std::string application;
};

struct PcapngInterface {
  std::uint16_t linktype = kLinktypeEthernet;
  std::uint32_t snap_length = 0;  // 0: no limit
  std::string name;
  std::string filter;
  std::string os;
};

class PcapngWriter {
 public:
  explicit PcapngWriter(std::FILE* out) : out_(out) {}

  // In this order: the section once, then interfaces, then packets of interfaces added before.
  [[nodiscard]] Status WriteSection(const PcapngSection& section);
  // The number to give to WritePacket: 0, 1, ...
  [[nodiscard]] Result<std::uint32_t> AddInterface(const PcapngInterface& interface);
  [[nodiscard]] Status WritePacket(std::uint32_t interface, std::int64_t time_ns,
                                   std::span<const std::uint8_t> bytes, std::size_t original_bytes);
  [[nodiscard]] Status Flush();

 private:
  [[nodiscard]] Status WriteBlock(std::uint32_t type, const std::vector<std::uint8_t>& body);

  std::FILE* out_;
  std::uint32_t interfaces_ = 0;
};

}  // namespace leman::cli
