#!/usr/bin/env python3
"""Broadcast, ARP, neighbour discovery and same-host delivery on three hosts: each machine of the
network hears a broadcast once, nobody else hears it."""
import unittest

import lab as labs
import traffic
import wire

ETHERTYPE = 0x88B5  # IEEE: for local experiments


class BumTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        hosts = [{"name": f"host-{letter}", "addresses": [f"192.168.1.{101 + i}/24"]}
                 for i, letter in enumerate("abc")]
        machines = []
        for i, (name, host, network) in enumerate((
                ("blue-1", "host-a", "blue"), ("blue-2", "host-b", "blue"),
                ("blue-3", "host-c", "blue"), ("blue-4", "host-a", "blue"),
                ("red-1", "host-a", "red"), ("red-2", "host-c", "red"))):
            machines.append({"name": name, "host": host, "network": network,
                             "mac": f"02:00:00:00:00:{i + 1:02x}",
                             "addresses": [f"10.0.1.{11 + i}/24", f"fd00:1::{11 + i}/64"]})
        cls.lab = labs.Lab("three", hosts, [{"name": "blue", "vni": 10001},
                                            {"name": "red", "vni": 20001}], machines).up()
        cls.addClassCleanup(cls.lab.down)

    def test_broadcast_reaches_each_machine_of_the_network_once(self):
        """Proves: G-4.4.3-03, G-4.4.3-04, G-6.2-02"""
        ears = {name: wire.Ear(self.lab.netns(name)) for name in self.lab.machines}
        frame = wire.ethernet(wire.BROADCAST, self.lab.mac("blue-1"), ETHERTYPE, b"to all" * 20)
        last = wire.ethernet(wire.BROADCAST, self.lab.mac("blue-1"), ETHERTYPE, b"the last" * 20)
        try:
            with wire.Mouth(self.lab.netns("blue-1")) as mouth:
                mouth.say(frame)
                mouth.say(last)
            for name in ("blue-2", "blue-3", "blue-4"):
                ears[name].wait(lambda got: got == last, f"{name} hears the broadcast")
                self.assertEqual(ears[name].drain().count(frame), 1, name)
            for name in ("blue-1", "red-1", "red-2"):
                self.assertNotIn(frame, ears[name].drain(), name)
        finally:
            for ear in ears.values():
                ear.__exit__()

    def test_everyone_reaches_everyone_in_both_families(self):
        """ARP and neighbour solicitations of four machines, on the same host and across."""
        blue = [name for name in self.lab.machines if name.startswith("blue")]
        for source in blue:
            self.lab.run(source, "ip", "neigh", "flush", "all")
            for target in blue:
                if source != target:
                    for family in (4, 6):
                        done = traffic.ping(self.lab, source, self.lab.address(target, family),
                                            count=1)
                        self.assertEqual(traffic.ping_summary(done.stdout), (1, 1, 0, 0))

    def test_same_host_stays_on_the_host(self):
        """Proves: N-8014-01"""
        with wire.Ear(self.lab.netns("host-a"), outgoing=True) as ear:
            for family in (4, 6):
                traffic.tcp_both_ways(self.lab.netns("blue-1"), self.lab.netns("blue-4"),
                                      self.lab.address("blue-4", family), family=family)
            inner = [frame for frame in ear.drain()
                     if frame[12:14] == b"\x08\x00" and frame[23] == 17 and len(frame) > 500]
        self.assertEqual(inner, [])

    def test_arp_for_an_unknown_address_is_flooded(self):
        request = wire.arp_request(self.lab.mac("blue-1"), "10.0.1.11", "10.0.1.200")
        with wire.Ear(self.lab.netns("blue-3")) as far, wire.Ear(self.lab.netns("red-2")) as other, \
                wire.Mouth(self.lab.netns("blue-1")) as mouth:
            mouth.say(request)
            far.wait(lambda got: got[:42] == request, "blue-3 hears the ARP request")
            self.assertEqual([got for got in other.drain() if got[12:14] == b"\x08\x06"], [])

    def test_arp_for_a_known_address_is_answered_on_the_host(self):
        before = self.lab.hosts["host-a"].events()["arp_answered"]
        request = wire.arp_request(self.lab.mac("blue-1"), "10.0.1.11", "10.0.1.13")
        with wire.Ear(self.lab.netns("blue-1")) as ear, wire.Ear(self.lab.netns("blue-3")) as far, \
                wire.Mouth(self.lab.netns("blue-1")) as mouth:
            mouth.say(request)
            answer = ear.wait(lambda got: got[12:14] == b"\x08\x06" and got[21] == 2, "an answer")
            self.assertEqual(answer[22:28], wire.mac_bytes(self.lab.mac("blue-3")))
            self.assertNotIn(request, [got[:42] for got in far.drain()])
        self.assertEqual(self.lab.hosts["host-a"].events()["arp_answered"], before + 1)


if __name__ == "__main__":
    labs.main()
