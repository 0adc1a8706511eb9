"""Tunnel packets that arrive: what a port gets, or which drop counts."""
from frames import *  # noqa: F403

table = Table()


def frame(payload, src=R, dst=A, **ether):
    return final(Ether(src=src, dst=dst, **ether) / payload)


def ip4(**fields):
    return IP(src=R4, dst=A4, id=9, **fields)


def ip6(**fields):
    return IPv6(src=R6, dst=A6, **fields)


def opt(cls, kind, data=b"", words=None, r=0):
    head = cls.to_bytes(2, "big") + bytes([kind, r << 5 | (len(data) // 4 if words is None else words)])
    return head + data


PING = frame(ip4() / ICMP(id=0x1234, seq=1) / DATA)
PING6 = frame(ip6() / ICMPv6EchoRequest(id=0x1234, seq=1, data=DATA))

# RFC 6040 section 4.2 over both families, inside tags too: (inner, outer) → delivered, suspicious.
NOT_ECT, ECT1, ECT0, CE = 0, 1, 2, 3
RESULT = {
    (NOT_ECT, NOT_ECT): (NOT_ECT, 0), (NOT_ECT, ECT0): (NOT_ECT, 1), (NOT_ECT, ECT1): (NOT_ECT, 1),
    (NOT_ECT, CE): (None, 1),
    (ECT0, NOT_ECT): (ECT0, 0), (ECT0, ECT0): (ECT0, 0), (ECT0, ECT1): (ECT1, 0), (ECT0, CE): (CE, 0),
    (ECT1, NOT_ECT): (ECT1, 0), (ECT1, ECT0): (ECT1, 1), (ECT1, ECT1): (ECT1, 0), (ECT1, CE): (CE, 0),
    (CE, NOT_ECT): (CE, 0), (CE, ECT0): (CE, 0), (CE, ECT1): (CE, 1), (CE, CE): (CE, 0),
}
ROW_ORDER = (NOT_ECT, ECT0, ECT1, CE)  # of E-4.2-01 to E-4.2-16
WRAPS = {
    "ip4": lambda tos: frame(ip4(tos=tos) / TCP(sport=1, dport=2) / DATA),
    "ip6": lambda tos: frame(ip6(tc=tos) / TCP(sport=1, dport=2) / DATA),
    "vlan_ip4": lambda tos: frame(Dot1Q(vlan=7) / ip4(tos=tos) / UDP(sport=1, dport=2) / DATA),
    "qinq_ip6": lambda tos: frame(Dot1AD(vlan=8) / Dot1Q(vlan=7) / ip6(tc=tos) / UDP(sport=1, dport=2)),
}
for v6 in (False, True):
    family = "ip6" if v6 else "ip4"
    peer = "peer6" if v6 else "peer4"
    for (inner_ecn, outer_ecn), (result, suspicious) in RESULT.items():
        for wrap, make in WRAPS.items():
            # The DSCP stays the inner one: pipe model.
            name = "ecn_inner%d_outer%d_%s_in_%s" % (inner_ecn, outer_ecn, wrap, family)
            packet = tunnel(make(0x28 | inner_ecn), v6=v6, tos=0xb8 | outer_ecn)
            events = dict(VERIFIED)
            if suspicious:
                events["ecn_suspicious"] = 1
            row = ROW_ORDER.index(inner_ecn) * 4 + ROW_ORDER.index(outer_ecn) + 1
            ids = "G-4.4.2-01 E-4.2-17 E-4.2-%02d" % row
            if suspicious:
                ids += " E-4.2-19"
            if result != inner_ecn and wrap in ("vlan_ip4", "qinq_ip6"):
                ids += " G-4.4.2-02"
            if result is not None:
                ids += " D-3.1-01"
                if result != inner_ecn:
                    ids += " E-4.2-18" if wrap.endswith("ip4") else " G-4.4.2-04"
            if result is None:
                underlay_drop(table, name, packet, "ecn", events=events, ids=ids)
            else:
                decap(table, name, packet, make(0x28 | result), events=events, peer=peer, ids=ids)
        # How we mark towards a peer changes nothing of what we take from it.
        packet = tunnel(WRAPS["ip4"](inner_ecn), v6=v6, tos=outer_ecn)
        events = dict(VERIFIED, **({"ecn_suspicious": 1} if suspicious else {}))
        how = {"events": events, "config": {"ecn_compat": True}, "ids": "E-4.4-01"}
        name = "ecn_inner%d_outer%d_from_compat_peer_in_%s" % (inner_ecn, outer_ecn, family)
        if result is None:
            underlay_drop(table, name, packet, "ecn", **how)
        else:
            decap(table, name, packet, WRAPS["ip4"](result), peer=peer, **how)
    # Uniform takes the DSCP of the outer header, and ECN by the table as ever.
    for name, inner_tos, outer_tos, result in (("plain", 0x28, 0xb8, 0xb8), ("to_zero", 0x28, 0, 0),
                                               ("ecn_too", 0x2a, 0xbb, 0xbb),
                                               ("pipe_ecn", 0x2a, 0xbb, None)):
        for wrap, make in WRAPS.items():
            uniform = result is not None
            decap(table, "dscp_%s_%s_in_%s" % (name, wrap, family),
                  tunnel(make(inner_tos), v6=v6, tos=outer_tos),
                  make(result if uniform else 0x2b), peer=peer,
                  config={"dscp_uniform": uniform},
                  ids="D-3.1-03 D-5-01 " + ("D-3.1-02 G-4.4.2-06" if uniform else "D-3.1-01"))
    # No IP inside, nothing to change.
    raw = frame(Raw(b"not IP, 48 bytes of it" * 2), type=0x88b5)
    decap(table, "ecn_not_ip_in_" + family, tunnel(raw, v6=v6, tos=3), raw, peer=peer,
          ids="G-4.4.2-03")
    # The inner frame as it came.
    for name, inner, ids in (
            ("ttl1", frame(ip4(ttl=1) / ICMP()), "T-2003-04 T-8014-01"),
            ("ttl1_ip6", frame(ip6(hlim=1) / ICMPv6EchoRequest()), "T-2003-04 T-8014-01"),
            ("padded", PING + bytes(18), "G-3.1-08"),
            ("odd", frame(ip4() / UDP(sport=1, dport=2) / b"odd"), "G-3.1-04"),
            ("ip4", PING, "G-3.1-05"),
            ("ip6", PING6, "G-3.1-05"),
            ("tcp_large", frame(ip4() / TCP() / Raw(b"L" * 1400)), ""),
            ("vlan", frame(Dot1Q(vlan=100, prio=5, id=1) / ip4() / ICMP() / DATA),
             "G-4.7-02 G-4.7-03"),
            ("other_vlan", frame(Dot1Q(vlan=200) / ip4() / ICMP() / DATA), "G-4.7-03"),
            ("qinq", frame(Dot1AD(vlan=200) / Dot1Q(vlan=100, prio=5) / ip4() / ICMP() / DATA),
             "G-4.7-02"),
            ("arp", frame(ARP(op=2, hwsrc=R, psrc=R4, hwdst=A, pdst=A4) / Raw(bytes(18))),
             "G-3.1-08"),
            ("llc", final(Dot3(src=R, dst=A) / LLC(dsap=0x42, ssap=0x42, ctrl=3) / Raw(b"x" * 43)),
             "G-3.1-09")):
        for options in (b"", bytes.fromhex("ff00010f") + bytes(60)):
            more = " G-2.2.1-03 G-3.4-06 G-3.5-18" if options else " G-3.3-16"
            decap(table, "inner_%s_%d_in_%s" % (name, len(options), family),
                  tunnel(inner, v6=v6, options=options), inner, peer=peer,
                  options={"ff00/01 packets": 1, "ff00/01 bytes": 64} if options else {},
                  ids=ids + more)
    # Frames under the outer IP header's size are padded with zeros up to 34 bytes.
    for size in (0, 1, 19, 20, 21, 39, 40):
        inner = frame(Raw(b"s" * size), type=0x88b5)
        decap(table, "small_%d_in_%s" % (size, family), tunnel(inner, v6=v6),
              inner + bytes(max(0, 34 - len(inner))), peer=peer)
    # Ends too early.
    for name, inner in (("nothing", b""), ("eth_cut", PING[:13]), ("ip4_cut", PING[:33]),
                        ("ip6_cut", PING6[:53]), ("vlan_cut", frame(Raw(b"\0"), type=0x8100)),
                        ("vlan_missing", frame(Raw(b""), type=0x8100)),
                        ("vlan_type_cut", frame(Raw(b"\0\x05\x08"), type=0x8100)),
                        ("vlan_ip4_missing", frame(Raw(b"\0\x05\x08\0"), type=0x8100)),
                        ("vlan_ip4_cut", frame(Dot1Q(vlan=5) / ip4())[:37]),
                        ("qinq_missing", frame(Raw(b"\0\x05\x81\0"), type=0x88a8)),
                        ("qinq_cut", frame(Raw(b"\0\x05\x81\0\0\x06\x86"), type=0x88a8)),
                        ("qinq_ip6_cut", frame(Dot1AD() / Dot1Q(vlan=5) / ip6())[:61]),
                        ("ip4_version", frame(Raw(b"\x55" + bytes(30)), type=0x0800)),
                        ("ip4_ihl", frame(Raw(b"\x44" + bytes(30)), type=0x0800)),
                        ("ip4_options_cut", frame(Raw(b"\x4f" + bytes(30)), type=0x0800)),
                        ("ip6_version", frame(Raw(b"\x45" + bytes(50)), type=0x86dd))):
        underlay_drop(table, "short_%s_in_%s" % (name, family), tunnel(inner, v6=v6), "inner_short",
                      ids="G-3.1-07")
    underlay_drop(table, "group_source_in_" + family,
                  tunnel(frame(ip4() / ICMP(), src="01:00:5e:00:00:01"), v6=v6), "src_mac",
                  ids="G-3.1-11")
    # Bytes behind the UDP datagram are none of the tenant's, in the IP datagram or behind it.
    decap(table, "trailer_in_" + family, tunnel(PING, v6=v6) + b"JUNK", PING, peer=peer,
          ids="G-3.3-11")
    decap(table, "trailer_in_datagram_in_" + family,
          tunnel(PING + b"JUNK", v6=v6, checksum=False, udp_bytes=16 + len(PING)), PING, events={},
          peer=peer, config={"zero6": True}, ids="G-3.3-11")
    for name, udp_bytes in (("none", 0), ("under_header", 7), ("beyond_datagram", 16 + len(PING) + 1)):
        underlay_drop(table, "udp_length_%s_in_%s" % (name, family),
                      tunnel(PING, v6=v6, udp_bytes=udp_bytes), "udp_len", events={}, ids="G-3.3-11")
    # What is for another port is nothing of ours.
    for name, port, config, ids in (("vxlan", 4789, {}, "G-3.3-18 G-5-01"), ("next", 6082, {}, "G-3.3-18"),
                                    ("other_configured", 6081, {"udp_port": 16081}, "G-3.3-08")):
        packet = tunnel(PING, v6=v6, dport=port)
        table.add("port_%s_in_%s" % (name, family), "underlay", packet, "ok", "passed", out=packet,
                  config=config, ids=ids)
    decap(table, "port_as_configured_in_" + family, tunnel(PING, v6=v6, dport=16081), PING,
          peer=peer, config={"udp_port": 16081}, ids="G-3.3-08")
    for sport in (0, 1, 6081, 65535):
        decap(table, "source_port_%d_in_%s" % (sport, family), tunnel(PING, v6=v6, sport=sport), PING,
              peer=peer, ids="G-3.3-04")
    stranger = "2001:db8::bad" if v6 else "192.168.1.77"
    underlay_drop(table, "stranger_in_" + family, tunnel(PING, v6=v6, src=stranger), "peer",
                  ids="G-6.3-02")
    underlay_drop(table, "stranger_unknown_vni_in_" + family,
                  tunnel(PING, v6=v6, src=stranger, vni=77), "vni")
    underlay_drop(table, "unknown_vni_in_" + family, tunnel(PING, v6=v6, vni=77), "vni",
                  ids="G-3.4-28")
    other = "2001:db8::9" if v6 else "192.168.1.9"
    packet = tunnel(PING, v6=v6, dst=other)
    table.add("not_our_address_in_" + family, "underlay", packet, "ok", "passed", out=packet)

# Any 24 bits are a VNI. The networks of this host have the same ports.
for vni in (0, 1, 0x123456, 0xffffff):
    table.add("vni_%06x" % vni, "underlay", tunnel(PING, vni=vni), "redirect", "forwarded", out=PING,
              config={"vnis": [vni]}, events=VERIFIED, ids="G-3.4-26 G-3.4-33",
              traffic=traffic(port_a_rx=len(PING), peer4_rx=len(PING),
                              **{"net:%d_rx" % vni: len(PING)}))
# A VTEP of another network of this host is a stranger here, and its frames stay in its own.
underlay_drop(table, "vtep_of_another_network", tunnel(PING, src="192.168.1.100"), "peer",
              ids="G-6.3-02 G-3.4-29")
decap(table, "same_mac_in_network_red", tunnel(PING, src="192.168.1.100", vni=20002), PING,
      to="port_c", net="red", peer="peer100", ids="G-3.4-29 G-6.2-02 N-7365-01")
decap(table, "same_mac_same_vtep_in_network_red", tunnel(PING, vni=20002), PING, to="port_c",
      net="red", ids="G-3.4-29 G-6.2-02 N-7365-01")

# How maps spell the IPv4 VTEP; on the wire nobody has such an address. RFC 4291 section 2.5.5.2
underlay_drop(table, "ip4_vtep_spelled_in_ip6", tunnel(PING, v6=True, src="::ffff:" + VTEP4), "peer",
              ids="G-6.3-02")

# UDP checksums.
GOOD6, ZERO6 = tunnel(PING, v6=True), tunnel(PING, v6=True, checksum=False)
decap(table, "ip4_zero_checksum", tunnel(PING, checksum=False), PING, events={}, ids="G-3.3-17")
decap(table, "ip6_zero_from_zero_peer", ZERO6, PING, events={}, peer="peer6",
      config={"zero6": True}, ids="Z-6935-01 Z-4-08 G-4.3.1-04")
underlay_drop(table, "ip6_zero_by_default", ZERO6, "udp6_zero_csum", events={},
              ids="Z-6935-02 Z-6935-03 Z-4-05 Z-4-09 Z-5-01")
packet = tunnel(PING, v6=True, checksum=False, dport=6082)
table.add("ip6_zero_to_another_port", "underlay", packet, "ok", "passed", out=packet,
          config={"zero6": True}, ids="Z-4-06 U-3.4.1-02")
packet = tunnel(PING, v6=True, checksum=False, dst="2001:db8::9")
table.add("ip6_zero_to_another_address", "underlay", packet, "ok", "passed", out=packet,
          config={"zero6": True}, ids="G-4.3.1-04")
underlay_drop(table, "ip6_zero_from_stranger",
              tunnel(PING, v6=True, checksum=False, src="2001:db8::bad"), "udp6_zero_csum", events={},
              config={"zero6": True}, ids="G-4.3.1-04 U-3.4.1-01")
decap(table, "ip6_checksum_from_zero_peer", GOOD6, PING, peer="peer6", config={"zero6": True},
      ids="Z-4-01 Z-4-07")
# A checksum that comes out as zero is sent as ffff, and is one like any other.
for v6 in (False, True):
    decap(table, "checksum_ffff_in_ip%d" % (6 if v6 else 4),
          tunnel(zero_sum(PING, lambda inner, v6=v6: tunnel(inner, v6=v6)), v6=v6),
          zero_sum(PING, lambda inner, v6=v6: tunnel(inner, v6=v6)),
          peer="peer6" if v6 else "peer4", ids="U-768-02 G-3.3-16")
for name, packet, at, config in (("ip4_inner", tunnel(PING), 90, {}), ("ip4_vni", tunnel(PING), 48, {}),
                                 ("ip4_last_byte", tunnel(PING), 99, {}),
                                 ("ip6_inner", GOOD6, 110, {}), ("ip6_address", GOOD6, 37, {}),
                                 ("ip6_from_zero_peer", GOOD6, 110, {"zero6": True})):
    bad = bytearray(packet)
    bad[at] ^= 1
    underlay_drop(table, "bad_checksum_" + name, bad, "udp_csum", config=config,
                  ids="G-3.3-14 G-3.3-15" + (" Z-4-07" if config else ""))
bad = bytearray(tunnel(PING))
bad[24] ^= 0x10
underlay_drop(table, "bad_ip4_header_checksum", bad, "outer_ipcsum", events={}, ids="G-3.3-19")

# Outer options, extension headers and fragments.
ETH = Ether(src=VTEP_MAC, dst=UNDERLAY_MAC)
HEAD = bytes(GENEVE(vni=VNI, proto=0x6558, optionlen=0))[:8] + PING
for count in (1, 10):
    packet = final(ETH / IP(src=VTEP4, dst=US4, options=[IPOption(b"\x01" * 4)] * count) /
                   UDP(sport=54321, dport=6081) / Raw(HEAD))
    decap(table, "outer_ip4_options_%d" % count, packet, PING, ids="G-4.4.1-05")
for name, headers in (
        ("destination", [IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)])]),
        ("hop_by_hop", [IPv6ExtHdrHopByHop(options=[RouterAlert()])]),
        ("four", [IPv6ExtHdrHopByHop(), IPv6ExtHdrDestOpt(), IPv6ExtHdrRouting(segleft=0),
                  IPv6ExtHdrDestOpt()])):
    packet = ETH / IPv6(src=VTEP6, dst=US6)
    for header in headers:
        packet = packet / header
    packet = final(packet / UDP(sport=54321, dport=6081) / Raw(HEAD))
    decap(table, "outer_ip6_" + name, packet, PING, peer="peer6", ids="G-8200-01 G-4.4.1-05")
