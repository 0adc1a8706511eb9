/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Second passes. Some frames must go through the kernel once more: copies of a broadcast (each is
 * encapsulated on its own), frames that were not IP before they were encapsulated, and aggregates
 * that have to be cut into packets first. The skb's mark says so: magic, then what. Marks of
 * workloads never reach us: crossing a namespace or a TAP clears them.
 */
#ifndef LEMAN_REENTER_H
#define LEMAN_REENTER_H

#include "lib/verdict.h"

#define REENTER_COPY 0x100000 /* low bits: which VTEP of the flood list */
#define REENTER_SEND 0x200000 /* encapsulated: route it */
#define REENTER_KIND 0xf00000
#define REENTER_ARG 0x0fffff

static __always_inline int is_reentry(const struct __sk_buff *skb, const struct lm_config *cfg)
{
	return (skb->mark & 0xff000000) == cfg->magic;
}

static __always_inline int reenter(struct __sk_buff *skb, __u32 kind, __u32 arg,
				   const struct lm_config *cfg)
{
	skb->mark = cfg->magic | kind | arg;
	return (int)bpf_redirect(skb->ifindex, BPF_F_INGRESS);
}

/*
 * Out of a device that takes no aggregates: the kernel cuts them, computes their checksums, and the
 * packets come in on its other end (segmented_rx). The mark carries the VNI.
 */
static __always_inline int segment_first(struct __sk_buff *skb, const struct lm_config *cfg,
					 __u32 vni)
{
	if (!cfg->seg_ifindex || skb->ifindex == cfg->seg_rx_ifindex)
		return -LM_V_GSO;
	skb->mark = cfg->magic | (vni & 0xffffff);
	return (int)bpf_redirect(cfg->seg_ifindex, 0);
}

#endif /* LEMAN_REENTER_H */
