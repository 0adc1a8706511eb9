// The codec on any bytes. Beyond "does not crash" it holds what must be true of every input:
//  - what is accepted lies within the data, and its options add up;
//  - what is decoded and written again decodes to the same;
//  - printing takes anything, and fits the buffer it is given.

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "geneve/geneve.h"

namespace geneve {
namespace {

#define REQUIRE(condition)                                         \
  do {                                                             \
    if (!(condition)) {                                            \
      std::fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
      std::abort();                                                \
    }                                                              \
  } while (false)

const OptionSet& KnownOptions() {
  static const OptionSet known = [] {
    OptionSet set;
    REQUIRE(Registry().AddForeignTo(set).ok());
    REQUIRE(Registry().AddLemanTo(set).ok());
    return set;
  }();
  return known;
}

// The first byte of the input chooses the endpoint.
DecodePolicy PolicyFrom(uint8_t choice) {
  DecodePolicy policy;
  policy.handling = static_cast<OptionHandling>((choice & 3) % 3);
  if ((choice & 4) != 0) policy.known = &KnownOptions();
  if ((choice & 8) != 0) policy.option_capacity = 64;
  return policy;
}

void CheckRoundTrip(const HeaderView& header) {
  std::array<uint8_t, kMaxHeaderBytes> buffer{};
  HeaderBuilder builder(buffer);
  builder.SetVni(header.vni()).SetProtocol(header.protocol()).SetControl(header.control());
  for (const OptionView option : header.options()) builder.AddOption(option.key(), option.data());
  const auto size = builder.Finish();
  REQUIRE(size.ok() && *size == header.size());
  const auto again =
      DecodeHeader(buffer, {.handling = OptionHandling::kLenient, .known = &KnownOptions()});
  if (!again) {
    // The builder sets C where the sender forgot it; that alone can turn the verdict.
    REQUIRE(again.error().reason == Reason::kOptCrit);
  }
  const HeaderView written = *HeaderView::Peek(ByteSpan(buffer).first(*size));
  REQUIRE(written.vni() == header.vni() && written.protocol() == header.protocol());
  REQUIRE(written.control() == header.control());
  REQUIRE(written.critical() == header.options().HasCritical());
  OptionIterator a = header.options().begin();
  for (const OptionView option : written.options()) {
    REQUIRE(option.key() == (*a).key() && option.data_bytes() == (*a).data_bytes());
    for (size_t i = 0; i < option.data_bytes(); ++i) REQUIRE(option.data()[i] == (*a).data()[i]);
    REQUIRE(option.reserved_bits() == 0);
    ++a;
  }
  REQUIRE(a == std::default_sentinel);

  const auto made = HeaderTemplate::From(ByteSpan(buffer).first(*size));
  REQUIRE(made.ok());
  std::array<uint8_t, kMaxHeaderBytes> stamped{};
  REQUIRE(made->Stamp(stamped, header.vni()) == *size);
  for (size_t i = 0; i < *size; ++i) REQUIRE(stamped[i] == buffer[i]);
}

void FuzzHeader(ByteSpan message, const DecodePolicy& policy) {
  const auto header = DecodeHeader(message, policy);
  if (!header) {
    REQUIRE(header.error().offset <= message.size());
    if (const auto view = HeaderView::Peek(message)) static_cast<void>(FindAnomalies(*view));
    return;
  }
  REQUIRE(header->version() == 0 && header->size() <= message.size());
  REQUIRE(header->option_bytes() <= policy.option_capacity);
  size_t option_bytes = 0;
  for (const OptionView option : header->options()) {
    option_bytes += option.size();
    if (policy.handling == OptionHandling::kStrict && option.critical()) {
      REQUIRE(policy.known != nullptr && policy.known->Contains(option.key()));
    }
  }
  REQUIRE(option_bytes == header->option_bytes());
  REQUIRE(header->size() + header->payload().size() == message.size());
  static_cast<void>(FindAnomalies(*header));
  CheckRoundTrip(*header);
}

void FuzzPacket(ByteSpan frame, uint8_t choice, const DecodePolicy& policy) {
  EndpointProfile profile{.any_local = true, .any_peer = true, .any_vni = true};
  profile.udp6_zero_checksum = (choice & 16) != 0;
  profile.copy_outer_dscp = (choice & 32) != 0;
  profile.options = policy;
  const Dissection d = Dissect(frame, profile);
  std::array<char, 300> text{};
  REQUIRE(FormatTo(text, d).size() <= text.size());
  if (d.verdict == Verdict::kDrop) REQUIRE(d.offset <= frame.size());
  if (d.verdict != Verdict::kAccept) return;
  REQUIRE(uint64_t{d.inner_offset} + d.inner_bytes <= frame.size());
  REQUIRE(!d.geneve->control());
  for (const InnerPatch& patch : d.patches()) REQUIRE(patch.index < d.inner_bytes);
  CheckRoundTrip(*d.geneve);
}

void FuzzPrint(ByteSpan area) {
  for (const OptionView option : OptionRange(area)) {
    std::array<char, 64> text{};
    REQUIRE(FormatTo(text, option).size() <= text.size());
  }
}

}  // namespace
}  // namespace geneve

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const uint8_t choice = data[0];
  const geneve::ByteSpan rest(data + 1, size - 1);
  const geneve::DecodePolicy policy = geneve::PolicyFrom(choice);
  geneve::FuzzHeader(rest, policy);
  geneve::FuzzPacket(rest, choice, policy);
  geneve::FuzzPrint(rest);
  return 0;
}
