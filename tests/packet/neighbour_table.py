"""ARP and neighbour solicitations answered by the datapath, byte by byte."""
from frames import *  # noqa: F403

table = Table()
CONFIG = {"neighbours": {R4: R, R6: R, A4: A, A6: A, B4: B, B6: B}, "vteps": [VTEP4]}


def frame(payload, dst, src=A):
    return final(Ether(src=src, dst=dst) / payload)


def answered(name, question, answer, event, ids="", **spec):
    size = len(question)
    table.add(name, "port", question, "redirect", "forwarded", out=answer, config=CONFIG,
              events={event: 1}, traffic=traffic(port_a_tx=size, net_tx=size), ids=ids, **spec)


def flooded(name, question, config=None, **how):
    """Nobody answers: it goes where any broadcast goes."""
    size = len(question)
    table.add(name, "port", question, "redirect", "forwarded", out=outgoing(question), encap=True,
              inner=question.hex(), checksum="zero", config=dict(CONFIG, **(config or {})),
              copies={"far-b": [question]}, events={"flood_copies": 2},
              traffic=traffic(port_a_tx=size, net_tx=size, peer4_tx=size, port_b_rx=size), **how)


PAD = Raw(bytes(18))  # short frames are padded by their sender; the answer keeps the padding
for target4, mac, name in ((R4, R, "remote"), (B4, B, "local")):
    for pad in (None, PAD):
        def arp(**fields):
            packet = ARP(**fields)
            return packet / pad if pad else packet

        answered("arp_%s%s" % (name, "_padded" if pad else ""),
                 frame(arp(op=1, hwsrc=A, psrc=A4, pdst=target4), BROADCAST),
                 frame(arp(op=2, hwsrc=mac, psrc=target4, hwdst=A, pdst=A4), A, src=mac),
                 "arp_answered")
    answered("arp_unicast_" + name, frame(ARP(op=1, hwsrc=A, psrc=A4, hwdst=mac, pdst=target4), mac),
             frame(ARP(op=2, hwsrc=mac, psrc=target4, hwdst=A, pdst=A4), A, src=mac), "arp_answered")
    answered("arp_probe_" + name, frame(ARP(op=1, hwsrc=A, psrc="0.0.0.0", pdst=target4), BROADCAST),
             frame(ARP(op=2, hwsrc=mac, psrc=target4, hwdst=A, pdst="0.0.0.0"), A, src=mac),
             "arp_answered")
flooded("arp_unknown", frame(ARP(op=1, hwsrc=A, psrc=A4, pdst="10.0.1.99"), BROADCAST))
flooded("arp_own_address", frame(ARP(op=1, hwsrc=A, psrc=A4, pdst=A4), BROADCAST))
flooded("arp_reply_broadcast", frame(ARP(op=2, hwsrc=A, psrc=A4, pdst=R4), BROADCAST))
flooded("arp_nothing_known", frame(ARP(op=1, hwsrc=A, psrc=A4, pdst=R4), BROADCAST),
        config={"neighbours": {}})
flooded("arp_in_vlan", final(Ether(src=A, dst=BROADCAST) / Dot1Q(vlan=5) /
                             ARP(op=1, hwsrc=A, psrc=A4, pdst=R4)))

# IPv6: RFC 4861 sections 4.4, 7.2.4.
SOLICITED_MAC, SOLICITED = "33:33:ff:00:00:10", "ff02::1:ff00:10"


def ns(target, src=A6, dst=SOLICITED, mac=SOLICITED_MAC, options=None, hlim=255, code=0):
    packet = IPv6(src=src, dst=dst, hlim=hlim) / ICMPv6ND_NS(tgt=target, code=code)
    for option in options or []:
        packet = packet / option
    return frame(packet, mac)


def na(target, mac, dst=A6, dst_mac=A, solicited=1):
    return frame(IPv6(src=target, dst=dst, hlim=255) /
                 ICMPv6ND_NA(tgt=target, R=0, S=solicited, O=1) / ICMPv6NDOptDstLLAddr(lladdr=mac),
                 dst_mac, src=mac)


SLLA = ICMPv6NDOptSrcLLAddr(lladdr=A)
NONCE = Raw(bytes([14, 1]) + b"nonce!")
for target6, mac, name in ((R6, R, "remote"), (B6, B, "local")):
    answered("nd_" + name, ns(target6, options=[SLLA]), na(target6, mac), "nd_answered")
    answered("nd_no_option_" + name, ns(target6), na(target6, mac), "nd_answered")
    answered("nd_two_options_" + name, ns(target6, options=[SLLA, NONCE]), na(target6, mac),
             "nd_answered")
    answered("nd_unicast_" + name, ns(target6, dst=target6, mac=mac, options=[SLLA]),
             na(target6, mac), "nd_answered")
    answered("nd_from_link_local_" + name, ns(target6, src=A_LLA, options=[SLLA]),
             na(target6, mac, dst=A_LLA), "nd_answered")
    answered("nd_duplicate_detection_" + name, ns(target6, src="::"),
             na(target6, mac, dst="ff02::1", dst_mac="33:33:00:00:00:01", solicited=0),
             "nd_answered")
flooded("nd_unknown", ns("2001:db8:a::99", options=[SLLA]))
flooded("nd_own_address", ns(A6, src="::"))
flooded("nd_hop_limit", ns(R6, options=[SLLA], hlim=254))
flooded("nd_code", ns(R6, options=[SLLA], code=1))
flooded("nd_nothing_known", ns(R6, options=[SLLA]), config={"neighbours": {}})
flooded("nd_in_vlan", final(Ether(src=A, dst=SOLICITED_MAC) / Dot1Q(vlan=5) /
                            IPv6(src=A6, dst=SOLICITED, hlim=255) / ICMPv6ND_NS(tgt=R6)))

# Through the device, back to the one who asked.
question = frame(ARP(op=1, hwsrc=A, psrc=A4, pdst=R4), BROADCAST)
table.add("wire_arp", "port", question, "redirect", "forwarded", wire=True, config=CONFIG,
          events={"arp_answered": 1}, traffic=traffic(port_a_tx=len(question), net_tx=len(question)),
          copies={"far-a": [frame(ARP(op=2, hwsrc=R, psrc=R4, hwdst=A, pdst=A4), A, src=R)]})
question = ns(R6, options=[SLLA])
table.add("wire_nd", "port", question, "redirect", "forwarded", wire=True, config=CONFIG,
          events={"nd_answered": 1}, traffic=traffic(port_a_tx=len(question), net_tx=len(question)),
          copies={"far-a": [na(R6, R)]})

table.write()
