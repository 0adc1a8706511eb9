/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* ARP (RFC 826) and IPv6 neighbour solicitation (RFC 4861) answered from known addresses. */
#ifndef LEMAN_NEIGHBOUR_H
#define LEMAN_NEIGHBOUR_H

#include "lib/checksum.h"
#include "lib/port_security.h"

#define NOT_ANSWERED 0x200 /* not a question, or nobody knows: treat it as any frame */

static __always_inline const struct lm_neigh *find_neighbour(__u32 vni, const struct lm_addr *addr,
							     const struct lm_port *port)
{
	struct lm_neigh_key key = {.vni = vni, .addr = *addr};
	const struct lm_neigh *n = bpf_map_lookup_elem(&lm_neigh, &key);

	/* A port that asks for its own address looks for duplicates: it must hear nothing of
	 * itself. */
	if (n && same_mac(n->mac, port->mac))
		return NULL;
	return n;
}

static __always_inline int answer_arp(struct __sk_buff *skb, const struct lm_port *port,
				      const struct frame *f)
{
	struct {
		struct ethhdr eth;
		struct arp_packet arp;
	} reply;
	const struct lm_neigh *n;
	struct arp_packet arp;
	struct lm_addr addr;
	__be32 tpa;

	if (bpf_skb_load_bytes(skb, f->l3, &arp, sizeof(arp)))
		return NOT_ANSWERED;
	if (arp.op != bpf_htons(ARPOP_REQUEST) || arp.hrd != bpf_htons(ARPHRD_ETHER) ||
	    arp.pro != bpf_htons(ETH_P_IP) || arp.hln != 6 || arp.pln != 4)
		return NOT_ANSWERED;
	memcpy(&tpa, arp.tpa, 4);
	addr_from_v4(&addr, tpa);
	n = find_neighbour(port->vni, &addr, port);
	if (!n)
		return NOT_ANSWERED;

	memcpy(reply.eth.h_dest, arp.sha, 6);
	memcpy(reply.eth.h_source, n->mac, 6);
	reply.eth.h_proto = bpf_htons(ETH_P_ARP);
	reply.arp = arp;
	reply.arp.op = bpf_htons(ARPOP_REPLY);
	memcpy(reply.arp.sha, n->mac, 6);
	memcpy(reply.arp.spa, arp.tpa, 4);
	memcpy(reply.arp.tha, arp.sha, 6);
	memcpy(reply.arp.tpa, arp.spa, 4);
	if (bpf_skb_store_bytes(skb, 0, &reply, ETH_HDR_BYTES + sizeof(arp), 0))
		return -LM_V_INTERNAL;
	count_event(LM_E_ARP_ANSWERED);
	return (int)bpf_redirect(skb->ifindex, 0);
}

#define ND_REPLY_BYTES (sizeof(struct nd_packet) + sizeof(struct nd_option))
#define NA_SOLICITED 0x40000000
#define NA_OVERRIDE 0x20000000

static __always_inline int answer_nd(struct __sk_buff *skb, const struct lm_port *port,
				     const struct frame *f)
{
	struct {
		struct nd_packet nd;
		struct nd_option opt;
	} na = {};
	const __be32 *asker = f->ip6.saddr;
	int unspecified = (asker[0] | asker[1] | asker[2] | asker[3]) == 0;
	const struct lm_neigh *n;
	struct ip6_header ip = {};
	struct lm_addr addr;
	struct nd_packet nd;
	struct ethhdr eth;

	if (f->ip6.nexthdr != IPPROTO_ICMPV6 || f->ip6.hop_limit != 255 ||
	    bpf_skb_load_bytes(skb, f->l3 + (__u32)sizeof(f->ip6), &nd, sizeof(nd)) ||
	    nd.type != ND_NEIGHBOUR_SOLICIT || nd.code != 0)
		return NOT_ANSWERED;
	addr_from_v6(&addr, nd.target);
	n = find_neighbour(port->vni, &addr, port);
	if (!n)
		return NOT_ANSWERED;

	memcpy(eth.h_source, n->mac, 6);
	eth.h_proto = bpf_htons(ETH_P_IPV6);
	ip.ver_tc_label = bpf_htonl(0x60000000);
	ip.payload_len = bpf_htons(ND_REPLY_BYTES);
	ip.nexthdr = IPPROTO_ICMPV6;
	ip.hop_limit = 255;
	memcpy(ip.saddr, nd.target, 16);
	if (unspecified) {
		/* Duplicate address detection is answered to all nodes, RFC 4861 section 7.2.4. */
		const __u8 all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};

		memcpy(eth.h_dest, all_nodes_mac, 6);
		ip.daddr[0] = bpf_htonl(0xff020000);
		ip.daddr[3] = bpf_htonl(1);
		na.nd.flags = bpf_htonl(NA_OVERRIDE);
	} else {
		memcpy(eth.h_dest, f->eth.h_source, 6);
		memcpy(ip.daddr, asker, 16);
		na.nd.flags = bpf_htonl(NA_SOLICITED | NA_OVERRIDE);
	}
	na.nd.type = ND_NEIGHBOUR_ADVERT;
	memcpy(na.nd.target, nd.target, 16);
	na.opt.type = ND_OPT_TARGET_LL;
	na.opt.words8 = 1;
	memcpy(na.opt.mac, n->mac, 6);
	na.nd.check =
		(__u16)~csum_fold(pseudo6(ip.saddr, ip.daddr, IPPROTO_ICMPV6, ND_REPLY_BYTES) +
				  sum_words(&na, ND_REPLY_BYTES));

	/* A solicitation without an option is shorter than the answer, one with several is longer.
	 */
	if (bpf_skb_change_tail(skb, ETH_HDR_BYTES + sizeof(ip) + ND_REPLY_BYTES, 0) ||
	    bpf_skb_store_bytes(skb, 0, &eth, ETH_HDR_BYTES, 0) ||
	    bpf_skb_store_bytes(skb, ETH_HDR_BYTES, &ip, sizeof(ip), 0) ||
	    bpf_skb_store_bytes(skb, ETH_HDR_BYTES + sizeof(ip), &na, ND_REPLY_BYTES, 0))
		return -LM_V_INTERNAL;
	count_event(LM_E_ND_ANSWERED);
	return (int)bpf_redirect(skb->ifindex, 0);
}

/* Whether it is worth a look. A tagged question is about another segment than the one whose
 * addresses are known.
 */
static __always_inline int may_ask(const struct frame *f)
{
	return !f->n_tags &&
	       (f->proto == bpf_htons(ETH_P_ARP) ||
		(f->proto == bpf_htons(ETH_P_IPV6) && f->ip6.nexthdr == IPPROTO_ICMPV6));
}

/* Of a frame that may ask. A TC action, -reason, or NOT_ANSWERED with the frame untouched. */
VERIFIED_ONCE int answer_neighbour(struct __sk_buff *skb, const struct lm_port *port,
				   const struct frame *f)
{
	if (!port || !f)
		return -LM_V_INTERNAL;
	return f->proto == bpf_htons(ETH_P_ARP) ? answer_arp(skb, port, f)
						: answer_nd(skb, port, f);
}

#endif /* LEMAN_NEIGHBOUR_H */
