/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Packets larger than the network's MTU (RFC 8926 section 4.4.1). The sender is told by ICMP
 * "fragmentation needed" (RFC 1191) or "packet too big" (RFC 8201), made here in the name of the
 * destination, for the VTEP has no address in the tenant's network.
 */
#ifndef LEMAN_TOO_BIG_H
#define LEMAN_TOO_BIG_H

#include "lib/encap.h"

#define QUOTE4_BYTES 548  /* RFC 1812 section 4.3.2.3: the answer stays within 576 bytes */
#define QUOTE6_BYTES 1232 /* RFC 4443 section 2.4: within 1280 */

#define ICMP_BURST 100 /* answers at once, and a second, per CPU */
#define ICMP_REFILL_NS 1000000

struct icmp4_answer {
	struct ip4_header ip;
	__u8 type;
	__u8 code;
	__u16 check;
	__be16 unused;
	__be16 mtu;
};

struct icmp6_answer {
	struct ip6_header ip;
	__u8 type;
	__u8 code;
	__u16 check;
	__be32 mtu;
};

/*
 * Bytes of the largest packet, without its Ethernet header but with its tags, that leaves when this
 * frame is sent.
 */
static __always_inline __u32 largest_packet_bytes(struct __sk_buff *skb, const struct frame *f)
{
	__u32 tags = f->n_tags * VLAN_HDR_BYTES;
	__u32 headers;

	if (!skb->gso_size)
		return skb->len - f->l3 + tags;
	if (!frame_is_ip(f))
		return skb->gso_size + tags;
	headers = aggregate_headers(skb, f);
	return headers ? headers + skb->gso_size + tags : skb->len;
}

static __always_inline int icmp_allowed(void)
{
	struct lm_scratch *s = scratch();
	__u64 now = bpf_ktime_get_ns();
	__u64 fresh;

	if (!s)
		return 0;
	fresh = (now - s->icmp_refill_ns) / ICMP_REFILL_NS;
	if (fresh) {
		s->icmp_tokens += fresh;
		if (s->icmp_tokens > ICMP_BURST)
			s->icmp_tokens = ICMP_BURST;
		s->icmp_refill_ns = now;
	}
	if (!s->icmp_tokens) {
		count_event(LM_E_ICMP_LIMITED);
		return 0;
	}
	s->icmp_tokens -= 1;
	return 1;
}

/* No answer to an error, a later fragment or a group: RFC 1122 section 3.2.2, RFC 4443 section 2.4.
 */
static __always_inline int may_answer(struct __sk_buff *skb, const struct frame *f)
{
	__u8 type;

	if (f->l3 != ETH_HDR_BYTES || is_group_mac(f->eth.h_dest) || !frame_is_ip(f))
		return 0;
	if (f->proto == bpf_htons(ETH_P_IP)) {
		if (f->ip4.saddr == 0 || (f->ip4.frag_off & bpf_htons(0x1fff)))
			return 0;
		if (f->ip4.protocol != IPPROTO_ICMP)
			return 1;
		if (bpf_skb_load_bytes(skb, f->l3 + (f->ip4.ver_ihl & 0xf) * 4u, &type, 1))
			return 0;
		return type == ICMP_ECHO || type == ICMP_ECHOREPLY || type == ICMP_TIMESTAMP ||
		       type == ICMP_TIMESTAMPREPLY;
	}
	if ((f->ip6.saddr[0] | f->ip6.saddr[1] | f->ip6.saddr[2] | f->ip6.saddr[3]) == 0)
		return 0;
	if (f->ip6.nexthdr != IPPROTO_ICMPV6)
		return 1;
	if (bpf_skb_load_bytes(skb, f->l3 + (__u32)sizeof(f->ip6), &type, 1))
		return 0;
	return type & ICMPV6_INFOMSG_MASK;
}

