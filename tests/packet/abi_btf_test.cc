// The maps of the programs as compiled, member by member against the types the agent is compiled
// with.
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "leman/abi.h"
#include "port_rx.skel.h"
#include "underlay_rx.skel.h"

namespace leman::packet_test {
namespace {

struct Member {
  std::string name;
  std::size_t offset = 0;
  std::size_t size = 0;
};

// A struct with its members, or a plain integer: no members.
struct Type {
  std::string name;
  std::size_t size = 0;
  std::vector<Member> members;
};

struct MapTypes {
  Type key;
  Type value;
};

// Work space of the programs, no part of abi.h; here so that every map is looked at.
struct lm_scratch {  // NOLINT(readability-identifier-naming): named as in BTF
  __u8 bytes[512];
  __u64 icmp_refill_ns;
  __u64 icmp_tokens;
};
struct lm_sent {  // NOLINT(readability-identifier-naming): named as in BTF
  __u64 tick;
  __u64 mac;
  __u32 ifindex;
  __u32 generation;
  __u32 has_way;
  lm_way way;
  lm_port port;
};
struct lm_received {  // NOLINT(readability-identifier-naming): named as in BTF
  __u64 tick;
  __u64 mac;
  __u64 addr[2];
  __u32 vni;
  __u32 generation;
  __u32 has_way;
  lm_way way;
  lm_sender sender;
  __u32 pad;
};
struct lm_next_hop {  // NOLINT(readability-identifier-naming): named as in BTF
  __u64 tick;
  lm_addr vtep;
  __be32 flow;
  __u32 state;
  __u8 macs[12];
  __u32 pad;
};

#define MEMBER(type, member) \
  Member { #member, offsetof(type, member), sizeof(type::member) }

const Type kU8{"", 1, {}};
const Type kU32{"", 4, {}};
const Type kU64{"", 8, {}};
const Type kAddr{"lm_addr", sizeof(lm_addr), {MEMBER(lm_addr, b)}};
const Type kConfig{
    "lm_config",
    sizeof(lm_config),
    {MEMBER(lm_config, local6), MEMBER(lm_config, local4), MEMBER(lm_config, underlay_ifindex),
     MEMBER(lm_config, udp_port), MEMBER(lm_config, sport_min), MEMBER(lm_config, sport_count),
     MEMBER(lm_config, seg_ifindex), MEMBER(lm_config, seg_rx_ifindex), MEMBER(lm_config, magic),
     MEMBER(lm_config, learn_limit), MEMBER(lm_config, ttl), MEMBER(lm_config, made_hooks),
     MEMBER(lm_config, pad), MEMBER(lm_config, generation)}};
const Type kNet{"lm_net",
                sizeof(lm_net),
                {MEMBER(lm_net, slot), MEMBER(lm_net, flags), MEMBER(lm_net, mtu),
                 MEMBER(lm_net, dscp), MEMBER(lm_net, pad)}};
const Type kPort{"lm_port",
                 sizeof(lm_port),
                 {MEMBER(lm_port, vni), MEMBER(lm_port, slot), MEMBER(lm_port, mac),
                  MEMBER(lm_port, flags), MEMBER(lm_port, addr4), MEMBER(lm_port, net)}};
const Type kPortAddrKey{"lm_port_addr_key",
                        sizeof(lm_port_addr_key),
                        {MEMBER(lm_port_addr_key, ifindex), MEMBER(lm_port_addr_key, addr)}};
const Type kNetwork{
    "lm_network",
    sizeof(lm_network),
    {MEMBER(lm_network, net), MEMBER(lm_network, options_bytes), MEMBER(lm_network, options_crit),
     MEMBER(lm_network, pad), MEMBER(lm_network, options)}};
const Type kMacKey{"lm_mac_key",
                   sizeof(lm_mac_key),
                   {MEMBER(lm_mac_key, vni), MEMBER(lm_mac_key, mac), MEMBER(lm_mac_key, pad)}};
const Type kWay{
    "lm_way",
    sizeof(lm_way),
    {MEMBER(lm_way, vtep), MEMBER(lm_way, ifindex), MEMBER(lm_way, slot), MEMBER(lm_way, flags)}};
const Type kLearned{
    "lm_learned",
    sizeof(lm_learned),
    {MEMBER(lm_learned, way), MEMBER(lm_learned, pad), MEMBER(lm_learned, seen_ns)}};
const Type kNeighKey{
    "lm_neigh_key", sizeof(lm_neigh_key), {MEMBER(lm_neigh_key, vni), MEMBER(lm_neigh_key, addr)}};
const Type kNeigh{"lm_neigh", sizeof(lm_neigh), {MEMBER(lm_neigh, mac), MEMBER(lm_neigh, pad)}};
const Type kPeer{"lm_peer", sizeof(lm_peer), {MEMBER(lm_peer, slot), MEMBER(lm_peer, flags)}};
const Type kSender{
    "lm_sender", sizeof(lm_sender), {MEMBER(lm_sender, peer), MEMBER(lm_sender, net)}};
const Type kVtepKey{
    "lm_vtep_key", sizeof(lm_vtep_key), {MEMBER(lm_vtep_key, vni), MEMBER(lm_vtep_key, addr)}};
const Type kFlood{"lm_flood",
                  sizeof(lm_flood),
                  {MEMBER(lm_flood, n_vteps), MEMBER(lm_flood, n_ports),
                   MEMBER(lm_flood, truncated), MEMBER(lm_flood, vteps), MEMBER(lm_flood, ports)}};
const Type kFloodPort{"lm_flood_port",
                      sizeof(lm_flood_port),
                      {MEMBER(lm_flood_port, ifindex), MEMBER(lm_flood_port, slot)}};
const Type kOptKey{
    "lm_opt_key",
    sizeof(lm_opt_key),
    {MEMBER(lm_opt_key, opt_class), MEMBER(lm_opt_key, type), MEMBER(lm_opt_key, pad)}};
const Type kKnownOpt{
    "lm_known_opt", sizeof(lm_known_opt), {MEMBER(lm_known_opt, words), MEMBER(lm_known_opt, pad)}};
const Type kCount{
    "lm_count", sizeof(lm_count), {MEMBER(lm_count, packets), MEMBER(lm_count, bytes)}};
const Type kCounters{"lm_counters",
                     sizeof(lm_counters),
                     {MEMBER(lm_counters, rx_packets), MEMBER(lm_counters, rx_bytes),
                      MEMBER(lm_counters, tx_packets), MEMBER(lm_counters, tx_bytes),
                      MEMBER(lm_counters, dropped_packets)}};
const Type kScratch{"lm_scratch",
                    sizeof(lm_scratch),
                    {MEMBER(lm_scratch, bytes), MEMBER(lm_scratch, icmp_refill_ns),
                     MEMBER(lm_scratch, icmp_tokens)}};

const Type kSent{"lm_sent",
                 sizeof(lm_sent),
                 {MEMBER(lm_sent, tick), MEMBER(lm_sent, mac), MEMBER(lm_sent, ifindex),
                  MEMBER(lm_sent, generation), MEMBER(lm_sent, has_way), MEMBER(lm_sent, way),
                  MEMBER(lm_sent, port)}};
const Type kReceived{
    "lm_received",
    sizeof(lm_received),
    {MEMBER(lm_received, tick), MEMBER(lm_received, mac), MEMBER(lm_received, addr),
     MEMBER(lm_received, vni), MEMBER(lm_received, generation), MEMBER(lm_received, has_way),
     MEMBER(lm_received, way), MEMBER(lm_received, sender), MEMBER(lm_received, pad)}};
const Type kNextHop{
    "lm_next_hop",
    sizeof(lm_next_hop),
    {MEMBER(lm_next_hop, tick), MEMBER(lm_next_hop, vtep), MEMBER(lm_next_hop, flow),
     MEMBER(lm_next_hop, state), MEMBER(lm_next_hop, macs), MEMBER(lm_next_hop, pad)}};

const std::map<std::string, MapTypes> kMaps = {
    {"lm_config", {kU32, kConfig}},
    {"lm_ports", {kU32, kPort}},
    {"lm_port_addrs", {kPortAddrKey, kU8}},
    {"lm_networks", {kU32, kNetwork}},
    {"lm_fdb", {kMacKey, kWay}},
    {"lm_learned", {kMacKey, kLearned}},
    {"lm_learn_count", {kU32, kU64}},
    {"lm_neigh", {kNeighKey, kNeigh}},
    {"lm_peers", {kAddr, kPeer}},
    {"lm_vteps", {kVtepKey, kSender}},
    {"lm_flood", {kU32, kFlood}},
    {"lm_known_opts", {kOptKey, kKnownOpt}},
    {"lm_opt_stats", {kOptKey, kCount}},
    {"lm_verdicts", {kU32, kCount}},
    {"lm_events", {kU32, kU64}},
    {"lm_port_stats", {kU32, kCounters}},
    {"lm_net_stats", {kU32, kCounters}},
    {"lm_peer_stats", {kU32, kCounters}},
    {"lm_sent", {kU32, kSent}},
    {"lm_received", {kU32, kReceived}},
    {"lm_next_hops", {kU32, kNextHop}},
    {"lm_scratch", {kU32, kScratch}},
};

// The type behind typedefs and const.
const btf_type* Resolve(const btf* types, std::uint32_t id) {
  const btf_type* type = btf__type_by_id(types, id);
  while (type != nullptr && (btf_is_typedef(type) || btf_is_mod(type))) {
    type = btf__type_by_id(types, type->type);
  }
  return type;
}

void CheckType(const btf* types, std::uint32_t id, const Type& wanted, const std::string& where) {
  SCOPED_TRACE(where);
  const btf_type* type = Resolve(types, id);
  ASSERT_NE(type, nullptr);
  EXPECT_EQ(static_cast<std::size_t>(btf__resolve_size(types, id)), wanted.size);
  if (wanted.members.empty()) {
    EXPECT_TRUE(btf_is_int(type));
    return;
  }
  ASSERT_TRUE(btf_is_struct(type));
  EXPECT_EQ(btf__name_by_offset(types, type->name_off), wanted.name);
  ASSERT_EQ(btf_vlen(type), wanted.members.size()) << "members not listed in this test";
  for (std::uint32_t i = 0; i < btf_vlen(type); ++i) {
    const btf_member& member = btf_members(type)[i];
    const Member& expected = wanted.members.at(i);
    EXPECT_EQ(btf__name_by_offset(types, member.name_off), expected.name);
    EXPECT_EQ(btf_member_bit_offset(type, i), expected.offset * 8) << expected.name;
    EXPECT_EQ(static_cast<std::size_t>(btf__resolve_size(types, member.type)), expected.size)
        << expected.name;
  }
}

void CheckObject(bpf_object* object) {
  constexpr std::size_t kMaxName = 15;  // BPF_OBJ_NAME_LEN without its zero
  const btf* types = bpf_object__btf(object);
  ASSERT_NE(types, nullptr);
  EXPECT_LE(std::string(bpf_object__name(object)).size(), kMaxName);
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    EXPECT_LE(std::string(bpf_program__name(program)).size(), kMaxName);
  }
  std::size_t seen = 0;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (bpf_map__is_internal(map)) {
      continue;  // the compiler's constants; the agent does not touch them
    }
    const std::string name = bpf_map__name(map);
    const auto wanted = kMaps.find(name);
    if (wanted == kMaps.end()) {
      ADD_FAILURE() << "map " << name << " is not listed in this test";
      continue;
    }
    ++seen;
    EXPECT_LE(name.size(), kMaxName);
    EXPECT_EQ(bpf_map__key_size(map), wanted->second.key.size) << name;
    EXPECT_EQ(bpf_map__value_size(map), wanted->second.value.size) << name;
    CheckType(types, bpf_map__btf_key_type_id(map), wanted->second.key, name + " key");
    CheckType(types, bpf_map__btf_value_type_id(map), wanted->second.value, name + " value");
  }
  EXPECT_EQ(seen, kMaps.size()) << "a map of this list is gone";
  // Structs within values.
  for (const Type& type : {kAddr, kWay, kFloodPort}) {
    const int id = btf__find_by_name_kind(types, type.name.c_str(), BTF_KIND_STRUCT);
    ASSERT_GT(id, 0) << type.name;
    CheckType(types, static_cast<std::uint32_t>(id), type, type.name);
  }
}

TEST(AbiBtf, PortRx) {
  port_rx* skeleton = port_rx::open();
  ASSERT_NE(skeleton, nullptr);
  CheckObject(skeleton->obj);
  port_rx::destroy(skeleton);
}

TEST(AbiBtf, UnderlayRx) {
  underlay_rx* skeleton = underlay_rx::open();
  ASSERT_NE(skeleton, nullptr);
  CheckObject(skeleton->obj);
  underlay_rx::destroy(skeleton);
}

}  // namespace
}  // namespace leman::packet_test
