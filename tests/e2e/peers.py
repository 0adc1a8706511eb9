"""Tunnel endpoints that are not Leman: Linux geneve devices and Open vSwitch, in the place of
host-b's agent, with vm-2 on a bridge behind.

Whatever the peer, the same must work (`Cases`). A peer is told what to send and what to take
(checksums, options) in its own words, so that the peer and not this file judges Leman's packets.
All of a program's tests share one lab: bringing it up takes longer than what they do in it.

  peers.py CAPTURE...   reads what the tests kept of the wire (check_decoders)
"""
import collections
import contextlib
import json
import os
import pathlib
import re
import signal
import sys
import tempfile
import unittest

import yaml

import decoders
import lab as labs
import openvswitch
import traffic
import wire

VNI = 10001
CABLE = "port-vm2"  # the end on host-b of vm-2's cable

LEMAN = {4: "192.168.1.101", 6: "2001:db8:1::101"}
PEER = {4: "192.168.1.102", 6: "2001:db8:1::102"}
PREFIX_LENGTH = {4: 24, 6: 64}

# What Leman puts on every packet, and what the peer puts on its own, where they are able to: one that
# nobody knows, and OVN's.
OURS = [{"class": 0xFF00, "type": 1, "data": "0a0b0c0d"}]
THEIRS = [{"class": 0x0102, "type": 0x80, "data": "00000005"}]
CRITICAL = [{"class": 0xFF00, "type": 0x81, "data": "0a0b0c0d"}]
FULL = [{"class": 0xFF00, "type": 1, "data": "a1" * 124},
        {"class": 0xFF00, "type": 0x82, "data": "b2" * 120}]  # 252 bytes with their headers


