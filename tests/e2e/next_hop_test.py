#!/usr/bin/env python3
"""The way to a VTEP is kept for a tick of the clock (bpf/lib/next_hop.h). The oracle is the kernel's
own routing: whatever is kept, packets go where they would go without, and follow a change at once."""
import contextlib
import functools
import json
import socket
import struct
import time
import unittest

import lab as labs
import traffic
import wire

SEEN, KNOWN, UNKNOWN = range(3)  # enum next_hop_state
PORT = 9
# A tick is 10 ms at most; in this time no packet may be late by more.
TICKS_MS = 20
GATEWAYS = ("02:00:00:00:0b:01", "02:00:00:00:0b:02")


class NextHop:
    family = 4
    tag = ""

    @classmethod
    def setUpClass(cls):
        cls.lab = labs.two_hosts(cls.tag, family=cls.family, inner=(4,)).up()
        cls.addClassCleanup(cls.lab.down)
        cls.host, cls.other = cls.lab.hosts["host-a"], cls.lab.hosts["host-b"]
        cls.vtep = {4: "192.168.1.102", 6: "2001:db8:1::102"}[cls.family]

    def setUp(self):
        self.reaches()

    def ip(self, host, *words):
        return self.lab.run(host.name, "ip", f"-{self.family}", *words)

    def undo(self, *words):
        self.addCleanup(self.ip, self.host, *words)

    def reaches(self):
        labs.wait_for(lambda: traffic.ping(
            self.lab, "vm-1", self.lab.address("vm-2", 4), "-W", "1", count=1,
            check=False).returncode == 0, "vm-2 answers")

    def device_mac(self, host):
        return json.loads(host.run("ip", "-j", "link", "show", "eth0").stdout)[0]["address"]

    @contextlib.contextmanager
    def flows(self, count=1):
        """A function that sends a datagram of each of so many flows of vm-1."""
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(labs.make_socket(
                self.lab.netns("vm-1"), kind=socket.SOCK_DGRAM)) for _ in range(count)]

            def send():
                for client in clients:
                    client.sendto(b"next hop", (self.lab.address("vm-2", 4), PORT))

            yield send

    def arrived(self, ear):
        """The datagrams among the tunnel packets that came to host-b until now."""
        traffic.echo(self.lab.netns("vm-1"), self.lab.address("vm-2", 4))  # behind them all
        return [frame for frame in ear.drain() if frame.endswith(b"next hop")]

    def send(self, flows=1, packets=30):
        """Datagrams, flow by flow in turn; the tunnel packets that arrive at host-b."""
        with wire.Ear(self.other.netns) as ear, self.flows(flows) as send:
            for _ in range(packets):
                send()
            return self.arrived(ear)

    def follows(self, mac, change):
        """After `change()` the packets of a flow that was there before go to `mac`."""
        with wire.Ear(self.other.netns) as ear, self.flows() as send:
            for _ in range(30):
                send()
            before = len(self.arrived(ear))
            change()
            for _ in range(100):
                send()
                time.sleep(0.001)
            went = self.to(self.arrived(ear)[before:])
        self.assertEqual((before, len(went)), (30, 100))
        self.assertEqual(set(went[TICKS_MS:]), {mac})

    def to(self, frames):
        return [frame[:6].hex(":") for frame in frames]

    def kept(self):
        """(state, MACs) of the way to the VTEP as the processor keeps it that sent last."""
        path = next(self.host.pin_root.glob("v*/lm_next_hops"))
        vtep = socket.inet_pton(socket.AF_INET6,
                                self.vtep if self.family == 6 else f"::ffff:{self.vtep}")
        found = []
        for entry in json.loads(labs.run(["bpftool", "-j", "map", "dump", "pinned", path]).stdout):
            for value in entry["values"]:
                value = bytes(int(byte, 16) for byte in value["value"])
                tick, address, _, state, macs = struct.unpack("Q16s4sI12s4x", value)
                if address == vtep:
                    found.append((tick, state, macs.hex(":")))
        return max(found)[1:]

    def becomes(self, wanted):
        """Packets go, until the way is kept in this state."""
        right = f"{self.device_mac(self.other)}:{self.device_mac(self.host)}"

        def is_so():
            self.send()
            state, macs = self.kept()
            return state == wanted and (state != KNOWN or macs == right)

        labs.wait_for(is_so, f"the way is kept in state {wanted}")

    def test_is_kept_and_used(self):
        self.becomes(KNOWN)
        self.assertEqual(set(self.to(self.send())), {self.device_mac(self.other)})

    def test_follows_the_neighbour(self):
        self.becomes(KNOWN)
        old, new = self.device_mac(self.other), "02:00:00:00:0b:0b"
        for mac in (new, old):
            self.follows(mac, functools.partial(self.move_vtep, mac))
            self.becomes(KNOWN)

    def move_vtep(self, mac):
        self.other.run("ip", "link", "set", "eth0", "address", mac)
        self.ip(self.host, "neigh", "replace", self.vtep, "lladdr", mac, "dev", "eth0", "nud",
                "permanent")

    def test_route_of_another_device_is_not_taken(self):
        """The underlay's device is the state file's; what else the host has goes by itself."""
        self.host.run("ip", "link", "add", "dum0", "up", "type", "veth", "peer", "name", "dum1")
        self.host.run("ip", "link", "set", "dum1", "up")
        self.addCleanup(self.host.run, "ip", "link", "del", "dum0")
        self.ip(self.host, "route", "add", self.vtep, "dev", "dum0")
        self.becomes(UNKNOWN)
        self.assertEqual(set(self.to(self.send())), {self.device_mac(self.other)})

    def test_without_a_device_that_forwards(self):
        """Slower, and no less right; the agent's next look at the host mends it."""
        setting = f"net.ipv{self.family}.conf.lm-seg1.forwarding"
        self.host.run("sysctl", "-qw", f"{setting}=0")
        self.becomes(UNKNOWN)
        self.assertEqual(set(self.to(self.send())), {self.device_mac(self.other)})
        self.host.kill()
        self.host.start()
        self.becomes(KNOWN)

    def test_follows_the_route(self):
        self.becomes(KNOWN)
        route = self.vtep, "via", self.gateway(1), "dev", "eth0", "onlink"
        self.follows(GATEWAYS[0], lambda: self.ip(self.host, "route", "add", *route))
        self.follows(self.device_mac(self.other), lambda: self.ip(self.host, "route", "del", *route))

    def gateway(self, number):
        """One that stands on the underlay; its MAC is of GATEWAYS."""
        address = f"{self.vtep[:-3]}20{number}"
        self.ip(self.host, "neigh", "replace", address, "lladdr", GATEWAYS[number - 1], "dev",
                "eth0", "nud", "permanent")
        self.undo("neigh", "del", address, "dev", "eth0")
        return address

    def test_flows_keep_to_the_path_that_the_kernel_chooses(self):
        gateways = [self.gateway(1), self.gateway(2)]
        self.ip(self.host, "route", "add", self.vtep, *(
            word for gateway in gateways
            for word in ("nexthop", "via", gateway, "dev", "eth0", "onlink")))
        self.undo("route", "del", self.vtep)
        setting = f"net.ipv{self.family}.conf.lm-seg1.forwarding"
        self.addCleanup(self.host.run, "sysctl", "-qw", f"{setting}=1")
        paths = {}
        for forwarding in (1, 0):  # kept, and as the kernel has it
            self.host.run("sysctl", "-qw", f"{setting}={forwarding}")
            for frame in self.send(flows=50, packets=6):
                # Over IPv4 the kernel is told no ports: one path for all.
                flow = frame[15:18] if self.family == 6 else b""
                paths.setdefault(flow, set()).add(frame[:6].hex(":"))
        self.assertEqual({len(path) for path in paths.values()}, {1})
        used = set.union(*paths.values())
        self.assertLessEqual(used, set(GATEWAYS))
        self.assertEqual(len(used), 2 if self.family == 6 else 1)


class OverIpv4(NextHop, unittest.TestCase):
    tag = "hop4"


class OverIpv6(NextHop, unittest.TestCase):
    tag = "hop6"
    family = 6

    def test_blackhole(self):
        """Over IPv4 the kernel takes an address without a route for one on the device's link."""
        self.becomes(KNOWN)
        with wire.Ear(self.other.netns) as ear, self.flows() as send:
            self.ip(self.host, "route", "add", "blackhole", self.vtep)
            try:
                for _ in range(100):
                    send()
                    time.sleep(0.001)
            finally:
                self.ip(self.host, "route", "del", "blackhole", self.vtep)
            self.reaches()
            self.assertLessEqual(len(self.arrived(ear)), TICKS_MS)
        self.becomes(KNOWN)


if __name__ == "__main__":
    labs.main()