first = final(ETH / IPv6(src=VTEP6, dst=US6) / IPv6ExtHdrFragment(m=1) /
              UDP(sport=54321, dport=6081) / Raw(HEAD))
underlay_drop(table, "outer_ip6_first_fragment", first, "outer_frag", events={},
              ids="G-4.4.1-05 G-4.4.1-06 G-8200-01")
later = final(ETH / IPv6(src=VTEP6, dst=US6) / IPv6ExtHdrFragment(offset=10, nh=17) / Raw(HEAD))
table.add("outer_ip6_later_fragment", "underlay", later, "ok", "passed", out=later,
          ids="G-4.4.1-05 G-4.4.1-06 G-8200-01")
first = final(ETH / IP(src=VTEP4, dst=US4, flags="MF") / UDP(sport=54321, dport=6081) / Raw(HEAD))
underlay_drop(table, "outer_ip4_first_fragment", first, "outer_frag", events={},
              ids="G-4.4.1-05 G-4.4.1-06")
# The bytes of a whole packet, behind the start of another.
later = final(ETH / IP(src=VTEP4, dst=US4, frag=10, proto=17) / UDP(sport=54321, dport=6081) / Raw(HEAD))
table.add("outer_ip4_later_fragment", "underlay", later, "ok", "passed", out=later,
          ids="G-4.4.1-05 G-4.4.1-06")

