/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the programs need to know of a tenant's Ethernet frame. */
#ifndef LEMAN_FRAME_H
#define LEMAN_FRAME_H

#include "leman/abi.h"
#include "lib/kernel.h"

#define FRAME_MAX_TAGS 2

struct ip4_header {
	__u8 ver_ihl;
	__u8 tos;
	__be16 tot_len;
	__be16 id;
	__be16 frag_off;
	__u8 ttl;
	__u8 protocol;
	__u16 check;
	__be32 saddr;
	__be32 daddr;
};

struct ip6_header {
	__be32 ver_tc_label;
	__be16 payload_len;
	__u8 nexthdr;
	__u8 hop_limit;
	__be32 saddr[4];
	__be32 daddr[4];
};

struct frame {
	struct ethhdr eth IN_WORDS;
	__be16 proto; /* EtherType behind the tags */
	__u16 l3;     /* offset of what follows it; tags in the skb's metadata take no room */
	__u32 n_tags;
	struct vlan_tag tags[FRAME_MAX_TAGS];
	union {
		struct ip4_header ip4; /* proto IPv4 */
		struct ip6_header ip6; /* proto IPv6 */
	} IN_WORDS;
};

/* Under what a frame's receiver stands in lm_fdb and lm_learned. */
static __always_inline struct lm_mac_key receiver_key(const struct frame *f, __u32 vni)
{
	struct lm_mac_key key = {.vni = vni};

	memcpy(__builtin_assume_aligned(key.mac, 4), __builtin_assume_aligned(f->eth.h_dest, 8), 6);
	return key;
}

/* Whether a port sends as itself. In words: it is asked of every packet. */
static __always_inline int is_sender(const struct frame *f, const __u8 *mac)
{
	const __u8 *sender = f->eth.h_source; /* 6 bytes behind a word's start */

	return !((*(const __u16 *)sender ^ *(const __u16 *)mac) |
		 (*(const __u32 *)(sender + 2) ^ *(const __u32 *)(mac + 2)));
}

static __always_inline int frame_is_ip(const struct frame *f)
{
	return f->proto == bpf_htons(ETH_P_IP) || f->proto == bpf_htons(ETH_P_IPV6);
}

static __always_inline int frame_is_udp(const struct frame *f)
{
	if (f->proto == bpf_htons(ETH_P_IP))
		return f->ip4.protocol == IPPROTO_UDP;
	return f->proto == bpf_htons(ETH_P_IPV6) && f->ip6.nexthdr == IPPROTO_UDP;
}

static __always_inline __u8 ip6_traffic_class(const struct ip6_header *ip6)
{
	return (__u8)(bpf_ntohl(ip6->ver_tc_label) >> 20);
}

/* TOS or traffic class; 0 when there is no IP inside. */
static __always_inline __u8 frame_tos(const struct frame *f)
{
	if (f->proto == bpf_htons(ETH_P_IP))
		return f->ip4.tos;
	if (f->proto == bpf_htons(ETH_P_IPV6))
		return ip6_traffic_class(&f->ip6);
	return 0;
}

/*
 * Reads Ethernet, up to two VLAN tags (the kernel keeps the outermost in the skb) and the fixed IP
 * header. 0, or -reason.
 */
