"""Tunnel endpoints that are not Leman: Linux geneve devices and Open vSwitch, in the place of
host-b's agent, with vm-2 on a bridge behind.

Whatever the peer, the same must work (`Cases`). A peer is told what to send and what to take
(checksums, options) in its own words, so that the peer and not this file judges Leman's packets.
All of a program's tests share one lab: bringing it up takes longer than what they do in it.
"""
import collections
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import yaml

import lab as labs
import traffic
import wire

VNI = 10001
CABLE = "port-vm2"  # the end on host-b of vm-2's cable

LEMAN = {4: "192.168.1.101", 6: "2001:db8:1::101"}
PEER = {4: "192.168.1.102", 6: "2001:db8:1::102"}
PREFIX_LENGTH = {4: 24, 6: 64}

# What Leman puts on every packet, and what the peer puts on its own, where they are able to.
OURS = {"class": 0xFFF0, "type": 1, "data": "0a0b0c0d"}
THEIRS = {"class": 0x0102, "type": 0x80, "data": "00000005"}


def known(option):
    """The entry of `options` that makes Leman understand it."""
    return {"class": option["class"], "type": option["type"], "length": len(option["data"]) // 2}


class Lab(labs.Lab):
    """vm-1 on host-a, where Leman is; vm-2's cable ends on host-b, where it was taken off. Both
    hosts have both families."""

    def __init__(self, tag, offloads=True):
        super().__init__(
            tag,
            hosts=[{"name": name, "addresses": [f"{own[4]}/24", f"{own[6]}/64"]}
                   for name, own in (("host-a", LEMAN), ("host-b", PEER))],
            networks=[{"name": "blue", "vni": VNI}],
            machines=[{"name": f"vm-{number}", "host": host, "network": "blue",
                       "mac": f"aa:bb:cc:dd:ee:{mac}",
                       "addresses": [f"10.0.1.{number}/24", f"fd00:1::{number}/64"]}
                      for number, host, mac in ((1, "host-a", "f0"), (2, "host-b", "10"))],
            underlay={"offloads": "on" if offloads else "off"})
        self.offloads = offloads
        self.leman, self.other = self.hosts["host-a"], self.hosts["host-b"]

    def up(self):
        super().up()
        self.other.detach()
        self._state = yaml.safe_load(self.leman.state_path.read_text())
        return self

    def tell_leman(self, family, options=(), understood=(), **peer):
        """`options`: on all it sends; `peer`: its entry in `peers`."""
        state = {**self._state, "options": list(understood),
                 "peers": [{"address": PEER[family], **peer}] if peer else []}
        network = state["networks"][0]
        network["options"] = list(options)
        network["vteps"] = [PEER[family]]
        for remote in network["remotes"]:
            remote["vtep"] = PEER[family]
        self.leman.apply(json.dumps(state))

    def drops(self, counters=None):
        """Verdict → packets, of those that Leman did not take or send."""
        counters = counters or self.leman.ask("counters")
        return {row["verdict"]: row["packets"] for row in counters["verdicts"]
                if row["is_drop"] and row["packets"]}


class Peer:
    """`up()` makes it anew, `down()` takes it away, `close()` ends what outlives that."""
    df = True  # whether it sets DF over IPv4
    marks_critical = True  # whether it sets the C bit when an option is critical

    def __init__(self, host):
        self.host = host

    def batch(self, tool, *lines):
        self.host.run(tool, "-batch", "-", input="\n".join(lines) + "\n")

    def close(self):
        pass


class LinuxGeneve(Peer):
    """A geneve device with a fixed remote, and a bridge: what `ip link` alone makes."""

    def words(self, family, checksum):
        if family == 4:
            sums = "udpcsum" if checksum else "noudpcsum"
        else:
            sums = ("noudp6zerocsumtx noudp6zerocsumrx" if checksum
                    else "udp6zerocsumtx udp6zerocsumrx")
        return f"id {VNI} remote {LEMAN[family]} ttl 64 df set {sums}"

    def up(self, family=4, checksum=False, sends=None, expects=None, words=None):
        """`words`: of `ip link add`, instead of those that the others make. What is expected is not
        looked at: this device skips all options."""
        assert sends is None
        self.make_device(words or self.words(family, checksum))

    def make_device(self, words):
        self.batch("ip",
                   "link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
                   f"link add gnv0 type geneve dstport 6081 {words}",
                   "link set gnv0 addrgenmode none mtu 1500 master br0 up",
                   f"link set {CABLE} master br0",
                   "link set br0 addrgenmode none up")

    def down(self):
        self.batch("ip", "link del gnv0", "link del br0")

    def refused(self):
        """Packets that the device did not take because of how they looked."""
        link = json.loads(self.host.run("ip", "-j", "-s", "link", "show", "gnv0").stdout)[0]
        return link["stats64"]["rx"]["errors"]


class LinuxExternal(LinuxGeneve):
    """A geneve device that is told by tc, packet by packet, where to and with which options.
    The action knows neither DF nor the C bit."""
    df = False
    marks_critical = False

    def up(self, family=4, checksum=False, sends=None, expects=None, words=None):
        self.make_device(words or "external")
        sums = "csum" if checksum else "nocsum"
        sent = f"geneve_opts {self.option(sends)}" if sends else ""
        expected = f"geneve_opts {self.option(expects)}" if expects else ""
        self.batch(
            "tc", "qdisc add dev gnv0 clsact",
            "filter add dev gnv0 egress protocol all pref 1 matchall action tunnel_key set"
            f" src_ip {PEER[family]} dst_ip {LEMAN[family]} dst_port 6081 id {VNI} ttl 64"
            f" {sums} {sent}",
            "filter add dev gnv0 ingress protocol all pref 1 flower"
            f" enc_key_id {VNI} {expected} action tunnel_key unset pipe action pass",
            "filter add dev gnv0 ingress protocol all pref 2 matchall action drop")

    @staticmethod
    def option(option):
        return f"{option['class']:04X}:{option['type']:02X}:{option['data']}"


class Ovs(Peer):
    """Open vSwitch with processes, database and directory of its own; the kernel's datapath."""
    datapath = "system"
    daemon_words = ()

    def __init__(self, host):
        super().__init__(host)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="leman-ovs-"))
        self.env = {**os.environ, "OVS_RUNDIR": str(self.dir), "OVS_DBDIR": str(self.dir),
                    "OVS_LOGDIR": str(self.dir), "OVS_SYSCONFDIR": str(self.dir)}
        self.processes = []
        labs.run(["ovsdb-tool", "create", self.dir / "conf.db",
                  "/usr/share/openvswitch/vswitch.ovsschema"])
        database = f"unix:{self.dir}/db.sock"
        self.start("ovsdb-server", self.dir / "conf.db", "--remote=p" + database)
        labs.wait_for((self.dir / "db.sock").exists, "ovsdb-server listens")
        self.vsctl("--no-wait", "init")
        self.start("ovs-vswitchd", database, *self.daemon_words)

    def start(self, program, *words):
        with open(self.dir / f"{program}.log", "wb") as log:
            self.processes.append(subprocess.Popen(
                [*labs.enter(self.host.netns), program, *map(str, words),
                 f"--unixctl={self.dir}/{program}.ctl"],
                env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def vsctl(self, *words):
        return labs.run(["ovs-vsctl", f"--db=unix:{self.dir}/db.sock", "--timeout=20", *words],
                        env=self.env)

    def ofctl(self, *words, **more):
        return labs.run(["ovs-ofctl", *words], env=self.env, **more).stdout

    def appctl(self, *words):
        return labs.run(["ovs-appctl", "-t", self.dir / "ovs-vswitchd.ctl", *words],
                        env=self.env).stdout

    def up(self, family=4, checksum=False, sends=None, expects=None, actions=""):
        """`actions`: more of them, on what goes into the tunnel."""
        self.vsctl(
            "add-br", "br-int", "--", "set", "bridge", "br-int", f"datapath_type={self.datapath}",
            "--", "add-port", "br-int", CABLE, "--", "set", "interface", CABLE, "ofport_request=1",
            "--", "add-port", "br-int", "gnv0", "--", "set", "interface", "gnv0", "type=geneve",
            "ofport_request=2", f'options:remote_ip="{LEMAN[family]}"',
            f'options:local_ip="{PEER[family]}"', f"options:key={VNI}", "options:ttl=64",
            f"options:csum={str(checksum).lower()}")
        kinds = [option for option in (expects, sends) if option]
        if kinds:
            self.ofctl("add-tlv-map", "br-int", ",".join(
                f"{{class={option['class']:#x},type={option['type']:#x},"
                f"len={len(option['data']) // 2}}}->tun_metadata{number}"
                for number, option in enumerate(kinds)))
        matches = f",tun_metadata0=0x{expects['data']}" if expects else ""
        if sends:
            field = f"NXM_NX_TUN_METADATA{len(kinds) - 1}[]"
            actions = f"load:0x{sends['data']}->{field},{actions}"
        self.ofctl("replace-flows", "br-int", "-", input=(
            f"priority=2,in_port=2{matches},actions=NORMAL\n"
            f"priority=1,in_port=1,actions={actions}NORMAL\n"))

    def down(self):
        self.vsctl("del-br", "br-int")

    def close(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait(20)
        shutil.rmtree(self.dir)


class OvsUserSpace(Ovs):
    """The same with the datapath in ovs-vswitchd, which has the underlay's device too: address and
    routes stand on a bridge before it. It takes no aggregates and no unfinished checksums."""
    datapath = "netdev"
    daemon_words = ("--disable-system",)

    def __init__(self, host):
        super().__init__(host)
        self.vsctl("add-br", "br-und", "--", "set", "bridge", "br-und", "datapath_type=netdev",
                   "--", "add-port", "br-und", "eth0")
        self.batch("ip", "address flush dev eth0", "link set br-und addrgenmode none up",
                   *(f"address add {PEER[family]}/{PREFIX_LENGTH[family]} dev br-und"
                     f"{' nodad' if family == 6 else ''}" for family in (4, 6)))


class Cases:
    """The tests; the classes that use it say with which peer, over which underlay. Lab and peer are
    made once for all of them (share_lab, share_peer)."""
    lab = None
    peer = None
    family = 4
    checksum = False
    ours = OURS  # on what Leman sends; None: nothing
    theirs = THEIRS  # on what the peer sends
    dropped = {}

    @classmethod
    def setUpClass(cls):
        cls.set_up_tunnel()
        cls.one, cls.two = cls.lab.netns("vm-1"), cls.lab.netns("vm-2")

    @classmethod
    def set_up_tunnel(cls):
        cls.lab.tell_leman(cls.family, options=[cls.ours] if cls.ours else [],
                           understood=[known(cls.theirs)] if cls.theirs else [],
                           udp_checksum="required" if cls.checksum else "zero")
        cls.peer.up(cls.family, cls.checksum, sends=cls.theirs, expects=cls.ours)
        cls.addClassCleanup(cls.peer.down)
        labs.wait_for(lambda: reaches(cls.lab, "vm-1", "vm-2"), "the peer answers", 15)

    def shortDescription(self):
        return None  # one line a case

    def each_way(self):
        """(namespace it comes from, namespace it goes to, address there, inner family)"""
        for family in (4, 6):
            for source, target in (("vm-1", "vm-2"), ("vm-2", "vm-1")):
                with self.subTest(source=source, inner=family):
                    yield (self.lab.netns(source), self.lab.netns(target),
                           self.lab.address(target, family), family)

    def test_icmp(self):
        for source, _, address, family in self.each_way():
            traffic.echo(source, address, (1, 56, 1400, 4000), family=family)  # the last in fragments

    def test_tcp(self):
        for source, target, address, family in self.each_way():
            traffic.tcp_both_ways(source, target, address, family=family, size=1 << 20)

    def test_udp(self):
        for source, target, address, family in self.each_way():
            traffic.udp_sizes(source, target, address, (1, 2, 63, 512, 1399, 1452), family=family)

    def test_arp_and_neighbour_discovery(self):
        """Each asks for an address that the other side alone knows."""
        for family, new in ((4, "10.0.1.99/24"), (6, "fd00:1::99/64")):
            words = ["address", "add", new, "dev", "eth0"]
            labs.run(["ip", *words, *(["nodad"] if family == 6 else [])], netns=self.two)
            self.addCleanup(labs.run, ["ip", "address", "del", *words[2:]], netns=self.two)
            labs.run(["ip", "neigh", "flush", "dev", "eth0"], netns=self.two)
            labs.run(["ip", "neigh", "flush", "dev", "eth0"], netns=self.one)
            with self.subTest(inner=family):
                traffic.echo(self.one, new.partition("/")[0], family=family)
                traffic.echo(self.two, self.lab.address("vm-1", family), family=family)

    def test_form_on_the_wire(self):
        """Both ways: checksums and options as asked for, all else as RFC 8926 wants it."""
        self.lab.set_offloads(False)  # every checksum that leaves is finished
        if self.lab.offloads:
            self.addCleanup(self.lab.set_offloads, True)
        with wire.Ear(self.lab.leman.netns, outgoing=True) as ear:
            for source, target, address, family in self.each_way():
                traffic.echo(source, address, (56, 1400), family=family)
                traffic.udp_sizes(source, target, address, (1, 1000), family=family)
                traffic.tcp_both_ways(source, target, address, family=family, size=20_000)
            frames = ear.drain()
        keep(type(self).__name__, frames)
        packets = list(filter(None, map(wire.parse_tunnel, frames)))
        for name, sender, option, df, marks in (
                ("Leman", LEMAN, self.ours, True, True),
                ("peer", PEER, self.theirs, self.peer.df, self.peer.marks_critical)):
            forms = collections.Counter(
                packet._replace(source=None, destination=None, source_port=None, inner=None,
                                checksum=bool(packet.checksum))
                for packet in packets if packet.source == sender[self.family])
            options = ((option["class"], option["type"], bytes.fromhex(option["data"])),
                       ) if option else ()
            self.assertEqual(list(forms), [wire.Tunnel(
                source=None, destination=None, tos=0, ttl=64, df=df or self.family == 6,
                source_port=None, checksum=self.checksum, sound=True, control=False,
                critical=bool(option and option["type"] & 0x80 and marks), protocol=0x6558,
                vni=VNI, options=options, inner=None)], name)
            self.assertGreater(forms.total(), 50)

    def test_zero_drops(self):
        """The last in order: in all of the above."""
        counters = self.lab.leman.ask("counters")
        before, Cases.dropped = Cases.dropped, self.lab.drops(counters)
        self.assertEqual(Cases.dropped, before)
        events = {row["event"]: row["count"] for row in counters["events"]}
        if self.theirs and self.theirs["type"] & 0x80 and not self.peer.marks_critical:
            self.assertGreater(events["critical_flag"], 0)


def reaches(lab, source, target, family=4, timeout=0.5):
    try:
        traffic.echo(lab.netns(source), lab.address(target, family), family=family, timeout=timeout)
    except AssertionError:
        return False
    return True


def keep(name, frames):
    """For the decoders that read it after the guest (tests/guest/suite.py)."""
    if "OUT" in os.environ:
        with open(pathlib.Path(os.environ["OUT"]) / f"{name}.pcap", "wb") as file:
            wire.write_pcap(file, frames)


def share_lab(tag, offloads=True):
    """For setUpModule(): the lab of all of the program's tests."""
    Cases.lab = Lab(tag, offloads)
    unittest.addModuleCleanup(Cases.lab.down)
    return Cases.lab.up()


def share_peer(make):
    peer = make(Cases.lab.other)
    unittest.addModuleCleanup(peer.close)
    return peer