# What routers of the underlay say of our packets is for the host, and nothing of it for a tenant.
for name, icmp in (("time_exceeded", ICMP(type=11)), ("unreachable", ICMP(type=3, code=1)),
                   ("fragmentation_needed", ICMP(type=3, code=4, nexthopmtu=1400))):
    packet = final(Ether(src=VTEP_MAC, dst=UNDERLAY_MAC) / IP(src="192.168.1.254", dst=US4) / icmp /
                   Raw(tunnel(PING, src=US4, dst=VTEP4)[14:14 + 64]))
    table.add("icmp_" + name, "underlay", packet, "ok", "passed", out=packet,
              ids="T-2003-10" if name == "time_exceeded" else "")

# Outer VLAN tags are taken off by the kernel before the program sees the frame.
for v6 in (False, True):
    tagged = tunnel(PING, v6=v6, eth=Ether(src=VTEP_MAC, dst=UNDERLAY_MAC) / Dot1Q(vlan=200, prio=3))
    size = len(PING)
    table.add("outer_vlan_in_ip%d" % (6 if v6 else 4), "underlay", tagged, "redirect", "forwarded",
              wire=True, verdict_bytes=len(tagged) - 4, copies={"far-a": [PING]}, events=VERIFIED,
              traffic=traffic(port_a_rx=size, net_rx=size,
                              **{"peer6_rx" if v6 else "peer4_rx": size}), ids="G-3.1-01")

