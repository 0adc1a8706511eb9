#!/usr/bin/env python3
"""Devices come, go and change under a running agent, which follows without a restart: the underlay's and
the workloads', by themselves and in quick succession."""
import json
import unittest

import lab as labs
import traffic

OVERHEAD = 50  # bytes of Ethernet, IPv4, UDP and GENEVE
MTU = 1500     # of the networks in a lab; the underlay's is larger by the overhead
UNDERLAY = {"host-a": "192.168.1.101/24", "host-b": "192.168.1.102/24"}


class LinksTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = labs.two_hosts("links").up()
        cls.addClassCleanup(cls.lab.down)
        cls.host = cls.lab.hosts["host-a"]
        cls.hosts = list(cls.lab.hosts.values())
        cls.pids = [host.pid() for host in cls.hosts]

    def tearDown(self):
        self.expect_well()
        self.assertEqual([host.pid() for host in self.hosts], self.pids)

    def ip(self, thing, *lines):
        """Lines of `ip -batch`: one process, so that they follow each other as fast as can be."""
        self.lab.run(thing, "ip", "-batch", "-", input="".join(line + "\n" for line in lines))

    def ifindex(self, device, thing="host-a"):
        return json.loads(self.lab.run(thing, "ip", "-j", "link", "show", device).stdout)[0]["ifindex"]

    def expect_problem(self, *texts):
        """Exactly these, each by a part of it."""
        labs.wait_for(lambda: len(self.host.problems()) == len(texts) and all(
            text in problem for text, problem in zip(texts, self.host.problems())),
            f"the problems {texts}; there are {self.host.problems()}")

    def expect_well(self):
        for host in self.hosts:
            labs.wait_for(lambda host=host: not host.status()["degraded"], f"{host.name} is well")
        for family in (4, 6):
            def answered(family=family):
                done = traffic.ping(self.lab, "vm-1", self.lab.address("vm-2", family), "-W", "1",
                                    count=1, check=False)
                return done.returncode == 0
            labs.wait_for(answered, f"vm-2 answers over IPv{family}")

    def expect_silence(self):
        done = traffic.ping(self.lab, "vm-1", self.lab.address("vm-2", 4), "-W", "0.3", count=1,
                            check=False)
        self.assertNotEqual(done.returncode, 0)

    def make_port(self):
        return [f"link add port-vm1 mtu {MTU} up type veth peer name eth0 address "
                f"{self.lab.mac_of_vm1} mtu {MTU} netns {self.lab.netns('vm-1')}"]

    def set_up_vm1(self):
        self.ip("vm-1", "link set eth0 addrgenmode none", "link set eth0 up",
                "address add 10.0.1.10/24 dev eth0", "address add fd00:1::10/64 dev eth0 nodad")

    def test_port_device_deleted_and_made_anew(self):
        self.lab.mac_of_vm1 = self.lab.mac("vm-1")
        for at_once in (False, True):
            with self.subTest(at_once=at_once):
                before = self.ifindex("port-vm1")
                if at_once:
                    self.ip("host-a", "link del port-vm1", *self.make_port())
                else:
                    self.ip("host-a", "link del port-vm1")
                    self.expect_problem("device port-vm1 is not there")
                    self.assertEqual(self.host.map_dump("lm_ports"), [])
                    self.ip("host-a", *self.make_port())
                self.set_up_vm1()
                self.assertNotEqual(self.ifindex("port-vm1"), before)
                self.expect_well()
                self.assertEqual(len(self.host.map_dump("lm_ports")), 1)

    def test_port_device_set_down_and_up(self):
        self.ip("host-a", "link set port-vm1 down")
        self.expect_problem("device port-vm1 is down; run: ip link set port-vm1 up")
        self.ip("host-a", "link set port-vm1 up")

    def away_and_back(self, device, *lines):
        """Into another namespace and back, with its number and without its programs, also when both
        come in one burst."""
        before = self.ifindex(device)
        away = labs.make_netns("away")
        self.addCleanup(labs.remove_netns, away)
        self.ip("host-a", f"link set {device} netns {away}")
        labs.run(["ip", "-n", away, "link", "set", device, "netns", self.host.netns])
        self.ip("host-a", f"link set {device} up", *lines)
        self.assertEqual(self.ifindex(device), before)

    def test_port_device_moved_away_and_back(self):
        self.away_and_back("port-vm1")

    def test_underlay_device_moved_away_and_back(self):
        self.away_and_back("eth0", f"address add {UNDERLAY['host-a']} dev eth0")

    def test_underlay_flaps(self):
        self.ip("host-a", "link set eth0 down")
        self.expect_problem("device eth0 is down; run: ip link set eth0 up")
        self.expect_silence()
        self.ip("host-a", "link set eth0 up")
        self.expect_well()
        self.ip("host-a", *["link set eth0 down", "link set eth0 up"] * 10)

    def test_underlay_address_removed_and_added(self):
        address = UNDERLAY["host-a"]
        self.ip("host-a", f"address del {address} dev eth0")
        self.expect_problem("address 192.168.1.101 is on no link of this host; run: ip address add "
                            "192.168.1.101 dev eth0")
        self.ip("host-a", f"address add {address} dev eth0")
        self.expect_well()
        # On another link of the host it is still ours.
        self.ip("host-a", "address add 192.168.1.101/32 dev lo")
        self.addCleanup(self.ip, "host-a", "address del 192.168.1.101/32 dev lo")
        self.ip("host-a", f"address del {address} dev eth0", "route add 192.168.1.0/24 dev eth0")
        labs.wait_for(lambda: not self.host.problems(), "no problem")
        traffic.ping(self.lab, "vm-1", self.lab.address("vm-2", 4), count=1)
        self.ip("host-a", "route del 192.168.1.0/24 dev eth0", f"address add {address} dev eth0")

    def test_underlay_mtu_changes(self):
        """Left out of the state file, the networks' MTU is the underlay's less 50."""
        def mtu():
            return [row["mtu"] for row in self.host.ask("networks")]

        fixed = self.host.state_path.read_text()
        self.addCleanup(self.host.apply, fixed)
        self.assertEqual(mtu(), [MTU])
        self.addCleanup(self.ip, "host-a", f"link set eth0 mtu {MTU + OVERHEAD}")
        self.ip("host-a", f"link set eth0 mtu {MTU}")
        self.expect_problem(f"mtu {MTU} does not fit: the underlay's MTU is {MTU}")
        self.assertEqual(mtu(), [MTU - OVERHEAD])
        self.host.apply(fixed.replace(f"    mtu: {MTU}\n", ""))
        self.assertEqual(self.host.problems(), [])
        for wanted in (MTU, 8950, 1400):
            self.ip("host-a", f"link set eth0 mtu {wanted + OVERHEAD}")
            labs.wait_for(lambda wanted=wanted: mtu() == [wanted], "the MTU follows")
        # What the kernel does with it: a packet of that size goes through, one more byte does not.
        done = self.lab.run("vm-1", "ping", "-n", "-c", "1", "-W", "2", "-M", "do", "-s",
                            str(1400 - 28), self.lab.address("vm-2", 4))
        self.assertEqual(traffic.ping_summary(done.stdout)[1], 1)
        done = self.lab.run("vm-1", "ping", "-n", "-c", "1", "-W", "2", "-M", "do", "-s",
                            str(1400 - 28 + 1), self.lab.address("vm-2", 4), check=False)
        self.assertRegex(done.stdout + done.stderr, r"mtu ?= ?1400")
        self.lab.run("vm-1", "ip", "route", "flush", "cache")

    def make_underlay(self):
        return [f"link add eth0 mtu {MTU + OVERHEAD} type veth peer name eth0 "
                f"mtu {MTU + OVERHEAD} netns {self.lab.netns('host-b')}"]

    def set_up_underlay(self, *hosts):
        for name in hosts or UNDERLAY:
            self.ip(name, "link set eth0 addrgenmode none", f"address add {UNDERLAY[name]} dev eth0",
                    "link set eth0 up")

    def test_underlay_device_deleted_and_made_anew(self):
        for at_once in (False, True):
            with self.subTest(at_once=at_once):
                before = [self.ifindex("eth0", host.name) for host in self.hosts]
                programmed = self.host.map_dump("lm_fdb")
                if at_once:
                    self.ip("host-a", "link del eth0", *self.make_underlay())
                else:
                    self.ip("host-a", "link del eth0")
                    self.expect_problem("device eth0 is not there; what is programmed stays until it "
                                        "is back")
                    self.assertEqual(self.host.map_dump("lm_fdb"), programmed)
                    self.ip("host-a", *self.make_underlay())
                self.set_up_underlay()
                for host, old in zip(self.hosts, before):
                    self.assertNotEqual(self.ifindex("eth0", host.name), old)
                self.expect_well()

    def test_underlay_device_renamed(self):
        """Missing by its name, its program goes on; by another name it is another's."""
        self.ip("host-a", "link set eth0 name eth9")
        self.expect_problem("device eth0 is not there")
        traffic.ping(self.lab, "vm-1", self.lab.address("vm-2", 4), count=1)
        self.ip("host-a", "link set eth9 name eth0")

    def test_segmenter_deleted(self):
        before = self.ifindex("lm-seg1")
        self.ip("host-a", "link del lm-seg0")

        def attached():
            done = self.host.run("tc", "filter", "show", "dev", "lm-seg1", "ingress", check=False)
            return "port_rx" in done.stdout
        labs.wait_for(attached, "the segmenter is there again and has its program")
        self.assertNotEqual(self.ifindex("lm-seg1"), before)


class Ipv6UnderlayTest(unittest.TestCase):
    def test_a_flap_takes_the_addresses_along(self):
        """Linux removes IPv6 addresses from a device that goes down."""
        with labs.two_hosts("six", family=6, inner=(4,)) as lab:
            host = lab.hosts["host-a"]
            target = lab.address("vm-2", 4)
            traffic.ping(lab, "vm-1", target, count=1)
            host.run("ip", "link", "set", "eth0", "down")
            host.run("ip", "link", "set", "eth0", "up")
            labs.wait_for(lambda: "2001:db8:1::101 is on no link" in " ".join(host.problems()),
                          "the address is missed")
            host.run("ip", "address", "add", "2001:db8:1::101/64", "dev", "eth0", "nodad")
            labs.wait_for(lambda: not host.problems(), "no problem")
            labs.wait_for(lambda: traffic.ping(lab, "vm-1", target, "-W", "1", count=1,
                                               check=False).returncode == 0, "vm-2 answers")


if __name__ == "__main__":
    labs.main()
