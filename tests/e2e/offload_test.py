#!/usr/bin/env python3
"""TCP, UDP and ping with every offload on, every offload off, and with segmentation in software on
the underlay; over IPv4 and IPv6, with outer UDP checksums required and zero."""
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
        events = self.events()
        for family in (4, 6):
            with self.subTest(inner=family):
                address = self.lab.address("vm-2", family)
                traffic.ping(self.lab, "vm-1", address, "-s", 1400)
                traffic.tcp_both_ways(one, two, address, family=family)
                traffic.tcp_both_ways(two, one, self.lab.address("vm-1", family), family=family)
                traffic.udp_sizes(one, two, address, (1, 2, 3, 63, 512, 1399, 1400), family=family)
        after = self.events()
        return {name: after[name] - events[name] for name in after}

    def events(self):
        """Both hosts together."""
        total = {}
        for host in self.lab.hosts.values():
            for name, count in host.events().items():
                total[name] = total.get(name, 0) + count
        return total

    def test_all_on(self):
        """Proves: G-2.2.1-05, K-03, K-05"""
        events = self.check_traffic()
        if self.expect_zero():  # aggregates cross the tunnel whole: that is what makes it fast
            self.assertGreater(events["gso_out"], 0)
            self.assertGreater(events["gso_in"], 0)
            self.assertEqual(events["csum_verified"], 0)
        else:
            self.assertEqual(events["gso_out"], 0)
            self.assertGreater(events["csum_verified"], 0)

    def test_all_off(self):
        self.lab.set_offloads(False)
        events = self.check_traffic()
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
