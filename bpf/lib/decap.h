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
 * Small frames in IPv6: the outer header is shortened to IPv4 first, so that what must stay behind
 * is 20 bytes, not 40; frames under that are padded, as any Ethernet may do. Returns the bytes that
 * the outer headers have become shorter, or -reason.
 */
static __always_inline int shorten_outer(struct __sk_buff *skb, const struct outer *o,
					 __u32 l3_bytes)
{
	int shorter = 0;

	if (l3_bytes < MIN_L3_V4 &&
	    bpf_skb_change_tail(skb, skb->len + (__u32)(MIN_L3_V4 - l3_bytes), 0))
		return -LM_V_DECAP;
	if (o->v6 && l3_bytes < MIN_L3_V6) {
		if (skb->gso_size || bpf_skb_change_proto(skb, bpf_htons(ETH_P_IP), 0))
			return -LM_V_DECAP;
		shorter = (int)(MIN_L3_V6 - MIN_L3_V4);
	}
	return shorter;
}

/*
 * `inner`: offset of the tenant's frame; `*peer_ok` is set when skb->protocol fits what remains.
 * 0 or -reason.
 */
static __always_inline int decapsulate(struct __sk_buff *skb, const struct outer *o, __u32 inner,
				       __u64 room_flags, int csum_level, int *peer_ok)
{
	__u32 l3_bytes;
	struct ethhdr eth;
	__be16 min_type;
	int shorter;

	if (o->udp_end < inner + ETH_HDR_BYTES ||
	    bpf_skb_load_bytes(skb, inner, &eth, ETH_HDR_BYTES))
		return -LM_V_INNER_SHORT;
	l3_bytes = o->udp_end - inner - ETH_HDR_BYTES;
	if (eth.h_proto == bpf_htons(ETH_P_IP) && l3_bytes < sizeof(struct ip4_header))
		return -LM_V_INNER_SHORT;
	if (eth.h_proto == bpf_htons(ETH_P_IPV6) && l3_bytes < sizeof(struct ip6_header))
		return -LM_V_INNER_SHORT;

	/* Bytes behind the datagram are the underlay's padding, not the tenant's. */
	if (o->udp_end < skb->len && bpf_skb_change_tail(skb, o->udp_end, 0))
		return -LM_V_DECAP;
	if (skb->vlan_present && bpf_skb_vlan_pop(skb))
		return -LM_V_DECAP;
	shorter = shorten_outer(skb, o, l3_bytes);
	if (shorter < 0)
		return shorter;

	/* From behind the outer MACs up to the inner EtherType's end: just as long as `inner`. */
	if (bpf_skb_adjust_room(skb, -(__s32)(inner - (__u32)shorter), BPF_ADJ_ROOM_MAC,
				room_flags | BPF_F_ADJ_ROOM_FIXED_GSO))
		return -LM_V_DECAP;
	if (csum_level)
		bpf_csum_level(skb, BPF_CSUM_LEVEL_DEC);
	if (bpf_skb_store_bytes(skb, 0, &eth, ETH_HDR_BYTES, 0))
		return -LM_V_DECAP;
	if (skb->gso_size)
		count_event(LM_E_GSO_IN);

	min_type = (o->v6 && !shorter) ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	*peer_ok = eth.h_proto == min_type;
	return 0;
}

#endif /* LEMAN_DECAP_H */
