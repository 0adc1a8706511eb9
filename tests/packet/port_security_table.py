"""What a port may say of itself, and what it may not."""
from frames import *  # noqa: F403

table = Table()
STRANGER, STRANGER4, STRANGER6 = "02:00:00:00:00:99", "10.0.1.99", "2001:db8:a::99"
CONFIG = {"neighbours": {R4: R, R6: R}}
ONE_VTEP = {"vteps": [VTEP4]}


def frame(payload, src=A, dst=R, **ether):
    return final(Ether(src=src, dst=dst, **ether) / payload)


def allowed(name, data, ids=""):
    """To R: leaves in a tunnel packet. To a group: that, and a copy for port-b."""
    if data[0] & 1:
        size = len(data)
        table.add(name, "port", data, "redirect", "forwarded", out=outgoing(data), encap=True,
                  inner=data.hex(), checksum="zero", config=ONE_VTEP, copies={"far-b": [data]},
                  events={"flood_copies": 2}, ids=ids,
                  traffic=traffic(port_a_tx=size, net_tx=size, peer4_tx=size, port_b_rx=size))
    else:
        encap(table, name, data, ids=ids)


def refused(name, data, verdict, ids="", **config):
    port_drop(table, name, data, verdict, ids=ids, config=config)
    # The same without port security is forwarded or flooded.
    if data[0] & 1:
        size = len(data)
        table.add(name + "_security_off", "port", data, "redirect", "forwarded", out=outgoing(data),
                  encap=True, inner=data.hex(), checksum="zero",
                  config=dict(ONE_VTEP, security=False), copies={"far-b": [data]},
                  events={"flood_copies": 2},
                  traffic=traffic(port_a_tx=size, net_tx=size, peer4_tx=size, port_b_rx=size))
    else:
        encap(table, name + "_security_off", data, config={"security": False})


def ip4(**fields):
    fields.setdefault("src", A4)
    return IP(dst=R4, **fields)


def ip6(**fields):
    fields.setdefault("src", A6)
    fields.setdefault("dst", R6)
    return IPv6(**fields)


# MACs.
allowed("own_mac_and_ip4", frame(ip4() / UDP()))
refused("other_mac", frame(ip4() / UDP(), src=STRANGER), "port_mac")
refused("other_mac_one_bit", frame(ip4() / UDP(), src="aa:bb:cc:dd:ee:10"), "port_mac")
refused("other_mac_not_ip", frame(Raw(bytes(50)), src=STRANGER, type=0x88b5), "port_mac")
allowed("own_mac_not_ip", frame(Raw(bytes(50)), type=0x88b5))
port_drop(table, "group_source_mac", frame(ip4() / UDP(), src="01:00:5e:00:00:01"), "src_mac",
          ids="G-3.1-11")
port_drop(table, "group_source_mac_security_off", frame(ip4() / UDP(), src="ab:bb:cc:dd:ee:11"),
          "src_mac", config={"security": False}, ids="G-3.1-11")
table.add("no_port_on_device", "port", frame(ip4() / UDP()), "shot", "no_port", device="underlay")

# IPv4 and DHCP.
refused("other_ip4", frame(ip4(src=STRANGER4) / UDP()), "port_ip")
refused("ip4_of_port_b", frame(ip4(src=B4) / UDP()), "port_ip")
refused("ip4_in_vlan", frame(Dot1Q(vlan=5) / ip4(src=STRANGER4) / UDP()), "port_ip")
refused("ip4_in_qinq", frame(Dot1AD(vlan=6) / Dot1Q(vlan=5) / ip4(src=STRANGER4) / UDP()), "port_ip")
allowed("own_ip4_in_qinq", frame(Dot1AD(vlan=6) / Dot1Q(vlan=5) / ip4() / UDP()))
DISCOVER = BOOTP(chaddr=bytes.fromhex("aabbccddee11")) / DHCP(options=[("message-type", "discover")])
ANY4 = IP(src="0.0.0.0", dst="255.255.255.255")
allowed("dhcp_discover", frame(ANY4 / UDP(sport=68, dport=67) / DISCOVER, dst=BROADCAST))
allowed("dhcp_discover_in_vlan", frame(Dot1Q(vlan=9) / ANY4 / UDP(sport=68, dport=67) / DISCOVER,
                                       dst=BROADCAST))