# The fixed header. Bytes that pad the frame do not make up for bytes of the datagram.
for v6 in (False, True):
    for size in range(8):
        underlay_drop(table, "header_of_%d_bytes_in_ip%d" % (size, 6 if v6 else 4),
                      tunnel(PING, v6=v6, udp_payload_bytes=size) + bytes(32), "short_hdr",
                      ids="G-3.4-08")
    for words, there in ((1, 0), (1, 3), (2, 4), (63, 251)):
        options = opt(0xff00, 0x05, bytes(124)) + opt(0xff00, 0x05, bytes(120))
        underlay_drop(table, "options_%d_of_%d_bytes_in_ip%d" % (there, words * 4, 6 if v6 else 4),
                      tunnel(b"", v6=v6, options=options[:words * 4], udp_payload_bytes=8 + there)
                      + bytes(32), "opt_trunc", ids="G-3.4-07")
for version in (1, 2, 3):
    underlay_drop(table, "version_%d" % version, tunnel(PING, version=version), "version",
                  ids="G-3.4-02")
for name, how in (("ethernet", {}), ("ip4", {"proto": 0x0800}), ("management_vni", {"vni": 1})):
    underlay_drop(table, "control_packet_" + name, tunnel(PING, oam=1, **how), "oam",
                  ids="G-3.4-10 O-2.1-04")
