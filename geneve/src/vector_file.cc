#include "vector_file.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace geneve::testing {
namespace {

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "test vectors: %s\n", what.c_str());
  std::exit(2);
}

unsigned long Number(const std::string& text, int base) {
  char* end = nullptr;
  const unsigned long value = std::strtoul(text.c_str(), &end, base);
  if (text.empty() || *end != '\0') Die("not a number: " + text);
  return value;
}

uint32_t Dec(const std::string& text) { return static_cast<uint32_t>(Number(text, 10)); }
uint32_t Hex(const std::string& text) { return static_cast<uint32_t>(Number(text, 16)); }

OptionKey Key(const std::string& text) {
  if (text.size() != 7 || text[4] != '/') Die("not class/type: " + text);
  return {static_cast<uint16_t>(Hex(text.substr(0, 4))), static_cast<uint8_t>(Hex(text.substr(5)))};
}

void Profile(const std::vector<std::string>& words, TestVector& out) {
  if (words[1] == "vni") {
    const Service service = words[3] == "L2" ? Service::kL2 : Service::kL3;
    out.extra_vnis.push_back({*Vni::From(Dec(words[2])), service});
  } else if (words[1] == "known") {
    std::vector<size_t> lengths;
    for (size_t i = 3; i < words.size(); ++i) lengths.push_back(Dec(words[i]));
    out.known.emplace_back(Key(words[2]), lengths);
  } else if (words[1] == "zero6") {
    out.zero6 = true;
  } else if (words[1] == "capacity") {
    out.capacity = static_cast<uint16_t>(Dec(words[2]));
  } else {
    Die("unknown profile line: " + words[1]);
  }
}

void Header(const std::vector<std::string>& words, TestVector& out) {
  VectorHeader& header = out.geneve.emplace();
  header.offset = Dec(words[1]);
  header.version = Dec(words[2]);
  header.words = Dec(words[3]);
  header.control = words[4] == "1";
  header.critical = words[5] == "1";
  header.rsvd = Hex(words[6]);
  header.protocol = Hex(words[7]);
  header.vni = Dec(words[8]);
  header.reserved = Hex(words[9]);
}

void Option(const std::vector<std::string>& words, TestVector& out) {
  VectorOption option;
  option.key = Key(words[1]);
  option.reserved_bits = static_cast<uint8_t>(Dec(words[2]));
  option.words = Dec(words[3]);
  if (words[4] != "*") option.data = FromHex(words[4] == "-" ? "" : words[4]);
  out.geneve->options.push_back(option);
}

void Line(const std::string& line, TestVector& out) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  const std::string& kind = words[0];
  if (kind == "profile") {
    Profile(words, out);
  } else if (kind == "verdict") {
    out.verdict = words[1];
    if (words.size() > 2) out.reason = words[2];
  } else if (kind == "inner") {
    out.inner = {Dec(words[1]), Dec(words[2])};
  } else if (kind == "patch") {
    out.patches.push_back({Dec(words[1]), static_cast<uint8_t>(Hex(words[2]))});
  } else if (kind == "ip") {
    out.ip = std::vector<std::string>(words.begin() + 1, words.end());
  } else if (kind == "udp") {
    out.udp = std::vector<std::string>(words.begin() + 1, words.end());
  } else if (kind == "geneve") {
    Header(words, out);
  } else if (kind == "option") {
    Option(words, out);
  } else if (kind == "options") {
    out.geneve->option_count = Dec(words[1]);
  } else {
    Die("unknown line in " + out.id + ": " + line);
  }
}

void Load(const std::string& name, std::vector<TestVector>& out) {
  std::ifstream in(std::string(GENEVE_TESTDATA) + "/" + name);
  if (!in) Die("cannot read " + name);
  size_t frame_bytes = 0;
  bool in_frame = false;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') {
      if (in_frame && out.back().frame.size() != frame_bytes) Die("frame of " + out.back().id);
      in_frame = false;
    } else if (in_frame) {
      const std::vector<uint8_t> more = FromHex(line);
      out.back().frame.insert(out.back().frame.end(), more.begin(), more.end());
    } else if (line.rfind("vector ", 0) == 0) {
      TestVector& made = out.emplace_back();
      made.id = line.substr(7, 3);
      made.title = line.substr(11);
    } else if (line.rfind("frame ", 0) == 0) {
      frame_bytes = Dec(line.substr(6));
      in_frame = true;
    } else {
      Line(line, out.back());
    }
  }
}

PacketAddress Ipv6(uint16_t last_group) {
  std::vector<uint8_t> bytes = FromHex("20010db8000000000000000000000000");
  bytes[14] = static_cast<uint8_t>(last_group >> 8);
  bytes[15] = static_cast<uint8_t>(last_group);
  return PacketAddress::FromBytes(bytes);
}

}  // namespace

std::vector<uint8_t> FromHex(const std::string& digits) {
  if (digits.size() % 2 != 0) Die("odd number of hex digits");
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i < digits.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(Hex(digits.substr(i, 2))));
  }
  return bytes;
}

const std::vector<TestVector>& AllVectors() {
  static const std::vector<TestVector>* const vectors = [] {
    auto made = std::make_unique<std::vector<TestVector>>();
    Load("vectors.txt", *made);
    Load("constructed.txt", *made);
    if (made->size() != 188) Die("expected 188 packets, found " + std::to_string(made->size()));
    return made.release();
  }();
  return *vectors;
}

void PrintTo(const TestVector& vector, std::ostream* out) { *out << vector.id; }

std::vector<TestVector> VectorsWhere(bool (*keep)(const TestVector&)) {
  std::vector<TestVector> kept;
  for (const TestVector& vector : AllVectors()) {
    if (keep(vector)) kept.push_back(vector);
  }
  return kept;
}

const TestVector& VectorById(const std::string& id) {
  for (const TestVector& vector : AllVectors()) {
    if (vector.id == id) return vector;
  }
  Die("no packet " + id);
}

Endpoint::Endpoint() {
  local_ = {PacketAddress::V4(192, 168, 1, 102), Ipv6(0x102), PacketAddress::V4(239, 1, 1, 1)};
  peers_ = {PacketAddress::V4(192, 168, 1, 101), Ipv6(0x101)};
  vnis_ = {{*Vni::From(10001), Service::kL2},
           {*Vni::From(20001), Service::kL3},
           {*Vni::From(1), Service::kManagement}};
  profile_.local = local_;
  profile_.peers = peers_;
  profile_.options.known = &known_;
  Refresh();
}

Endpoint::Endpoint(const TestVector& vector) : Endpoint() {
  vnis_.insert(vnis_.begin(), vector.extra_vnis.begin(), vector.extra_vnis.end());
  Refresh();
  for (const auto& [key, lengths] : vector.known) {
    LengthSet set;
    for (const size_t bytes : lengths) {
      // Of() takes a literal list; the union of single lengths is the same set.
      const LengthSet one = *LengthSet::Of({bytes});
      set = LengthSet::FromMask(set.mask() | one.mask());
    }
    if (!known_.Add(key, set)) Die("known options of " + vector.id);
  }
  profile_.udp6_zero_checksum = vector.zero6;
  if (vector.capacity) profile_.options.option_capacity = *vector.capacity;
}

void Endpoint::Refresh() { profile_.vnis = vnis_; }

}  // namespace geneve::testing
