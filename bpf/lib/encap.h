/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A tenant's frame becomes a GENEVE packet to one VTEP (RFC 8926 section 3) and leaves by the
 * underlay's own routing. IP frames, aggregates included, take bpf_skb_adjust_room(), which keeps
 * them whole; other frames get room in front by bpf_skb_change_head() and take a second pass, for
 * the kernel has to see them as IP before it can route them.
 */
#ifndef LEMAN_ENCAP_H
#define LEMAN_ENCAP_H

#include "lib/checksum.h"
#include "lib/ecn.h"
#include "lib/frame.h"
#include "lib/next_hop.h"
#include "lib/reenter.h"
#include "lib/verdict.h"

#define GENEVE_HDR_WORDS 2
#define GENEVE_CRITICAL 0x400000 /* in the first word */

struct outer4 {
	struct ip4_header ip;
	struct udphdr udp;
	__be32 geneve[GENEVE_HDR_WORDS];
};

struct outer6 {
	struct ip6_header ip;
	struct udphdr udp;
	__be32 geneve[GENEVE_HDR_WORDS];
};

/* The ports, where the packet shows them: fragments of one flow all go without. */
static __always_inline __u32 port_words(struct __sk_buff *skb, __u32 l4, __u8 proto)
{
	__u32 ports = 0;

	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP && proto != IPPROTO_SCTP)
		return 0;
	return load_bytes(skb, l4, &ports, sizeof(ports)) ? 0 : ports;
}

/*
 * One number for a flow (RFC 8926 section 3.3), the same for every packet of it: the sending
 * socket's own where there is one, else from the inner headers, from the MACs when there is no IP
 * inside. Not bpf_get_hash_recalc(): dissecting what is parsed already costs several times as much.
 */
static __always_inline __u32 flow_hash(struct __sk_buff *skb, const struct frame *f)
{
	const __u32 *mac = (const __u32 *)&f->eth;
	__u32 hash = skb->hash;
	__u32 ports = 0;
	int i;

	if (hash)
		return hash;
	if (f->proto == bpf_htons(ETH_P_IP)) {
		if (!(f->ip4.frag_off & bpf_htons(IP4_MF_OR_OFFSET)))
			ports = port_words(skb, f->l3 + (f->ip4.ver_ihl & 0xf) * 4u,
					   f->ip4.protocol);
		hash = mix(mix(mix(f->ip4.protocol, f->ip4.saddr), f->ip4.daddr), ports);
	} else if (f->proto == bpf_htons(ETH_P_IPV6)) {
		ports = port_words(skb, f->l3 + (__u32)sizeof(f->ip6), f->ip6.nexthdr);
		/* RFC 6437: the flow label tells flows apart whose ports are out of sight. */
		hash = mix(f->ip6.nexthdr, f->ip6.ver_tc_label & bpf_htonl(0xfffff));
#pragma unroll
		for (i = 0; i < 4; i++)
			hash = mix(mix(hash, f->ip6.saddr[i]), f->ip6.daddr[i]);
		hash = mix(hash, ports);
	} else {
		hash = mix(mix(mix(f->eth.h_proto, mac[0]), mac[1]), mac[2]);
	}
	return hash;
}

/* Same scaling as the kernel's udp_flow_src_port(), over the configured range. */
static __always_inline __be16 source_port(const struct lm_config *cfg, __u32 hash)
{
	hash ^= hash << 16;
	return bpf_htons((__u16)(cfg->sport_min + (((__u64)hash * cfg->sport_count) >> 32)));
}

/* The options that every packet of a network carries. */
struct options {
	const struct lm_network *network; /* NULL: none */
	__u32 bytes;
	__u32 critical;
};

static __always_inline void find_options(const struct lm_net *net, __u32 vni, struct options *o)
{
	o->network = NULL;
	o->bytes = 0;
	o->critical = 0;
	if (!(net->flags & LM_NET_F_OPTIONS))
		return;
	o->network = bpf_map_lookup_elem(&lm_networks, &vni);
	if (!o->network)
		return;
	o->bytes = o->network->options_bytes & 0xfc;
	o->critical = o->network->options_crit;
}

static __always_inline void write_geneve(__be32 *geneve, const struct options *opts, __u32 vni)
{
	__u32 first = (opts->bytes >> 2) << 24 | ETH_P_TEB;

	geneve[0] = bpf_htonl(opts->critical ? first | GENEVE_CRITICAL : first);
	geneve[1] = bpf_htonl(vni << 8);
}

#define IP6_MAX_SKIPPED 4

