/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The next hop to a VTEP, kept for one tick of the kernel's clock.
 *
 * bpf_redirect_neigh() looks up route and neighbour for every packet, which costs as much as the
 * rest of encapsulation. In a tick the first packet to a VTEP goes that way, which also keeps the
 * neighbour's entry alive; the second asks bpf_fib_lookup(); those behind it take the MACs from
 * here. So the underlay's routing decides as before, changes of it act within a tick (1 to 10 ms),
 * and nobody has to be there to keep anything current.
 *
 * What a route may depend on is the key: the VTEP's address and TOS, over IPv6 the flow label too,
 * by which the kernel tells flows apart for multipath routes. Over IPv4 it is not asked for ports
 * by bpf_redirect_neigh() either.
 */
#ifndef LEMAN_NEXT_HOP_H
#define LEMAN_NEXT_HOP_H

#include "lib/maps.h"

#define AF_INET 2
#define AF_INET6 10

enum next_hop_state {
	HOP_SEEN, /* one packet so far */
	HOP_KNOWN,
	HOP_UNKNOWN, /* neighbour not resolved, or a route of another device or kind */
};

/* Asks the kernel. The request stands in the CPU's work space: the stack is short. */
static __always_inline __u32 ask_next_hop(struct __sk_buff *skb, const struct lm_config *cfg,
					  struct lm_next_hop *hop, __u32 v6)
{
	struct lm_scratch *s = scratch();
	struct bpf_fib_lookup *fib;

	if (!s)
		return HOP_UNKNOWN;
	fib = (struct bpf_fib_lookup *)s->bytes;
	memset(fib, 0, sizeof(*fib));
	fib->l4_protocol = IPPROTO_UDP;
	fib->ifindex = cfg->seg_rx_ifindex; /* the lookup wants a device that forwards */
	if (v6) {
		fib->family = AF_INET6;
		fib->flowinfo = hop->flow;
		memcpy(fib->ipv6_src, cfg->local6.b, 16);
		memcpy(fib->ipv6_dst, hop->vtep.b, 16);
	} else {
		fib->family = AF_INET;
		fib->tos = (__u8)(bpf_ntohl(hop->flow) >> 16);
		fib->ipv4_src = cfg->local4;
		memcpy(&fib->ipv4_dst, hop->vtep.b + 12, 4);
	}
	if (bpf_fib_lookup(skb, fib, sizeof(*fib), 0) || fib->ifindex != cfg->underlay_ifindex)
		return HOP_UNKNOWN;
	memcpy(hop->macs, fib->dmac, 6);
	memcpy(hop->macs + 6, fib->smac, 6);
	return HOP_KNOWN;
}

/*
 * Writes the MACs on the way to a VTEP into the packet, which has its outer IP header; 0 when they
 * are not known, for bpf_redirect_neigh() to do it.
 */
VERIFIED_ONCE int write_next_hop(struct __sk_buff *skb, const struct lm_way *way)
{
	const struct lm_config *cfg = config();
	__u64 tick = bpf_jiffies64();
	struct lm_next_hop *hop;
	const __u64 *vtep;
	__u32 index, v6;
	__u64 *known;
	__be32 flow;

	if (!cfg || !way || !cfg->seg_rx_ifindex || skb->mark ||
	    load_bytes(skb, ETH_HDR_BYTES, &flow, sizeof(flow)))
		return 0;
	v6 = way->flags & LM_WAY_F_V6;
	flow &= v6 ? bpf_htonl(0x0fffffff) : bpf_htonl(0x00ff0000);
	index = (v6 ? bpf_ntohl(flow) : way->slot) & (LM_NEXT_HOPS - 1);
	hop = bpf_map_lookup_elem(&lm_next_hops, &index);
	if (!hop)
		return 0;
	vtep = (const __u64 *)way->vtep.b;
	known = (__u64 *)hop->vtep.b;
	if (hop->tick != tick || known[0] != vtep[0] || known[1] != vtep[1] || hop->flow != flow) {
		hop->tick = tick;
		known[0] = vtep[0];
		known[1] = vtep[1];
		hop->flow = flow;
		hop->state = HOP_SEEN;
		return 0;
	}
	if (hop->state == HOP_SEEN)
		hop->state = ask_next_hop(skb, cfg, hop, v6);
	return hop->state == HOP_KNOWN && !store_bytes(skb, 0, hop->macs, sizeof(hop->macs));
}

#endif /* LEMAN_NEXT_HOP_H */
