/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* ECN and DSCP through the tunnel: RFC 6040 section 4, RFC 2983 section 3. */
#ifndef LEMAN_ECN_H
#define LEMAN_ECN_H

#include "lib/frame.h"
#include "lib/verdict.h"

#define ECN_MASK 0x3
#define ECN_NOT_ECT 0x0
#define ECN_ECT1 0x1
#define ECN_ECT0 0x2
#define ECN_CE 0x3

/* Outer TOS of a packet: DSCP by policy or copied, ECN copied or zero. */
static __always_inline __u8 outer_tos(const struct lm_net *net, __u8 inner_tos, __u32 way_flags)
{
	__u8 dscp = (net->flags & LM_NET_F_DSCP_COPY) ? inner_tos & (__u8)~ECN_MASK
						      : (__u8)(net->dscp << 2);
	__u8 ecn = (way_flags & LM_WAY_F_ECN_COMPAT) ? ECN_NOT_ECT : inner_tos & ECN_MASK;

	return dscp | ecn;
}

/*
 * RFC 6040 section 4.2: the ECN field that leaves the tunnel, or -1 to drop. Marks combinations
 * that no sender produces in *suspicious.
 */
static __always_inline int ecn_decapsulate(__u8 inner, __u8 outer, int *suspicious)
{
	*suspicious = 0;
	if (outer == ECN_NOT_ECT)
		return inner;
	if (inner == ECN_NOT_ECT) {
		*suspicious = 1;
		return outer == ECN_CE ? -1 : ECN_NOT_ECT;
	}
	if (inner == ECN_CE) {
		*suspicious = outer == ECN_ECT1;
		return ECN_CE;
	}
	if (outer == ECN_CE)
		return ECN_CE;
	if (inner == ECN_ECT1) {
		*suspicious = outer == ECN_ECT0;
		return ECN_ECT1;
	}
	return outer == ECN_ECT1 ? ECN_ECT1 : ECN_ECT0;
}

/* Writes a new TOS or traffic class into the frame's IP header, checksums kept right. */
static __always_inline int set_inner_tos(struct __sk_buff *skb, const struct frame *f, __u8 tos)
{
	if (f->proto == bpf_htons(ETH_P_IP)) {
		__u16 before = (__u16)((f->ip4.ver_ihl) | (f->ip4.tos << 8));
		__u16 after = (__u16)((f->ip4.ver_ihl) | (tos << 8));

		/* The header checksum takes up the change, so the sum over the packet stays. */
		if (bpf_l3_csum_replace(skb, f->l3 + offsetof(struct ip4_header, check), before,
					after, 2))
			return -LM_V_DECAP;
		if (bpf_skb_store_bytes(skb, f->l3 + offsetof(struct ip4_header, tos), &tos, 1, 0))
			return -LM_V_DECAP;
	} else {
		__be32 word = bpf_htonl((bpf_ntohl(f->ip6.ver_tc_label) & 0xf00fffff) |
					((__u32)tos << 20));

		if (bpf_skb_store_bytes(skb, f->l3, &word, 4, BPF_F_RECOMPUTE_CSUM))
			return -LM_V_DECAP;
	}
	return 0;
}

/* Applies ECN and, for uniform networks, DSCP of the outer header to the frame. 0 or -reason. */
static __always_inline int tos_decapsulate(struct __sk_buff *skb, const struct lm_net *net,
					   const struct frame *f, __u8 outer)
{
	__u8 inner = frame_tos(f);
	int suspicious;
	__u8 tos;
	int ecn;

	if (!frame_is_ip(f))
		return 0;
	ecn = ecn_decapsulate(inner & ECN_MASK, outer & ECN_MASK, &suspicious);
	if (suspicious)
		count_event(LM_E_ECN_SUSPICIOUS);
	if (ecn < 0)
		return -LM_V_ECN;
	tos = (net->flags & LM_NET_F_DSCP_UNIFORM) ? outer & (__u8)~ECN_MASK
						   : inner & (__u8)~ECN_MASK;
	tos |= (__u8)ecn;
	if (tos == inner)
		return 0;
	return set_inner_tos(skb, f, tos);
}

#endif /* LEMAN_ECN_H */