refused("no_ip4_wrong_server_port", frame(ANY4 / UDP(sport=68, dport=68), dst=BROADCAST), "port_ip")
refused("no_ip4_wrong_client_port", frame(ANY4 / UDP(sport=67, dport=67), dst=BROADCAST), "port_ip")
refused("no_ip4_not_udp", frame(ANY4 / TCP(sport=68, dport=67), dst=BROADCAST), "port_ip")
refused("no_ip4_ports_missing", frame(IP(src="0.0.0.0", dst="255.255.255.255", proto=17),
                                      dst=BROADCAST), "port_ip")

# IPv6: own addresses, the link-local address of the MAC, and none during address detection.
ALL_NODES = "33:33:00:00:00:01"
SOLICITED = "33:33:ff:00:00:11"


def nd(payload, src=A6, dst="ff02::1", mac=ALL_NODES, extra=None):
    ip = IPv6(src=src, dst=dst, hlim=255)
    return frame(ip / extra / payload if extra is not None else ip / payload, dst=mac)


allowed("own_ip6", frame(ip6() / UDP()))
allowed("own_link_local", frame(ip6(src=A_LLA) / UDP()))
refused("other_ip6", frame(ip6(src=STRANGER6) / UDP()), "port_ip")
refused("other_link_local", frame(ip6(src="fe80::1") / UDP()), "port_ip")
refused("link_local_of_port_b", frame(ip6(src="fe80::ff:fe00:b") / UDP()), "port_ip")
refused("own_interface_id_other_prefix", frame(ip6(src="2001:db8:a::a8bb:ccff:fedd:ee11") / UDP()),
        "port_ip")
refused("no_ip6_udp", frame(ip6(src="::") / UDP()), "port_ip")
allowed("address_detection", nd(ICMPv6ND_NS(tgt=A6), src="::", dst="ff02::1:ff00:11", mac=SOLICITED))
allowed("multicast_report_before_address", nd(ICMPv6MLReport2(), src="::", dst="ff02::16",
                                              mac="33:33:00:00:00:16",
                                              extra=IPv6ExtHdrHopByHop(options=[RouterAlert()])))
allowed("multicast_report", nd(ICMPv6MLReport2(), src=A_LLA, dst="ff02::16", mac="33:33:00:00:00:16",
                               extra=IPv6ExtHdrHopByHop(options=[RouterAlert()])))
refused("ip6_in_vlan", frame(Dot1Q(vlan=5) / ip6(src=STRANGER6) / UDP()), "port_ip")

# ARP.
def arp(mac=BROADCAST, **fields):
    fields.setdefault("hwsrc", A)
    fields.setdefault("psrc", A4)
    fields.setdefault("pdst", STRANGER4)
    return frame(ARP(**fields), dst=mac)


allowed("arp_request", arp())
allowed("arp_probe", arp(psrc="0.0.0.0"))
allowed("arp_announcement", arp(pdst=A4))
allowed("arp_reply", arp(mac=R, op=2, hwdst=R, pdst=R4))
refused("arp_other_mac", arp(hwsrc=STRANGER), "port_arp")
refused("arp_other_ip4", arp(psrc=STRANGER4), "port_arp")
refused("arp_reply_other_ip4", arp(mac=R, op=2, psrc=STRANGER4), "port_arp")
refused("arp_announcement_other", arp(psrc=R4, pdst=R4), "port_arp")
refused("arp_in_vlan", frame(Dot1Q(vlan=4) / ARP(hwsrc=A, psrc=STRANGER4), dst=BROADCAST), "port_arp")
refused("arp_cut", arp()[:40], "port_arp")
for name, at, value in (("hardware", 15, 6), ("protocol", 16, 0x86), ("mac_length", 18, 8),
                        ("ip_length", 19, 16)):
    odd = bytearray(arp())
    odd[at] = value
    refused("arp_odd_" + name, bytes(odd), "port_arp")

