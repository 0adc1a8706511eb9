#!/usr/bin/env python3
"""Leman and Open vSwitch, both ways: with its datapath in user space, and in kernels that have it
(tests/guest/run) with theirs: ovs_test.py --kernel."""
import sys
import unittest

import decoders
import lab as labs
import openvswitch
import peers
import wire


KERNEL = "--kernel" in sys.argv[1:]


def setUpModule():
    peers.share_lab("ovs", offloads=KERNEL)  # user space takes no aggregates
    peers.Cases.peer = peers.share_peer(peers.Ovs if KERNEL else peers.OvsUserSpace)


class Ipv4(peers.Cases, unittest.TestCase):
    pass


class Ipv4Checksum(peers.Cases, unittest.TestCase):
    checksum = True


class Ipv6(peers.Cases, unittest.TestCase):
    family = 6


class Ipv6Checksum(peers.Cases, unittest.TestCase):
    family = 6
    checksum = True


class Differences(peers.Differences, unittest.TestCase):
    def setUp(self):
        self.peer = peers.Cases.peer

    def test_datapath(self):
        """That these tests are about the datapath they are meant for."""
        self.tunnel(self.peer)
        kind = "system" if KERNEL else "netdev"
        self.assertTrue(self.peer.switch.appctl("dpif/show").startswith(f"{kind}@"))

    def test_control_packet(self):
        self.tunnel(self.peer, actions="set_field:1->tun_flags,")
        with wire.Ear(peers.Cases.lab.leman.netns) as ear:
            self.check_leman_refuses("oam")
            packets = list(filter(None, map(wire.parse_tunnel, ear.drain())))
        self.assertEqual({packet.control for packet in packets}, {True})

    def test_option_that_leman_does_not_know(self):
        self.tunnel(self.peer, sends=peers.THEIRS)
        self.check_leman_refuses("opt_crit")

    def test_option_of_another_length(self):
        longer = [{**peers.THEIRS[0], "data": "00000005" * 2}]
        self.tunnel(self.peer, sends=longer, leman={"understood": peers.THEIRS})
        self.check_leman_refuses("opt_known_len")

    def test_options_as_many_as_fit(self):
        self.tunnel(self.peer, sends=peers.FULL, expects=peers.FULL,
                    leman={"options": peers.FULL, "understood": peers.FULL})
        self.check_reaches()

    def test_critical_option_that_ovs_does_not_know(self):
        self.tunnel(self.peer, leman={"options": peers.CRITICAL})
        self.check_peer_refuses()

    def test_critical_option_that_ovs_knows(self):
        self.tunnel(self.peer, expects=peers.CRITICAL, leman={"options": peers.CRITICAL})
        self.check_reaches()

    def test_another_network(self):
        self.tunnel(self.peer, words=[f"options:key={peers.VNI + 1}"])
        self.check_leman_refuses("vni")
        self.check_peer_refuses()

    def test_tos(self):
        """Open vSwitch too makes ECT(0) of an inner CE in the outer header."""
        self.check_tos({0: 0, 1: 1, 2: 2, 3: 2})


if __name__ == "__main__":
    sys.argv = [word for word in sys.argv if word != "--kernel"]
    labs.main(*openvswitch.TOOLS, *([] if KERNEL else decoders.TOOLS))
