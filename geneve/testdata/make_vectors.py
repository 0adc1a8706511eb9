#!/usr/bin/env python3
"""Builds the packets of constructed.txt, field by field, from the RFCs.

Shares no code with the library it tests: struct and an own one's-complement sum only. To prove the
building blocks, the same functions also rebuild packets of vectors.txt, which come from elsewhere;
any difference is an error.

  make_vectors.py            rewrite constructed.txt
  make_vectors.py --check    fail if constructed.txt is not what this script writes
"""
import ipaddress
import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).parent
PEER4, US4, GROUP4 = "192.168.1.101", "192.168.1.102", "239.1.1.1"
PEER6, US6 = "2001:db8::101", "2001:db8::102"
MAC_PEER, MAC_US = "0200c0a80165", "0200c0a80166"
MAC_A, MAC_B = "aabbccddeeff", "aabbccddee11"
DATA = b"GENEVE!!"


def csum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def addr(text):
    return ipaddress.ip_address(text).packed


def ether(dst, src, ethertype, payload, tags=()):
    head = bytes.fromhex(dst + src)
    for tpid, tci in tags:
        head += struct.pack(">HH", tpid, tci)
    return head + struct.pack(">H", ethertype) + payload


def ipv4(src, dst, proto, payload, tos=0, ttl=64, df=0x4000, ident=1, options=b"", bad=0):
    ihl = 5 + len(options) // 4
    head = struct.pack(">BBHHHBBH", 0x40 | ihl, tos, ihl * 4 + len(payload), ident, df, ttl, proto, 0)
    head += addr(src) + addr(dst) + options
    return head[:10] + struct.pack(">H", csum(head) ^ bad) + head[12:] + payload


def ipv6(src, dst, proto, payload, tc=0, hops=64, label=0):
    return struct.pack(">IHBB", 6 << 28 | tc << 20 | label, len(payload), proto, hops) + \
        addr(src) + addr(dst) + payload


def udp(src, dst, payload, sport=54321, dport=6081, length=None, checksum=None):
    real = 8 + len(payload)
    pseudo = addr(src) + addr(dst) + struct.pack(">HH", 17, real)
    head = struct.pack(">HHHH", sport, dport, length or real, 0)
    if checksum is None:
        checksum = csum(pseudo + head + payload) or 0xFFFF
    return head[:6] + struct.pack(">H", checksum) + payload


def icmp(src=None, dst=None, ident=0x1234, data=DATA):
    """Echo request: ICMP without addresses, ICMPv6 with them."""
    if src is None:
        body = struct.pack(">BBHHH", 8, 0, 0, ident, 1) + data
        return body[:2] + struct.pack(">H", csum(body)) + body[4:]
    body = struct.pack(">BBHHH", 128, 0, 0, ident, 1) + data
    pseudo = addr(src) + addr(dst) + struct.pack(">II", len(body), 58)
    return body[:2] + struct.pack(">H", csum(pseudo + body)) + body[4:]


A4, B4, A6, B6 = "10.0.1.10", "10.0.1.11", "2001:db8:a::10", "2001:db8:a::11"


def inner_ip4(tos=0, ttl=64):
    return ipv4(A4, B4, 1, icmp(), tos=tos, ttl=ttl, df=0)


def inner_ip6(tc=0):
    return ipv6(A6, B6, 58, icmp(A6, B6), tc=tc)


def frame4(tos=0, tags=()):
    return ether(MAC_B, MAC_A, 0x0800, inner_ip4(tos), tags)


def frame6(tc=0):
    return ether(MAC_B, MAC_A, 0x86DD, inner_ip6(tc))


def arp(dst="ffffffffffff"):
    body = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1) + bytes.fromhex(MAC_A) + addr(A4) + \
        bytes(6) + addr(B4)
    return ether(dst, MAC_A, 0x0806, body)


