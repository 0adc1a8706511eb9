#!/usr/bin/env python3
"""A TAP port, as a hypervisor has it: without vnet headers there are no aggregates and no unfinished
checksums, with them there may be. What the TAP gives is relayed into a TAP of a machine's namespace."""
import fcntl
import json
import os
import select
import struct
import threading
import unittest

import yaml

import lab as labs
import traffic

TUNSETIFF = 0x400454CA
TUNSETOFFLOAD = 0x400454D0
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6 = 0x01, 0x02, 0x04
MAC = "02:00:00:00:00:aa"


def open_tap(netns, name, vnet_headers):
    flags = IFF_TAP | IFF_NO_PI | (IFF_VNET_HDR if vnet_headers else 0)
    with labs.inside(netns):
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
        if vnet_headers:
            fcntl.ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)
    return fd


class Relay:
    """Carries frames between two TAPs; remembers the longest."""

    def __init__(self, one, two):
        self._ends = {one: two, two: one}
        self._stop, self._wake = os.pipe()
        self.longest = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        poll = select.poll()
        for fd in (*self._ends, self._stop):
            poll.register(fd, select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                if fd == self._stop:
                    return
                try:
                    while frame := os.read(fd, 70000):
                        self.longest = max(self.longest, len(frame))
                        os.write(self._ends[fd], frame)
                except BlockingIOError:
                    pass

    def close(self):
        os.close(self._wake)
        self._thread.join(5)
        for fd in (*self._ends, self._stop):
            os.close(fd)


class Tap:
    vnet_headers = False
    tag = ""

    @classmethod
    def setUpClass(cls):
        cls.lab = labs.two_hosts(cls.tag).up()
        cls.addClassCleanup(cls.lab.down)
        cls.guest = labs.make_netns("guest")
        cls.addClassCleanup(labs.remove_netns, cls.guest)
        a, b = cls.lab.hosts["host-a"], cls.lab.hosts["host-b"]
        taps = [open_tap(netns, name, cls.vnet_headers)
                for netns, name in ((a.netns, "tap0"), (cls.guest, "eth0"))]
        a.run("ip", "link", "set", "tap0", "mtu", 1500, "up")
        for words in (["link", "set", "eth0", "address", MAC, "up"],
                      ["address", "add", "10.0.1.12/24", "dev", "eth0"],
                      ["address", "add", "fd00:1::12/64", "dev", "eth0", "nodad"]):
            labs.run(["ip", "-n", cls.guest, *words])
        cls.relay = Relay(*taps)  # only now: a TAP that is down takes no frame
        cls.addClassCleanup(cls.relay.close)
        who = {"mac": MAC, "addresses": ["10.0.1.12", "fd00:1::12"]}
        for host, key, entry in ((a, "ports", {"name": "tap", "device": "tap0", **who}),
                                 (b, "remotes", {"vtep": "192.168.1.101", **who})):
            state = yaml.safe_load(host.state_path.read_text())
            blue = next(network for network in state["networks"] if network["name"] == "blue")
            blue[key].append(entry)
            host.apply(json.dumps(state))

    def test_tcp_both_ways_across_the_tunnel_and_on_the_host(self):
        """The senders are veths that make aggregates: they must be cut, with right checksums."""
        for machine in ("vm-2", "vm-1"):
            for family in (4, 6):
                with self.subTest(machine=machine, inner=family):
                    traffic.tcp_both_ways(self.guest, self.lab.netns(machine),
                                          self.lab.address(machine, family), family=family,
                                          size=1 << 20)
        if self.vnet_headers:  # at least the machine's own aggregates
            self.assertGreater(self.relay.longest, 20_000)
        else:
            self.assertLessEqual(self.relay.longest, 1514)

    def test_udp(self):
        for machine in ("vm-2", "vm-1"):
            for family, largest in ((4, 1472), (6, 1452)):
                with self.subTest(machine=machine, inner=family):
                    traffic.udp_sizes(self.guest, self.lab.netns(machine),
                                      self.lab.address(machine, family), (1, 2, 99, largest),
                                      family=family)

    def test_port_is_active(self):
        self.assertEqual(self.lab.hosts["host-a"].problems(), [])
        self.assertEqual({row["name"]: row["state"]
                          for row in self.lab.hosts["host-a"].ask("ports")},
                         {"vm-1": "active", "tap": "active"})


class Plain(Tap, unittest.TestCase):
    tag = "tap"


class WithVnetHeaders(Tap, unittest.TestCase):
    tag = "tapv"
    vnet_headers = True


if __name__ == "__main__":
    labs.main()