/* The first header that is neither hop-by-hop nor destination options; *off moves to it. */
static __always_inline __u8 skip_extensions(struct __sk_buff *skb, __u8 next, __u32 *off)
{
	struct {
		__u8 next;
		__u8 words8;
	} ext;
	__u32 i;

	for (i = 0; i < IP6_MAX_SKIPPED; i++) {
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_DSTOPTS)
			break;
		if (bpf_skb_load_bytes(skb, *off, &ext, sizeof(ext)))
			break;
		*off += (ext.words8 + 1u) * 8;
		next = ext.next;
	}
	return next;
}

/*
 * Sum over frame bytes [from, len) as they will be on the wire. A transport checksum that the
 * device is still to fill in holds the pseudo header's sum; once filled, header and payload sum up
 * to its complement (local checksum offload), so the payload need not be read. All else is summed
 * up. 0, -1 when the bytes are not there, 1 when a pending checksum may hide behind headers that
 * are not looked through.
 */
VERIFIED_ONCE int wire_sum(struct __sk_buff *skb, const struct frame *f, __u32 from, __u64 *sum)
{
	__u32 l4 = 0, field = 0, ip_end = 0;
	__u64 pseudo = 0;
	__u8 proto = 0;
	__u16 check;

	if (!f || !sum)
		return -1;
	if (f->proto == bpf_htons(ETH_P_IP)) {
		ip_end = f->l3 + bpf_ntohs(f->ip4.tot_len);
		l4 = f->l3 + (f->ip4.ver_ihl & 0xf) * 4u;
		proto = f->ip4.protocol;
		if (f->ip4.frag_off & bpf_htons(IP4_MF_OR_OFFSET))
			proto = IPPROTO_RAW; /* fragments carry finished checksums */
		pseudo = pseudo4(f->ip4.saddr, f->ip4.daddr, proto, ip_end - l4);
	} else if (f->proto == bpf_htons(ETH_P_IPV6)) {
		l4 = f->l3 + (__u32)sizeof(struct ip6_header);
		ip_end = l4 + bpf_ntohs(f->ip6.payload_len);
		proto = skip_extensions(skb, f->ip6.nexthdr, &l4);
		pseudo = pseudo6(f->ip6.saddr, f->ip6.daddr, proto, ip_end - l4);
		/* The pseudo header has the last destination, which only the routing header tells.
		 */
		if (proto == IPPROTO_ROUTING)
			return 1;
	}
	if (proto == IPPROTO_TCP)
		field = 16;
	else if (proto == IPPROTO_UDP)
		field = 6;
	else if (proto == IPPROTO_SCTP)
		return 1;

	if (field && ip_end >= skb->len && !bpf_skb_load_bytes(skb, l4 + field, &check, 2) &&
	    check && check == csum_fold(pseudo)) {
		*sum += (__u16)~csum_fold(pseudo);
		return sum_frame(skb, from, l4, sum);
	}
	return sum_frame(skb, from, skb->len, sum);
}

/* Sum over the tags that stand between the MACs and the EtherType on the wire. */
static __always_inline __u64 tags_sum(const struct frame *f)
{
	__u64 sum = 0;

	if (f->n_tags >= 1)
		sum += (__u64)f->tags[0].tpid + f->tags[0].tci;
	if (f->n_tags == 2)
		sum += (__u64)f->tags[1].tpid + f->tags[1].tci;
	return sum;
}

static __always_inline __u64 options_sum(const struct options *opts)
{
	__u32 n = opts->bytes;
	__s64 sum;

	if (!opts->network || !n || n > LM_MAX_OPTIONS_BYTES)
		return 0;
	sum = bpf_csum_diff(NULL, 0, (__be32 *)opts->network->options, n, 0);
	return (__u64)sum & 0xffffffff;
}

/* Inner Ethernet header and tags, as they go behind the GENEVE header. */
static __always_inline int store_inner_eth(struct __sk_buff *skb, __u32 off, const struct frame *f)
{
	__be16 type;

	if (!f->n_tags)
		return store_bytes(skb, off, &f->eth, ETH_HDR_BYTES);
	if (store_bytes(skb, off, &f->eth, 12))
		return -1;
	off += 12;
	if (f->n_tags >= 1) {
		if (store_bytes(skb, off, &f->tags[0], VLAN_HDR_BYTES))
			return -1;
		off += VLAN_HDR_BYTES;
	}
	if (f->n_tags == 2) {
		if (store_bytes(skb, off, &f->tags[1], VLAN_HDR_BYTES))
			return -1;
		off += VLAN_HDR_BYTES;
	}
	type = f->proto;
	return store_bytes(skb, off, &type, 2);
}

