"""Frames larger than the network's MTU, and the ICMP errors their senders get."""
from frames import *  # noqa: F403

table = Table()
MTU = 1450


def frame(payload, dst=R):
    return final(Ether(src=A, dst=dst) / payload)


def ip4(**fields):
    return IP(src=A4, dst=R4, id=0x2222, flags="DF", **fields)


def ip6(**fields):
    return IPv6(src=A6, dst=R6, **fields)


def frag_needed(data, mtu):
    """RFC 1191 section 4, quoting as much as fits 576 bytes: RFC 1812 section 4.3.2.3."""
    return final(Ether(src=R, dst=A) /
                 IP(src=R4, dst=A4, tos=0xc0, ttl=64, flags="DF", id=0) /
                 ICMP(type=3, code=4, nexthopmtu=mtu) / Raw(data[14:14 + 548]))


def packet_too_big(data, mtu):
    """RFC 8201, quoting as much as fits 1280 bytes: RFC 4443 section 2.4."""
    return final(Ether(src=R, dst=A) / IPv6(src=R6, dst=A6, hlim=64) / ICMPv6PacketTooBig(mtu=mtu) /
                 Raw(data[14:14 + 1232]))


def answered(name, data, mtu=MTU, ids="", **spec):
    make = packet_too_big if data[12:14] == b"\x86\xdd" else frag_needed
    size = len(data)
    segments = spec.pop("packets", spec.get("gso_segs", 1))
    config = dict(spec.pop("config", {}), mtu=mtu)
    table.add(name, "port", data, "redirect", "forwarded", out=make(data, mtu), config=config,
              events={"icmp_too_big": 1},
              ids="G-4.4.1-02 G-4.4.1-03" + (" P4-4-01" if make is frag_needed else "") + ids,
              traffic=traffic(port_a_tx=(segments, size), net_tx=(segments, size)), **spec)


def dropped(name, data, **spec):
    config = dict(spec.pop("config", {}))
    config.setdefault("mtu", MTU)
    port_drop(table, name, data, "too_big", counted=True, config=config, **spec)


# At the MTU it passes, one byte more and it does not.
for mtu in (576, 1280, 1450, 3000):
    for family, head, size in (("ip4", ip4(), 28), ("ip6", ip6(), 48)):
        fits = frame(head / UDP(sport=9, dport=9) / Raw(bytes(mtu - size)))
        over = frame(head / UDP(sport=9, dport=9) / Raw(bytes(mtu - size + 1)))
        encap(table, "fits_%s_%d" % (family, mtu), fits, config={"mtu": mtu}, ids="PL-4821-01")
        answered("over_%s_%d" % (family, mtu), over, mtu=mtu, ids=" PL-4821-01")
        # Without an answer, where the network says so.
        dropped("silent_%s_%d" % (family, mtu), over, config={"mtu": mtu, "icmp": False},
                ids="PL-4821-01")
        for tags, wrap in ((1, Dot1Q(vlan=5)), (2, Dot1AD(vlan=6) / Dot1Q(vlan=5))):
            payload = head / UDP(sport=9, dport=9) / Raw(bytes(mtu - size - 4 * tags))
            encap(table, "fits_%s_%d_%d_tags" % (family, mtu, tags), frame(wrap / payload),
                  config={"mtu": mtu}, ids="PL-4821-01")
            # No answer through tags: whose network is it?
            dropped("over_%s_%d_%d_tags" % (family, mtu, tags), frame(wrap / payload / Raw(b"+")),
                    config={"mtu": mtu}, ids="PL-4821-01")

for name, packet in (("tcp", ip4() / TCP(sport=1, dport=2) / Raw(bytes(1500))),
                     ("odd", ip4() / UDP(sport=1, dport=2) / Raw(b"o" * 1501)),
                     ("options", ip4(options=[IPOption(b"\x01" * 4)]) / UDP() / Raw(bytes(1500))),
                     ("first_fragment", IP(src=A4, dst=R4, flags="MF") / UDP(len=3000) /
                      Raw(bytes(1500))),
                     ("df_clear", IP(src=A4, dst=R4) / UDP() / Raw(bytes(1500))),
                     ("echo", ip4() / ICMP(type=8) / Raw(bytes(1500))),
                     ("echo_reply", ip4() / ICMP(type=0) / Raw(bytes(1500))),
                     ("timestamp", ip4() / ICMP(type=13) / Raw(bytes(1500))),
                     ("proto_253", ip4(proto=253) / Raw(bytes(1500)))):
    answered("ip4_" + name, frame(packet), ids=" G-4.4.1-08" if name == "df_clear" else "")
for name, packet in (("tcp", ip6() / TCP(sport=1, dport=2) / Raw(bytes(1500))),
                     ("echo", ip6() / ICMPv6EchoRequest(data=bytes(1500))),
                     ("odd", ip6() / UDP(sport=1, dport=2) / Raw(b"o" * 1501))):
    answered("ip6_" + name, frame(packet))

