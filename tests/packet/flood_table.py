"""Where a port's frames go: to other ports, to VTEPs, to all of them, to nobody."""
from frames import *  # noqa: F403

table = Table()
UNKNOWN = "02:00:00:00:00:99"


def frame(payload, dst, src=A):
    return final(Ether(src=src, dst=dst) / payload)


def ip4(dst=R4, **fields):
    return IP(src=A4, dst=dst, **fields)


# One port to another of the host: the frame as it is, also by the wire.
for name, inner in (("ip4", ip4(B4) / UDP() / DATA), ("ip6", IPv6(src=A6, dst=B6) / UDP() / DATA),
                    ("vlan", Dot1Q(vlan=5) / ip4(B4) / UDP() / DATA),
                    ("qinq", Dot1AD(vlan=6) / Dot1Q(vlan=5) / ip4(B4) / UDP() / DATA),
                    ("over_mtu", ip4(B4) / UDP() / Raw(bytes(1460)))):
    data = frame(inner, B)
    size = len(data)
    counts = traffic(port_a_tx=size, net_tx=size, port_b_rx=size)
    table.add("local_" + name, "port", data, "redirect", "forwarded", out=data, traffic=counts,
              ids="N-8014-01")
    tag = 4 if name in ("vlan", "qinq") else 0
    counts = traffic(port_a_tx=size - tag, net_tx=size - tag, port_b_rx=size - tag)
    for peer in (False, True):
        table.add("local_%s_wire_%s" % (name, "peer" if peer else "device"), "port", data, "redirect",
                  "forwarded", wire=True, verdict_bytes=size - tag, copies={"far-b": [data]},
                  traffic=counts, config={"redirect_peer": peer}, ids="N-8014-01")

# To a VTEP, really sent. The kernel has taken off the outer tag before the program sees the frame.
for v6 in (False, True):
    for checksum in (False, True):
        for name, inner in (("ip4", ip4() / UDP() / DATA), ("ip6", IPv6(src=A6, dst=R6) / UDP() / DATA),
                            ("vlan", Dot1Q(vlan=5, prio=3) / ip4() / UDP() / DATA),
                            ("qinq", Dot1AD(vlan=6) / Dot1Q(vlan=5) / ip4() / UDP() / DATA)):
            data = frame(inner, R)
            tag = 4 if name in ("vlan", "qinq") else 0
            size = len(data) - tag
            peer = {"peer6_tx" if v6 else "peer4_tx": len(data)}
            table.add("sent_%s_in_ip%d_%s" % (name, 6 if v6 else 4, "csum" if checksum else "zero"),
                      "port", data, "redirect", "forwarded", wire=True, verdict_bytes=size,
                      copies={"far-underlay": [sent(data, v6=v6)]},
                      config={"checksum": checksum, "fdb": {R: VTEP6 if v6 else VTEP4}},
                      traffic=traffic(port_a_tx=size, net_tx=size, **peer),
                      ids="K-07 G-4.7-02" if tag else "")
        # What is not IP passes twice: the second time as the tunnel packet it has become.
        data = frame(ARP(op=2, hwsrc=A, psrc=A4, hwdst=R, pdst=R4), R)
        packet = sent(data, v6=v6)
        size = len(data)
        peer = {"peer6_tx" if v6 else "peer4_tx": size}
        table.add("sent_arp_in_ip%d_%s" % (6 if v6 else 4, "csum" if checksum else "zero"), "port", data,
                  "redirect", "forwarded", wire=True, copies={"far-underlay": [packet]},
                  config={"checksum": checksum, "fdb": {R: VTEP6 if v6 else VTEP4}},
                  verdicts={"port.forwarded packets": 2,
                            "port.forwarded bytes": size + len(packet)},
                  events={"reentered": 1}, traffic=traffic(port_a_tx=size, net_tx=size, **peer),
                  ids="K-11")

# Unknown MACs, and the sender itself.
unknown = frame(ip4() / UDP() / DATA, UNKNOWN)
port_drop(table, "fdb_miss", unknown, "fdb_miss", counted=True)
port_drop(table, "hairpin", frame(ip4() / UDP() / DATA, A), "hairpin", counted=True)
port_drop(table, "mac_of_another_network", frame(ip4() / UDP(), R), "fdb_miss", counted=True,
          config={"fdb": {R: None}}, ids="G-3.4-29")
