/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The one description of every map shared by the kernel programs and the agent. Compiles as C11 and
 * C++20. Fixed-width members, all padding written out: a hole is a compile error in C++.
 * docs/spec/map-abi.md tells what each map means; bump LM_ABI_VERSION on any change of layout or
 * meaning, the agent then fills new maps and swaps the programs.
 *
 * The same in all versions, because an agent reads them of another one's maps, by name: magic,
 * underlay_ifindex, seg_rx_ifindex and made_hooks of lm_config, flags of lm_ports, LM_MADE_*,
 * LM_PORT_F_MADE_HOOK; and what the marks of lib/reenter.h mean.
 */
#ifndef LEMAN_ABI_H
#define LEMAN_ABI_H

#include <linux/types.h>

#define LM_ABI_VERSION 3

#ifdef __cplusplus
#include <type_traits>
#define LM_ASSERT_ABI(type, size)                                                                  \
	static_assert(sizeof(type) == (size), #type " has another size than the ABI says");        \
	static_assert(std::has_unique_object_representations_v<type>, #type " has a hole")
#else
#define LM_ASSERT_ABI(type, size)                                                                  \
	_Static_assert(sizeof(type) == (size), #type " has another size than the ABI says")
#endif

#define LM_MAX_OPTIONS_BYTES 252 /* RFC 8926 section 3.4: Opt Len is 6 bits of 4-byte words */
#define LM_MAX_FLOOD_VTEPS 64	 /* copies of one BUM frame made in the kernel */
#define LM_MAX_FLOOD_PORTS 128	 /* ports of one network on one host that get BUM frames */

/*
 * Where a packet ended. X(name, number, what it means). Numbers are ABI: append only.
 * The first two are no drops. The names are the metric labels and the words of `leman drops`.
 */
#define LM_VERDICTS(X)                                                                             \
	X(FORWARDED, 0, "delivered, encapsulated, replicated or answered")                         \
	X(PASSED, 1, "not ours: left to the host's own stack")                                     \
	X(OUTER_LEN, 2, "outer IP lengths do not fit the frame")                                   \
	X(OUTER_IPCSUM, 3, "outer IPv4 header checksum is wrong")                                  \
	X(OUTER_FRAG, 4, "outer IP fragment: underlay MTU too small for the tunnel")               \
	X(UDP_LEN, 5, "outer UDP length under 8 or beyond the IP payload")                         \
	X(UDP_CSUM, 6, "outer UDP checksum is wrong")                                              \
	X(UDP6_ZERO_CSUM, 7,                                                                       \
	  "outer UDP checksum zero on IPv6, sender not set to udp_checksum: zero")                 \
	X(SHORT_HDR, 8, "fewer than 8 bytes of GENEVE header")                                     \
	X(VERSION, 9, "GENEVE version is not 0")                                                   \
	X(OPT_TRUNC, 10, "options longer than the datagram")                                       \
	X(OPT_LEN, 11, "an option runs past the options area")                                     \
	X(OPT_KNOWN_LEN, 12, "known option with another length than registered")                   \
	X(OPT_CRIT, 13, "unknown option that is critical")                                         \
	X(PEER, 14, "sender is no VTEP of this network")                                           \
	X(VNI, 15, "VNI has no network on this host")                                              \
	X(OAM, 16, "control packet (O bit) and nobody to take it")                                 \
	X(PROTO, 17, "GENEVE protocol type is not Ethernet")                                       \
	X(INNER_SHORT, 18, "inner Ethernet or IP header is incomplete")                            \
	X(ECN, 19, "congestion mark on a packet that cannot carry it (RFC 6040)")                  \
	X(SRC_MAC, 20, "source MAC is a group address")                                            \
	X(NO_PORT, 21, "device has a program but no port")                                         \
	X(PORT_MAC, 22, "port security: source MAC is not the port's")                             \
	X(PORT_IP, 23, "port security: source IP is not the port's")                               \
	X(PORT_ARP, 24, "port security: ARP sender is not the port")                               \
	X(PORT_ND, 25, "port security: IPv6 ND from the port claims what is not its own")          \
	X(LINK_CONTROL, 26, "link-local control frame (01:80:c2:00:00:0x), kept on its link")      \
	X(FDB_MISS, 27, "destination MAC is unknown in the network")                               \
	X(NOT_LOCAL, 28, "from a tunnel for a MAC behind a tunnel (split horizon)")                \
	X(HAIRPIN, 29, "destination MAC is the sending port itself")                               \
	X(NO_RECEIVER, 30, "broadcast or multicast and nobody else in the network")                \
	X(TOO_BIG, 31, "larger than the network's MTU")                                            \
	X(ENCAP, 32, "the kernel refused to make room for the outer headers")                      \
	X(DECAP, 33, "the kernel refused to take off the outer headers")                           \
	X(GSO, 34, "aggregate of a kind that cannot be carried whole")                             \
	X(INTERNAL, 35, "a map entry or helper that must be there was not")                        \
	X(VLAN_DEPTH, 36, "more than two VLAN tags")

enum lm_verdict {
#define LM_VERDICT_ENUM(name, number, text) LM_V_##name = number,
	LM_VERDICTS(LM_VERDICT_ENUM)
#undef LM_VERDICT_ENUM
};

#define LM_VERDICT_SLOTS 64 /* per hook, room to append */

/* Which program counted: index of lm_verdicts is hook * LM_VERDICT_SLOTS + verdict. */
enum lm_hook {
	LM_HOOK_PORT = 0,
	LM_HOOK_UNDERLAY = 1,
	LM_HOOKS = 2,
};

/* Things worth a counter that do not end a packet. Same rules as LM_VERDICTS. */
#define LM_EVENTS(X)                                                                               \
	X(ARP_ANSWERED, 0, "ARP requests answered from known addresses")                           \
	X(ND_ANSWERED, 1, "IPv6 neighbour solicitations answered from known addresses")            \
	X(ICMP_TOO_BIG, 2, "ICMP fragmentation needed / packet too big sent")                      \
	X(ICMP_LIMITED, 3, "ICMP answers not sent because of the rate limit")                      \
	X(FLOOD_COPIES, 4, "copies made of broadcast, unknown and multicast frames")               \
	X(FLOOD_TRUNCATED, 5,                                                                      \
	  "frames not copied to every VTEP or port: more than the kernel copies to")               \
	X(LEARNED, 6, "MAC addresses learned or moved")                                            \
	X(LEARN_LIMIT, 7, "MAC addresses not learned: table of the network full")                  \
	X(ECN_SUSPICIOUS, 8, "ECN combinations that no sender produces (RFC 6040 section 4.2)")    \
	X(CRITICAL_FLAG, 9, "C bit disagrees with the options present")                            \
	X(CSUM_VERIFIED, 10, "outer UDP checksums verified in software")                           \
	X(REENTERED, 11, "frames that took a second pass: copies, non-IP, segmented")              \
	X(GSO_IN, 12, "aggregates decapsulated whole")                                             \
	X(GSO_OUT, 13, "aggregates encapsulated whole")

enum lm_event {
#define LM_EVENT_ENUM(name, number, text) LM_E_##name = number,
	LM_EVENTS(LM_EVENT_ENUM)
#undef LM_EVENT_ENUM
};

#define LM_EVENT_SLOTS 32

/* IPv6, or IPv4 as ::ffff:a.b.c.d. */
struct lm_addr {
	__u8 b[16];
};
LM_ASSERT_ABI(struct lm_addr, 16);

/* Who made the clsact qdisc of a device: it is taken away only if the agent did. */
#define LM_MADE_UNDERLAY 0x1
#define LM_MADE_SEGMENT 0x2

/* lm_config: one entry. */
struct lm_config {
	struct lm_addr local6; /* our VTEP address, all zero if none */
	__be32 local4;	       /* 0 if none */
	__u32 underlay_ifindex;
	__be16 udp_port;
	__u16 sport_min;      /* host order: first source port, RFC 8085 section 5.1.1 */
	__u32 sport_count;    /* number of source ports from there */
	__u32 seg_ifindex;    /* device whose egress segments in software, 0 if none */
	__u32 seg_rx_ifindex; /* where its segments come in again */
	__u32 magic;	      /* upper 8 bits of the mark of frames on a second pass */
	__u32 learn_limit;    /* learned MACs per network */
	__u8 ttl;	      /* outer TTL and hop limit */
	__u8 made_hooks;      /* LM_MADE_*: clsact qdiscs that the agent made */
	__u8 pad[2];
	__u32 generation; /* counts up with what the agent writes, into any map */
};
LM_ASSERT_ABI(struct lm_config, 56);

/*
 * What a packet needs of its network. It stands in the entries that are looked up anyway, the
 * port's and the sender's, so that no packet pays for a look-up of the network itself.
 */
#define LM_NET_F_LEARNING 0x1	   /* learn MACs from the wire */
#define LM_NET_F_FLOOD_UNKNOWN 0x2 /* unknown unicast is replicated, not dropped */
#define LM_NET_F_DSCP_COPY 0x4	   /* outer DSCP from the inner header, else the fixed value */
#define LM_NET_F_DSCP_UNIFORM 0x8  /* inner DSCP from the outer header at decapsulation */
#define LM_NET_F_LINK_CONTROL 0x10 /* carry 01:80:c2:00:00:0x */
#define LM_NET_F_NO_ICMP 0x20	   /* too-big packets are dropped without an answer */
#define LM_NET_F_OPTIONS 0x40	   /* lm_networks has options for every packet */

struct lm_net {
	__u32 slot; /* of lm_net_stats */
	__u16 flags;
	__u16 mtu; /* largest inner IP packet, bytes */
	__u8 dscp; /* 0..63 */
	__u8 pad[3];
};
LM_ASSERT_ABI(struct lm_net, 12);

/* lm_ports: __u32 ifindex -> struct lm_port. */
#define LM_PORT_F_SECURITY 0x1	/* source MAC and addresses must be the port's own */
#define LM_PORT_F_PEER 0x2	/* veth, other end in another namespace: bpf_redirect_peer */
#define LM_PORT_F_MADE_HOOK 0x8 /* the agent made the device's clsact qdisc */

struct lm_port {
	__u32 vni;
	__u32 slot; /* of lm_port_stats */
	__u8 mac[6];
	__u16 flags;
	__be32 addr4; /* the first of its IPv4 addresses, 0 if none */
	struct lm_net net;
};
LM_ASSERT_ABI(struct lm_port, 32);

/* lm_port_addrs: all addresses that a port may use as source. Value: one byte, 1. */
struct lm_port_addr_key {
	__u32 ifindex;
	struct lm_addr addr;
};
LM_ASSERT_ABI(struct lm_port_addr_key, 20);

/* lm_networks: __u32 vni -> struct lm_network. */
struct lm_network {
	struct lm_net net;
	__u8 options_bytes; /* 0..252, multiple of 4 */
	__u8 options_crit;  /* 1: a critical option is among them */
	__u8 pad[2];
	__u8 options[LM_MAX_OPTIONS_BYTES]; /* in wire form */
};
LM_ASSERT_ABI(struct lm_network, 268);

/* Flags of a way to a VTEP, in lm_fdb, lm_learned, lm_flood, lm_peers, lm_vteps. */
#define LM_WAY_F_V6 0x1		/* outer IPv6 */
#define LM_WAY_F_CSUM 0x2	/* outer UDP checksum required on sending */
#define LM_WAY_F_ECN_COMPAT 0x4 /* outer ECN always Not-ECT (RFC 6040 compatibility mode) */
#define LM_WAY_F_ZERO6_OK 0x8	/* IPv6 zero checksums accepted from this sender */
#define LM_WAY_F_LOCAL 0x10	/* not a VTEP: port of this host, ifindex says which */
#define LM_WAY_F_PEER 0x20	/* LOCAL: as LM_PORT_F_PEER */

struct lm_way {
	struct lm_addr vtep; /* remote VTEP, all zero when LOCAL */
	__u32 ifindex;	     /* LOCAL: the port's device */
	__u32 slot;	     /* of lm_peer_stats, or of lm_port_stats when LOCAL */
	__u32 flags;
};
LM_ASSERT_ABI(struct lm_way, 28);

/* lm_fdb: where a MAC of a network is, as configured. */
struct lm_mac_key {
	__u32 vni;
	__u8 mac[6];
	__u16 pad;
};
LM_ASSERT_ABI(struct lm_mac_key, 12);

/* lm_learned: the same, seen on the wire (LM_NET_F_LEARNING). */
struct lm_learned {
	struct lm_way way;
	__u32 pad;
	__u64 seen_ns; /* CLOCK_MONOTONIC, refreshed at most once a second */
};
LM_ASSERT_ABI(struct lm_learned, 40);

/* lm_neigh: answers to ARP and neighbour solicitation. */
struct lm_neigh_key {
	__u32 vni;
	struct lm_addr addr;
};
LM_ASSERT_ABI(struct lm_neigh_key, 20);

struct lm_neigh {
	__u8 mac[6];
	__u16 pad;
};
LM_ASSERT_ABI(struct lm_neigh, 8);

/* lm_peers: struct lm_addr -> struct lm_peer, every VTEP this host may talk to.
 * lm_vteps: struct lm_vtep_key -> struct lm_sender, VTEPs that may send into a network. */
struct lm_peer {
	__u32 slot; /* of lm_peer_stats */
	__u32 flags;
};
LM_ASSERT_ABI(struct lm_peer, 8);

struct lm_sender {
	struct lm_peer peer;
	struct lm_net net;
};
LM_ASSERT_ABI(struct lm_sender, 20);

struct lm_vtep_key {
	__u32 vni;
	struct lm_addr addr;
};
LM_ASSERT_ABI(struct lm_vtep_key, 20);

/* lm_flood: __u32 vni -> receivers of broadcast, unknown unicast and multicast. */
struct lm_flood_port {
	__u32 ifindex;
	__u32 slot;
};
LM_ASSERT_ABI(struct lm_flood_port, 8);

struct lm_flood {
	__u32 n_vteps;
	__u32 n_ports;
	__u32 truncated; /* 1: there are more than fit */
	struct lm_way vteps[LM_MAX_FLOOD_VTEPS];
	struct lm_flood_port ports[LM_MAX_FLOOD_PORTS];
};
LM_ASSERT_ABI(struct lm_flood, 12 + 64 * 28 + 128 * 8);

/* lm_known_opts: options this host understands. lm_opt_stats: every kind received, least recently
 * seen kinds make room. */
struct lm_opt_key {
	__u16 opt_class; /* host order */
	__u8 type;
	__u8 pad;
};
LM_ASSERT_ABI(struct lm_opt_key, 4);

#define LM_OPT_ANY_LENGTH 0xff

struct lm_known_opt {
	__u8 words; /* data length in 4-byte words, or LM_OPT_ANY_LENGTH */
	__u8 pad[3];
};
LM_ASSERT_ABI(struct lm_known_opt, 4);

/* lm_verdicts, lm_opt_stats. */
struct lm_count {
	__u64 packets;
	__u64 bytes;
};
LM_ASSERT_ABI(struct lm_count, 16);

/*
 * lm_port_stats, lm_net_stats, lm_peer_stats. tx: from the workloads into the network (to the
 * peer); rx: out of the network to the workloads (from the peer). Bytes are those of the inner
 * frame. An aggregate counts as the packets it stands for.
 */
struct lm_counters {
	__u64 rx_packets;
	__u64 rx_bytes;
	__u64 tx_packets;
	__u64 tx_bytes;
	__u64 dropped_packets;
};
LM_ASSERT_ABI(struct lm_counters, 40);

#endif /* LEMAN_ABI_H */
