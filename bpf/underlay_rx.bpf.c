// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Hook: tc ingress of the underlay's device. What arrives from other VTEPs:
 * for us? - outer checks - GENEVE checks - VNI known? - may this sender use it? - decapsulate - ECN
 * - FDB - deliver. Everything that is not GENEVE for this host passes untouched.
 */
#include "lib/decap.h"
#include "lib/deliver.h"
#include "lib/ecn.h"
#include "lib/geneve.h"
#include "lib/kept.h"
#include "lib/learn.h"
#include "lib/outer.h"

/* What the outer world said of a frame, kept through decapsulation. */
struct arrival {
	__u32 vni;
	__u8 tos;
	__u8 pad[3];
	int peer_ok;
	const struct lm_received *kept; /* the sender, its network, the way */
};

static __always_inline int deliver_frame(struct __sk_buff *skb, const struct arrival *a,
					 const struct frame *f, __u32 packets)
{
	const struct lm_way *way = &a->kept->way;
	const struct lm_flood *flood;

	if (!is_group_mac(f->eth.h_dest)) {
		if (a->kept->has_way)
			return way->flags & LM_WAY_F_LOCAL ? deliver(skb, way, packets, a->peer_ok)
							   : -LM_V_NOT_LOCAL;
		if (!(a->kept->sender.net.flags & LM_NET_F_FLOOD_UNKNOWN))
			return -LM_V_FDB_MISS;
	}
	/* To the ports only: a full mesh of tunnels has a split horizon. */
	flood = bpf_map_lookup_elem(&lm_flood, &a->vni);
	if (!flood)
		return -LM_V_NO_RECEIVER;
	return deliver_copies(skb, flood, 0) ? LM_CONSUMED : -LM_V_NO_RECEIVER;
}

/* Everything up to the point where the outer headers may go. */
static __always_inline int admit(struct __sk_buff *skb, const struct lm_config *cfg,
				 const struct outer *o, struct arrival *a, __u32 *inner)
{
	__u32 off = o->udp + (__u32)sizeof(struct udphdr);
	__be32 header[2] IN_WORDS;
	__u32 first, opt_bytes, critical = 0;
	int ret;

	if (off + GENEVE_BASE_BYTES > o->udp_end || load_bytes(skb, off, header, GENEVE_BASE_BYTES))
		return -LM_V_SHORT_HDR;
	first = bpf_ntohl(header[0]);
	if (GENEVE_VERSION(first) != 0)
		return -LM_V_VERSION;
	opt_bytes = GENEVE_OPT_BYTES(first);
	if (off + GENEVE_BASE_BYTES + opt_bytes > o->udp_end)
		return -LM_V_OPT_TRUNC;

	a->vni = GENEVE_VNI(bpf_ntohl(header[1]));
	*inner = off + GENEVE_BASE_BYTES + opt_bytes;
	a->kept = kept_received(skb, cfg, o, a->vni, *inner);
	if (opt_bytes) {
		ret = walk_options(skb, off + GENEVE_BASE_BYTES, opt_bytes, a->kept != NULL,
				   &critical);
		if (ret)
			return ret;
	}
	if (critical != ((first & GENEVE_F_CRITICAL) ? 1u : 0u))
		count_event(LM_E_CRITICAL_FLAG);
	if (first & GENEVE_F_OAM)
		return -LM_V_OAM;
	if (GENEVE_PROTO(first) != ETH_P_TEB)
		return -LM_V_PROTO;
	if (!a->kept)
		return bpf_map_lookup_elem(&lm_networks, &a->vni) ? -LM_V_PEER : -LM_V_VNI;
	a->tos = o->tos;
	return 0;
}

static __always_inline int from_underlay(struct __sk_buff *skb, const struct lm_config *cfg)
{
	struct arrival a = {};
	struct outer o = {};
	__u64 room_flags;
	__u32 inner = 0;
	struct frame f = {};
	int csum_level;
	__u32 packets, slot;
	int ret;

	ret = outer_parse(skb, cfg, &o);
	if (ret == NOT_GENEVE)
		return TC_ACT_OK;
	if (ret)
		return ret;
	ret = outer_checksum(skb, &o, &room_flags, &csum_level);
	if (ret)
		return ret;
	ret = admit(skb, cfg, &o, &a, &inner);
	if (ret)
		return ret;

	ret = decapsulate(skb, &o, inner, room_flags, csum_level, &a.peer_ok);
	if (ret)
		return ret;
	ret = frame_parse(skb, &f);
	if (ret)
		return ret;
	if (is_group_mac(f.eth.h_source))
		return -LM_V_SRC_MAC;
	ret = tos_decapsulate(skb, &a.kept->sender.net, &f, a.tos);
	if (ret)
		return ret;

	packets = packets_of(skb, &f);
	slot = a.kept->sender.peer.slot;
	count_rx(bpf_map_lookup_elem(&lm_peer_stats, &slot), packets, skb->len);
	slot = a.kept->sender.net.slot;
	count_rx(bpf_map_lookup_elem(&lm_net_stats, &slot), packets, skb->len);
	if (a.kept->sender.net.flags & LM_NET_F_LEARNING)
		learn(cfg, a.vni, f.eth.h_source, &o.src, &a.kept->sender.peer);
	return deliver_frame(skb, &a, &f, packets);
}

SEC("tc")
int underlay_rx(struct __sk_buff *skb)
{
	const struct lm_config *cfg = config();
	__u32 bytes = skb->len;

	if (!cfg)
		return finish(LM_HOOK_UNDERLAY, bytes, TC_ACT_OK);
	return finish(LM_HOOK_UNDERLAY, bytes, from_underlay(skb, cfg));
}

char _license[] SEC("license") = "Dual BSD/GPL";
