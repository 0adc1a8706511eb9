/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Internet checksums (RFC 1071) over headers on the stack and over whole frames. */
#ifndef LEMAN_CHECKSUM_H
#define LEMAN_CHECKSUM_H

#include "lib/maps.h"

static __always_inline __u16 csum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

/* The value that belongs in a UDP checksum field: computed 0 is sent as FFFF (RFC 768). */
static __always_inline __u16 udp_csum_field(__u64 sum)
{
	__u16 field = (__u16)~csum_fold(sum);

	return field ? field : 0xffff;
}

/* Sum over `bytes` (a constant) of whole words of memory, as they lie. */
static __always_inline __u64 sum_words(const void *p, const __u32 bytes)
{
	const __u32 *w = p;
	__u64 sum = 0;
	__u32 i;
#pragma unroll
	for (i = 0; i < bytes / 4; i++)
		sum += w[i];
	return sum;
}

/* Pseudo header of IPv4 (RFC 768) and IPv6 (RFC 8200 section 8.1); `l4_bytes` in host order. */
static __always_inline __u64 pseudo4(__be32 saddr, __be32 daddr, __u8 proto, __u32 l4_bytes)
{
	return (__u64)saddr + daddr + bpf_htons(proto) + bpf_htons((__u16)l4_bytes) +
	       bpf_htons((__u16)(l4_bytes >> 16));
}

static __always_inline __u64 pseudo6(const void *saddr, const void *daddr, __u8 proto,
				     __u32 l4_bytes)
{
	return sum_words(saddr, 16) + sum_words(daddr, 16) + bpf_htons(proto) +
	       bpf_htons((__u16)l4_bytes) + bpf_htons((__u16)(l4_bytes >> 16));
}

struct sum_walk {
	struct __sk_buff *skb;
	__u32 off;
	__u32 end;
	__u32 failed;
	__u64 sum;
};

#define SUM_CHUNK 512 /* bpf_csum_diff() takes no more at once */

static long sum_chunk(__u32 i __attribute__((unused)), struct sum_walk *w)
{
	struct lm_scratch *s = scratch();
	__u32 n = w->end - w->off;
	__s64 sum;

	if (!s || w->off >= w->end)
		return 1;
	if (n >= SUM_CHUNK)
		n = SUM_CHUNK;
	else
		memset(s->bytes, 0, SUM_CHUNK); /* zeros behind the end count for nothing */
	if (load_some(w->skb, w->off, s->bytes, n, SUM_CHUNK)) {
		w->failed = 1;
		return 1;
	}
	sum = bpf_csum_diff(NULL, 0, (__be32 *)s->bytes, SUM_CHUNK, 0);
	if (sum < 0) {
		w->failed = 1;
		return 1;
	}
	w->sum += (__u64)sum & 0xffffffff;
	w->off += n;
	return 0;
}

/* Adds the sum of frame bytes [off, end) to *sum; `off` is even. 0, or -1 if they are not there. */
VERIFIED_ONCE int sum_frame(struct __sk_buff *skb, __u32 off, __u32 end, __u64 *sum)
{
	struct sum_walk w = {
		.skb = skb,
		.off = off,
		.end = end,
	};

	/* 64 KiB and a bit: the largest frame there is. */
	bpf_loop(130, sum_chunk, &w, 0);
	if (w.failed || w.off < w.end || !sum)
		return -1;
	*sum += w.sum;
	return 0;
}

#endif /* LEMAN_CHECKSUM_H */
