/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The outer headers of a packet from the underlay: is it GENEVE for this host, and is it sound? */
#ifndef LEMAN_OUTER_H
#define LEMAN_OUTER_H

#include "lib/checksum.h"
#include "lib/frame.h"
#include "lib/verdict.h"

#define NOT_GENEVE 1 /* leave it to the host's own stack */

struct outer {
	struct lm_addr src;
	__u32 udp;     /* offset of the UDP header */
	__u32 udp_end; /* offset behind the datagram, by the UDP length */
	__u8 v6;
	__u8 tos;
	__u8 fragment;
	__u16 csum;	 /* UDP checksum field */
	__u16 udp_bytes; /* UDP length field */
	__u32 ip_end;	 /* offset behind the datagram, by the IP length */
	__u64 pseudo;
};

/* A first fragment shows its ports; the others look like nothing of ours and die in reassembly. */
static __always_inline int outer_ipv4(struct __sk_buff *skb, const struct lm_config *cfg, __u32 l3,
				      struct outer *o, __u32 *sound)
{
	struct ip4_header ip IN_WORDS;
	__u32 ihl;

	if (load_bytes(skb, l3, &ip, sizeof(ip)))
		return NOT_GENEVE;
	ihl = (ip.ver_ihl & 0xf) * 4u;
	if (ip.protocol != IPPROTO_UDP || (ip.ver_ihl >> 4) != 4 || ihl < 20 || !cfg->local4 ||
	    ip.daddr != cfg->local4 || (ip.frag_off & bpf_htons(0x1fff)))
		return NOT_GENEVE;
	*sound = 1;
	if (ihl == sizeof(ip)) {
		*sound = csum_fold(sum_words(&ip, sizeof(ip))) == 0xffff;
	} else {
		__u64 sum = 0;

		/* A header cut off by the frame's end is a matter of lengths, told later. */
		if (!sum_frame(skb, l3, l3 + ihl, &sum))
			*sound = csum_fold(sum) == 0xffff;
	}
	o->v6 = 0;
	o->tos = ip.tos;
	o->fragment = (ip.frag_off & bpf_htons(IP4_MF_OR_OFFSET)) != 0;
	o->udp = l3 + ihl;
	o->ip_end = l3 + bpf_ntohs(ip.tot_len);
	addr_from_v4(&o->src, ip.saddr);
	o->pseudo = (__u64)ip.saddr + ip.daddr + bpf_htons(IPPROTO_UDP);
	return 0;
}

#define IPV6_MAX_EXTENSIONS 4
#define IPPROTO_FRAGMENT_HDR 44

static __always_inline int outer_ipv6(struct __sk_buff *skb, const struct lm_config *cfg, __u32 l3,
				      struct outer *o)
{
	struct ip6_header ip IN_WORDS;
	__u32 off, i;
	__u8 next;