decap(table, "reserved_bits", tunnel(PING, reserved=0x3f, reserved2=0xff), PING,
      ids="G-3.4-21 G-3.4-32")
for proto in (0x0000, 0x0800, 0x86dd, 0x8847, 0x6559, 0xffff):
    underlay_drop(table, "protocol_%04x" % proto, tunnel(PING, proto=proto), "proto",
                  ids="G-3.4-24 G-4.5-01" + (" G-3.4-25" if proto in (0x0800, 0x86dd) else ""))

# Options.
KNOWN = {"known": [[0xff00, 0x01, 4], [0xff00, 0x81, 4], [0xff00, 0x02, None]]}


def counted(*kinds):
    out = {}
    for kind, packets, size in kinds:
        out[kind + " packets"] = packets
        out[kind + " bytes"] = size
    return out


decap(table, "option_unknown", tunnel(PING, options=opt(0xff00, 0x05, b"data")), PING,
      options=counted(("ff00/05", 1, 8)), ids="G-3.5-16 G-3.5-02")
decap(table, "option_reserved_bits", tunnel(PING, options=opt(0xff00, 0x05, b"data", r=7)), PING,
      options=counted(("ff00/05", 1, 8)), ids="G-3.5-09")
decap(table, "option_three_kinds",
      tunnel(PING, options=opt(0x0102, 0x10, b"a" * 12) + opt(0xff00, 0x02) +
             opt(0x0102, 0x10, b"bbbb")), PING,
      options=counted(("0102/10", 2, 24), ("ff00/02", 1, 4)), config=KNOWN, ids="G-3.5-16")
