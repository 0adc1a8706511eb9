/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* MAC learning from the wire, for VTEPs that no control plane speaks for. */
#ifndef LEMAN_LEARN_H
#define LEMAN_LEARN_H

#include "lib/maps.h"
#include "lib/verdict.h"

#define LEARN_REFRESH_NS 1000000000ull

static __always_inline int same_addr(const struct lm_addr *a, const struct lm_addr *b)
{
	const __u32 *x = (const __u32 *)a->b, *y = (const __u32 *)b->b;

	return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3])) == 0;
}

/* Room for one more in the network? Counts it if so. */
static __always_inline int take_place(const struct lm_config *cfg, __u32 vni)
{
	__u64 *count = bpf_map_lookup_elem(&lm_learn_count, &vni);
	__u64 one = 1;

	if (!count)
		return !bpf_map_update_elem(&lm_learn_count, &vni, &one, BPF_NOEXIST);
	if (*count >= cfg->learn_limit)
		return 0;
	__sync_fetch_and_add(count, 1);
	return 1;
}

/* Only from packets that passed every check. What is configured is never overridden. */
static __always_inline void learn(const struct lm_config *cfg, __u32 vni, const __u8 *mac,
				  const struct lm_addr *vtep, const struct lm_peer *peer)
{
	struct lm_mac_key key = {.vni = vni};
	struct lm_learned entry = {};
	struct lm_learned *known;
	__u64 now;

	memcpy(key.mac, mac, 6);
	if (bpf_map_lookup_elem(&lm_fdb, &key))
		return;
	now = bpf_ktime_get_ns();
	known = bpf_map_lookup_elem(&lm_learned, &key);
	if (known && same_addr(&known->way.vtep, vtep) && known->way.flags == peer->flags) {
		if (now - known->seen_ns > LEARN_REFRESH_NS)
			known->seen_ns = now;
		return;
	}
	if (!known && !take_place(cfg, vni)) {
		count_event(LM_E_LEARN_LIMIT);
		return;
	}
	entry.way.vtep = *vtep;
	entry.way.slot = peer->slot;
	entry.way.flags = peer->flags;
	entry.seen_ns = now;
	if (!bpf_map_update_elem(&lm_learned, &key, &entry, BPF_ANY))
		count_event(LM_E_LEARNED);
	else
		count_event(LM_E_LEARN_LIMIT);
}

#endif /* LEMAN_LEARN_H */
