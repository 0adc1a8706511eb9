/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Broadcast, unknown unicast and multicast from a port: head-end replication (RFC 8926
 * section 4.4.3). */
#ifndef LEMAN_FLOOD_H
#define LEMAN_FLOOD_H

#include "lib/deliver.h"
#include "lib/encap.h"

/*
 * Every other port of the network gets a copy, and every VTEP: all but the last as a second pass of
 * its own through this program, the last with the frame itself. A TC action or -reason.
 */
static __always_inline int flood_from_port(struct __sk_buff *skb, const struct lm_config *cfg,
					   const struct lm_net *net, __u32 vni, struct frame *f)
{
	struct lm_flood *flood = bpf_map_lookup_elem(&lm_flood, &vni);
	__u32 copies, last, i;

	if (!flood)
		return -LM_V_NO_RECEIVER;
	if (flood->truncated)
		count_event(LM_E_FLOOD_TRUNCATED);
	copies = (__u32)deliver_copies(skb, flood, skb->ifindex);

	last = flood->n_vteps;
	if (!last)
		return copies ? LM_CONSUMED : -LM_V_NO_RECEIVER;
	last -= 1;
	if (last >= LM_MAX_FLOOD_VTEPS)
		return -LM_V_INTERNAL;
	for (i = 0; i < LM_MAX_FLOOD_VTEPS - 1; i++) {
		if (i >= last)
			break;
		skb->mark = cfg->magic | REENTER_COPY | i;
		if (!bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS))
			count_event(LM_E_FLOOD_COPIES);
	}
	skb->mark = 0;
	count_event(LM_E_FLOOD_COPIES);
	return encapsulate(skb, net, vni, &flood->vteps[last], f);
}

#endif /* LEMAN_FLOOD_H */