# Neighbour discovery.
TLLA, SLLA = ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr
allowed("router_solicitation", nd(ICMPv6ND_RS() / SLLA(lladdr=A), dst="ff02::2"))
allowed("solicitation", nd(ICMPv6ND_NS(tgt=STRANGER6) / SLLA(lladdr=A), mac=SOLICITED))
allowed("advertisement", nd(ICMPv6ND_NA(tgt=A6) / TLLA(lladdr=A)))
allowed("advertisement_without_option", nd(ICMPv6ND_NA(tgt=A6)))
allowed("advertisement_link_local", nd(ICMPv6ND_NA(tgt=A_LLA) / TLLA(lladdr=A), src=A_LLA))
refused("advertisement_other_target", nd(ICMPv6ND_NA(tgt=R6) / TLLA(lladdr=A)), "port_nd")
refused("advertisement_other_mac", nd(ICMPv6ND_NA(tgt=A6) / TLLA(lladdr=STRANGER)), "port_nd")
refused("solicitation_other_mac", nd(ICMPv6ND_NS(tgt=STRANGER6) / SLLA(lladdr=STRANGER)), "port_nd")
refused("router_advertisement", nd(ICMPv6ND_RA() / SLLA(lladdr=A), src=A_LLA), "port_nd")
refused("redirect", nd(ICMPv6ND_Redirect(tgt=A6, dst=R6), src=A_LLA), "port_nd")
refused("advertisement_cut", nd(ICMPv6ND_NA(tgt=A6))[:70], "port_nd")
refused("icmp6_missing", frame(IPv6(src=A6, dst=R6, nh=58)), "port_nd")
refused("advertisement_in_vlan", frame(Dot1Q(vlan=3) / IPv6(src=A6, dst="ff02::1", hlim=255) /
                                       ICMPv6ND_NA(tgt=R6), dst=ALL_NODES), "port_nd")
# A receiver looks behind extension headers, so the check must too.
for name, extra in (("hop_by_hop", IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 4)])),
                    ("destination", IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)])),
                    ("two", IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt())):
    refused("advertisement_behind_" + name,
            nd(ICMPv6ND_NA(tgt=R6) / TLLA(lladdr=A), extra=extra), "port_nd")
    refused("router_advertisement_behind_" + name,
            nd(ICMPv6ND_RA() / SLLA(lladdr=A), src=A_LLA, extra=extra), "port_nd")
    allowed("own_advertisement_behind_" + name,
            nd(ICMPv6ND_NA(tgt=A6) / TLLA(lladdr=A), extra=extra))
allowed("udp_behind_hop_by_hop", nd(UDP() / DATA, extra=IPv6ExtHdrHopByHop()))
refused("no_ip6_udp_behind_hop_by_hop", nd(UDP() / DATA, src="::", extra=IPv6ExtHdrHopByHop()),
        "port_ip")

FIVE = IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt()
allowed("four_extension_headers", nd(ICMPv6ND_NA(tgt=A6) / TLLA(lladdr=A), extra=FIVE))
refused("five_extension_headers", nd(IPv6ExtHdrDestOpt() / UDP(), extra=FIVE), "port_nd")

# Link-local control frames stay on their link unless the network carries them.
for last, name in ((0x00, "stp"), (0x02, "lacp"), (0x0e, "lldp"), (0x0f, "end")):
    control = final(Dot3(src=A, dst="01:80:c2:00:00:%02x" % last) /
                    LLC(dsap=0x42, ssap=0x42, ctrl=3) / Raw(bytes(40)))
    port_drop(table, "link_control_" + name, control, "link_control", counted=True, ids="G-3.1-10")
    size = len(control)
    table.add("link_control_%s_carried" % name, "port", control, "redirect", "forwarded",
              out=outgoing(control), encap=True, inner=control.hex(), checksum="zero",
              config=dict(ONE_VTEP, link_control=True), copies={"far-b": [control]},
              events={"flood_copies": 2}, ids="G-3.1-10",
              traffic=traffic(port_a_tx=size, net_tx=size, peer4_tx=size, port_b_rx=size))
allowed("group_next_to_link_control", frame(Raw(bytes(50)), dst="01:80:c2:00:00:10", type=0x88b5),
        ids="G-3.1-10")

table.write()
