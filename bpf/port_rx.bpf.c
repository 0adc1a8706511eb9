// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Hook: tc ingress of a port's device. What a workload sends:
 * who is this port - port security - ARP/ND answered - FDB - deliver locally, encapsulate,
 * replicate.
 */
#include "lib/encap.h"
#include "lib/deliver.h"
#include "lib/flood.h"
#include "lib/kept.h"
#include "lib/neighbour.h"
#include "lib/port_security.h"
#include "lib/too_big.h"

static __always_inline int is_link_control(const __u8 *mac)
{
	return mac[0] == 0x01 && mac[1] == 0x80 && mac[2] == 0xc2 && mac[3] == 0 && mac[4] == 0 &&
	       (mac[5] & 0xf0) == 0;
}

static __always_inline const struct lm_way *find_learned(__u32 vni, const struct lm_net *net,
							 const struct frame *f)
{
	struct lm_mac_key key = receiver_key(f, vni);
	const struct lm_learned *learned;

	if (!(net->flags & LM_NET_F_LEARNING))
		return NULL;
	learned = bpf_map_lookup_elem(&lm_learned, &key);
	return learned ? &learned->way : NULL;
}

static __always_inline int send_to(struct __sk_buff *skb, const struct lm_net *net, __u32 vni,
				   const struct lm_way *way, struct frame *f)
{
	if (way->flags & LM_WAY_F_LOCAL) {
		if (way->ifindex == skb->ifindex)
			return -LM_V_HAIRPIN;
		return deliver(skb, way, packets_of(skb, f), 1);
	}
	if (largest_packet_bytes(skb, f) > net->mtu)
		return answer_too_big(skb, net, f);
	return encapsulate(skb, net, vni, way, f);
}

static __always_inline int forward_frame(struct __sk_buff *skb, const struct lm_config *cfg,
					 const struct lm_sent *kept, struct frame *f)
{
	const struct lm_net *net = &kept->port.net;
	__u32 vni = kept->port.vni;
	const struct lm_way *way;

	if (is_group_mac(f->eth.h_dest)) {
		if (is_link_control(f->eth.h_dest) && !(net->flags & LM_NET_F_LINK_CONTROL))
			return -LM_V_LINK_CONTROL;
	} else {
		way = kept->has_way ? &kept->way : find_learned(vni, net, f);
		if (way)
			return send_to(skb, net, vni, way, f);
		if (!(net->flags & LM_NET_F_FLOOD_UNKNOWN))
			return -LM_V_FDB_MISS;
	}
	if (largest_packet_bytes(skb, f) > net->mtu)
		return -LM_V_TOO_BIG;
	return flood_from_port(skb, cfg, net, vni, f);
}

static __always_inline int from_port(struct __sk_buff *skb, const struct lm_config *cfg,
				     const struct lm_sent *kept)
{
	const struct lm_port *port = &kept->port;
	const struct lm_net *net = &port->net;
	__u32 bytes = skb->len;
	struct frame f = {};
	__u32 packets, slot;
	int ret;

	ret = frame_parse(skb, &f);
	if (ret)
		return ret;
	if (is_group_mac(f.eth.h_source))
		return -LM_V_SRC_MAC;
	ret = port_security(skb, port, &f);
	if (ret)
		return ret;

	packets = packets_of(skb, &f);
	slot = port->slot;
	count_tx(bpf_map_lookup_elem(&lm_port_stats, &slot), packets, bytes);
	slot = net->slot;
	count_tx(bpf_map_lookup_elem(&lm_net_stats, &slot), packets, bytes);

	if (may_ask(&f)) {
		ret = answer_neighbour(skb, port, &f);
		if (ret != NOT_ANSWERED)
			return ret;
	}
	return forward_frame(skb, cfg, kept, &f);
}

/* A copy of a broadcast, for one VTEP of the list. */
static __always_inline int copy_to_vtep(struct __sk_buff *skb, const struct lm_port *port,
					__u32 index)
{
	struct lm_flood *flood = bpf_map_lookup_elem(&lm_flood, &port->vni);
	struct frame f = {};
	int ret;

	if (!flood)
		return -LM_V_INTERNAL;
	if (index >= LM_MAX_FLOOD_VTEPS || index >= flood->n_vteps)
		return -LM_V_NO_RECEIVER; /* the list has changed since */
	ret = frame_parse(skb, &f);
	if (ret)
		return ret;
	return encapsulate(skb, &port->net, port->vni, &flood->vteps[index], &f);
}

/* A packet of an aggregate that was cut on its way to a VTEP. */
static __always_inline int segmented_rx(struct __sk_buff *skb, __u32 vni)
{
	const struct lm_network *network = bpf_map_lookup_elem(&lm_networks, &vni);
	const struct lm_way *way;
	struct lm_mac_key key;
	struct frame f = {};
	int ret;

	if (!network)
		return -LM_V_VNI;
	ret = frame_parse(skb, &f);
	if (ret)
		return ret;
	key = receiver_key(&f, vni);
	way = bpf_map_lookup_elem(&lm_fdb, &key);
	if (!way)
		way = find_learned(vni, &network->net, &f);
	if (!way)
		return -LM_V_FDB_MISS;
	if (way->flags & LM_WAY_F_LOCAL)
		return deliver(skb, way, packets_of(skb, &f), 1);
	return encapsulate(skb, &network->net, vni, way, &f);
}

static __always_inline int second_pass(struct __sk_buff *skb, const struct lm_config *cfg)
{
	__u32 arg = skb->mark & REENTER_ARG;
	__u32 kind = skb->mark & REENTER_KIND;
	__u32 ifindex = skb->ifindex;
	struct lm_port *port;

	count_event(LM_E_REENTERED);
	if (ifindex == cfg->seg_rx_ifindex) {
		__u32 vni = skb->mark & 0xffffff;

		skb->mark = 0;
		return segmented_rx(skb, vni);
	}
	skb->mark = 0;
	if (kind == REENTER_SEND)
		return (int)bpf_redirect_neigh(cfg->underlay_ifindex, NULL, 0, 0);
	port = bpf_map_lookup_elem(&lm_ports, &ifindex);
	if (kind != REENTER_COPY || !port)
		return -LM_V_INTERNAL;
	return copy_to_vtep(skb, port, arg);
}

SEC("tc")
int port_rx(struct __sk_buff *skb)
{
	const struct lm_config *cfg = config();
	const struct lm_sent *kept;
	__u32 bytes = skb->len;
	struct lm_counters *c;
	__u32 slot;
	int ret;

	if (!cfg)
		return finish(LM_HOOK_PORT, bytes, -LM_V_INTERNAL);
	if (is_reentry(skb, cfg))
		return finish(LM_HOOK_PORT, bytes, second_pass(skb, cfg));
	kept = kept_sent(skb, cfg);
	if (!kept)
		return finish(LM_HOOK_PORT, bytes, -LM_V_NO_PORT);
	ret = from_port(skb, cfg, kept);
	if (ret < 0) {
		slot = kept->port.slot;
		c = bpf_map_lookup_elem(&lm_port_stats, &slot);
		if (c)
			c->dropped_packets += 1;
	}
	return finish(LM_HOOK_PORT, bytes, ret);
}

char _license[] SEC("license") = "Dual BSD/GPL";