def bfd(version=1, state=1, flags=0, mult=3, length=24, my=1, your=0):
    return struct.pack(">BBBBIIIII", version << 5, state << 6 | flags, mult, length, my, your,
                       1000000, 1000000, 0)


def bfd_frame(ttl=255, **fields):
    src, dst = "10.0.1.1", "10.0.1.2"
    packet = udp(src, dst, bfd(**fields), sport=49152, dport=3784)
    return ether("02000a000102", "02000a000101", 0x0800, ipv4(src, dst, 17, packet, 0xC0, ttl))


class Option:
    def __init__(self, cls, typ, data=b"", r=0, words=None):
        self.cls, self.typ, self.data, self.r = cls, typ, data, r
        self.words = len(data) // 4 if words is None else words

    def pack(self):
        return struct.pack(">HBB", self.cls, self.typ, self.r << 5 | self.words) + self.data

    def whole(self):
        return self.words * 4 == len(self.data)

    def line(self):
        return "option %04x/%02x %d %d %s" % (self.cls, self.typ, self.r, self.words,
                                              self.data.hex() or "-")


class Packet:
    """One packet: keyword arguments set what differs from the canonical one (vector B02)."""

    def __init__(self, vid, title, verdict, inner=None, **k):
        self.vid, self.title, self.verdict, self.k = vid, title, verdict, k
        self.payload = frame4() if inner is None else inner
        self.patch, self.profile = k.get("patch", ()), k.get("profile", ())

    def build(self):
        k = self.k
        if "raw" in k:
            self.frame, self.facts = k["raw"], []
            return self
        options = k.get("options", ())
        area = b"".join(o.pack() for o in options)
        words = k.get("words", len(area) // 4)
        ver, o, c, rsvd = k.get("ver", 0), k.get("o", 0), k.get("c", 0), k.get("rsvd", 0)
        proto, vni, reserved = k.get("proto", 0x6558), k.get("vni", 10001), k.get("reserved", 0)
        header = struct.pack(">BBHI", ver << 6 | words, o << 7 | c << 6 | rsvd, proto,
                             vni << 8 | reserved)
        message = (header + area + self.payload)[:k.get("cut")]
        v6 = k.get("v6", False)
        src = k.get("src", PEER6 if v6 else PEER4)
        dst = k.get("dst", US6 if v6 else US4)
        datagram = udp(src, dst, message, k.get("sport", 54321), k.get("dport", 6081),
                       k.get("udp_length"), k.get("udp_checksum"))
        if "udp_error" in k:
            good, = struct.unpack(">H", datagram[6:8])
            datagram = datagram[:6] + struct.pack(">H", good ^ k["udp_error"]) + datagram[8:]
        tos, ttl = k.get("tos", 0), 64
        extension = k.get("extension", b"")
        if v6:
            packet = ipv6(src, dst, k.get("next", 17), extension + datagram, tos, ttl,
                          k.get("label", 0))
        else:
            packet = ipv4(src, dst, 17, datagram + k.get("junk", b""), tos, ttl,
                          k.get("df", 0x4000), options=extension, bad=k.get("ip_error", 0))
        mac = "01005e010101" if dst == GROUP4 else MAC_US
        tags = k.get("tags", ())
        self.frame = ether(mac, MAC_PEER, 0x86DD if v6 else 0x0800, packet, tags)
        self.frame += k.get("trailer", b"")

        at = 14 + 4 * len(tags) + (40 if v6 else 20) + len(extension) + 8
        self.facts = ["ip %d %s %s %02x %d" % (6 if v6 else 4, src, dst, tos, ttl)]
        if "OUTER" not in self.verdict:
            length, checksum = struct.unpack(">HH", datagram[4:8])
            self.facts.append("udp %d %d %d %04x" % (k.get("sport", 54321), k.get("dport", 6081),
                                                     length, checksum))
            if len(message) >= 8:
                self.facts.append("geneve %d %d %d %d %d %02x %04x %d %02x" %
                                  (at, ver, words, o, c, rsvd, proto, vni, reserved))
                if "OPT_TRUNC" not in self.verdict:
                    whole = [x for x in options if x.whole()]
                    self.facts += [x.line() for x in whole] + ["options %d" % len(whole)]
        if self.verdict == "ACCEPT":
            self.facts.insert(0, "inner %d %d" % (at + 8 + 4 * words, len(self.payload)))
        return self

    def text(self):
        lines = ["vector %s %s" % (self.vid, self.title)]
        lines += ["profile " + p for p in self.profile] + ["verdict " + self.verdict]
        inner = [f for f in self.facts if f.startswith("inner")]
        lines += inner + ["patch %d %02x" % p for p in self.patch]
        lines += [f for f in self.facts if not f.startswith("inner")]
        lines.append("frame %d" % len(self.frame))
        digits = self.frame.hex()
        return "\n".join(lines + [digits[i:i + 96] for i in range(0, len(digits), 96)]) + "\n"


DEADBEEF = Option(0xFF00, 0x01, bytes.fromhex("deadbeef"))
EMPTY = Option(0xFF00, 0x02)
EIGHT = Option(0xFF00, 0x03, bytes.fromhex("0011223344556677"))
CRITICAL = Option(0xFF00, 0x81, bytes.fromhex("cafef00d"))
ECN_NAMES = ("Not-ECT", "ECT(1)", "ECT(0)", "CE")


def pattern(n):
    return bytes(i & 0xFF for i in range(n))


def ecn_result(inner, outer):
    """RFC 6040 figure 4, written out: rows inner, columns outer, both in the order of the codes."""
    return ((0, 0, 0, None),  # Not-ECT
            (1, 1, 1, 3),     # ECT(1)
            (2, 1, 2, 3),     # ECT(0)
            (3, 3, 3, 3))[inner][outer]


def ecn_packets():
    order = (0, 2, 1, 3)  # Not-ECT, ECT(0), ECT(1), CE: rows and columns of the figure
    for family in (4, 6):
        for row, inner in enumerate(order):
            for column, outer in enumerate(order):
                number = row * 4 + column + (1 if family == 4 else 17)
                result = ecn_result(inner, outer)
                frame = frame4(inner) if family == 4 else frame6(inner)
                patch = ()
                if result is not None:
                    after = frame4(result) if family == 4 else frame6(result)
                    patch = tuple((i, b) for i, (a, b) in enumerate(zip(frame, after)) if a != b)
                yield Packet("E%02d" % number, "IPv%d/IPv%d: inner %s, outer %s" %
                             (family, family, ECN_NAMES[inner], ECN_NAMES[outer]),
                             "DROP ECN" if result is None else "ACCEPT", frame, v6=family == 6,
                             tos=outer, patch=patch)


def whole_frame_b02():
    return Packet("", "", "ACCEPT").build().frame


def fragment(offset, more, payload):
    packet = ipv4(PEER4, US4, 17, payload, df=(0x2000 if more else 0) | offset // 8, ident=0xBEEF)
    return ether(MAC_US, MAC_PEER, 0x0800, packet)


def packets():
    P = Packet
    yield P("B10", "Outer DF clear", "ACCEPT", df=0)
    yield P("B12", "Inner IPv6 directly, Protocol Type 0x86DD, L3 VNI 20001", "ACCEPT",
            inner_ip6(), proto=0x86DD, vni=20001)
    yield P("B14", "Inner broadcast ARP, outer unicast", "ACCEPT", arp())
    yield P("B15", "Inner 802.1Q tag: priority 5, VID 100", "ACCEPT",
            frame4(tags=((0x8100, 5 << 13 | 100),)))
    yield P("B17", "Inner multicast 239.2.2.2, outer unicast", "ACCEPT",
            ether("01005e020202", MAC_A, 0x0800, ipv4(A4, "239.2.2.2", 17,
                                                      udp(A4, "239.2.2.2", DATA, 5000, 5000))))
    yield P("B19", "Inner ARP padded to 60 bytes by the tenant", "ACCEPT", arp() + bytes(18))
    yield P("O12", "Known critical option, bytes of O08", "ACCEPT", options=[CRITICAL], c=1,
            profile=["known ff00/81 4"])
    yield P("O16", "Options of O03 in another order", "ACCEPT", options=[EIGHT, DEADBEEF, EMPTY])
    yield P("O17", "One option claims 31 words, OptLen is 2", "DROP OPT_LEN",
            options=[Option(0xFF00, 0x01, bytes.fromhex("deadbeef"), words=31)])
    yield P("O18", "OptLen covers the option header only, its data would be the inner frame",
            "DROP OPT_LEN", options=[Option(0xFF00, 0x01, words=1)])
    yield P("O21", "128 bytes of options, endpoint takes 64", "DROP OPT_CAPACITY",
            options=[Option(0xFF00, 0x04, pattern(124))], profile=["capacity 64"])
    yield P("O22", "Two zero words after the last option", "ACCEPT",
            options=[DEADBEEF, Option(0, 0), Option(0, 0)])
    yield P("H01", "Version 1", "DROP VERSION", ver=1)
    yield P("H04", "Rsvd and Reserved all ones", "ACCEPT", rsvd=0x3F, reserved=0xFF)
    yield P("H08", "Protocol Type 0x88B5 on an L2 VNI", "DROP PROTO", proto=0x88B5)
    yield P("H09", "IPv4 payload on an L2 VNI", "DROP PROTO", inner_ip4(), proto=0x0800)
    yield P("H11", "O = 1 on a VNI that is not provisioned", "DROP VNI", vni=0x112700, o=1)
    for number, size in ((1, 0), (3, 4), (4, 6), (5, 7)):
        yield P("T%02d" % number, "Fixed header cut after %d bytes" % size, "DROP SHORT_HDR",
                cut=size)
    yield P("T09", "OptLen 63 words, 248 of 252 bytes present", "DROP OPT_TRUNC", b"",
            options=[Option(0xFF00, 0x04, pattern(124)), Option(0xFF00, 0x05, pattern(116))],
            words=63)
    yield P("T11", "Inner Ethernet cut after 1 byte", "DROP INNER_SHORT", frame4()[:1])
    yield P("T13", "Inner frame is an Ethernet header of type IPv4 and nothing else",
            "DROP INNER_SHORT", frame4()[:14])
    yield P("T15", "UDP Length larger than the IP payload", "DROP UDP_LEN", udp_length=67,
            udp_checksum=0)
    yield P("T19", "6 bytes of Ethernet trailer after the IP datagram", "ACCEPT",
            trailer=b"TRAILR")
    yield P("T20", "Outer IPv4 header checksum wrong", "DROP OUTER_IPCSUM", ip_error=0x0100)
    yield P("I03", "IPv6 underlay, UDP checksum 0, zero-checksum mode off", "DROP UDP6_ZERO_CSUM",
            v6=True, udp_checksum=0)
    yield P("I06", "IPv6 underlay, UDP checksum wrong", "DROP UDP_CSUM", v6=True, udp_error=0x0100)
    yield P("I09", "IPv6 underlay, first fragment", "DROP OUTER_FRAG", v6=True, next=44,
            extension=struct.pack(">BBHI", 17, 0, 1, 0xBEEF))
    yield P("I10", "IPv6 underlay, Destination Options header (PadN) before UDP", "ACCEPT", v6=True,
            next=60, extension=struct.pack(">BBBBI", 17, 0, 1, 4, 0))
    datagram = whole_frame_b02()[34:]
    yield P("F01", "IPv4 underlay, first fragment (MF = 1, 40 bytes)", "DROP OUTER_FRAG",
            raw=fragment(0, True, datagram[:40]))
    yield P("N06", "Inner IPv6 ECT(0), outer IPv4 CE", "ACCEPT", frame6(2), tos=3,
            patch=((15, 0x30),))
    yield P("N08", "Inner ARP, outer CE", "ACCEPT", arp(), tos=3)
    have = set("E03 E04 E06 E07 E09 E11 E13 E15 E16 E17 E18 E20 E21 E22 E25 E27 E30 E31".split())
    yield from (p for p in ecn_packets() if p.vid not in have)
    yield P("D01", "BFD, Ethernet payload, L2 VNI 10001", "CTRL", bfd_frame(), o=1)
    yield P("D02", "BFD Up with Your Discriminator 0x2A", "CTRL", bfd_frame(state=3, your=0x2A), o=1)
    echo = ipv4(PEER4, "127.0.0.1", 1, icmp(ident=0x0A77, data=b"OAM-TEST"), ttl=255)
    yield P("D08", "OAM: ICMP echo on Management VNI 1 to 127.0.0.1", "CTRL", echo, proto=0x0800,
            vni=1, o=1)
    yield P("D12", "BFD version 2", "CTRL", bfd_frame(version=2), o=1)
    yield P("D13", "BFD Length 23", "CTRL", bfd_frame(length=23), o=1)
    yield P("D15", "BFD Detect Mult 0", "CTRL", bfd_frame(mult=0), o=1)
    yield P("D19", "BFD Your Discriminator of no session", "CTRL", bfd_frame(your=0xDEAD), o=1)
    yield P("D20", "BFD A bit set, Length 24", "CTRL", bfd_frame(flags=0x04), o=1)
    ovn = Option(0x0102, 0x80, struct.pack(">HH", 5, 0x8001))
    yield P("W02", "OVN: ingress port 5, egress multicast group 0x8001", "ACCEPT", options=[ovn],
            c=1, profile=["known 0102/80 4"])
    yield P("W10", "Google Cloud NSI: network, endpoint, profile; VNI 0, IPv4 payload", "ACCEPT",
            inner_ip4(), proto=0x0800, vni=0, profile=["vni 0 L3"],
            options=[Option(0x0132, 1, struct.pack(">I", 0x0ABCDEF << 4 | 1)),
                     Option(0x0132, 2, pattern(16)), Option(0x0132, 3, struct.pack(">Q", 4711))])
    capture = struct.pack(">IHBB", 77, 1514, 0, 1) + struct.pack(">HIIH", 1, 2, 123456789, 9) + \
        struct.pack(">HH", 3, 4)
    yield P("W11", "cPacket: capture metadata", "ACCEPT", options=[Option(0x0164, 0, capture)])
    # Inner protocol 2 (IPv4) in bits 0-1, nested IPv6 in bit 2.
    yield P("W13", "Linux GRO hint", "ACCEPT",
            options=[Option(0x0100, 1, bytes((2 | 1 << 2, 14, 54, 62)))])
    yield P("W14", "Tailscale peer relay: Protocol Type 0x7A11, no options", "DROP PROTO", DATA,
            proto=0x7A11)
    yield P("X04", "Expected output: inner EF, DSCP copied, outer EF", "ACCEPT", frame4(0xB8),
            tos=0xB8)
    quote = ipv6(A6, B6, 17, struct.pack(">HHHH", 9, 9, 1452, 0), hops=64)[:48]
    big = struct.pack(">BBHI", 2, 0, 0, 1430) + quote
    pseudo = addr(B6) + addr(A6) + struct.pack(">II", len(big), 58)
    big = big[:2] + struct.pack(">H", csum(pseudo + big)) + big[4:]
    yield P("P02", "To tenant: ICMPv6 Packet Too Big, MTU 1430", "TENANT",
            raw=ether(MAC_A, MAC_B, 0x86DD, ipv6(B6, A6, 58, big)))
    quoted = ipv4(PEER4, US4, 17, struct.pack(">HHHH", 54321, 6081, 1480, 0x24D4) +
                  struct.pack(">BBHI", 0, 0, 0x6558, 10001 << 8))
    needed = struct.pack(">BBHHH", 3, 4, 0, 0, 1400) + quoted
    needed = needed[:2] + struct.pack(">H", csum(needed)) + needed[4:]
    yield P("P04", "To VTEP: Fragmentation Needed, MTU 1400, quote with the GENEVE header", "ICMP",
            raw=ether(MAC_PEER, "0200c0a80101", 0x0800, ipv4("192.168.1.1", PEER4, 1, needed, df=0)))


def references():
    """Packets of vectors.txt, built by the same functions: bytes, verdict and fields must agree."""
    P = Packet
    yield P("B02", "", "ACCEPT")
    yield P("B03", "", "ACCEPT", udp_checksum=0)
    yield P("B08", "", "ACCEPT", tags=((0x8100, 200),))
    yield P("B09", "", "ACCEPT", extension=b"\1\1\1\1")
    yield P("B11", "", "ACCEPT", inner_ip4(), proto=0x0800, vni=20001)
    yield P("B13", "", "ACCEPT", frame6())
    yield P("B16", "", "ACCEPT", frame4(tags=((0x88A8, 300), (0x8100, 100))))
    yield P("B18", "", "ACCEPT", arp(), dst=GROUP4)
    yield P("O03", "", "ACCEPT", options=[EMPTY, DEADBEEF, EIGHT])
    yield P("O07", "", "ACCEPT", options=[Option(0xFF00, 1, DEADBEEF.data, r=7)])
    yield P("O08", "", "DROP OPT_CRIT", options=[CRITICAL], c=1)
    yield P("O19", "", "DROP OPT_LEN",
            options=[DEADBEEF, Option(0xFF00, 3, EIGHT.data[:4], words=2)])
    yield P("H02", "", "DROP VERSION", ver=2)
    yield P("H05", "", "CTRL", o=1)
    yield P("T12", "", "DROP INNER_SHORT", frame4()[:13])
    yield P("T17", "", "ACCEPT", junk=b"JUNK")
    yield P("I01", "", "ACCEPT", v6=True)
    yield P("I08", "", "ACCEPT", frame6(), v6=True)
    yield P("N07", "", "ACCEPT", frame4(2, ((0x8100, 5 << 13 | 100),)), tos=3,
            patch=((19, 3), (29, 0xC1)))
    yield P("D06", "", "CTRL", bfd_frame(ttl=254), o=1)
    datagram = whole_frame_b02()[34:]
    yield P("F02", "", "DROP OUTER_FRAG", raw=fragment(40, False, datagram[40:]))
    yield from ecn_packets()


def sections(path):
    text = path.read_text()
    return {part.split(None, 2)[1]: part + "\n" for part in text.split("\n\n")
            if part.startswith("vector ")}


def check_references():
    known, compared = sections(HERE / "vectors.txt"), 0
    for packet in references():
        if packet.vid not in known:
            continue
        def facts(text):
            kept = ("verdict", "inner", "patch", "geneve", "options", "frame")
            return [line for line in text.splitlines()
                    if line.startswith(kept) or len(line.split()) == 1]
        ours, theirs = facts(packet.build().text()), facts(known[packet.vid])
        if not any(line.startswith("geneve") for line in theirs):
            ours = [line for line in ours if not line.startswith(("geneve", "options"))]
        if ours != theirs:
            sys.exit("%s differs from vectors.txt:\n%s\n%s" % (packet.vid, ours, theirs))
        compared += 1
    if compared < 35:
        sys.exit("only %d packets compared" % compared)


def main():
    check_references()
    text = "# Made by make_vectors.py; the format is that of vectors.txt.\n\n"
    text += "\n".join(packet.build().text() for packet in packets()) + "\n"
    target = HERE / "constructed.txt"
    if "--check" in sys.argv:
        if target.read_text() != text:
            sys.exit("constructed.txt is not what make_vectors.py writes")
    else:
        target.write_text(text)


main()