# The same MAC and address in two networks, each behind its own VTEP.
data = frame(ip4() / UDP() / DATA, R)
encap(table, "same_mac_network_blue", data, ids="G-3.4-29 G-6.2-02")
size = len(data)
table.add("same_mac_network_red", "port", data, "redirect", "forwarded", device="port-c", encap=True,
          out=outgoing(data, dst="192.168.1.100", vni=20002), inner=data.hex(), checksum="zero",
          traffic=traffic(port_c_tx=size, red_tx=size, peer100_tx=size), ids="G-3.4-29 G-6.2-02")

# Group and unknown addresses to n VTEPs: one copy each, n - 1 of them by a second pass.
GROUPS = {
    "broadcast": frame(ip4("10.0.1.255") / UDP() / DATA, BROADCAST),
    "multicast": frame(ip4("224.0.0.251") / UDP() / DATA, "01:00:5e:00:00:fb"),
    "multicast6": frame(IPv6(src=A6, dst="ff02::fb") / UDP() / DATA, "33:33:00:00:00:fb"),
    "vlan_broadcast": frame(Dot1Q(vlan=5) / ip4("10.0.1.255") / UDP() / DATA, BROADCAST),
    "unknown": unknown,
}


def vteps(count):
    return ["192.168.1.%d" % i for i in range(1, count + 1)]


def flooding(name, data, count, ports=("port-a", "port-b"), made=None, events=None, **config):
    """By the wire: everything that comes of the frame is seen."""
    made = count if made is None else made
    tag = 4 if "vlan" in name else 0
    size = len(data) - tag
    config.update(vteps=vteps(count), ports=list(ports), flood_unknown=True)
    others = len(ports) - 1
    moved = traffic(port_a_tx=size, net_tx=size)
    copies = {}
    if others:
        moved.update(traffic(port_b_rx=size))
        copies["far-b"] = [data]
    for address in vteps(made):
        moved["peer:%s tx packets" % address] = 1
        moved["peer:%s tx bytes" % address] = len(data)
    if made:
        copies["far-underlay"] = [sent(data, dst=address) for address in vteps(made)]
    passes = max(made, 1)
    wanted = {"flood_copies": others + made, "reentered": max(made - 1, 0)}
    wanted.update(events or {})
    table.add(name, "port", data, "redirect", "forwarded", wire=True, config=config, copies=copies,
              verdicts={"port.forwarded packets": passes, "port.forwarded bytes": passes * size},
              events=wanted, traffic=moved,
              ids="G-4.4.3-02 G-4.4.3-03" if made else "")


for kind, data in GROUPS.items():
    for count in (0, 1, 2, 3):
        flooding("%s_to_%d" % (kind, count), data, count)
    flooding(kind + "_to_2_no_other_port", data, 2, ports=("port-a",))
flooding("broadcast_to_64", GROUPS["broadcast"], 64)
flooding("broadcast_to_65", GROUPS["broadcast"], 65, made=64, events={"flood_truncated": 1})
flooding("broadcast_with_checksum", GROUPS["broadcast"], 2, checksum=True)
flooding("broadcast_with_options", GROUPS["broadcast"], 2)
port_drop(table, "broadcast_to_nobody", GROUPS["broadcast"], "no_receiver", counted=True,
          config={"vteps": [], "ports": ["port-a"]})

# Broadcast ARP: each copy is not IP, so it passes once more as the tunnel packet.
data = frame(ARP(hwsrc=A, psrc=A4, pdst="10.0.1.99"), BROADCAST)
size = len(data)
packets = [sent(data, dst=a) for a in vteps(2)]
moved = traffic(port_a_tx=size, net_tx=size, port_b_rx=size)
for address in vteps(2):
    moved["peer:%s tx packets" % address] = 1
    moved["peer:%s tx bytes" % address] = size
table.add("broadcast_arp_to_2", "port", data, "redirect", "forwarded", wire=True,
          config={"vteps": vteps(2)}, copies={"far-b": [data], "far-underlay": packets},
          verdicts={"port.forwarded packets": 4,
                    "port.forwarded bytes": 2 * size + 2 * len(packets[0])},
          events={"flood_copies": 3, "reentered": 3}, traffic=moved, ids="G-4.4.3-03")

# A workload's own mark means nothing: it is not there any more, and a wrong magic is no second pass.
table.add("mark_of_somebody_else", "port", frame(ip4(B4) / UDP() / DATA, B), "redirect", "forwarded",
          mark=0x00100000, out=frame(ip4(B4) / UDP() / DATA, B),
          traffic=traffic(port_a_tx=50, net_tx=50, port_b_rx=50))

table.write()