decap(table, "option_63_headers", tunnel(PING, options=opt(0xff00, 0x03) * 63), PING,
      options=counted(("ff00/03", 63, 252)), ids="G-3.5-14 G-3.5-15 K-02 G-3.5-18")
for size in (0, 4, 120, 124):
    decap(table, "option_of_%d_bytes" % size, tunnel(PING, options=opt(0xff00, 0x03, bytes(size))), PING,
          options=counted(("ff00/03", 1, 4 + size)), ids="G-3.5-10 G-3.5-18")
decap(table, "option_data_like_header",
      tunnel(PING, options=opt(0xff00, 0x03, opt(0xff00, 0x85, b"", words=31))), PING,
      options=counted(("ff00/03", 1, 8)), ids="G-3.5-17")
decap(table, "option_known_critical",
      tunnel(PING, critical=1, options=opt(0xff00, 0x81, b"data")), PING, config=KNOWN,
      options=counted(("ff00/81", 1, 8)), ids="G-3.4-15")
decap(table, "option_known_critical_without_c", tunnel(PING, options=opt(0xff00, 0x81, b"data")),
      PING, config=KNOWN, options=counted(("ff00/81", 1, 8)),
      events=dict(VERIFIED, critical_flag=1), ids="G-3.5.1-03")
decap(table, "option_c_without_critical",
      tunnel(PING, critical=1, options=opt(0xff00, 0x01, b"data")), PING, config=KNOWN,
      options=counted(("ff00/01", 1, 8)), events=dict(VERIFIED, critical_flag=1))
