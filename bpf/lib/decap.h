/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Takes the outer headers off; the tenant's frame remains. */
#ifndef LEMAN_DECAP_H
#define LEMAN_DECAP_H

#include "lib/frame.h"
#include "lib/outer.h"
#include "lib/verdict.h"

/* bpf_skb_adjust_room() leaves at least one outer-family IP header behind the Ethernet header. */
#define MIN_L3_V4 sizeof(struct ip4_header)
#define MIN_L3_V6 sizeof(struct ip6_header)

/*
 * The kernel takes skb->protocol from the outer header and keeps it when that header goes. What
 * remains must be of that family: an aggregate of the other one is dropped as soon as a device
 * looks at it. So the outer header is turned into the inner family first. For frames that are not
 * IP, IPv4 is the smaller header to leave behind, and frames below even that are padded, as any
 * Ethernet may do. *shorter: bytes that the outer header lost. 0 or -reason.
 */
static __always_inline int fit_outer(struct __sk_buff *skb, const struct outer *o, __be16 type,
				     __u32 l3_bytes, int *shorter)
{
	const int diff = (int)(MIN_L3_V6 - MIN_L3_V4);
	int to_v4 = o->v6 && (type == bpf_htons(ETH_P_IP) ||
			      (type != bpf_htons(ETH_P_IPV6) && l3_bytes < MIN_L3_V6));

	*shorter = 0;
	if (l3_bytes < MIN_L3_V4 &&
	    bpf_skb_change_tail(skb, skb->len + (__u32)(MIN_L3_V4 - l3_bytes), 0))
		return -LM_V_DECAP;
	if (to_v4) {
		if (bpf_skb_change_proto(skb, bpf_htons(ETH_P_IP), 0))
			return -LM_V_DECAP;
		*shorter = diff;
	} else if (!o->v6 && type == bpf_htons(ETH_P_IPV6)) {
		if (bpf_skb_change_proto(skb, bpf_htons(ETH_P_IPV6), 0))
			return -LM_V_DECAP;
		*shorter = -diff;
	}
	return 0;
}

/*
 * Whether the frame ends within its tags or its IP header. Asked before padding, which would
 * complete them with zeros. `off`, `proto`: behind the Ethernet header.
 */
static __always_inline int is_cut(struct __sk_buff *skb, __u32 off, __u32 end, __be16 proto)
{
	struct vlan_tag tag;
	int i;

	for (i = 0; i < FRAME_MAX_TAGS && is_vlan(proto); i++) {
		if (off + VLAN_HDR_BYTES > end ||
		    bpf_skb_load_bytes(skb, off, &tag, VLAN_HDR_BYTES))
			return 1;
		proto = tag.tci; /* on the wire the TCI comes first */
		off += VLAN_HDR_BYTES;
	}
	if (proto == bpf_htons(ETH_P_IP))
		return off + MIN_L3_V4 > end;
	return proto == bpf_htons(ETH_P_IPV6) && off + MIN_L3_V6 > end;
}

/*
 * `inner`: offset of the tenant's frame; `*peer_ok` is set when skb->protocol fits what remains.
 * 0 or -reason.
 */
static __always_inline int decapsulate(struct __sk_buff *skb, const struct outer *o, __u32 inner,
				       __u64 room_flags, int csum_level, int *peer_ok)
{
	struct ethhdr eth IN_WORDS;
	__u32 l3_bytes;
	int shorter;
	int ret;

	if (o->udp_end < inner + ETH_HDR_BYTES || load_bytes(skb, inner, &eth, ETH_HDR_BYTES))
		return -LM_V_INNER_SHORT;
	l3_bytes = o->udp_end - inner - ETH_HDR_BYTES;
	if (is_cut(skb, inner + ETH_HDR_BYTES, o->udp_end, eth.h_proto))
		return -LM_V_INNER_SHORT;

	/* Bytes behind the datagram are the underlay's padding, not the tenant's. */
	if (o->udp_end < skb->len && bpf_skb_change_tail(skb, o->udp_end, 0))
		return -LM_V_DECAP;
	if (skb->vlan_present && bpf_skb_vlan_pop(skb))
		return -LM_V_DECAP;
	ret = fit_outer(skb, o, eth.h_proto, l3_bytes, &shorter);
	if (ret)
		return ret;

	/* From behind the outer MACs up to the inner EtherType's end: just as long as `inner`. */
	if (bpf_skb_adjust_room(skb, -((int)inner - shorter), BPF_ADJ_ROOM_MAC,
				room_flags | BPF_F_ADJ_ROOM_FIXED_GSO))
		return -LM_V_DECAP;
	if (csum_level)
		bpf_csum_level(skb, BPF_CSUM_LEVEL_DEC);
	if (store_bytes(skb, 0, &eth, ETH_HDR_BYTES))
		return -LM_V_DECAP;
	if (skb->gso_size)
		count_event(LM_E_GSO_IN);
	*peer_ok = eth.h_proto == bpf_htons(ETH_P_IP) || eth.h_proto == bpf_htons(ETH_P_IPV6);
	return 0;
}

#endif /* LEMAN_DECAP_H */