	if (load_bytes(skb, l3, &ip, sizeof(ip)))
		return NOT_GENEVE;
	next = ip.nexthdr;
	if (bpf_ntohl(ip.ver_tc_label) >> 28 != 6)
		return NOT_GENEVE;
	{
		const __u32 *local = (const __u32 *)cfg->local6.b;

		if ((ip.daddr[0] ^ local[0]) | (ip.daddr[1] ^ local[1]) | (ip.daddr[2] ^ local[2]) |
		    (ip.daddr[3] ^ local[3]))
			return NOT_GENEVE;
	}
	o->fragment = 0;
	off = l3 + (__u32)sizeof(ip);
	for (i = 0; i < IPV6_MAX_EXTENSIONS && next != IPPROTO_UDP; i++) {
		struct {
			__u8 next;
			__u8 words8;
			__be16 frag_off;
		} ext;

		if (bpf_skb_load_bytes(skb, off, &ext, 4))
			return NOT_GENEVE;
		if (next == IPPROTO_FRAGMENT_HDR) {
			if (ext.frag_off & bpf_htons(0xfff8))
				return NOT_GENEVE;
			o->fragment = 1;
			off += 8;
		} else if (next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING ||
			   next == IPPROTO_DSTOPTS) {
			/* Segments left: we are a waypoint, and that is the stack's business. */
			if (next == IPPROTO_ROUTING && (ext.frag_off & bpf_htons(0xff)))
				return NOT_GENEVE;
			off += (ext.words8 + 1u) * 8;
		} else {
			return NOT_GENEVE;
		}
		next = ext.next;
	}
	if (next != IPPROTO_UDP)
		return NOT_GENEVE;
	o->v6 = 1;
	o->tos = ip6_traffic_class(&ip);
	o->udp = off;
	o->ip_end = l3 + (__u32)sizeof(ip) + bpf_ntohs(ip.payload_len);
	addr_from_v6(&o->src, ip.saddr);
	/* An IPv4-mapped source is no address of a wire, and would name the IPv4 VTEP: nobody's. */
	if (!(ip.saddr[0] | ip.saddr[1]) && ip.saddr[2] == bpf_htonl(0xffff))
		memset(&o->src, 0, sizeof(o->src));
	o->pseudo = sum_words(ip.saddr, 16) + sum_words(ip.daddr, 16) + bpf_htons(IPPROTO_UDP);
	return 0;
}

/* 0: GENEVE for us. NOT_GENEVE. Or -reason. */
static __always_inline int outer_parse(struct __sk_buff *skb, const struct lm_config *cfg,
				       struct outer *o)
{
	__u32 l3 = ETH_HDR_BYTES;
	struct udphdr udp IN_WORDS;
	__u32 sound = 1;
	__be16 proto;
	int ret;

	if (load_bytes(skb, 12, &proto, 2))
		return NOT_GENEVE;
	if (is_vlan(proto)) {
		l3 += VLAN_HDR_BYTES;
		if (load_bytes(skb, 16, &proto, 2))
			return NOT_GENEVE;
	}
	if (proto == bpf_htons(ETH_P_IP))
		ret = outer_ipv4(skb, cfg, l3, o, &sound);
	else if (proto == bpf_htons(ETH_P_IPV6))
		ret = outer_ipv6(skb, cfg, l3, o);
	else
		ret = NOT_GENEVE;
	if (ret)
		return ret;
	if (load_bytes(skb, o->udp, &udp, sizeof(udp)))
		return NOT_GENEVE;
	if (udp.dest != cfg->udp_port)
		return NOT_GENEVE;

	if (skb->gso_size) {
		/* Lengths of an aggregate are those of its packets, or none at all. */
		o->ip_end = skb->len;
		o->udp_end = skb->len;
		o->csum = udp.check;
		o->udp_bytes = 0;
		return sound ? 0 : -LM_V_OUTER_IPCSUM;
	}
	if (o->ip_end > skb->len || o->ip_end < o->udp)
		return -LM_V_OUTER_LEN;
	if (o->ip_end < o->udp + 4)
		return NOT_GENEVE; /* the port that was read is not the datagram's */
	if (!sound)
		return -LM_V_OUTER_IPCSUM;
	if (o->fragment)
		return -LM_V_OUTER_FRAG;
	o->csum = udp.check;
	o->udp_bytes = bpf_ntohs(udp.len);
	o->udp_end = o->udp + o->udp_bytes;
	if (o->udp_bytes < sizeof(udp) || o->udp_end > o->ip_end)
		return -LM_V_UDP_LEN;
	return 0;
}

/*
 * The forms of a right checksum in a packet that never was on a wire: its sender's device was to
 * fill it in. Either the outer field holds the pseudo header's sum, or the inner transport's does
 * and the outer one was made from it (local checksum offload). Both are exact matches of 16 bits,
 * as weak and as strong as the checksum itself.
 */