decap(table, "option_known_any_length", tunnel(PING, options=opt(0xff00, 0x02, bytes(124))), PING,
      config=KNOWN, options=counted(("ff00/02", 1, 128)))
underlay_drop(table, "option_unknown_critical",
              tunnel(PING, critical=1, options=opt(0xff00, 0x85, b"data")), "opt_crit",
              options=counted(("ff00/85", 1, 8)), config=KNOWN, ids="G-3.5-02 G-3.5-03 G-3.4-15")
underlay_drop(table, "option_unknown_critical_without_c",
              tunnel(PING, options=opt(0xff00, 0x85, b"data")), "opt_crit",
              options=counted(("ff00/85", 1, 8)), ids="G-3.5.1-03")
underlay_drop(table, "option_unknown_critical_behind_others",
              tunnel(PING, critical=1, options=opt(0xff00, 0x05) * 61 + opt(0xff00, 0x85, b"last")),
              "opt_crit", options=counted(("ff00/05", 61, 244), ("ff00/85", 1, 8)), ids="G-3.5-03")
underlay_drop(table, "option_known_length", tunnel(PING, options=opt(0xff00, 0x01, bytes(8))),
              "opt_known_len", config=KNOWN, options=counted(("ff00/01", 1, 12)), ids="G-3.5.1-11")
underlay_drop(table, "option_walked_by_its_own_length",
              tunnel(PING, critical=1, options=opt(0xff00, 0x05, bytes(8)) + opt(0xff00, 0x85)),
              "opt_crit", options=counted(("ff00/05", 1, 12), ("ff00/85", 1, 4)), ids="G-3.5.1-12")
underlay_drop(table, "option_overrun", tunnel(PING, options=opt(0xff00, 0x05, b"data", words=2)),
              "opt_len", ids="G-3.5-12")
