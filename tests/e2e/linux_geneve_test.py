#!/usr/bin/env python3
"""Leman and the geneve device of Linux, both ways. Needs a kernel that has it (tests/guest/run)."""
import unittest

import lab as labs
import peers


def setUpModule():
    peers.share_lab("linux")
    Fixed.peer = peers.share_peer(peers.LinuxGeneve)
    External.peer = peers.share_peer(peers.LinuxExternal)


class Fixed(peers.Cases):
    """A device with a fixed remote: takes what Leman sends, options and all, and sends none."""
    theirs = None


class FixedIpv4(Fixed, unittest.TestCase):
    pass


class FixedIpv4Checksum(Fixed, unittest.TestCase):
    checksum = True
    ours = None


class FixedIpv6(Fixed, unittest.TestCase):
    family = 6
    ours = None


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


if __name__ == "__main__":
    labs.main()
