// Writes decoded packets one after the other: as lines, as trees, as JSON or as YAML.
//
// Threads: one thread. Ownership: refers to the console.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/packet_text.h"
#include "cli/packet_source.h"
#include "cli/session.h"

namespace leman::cli {

enum class Detail {
  kAuto,     // trees for up to kFewPackets packets, else lines; holds that many back to know
  kSummary,  // a line for each
  kFull,     // a tree for each
};
inline constexpr std::size_t kFewPackets = 3;

class PacketPrinter {
 public:
  // `live`: JSON and YAML as a stream of documents, and every packet flushed.
  PacketPrinter(Console& console, const GlobalOptions& globals, Detail detail, bool live)
      : console_(console), globals_(globals), detail_(detail), live_(live) {}

  void Print(const CapturedPacket& captured, PacketText text);
  // Prints what is held back, then the totals.
  void Finish();

  [[nodiscard]] std::uint64_t packets() const { return number_; }
  [[nodiscard]] std::uint64_t count(PacketVerdict verdict) const {
    return totals_[static_cast<std::size_t>(verdict)];
  }
  // "5 packets: 3 accepted, 2 dropped (OPT_TRUNC 1, VERSION 1)".
  [[nodiscard]] std::string Totals() const;

 private:
  struct Item {
    std::uint64_t number = 0;
    std::optional<std::int64_t> time_ns;
    std::size_t captured_bytes = 0;
    std::size_t original_bytes = 0;
    PacketText text;
  };

  void Emit(const Item& item);
  void PrintLine(const Item& item, bool headline);
  [[nodiscard]] Tree ItemTree(const Item& item) const;
  [[nodiscard]] Tree TotalsTree() const;

  Console& console_;
  const GlobalOptions& globals_;
  Detail detail_;
  bool live_;
  std::uint64_t number_ = 0;
  std::array<std::uint64_t, kPacketVerdicts> totals_{};
  std::map<std::string, std::uint64_t> reasons_;
  std::vector<Item> held_;
  bool any_emitted_ = false;
};

}  // namespace leman::cli
