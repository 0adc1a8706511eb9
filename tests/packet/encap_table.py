"""Frames of a port that leave in tunnel packets: every header byte of the outer packet."""
from frames import *  # noqa: F403

table = Table()


def to_remote(payload, **ether):
    return final(Ether(src=A, dst=R, **ether) / payload)


def ip4(**fields):
    return IP(src=A4, dst=R4, id=7, **fields)


def ip6(**fields):
    return IPv6(src=A6, dst=R6, **fields)


INNER = {
    "ip4_icmp": to_remote(ip4() / ICMP(id=0x1234, seq=1) / DATA),
    "ip4_tcp": to_remote(ip4() / TCP(sport=1234, dport=80, seq=1) / Raw(b"x" * 101)),
    "ip4_udp": to_remote(ip4() / UDP(sport=1234, dport=53) / Raw(b"y" * 700)),
    "ip4_options": to_remote(ip4(options=[IPOption(b"\x94\x04\x00\x00")]) / UDP(sport=5, dport=6)),
    "ip4_minimal": to_remote(ip4(proto=253)),
    "ip6_icmp": to_remote(ip6() / ICMPv6EchoRequest(id=0x1234, seq=1, data=DATA)),
    "ip6_tcp": to_remote(ip6() / TCP(sport=1234, dport=80) / Raw(b"x" * 100)),
    "ip6_minimal": to_remote(ip6(nh=59)),
    "arp_reply": to_remote(ARP(op=2, hwsrc=A, psrc=A4, hwdst=R, pdst=R4)),
    "ethertype_88b5": to_remote(Raw(b"local experiment" * 3), type=0x88b5),
    "llc_802_3": final(Dot3(src=A, dst=R) / LLC(dsap=0x42, ssap=0x42, ctrl=3) / Raw(b"stp-like" * 5)),
    "ethernet_only": to_remote(Raw(b""), type=0x88b5),
    "vlan_ip4": to_remote(Dot1Q(vlan=100, prio=5) / ip4() / UDP(sport=7, dport=8) / b"tagged"),
    "qinq_ip4": to_remote(Dot1AD(vlan=200, prio=3, id=1) / Dot1Q(vlan=100, prio=5, id=1) / ip4() /
                          TCP(sport=7, dport=8) / b"twice tagged"),
    "vlan_arp": to_remote(Dot1Q(vlan=100) / ARP(op=2, hwsrc=A, psrc=A4, hwdst=R, pdst=R4)),
    "qinq_ip6": to_remote(Dot1AD(vlan=200) / Dot1Q(vlan=100) / ip6() / UDP(sport=7, dport=8) / b"6"),
}
OPTIONS = {
    "none": b"",
    "one": bytes.fromhex("ff000101deadbeef"),
    "full": bytes.fromhex("ff00011f") + bytes(range(124)) + bytes.fromhex("ff00021e") + bytes(120),
}
assert len(OPTIONS["full"]) == 252


def rows(inner_name, v6, option_name, checksum):
    """What the tunnel packet around an inner frame shows, all of whose bytes are compared."""
    yield "G-3.1-02 G-3.3-10 G-3.4-01 G-3.4-14 G-3.4-20 G-3.4-22 G-3.4-26 G-3.4-31 N-9638-02"
    yield "G-3.2-01" if v6 else "G-3.1-06"
    if option_name == "none":
        yield "G-3.4-19 G-3.5.1-13"
    else:
        yield "G-3.4-04 G-3.4-05 G-3.4-19 G-3.5-01 G-3.5-08 G-3.5-10 G-4.5.1-01 G-6-07"
    if not v6:
        yield "G-3.3-12" if checksum else "G-3.3-17"
    if inner_name in ("ip4_minimal", "ip6_minimal"):
        yield "G-3.1-05"
    if inner_name == "ip4_tcp":  # 101 bytes of data
        yield "G-3.1-04"
    if inner_name == "llc_802_3":
        yield "G-3.1-09"
    if "vlan" in inner_name or "qinq" in inner_name:
        yield "G-4.7-02"