/* Makes the room, with an outer Ethernet header before it. 0 or -reason. */
static __always_inline int make_room(struct __sk_buff *skb, __u32 outer_bytes, __u32 l2_bytes,
				     int v6, int in_front)
{
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET |
		      BPF_F_ADJ_ROOM_ENCAP_L4_UDP | BPF_F_ADJ_ROOM_ENCAP_L2_ETH |
		      BPF_F_ADJ_ROOM_ENCAP_L2((__u64)l2_bytes);
	/* The neighbour layer writes the MACs; it refuses frames that still have a group address.
	 */
	struct ethhdr eth IN_WORDS = {
		.h_proto = v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP),
	};

	if (in_front) {
		/* An aggregate would be cut as if the outer UDP were all there is. */
		if (skb->gso_size)
			return -LM_V_GSO;
		if (bpf_skb_change_head(skb, outer_bytes + l2_bytes, 0))
			return -LM_V_ENCAP;
	} else {
		flags |= v6 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV4;
		if (bpf_skb_adjust_room(skb, (__s32)(outer_bytes + l2_bytes), BPF_ADJ_ROOM_MAC,
					flags))
			return -LM_V_ENCAP;
	}
	return store_bytes(skb, 0, &eth, ETH_HDR_BYTES) ? -LM_V_ENCAP : 0;
}

static __always_inline int write_outer4(struct __sk_buff *skb, const struct lm_config *cfg,
					const struct options *opts, __u32 vni,
					const struct lm_way *way, __u32 hash, __u8 tos, __u32 bytes,
					__u64 payload_sum)
{
	const __u32 *vtep = (const __u32 *)way->vtep.b;
	struct outer4 o IN_WORDS = {};

	/* An aggregate may be larger than the field; segmentation writes the real lengths. */
	__u16 ip_bytes = (__u16)(bytes > 0xffff ? 0xffff : bytes);
	__u16 udp_bytes = (__u16)(ip_bytes - sizeof(o.ip));

	o.ip.ver_ihl = 0x45;
	o.ip.tos = tos;
	o.ip.tot_len = bpf_htons(ip_bytes);
	o.ip.frag_off = bpf_htons(IP4_DF); /* id 0 is fine with DF: RFC 6864 section 4.1 */
	o.ip.ttl = cfg->ttl;
	o.ip.protocol = IPPROTO_UDP;
	o.ip.saddr = cfg->local4;
	o.ip.daddr = vtep[3];
	o.ip.check = (__u16)~csum_fold(sum_words(&o.ip, sizeof(o.ip)));
	o.udp.source = source_port(cfg, hash);
	o.udp.dest = cfg->udp_port;
	o.udp.len = bpf_htons(udp_bytes);
	write_geneve(o.geneve, opts, vni);
	if (way->flags & LM_WAY_F_CSUM)
		o.udp.check =
			udp_csum_field(payload_sum + sum_words(&o.udp, 16) +
				       pseudo4(o.ip.saddr, o.ip.daddr, IPPROTO_UDP, udp_bytes));
	return store_bytes(skb, ETH_HDR_BYTES, &o, sizeof(o)) ? -LM_V_ENCAP : 0;
}

static __always_inline int write_outer6(struct __sk_buff *skb, const struct lm_config *cfg,
					const struct options *opts, __u32 vni,
					const struct lm_way *way, __u32 hash, __u8 tos, __u32 bytes,
					__u64 payload_sum)
{
	struct outer6 o IN_WORDS = {};
	__u32 payload = bytes - (__u32)sizeof(o.ip);
	__u16 udp_bytes = (__u16)(payload > 0xffff ? 0xffff : payload);

	/* The flow label carries the flow too: RFC 6438 section 3. */
	o.ip.ver_tc_label = bpf_htonl(0x60000000 | ((__u32)tos << 20) | (hash & 0xfffff));
	o.ip.payload_len = bpf_htons(udp_bytes);
	o.ip.nexthdr = IPPROTO_UDP;
	o.ip.hop_limit = cfg->ttl;
	memcpy(o.ip.saddr, cfg->local6.b, 16);
	memcpy(o.ip.daddr, way->vtep.b, 16);
	o.udp.source = source_port(cfg, hash);
	o.udp.dest = cfg->udp_port;
	o.udp.len = bpf_htons(udp_bytes);
	write_geneve(o.geneve, opts, vni);
	if (way->flags & LM_WAY_F_CSUM)
		o.udp.check =
			udp_csum_field(payload_sum + sum_words(&o.udp, 16) +
				       pseudo6(o.ip.saddr, o.ip.daddr, IPPROTO_UDP, udp_bytes));
	return store_bytes(skb, ETH_HDR_BYTES, &o, sizeof(o)) ? -LM_V_ENCAP : 0;
}

