#include <geneve/geneve.h>

#include <cstdio>

int main() {
  const uint8_t packet[] = {0x02, 0x40, 0x65, 0x58, 0, 0x27, 0x11, 0, 1, 2, 0x80, 1, 0, 5, 0, 7};
  geneve::OptionSet known;
  if (!geneve::Registry().AddForeignTo(known)) return 1;
  const auto header = geneve::DecodeHeader(packet, {.known = &known});
  if (!header) return 1;
  char text[80];
  for (const geneve::OptionView option : header->options()) {
    const auto line = geneve::FormatTo(text, option);
    std::printf("VNI %u, %.*s\n", header->vni().value(), int(line.size()), line.data());
  }
}
