/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What every program needs of the kernel's UAPI, and nothing of Leman. */
#ifndef LEMAN_KERNEL_H
#define LEMAN_KERNEL_H

#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* linux/icmp.h, icmpv6.h and if_arp.h draw in the C library, which has no BPF flavour. */
#define ARPHRD_ETHER 1
#define ARPOP_REQUEST 1
#define ARPOP_REPLY 2
#define ICMP_ECHOREPLY 0
#define ICMP_DEST_UNREACH 3
#define ICMP_ECHO 8
#define ICMP_TIMESTAMP 13
#define ICMP_TIMESTAMPREPLY 14
#define ICMP_FRAG_NEEDED 4
#define ICMPV6_PKT_TOOBIG 2
#define ICMPV6_INFOMSG_MASK 0x80

#define ETH_HDR_BYTES 14
#define VLAN_HDR_BYTES 4

#define IP4_DF 0x4000
#define IP4_MF_OR_OFFSET 0x3fff

/*
 * A function the verifier checks once, by itself, instead of at each call: what keeps the programs
 * within its budget. Arguments are the context, scalars and pointers to whole structs; not static.
 */
#define VERIFIED_ONCE __attribute__((noinline))

#ifndef barrier_var
#define barrier_var(var) asm volatile("" : "+r"(var))
#endif

#define memcpy __builtin_memcpy
#define memset __builtin_memset

/* Of what is copied from or into a frame: whole words go, whatever the type's own alignment. */
#define IN_WORDS __attribute__((aligned(8)))

/* Offsets that are tried without a helper; headers end far below, the verifier wants a bound. */
#define DIRECT_OFF_MAX 0x7ff

/*
 * Reads and writes `bytes` (a constant) of a frame. Straight in memory where the bytes are in the
 * skb's linear part, which saves most of what the helper costs; else by the helper, which also
 * refuses what is not there. Packet bytes have no alignment; every machine that BPF runs on without
 * strict alignment reads them in words all the same.
 */
static __always_inline int load_bytes(struct __sk_buff *skb, __u32 off, void *to, const __u32 bytes)
{
	const __u8 *end = (const __u8 *)(long)skb->data_end;
	const __u8 *from = (const __u8 *)(long)skb->data;

	/* Or the bound is checked in one register and another one is added. */
	if (!__builtin_constant_p(off))
		barrier_var(off);
	if (off <= DIRECT_OFF_MAX) {
		from += off;
		if (from + bytes <= end) {
			memcpy(to, __builtin_assume_aligned(from, 8), bytes);
			return 0;
		}
	}
	return (int)bpf_skb_load_bytes(skb, off, to, bytes);
}

static __always_inline int store_bytes(struct __sk_buff *skb, __u32 off, const void *from,
				       const __u32 bytes)
{
	const __u8 *end = (const __u8 *)(long)skb->data_end;
	__u8 *to = (__u8 *)(long)skb->data;

	if (!__builtin_constant_p(off))
		barrier_var(off);
	if (off <= DIRECT_OFF_MAX) {
		to += off;
		if (to + bytes <= end) {
			memcpy(__builtin_assume_aligned(to, 8), from, bytes);
			return 0;
		}
	}
	return (int)bpf_skb_store_bytes(skb, off, from, bytes, 0);
}

/*
 * Copies of a size known only at run time, 1..max with max a constant. The size goes through "less
 * one" because Linux 6.1 does not learn from a comparison with zero that it is at least one. Any
 * other size fails.
 */
static __always_inline int load_some(struct __sk_buff *skb, __u32 off, void *to, __u32 bytes,
				     __u32 max)
{
	__u32 less1 = bytes - 1;

	barrier_var(less1);
	if (less1 >= max)
		return -1;
	return (int)bpf_skb_load_bytes(skb, off, to, less1 + 1);
}

static __always_inline int store_some(struct __sk_buff *skb, __u32 off, const void *from,
				      __u32 bytes, __u32 max)
{
	__u32 less1 = bytes - 1;

	barrier_var(less1);
	if (less1 >= max)
		return -1;
	return (int)bpf_skb_store_bytes(skb, off, from, less1 + 1, 0);
}

/* One word more in a hash; the last step spreads what the words left in the low bits. */
static __always_inline __u32 mix(__u32 hash, __u32 word)
{
	hash = (hash ^ word) * 0x9e3779b1;
	return hash ^ (hash >> 15);
}

struct vlan_tag {
	__be16 tpid;
	__be16 tci;
};

static __always_inline int is_vlan(__be16 proto)
{
	return proto == bpf_htons(ETH_P_8021Q) || proto == bpf_htons(ETH_P_8021AD);
}

static __always_inline int is_group_mac(const __u8 *mac)
{
	return mac[0] & 1;
}

static __always_inline int same_mac(const __u8 *a, const __u8 *b)
{
	return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]) | (a[4] ^ b[4]) |
		 (a[5] ^ b[5]));
}

#endif /* LEMAN_KERNEL_H */
