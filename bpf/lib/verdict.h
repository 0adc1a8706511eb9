/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The one way out of every program. Stages return a TC action (>= 0) or -LM_V_reason; finish()
 * turns that into the counter and the action. Nothing else returns TC_ACT_SHOT.
 */
#ifndef LEMAN_VERDICT_H
#define LEMAN_VERDICT_H

#include "lib/maps.h"

/* Every copy went out by itself; the frame at hand ends here, delivered. */
#define LM_CONSUMED 0x100

static __always_inline void count_event(__u32 event)
{
	__u64 *count = bpf_map_lookup_elem(&lm_events, &event);

	if (count)
		*count += 1;
}

static __always_inline int finish(__u32 hook, __u32 bytes, int result)
{
	__u32 verdict = LM_V_FORWARDED;
	struct lm_count *count;
	__u32 index;

	if (result < 0)
		verdict = (__u32)-result;
	else if (result == TC_ACT_OK)
		verdict = LM_V_PASSED;

	index = hook * LM_VERDICT_SLOTS + (verdict & (LM_VERDICT_SLOTS - 1));
	count = bpf_map_lookup_elem(&lm_verdicts, &index);
	if (count) {
		count->packets += 1;
		count->bytes += bytes;
	}
	if (result < 0 || result == LM_CONSUMED)
		return TC_ACT_SHOT;
	return result;
}

static __always_inline void count_tx(struct lm_counters *c, __u32 packets, __u32 bytes)
{
	if (c) {
		c->tx_packets += packets;
		c->tx_bytes += bytes;
	}
}

static __always_inline void count_rx(struct lm_counters *c, __u32 packets, __u32 bytes)
{
	if (c) {
		c->rx_packets += packets;
		c->rx_bytes += bytes;
	}
}

#endif /* LEMAN_VERDICT_H */
