"""What the packet tables are made of: tenants' frames, tunnel packets and the lines of a table.

Frames come from scapy, never from the code under test. Traps of scapy 2.5: automatic GENEVE option
lengths are wrong from 16 words up and the C bit is never set, so both are given here and options are
plain bytes.
"""
import json
import logging
import sys

logging.getLogger("scapy").setLevel(logging.ERROR)

from scapy.contrib.geneve import GENEVE  # noqa: E402
from scapy.all import (ARP, BOOTP, DHCP, Dot1AD, Dot1Q, Dot3, Ether, ICMP,  # noqa: E402,F401
                       ICMPv6DestUnreach, ICMPv6EchoRequest, ICMPv6MLReport2, ICMPv6ND_NA,
                       ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6ND_RS, ICMPv6ND_Redirect,
                       ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, ICMPv6PacketTooBig, IP, IPv6,
                       IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
                       IPv6ExtHdrRouting, IPOption, PadN, RouterAlert, LLC, Raw, SCTP, TCP, UDP)

US4, US6 = "192.168.1.102", "2001:db8::102"
VTEP4, VTEP6 = "192.168.1.101", "2001:db8::101"
UNDERLAY_MAC, VTEP_MAC = "02:00:c0:a8:01:66", "02:00:c0:a8:01:65"
VNI = 10001

# Our ports and the workload behind VTEP4.
A, A4, A6 = "aa:bb:cc:dd:ee:11", "10.0.1.11", "2001:db8:a::11"
B, B4, B6 = "02:00:00:00:00:0b", "10.0.1.12", "2001:db8:a::12"
R, R4, R6 = "aa:bb:cc:dd:ee:ff", "10.0.1.10", "2001:db8:a::10"
BROADCAST = "ff:ff:ff:ff:ff:ff"
A_LLA = "fe80::a8bb:ccff:fedd:ee11"
DATA = b"GENEVE!!"


def final(packet):
    """The bytes of a packet, every automatic field filled in."""
    return bytes(packet)


def tunnel(inner, vni=VNI, options=b"", critical=0, v6=False, tos=0, ttl=64, sport=54321,
           checksum=True, src=None, dst=None, eth=None, dport=6081, udp_bytes=None,
           udp_payload_bytes=None, ident=0, **geneve):
    """The tunnel packet around the bytes of `inner`; `udp_bytes`: what its UDP length field says;
    `udp_payload_bytes`: the GENEVE message is cut to so many, the lengths outside it fit."""
    head = GENEVE(vni=vni, proto=geneve.pop("proto", 0x6558), optionlen=len(options) // 4,
                  critical=critical, **geneve)
    udp = UDP(sport=sport, dport=dport, len=udp_bytes)
    if not checksum:
        udp.chksum = 0
    if v6:
        ip = IPv6(src=src or VTEP6, dst=dst or US6, tc=tos, hlim=ttl)
    else:
        ip = IP(src=src or VTEP4, dst=dst or US4, tos=tos, ttl=ttl, flags="DF", id=ident)
    eth = eth or Ether(src=VTEP_MAC, dst=UNDERLAY_MAC)
    return final(eth / ip / udp / Raw((bytes(head)[:8] + options + inner)[:udp_payload_bytes]))


def zero_sum(inner, make):
    """`inner` with two bytes more, so that the UDP checksum of the tunnel packet `make(inner)`, which
    must have one, comes out as zero."""
    def checksum(data):
        packet = Ether(make(data))
        return packet[UDP].chksum

    # Ones' complement sums: the checksum of the packet with zeros is what is missing.
    data = inner + b"\0" * (len(inner) % 2)
    return data + checksum(data + b"\0\0").to_bytes(2, "big")


def outgoing(inner, **how):
    """The tunnel packet that we send around `inner`. The program leaves the outer MACs to the
    neighbour table of the underlay; `sent` is what is on the wire."""
    how.setdefault("src", US6 if how.get("v6") else US4)
    how.setdefault("dst", VTEP6 if how.get("v6") else VTEP4)
    nobody = "00:00:00:00:00:00"
    how.setdefault("eth", Ether(dst=nobody, src=nobody))
    return tunnel(inner, **how)


