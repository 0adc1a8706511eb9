/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What was looked up for a packet, kept for those behind it: one look into an array of this CPU's
 * instead of two into hash tables.
 *
 * Only of the same generation: the agent counts up whenever it has written, so a change acts at
 * once. And only within the same tick of the clock: a change whose writer died before it counted
 * acts then. Learned MACs are not kept, the kernel writes those itself.
 */
#ifndef LEMAN_KEPT_H
#define LEMAN_KEPT_H

#include "lib/frame.h"
#include "lib/maps.h"
#include "lib/outer.h"

#define MAC_BITS 0xffffffffffffULL

/* The MAC that a frame at `off` is for, as a number; one of no frame where there are not as many
 * bytes.
 */
static __always_inline __u64 receiver_of(struct __sk_buff *skb, __u32 off)
{
	__u64 bytes;

	return load_bytes(skb, off, &bytes, sizeof(bytes)) ? ~0ULL : bytes & MAC_BITS;
}

/* Read before what it is the generation of: what is written meanwhile makes the entry an old one.
 */
static __always_inline __u32 generation(const struct lm_config *cfg)
{
	return *(const volatile __u32 *)&cfg->generation;
}

static __always_inline __u32 kept_index(__u64 mac, __u32 other)
{
	return mix((__u32)(mac >> 16), other) & (LM_KEPT - 1);
}

static __always_inline int keep_way(struct lm_way *to, __u32 vni, __u64 mac)
{
	struct lm_mac_key key = {.vni = vni};
	const struct lm_way *way;

	memcpy(key.mac, &mac, 6);
	way = bpf_map_lookup_elem(&lm_fdb, &key);
	if (!way)
		return 0;
	*to = *way;
	return 1;
}

/* Of a frame that a port sends; NULL: the device has no port. */
static __always_inline const struct lm_sent *kept_sent(struct __sk_buff *skb,
						       const struct lm_config *cfg)
{
	__u64 mac = receiver_of(skb, 0);
	__u32 ifindex = skb->ifindex;
	__u32 index = kept_index(mac, ifindex);
	struct lm_sent *kept = bpf_map_lookup_elem(&lm_sent, &index);
	__u32 now = generation(cfg);
	__u64 tick = bpf_jiffies64();
	const struct lm_port *port;

	if (!kept)
		return NULL;
	if (kept->tick == tick && kept->mac == mac && kept->ifindex == ifindex &&
	    kept->generation == now)
		return kept;
	port = bpf_map_lookup_elem(&lm_ports, &ifindex);
	if (!port)
		return NULL;
	kept->tick = tick;
	kept->mac = mac;
	kept->ifindex = ifindex;
	kept->generation = now;
	kept->port = *port;
	kept->has_way = keep_way(&kept->way, port->vni, mac);
	return kept;
}

/* Of a packet from a VTEP with a frame at `inner`; NULL: it may not send into the network. */
static __always_inline const struct lm_received *kept_received(struct __sk_buff *skb,
							       const struct lm_config *cfg,
							       const struct outer *o, __u32 vni,
							       __u32 inner)
{
	const __u64 *addr = (const __u64 *)o->src.b;
	__u64 mac = receiver_of(skb, inner);
	__u32 index = kept_index(mac, vni ^ (__u32)addr[1] ^ (__u32)(addr[1] >> 32));
	struct lm_received *kept = bpf_map_lookup_elem(&lm_received, &index);
	struct lm_vtep_key key = {.vni = vni, .addr = o->src};
	__u32 now = generation(cfg);
	__u64 tick = bpf_jiffies64();
	const struct lm_sender *sender;

	if (!kept)
		return NULL;
	if (kept->tick == tick && kept->mac == mac && kept->addr[0] == addr[0] &&
	    kept->addr[1] == addr[1] && kept->vni == vni && kept->generation == now)
		return kept;
	sender = bpf_map_lookup_elem(&lm_vteps, &key);
	if (!sender)
		return NULL;
	kept->tick = tick;
	kept->mac = mac;
	kept->addr[0] = addr[0];
	kept->addr[1] = addr[1];
	kept->vni = vni;
	kept->generation = now;
	kept->sender = *sender;
	kept->has_way = keep_way(&kept->way, vni, mac);
	return kept;
}

#endif /* LEMAN_KEPT_H */
