#!/usr/bin/env python3
"""What Leman sends, read by `leman decode`, scapy, tshark and tcpdump: no two disagree on a field of
it and none finds a fault."""
import json
import tempfile
import unittest

import yaml

import decoders
import lab as labs
import traffic
import wire

OVN = {"class": 0x0102, "type": 0x80, "data": "00018003"}
MARKER = {"class": 0xFFFF, "type": 0x7F}  # a header alone
FULL = [OVN, MARKER, {"class": 0xFF00, "type": 1, "data": "a1" * 124},
        {"class": 0xFF00, "type": 2, "data": "b2" * 108}]  # 252 bytes with their headers


class Decoders:
    family = 4
    tag = ""

    @classmethod
    def setUpClass(cls):
        # Without offloads every packet is as on a wire.
        cls.lab = labs.two_hosts(cls.tag, family=cls.family,
                                 underlay={"offloads": "off", "mtu": 1900}).up()
        cls.addClassCleanup(cls.lab.down)
        cls.state = yaml.safe_load(cls.lab.hosts["host-a"].state_path.read_text())
        other = cls.lab.hosts["host-b"]  # takes whatever this one sends
        state = yaml.safe_load(other.state_path.read_text())
        state["options"] = [{"class": OVN["class"], "type": OVN["type"], "length": 4}]
        state["peers"] = [{"address": state["networks"][0]["vteps"][0],
                           "udp_checksum": "accept_zero"}]
        other.apply(json.dumps(state))

    def check(self, options=(), checksum=None, dscp=0):
        lab, host = self.lab, self.lab.hosts["host-a"]
        network = {**self.state["networks"][0], "options": list(options), "dscp": dscp}
        peers = [{"address": network["vteps"][0], "udp_checksum": checksum}] if checksum else []
        host.apply(json.dumps({**self.state, "networks": [network], "peers": peers}))
        head = lab.mac("vm-2"), lab.mac("vm-1")
        packet = wire.ipv4("10.0.1.10", "10.0.1.11", 17, wire.udp(1, 5555, b"tagged " * 8))
        frames = [
            wire.ethernet(*head, 0x88B5, b"not IP " * 20),
            wire.ethernet(*head, 0x88B6, b"x"),
            wire.ethernet(*head, 0x8100, b"\x20\x05\x08\x00" + packet),
            wire.ethernet(*head, 0x88A8, b"\x00\x07\x81\x00\x00\x08\x08\x00" + packet),
            wire.arp_request(head[1], "10.0.1.10", "10.0.1.99"),
        ]
        with wire.Ear(lab.netns("host-b")) as ear, wire.Mouth(lab.netns("vm-1")) as mouth:
            for family in (4, 6):
                traffic.echo(lab.netns("vm-1"), lab.address("vm-2", family), (0, 56, 1400, 4000),
                             family=family)
                traffic.udp_sizes(lab.netns("vm-1"), lab.netns("vm-2"),
                                  lab.address("vm-2", family), (1, 2, 1400), family=family)
                traffic.tcp_both_ways(lab.netns("vm-1"), lab.netns("vm-2"),
                                      lab.address("vm-2", family), family=family, size=50_000)
            for frame in frames:
                mouth.say(frame)
            ear.wait(lambda got: got.endswith(frames[-1]), "the last frame")
            self.assertEqual([frame for frame in frames
                              if not any(frame in got for got in ear.frames)], [])
            with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
                wire.write_pcap(file, ear.frames)
                packets, faults = decoders.faults(file.name)
        self.assertEqual(faults[:5], [])
        self.assertGreater(packets, 50)

    def test_without_options(self):
        self.check()

    def test_critical_option(self):
        self.check([OVN])

    def test_all_options_that_fit(self):
        self.check(FULL)

    def test_options_with_checksum(self):
        self.check(FULL, checksum="required", dscp=46)

    def test_options_without_checksum(self):
        self.check(FULL, checksum="zero")


class OverIpv4(Decoders, unittest.TestCase):
    tag = "deco4"


class OverIpv6(Decoders, unittest.TestCase):
    tag = "deco6"
    family = 6


if __name__ == "__main__":
    labs.main(*decoders.TOOLS)
