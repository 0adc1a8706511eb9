#!/usr/bin/env python3
"""Garbage on the tunnel's port while TCP runs: every packet is counted under its reason, none
reaches a machine, none crosses into another network, none is answered or logged, and the transfer
arrives whole."""
import random
import unittest

import lab as labs
import traffic
import wire

SEED = 20260101
ROUNDS = 300


class GarbageTest(unittest.TestCase):
    def test_counters_add_up_and_nothing_gets_through(self):
        """Proves: G-3.5-06, G-3.5-13, G-6-02, G-6-05, G-6-08, G-6.2-01, K-10, U-1122-01, U-5.2-02"""
        # host-c is no VTEP of blue; its own agent goes, so that its port 6081 is free.
        hosts = [{"name": f"host-{letter}", "addresses": [f"192.168.1.{101 + i}/24"]}
                 for i, letter in enumerate("abc")]
        machines = [{"name": f"vm-{i + 1}", "host": host, "network": network,
                     "mac": f"02:00:00:00:01:0{i + 1}", "addresses": [f"10.0.1.{10 + i}/24"]}
                    for i, (host, network) in enumerate((
                        ("host-a", "blue"), ("host-b", "blue"), ("host-a", "red"),
                        ("host-c", "red")))]
        with labs.Lab("garb", hosts, [{"name": "blue", "vni": 10001}, {"name": "red", "vni": 20001}],
                      machines) as lab:
            self.flood(lab)

    def flood(self, lab):
        host = lab.hosts["host-a"]
        lab.hosts["host-c"].detach()
        inner = wire.ethernet(lab.mac("vm-1"), "02:66:66:66:66:66", 0x0800, wire.ipv4(
            "10.0.1.66", "10.0.1.10", 17, wire.udp(1, 5555, b"garbage " * 8)))
        kinds = {
            "short_hdr": lambda: random.randbytes(random.randrange(8)),
            "version": lambda: wire.geneve(20001, inner, version=random.randrange(1, 4)),
            "opt_trunc": lambda: wire.geneve(20001, b"", options=bytes(0))[:0]
            + b"\x3f\x00\x65\x58\x00\x4e\x21\x00" + bytes(random.randrange(4, 200)),
            "opt_len": lambda: wire.geneve(20001, inner, options=b"\xff\xf0\x01\x1f"),
            "opt_crit": lambda: wire.geneve(20001, inner, options=wire.option(0xFFF7, 0x81)),
            "oam": lambda: wire.geneve(20001, inner, flags=0x80),
            "proto": lambda: wire.geneve(20001, inner, protocol=0x0800),
            "peer": lambda: wire.geneve(10001, inner),
            "vni": lambda: wire.geneve(random.choice((1, 9999, 0xFFFFFF)), inner),
            "inner_short": lambda: wire.geneve(20001, inner[:random.randrange(14)]),
        }
        # What a UDP socket does not send: below it.
        head = (lab.mac("host-a"), lab.mac("host-c"), 0x0800)
        wrong = bytearray(wire.udp(54321, 6081, wire.geneve(20001, inner)))
        wrong[6:8] = b"\x12\x34"
        below = {"udp_csum": wire.ethernet(*head, wire.ipv4("192.168.1.103", "192.168.1.101", 17,
                                                            bytes(wrong)))}
        ours = wire.ipv4("192.168.1.101", "192.168.1.102", 17, wire.udp(54321, 6081, bytes(28)))
        unreachable = b"\x03\x01\0\0\0\0\0\0" + ours[:56]
        unreachable = (unreachable[:2] + wire.checksum(unreachable).to_bytes(2, "big")
                       + unreachable[4:])
        unreachable = wire.ethernet(*head, wire.ipv4("192.168.1.103", "192.168.1.101", 1,
                                                     unreachable))
        random.seed(SEED)
        before, log = host.verdicts(), host.log_path.read_text()
        blue, red = wire.Ear(lab.netns("vm-1")), wire.Ear(lab.netns("vm-3"))
        answers, mouth = wire.Ear(lab.netns("host-c")), wire.Mouth(lab.netns("host-c"))
        with blue, red, answers, mouth, wire.ForeignVtep(lab.hosts["host-c"], "192.168.1.101",
                                                         "192.168.1.103") as vtep:
            transfer = labs.Background(lambda: traffic.tcp_both_ways(
                lab.netns("vm-1"), lab.netns("vm-2"), lab.address("vm-2", 4), size=32 << 20,
                timeout=30))
            sent = 0
            for _ in range(ROUNDS):
                for make in kinds.values():
                    vtep.send(make())
                    sent += 1
                for frame in below.values():
                    mouth.say(frame)
                    sent += 1
                mouth.say(unreachable)
            transfer.result(60)

            def difference():
                after = host.verdicts()
                return {name: after[("underlay", name)] - before[("underlay", name)]
                        for name in (*kinds, *below)}

            labs.wait_for(lambda: sum(difference().values()) >= sent, "all garbage is counted")
            self.assertEqual(difference(), dict.fromkeys((*kinds, *below), ROUNDS))
            for ear in (blue, red, answers):
                self.assertEqual([frame for frame in ear.drain() if b"garbage" in frame], [])
            # ARP, and what the machine in red has to say by itself, in tunnel packets.
            self.assertEqual([frame for frame in answers.frames
                              if frame[12:14] == b"\x08\x00" and frame[23] != 17], [])
            self.assertEqual(host.log_path.read_text(), log)
        after = host.verdicts()
        others = {key: after[key] - before[key] for key in after
                  if key[0] == "underlay" and key[1] not in (*kinds, *below, "forwarded", "passed")
                  and after[key] != before[key]}
        self.assertEqual(others, {})
        self.assertEqual(host.status()["state"], "ready")


if __name__ == "__main__":
    labs.main()
