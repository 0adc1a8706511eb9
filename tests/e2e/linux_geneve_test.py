#!/usr/bin/env python3
"""Leman and the geneve device of Linux, both ways. Needs a kernel that has it (tests/guest/run)."""
import json
import socket
import unittest

import lab as labs
import peers
import traffic
import wire

IP_MTU_DISCOVER = 10  # linux/in.h


def setUpModule():
    peers.share_lab("linux")
    Fixed.peer = peers.share_peer(peers.LinuxGeneve)
    External.peer = peers.share_peer(peers.LinuxExternal)


class Fixed(peers.Cases):
    """A device with a fixed remote: takes what Leman sends, options and all, and sends none."""
    theirs = ()


class FixedIpv4(Fixed, unittest.TestCase):
    pass


class FixedIpv4Checksum(Fixed, unittest.TestCase):
    checksum = True
    ours = ()


class FixedIpv6(Fixed, unittest.TestCase):
    family = 6
    ours = ()


class FixedIpv6Checksum(Fixed, unittest.TestCase):
    family = 6
    checksum = True


class External(peers.Cases):
    """Options both ways: what lacks Leman's is not taken, what comes has a critical one."""


class ExternalIpv4(External, unittest.TestCase):
    pass


class ExternalIpv4Checksum(External, unittest.TestCase):
    checksum = True


class ExternalIpv6(External, unittest.TestCase):
    family = 6


class ExternalIpv6Checksum(External, unittest.TestCase):
    family = 6
    checksum = True


class Differences(peers.Differences, unittest.TestCase):
    def test_option_that_leman_does_not_know(self):
        self.tunnel(External.peer, sends=peers.THEIRS)
        self.check_leman_refuses("opt_crit")

    def test_option_of_another_length(self):
        longer = [{**peers.THEIRS[0], "data": "00000005" * 2}]
        self.tunnel(External.peer, sends=longer, leman={"understood": peers.THEIRS})
        self.check_leman_refuses("opt_known_len")

    def test_options_as_many_as_fit(self):
        self.tunnel(External.peer, sends=peers.FULL, expects=peers.FULL,
                    leman={"options": peers.FULL, "understood": peers.FULL})
        self.check_reaches()

    def test_critical_option_that_linux_does_not_know(self):
        """A device with a fixed remote refuses it; one told by tc leaves that to its filters."""
        with self.subTest("fixed"):
            self.tunnel(Fixed.peer, leman={"options": peers.CRITICAL})
            self.check_peer_refuses()
            self.assertGreater(Fixed.peer.refused(), 0)
        self.doCleanups()
        with self.subTest("external"):
            self.tunnel(External.peer, leman={"options": peers.CRITICAL})
            self.check_reaches()

    def test_another_network(self):
        self.tunnel(Fixed.peer, id=peers.VNI + 1)
        self.check_leman_refuses("vni")
        self.check_peer_refuses()

    def test_another_sender(self):
        self.tunnel(Fixed.peer)
        self.lab.tell_leman(6)  # the other host's IPv4 address is no VTEP now
        self.check_leman_refuses("peer")

    def test_zero_checksums_over_ipv6_to_a_peer_that_wants_none(self):
        """What Linux does left to itself: sends checksums, takes their absence."""
        self.tunnel(Fixed.peer, 6, sums="noudp6zerocsumtx udp6zerocsumrx")
        for setting in ("default", "required", "accept_zero", "zero"):
            with self.subTest(setting):
                self.lab.tell_leman(6, udp_checksum=setting)
                self.check_reaches()

    def test_zero_checksums_over_ipv6_from_a_peer_that_takes_none(self):
        """It sends none and refuses packets without: `accept_zero` is for that."""
        self.tunnel(Fixed.peer, 6, sums="udp6zerocsumtx noudp6zerocsumrx")
        self.check_leman_refuses("udp6_zero_csum")
        self.lab.tell_leman(6, udp_checksum="zero")
        self.check_peer_refuses()
        self.lab.tell_leman(6, udp_checksum="accept_zero")
        self.check_reaches()
        self.assertEqual([peer["udp_checksum"] for peer in self.lab.leman.ask("peers")],
                         ["accept_zero"])

    def test_ip_without_ethernet(self):
        self.lab = peers.Cases.lab
        self.lab.tell_leman(4)
        host = self.lab.other
        self.addCleanup(Fixed.peer.forget, "gnv0")
        Fixed.peer.batch("ip", f"link add gnv0 type geneve id {peers.VNI} remote {peers.LEMAN[4]}"
                         " innerprotoinherit", "address add 10.9.0.1/24 dev gnv0", "link set gnv0 up")
        with labs.make_socket(host.netns, kind=socket.SOCK_DGRAM) as client:
            self.check_leman_refuses("proto", lambda: client.sendto(b"no MACs", ("10.9.0.2", 9)))

    def test_outer_fragments(self):
        """Linux does not set DF by itself, and lets a device's MTU be more than fits."""
        self.tunnel(Fixed.peer, df="unset")
        self.check_reaches()
        host, two = self.lab.other.netns, self.lab.netns("vm-2")
        for netns, device in ((host, "gnv0"), (host, "br0"), (host, peers.CABLE), (two, "eth0")):
            labs.run(["ip", "link", "set", device, "mtu", 2000], netns=netns)
        for netns, device in ((host, peers.CABLE), (two, "eth0")):
            self.addCleanup(labs.run, ["ip", "link", "set", device, "mtu", 1500], netns=netns)
        with labs.make_socket(two, kind=socket.SOCK_DGRAM) as client:
            # With DF in the inner header the sender would be told.
            client.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, 0)
            self.check_leman_refuses("outer_frag",
                                     lambda: client.sendto(b"f" * 1900, ("10.0.1.1", 9)))

    def test_tos(self):
        """Linux makes ECT(0) of an inner CE in the outer header, where RFC 6040 copies it."""
        self.peer = Fixed.peer
        self.check_tos({0: 0, 1: 1, 2: 2, 3: 2})

    def test_a_peer_that_does_not_handle_ecn(self):
        """With `ecn: compatibility` nothing that it may lose is on the outer header."""
        self.tunnel(Fixed.peer, leman={"ecn": "compatibility"})
        self.check_reaches()
        with wire.Ear(self.lab.leman.netns, outgoing=True) as ear, \
                Fixed.peer.congestion(self.lab.leman):
            for ecn in range(4):
                self.assertEqual(traffic.tos_received(
                    self.lab.netns("vm-1"), self.lab.netns("vm-2"), "10.0.1.2", ecn), ecn)
            packets = list(filter(None, map(wire.parse_tunnel, ear.drain())))
        self.assertEqual({packet.tos for packet in packets
                          if packet.source == peers.LEMAN[4]}, {0})


if __name__ == "__main__":
    labs.main()
