/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A port may speak only as itself: MAC, IP, ARP sender, IPv6 neighbour discovery. */
#ifndef LEMAN_PORT_SECURITY_H
#define LEMAN_PORT_SECURITY_H

#include "lib/frame.h"
#include "lib/verdict.h"

#define DHCP_CLIENT_PORT 68
#define DHCP_SERVER_PORT 67

#define ND_ROUTER_ADVERT 134
#define ND_NEIGHBOUR_SOLICIT 135
#define ND_NEIGHBOUR_ADVERT 136
#define ND_REDIRECT 137
#define ND_OPT_SOURCE_LL 1
#define ND_OPT_TARGET_LL 2

struct arp_packet {
	__be16 hrd;
	__be16 pro;
	__u8 hln;
	__u8 pln;
	__be16 op;
	__u8 sha[6];
	__u8 spa[4];
	__u8 tha[6];
	__u8 tpa[4];
};

/* Neighbour solicitation or advertisement up to and with its first option, RFC 4861 section 4.3. */
struct nd_packet {
	__u8 type;
	__u8 code;
	__u16 check;
	__be32 flags;
	__be32 target[4];
};

struct nd_option {
	__u8 type;
	__u8 words8; /* length in units of 8 bytes */
	__u8 mac[6];
};

static __always_inline int port_has(struct __sk_buff *skb, const struct lm_addr *addr)
{
	struct lm_port_addr_key key = {.ifindex = skb->ifindex, .addr = *addr};

	return bpf_map_lookup_elem(&lm_port_addrs, &key) != NULL;
}

static __always_inline int port_has_v4(struct __sk_buff *skb, __be32 v4)
{
	struct lm_addr addr;

	addr_from_v4(&addr, v4);
	return port_has(skb, &addr);
}

/* An address of the port, or the link-local address its MAC makes (RFC 4291 appendix A). */
static __always_inline int port_has_v6(struct __sk_buff *skb, const struct lm_port *port,
				       const __be32 *v6)
{
	struct lm_addr addr;

	addr_from_v6(&addr, v6);
	if (v6[0] == bpf_htonl(0xfe800000) && v6[1] == 0 && addr.b[8] == (port->mac[0] ^ 2) &&
	    addr.b[9] == port->mac[1] && addr.b[10] == port->mac[2] && addr.b[11] == 0xff &&
	    addr.b[12] == 0xfe && addr.b[13] == port->mac[3] && addr.b[14] == port->mac[4] &&
	    addr.b[15] == port->mac[5])
		return 1;
	return port_has(skb, &addr);
}

static __always_inline int check_ipv4(struct __sk_buff *skb, const struct lm_port *port,
				      const struct frame *f)
{
	__be16 ports[2];

	if (f->ip4.saddr == 0) {
		/* DHCP before there is an address. */
		if (f->ip4.protocol == IPPROTO_UDP &&
		    !bpf_skb_load_bytes(skb, f->l3 + (f->ip4.ver_ihl & 0xf) * 4u, ports, 4) &&
		    ports[0] == bpf_htons(DHCP_CLIENT_PORT) &&
		    ports[1] == bpf_htons(DHCP_SERVER_PORT))
			return 0;
		return -LM_V_PORT_IP;
	}
	if (f->ip4.saddr == port->addr4)
		return 0;
	return port_has_v4(skb, f->ip4.saddr) ? 0 : -LM_V_PORT_IP;
}

#define ND_MAX_EXTENSIONS 4

/*
 * Offset of the ICMPv6 header, behind extension headers too, as a receiver would find it; 0 when
 * the packet carries something else. More extension headers than anybody needs are refused:
 * -reason.
 */