# Nobody is told of errors, later fragments, groups, or when there is nobody: RFC 1122 section 3.2.2,
# RFC 4443 section 2.4.
for name, packet in (("unreachable", ip4() / ICMP(type=3) / Raw(bytes(1500))),
                     ("redirect", ip4() / ICMP(type=5) / Raw(bytes(1500))),
                     ("time_exceeded", ip4() / ICMP(type=11) / Raw(bytes(1500))),
                     ("parameter", ip4() / ICMP(type=12) / Raw(bytes(1500))),
                     ("fragment", IP(src=A4, dst=R4, frag=200, flags="MF") / Raw(bytes(1500))),
                     ("last_fragment", IP(src=A4, dst=R4, frag=200) / Raw(bytes(1500)))):
    dropped("ip4_no_answer_" + name, frame(packet))
for name, packet in (("unreachable", ip6() / ICMPv6DestUnreach() / Raw(bytes(1500))),
                     ("too_big", ip6() / ICMPv6PacketTooBig() / Raw(bytes(1500)))):
    dropped("ip6_no_answer_" + name, frame(packet))
dropped("no_source_ip4", frame(IP(src="0.0.0.0", dst=R4) / UDP() / Raw(bytes(1500))),
        config={"security": False})
dropped("no_source_ip6", frame(IPv6(src="::", dst=R6) / UDP() / Raw(bytes(1500))),
        config={"security": False})
dropped("broadcast", frame(ip4() / UDP() / Raw(bytes(1500)), dst=BROADCAST))
dropped("multicast6", frame(ip6() / UDP() / Raw(bytes(1500)), dst="33:33:00:00:00:01"))
dropped("unknown_unicast", frame(ip4() / UDP() / Raw(bytes(1500)), dst="02:00:00:00:00:99"),
        config={"flood_unknown": True})
# Frames that are not IP have no one to tell, but are held to the same size.
encap(table, "fits_not_ip", frame(Raw(bytes(MTU)), R)[:12] + b"\x88\xb5" + bytes(MTU),
      ids="PL-4821-01")
dropped("over_not_ip", frame(Raw(bytes(MTU)), R)[:12] + b"\x88\xb5" + bytes(MTU + 1),
        ids="PL-4821-01")
dropped("over_not_ip_broadcast", frame(Raw(b""), BROADCAST)[:12] + b"\x88\xb5" + bytes(MTU + 1))

# An aggregate is as large as its largest packet.
for family, head, l3 in (("ip4", ip4(), 20), ("ip6", ip6(), 40)):
    aggregate = frame(head / TCP(sport=1, dport=2) / Raw(bytes(2900)))
    answered("aggregate_%s_tcp" % family, aggregate, gso_size=MTU - l3 - 20 + 1, gso_segs=3)
    aggregate = frame(head / TCP(sport=1, dport=2, options=[("NOP", None)] * 12) / Raw(bytes(2900)))
    answered("aggregate_%s_tcp_options" % family, aggregate, gso_size=MTU - l3 - 32 + 1, gso_segs=3)
    aggregate = frame(head / UDP(sport=1, dport=2) / Raw(bytes(2900)))
    answered("aggregate_%s_udp" % family, aggregate, gso_size=MTU - l3 - 8 + 1, gso_segs=3)
    # The kernel does not always know how many packets it is: it counts as those its bytes make.
    for rest in (0, 1):
        size = MTU - l3 - 32 + 1
        aggregate = frame(head / TCP(sport=1, dport=2, options=[("NOP", None)] * 12) /
                          Raw(bytes(2 * size + rest)))
        answered("aggregate_%s_uncounted_%d" % (family, rest), aggregate, packets=2 + rest, gso_size=size)

# Through the device, back to its sender.
over = frame(ip4() / UDP(sport=9, dport=9) / Raw(b"w" * 1423))
table.add("wire_ip4", "port", over, "redirect", "forwarded", wire=True,
          copies={"far-a": [frag_needed(over, MTU)]}, events={"icmp_too_big": 1},
          traffic=traffic(port_a_tx=len(over), net_tx=len(over)), ids="G-4.4.1-03")
over = frame(ip6() / UDP(sport=9, dport=9) / Raw(b"w" * 1403))
table.add("wire_ip6", "port", over, "redirect", "forwarded", wire=True,
          copies={"far-a": [packet_too_big(over, MTU)]}, events={"icmp_too_big": 1},
          traffic=traffic(port_a_tx=len(over), net_tx=len(over)), ids="G-4.4.1-03")

# Under a tag, which the kernel has taken off, the answer is under it too and leaves room for it. Behind
# two nobody is told.
for family, head, make in (("ip4", ip4(), frag_needed), ("ip6", ip6(), packet_too_big)):
    l3 = 20 if family == "ip4" else 40
    plain = frame(head / UDP(sport=9, dport=9) / Raw(bytes(MTU - 4 - l3 - 8 + 1)))
    over = plain[:12] + b"\x81\x00\x60\x05" + plain[12:]
    answer = make(plain, MTU - 4)
    answer = answer[:12] + b"\x81\x00\x60\x05" + answer[12:]
    table.add("wire_%s_under_tag" % family, "port", over, "redirect", "forwarded", wire=True,
              verdict_bytes=len(plain), copies={"far-a": [answer]}, events={"icmp_too_big": 1},
              traffic=traffic(port_a_tx=len(plain), net_tx=len(plain)), ids="G-4.4.1-03")

table.write()
