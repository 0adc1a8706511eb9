#!/usr/bin/env python3
"""A learning network against a tunnel endpoint that is not Leman: a plain UDP socket."""
import unittest

import lab as labs
import wire

FOREIGN = "02:00:00:00:00:f1"


class InteropTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = labs.two_hosts("learn", inner=(4,), network={"learning": True}).up()
        cls.addClassCleanup(cls.lab.down)
        cls.host = cls.lab.hosts["host-a"]
        cls.lab.hosts["host-b"].detach()

    def foreign(self):
        return wire.ForeignVtep(self.lab.hosts["host-b"], "192.168.1.101", "192.168.1.102")

    def test_a_foreign_machine_is_learned_and_answered(self):
        """ARP request in, ARP reply out to the VTEP that was learned; then a ping both ways.

        Proves: G-3.3-07, G-3.5-16, G-7-02
        """
        with self.foreign() as vtep:
            vtep.send(wire.geneve(10001, wire.arp_request(FOREIGN, "10.0.1.77", "10.0.1.10")))
            vni, options, frame = vtep.receive(lambda _, __, inner: inner[12:14] == b"\x08\x06"
                                               and inner[21] == 2)
            self.assertEqual((vni, options), (10001, b""))
            self.assertEqual(frame[:12], wire.mac_bytes(FOREIGN)
                             + wire.mac_bytes(self.lab.mac("vm-1")))
            echo = b"\x08\x00\x00\x00\x12\x34\x00\x01" + b"from afar" * 10
            echo = echo[:2] + wire.checksum(echo).to_bytes(2, "big") + echo[4:]
            vtep.send(wire.geneve(10001, wire.ethernet(
                self.lab.mac("vm-1"), FOREIGN, 0x0800,
                wire.ipv4("10.0.1.77", "10.0.1.10", 1, echo)),
                options=wire.option(0x0102, 0x00, b"\0\0\0\1")))  # unknown, not critical: skipped
            _, _, frame = vtep.receive(lambda _, __, inner: inner[12:14] == b"\x08\x00"
                                       and inner[23] == 1 and inner[34] == 0)
            self.assertEqual(frame[38:], echo[4:])
        learned = [row for row in self.host.ask("fdb") if row["kind"] == "learned"]
        self.assertEqual([(row["mac"], row["vtep"]) for row in learned],
                         [(FOREIGN, "192.168.1.102")])

    def test_unknown_unicast_is_flooded_to_the_foreign_vtep(self):
        frame = wire.ethernet("02:00:00:00:00:ab", self.lab.mac("vm-1"), 0x88B5, b"anyone?" * 10)
        with self.foreign() as vtep, wire.Mouth(self.lab.netns("vm-1")) as mouth:
            mouth.say(frame)
            vtep.receive(lambda vni, _, inner: vni == 10001 and inner == frame)


if __name__ == "__main__":
    labs.main()