VERIFIED_ONCE int find_icmp6(struct __sk_buff *skb, const struct frame *f)
{
	struct {
		__u8 next;
		__u8 words8;
	} ext;
	__u32 off;
	__u8 next;
	int i;

	if (!f)
		return -LM_V_INTERNAL;
	off = f->l3 + (__u32)sizeof(f->ip6);
	next = f->ip6.nexthdr;
	for (i = 0; i <= ND_MAX_EXTENSIONS; i++) {
		if (next == IPPROTO_ICMPV6)
			return (int)off;
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS)
			return 0;
		if (bpf_skb_load_bytes(skb, off, &ext, sizeof(ext)))
			return -LM_V_PORT_ND;
		next = ext.next;
		off += (ext.words8 + 1u) * 8;
	}
	return -LM_V_PORT_ND;
}

static __always_inline int check_nd(struct __sk_buff *skb, const struct lm_port *port, __u32 off)
{
	struct nd_option opt;
	struct nd_packet nd;

	if (bpf_skb_load_bytes(skb, off, &nd.type, 1))
		return -LM_V_PORT_ND;
	if (nd.type == ND_ROUTER_ADVERT || nd.type == ND_REDIRECT)
		return -LM_V_PORT_ND;
	if (nd.type != ND_NEIGHBOUR_SOLICIT && nd.type != ND_NEIGHBOUR_ADVERT)
		return 0;
	if (bpf_skb_load_bytes(skb, off, &nd, sizeof(nd)))
		return -LM_V_PORT_ND;
	if (nd.type == ND_NEIGHBOUR_ADVERT && !port_has_v6(skb, port, nd.target))
		return -LM_V_PORT_ND;
	if (!bpf_skb_load_bytes(skb, off + (__u32)sizeof(nd), &opt, sizeof(opt)) &&
	    (opt.type == ND_OPT_SOURCE_LL || opt.type == ND_OPT_TARGET_LL) &&
	    !same_mac(opt.mac, port->mac))
		return -LM_V_PORT_ND;
	return 0;
}

static __always_inline int check_ipv6(struct __sk_buff *skb, const struct lm_port *port,
				      const struct frame *f)
{
	const __be32 *s = f->ip6.saddr;
	int icmp6 = find_icmp6(skb, f);

	if (icmp6 < 0)
		return icmp6;
	if ((s[0] | s[1] | s[2] | s[3]) == 0) {
		/* Duplicate address detection and multicast listener reports have no address yet.
		 */
		if (!icmp6)
			return -LM_V_PORT_IP;
	} else if (!port_has_v6(skb, port, s)) {
		return -LM_V_PORT_IP;
	}
	return icmp6 ? check_nd(skb, port, (__u32)icmp6) : 0;
}

static __always_inline int check_arp(struct __sk_buff *skb, const struct lm_port *port,
				     const struct frame *f)
{
	struct arp_packet arp;
	__be32 spa;

	if (bpf_skb_load_bytes(skb, f->l3, &arp, sizeof(arp)))
		return -LM_V_PORT_ARP;
	if (arp.hrd != bpf_htons(ARPHRD_ETHER) || arp.pro != bpf_htons(ETH_P_IP) || arp.hln != 6 ||
	    arp.pln != 4)
		return -LM_V_PORT_ARP;
	memcpy(&spa, arp.spa, 4);
	if (!same_mac(arp.sha, port->mac) || (spa && !port_has_v4(skb, spa)))
		return -LM_V_PORT_ARP;
	return 0;
}

/* 0, or -reason. */
VERIFIED_ONCE int port_security(struct __sk_buff *skb, const struct lm_port *port,
				const struct frame *f)
{
	if (!port || !f)
		return -LM_V_INTERNAL;
	if (!(port->flags & LM_PORT_F_SECURITY))
		return 0;
	if (!is_sender(f, port->mac))
		return -LM_V_PORT_MAC;
	if (f->proto == bpf_htons(ETH_P_IP))
		return check_ipv4(skb, port, f);
	if (f->proto == bpf_htons(ETH_P_IPV6))
		return check_ipv6(skb, port, f);
	if (f->proto == bpf_htons(ETH_P_ARP) || f->proto == bpf_htons(ETH_P_RARP))
		return check_arp(skb, port, f);
	return 0;
}

#endif /* LEMAN_PORT_SECURITY_H */
