#!/usr/bin/env python3
"""Packets larger than the network's MTU: the sender is told the right one, and TCP gets through."""
import errno
import json
import re
import socket
import unittest

import yaml

import lab as labs
import traffic

IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_RECVERR, IP_MTU = 10, 2, 11, 14
IPV6_MTU_DISCOVER, IPV6_MTU = 23, 24


class PathMtu:
    """The machines believe in 1500 bytes, the network carries less."""
    family = 4
    mtu = 0
    tag = ""

    @classmethod
    def setUpClass(cls):
        cls.lab = labs.two_hosts(cls.tag, family=cls.family, underlay={"mtu": 1500}).up()
        cls.addClassCleanup(cls.lab.down)
        for machine in ("vm-1", "vm-2"):
            cls.lab.run(machine, "ip", "link", "set", "eth0", "mtu", 1500)
        for host, device in (("host-a", "port-vm1"), ("host-b", "port-vm2")):
            cls.lab.hosts[host].run("ip", "link", "set", device, "mtu", 1500)

    def setUp(self):
        for machine in ("vm-1", "vm-2"):
            self.lab.run(machine, "ip", "route", "flush", "cache")
            self.lab.run(machine, "ip", "-6", "route", "flush", "cache")

    def test_network_mtu_is_what_fits(self):
        """Proves: U-3.2-01, U-3.2-02"""
        for host in self.lab.hosts.values():
            self.assertEqual({row["mtu"] for row in host.ask("networks")}, {self.mtu})

    def test_network_mtu_leaves_room_for_its_options(self):
        """Of OVN, of AWS, and as many as there can be.

        Proves: G-4.4.1-04, U-3.2-02
        """
        host = self.lab.hosts["host-a"]
        before = host.state_path.read_text()
        self.addCleanup(host.apply, before)
        for sizes in ([4], [8, 8, 4], [124, 120]):
            with self.subTest(options=sizes):
                state = yaml.safe_load(before)
                for network in state["networks"]:
                    network["options"] = [{"class": 0xFFF0, "type": kind, "data": "00" * size}
                                          for kind, size in enumerate(sizes)]
                host.apply(json.dumps(state))
                self.assertEqual({row["mtu"] for row in host.ask("networks")},
                                 {self.mtu - sum(4 + size for size in sizes)})

    def test_ping_that_fits_gets_through(self):
        for family, headers in ((4, 28), (6, 48)):
            done = traffic.ping(self.lab, "vm-1", self.lab.address("vm-2", family), "-M", "do",
                                "-s", self.mtu - headers, count=1)
            self.assertEqual(traffic.ping_summary(done.stdout), (1, 1, 0, 0))

    def test_ping_one_byte_too_big_is_answered_with_the_mtu(self):
        """Proves: G-4.4.1-02, G-4.4.1-03, U-3.2-01"""
        for family, headers in ((4, 28), (6, 48)):
            with self.subTest(inner=family):
                done = traffic.ping(self.lab, "vm-1", self.lab.address("vm-2", family), "-M", "do",
                                    "-s", self.mtu + 1 - headers, count=1, check=False)
                told = re.search(r"mtu\s*=\s*(\d+)", done.stdout + done.stderr)
                self.assertIsNotNone(told, done.stdout + done.stderr)
                self.assertEqual(int(told.group(1)), self.mtu)
        self.assertGreater(self.lab.hosts["host-a"].events()["icmp_too_big"], 0)

    def test_udp_socket_learns_the_mtu(self):
        for family, level, discover, get, headers in (
                (4, socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_MTU, 28),
                (6, socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_MTU, 48)):
            with self.subTest(inner=family), self.lab.socket(
                    "vm-1", traffic.FAMILIES[family], socket.SOCK_DGRAM) as client:
                client.setsockopt(level, discover, IP_PMTUDISC_DO)
                client.connect((self.lab.address("vm-2", family), 5009))
                client.send(bytes(1500 - headers))

                def learned(client=client, level=level, get=get):
                    return client.getsockopt(level, get) == self.mtu

                labs.wait_for(learned, f"the socket knows MTU {self.mtu}", 5)
                with self.assertRaises(OSError) as caught:
                    client.send(bytes(self.mtu + 1 - headers))
                self.assertEqual(caught.exception.errno, errno.EMSGSIZE)

    def test_tcp_gets_through(self):
        for family in (4, 6):
            with self.subTest(inner=family):
                traffic.tcp_both_ways(self.lab.netns("vm-1"), self.lab.netns("vm-2"),
                                      self.lab.address("vm-2", family), family=family, size=1 << 20)

    def test_without_icmp_it_is_dropped_and_counted(self):
        host = self.lab.hosts["host-a"]
        before = host.state_path.read_text()
        self.addCleanup(host.apply, before)
        host.apply(before.replace("    ports:\n", "    icmp_too_big: false\n    ports:\n"))
        events, drops = host.events(), host.verdicts()
        traffic.ping(self.lab, "vm-1", self.lab.address("vm-2", 4), "-M", "do", "-W", "0.3", "-s",
                     self.mtu, count=1, check=False)
        labs.wait_for(lambda: host.verdicts()[("port", "too_big")] > drops[("port", "too_big")],
                      "the drop is counted")
        self.assertEqual(host.events()["icmp_too_big"], events["icmp_too_big"])


class OverIpv4(PathMtu, unittest.TestCase):
    tag = "mtu4"
    mtu = 1450


class OverIpv6(PathMtu, unittest.TestCase):
    tag = "mtu6"
    family = 6
    mtu = 1430


if __name__ == "__main__":
    labs.main()
