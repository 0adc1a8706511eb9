#!/usr/bin/env python3
"""TCP, UDP and ping with every offload on, every offload off, and with segmentation in software on
the underlay; over IPv4 and IPv6, with outer UDP checksums required and zero."""
import socket
import unittest

import lab as labs
import traffic


class Offloads:
    family = 4
    checksum = None
    tag = ""

    @classmethod
    def setUpClass(cls):
        underlay = {"udp_checksum": cls.checksum} if cls.checksum else {}
        cls.lab = labs.two_hosts(cls.tag, family=cls.family, underlay=underlay).up()
        cls.addClassCleanup(cls.lab.down)

    def setUp(self):
        self.addCleanup(self.lab.set_offloads, True)

    def check_traffic(self):
        one, two = self.lab.netns("vm-1"), self.lab.netns("vm-2")
        for family in (4, 6):
            with self.subTest(inner=family):
                address = self.lab.address("vm-2", family)
                traffic.echo(one, address, (1400,), family=family)
                traffic.tcp_both_ways(one, two, address, family=family)
                traffic.tcp_both_ways(two, one, self.lab.address("vm-1", family), family=family)
                traffic.udp_sizes(one, two, address, (1, 2, 3, 63, 512, 1399, 1400), family=family)

    def events_of_traffic(self):
        before = self.events()
        self.check_traffic()
        return {name: count - before[name] for name, count in self.events().items()}

    def events(self):
        """Both hosts together."""
        total = {}
        for host in self.lab.hosts.values():
            for name, count in host.events().items():
                total[name] = total.get(name, 0) + count
        return total

    def test_all_on(self):
        """Proves: G-2.2.1-05, K-03, K-05"""
        events = self.events_of_traffic()
        if self.expect_zero():  # aggregates cross the tunnel whole: that is what makes it fast
            self.assertGreater(events["gso_out"], 0)
            self.assertGreater(events["gso_in"], 0)
            self.assertEqual(events["csum_verified"], 0)
        else:
            self.assertEqual(events["gso_out"], 0)
            self.assertGreater(events["csum_verified"], 0)

    def test_datagrams_sent_as_one(self):
        """UDP_SEGMENT, as QUIC uses it: each datagram of an aggregate arrives."""
        segment = 103  # linux/udp.h
        for family in (4, 6):
            for size in (900, 2000, 9500):
                with self.subTest(inner=family, size=size):
                    address = (self.lab.address("vm-2", family), 6000)
                    receiver = labs.make_socket(self.lab.netns("vm-2"), traffic.FAMILIES[family],
                                                socket.SOCK_DGRAM)
                    sender = labs.make_socket(self.lab.netns("vm-1"), traffic.FAMILIES[family],
                                              socket.SOCK_DGRAM)
                    with receiver, sender:
                        receiver.bind(address)
                        sender.setsockopt(socket.IPPROTO_UDP, segment, 1000)
                        data = traffic.make_bytes(size, 7)
                        sender.sendto(data, address)
                        parts = [data[at:at + 1000] for at in range(0, size, 1000)]
                        self.assertEqual([receiver.recv(65535) for _ in parts], parts)

    def test_all_off(self):
        self.lab.set_offloads(False)
        events = self.events_of_traffic()
        self.assertEqual(events["gso_out"], 0)

    def test_software_segmentation_on_the_underlay(self):
        for host in self.lab.hosts.values():
            host.offloads("eth0", "tso", "off", "gso", "off", "tx-udp_tnl-segmentation", "off",
                          "tx-udp_tnl-csum-segmentation", "off")
        self.check_traffic()

    def test_no_checksum_offload_on_the_underlay(self):
        for host in self.lab.hosts.values():
            host.offloads("eth0", "tx", "off", "gso", "on")
        self.check_traffic()

    def expect_zero(self):
        return self.checksum == "zero" or (self.checksum is None and self.family == 4)

    def test_checksum_is_as_set(self):
        """Proves: G-4.3-01, G-4.3.1-02"""
        wanted = "zero" if self.expect_zero() else "required"
        for host in self.lab.hosts.values():
            self.assertEqual([peer["udp_checksum"] for peer in host.ask("peers")], [wanted])


class Ipv4(Offloads, unittest.TestCase):
    tag = "off4"


class Ipv4ChecksumRequired(Offloads, unittest.TestCase):
    tag = "off4c"
    checksum = "required"


class Ipv6(Offloads, unittest.TestCase):
    tag = "off6"
    family = 6


class Ipv6ChecksumZero(Offloads, unittest.TestCase):
    tag = "off6z"
    family = 6
    checksum = "zero"


if __name__ == "__main__":
    labs.main()
