/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The GENEVE header and its options, checked as strictly as RFC 8926 sections 3.4 and 3.5 ask. */
#ifndef LEMAN_GENEVE_H
#define LEMAN_GENEVE_H

#include "lib/maps.h"
#include "lib/verdict.h"

#define GENEVE_BASE_BYTES 8
/* Of the header's two words, in host order. */
#define GENEVE_VERSION(first) ((first) >> 30)
#define GENEVE_OPT_BYTES(first) ((((first) >> 24) & 0x3f) * 4)
#define GENEVE_F_OAM 0x800000
#define GENEVE_F_CRITICAL 0x400000
#define GENEVE_PROTO(first) ((first) & 0xffff)
#define GENEVE_VNI(second) ((second) >> 8)

#define OPT_CRITICAL 0x80
#define OPT_WORDS 0x1f
#define MAX_OPTIONS 63 /* header-only options in 252 bytes */

static __always_inline void count_option(const struct lm_opt_key *key, __u32 bytes)
{
	struct lm_count *count = bpf_map_lookup_elem(&lm_opt_stats, key);

	if (count) {
		count->packets += 1;
		count->bytes += bytes;
	} else {
		struct lm_count first = {.packets = 1, .bytes = bytes};

		bpf_map_update_elem(&lm_opt_stats, key, &first, BPF_ANY);
	}
}

struct option_walk {
	__u32 pos;
	__u32 end;
	__u32 counted; /* 1: the sender is known, its options count */
	__u32 critical;
	int result;
};

static long walk_option(__u32 i __attribute__((unused)), struct option_walk *w)
{
	struct lm_scratch *s = scratch();
	const struct lm_known_opt *known;
	struct lm_opt_key key = {};
	__u32 pos = w->pos;
	__u8 words;

	if (!s || pos >= w->end)
		return 1;
	pos &= 0xfc;
	key.opt_class = (__u16)((s->bytes[pos] << 8) | s->bytes[pos + 1]);
	key.type = s->bytes[pos + 2];
	words = s->bytes[pos + 3] & OPT_WORDS; /* the three R bits are ignored */
	w->pos = pos + 4 + words * 4u;
	if (w->pos > w->end) {
		w->result = -LM_V_OPT_LEN;
		return 1;
	}
	if (w->counted)
		count_option(&key, 4 + words * 4u);
	if (key.type & OPT_CRITICAL)
		w->critical = 1;
	/*
	 * One packet has one reason, however its options are ordered: an overrun before a wrong
	 * length before an unknown critical one. So the walk goes on to the end.
	 */
	known = bpf_map_lookup_elem(&lm_known_opts, &key);
	if (known) {
		if (known->words != LM_OPT_ANY_LENGTH && known->words != words)
			w->result = -LM_V_OPT_KNOWN_LEN;
	} else if ((key.type & OPT_CRITICAL) && !w->result) {
		w->result = -LM_V_OPT_CRIT;
	}
	return 0;
}

/* Walks the options at `off`, every one of them. 0 or -reason; *critical tells if any is. */
VERIFIED_ONCE int walk_options(struct __sk_buff *skb, __u32 off, __u32 bytes, __u32 counted,
			       __u32 *critical)
{
	struct lm_scratch *s = scratch();
	struct option_walk w = {
		.end = bytes,
		.counted = counted,
	};

	if (!s || !critical)
		return -LM_V_INTERNAL;
	if (load_some(skb, off, s->bytes, bytes, LM_MAX_OPTIONS_BYTES))
		return -LM_V_OPT_TRUNC;
	bpf_loop(MAX_OPTIONS, walk_option, &w, 0);
	*critical = w.critical;
	return w.result;
}

#endif /* LEMAN_GENEVE_H */
