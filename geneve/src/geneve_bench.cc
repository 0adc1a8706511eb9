// What the codec costs per packet. Targets: a header with three options decoded in under 10 ns, a
// header built in under 5 ns.

#include <benchmark/benchmark.h>

#include <array>

#include "geneve/encode.h"
#include "geneve/header.h"
#include "geneve/packet.h"
#include "geneve/registry.h"

namespace geneve {
namespace {

constexpr OptionKey kFlag{0xFF00, 0x02};
constexpr OptionKey kWord{0xFF00, 0x01};
constexpr OptionKey kLong{0xFF00, 0x03};

// 4 + 8 + 12 bytes of options, and a minimal Ethernet frame behind.
struct Message {
  std::array<uint8_t, 32 + 60> bytes{};
  Message() {
    constexpr std::array<uint8_t, 8> kEight = {0, 1, 2, 3, 4, 5, 6, 7};
    HeaderBuilder builder(bytes);
    builder.SetVni(10001).AddOption(kFlag, {}).AddOption32(kWord, 0xDEADBEEF);
    builder.AddOption(kLong, kEight);
    if (!builder.Finish()) std::abort();
  }
};

void DecodeThreeOptions(benchmark::State& state) {
  Message message;
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(message.bytes.data());
    benchmark::ClobberMemory();
    auto header = DecodeHeader(message.bytes);
    benchmark::DoNotOptimize(header);
  }
}
BENCHMARK(DecodeThreeOptions);

void DecodeThreeKnownOptions(benchmark::State& state) {
  Message message;
  OptionSet known;
  if (!Registry().AddForeignTo(known) || !Registry().AddLemanTo(known)) std::abort();
  for (const auto& [key, bytes] : {std::pair{kFlag, size_t{0}}, {kWord, 4}, {kLong, 8}}) {
    if (!known.Add(key, *LengthSet::Of({bytes}))) std::abort();
  }
  const DecodePolicy policy{.known = &known};
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(message.bytes.data());
    benchmark::ClobberMemory();
    auto header = DecodeHeader(message.bytes, policy);
    benchmark::DoNotOptimize(header);
  }
}
BENCHMARK(DecodeThreeKnownOptions);

void DecodeAndReadThreeOptions(benchmark::State& state) {
  Message message;
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(message.bytes.data());
    benchmark::ClobberMemory();
    const auto header = DecodeHeader(message.bytes);
    uint32_t sum = header->vni().value();
    for (const OptionView option : header->options()) {
      sum += option.key().packed() + static_cast<uint32_t>(option.data_bytes());
    }
    benchmark::DoNotOptimize(sum);
  }
}
BENCHMARK(DecodeAndReadThreeOptions);

void DecodeNoOptions(benchmark::State& state) {
  std::array<uint8_t, 8> header_bytes = {0, 0, 0x65, 0x58, 0, 0x27, 0x11, 0};
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(header_bytes.data());
    benchmark::ClobberMemory();
    auto header = DecodeHeader(header_bytes);
    benchmark::DoNotOptimize(header);
  }
}
BENCHMARK(DecodeNoOptions);

void DecodeSixtyThreeOptions(benchmark::State& state) {
  std::array<uint8_t, 260> header_bytes{};
  header_bytes[0] = 63;
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(header_bytes.data());
    benchmark::ClobberMemory();
    auto header = DecodeHeader(header_bytes);
    benchmark::DoNotOptimize(header);
  }
}
BENCHMARK(DecodeSixtyThreeOptions);

void BuildHeader(benchmark::State& state) {
  std::array<uint8_t, 64> out{};
  uint32_t vni = 10001;
  benchmark::DoNotOptimize(out.data());  // escapes: every store counts
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(vni);
    HeaderBuilder builder(out);
    builder.SetVni(vni);
    auto size = builder.Finish();
    benchmark::DoNotOptimize(size);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BuildHeader);

void BuildHeaderWithThreeOptions(benchmark::State& state) {
  std::array<uint8_t, 64> out{};
  std::array<uint8_t, 8> eight{};
  uint32_t vni = 10001;
  benchmark::DoNotOptimize(out.data());  // escapes: every store counts
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(vni);
    benchmark::DoNotOptimize(eight);
    HeaderBuilder builder(out);
    builder.SetVni(vni).AddOption(kFlag, {}).AddOption32(kWord, vni).AddOption(kLong, eight);
    auto size = builder.Finish();
    benchmark::DoNotOptimize(size);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BuildHeaderWithThreeOptions);

void StampTemplateWithThreeOptions(benchmark::State& state) {
  Message message;
  const auto made = HeaderTemplate::From(message.bytes);
  if (!made) std::abort();
  const HeaderTemplate header = *made;
  const OptionSlot word = *header.FindSlot(kWord);
  const OptionSlot eight = *header.FindSlot(kLong);
  std::array<uint8_t, 64> out{};
  uint32_t vni = 10001;
  benchmark::DoNotOptimize(out.data());  // escapes: every store counts
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(vni);
    size_t size = header.Stamp(out, Vni::FromBytes(0, 0, static_cast<uint8_t>(vni)));
    bool put = word.Put32(out, vni) && eight.Put64(out, vni);
    benchmark::DoNotOptimize(put);
    benchmark::DoNotOptimize(size);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(StampTemplateWithThreeOptions);

}  // namespace
}  // namespace geneve