/* Encapsulates to one VTEP and sends. A TC action or -reason; the frame is spent either way. */
VERIFIED_ONCE int encapsulate(struct __sk_buff *skb, const struct lm_net *net, __u32 vni,
			      const struct lm_way *way, struct frame *f)
{
	__u32 inner_bytes = skb->len + (skb->vlan_present ? VLAN_HDR_BYTES : 0);
	const struct lm_config *cfg = config();
	__u32 outer_bytes, l2_bytes, ip_bytes;
	__u64 payload_sum = 0;
	struct options opts;
	__u32 hash, packets, slot;
	int v6, in_front;
	__u8 tos;
	int ret;

	if (!cfg || !net || !way || !f)
		return -LM_V_INTERNAL;
	v6 = way->flags & LM_WAY_F_V6;
	find_options(net, vni, &opts);
	in_front = !frame_is_ip(f);
	hash = flow_hash(skb, f);
	packets = packets_of(skb, f);
	slot = way->slot;
	/*
	 * Datagrams that a program sent as one (UDP_SEGMENT) do not survive decapsulation: the
	 * receiving kernel still takes them for a tunnel's and drops them when it cuts.
	 */
	if (skb->gso_size && (in_front || (way->flags & LM_WAY_F_CSUM) || frame_is_udp(f)))
		return segment_first(skb, cfg, vni);

	ret = frame_strip_tags(skb, f);
	if (ret)
		return ret;

	tos = outer_tos(net, frame_tos(f), way->flags);
	l2_bytes = ETH_HDR_BYTES + VLAN_HDR_BYTES * f->n_tags;
	outer_bytes =
		(v6 ? (__u32)sizeof(struct outer6) : (__u32)sizeof(struct outer4)) + opts.bytes;
	ip_bytes = outer_bytes + inner_bytes;

	if (way->flags & LM_WAY_F_CSUM) {
		ret = wire_sum(skb, f, 0, &payload_sum);
		if (ret > 0 && skb->ifindex == cfg->seg_rx_ifindex)
			ret = sum_frame(skb, 0, skb->len, &payload_sum);
		if (ret > 0)
			return f->n_tags ? -LM_V_GSO : segment_first(skb, cfg, vni);
		if (ret < 0)
			return -LM_V_ENCAP;
		payload_sum += tags_sum(f) + options_sum(&opts);
	}

	ret = make_room(skb, outer_bytes, l2_bytes, v6, in_front);
	if (ret && !in_front) {
		/*
		 * The frame came out of a tunnel before and its skb still says so: an aggregate is
		 * cut first, anything else gets its room in front.
		 */
		if (skb->gso_size)
			return f->n_tags ? -LM_V_GSO : segment_first(skb, cfg, vni);
		in_front = 1;
		ret = make_room(skb, outer_bytes, l2_bytes, v6, in_front);
	}
	if (ret)
		return ret;

	if (v6)
		ret = write_outer6(skb, cfg, &opts, vni, way, hash, tos, ip_bytes, payload_sum);
	else
		ret = write_outer4(skb, cfg, &opts, vni, way, hash, tos, ip_bytes, payload_sum);
	if (ret)
		return ret;
	if (opts.network && opts.bytes &&
	    store_some(skb, ETH_HDR_BYTES + outer_bytes - opts.bytes, opts.network->options,
		       opts.bytes, LM_MAX_OPTIONS_BYTES))
		return -LM_V_ENCAP;
	/* In front, the frame's own Ethernet header follows already, unless tags go into it. */
	if (store_inner_eth(skb, ETH_HDR_BYTES + outer_bytes, f))
		return -LM_V_ENCAP;

	if (skb->gso_size)
		count_event(LM_E_GSO_OUT);
	count_tx(bpf_map_lookup_elem(&lm_peer_stats, &slot), packets, inner_bytes);
	if (in_front)
		return reenter(skb, REENTER_SEND, 0, cfg);
	if (write_next_hop(skb, way))
		return (int)bpf_redirect(cfg->underlay_ifindex, 0);
	return (int)bpf_redirect_neigh(cfg->underlay_ifindex, NULL, 0, 0);
}

#endif /* LEMAN_ENCAP_H */
