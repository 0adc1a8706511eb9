// The packets of testdata/, for tests. The format is described at the head of testdata/vectors.txt.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "geneve/packet.h"

namespace geneve::testing {

struct VectorOption {
  OptionKey key;
  uint8_t reserved_bits = 0;
  size_t words = 0;
  std::optional<std::vector<uint8_t>> data;  // nothing: not spelled out in the file
};

struct VectorHeader {
  uint32_t offset = 0;
  unsigned version = 0;
  size_t words = 0;
  bool control = false;
  bool critical = false;
  unsigned rsvd = 0;
  unsigned protocol = 0;
  uint32_t vni = 0;
  unsigned reserved = 0;
  std::optional<size_t> option_count;
  std::vector<VectorOption> options;  // as many as the file spells out
};

struct TestVector {
  std::string id;
  std::string title;
  std::string verdict;  // ACCEPT, CTRL, DROP, NOT_GENEVE, TENANT, ICMP
  std::string reason;   // with DROP
  std::optional<std::pair<uint32_t, uint32_t>> inner;
  std::vector<InnerPatch> patches;
  std::optional<std::vector<std::string>> ip;   // version source destination tos ttl
  std::optional<std::vector<std::string>> udp;  // source destination length checksum
  std::optional<VectorHeader> geneve;
  std::vector<uint8_t> frame;

  // Differences from the reference endpoint.
  std::vector<VniService> extra_vnis;
  std::vector<std::pair<OptionKey, std::vector<size_t>>> known;
  bool zero6 = false;
  std::optional<uint16_t> capacity;
};

// Names the packet in test output.
void PrintTo(const TestVector& vector, std::ostream* out);

// All 188 packets, in the order of the files. Exits the process if a file cannot be read whole.
const std::vector<TestVector>& AllVectors();
// Those for which `keep` holds, for parameterized tests without skips.
std::vector<TestVector> VectorsWhere(bool (*keep)(const TestVector&));
// The packet with this id; exits if there is none.
const TestVector& VectorById(const std::string& id);

// The endpoint of a vector: the reference endpoint with the vector's own settings. Owns what the
// profile points to.
class Endpoint {
 public:
  Endpoint();  // the reference endpoint
  explicit Endpoint(const TestVector& vector);
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  const EndpointProfile& profile() const { return profile_; }
  EndpointProfile& profile() { return profile_; }
  OptionSet& known() { return known_; }
  std::vector<VniService>& vnis() { return vnis_; }
  void Refresh();  // after vnis() changed

 private:
  std::vector<PacketAddress> local_;
  std::vector<PacketAddress> peers_;
  std::vector<VniService> vnis_;
  OptionSet known_;
  EndpointProfile profile_;
};

std::vector<uint8_t> FromHex(const std::string& digits);

}  // namespace geneve::testing