static __always_inline int store_answer4(struct __sk_buff *skb, const struct frame *f, __u16 mtu,
					 __u64 quote_sum)
{
	struct icmp4_answer a = {};

	a.ip.ver_ihl = 0x45;
	a.ip.tos = 0xc0; /* internetwork control, RFC 1812 section 4.3.2.5 */
	a.ip.tot_len = bpf_htons((__u16)(skb->len - ETH_HDR_BYTES));
	a.ip.frag_off = bpf_htons(IP4_DF);
	a.ip.ttl = 64;
	a.ip.protocol = IPPROTO_ICMP;
	a.ip.saddr = f->ip4.daddr;
	a.ip.daddr = f->ip4.saddr;
	a.ip.check = (__u16)~csum_fold(sum_words(&a.ip, sizeof(a.ip)));
	a.type = ICMP_DEST_UNREACH;
	a.code = ICMP_FRAG_NEEDED;
	a.mtu = bpf_htons(mtu);
	a.check = (__u16)~csum_fold(quote_sum + sum_words(&a.type, 8));
	return (int)bpf_skb_store_bytes(skb, ETH_HDR_BYTES, &a, sizeof(a), 0);
}

static __always_inline int store_answer6(struct __sk_buff *skb, const struct frame *f, __u16 mtu,
					 __u64 quote_sum)
{
	__u32 icmp_bytes = skb->len - ETH_HDR_BYTES - (__u32)sizeof(struct ip6_header);
	struct icmp6_answer a = {};

	a.ip.ver_tc_label = bpf_htonl(0x60000000);
	a.ip.payload_len = bpf_htons((__u16)icmp_bytes);
	a.ip.nexthdr = IPPROTO_ICMPV6;
	a.ip.hop_limit = 64;
	memcpy(a.ip.saddr, f->ip6.daddr, 16);
	memcpy(a.ip.daddr, f->ip6.saddr, 16);
	a.type = ICMPV6_PKT_TOOBIG;
	a.mtu = bpf_htonl(mtu);
	a.check = (__u16)~csum_fold(quote_sum + sum_words(&a.type, 8) +
				    pseudo6(a.ip.saddr, a.ip.daddr, IPPROTO_ICMPV6, icmp_bytes));
	return (int)bpf_skb_store_bytes(skb, ETH_HDR_BYTES, &a, sizeof(a), 0);
}

/* Turns the frame into the answer and sends it back to its port. A TC action, or -TOO_BIG. */
VERIFIED_ONCE int answer_too_big(struct __sk_buff *skb, const struct lm_net *net,
				 const struct frame *f)
{
	__u32 quote, room;
	__u64 sum = 0;
	__u16 mtu;
	int v4;

	if (!net || !f)
		return -LM_V_INTERNAL;
	/* A tag takes its bytes from what is left for IP; the answer goes back under the same tag.
	 */
	mtu = (__u16)(net->mtu - f->n_tags * VLAN_HDR_BYTES);
	v4 = f->proto == bpf_htons(ETH_P_IP);
	quote = v4 ? QUOTE4_BYTES : QUOTE6_BYTES;
	room = v4 ? (__u32)sizeof(struct icmp4_answer) : (__u32)sizeof(struct icmp6_answer);
	if ((net->flags & LM_NET_F_NO_ICMP) || !may_answer(skb, f) || !icmp_allowed())
		return -LM_V_TOO_BIG;
	if (quote > skb->len - ETH_HDR_BYTES)
		quote = skb->len - ETH_HDR_BYTES;
	if (bpf_skb_change_tail(skb, ETH_HDR_BYTES + quote, 0))
		return -LM_V_TOO_BIG;
	if (wire_sum(skb, f, ETH_HDR_BYTES, &sum))
		return -LM_V_TOO_BIG;
	if (bpf_skb_adjust_room(skb, (__s32)room, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_NO_CSUM_RESET))
		return -LM_V_TOO_BIG;
	if (bpf_skb_store_bytes(skb, 0, f->eth.h_source, 6, 0) ||
	    bpf_skb_store_bytes(skb, 6, f->eth.h_dest, 6, 0))
		return -LM_V_TOO_BIG;
	if (v4 ? store_answer4(skb, f, mtu, sum) : store_answer6(skb, f, mtu, sum))
		return -LM_V_TOO_BIG;
	count_event(LM_E_ICMP_TOO_BIG);
	return (int)bpf_redirect(skb->ifindex, 0);
}

#endif /* LEMAN_TOO_BIG_H */