for inner_name, frame in INNER.items():
    for v6 in (False, True):
        for option_name, options in OPTIONS.items():
            for checksum in (False, True):
                name = "%s_in_ip%d_%s_%s" % (inner_name, 6 if v6 else 4, option_name,
                                             "csum" if checksum else "zero")
                config = {"options": options.hex(), "checksum": checksum}
                # Frames that are not IP pass the kernel a second time, as port_rx's own redirect.
                encap(table, name, frame, v6=v6, config=config,
                      ids=" ".join(rows(inner_name, v6, option_name, checksum)))

# The C bit says that one option is critical.
encap(table, "critical_option_sets_c", INNER["ip4_icmp"], ids="G-3.4-19 G-3.5-04",
      config={"options": "ff008101deadbeef", "options_critical": True})
encap(table, "critical_option_behind_another_sets_c", INNER["ip4_icmp"], ids="G-3.4-19 G-3.5-04",
      config={"options": "ff00010000000000ff008100", "options_critical": True})

# The UDP checksum over inner transports whose own checksum is still to be filled in by a device:
# the field holds the pseudo header's sum.


def pseudo_sum(src, dst, proto, length):
    import ipaddress
    data = ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed
    data += proto.to_bytes(4, "big") + length.to_bytes(4, "big")
    total = sum(int.from_bytes(data[i:i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


for v6 in (False, True):
    outer = 54 + 16 if v6 else 34 + 16
    for family, l3 in (("ip4", 20), ("ip6", 40)):
        for proto_name, proto, head, field in (("tcp", 6, TCP(sport=1, dport=2), 16),
                                               ("udp", 17, UDP(sport=1, dport=2), 6)):
            for data in (b"", b"a", b"odd bytes", b"z" * 1001):
                ip = ip4() if family == "ip4" else ip6()
                length = (20 if proto == 6 else 8) + len(data)
                pending = head.copy()
                pending.chksum = pseudo_sum(ip.src, ip.dst, proto, length)
                frame = to_remote(ip / pending / Raw(data))
                l4 = outer + 14 + l3
                encap(table, "pending_%s_%s_%d_in_ip%d" % (family, proto_name, len(data),
                                                           6 if v6 else 4), frame, v6=v6,
                      config={"checksum": True}, ids="K-06" if v6 else "K-06 G-3.3-12",
                      fill=[l4, l4 + field])
    # Behind IPv6 extension headers too.
    for name, extra in (("hop_by_hop", IPv6ExtHdrHopByHop()), ("destination", IPv6ExtHdrDestOpt()),
                        ("both", IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt())):
        pending = UDP(sport=1, dport=2, chksum=pseudo_sum(A6, R6, 17, 8 + 9))
        frame = to_remote(ip6() / extra / pending / Raw(b"odd bytes"))
        l4 = outer + 14 + 40 + len(extra)
        encap(table, "pending_behind_%s_in_ip%d" % (name, 6 if v6 else 4), frame, v6=v6,
              config={"checksum": True}, ids="K-06", fill=[l4, l4 + 6])
    # A finished checksum, also one that says "none", is data like any other.
    for name, packet in (
            ("udp_no_checksum", ip4() / UDP(sport=1, dport=2, chksum=0) / b"data"),
            ("udp_wrong_checksum", ip4() / UDP(sport=1, dport=2, chksum=0x1234) / b"data"),
            ("icmp6", ip6() / ICMPv6EchoRequest(data=DATA)),
            ("hop_by_hop", ip6() / IPv6ExtHdrHopByHop() / UDP(sport=1, dport=2) / b"data"),
            ("first_fragment", ip4(flags="MF") / UDP(sport=1, dport=2, len=2000) / Raw(b"f" * 64)),
            ("later_fragment", ip4(frag=100) / Raw(b"f" * 65)),
            ("ip6_fragment", ip6() / IPv6ExtHdrFragment(m=1) / UDP(sport=1, dport=2) / b"data"),
            ("trailing_bytes", ip4(len=36) / ICMP() / DATA / Raw(b"\0" * 10)),
            ("odd_length", ip4() / UDP(sport=1, dport=2) / b"odd"),
            ("large", ip4() / UDP(sport=1, dport=2) / Raw(bytes(range(256)) * 5))):
        frame = to_remote(packet)
        encap(table, "final_%s_in_ip%d" % (name, 6 if v6 else 4), frame, v6=v6,
              config={"checksum": True}, ids="G-3.1-08" if name == "trailing_bytes" else "")
    # A checksum that comes out as zero would say that there is none. The source port counts in it.
    port = {"sport": 50000}
    frame = zero_sum(to_remote(ip4() / UDP(sport=1, dport=2) / b"data"),
                     lambda inner, v6=v6: outgoing(inner, v6=v6, sport=50000))
    encap(table, "checksum_ffff_in_ip%d" % (6 if v6 else 4), frame, v6=v6, how=port,
          config={"checksum": True, "sport": [50000, 50000]}, sport=[50000, 50000], ids="U-768-01")
    assert Ether(bytes.fromhex(table.cases[-1]["out"]))[UDP].chksum == 0xffff

# How packets are made is a matter of the VTEP: two of them at the same time.
MIXED = {"ways": {VTEP4: {"checksum": True, "ecn_compat": True}}}
marked = to_remote(ip4(tos=2) / UDP(sport=1, dport=2) / DATA)
encap(table, "mixed_vteps_one", marked, config=MIXED, checksum=True, how={"tos": 0},
      ids="E-4.3-04 Z-4-03")
encap(table, "mixed_vteps_other", marked, v6=True, config=MIXED, how={"tos": 2},
      ids="E-4.3-04 Z-4-03")

# ECN and DSCP.
for v6 in (False, True):
    for ecn in range(4):
        for compat in (False, True):
            for family in ("ip4", "ip6", "vlan_ip4"):
                inner = ip6(tc=ecn) if family == "ip6" else ip4(tos=ecn)
                if family == "vlan_ip4":
                    inner = Dot1Q(vlan=5) / inner
                frame = to_remote(inner / UDP(sport=1, dport=2) / DATA)
                encap(table, "ecn%d_%s_%s_in_ip%d" % (ecn, family, "compat" if compat else "normal",
                                                      6 if v6 else 4), frame, v6=v6,
                      config={"ecn_compat": compat}, how={"tos": 0 if compat else ecn},
                      ids="E-4.1-02 E-4.3-02 " + ("" if v6 else "E-4.1-04 ") + (
                          "E-4.1-03 E9601-4-01 E9601-4-04" if compat else "E-4.1-01 G-4.4.2-01"))
    for name, tos, config, outer_tos, ids in (
            ("pipe_default", 0x2a, {}, 0x02, "G-4.4.2-05 D-4-01"),
            ("pipe_policy", 0xb8, {"dscp": 8}, 0x20, "G-4.4.2-05 D-4-01"),
            ("pipe_policy_max", 0x03, {"dscp": 63}, 0xff, "G-4.4.2-05 D-4-01"),
            ("copy", 0xb8, {"dscp_copy": True}, 0xb8, "G-4.4.2-06"),
            ("copy_compat", 0xbb, {"dscp_copy": True, "ecn_compat": True}, 0xb8,
             "G-4.4.2-06 E9601-4-03"),
            ("fixed_normal", 0xbb, {}, 0x03, "G-4.4.2-05 E9601-4-03")):
        for family in ("ip4", "ip6"):
            inner = ip6(tc=tos) if family == "ip6" else ip4(tos=tos)
            frame = to_remote(inner / UDP(sport=1, dport=2) / DATA)
            encap(table, "dscp_%s_%s_in_ip%d" % (name, family, 6 if v6 else 4), frame, v6=v6,
                  config=config, how={"tos": outer_tos},
                  ids=ids)
    # No IP inside: ECN zero, DSCP by policy.
    encap(table, "dscp_not_ip_in_ip%d" % (6 if v6 else 4), INNER["ethertype_88b5"], v6=v6,
          config={"dscp": 46}, how={"tos": 0xb8}, ids="E9601-4-02")
    # The outer TTL is ours, whatever the inner one.
    for inner_ttl in (1, 64, 255):
        for ttl in (1, 64, 255):
            inner = ip6(hlim=inner_ttl) if v6 else ip4(ttl=inner_ttl)
            encap(table, "ttl_%d_inner_%d_ip%d" % (ttl, inner_ttl, 6 if v6 else 4),
                  to_remote(inner / UDP(sport=1, dport=2)), v6=v6, config={"ttl": ttl},
                  how={"ttl": ttl}, ids="T-8926-01 T-8014-01" + (" G-8200-02" if v6 else ""))

# DF whatever the tenant's.
for flags in ("", "DF"):
    encap(table, "df_always_%s" % (flags or "clear"), to_remote(ip4(flags=flags) / ICMP()),
          ids="T-2003-07" if flags else "")
# Nothing of a tenant's own tunnel packet is special.
for name, address in (("remote", R4), ("own_vtep", US4), ("vtep", VTEP4)):
    encap(table, "tenant_geneve_to_%s" % name, to_remote(
        IP(src=A4, dst=address, id=7) / UDP(sport=6081, dport=6081) / GENEVE(vni=VNI, proto=0x6558) /
        Ether(src=R, dst=A)), ids="G-6.2-03 G-3.4-14")
# Port and range as configured.
frame = INNER["ip4_udp"]
table.add("port_as_configured", "port", frame, "redirect", "forwarded",
          out=outgoing(frame, dport=16081, sport=50000, checksum=False),
          config={"udp_port": 16081, "sport": [50000, 50000]}, ids="G-3.3-08",
          traffic=traffic(port_a_tx=len(frame), net_tx=len(frame), peer4_tx=len(frame)))
encap(table, "source_port_one", INNER["ip4_udp"], config={"sport": [50000, 50000]},
      sport=[50000, 50000], ids="G-3.3-03")
encap(table, "source_port_any", INNER["ip4_udp"], config={"sport": [1, 65535]}, sport=[1, 65535],
      ids="G-3.3-03")

# Headers that end too early.
for name, frame in (("ip4_cut", to_remote(ip4() / ICMP())[:33]),
                    ("ip6_cut", to_remote(ip6() / ICMPv6EchoRequest())[:53]),
                    ("ip4_version", to_remote(Raw(b"\x65" + bytes(40)), type=0x0800)),
                    ("ip4_ihl", to_remote(Raw(b"\x44" + bytes(40)), type=0x0800)),
                    ("ip4_options_cut", to_remote(Raw(b"\x4f" + bytes(40)), type=0x0800)),
                    ("ip6_version", to_remote(Raw(b"\x45" + bytes(40)), type=0x86dd)),
                    ("vlan_cut", to_remote(Raw(b"\x00"), type=0x8100)),
                    ("vlan_qinq_cut", to_remote(Raw(b"\x00\x01\x81\x00\x00"), type=0x88a8))):
    # bpf_prog_test_run refuses cut IP headers, the wire cut tags.
    port_drop(table, "short_" + name, frame, "inner_short", ids="G-3.1-07",
              wire=not name.startswith("vlan"))
port_drop(table, "three_tags", to_remote(Dot1AD(vlan=1) / Dot1Q(vlan=2) / Dot1Q(vlan=3) / ip4()),
          "vlan_depth")

table.write()
