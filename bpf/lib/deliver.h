/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The shared tail: a frame goes to a port of this host. */
#ifndef LEMAN_DELIVER_H
#define LEMAN_DELIVER_H

#include <linux/if_packet.h>

#include "lib/reenter.h"
#include "lib/verdict.h"

/*
 * `peer_ok`: skb->protocol is that of the frame, so it may jump straight into the other end of a
 * veth; otherwise it goes through the device, which sets it anew. A TC action or -reason.
 */
static __always_inline int deliver(struct __sk_buff *skb, const struct lm_way *way, __u32 packets,
				   int peer_ok)
{
	__u32 slot = way->slot;

	count_rx(bpf_map_lookup_elem(&lm_port_stats, &slot), packets, skb->len);
	if ((way->flags & LM_WAY_F_PEER) && peer_ok) {
		/* It was for the other end all the time, not for "some other host". */
		if (skb->pkt_type != PACKET_HOST)
			bpf_skb_change_type(skb, PACKET_HOST);
		return (int)bpf_redirect_peer(way->ifindex, 0);
	}
	return (int)bpf_redirect(way->ifindex, 0);
}

struct copy_walk {
	struct __sk_buff *skb;
	const struct lm_flood *flood;
	__u32 except;
	__u32 bytes;
	__u32 copies;
};

static long copy_to_port(__u32 i, struct copy_walk *w)
{
	__u32 ifindex, slot;

	if (i >= LM_MAX_FLOOD_PORTS || i >= w->flood->n_ports)
		return 1;
	ifindex = w->flood->ports[i].ifindex;
	slot = w->flood->ports[i].slot;
	if (ifindex == w->except || bpf_clone_redirect(w->skb, ifindex, 0))
		return 0;
	count_rx(bpf_map_lookup_elem(&lm_port_stats, &slot), 1, w->bytes);
	count_event(LM_E_FLOOD_COPIES);
	w->copies++;
	return 0;
}

/* Copies to the ports of a flood list, `except` left out. Returns how many copies were made. */
VERIFIED_ONCE int deliver_copies(struct __sk_buff *skb, const struct lm_flood *flood, __u32 except)
{
	struct copy_walk w = {
		.skb = skb,
		.flood = flood,
		.except = except,
		.bytes = skb->len,
	};

	if (!flood)
		return 0;
	bpf_loop(LM_MAX_FLOOD_PORTS, copy_to_port, &w, 0);
	return (int)w.copies;
}

#endif /* LEMAN_DELIVER_H */