static __always_inline int csum_pending(struct __sk_buff *skb, const struct outer *o, __u64 pseudo)
{
	__u32 inner, l4, end, field;
	__u64 sum = pseudo, ip;
	struct ip4_header ip4;
	struct ip6_header ip6;
	__u8 opt_len, proto;
	__be16 type;
	__u16 check;

	if (o->csum == csum_fold(pseudo))
		return 1;
	if (bpf_skb_load_bytes(skb, o->udp + 8, &opt_len, 1))
		return 0;
	inner = o->udp + 16 + (opt_len & 0x3f) * 4u;
	if (bpf_skb_load_bytes(skb, inner + 12, &type, 2))
		return 0;
	inner += ETH_HDR_BYTES;
	if (is_vlan(type)) {
		if (bpf_skb_load_bytes(skb, inner + 2, &type, 2))
			return 0;
		inner += VLAN_HDR_BYTES;
	}
	if (type == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, inner, &ip4, sizeof(ip4)))
			return 0;
		proto = ip4.protocol;
		l4 = inner + (ip4.ver_ihl & 0xf) * 4u;
		end = inner + bpf_ntohs(ip4.tot_len);
		ip = pseudo4(ip4.saddr, ip4.daddr, proto, end - l4);
	} else if (type == bpf_htons(ETH_P_IPV6)) {
		if (bpf_skb_load_bytes(skb, inner, &ip6, sizeof(ip6)))
			return 0;
		proto = ip6.nexthdr;
		l4 = inner + (__u32)sizeof(ip6);
		end = l4 + bpf_ntohs(ip6.payload_len);
		ip = pseudo6(ip6.saddr, ip6.daddr, proto, end - l4);
	} else {
		return 0;
	}
	if (proto == IPPROTO_TCP)
		field = 16;
	else if (proto == IPPROTO_UDP)
		field = 6;
	else
		return 0;
	if (end != o->udp_end || l4 <= o->udp || l4 >= end ||
	    bpf_skb_load_bytes(skb, l4 + field, &check, 2) || check != csum_fold(ip))
		return 0;
	sum += (__u16)~csum_fold(ip);
	return !sum_frame(skb, o->udp, l4, &sum) && csum_fold(sum) == 0xffff;
}

/*
 * Verifies the outer UDP checksum where the device has not done so (RFC 8926 section 3.3). Sets
 * *room_flags to what keeps the device's verdict on the inner checksum alive through decapsulation,
 * and *csum_level when one level of it goes with the outer header. 0 or -reason.
 */
static __always_inline int outer_checksum(struct __sk_buff *skb, const struct outer *o,
					  __u64 *room_flags, int *csum_level)
{
	__u64 pseudo = o->pseudo + bpf_htons(o->udp_bytes);
	__u64 sum = pseudo;
	__s64 level;

	*csum_level = 0;
	*room_flags = BPF_F_ADJ_ROOM_NO_CSUM_RESET;
	if (!o->csum) {
		const struct lm_peer *peer;

		if (!o->v6)
			return 0;
		/* RFC 6936 section 4: zero only from senders that are set to it. */
		peer = bpf_map_lookup_elem(&lm_peers, &o->src);
		return peer && (peer->flags & LM_WAY_F_ZERO6_OK) ? 0 : -LM_V_UDP6_ZERO_CSUM;
	}
	level = bpf_csum_level(skb, BPF_CSUM_LEVEL_QUERY);
	if (level >= 1) {
		*csum_level = 1;
		return 0;
	}
	if (level == 0) {
		*room_flags = 0;
		return 0;
	}
	if (skb->gso_size)
		return 0;
	count_event(LM_E_CSUM_VERIFIED);
	if (sum_frame(skb, o->udp, o->udp_end, &sum))
		return -LM_V_UDP_CSUM;
	if (csum_fold(sum) == 0xffff || csum_pending(skb, o, pseudo))
		return 0;
	return -LM_V_UDP_CSUM;
}

#endif /* LEMAN_OUTER_H */