def sent(inner, **how):
    return outgoing(inner, eth=Ether(dst=VTEP_MAC, src=UNDERLAY_MAC), **how)


def traffic(**counts):
    """traffic(port_a_tx=60, net_tx=60) → packets and bytes of each; a pair is (packets, bytes)."""
    names = {"port_a": "port-a", "port_b": "port-b", "port_c": "port-c", "net": "net:10001",
             "red": "net:20002", "peer4": "peer:" + VTEP4, "peer6": "peer:" + VTEP6,
             "peer100": "peer:192.168.1.100"}
    out = {}
    for key, value in counts.items():
        name, way = key.rsplit("_", 1)
        name = names.get(name, name)
        if way == "dropped":
            out[name + " dropped"] = value
        else:
            packets, size = value if isinstance(value, tuple) else (1, value)
            out["%s %s packets" % (name, way)] = packets
            out["%s %s bytes" % (name, way)] = size
    return out


VERIFIED = {"csum_verified": 1}  # what a non-zero outer checksum moves


def underlay_drop(table, name, packet, verdict, **spec):
    """A tunnel packet that ends before it is decapsulated, or at once thereafter."""
    spec.setdefault("events", VERIFIED)
    table.add(name, "underlay", packet, "shot", verdict, **spec)


class Table:
    """The lines of one table; written as JSON."""

    def __init__(self):
        self.cases = []
        self.names = set()

    def add(self, name, hook, frame, action, verdict, out=None, **spec):
        assert name not in self.names, name
        self.names.add(name)
        case = {"name": name, "hook": hook, "in": bytes(frame).hex(), "action": action,
                "verdict": verdict}
        case.setdefault("device", "port-a" if hook == "port" else "underlay")
        if out is not None:
            case["out"] = bytes(out).hex()
        copies = spec.pop("copies", None)
        if copies:
            case["copies"] = {d: [bytes(f).hex() for f in fs] for d, fs in copies.items()}
        case.update({k: v for k, v in spec.items() if v is not None})
        self.cases.append(case)

    def write(self):
        with open(sys.argv[1], "w", encoding="ascii") as file:
            json.dump(self.cases, file, indent=1)


def port_drop(table, name, frame, verdict, counted=False, **spec):
    """A frame from port-a that ends here. `counted`: it passed port security, so it counts as sent."""
    size = len(frame)
    moved = traffic(port_a_tx=size, net_tx=size) if counted else {}
    moved.update(traffic(port_a_dropped=1))
    table.add(name, "port", frame, "shot", verdict, traffic=moved, **spec)


def encap(table, name, frame, v6=False, inner=None, config=None, events=None, **spec):
    """A frame from port-a to R that leaves in a tunnel packet. `inner`: its bytes in there, when the
    program is to change them."""
    config = dict(config or {})
    how = spec.pop("how", {})
    inner = bytes(inner if inner is not None else frame)
    checksum = spec.pop("checksum", config.get("checksum", False))
    if v6:
        config.setdefault("fdb", {R: VTEP6})
    options = bytes.fromhex(config.get("options", ""))
    critical = 1 if config.get("options_critical") else 0
    wanted = outgoing(inner, v6=v6, options=options, critical=critical, **how)
    size = len(frame)
    peer = {"peer6_tx" if v6 else "peer4_tx": size}
    table.add(name, "port", frame, "redirect", "forwarded", out=wanted, encap=True,
              inner=inner.hex(), checksum="good" if checksum else "zero", config=config,
              traffic=traffic(port_a_tx=size, net_tx=size, **peer), events=events or {}, **spec)


def decap(table, name, packet, inner, verdict="forwarded", to="port_a", **spec):
    """A tunnel packet that ends as the bytes `inner` at a port."""
    spec.setdefault("events", VERIFIED)
    peer = spec.pop("peer", "peer4")
    net = spec.pop("net", "net")
    size = len(inner)
    spec["traffic"] = traffic(**{to + "_rx": size, net + "_rx": size, peer + "_rx": size})
    table.add(name, "underlay", packet, "redirect", verdict, out=inner, **spec)
