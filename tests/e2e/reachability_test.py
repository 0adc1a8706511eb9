#!/usr/bin/env python3
"""Who reaches whom: every underlay family, every inner family, with and without options, in ping,
TCP and UDP, with every byte compared; and nobody in another network hears of it."""
import socket
import unittest

import lab as labs
import traffic

# 252 bytes of options with their headers: the most that GENEVE carries.
FULL_OPTIONS = [{"class": 0xFFF0, "type": 1, "data": "a1" * 124},
                {"class": 0xFFF0, "type": 2, "data": "b2" * 120}]


class Matrix:
    """The tests of one underlay; the classes below say which."""
    family = 4
    options = []
    tag = ""

    @classmethod
    def setUpClass(cls):
        cls.lab = labs.two_hosts(cls.tag, family=cls.family, network={"options": cls.options},
                                 underlay={"mtu": 1900}).up()
        cls.addClassCleanup(cls.lab.down)

    def each_family(self):
        return [(family, self.lab.address("vm-2", family)) for family in (4, 6)]

    def test_ping(self):
        for family, address in self.each_family():
            with self.subTest(inner=family):
                done = traffic.ping(self.lab, "vm-1", address)
                self.assertEqual(traffic.ping_summary(done.stdout), (3, 3, 0, 0))

    def test_tcp_both_ways(self):
        for family, address in self.each_family():
            with self.subTest(inner=family):
                traffic.tcp_both_ways(self.lab.netns("vm-1"), self.lab.netns("vm-2"), address,
                                      family=family)

    def test_udp_of_every_size(self):
        mtu = self.lab.mtu("vm-1")
        self.assertEqual(mtu, 1500)
        for family, address in self.each_family():
            largest = mtu - (28 if family == 4 else 48)
            with self.subTest(inner=family):
                traffic.udp_sizes(self.lab.netns("vm-1"), self.lab.netns("vm-2"), address,
                                  range(1, largest + 1), family=family)

    def test_other_network_hears_nothing(self):
        """vm-3 has MAC and addresses of vm-2 in another network on the same host.

        Proves: G-3.4-29, G-6.2-02
        """
        ear = self.lab.socket("vm-3", socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        with ear:
            ear.bind(("eth0", 3))
            for _, address in self.each_family():
                traffic.ping(self.lab, "vm-1", address)
                other = traffic.ping(self.lab, "vm-3", self.lab.address("vm-1", 4), count=1,
                                     check=False)
                self.assertNotEqual(other.returncode, 0)
            ear.setblocking(False)
            foreign = []
            while True:
                try:
                    frame, address = ear.recvfrom(65535)
                except BlockingIOError:
                    break
                if address[2] != socket.PACKET_OUTGOING:
                    foreign.append(frame.hex())
            self.assertEqual(foreign, [])

    def test_nothing_is_dropped(self):
        before = self.drops()
        for _, address in self.each_family():
            traffic.ping(self.lab, "vm-1", address)
        self.assertEqual(self.drops(), before)

    def drops(self):
        """All but no_receiver: vm-3 is alone in its network, its own multicast goes nowhere."""
        rows = []
        for host in self.lab.hosts.values():
            rows += [(host.name, row["hook"], row["verdict"], row["packets"])
                     for row in host.ask("counters")["verdicts"]
                     if row["is_drop"] and row["verdict"] != "no_receiver"]
        return rows


class OverIpv4(Matrix, unittest.TestCase):
    tag = "reach4"


class OverIpv4WithOptions(Matrix, unittest.TestCase):
    tag = "reach4o"
    options = FULL_OPTIONS

    def test_options_were_on_the_wire(self):
        """Proves: N-9638-03"""
        self.assertEqual(self.lab.hosts["host-b"].ask("networks")[0]["options_bytes"], 252)
        traffic.ping(self.lab, "vm-1", self.lab.address("vm-2", 4))
        kinds = {(row["option_class"], row["type"])
                 for row in self.lab.hosts["host-b"].ask("counters")["received_options"]
                 if row["packets"] > 0}
        self.assertEqual(kinds, {(0xFFF0, 1), (0xFFF0, 2)})


class OverIpv6(Matrix, unittest.TestCase):
    tag = "reach6"
    family = 6


class OverIpv6WithOptions(OverIpv4WithOptions):
    tag = "reach6o"
    family = 6


if __name__ == "__main__":
    labs.main()