static __always_inline int frame_parse(struct __sk_buff *skb, struct frame *f)
{
	struct vlan_tag tag;
	__be16 proto;

	f->n_tags = 0;
	f->l3 = ETH_HDR_BYTES;
	if (load_bytes(skb, 0, &f->eth, ETH_HDR_BYTES))
		return -LM_V_INNER_SHORT;
	proto = f->eth.h_proto;

	if (skb->vlan_present) {
		f->tags[0].tpid = (__be16)skb->vlan_proto;
		f->tags[0].tci = bpf_htons((__u16)skb->vlan_tci);
		f->n_tags = 1;
	} else if (is_vlan(proto)) {
		if (bpf_skb_load_bytes(skb, ETH_HDR_BYTES, &tag, VLAN_HDR_BYTES))
			return -LM_V_INNER_SHORT;
		f->tags[0].tpid = proto;
		f->tags[0].tci = tag.tpid; /* on the wire the TCI comes first */
		proto = tag.tci;
		f->l3 += VLAN_HDR_BYTES;
		f->n_tags = 1;
	}
	if (f->n_tags && is_vlan(proto)) {
		if (bpf_skb_load_bytes(skb, f->l3, &tag, VLAN_HDR_BYTES))
			return -LM_V_INNER_SHORT;
		f->tags[1].tpid = proto;
		f->tags[1].tci = tag.tpid;
		proto = tag.tci;
		f->l3 += VLAN_HDR_BYTES;
		f->n_tags = 2;
		if (is_vlan(proto))
			return -LM_V_VLAN_DEPTH;
	}

	f->proto = proto;
	if (proto == bpf_htons(ETH_P_IP)) {
		if (load_bytes(skb, f->l3, &f->ip4, sizeof(f->ip4)))
			return -LM_V_INNER_SHORT;
		if ((f->ip4.ver_ihl >> 4) != 4 || (f->ip4.ver_ihl & 0xf) < 5)
			return -LM_V_INNER_SHORT;
		if (f->l3 + (f->ip4.ver_ihl & 0xf) * 4u > skb->len)
			return -LM_V_INNER_SHORT;
	} else if (proto == bpf_htons(ETH_P_IPV6)) {
		if (load_bytes(skb, f->l3, &f->ip6, sizeof(f->ip6)))
			return -LM_V_INNER_SHORT;
		if (bpf_ntohl(f->ip6.ver_tc_label) >> 28 != 6)
			return -LM_V_INNER_SHORT;
	}
	return 0;
}

/* Bytes of the IP and transport headers that each packet of an IP aggregate has; 0: cannot be told.
 */
static __always_inline __u32 aggregate_headers(struct __sk_buff *skb, const struct frame *f)
{
	__u8 proto, doff;
	__u32 l4;

	if (f->proto == bpf_htons(ETH_P_IP)) {
		l4 = (f->ip4.ver_ihl & 0xf) * 4u;
		proto = f->ip4.protocol;
	} else {
		l4 = sizeof(struct ip6_header);
		proto = f->ip6.nexthdr;
	}
	if (proto != IPPROTO_TCP)
		return l4 + (__u32)sizeof(struct udphdr);
	if (bpf_skb_load_bytes(skb, f->l3 + l4 + 12, &doff, 1))
		return 0;
	return l4 + (__u32)(doff >> 4) * 4;
}

/*
 * Packets that a frame stands for: 1, or the segments of an aggregate. The kernel forgets how many
 * those are when headers come or go, so behind a tunnel the lengths have to tell.
 */
static __always_inline __u32 packets_of(struct __sk_buff *skb, const struct frame *f)
{
	__u32 headers;

	if (!skb->gso_size)
		return 1;
	if (skb->gso_segs)
		return skb->gso_segs;
	headers = frame_is_ip(f) ? aggregate_headers(skb, f) : 0;
	if (!headers || f->l3 + headers >= skb->len)
		return 1;
	return (skb->len - f->l3 - headers + skb->gso_size - 1) / skb->gso_size;
}

/* Takes the tags parsed off the frame, so that it starts with plain Ethernet again. 0 or -reason.
 */
static __always_inline int frame_strip_tags(struct __sk_buff *skb, struct frame *f)
{
	/* Each pop may lift the next tag out of the bytes into the skb. */
	if (f->n_tags >= 1 && bpf_skb_vlan_pop(skb))
		return -LM_V_ENCAP;
	if (f->n_tags == 2 && bpf_skb_vlan_pop(skb))
		return -LM_V_ENCAP;
	f->l3 = ETH_HDR_BYTES;
	return 0;
}

static __always_inline void addr_from_v4(struct lm_addr *a, __be32 v4)
{
	__u32 *w = (__u32 *)a->b;

	w[0] = 0;
	w[1] = 0;
	w[2] = bpf_htonl(0xffff);
	w[3] = v4;
}

static __always_inline void addr_from_v6(struct lm_addr *a, const __be32 *v6)
{
	__u32 *w = (__u32 *)a->b;

	w[0] = v6[0];
	w[1] = v6[1];
	w[2] = v6[2];
	w[3] = v6[3];
}

#endif /* LEMAN_FRAME_H */