def known(options):
    """The entries of `options` in a state file that make Leman understand them."""
    return [{"class": option["class"], "type": option["type"], "length": len(option["data"]) // 2}
            for option in options]


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
        # Its metrics are read in this process: in the guest, `leman` takes seconds to start.
        self.leman.kill(signal.SIGTERM)
        self.leman.agent_options = labs.METRICS
        self.leman.start()
        return self

    def tell_leman(self, family, options=(), understood=(), network=None, **peer):
        """`options`: on all it sends; `understood`: those it takes; `network`: more of the network's
        entry; `peer`: of the peer's."""
        blue = {**self._state["networks"][0], "options": list(options), "vteps": [PEER[family]],
                **(network or {})}
        blue["remotes"] = [{**remote, "vtep": PEER[family]} for remote in blue["remotes"]]
        self.leman.apply(json.dumps({
            **self._state, "networks": [blue], "options": known(understood),
            "peers": [{"address": PEER[family], **peer}] if peer else []}))

    def reaches(self, source, target, timeout=0.5):
        """Whether an echo request is answered."""
        try:
            traffic.echo(self.netns(source), self.address(target, 4), timeout=timeout)
        except AssertionError:
            return False
        return True

    def counters(self):
        """Leman's: (verdict → packets it dropped, event → how often)"""
        text = self.leman.scrape()
        drops = collections.Counter()
        for verdict, packets in re.findall(
                r'leman_verdict_packets_total\{.*verdict="(\w+)",drop="true"\} (\d+)', text):
            drops[verdict] += int(packets)
        events = re.findall(r'leman_event_total\{event="(\w+)"\} (\d+)', text)
        assert drops and events, text
        return +drops, {event: int(count) for event, count in events}


class Peer:
    """`up()` makes it anew, `down()` takes away what there is of it; `open()` and `close()` are for what
    outlives that."""
    df = True  # whether it sets DF over IPv4
    marks_critical = True  # whether it sets the C bit when an option is critical
    zero6 = True  # whether it can send zero for a checksum over IPv6
    inherit_tos = ()  # what makes `up` copy DSCP and ECN to the outer header: {name: value}

    def __init__(self, host):
        self.host = host

    def batch(self, tool, *lines):
        self.host.run(tool, "-batch", "-", input="\n".join(lines) + "\n")

    def forget(self, *devices):
        self.host.run("ip", "-force", "-batch", "-", check=False,
                      input="".join(f"link del {device}\n" for device in devices))

    def open(self):
        pass

    def close(self):
        pass

    @contextlib.contextmanager
    def congestion(self, leman):
        """Meanwhile the underlay sets CE on all packets that can have it, both ways."""
        for host in (leman, self.host):
            host.run("tc", "qdisc", "add", "dev", "eth0", "clsact", check=False)
            host.run("tc", "filter", "add", "dev", "eth0", "egress", "protocol", "all", "pref", "9",
                     "matchall", "action", "skbmod", "ecn")
        try:
            yield
        finally:
            for host in (leman, self.host):
                host.run("tc", "filter", "del", "dev", "eth0", "egress", "pref", "9")


class LinuxGeneve(Peer):
    """A geneve device with a fixed remote, and a bridge: what `ip link` alone makes."""

    inherit_tos = {"tos": "inherit"}

    def up(self, family=4, checksum=False, sends=(), expects=(), sums=None, **settings):
        """`sums`, `settings`: instead of or besides those below, in the words of `ip link add`. What
        is expected is not looked at: this device skips all options."""
        assert not sends
        if family == 4:
            sums = sums or ("udpcsum" if checksum else "noudpcsum")
        else:
            sums = sums or ("noudp6zerocsumtx noudp6zerocsumrx" if checksum
                            else "udp6zerocsumtx udp6zerocsumrx")
        settings = {"id": VNI, "remote": LEMAN[family], "ttl": 64, "df": "set", **settings}
        self.make_device(" ".join(f"{name} {value}" for name, value in settings.items()), sums)

    def make_device(self, *words):
        self.batch("ip",
                   "link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
                   f"link add gnv0 type geneve dstport 6081 {' '.join(words)}",
                   "link set gnv0 addrgenmode none mtu 1500 master br0 up",
                   f"link set {CABLE} master br0",
                   "link set br0 addrgenmode none up")

    def down(self):
        self.forget("gnv0", "br0")

    def refused(self):
        """Packets that the device did not take because of how they looked."""
        link = json.loads(self.host.run("ip", "-j", "-s", "link", "show", "gnv0").stdout)[0]
        return link["stats64"]["rx"]["errors"]


class LinuxExternal(LinuxGeneve):
    """A geneve device that is told by tc, packet by packet, where to and with which options.
    The action knows neither DF nor the C bit."""
    df = False
    marks_critical = False

    def up(self, family=4, checksum=False, sends=(), expects=()):
        self.make_device("external")
        sums = "csum" if checksum else "nocsum"
        sent, expected = map(self.options, (sends, expects))
        self.batch(
            "tc", "qdisc add dev gnv0 clsact",
            "filter add dev gnv0 egress protocol all pref 1 matchall action tunnel_key set"
            f" src_ip {PEER[family]} dst_ip {LEMAN[family]} dst_port 6081 id {VNI} ttl 64"
            f" {sums} {sent}",
            "filter add dev gnv0 ingress protocol all pref 1 flower"
            f" enc_key_id {VNI} {expected} action tunnel_key unset pipe action pass",
            "filter add dev gnv0 ingress protocol all pref 2 matchall action drop")

    @staticmethod
    def options(options):
        text = ",".join(f"{option['class']:04X}:{option['type']:02X}:{option['data']}"
                        for option in options)
        return f"geneve_opts {text}" if text else ""


class Ovs(Peer):
    """Open vSwitch with the kernel's datapath."""
    datapath = "system"
    daemon_words = ()
    inherit_tos = {"words": ["options:tos=inherit"]}

    def __init__(self, host):
        super().__init__(host)
        self.switch = openvswitch.Switch(host.netns, host.run_dir / "ovs",  # goes with the lab
                                         *self.daemon_words)

    def open(self):
        self.switch.open()

    def up(self, family=4, checksum=False, sends=(), expects=(), actions="", words=()):
        """`actions`: more of them, on what goes into the tunnel; `words`: of `ovs-vsctl set`."""
        self.switch.vsctl(
            "add-br", "br-int", "--", "set", "bridge", "br-int", f"datapath_type={self.datapath}",
            "--", "add-port", "br-int", CABLE, "--", "set", "interface", CABLE, "ofport_request=1",
            "--", "add-port", "br-int", "gnv0", "--", "set", "interface", "gnv0", "type=geneve",
            "ofport_request=2", f'options:remote_ip="{LEMAN[family]}"',
            f'options:local_ip="{PEER[family]}"', f"options:key={VNI}", "options:ttl=64",
            f"options:csum={str(checksum).lower()}", *words)
        kinds = sorted({(option["class"], option["type"], len(option["data"]) // 2)
                        for option in [*expects, *sends]})
        if kinds:
            self.switch.ofctl("add-tlv-map", "br-int", ",".join(
                f"{{class={kind[0]:#x},type={kind[1]:#x},len={kind[2]}}}->tun_metadata{number}"
                for number, kind in enumerate(kinds)))

        def field(option):
            return next(f"tun_metadata{number}" for number, kind in enumerate(kinds)
                        if kind[:2] == (option["class"], option["type"]))

        matches = "".join(f",{field(option)}=0x{option['data']}" for option in expects)
        actions += "".join(f"set_field:0x{option['data']}->{field(option)}," for option in sends)
        self.switch.ofctl("-O", "OpenFlow15", "replace-flows", "br-int", "-", input=(
            f"priority=2,in_port=2{matches},actions=NORMAL\n"
            f"priority=1,in_port=1,actions={actions}NORMAL\n"))

    def down(self):
        self.switch.vsctl("--if-exists", "del-br", "br-int")

    def close(self):
        self.switch.close()


class OvsUserSpace(Ovs):
    """The same with the datapath in ovs-vswitchd, which has the underlay's device too: address and
    routes stand on a bridge before it. It takes no aggregates and no unfinished checksums."""
    datapath = "netdev"
    zero6 = False
    daemon_words = ("--disable-system",)

    def open(self):
        super().open()
        self.switch.vsctl("add-br", "br-und", "--", "set", "bridge", "br-und", "datapath_type=netdev",
                   "--", "add-port", "br-und", "eth0")
        self.batch("ip", "address flush dev eth0", "link set br-und addrgenmode none up",
                   *(f"address add {PEER[family]}/{PREFIX_LENGTH[family]} dev br-und"
                     f"{' nodad' if family == 6 else ''}" for family in (4, 6)))

    @contextlib.contextmanager
    def congestion(self, leman):
        """br-und sees what comes from and goes to eth0."""
        self.underlay_flows("priority=1,actions=NORMAL", *(
            f"priority=2,{udp},tp_dst=6081,nw_ecn={ecn},actions=mod_nw_ecn:3,NORMAL"
            for udp in ("udp", "udp6") for ecn in (1, 2)))
        try:
            yield
        finally:
            self.underlay_flows("actions=NORMAL")

    def underlay_flows(self, *flows):
        self.switch.ofctl("replace-flows", "br-und", "-", input="\n".join(flows) + "\n")
        self.switch.appctl("revalidator/purge")  # else the old ones act for a while


class Cases:
    """The tests; the classes that use it say with which peer, over which underlay. Lab and peer are
    made once for all of them (share_lab, share_peer)."""
    lab = None
    peer = None
    counters = None  # Leman's, before this class
    family = 4
    checksum = False
    ours = OURS  # on what Leman sends
    theirs = THEIRS  # on what the peer sends

    @classmethod
    def setUpClass(cls):
        cls.lab.tell_leman(cls.family, options=cls.ours, understood=cls.theirs,
                           udp_checksum="required" if cls.checksum else "zero")
        cls.addClassCleanup(cls.peer.down)
        cls.peer.up(cls.family, cls.checksum, sends=cls.theirs, expects=cls.ours)
        cls.one, cls.two = cls.lab.netns("vm-1"), cls.lab.netns("vm-2")
        labs.wait_for(lambda: cls.lab.reaches("vm-1", "vm-2"), "the peer answers", 15)

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
        check_decoders(self, frames)
        packets = list(filter(None, map(wire.parse_tunnel, frames)))
        for name, sender, sent, df, marks, zero6 in (
                ("Leman", LEMAN, self.ours, True, True, True),
                ("peer", PEER, self.theirs, self.peer.df, self.peer.marks_critical,
                 self.peer.zero6)):
            forms = collections.Counter(
                packet._replace(source=None, destination=None, source_port=None, inner=None,
                                checksum=bool(packet.checksum))
                for packet in packets if packet.source == sender[self.family])
            options = tuple((option["class"], option["type"], bytes.fromhex(option["data"]))
                            for option in sent)
            self.assertEqual(list(forms), [wire.Tunnel(
                source=None, destination=None, tos=0, ttl=64, df=df or self.family == 6,
                source_port=None, sound=True, control=False,
                checksum=self.checksum or (self.family == 6 and not zero6),
                critical=marks and is_critical(sent), protocol=0x6558, vni=VNI,
                options=options, inner=None)], name)
            self.assertGreater(forms.total(), 50)

    def test_zero_drops(self):
        """The last in order: in all of the above."""
        counters = self.lab.counters()
        before, Cases.counters = Cases.counters, counters
        self.assertEqual(counters[0], before[0])

        def grew(event):
            return counters[1][event] > before[1][event]

        self.assertEqual(grew("critical_flag"),
                         is_critical(self.theirs) and not self.peer.marks_critical)
        # Aggregates cross the tunnel whole, unless Leman owes a checksum for each packet.
        self.assertEqual(grew("gso_in"), self.lab.offloads)
        self.assertEqual(grew("gso_out"), self.lab.offloads and not self.checksum)


def is_critical(options):
    return any(option["type"] & 0x80 for option in options)


class Differences:
    """Where the two do not want the same: what is refused, by whom, and what the state file has for
    it. As for Cases, lab and peer are shared."""

    @classmethod
    def tearDownClass(cls):
        Cases.counters = Cases.lab.counters()

    def shortDescription(self):
        return None

    def tunnel(self, peer, family=4, leman=None, **words):
        """`leman`: for Lab.tell_leman; `words`: for the peer's `up`."""
        self.lab, self.peer = Cases.lab, peer
        self.lab.tell_leman(family, **(leman or {}))
        self.addCleanup(self.peer.down)
        self.peer.up(family, **words)

    def check_reaches(self, source="vm-2", target="vm-1"):
        labs.wait_for(lambda: self.lab.reaches(source, target), f"{source} reaches {target}", 15)

    def check_leman_refuses(self, verdict, send=None):
        """`send`: what vm-2 does for it; otherwise it broadcasts a frame."""
        frame = wire.ethernet(wire.BROADCAST, self.lab.mac("vm-2"), 0x0800, wire.ipv4(
            "10.0.1.2", "10.0.1.1", 17, wire.udp(7, 7, b"refuse me")))
        before = self.lab.counters()[0][verdict]
        with wire.Mouth(self.lab.netns("vm-2")) as mouth, wire.Ear(self.lab.netns("vm-1")) as ear:
            def refused():
                send() if send else mouth.say(frame)
                return self.lab.counters()[0][verdict] > before

            labs.wait_for(refused, f"Leman drops as {verdict}", every=0.05)
            self.assertEqual([got for got in ear.drain() if frame[14:] in got], [])

    def check_peer_refuses(self):
        self.assertFalse(self.lab.reaches("vm-1", "vm-2"))

    def check_tos(self, outer_ecn):
        """DSCP stays, in both headers. ECN goes as RFC 6040 wants: out with the packet, and a mark
        made on the way comes in. `outer_ecn` → the peer's outer field by the inner one."""
        self.tunnel(self.peer, leman={"network": {"dscp": "copy"}}, **self.peer.inherit_tos)
        self.check_reaches()
        ways = [(family, *way, ecn) for family in (4, 6) for ecn in range(4)
                for way in (("vm-1", "vm-2"), ("vm-2", "vm-1"))]

        def received(family, source, target, ecn):
            return traffic.tos_received(self.lab.netns(source), self.lab.netns(target),
                                        self.lab.address(target, family), 0x28 | ecn, family)

        for family, source, target, ecn in ways:
            with self.subTest(inner=family, source=source, ecn=ecn), \
                    wire.Ear(self.lab.leman.netns, outgoing=True) as ear:
                self.assertEqual(received(family, source, target, ecn), 0x28 | ecn)
                wanted = ecn if source == "vm-1" else outer_ecn[ecn]
                self.assertEqual({packet.tos for packet in filter(None, map(
                    wire.parse_tunnel, ear.drain())) if packet.inner.endswith(b"marked")},
                                 {0x28 | wanted})
        with self.peer.congestion(self.lab.leman):
            for family, source, target, ecn in ways:
                with self.subTest("congestion", inner=family, source=source, ecn=ecn):
                    self.assertEqual(received(family, source, target, ecn), 0x28 | (3 if ecn else 0))


def check_decoders(test, frames):
    """In the guest they would take minutes to start: there the frames are kept for later
    (tests/guest/suite.py). Linux sends from any port; one below GENEVE's may be a service's, and then
    decoders take the packet for that: such are left out."""
    frames = [frame for frame in frames if (tunnel := wire.parse_tunnel(frame)) is None
              or tunnel.source_port > wire.GENEVE_PORT]
    name = f"{pathlib.Path(sys.argv[0]).stem}-{type(test).__name__}.pcap"
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(os.environ.get("OUT", scratch)) / name
        with open(path, "wb") as file:
            wire.write_pcap(file, frames)
        if "OUT" not in os.environ:
            test.assertEqual(decoders.faults(path, PEER.values())[1][:5], [])


def share_lab(tag, offloads=True):
    """For setUpModule(): the lab of all of the program's tests."""
    Cases.lab = Lab(tag, offloads)
    unittest.addModuleCleanup(Cases.lab.down)
    Cases.lab.up()
    Cases.counters = Cases.lab.counters()


def share_peer(make):
    peer = make(Cases.lab.other)
    unittest.addModuleCleanup(peer.close)
    peer.open()
    return peer


def main(captures):
    bad = 0
    for capture in captures:
        packets, sentences = decoders.faults(capture, PEER.values())
        for sentence in sentences[:5]:
            print(f"{capture}: {sentence}")
        bad += bool(sentences) or packets == 0
        print(f"{capture}: {packets} packets, {len(sentences)} disagreements")
    return 1 if bad or not captures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
