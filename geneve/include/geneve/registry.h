// Who owns an option class, which options are known by name, and how their values read.
//
// Purpose:   display, and a ready OptionSet for the decoder. A class owner's name never decides
//            whether a packet is accepted; only an OptionSet does, and its owner chose what is in
//            it.
// Threads:   constant tables; a Registry is a value.
// Ownership: static storage; names live for ever.
// Errors:    Find() and AddTo() tell by their result. Printing never fails: a value with a length
//            that the kind does not have is printed as hex.
// Sources:   IANA "Network Virtualization Overlay (NVO3)" registry as of 2026-02-20; layouts from
//            the owners' code and documents, or from public captures where Confidence says so.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "geneve/bytes.h"
#include "geneve/option.h"
#include "geneve/option_set.h"
#include "geneve/result.h"
#include "geneve/text.h"

namespace geneve {

struct OptionClassRange {
  uint16_t first = 0;
  uint16_t last = 0;  // included
  std::string_view owner{};
};

// Assigned classes, ascending, without gaps filled in.
std::span<const OptionClassRange> OptionClasses();

// Owner of a class; "IETF", "unassigned" or "experimental" where nobody in particular owns it.
std::string_view OptionClassName(uint16_t option_class);

// First class of the range anybody may use for experiments (RFC 8926 section 7).
inline constexpr uint16_t kFirstExperimentalClass = 0xFF00;

enum class OptionConfidence : uint8_t {
  kOwner,       // read in the owner's code or specification
  kThirdParty,  // read in somebody else's dissector or a public capture
};

struct OptionKind {
  OptionKey key{};
  LengthSet lengths{};
  std::string_view name{};     // short, for filters and columns: "ovn"
  std::string_view meaning{};  // one line
  OptionConfidence confidence = OptionConfidence::kOwner;
  // Prints data of a registered length as "field value field value".
  void (*print)(ByteSpan data, TextWriter& out) = nullptr;
};

// The option kinds of other systems: OVN, AWS GWLB, Cilium, Linux, INT, Google, cPacket, Oxide.
std::span<const OptionKind> ForeignOptionKinds();
// Leman's own kinds with the class they have by default; see geneve/leman_options.h.
std::span<const OptionKind> LemanOptionKinds();
inline constexpr uint16_t kDefaultLemanClass = 0xFFF0;

class Registry {
 public:
  constexpr Registry() = default;
  // Leman's kinds under another class than the default one.
  constexpr explicit Registry(uint16_t leman_class) : leman_class_(leman_class) {}

  constexpr uint16_t leman_class() const { return leman_class_; }
  // Null if the kind has no name here.
  const OptionKind* Find(OptionKey key) const;

  // Adds Leman's own kinds, or those of others, to a set of known options.
  Result<void, OptionSetError> AddLemanTo(OptionSet& set) const;
  Result<void, OptionSetError> AddForeignTo(OptionSet& set) const;

  // "ovn 0x0102/0x80 critical: ingress port 5 egress port 7". Kinds without a name show the owner
  // of the class and the bytes: "VMware 0x0104/0x01: deadbeef".
  void Print(OptionKey key, ByteSpan data, TextWriter& out) const;
  // The part after the colon alone.
  void PrintValue(OptionKey key, ByteSpan data, TextWriter& out) const;

 private:
  uint16_t leman_class_ = kDefaultLemanClass;
};

}  // namespace geneve