underlay_drop(table, "option_overrun_by_the_last",
              tunnel(PING, options=opt(0xff00, 0x05, b"data") + opt(0xff00, 0x06, words=1)), "opt_len",
              options=counted(("ff00/05", 1, 8)), ids="G-3.5-12 G-3.5-18")
underlay_drop(table, "option_overrun_counts_before_critical",
              tunnel(PING, options=opt(0xff00, 0x85) + opt(0xff00, 0x06, words=31)), "opt_len",
              options=counted(("ff00/85", 1, 4)), ids="G-3.5-12")
underlay_drop(table, "options_of_strangers_do_not_count",
              tunnel(PING, src="192.168.1.77", options=opt(0xff00, 0x07, b"data")), "peer")

# Where the frame goes.
for v6 in (False, True):
    peer = "peer6" if v6 else "peer4"
    suffix = "_in_ip%d" % (6 if v6 else 4)

    def moved(size, peer=peer, **more):
        return traffic(net_rx=size, **{peer + "_rx": size}, **more)

    unknown = frame(ip4() / ICMP(), dst="02:00:00:00:00:99")
    underlay_drop(table, "fdb_miss" + suffix, tunnel(unknown, v6=v6), "fdb_miss",
                  traffic=moved(len(unknown)))
    back = frame(ip4() / ICMP(), dst=R)
    underlay_drop(table, "split_horizon" + suffix, tunnel(back, v6=v6), "not_local",
                  traffic=moved(len(back)), ids="G-4.4.3-04")
    # To every port, to no VTEP.
    for name, mac, payload in (("broadcast_arp", BROADCAST, ARP(hwsrc=R, psrc=R4, pdst=A4)),
                               ("multicast_ip4", "01:00:5e:00:00:fb", ip4() / UDP() / DATA),
                               ("multicast_ip6", "33:33:00:00:00:fb", ip6() / UDP() / DATA),
                               ("vlan_broadcast", BROADCAST, Dot1Q(vlan=3) / ip4() / UDP() / DATA)):
        bum = frame(payload, dst=mac)
        got = bum + bytes(max(0, 34 - len(bum)))
        table.add(name + suffix, "underlay", tunnel(bum, v6=v6), "shot", "forwarded",
                  copies={"far-a": [got], "far-b": [got]},
                  events=dict(VERIFIED, flood_copies=2),
                  traffic=moved(len(got), port_a_rx=len(got), port_b_rx=len(got)),
                  ids="G-4.4.3-02 G-4.4.3-04")
    table.add("unknown_flooded" + suffix, "underlay", tunnel(unknown, v6=v6), "shot", "forwarded",
              config={"flood_unknown": True}, copies={"far-a": [unknown], "far-b": [unknown]},
              events=dict(VERIFIED, flood_copies=2),
              traffic=moved(len(unknown), port_a_rx=len(unknown), port_b_rx=len(unknown)))
    bum = frame(ip4() / UDP() / DATA, dst=BROADCAST)
    underlay_drop(table, "broadcast_without_ports" + suffix, tunnel(bum, v6=v6), "no_receiver",
                  config={"ports": []}, traffic=moved(len(bum)))
    # Really through the devices, by both ways of delivery, from a VTEP that nothing is sent to.
    for peer_redirect in (False, True):
        for name, inner in (("ip4", PING), ("ip6", PING6),
                            ("vlan", frame(Dot1Q(vlan=5) / ip4() / ICMP() / DATA)),
                            ("raw", frame(Raw(b"r" * 50), type=0x88b5))):
            packet = tunnel(inner, v6=v6)
            table.add("wire_%s_%s%s" % (name, "peer" if peer_redirect else "device", suffix),
                      "underlay", packet, "redirect", "forwarded", wire=True,
                      config={"redirect_peer": peer_redirect}, copies={"far-a": [inner]},
                      events=VERIFIED, traffic=moved(len(inner), port_a_rx=len(inner)),
                      ids="G-6.2-01 G-4.4.4-01")

table.write()
