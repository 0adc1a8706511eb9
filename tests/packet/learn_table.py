"""Frames for learn_test.cc: what arrives from VTEPs, and answers to it. Only `in` is used."""
from frames import *  # noqa: F403

table = Table()
for i in range(8):
    mac = "02:00:00:00:01:%02x" % i
    for host in (100, 101):
        frame = final(Ether(src=mac, dst=A) / IP(src="10.0.1.%d" % (100 + i), dst=A4) / UDP() / DATA)
        table.add("from_%d_at_%d" % (i, host), "underlay",
                  tunnel(frame, src="192.168.1.%d" % host), "redirect", "forwarded")
    frame = final(Ether(src=A, dst=mac) / IP(src=A4, dst="10.0.1.%d" % (100 + i)) / UDP() / DATA)
    table.add("to_%d" % i, "port", frame, "redirect", "forwarded")
    table.add("to_%d_red" % i, "port", frame, "redirect", "forwarded")
base = final(Ether(src="02:00:00:00:01:00", dst=A) / IP(src="10.0.1.100", dst=A4) / UDP() / DATA)
table.add("stranger", "underlay", tunnel(base, src="192.168.1.77"), "shot", "peer")
table.add("bad_checksum", "underlay", tunnel(base)[:-1] + b"?", "shot", "udp_csum")
table.add("critical_option", "underlay",
          tunnel(base, critical=1, options=bytes.fromhex("ff008500")), "shot", "opt_crit")
table.add("unknown_vni", "underlay", tunnel(base, vni=77), "shot", "vni")
table.add("congestion", "underlay", tunnel(base, tos=3), "shot", "ecn")
table.add("group_source", "underlay", tunnel(b"\xaa" * 6 + b"\x03" + base[7:]), "shot", "src_mac")
configured = final(Ether(src=R, dst=A) / IP(src=R4, dst=A4) / UDP() / DATA)
table.add("configured_from_another", "underlay", tunnel(configured, src="192.168.1.100"), "redirect",
          "forwarded")
own = final(Ether(src=B, dst=A) / IP(src=B4, dst=A4) / UDP() / DATA)
table.add("port_b_from_outside", "underlay", tunnel(own), "redirect", "forwarded")
table.add("to_configured", "port", final(Ether(src=A, dst=R) / IP(src=A4, dst=R4) / UDP() / DATA),
          "redirect", "forwarded")
table.write()
