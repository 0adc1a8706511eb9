#!/usr/bin/env python3
"""What is on the underlay, read by tshark, and frames that are not IP: DSCP and ECN, checksums,
VLAN tags, other EtherTypes."""
import socket
import unittest

import lab as labs
import traffic
import wire


class Wire:
    family = 4
    checksum = None
    tag = ""

    @classmethod
    def setUpClass(cls):
        # Without offloads every checksum on the wire is finished and can be judged.
        underlay = {"offloads": "off"}
        if cls.checksum:
            underlay["udp_checksum"] = cls.checksum
        cls.lab = labs.two_hosts(
            cls.tag, family=cls.family, underlay=underlay, network={
                "dscp": "copy", "options": [{"class": 0xFFF0, "type": 1, "data": "0a0b0c0d"}]}).up()
        cls.addClassCleanup(cls.lab.down)

    def ear(self):
        return wire.Ear(self.lab.netns("host-b"))

    def test_tshark_finds_nothing_to_warn_about(self):
        """Proves: G-3.1-06, G-3.2-01, G-3.3-12, G-3.3-13, G-4.3.1-01, Z-4-02"""
        with self.ear() as ear:
            for family in (4, 6):
                address = self.lab.address("vm-2", family)
                traffic.ping(self.lab, "vm-1", address, "-s", 1200)
                traffic.tcp_both_ways(self.lab.netns("vm-1"), self.lab.netns("vm-2"), address,
                                      family=family, size=100_000)
                traffic.udp_sizes(self.lab.netns("vm-1"), self.lab.netns("vm-2"), address,
                                  (1, 2, 1400), family=family)
            rows = ear.dissect("geneve.vni", "geneve.option.class", "udp.checksum.status",
                               "_ws.expert.severity", "_ws.expert.message",
                               display_filter="udp.port == 6081")
        self.assertGreater(len(rows), 50)
        self.assertEqual({row[0] for row in rows}, {"0x002711"})
        self.assertEqual({row[1] for row in rows}, {"0xfff0"})
        warn = 0x600000  # of Wireshark's expert levels: warning and error
        # That TCP heard something twice is no matter of the packets' form either.
        bad = [row for row in rows
               if sum(int(level) >= warn for level in row[3].split(",") if level)
               > row[4].count("D-SACK Sequence")]
        self.assertEqual(bad, [])
        outer = {row[2].split(",")[0] for row in rows}
        self.assertEqual(outer, {"1"} if self.required() else {"3"})  # good, or not present

    def required(self):
        return self.checksum == "required" or (self.checksum is None and self.family == 6)

    def test_dscp_and_ecn_are_copied_to_the_outer_header(self):
        """ECN and, because it was asked for, DSCP; the TTL is the default.

        Proves: E-4.1-01, E-4.3-01, G-4.4.2-06, T-2003-06
        """
        for family, option in ((4, (socket.IPPROTO_IP, socket.IP_TOS)),
                               (6, (socket.IPPROTO_IPV6, socket.IPV6_TCLASS))):
            for tos in (0x00, 0x02, 0x01, 0xB8, 0xBA):  # EF with and without ECT
                with self.subTest(inner=family, tos=tos), self.ear() as ear, self.lab.socket(
                        "vm-1", traffic.FAMILIES[family], socket.SOCK_DGRAM) as client:
                    client.setsockopt(*option, tos)
                    client.sendto(b"marked", (self.lab.address("vm-2", family), 7777))
                    frame = ear.wait(lambda got: got.endswith(b"marked"), "the packet")
                    if self.family == 4:
                        self.assertEqual((frame[15], frame[22]), (tos, 64))
                    else:
                        self.assertEqual(frame[21], 64)
                        self.assertEqual((frame[14] << 4 | frame[15] >> 4) & 0xFF, tos)

    def test_source_port_is_the_flow_s_and_in_range(self):
        """Proves: G-3.3-01, U-5.1.1-01"""
        ports = set()
        with self.ear() as ear:
            for port in range(8000, 8020):
                with self.lab.socket("vm-1", socket.AF_INET, socket.SOCK_DGRAM) as client:
                    client.bind((self.lab.address("vm-1", 4), port))
                    for _ in range(3):
                        client.sendto(b"flow %d" % port, (self.lab.address("vm-2", 4), 7777))
                ear.wait(lambda got, port=port: got.endswith(b"flow %d" % port), "the packet")
                start = 34 if self.family == 4 else 54
                seen = {int.from_bytes(got[start:start + 2], "big") for got in ear.drain()
                        if got.endswith(b"flow %d" % port)}
                self.assertEqual(len(seen), 1)
                ports |= seen
        self.assertTrue(all(49152 <= port <= 65535 for port in ports), ports)
        self.assertGreater(len(ports), 5)

    def test_frames_that_are_not_ip_arrive_as_they_are(self):
        """Proves: G-3.1-09, G-4.7-02, G-4.7-03"""
        head = (self.lab.mac("vm-2"), self.lab.mac("vm-1"))
        packet = wire.ipv4("10.0.1.10", "10.0.1.11", 17, wire.udp(1, 5555, b"tagged " * 8))
        frames = {
            "EtherType for experiments": wire.ethernet(*head, 0x88B5, b"not IP " * 20),
            "one byte of payload": wire.ethernet(*head, 0x88B6, b"x"),
            "largest": wire.ethernet(*head, 0x88B5, b"m" * 1500),
            "VLAN": wire.ethernet(*head, 0x8100, b"\x20\x05\x08\x00" + packet),
            "two VLANs": wire.ethernet(*head, 0x88A8, b"\x00\x07\x81\x00\x00\x08\x08\x00" + packet),
            "LLC": wire.ethernet(*head, 64, b"\xaa\xaa\x03" + b"L" * 61),
        }
        # Tagged frames carry addresses of their own network: the port's security is not for them.
        for name, frame in frames.items():
            with self.subTest(name), wire.Ear(self.lab.netns("vm-2")) as ear, \
                    wire.Ear(self.lab.netns("vm-3")) as other, \
                    wire.Mouth(self.lab.netns("vm-1")) as mouth:
                mouth.say(frame)
                ear.wait(lambda got, frame=frame: got[:len(frame)] == frame
                         and not any(got[len(frame):]), f"{name}: the same frame", 3)
                self.assertEqual(other.drain(), [])


class OverIpv4(Wire, unittest.TestCase):
    tag = "wire4"


class OverIpv4WithChecksum(Wire, unittest.TestCase):
    tag = "wire4c"
    checksum = "required"


class OverIpv6(Wire, unittest.TestCase):
    tag = "wire6"
    family = 6


if __name__ == "__main__":
    labs.main("tshark")
