#!/usr/bin/env python3
"""A flood on the tunnel's port, as fast as one process sends, while TCP runs over both families of
underlay: junk of every length, spoofed senders, VNIs of others, tunnels in tunnels, fragments, options,
wrong lengths. Each packet is found again in one counter, under the reason that its kind states; nothing
reaches another port or network; the agent does not grow; the streams arrive whole."""
import collections
import json
import os
import pathlib
import random
import re
import signal
import socket
import struct
import time
import unittest

import yaml

import lab as labs
import traffic
import wire

SECONDS = 5
SEED = 20260724
BLUE, RED = 10001, 20001
JUNK_BYTES = 1500
UNDERLAY_MTU = 1600  # of the labs
REPEAT = 10  # of each other kind in a round, which has junk of every length once
TEB = 0x6558
ARP = b"\x08\x06"  # the machines' own
MARK = b"flood test "
PADDED_TO = 34  # bytes that bpf_skb_adjust_room() leaves at least
UDP, DSTOPTS, FRAGMENT, ROUTING, HOPOPTS, NO_NEXT, AUTH = 17, 60, 44, 43, 0, 59, 51

# `verdict`: its name, as `leman drops` has it; `delivered`: what vm-3 gets when that is "forwarded".
Kind = collections.namedtuple("Kind", "name frame verdict delivered", defaults=(None,))


def addresses(family):
    """Of hosts a, b, c; of somebody unknown; of sources that are nobody's."""
    if family == 4:
        return ([f"192.168.1.{101 + i}" for i in range(3)], "192.168.1.77",
                ("0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "192.168.1.255"))
    return ([f"2001:db8:1::{101 + i}" for i in range(3)], "2001:db8:1::77",
            ("::", "::1", "ff02::1", "fe80::1", "::ffff:192.168.1.103"))


class Outer:
    """Makes outer packets from `source` to `target`, wrong where it is told so."""

    def __init__(self, family, source, target, macs):
        self.family, self.source, self.target = family, source, target
        self._af = traffic.FAMILIES[family]
        self._macs = macs

    def udp(self, data, source=None, length=None, checksum=None, port=wire.GENEVE_PORT):
        source = socket.inet_pton(self._af, source or self.source)
        size = 8 + len(data)
        made = struct.pack("!HHHH", 50000, port, size if length is None else length, 0) + data
        if checksum is None:
            pseudo = source + socket.inet_pton(self._af, self.target)
            checksum = wire.checksum(pseudo + struct.pack("!IHH", size, 0, UDP) + made) or 0xFFFF
        return made[:6] + struct.pack("!H", checksum) + made[8:]

    def frame(self, payload, source=None, tos=0, total=None, **more):
        made = (self._ip4 if self.family == 4 else self._ip6)(
            payload, socket.inet_pton(self._af, source or self.source),
            socket.inet_pton(self._af, self.target), tos, total, **more)
        return wire.ethernet(*self._macs, 0x0800 if self.family == 4 else 0x86DD, made)

    def tunnel(self, data, source=None, **more):
        return self.frame(self.udp(data, source), source, **more)

    def _ip4(self, payload, source, target, tos, total, options=b"", fragment=0, checksum=None,
             version=4, words=None):
        words = 5 + len(options) // 4 if words is None else words
        total = 20 + len(options) + len(payload) if total is None else total
        head = struct.pack("!BBHHHBBH", version << 4 | words, tos, total, 1, fragment, 64, UDP, 0) \
            + source + target + options
        field = wire.checksum(head) if checksum is None else checksum
        return head[:10] + struct.pack("!H", field) + head[12:] + payload

    def _ip6(self, payload, source, target, tos, total, headers=(), version=6):
        """`headers`: (number, bytes behind its first) each."""
        chain, following = b"", UDP
        for number, rest in reversed(headers):
            chain, following = bytes([following]) + rest + chain, number
        total = len(chain) + len(payload) if total is None else total
        return struct.pack("!IHBB", version << 28 | tos << 20, total, following, 64) + source + target \
            + chain + payload


def junk_verdict(data):
    """RFC 8926 section 3.4 and 3.5 of a message that is no good one of ours."""
    if len(data) < 8:
        return "short_hdr"
    if data[0] >> 6:
        return "version"
    at, end, critical = 8, 8 + (data[0] & 0x3F) * 4, False
    if end > len(data):
        return "opt_trunc"
    while at < end:
        critical |= bool(data[at + 2] & 0x80)
        at += 4 + (data[at + 3] & 0x1F) * 4
    if at > end:
        return "opt_len"
    if critical:
        return "opt_crit"
    if data[1] & 0x80:
        return "oam"
    assert int.from_bytes(data[2:4], "big") != TEB
    return "proto"


def frame_verdict(frame):
    """Of random bytes as a tenant's frame in a network without their MACs."""
    if len(frame) < 14:
        return "inner_short"
    assert int.from_bytes(frame[12:14], "big") not in (0x0800, 0x86DD, 0x8100, 0x88A8)
    if frame[6] & 1:
        return "src_mac"
    return "forwarded" if frame[0] & 1 else "fdb_miss"


def junk(outer, seed):
    """Random messages, and random frames behind a good header, of every length."""
    chance = random.Random(seed)
    for size in range(JUNK_BYTES):
        data = chance.randbytes(size)
        yield Kind(f"junk of {size} bytes", outer.tunnel(data), junk_verdict(data))
        data = chance.randbytes(size)
        yield Kind(f"junk frame of {size} bytes", outer.tunnel(wire.geneve(RED, data)),
                   frame_verdict(data), data)


def common_kinds(outer, lab, hosts, stranger, nobodies):
    """What is the same over both families."""
    vm_3, vm_1 = lab.mac("vm-3"), lab.mac("vm-1")
    other = "02:66:66:66:66:66"

    def inner(target=vm_3, source=other, tos=0, size=64, kind=0x0800):
        data = (MARK * (size // len(MARK) + 1))[:size]
        return wire.ethernet(target, source, kind, wire.ipv4(
            "10.0.1.66", "10.0.1.12", UDP, wire.udp(1, 5555, data), tos=tos)
            if kind == 0x0800 else data)

    good = inner()
    sound = wire.geneve(RED, good)
    yield Kind("sound", outer.tunnel(sound), "forwarded", good)
    for source in (stranger, hosts[0], *nobodies):
        yield Kind(f"from {source}", outer.tunnel(sound, source), "peer")
        yield Kind(f"from {source}, VNI of nobody", outer.tunnel(wire.geneve(7, good), source), "vni")
    # A VTEP of one network is a stranger in another. One that lies of its address is not known as such.
    yield Kind("VTEP of blue in red", outer.tunnel(sound, hosts[1]), "peer")
    yield Kind("VTEP of red in blue", outer.tunnel(wire.geneve(BLUE, inner(vm_1))), "peer")
    yield Kind("spoofed VTEP of blue, split horizon",
               outer.tunnel(wire.geneve(BLUE, inner(lab.mac("vm-2"))), hosts[1]), "not_local")
    yield Kind("MAC of another network", outer.tunnel(wire.geneve(RED, inner(vm_1))), "fdb_miss")
    for vni in (0, 1, BLUE + 1, RED << 8 & 0xFFFFFF, 0xFFFFFF):
        yield Kind(f"VNI {vni}", outer.tunnel(wire.geneve(vni, good)), "vni")
    for name, message, verdict in (
            ("version", wire.geneve(RED, good, version=1), "version"),
            ("control", wire.geneve(RED, good, flags=0x80), "oam"),
            ("protocol", wire.geneve(RED, good, protocol=0x0800), "proto"),
            ("critical option", wire.geneve(RED, good, wire.option(0xFFF7, 0x81)), "opt_crit"),
            ("option runs over", wire.geneve(RED, good, b"\xff\xf0\x01\x1f"), "opt_len"),
            ("group source", wire.geneve(RED, inner(source="03:00:00:00:00:01")), "src_mac"),
            ("three tags", wire.geneve(RED, inner(kind=0x8100, size=60)[:14] + bytes.fromhex(
                "0001810000028100000308004500") + bytes(40)), "vlan_depth")):
        yield Kind(name, outer.tunnel(message), verdict)
    options = b"".join(wire.option(0xFFF0 + i, 1, bytes(i * 4)) for i in range(8))
    yield Kind("unknown options", outer.tunnel(wire.geneve(RED, good, options)), "forwarded", good)
    yield Kind("congestion mark", outer.tunnel(sound, tos=3), "ecn")
    yield Kind("larger than its port", outer.tunnel(wire.geneve(RED, inner(size=1480))), "forwarded",
               inner(size=1480))
    jumbo = inner(size=UNDERLAY_MTU - (78 if outer.family == 4 else 98))  # all headers
    yield Kind("as large as the underlay carries", outer.tunnel(wire.geneve(RED, jumbo)), "forwarded",
               jumbo)
    # Tunnels in tunnels are data: the outer one's network has them and nobody looks into them.
    deep = inner(vm_1)
    for depth in range(1, 4):
        deep = Outer(outer.family, hosts[1], hosts[0], (vm_3, other)).tunnel(
            wire.geneve(BLUE, deep))
        yield Kind(f"{depth} tunnels inside", outer.tunnel(wire.geneve(RED, deep)), "forwarded", deep)
    deep = Outer(outer.family, hosts[1], hosts[0], (lab.mac("host-a"), other)).tunnel(
        wire.geneve(BLUE, inner(vm_1)))
    yield Kind("tunnel inside, to the host", outer.tunnel(wire.geneve(RED, deep)), "fdb_miss")

    size = 8 + len(sound)
    for length, verdict in ((0, "udp_len"), (7, "udp_len"), (size + 1, "udp_len"),
                            (0xFFFF, "udp_len")):
        yield Kind(f"UDP length {length}", outer.frame(outer.udp(sound, length=length)), verdict)
    yield Kind("UDP checksum", outer.frame(outer.udp(sound, checksum=0xBAD)), "udp_csum")
    yield Kind("another port", outer.frame(outer.udp(sound, port=6082)), "passed")


def ip4_kinds(outer, good):
    sound = wire.geneve(RED, good)
    udp = outer.udp(sound)
    yield Kind("zero checksum", outer.frame(outer.udp(sound, checksum=0)), "forwarded", good)
    for count in (1, 5, 10):
        yield Kind(f"{count} words of IP options", outer.tunnel(sound, options=b"\1\1\1\1" * count),
                   "forwarded", good)
    yield Kind("record route", outer.tunnel(sound, options=b"\7\x27\4" + bytes(37)), "forwarded", good)
    yield Kind("IP options, checksum", outer.tunnel(sound, options=b"\1\1\1\1", checksum=1),
               "outer_ipcsum")
    yield Kind("IP checksum", outer.tunnel(sound, checksum=1), "outer_ipcsum")
    for name, field in (("first", 0x2000), ("first, do not fragment", 0x6000)):
        yield Kind(f"{name} fragment", outer.tunnel(sound, fragment=field), "outer_frag")
    yield Kind("later fragment", outer.tunnel(sound, fragment=0x2001), "passed")
    yield Kind("last fragment", outer.tunnel(sound, fragment=0x1FFF), "passed")
    for more in (1, 0xFFFF - 20 - len(udp)):
        yield Kind(f"IP length {more} more", outer.tunnel(sound, total=20 + len(udp) + more),
                   "outer_len")
    for total in (0, 19):
        yield Kind(f"IP length {total}", outer.tunnel(sound, total=total), "outer_len")
    # No port is known of these.
    yield Kind("IP length without ports", outer.tunnel(sound, total=23), "passed")
    yield Kind("IP length without UDP header", outer.tunnel(sound, total=27), "udp_len")
    yield Kind("IP header of 4 words", outer.tunnel(sound, words=4), "passed")
    yield Kind("IP version", outer.tunnel(sound, version=5), "passed")


def ip6_kinds(outer, good):
    sound = wire.geneve(RED, good)
    udp = outer.udp(sound)
    pad = b"\0\1\4" + bytes(4)
    yield Kind("zero checksum", outer.frame(outer.udp(sound, checksum=0)), "udp6_zero_csum")
    for name, headers in (("hop by hop", [HOPOPTS]), ("destination", [DSTOPTS]),
                          ("four", [HOPOPTS, DSTOPTS, DSTOPTS, DSTOPTS])):
        yield Kind(f"extension headers: {name}",
                   outer.tunnel(sound, headers=[(number, pad) for number in headers]), "forwarded",
                   good)
    yield Kind("five extension headers", outer.tunnel(sound, headers=[(DSTOPTS, pad)] * 5), "passed")
    for left, verdict in ((0, "forwarded"), (1, "passed")):
        yield Kind(f"routing header, {left} left", outer.tunnel(
            sound, headers=[(ROUTING, bytes([0, 0, left]) + bytes(4))]), verdict, good)
    for number in (NO_NEXT, AUTH):
        yield Kind(f"header {number}", outer.tunnel(sound, headers=[(number, pad)]), "passed")
    yield Kind("extension header runs over",
               outer.tunnel(sound, headers=[(DSTOPTS, b"\xff\1\4" + bytes(4))]), "passed")
    for name, field, verdict in (("first", 1, "outer_frag"), ("later", 9, "passed"),
                                 ("last", 0xFFF8, "passed")):
        yield Kind(f"{name} fragment", outer.tunnel(
            sound, headers=[(FRAGMENT, struct.pack("!xHI", field, 77))]), verdict)
    for more in (1, 0xFFFF - len(udp)):
        yield Kind(f"IP length {more} more", outer.tunnel(sound, total=len(udp) + more), "outer_len")
    yield Kind("IP length without UDP header", outer.tunnel(sound, total=7), "udp_len")
    for total in (0, 3):  # 0: a jumbogram without its option
        yield Kind(f"IP length {total}", outer.tunnel(sound, total=total), "passed")
    yield Kind("IP version", outer.tunnel(sound, version=5), "passed")


class Blast:
    """A process that sends frames over and over, in whole rounds, from start() on."""

    def __init__(self, netns, frames, seconds):
        self._orders, orders = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                self._orders.close()
                with labs.make_socket(netns, socket.AF_PACKET, socket.SOCK_RAW, 0) as mouth:
                    mouth.bind(("eth0", 0))
                    if orders.recv(1):
                        orders.send(struct.pack("=Id", *self._run(mouth.send, frames, seconds)))
            finally:
                os._exit(0)
        orders.close()
        self._orders.setblocking(False)

    @staticmethod
    def _run(send, frames, seconds):
        rounds, start = 0, time.monotonic()
        while time.monotonic() < start + seconds:
            for frame in frames:
                send(frame)
            rounds += 1
        return rounds, time.monotonic() - start

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._orders.close()
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def start(self):
        self._orders.send(b"x")

    def done(self):
        """(rounds, seconds) when it has ended, else None."""
        try:
            answer = self._orders.recv(100)
        except BlockingIOError:
            return None
        return struct.unpack("=Id", answer)


class Heard:
    """How often each frame came in at a machine, but for the TCP of its streams."""

    def __init__(self, lab, machine):
        self._ear = wire.Ear(lab.netns(machine), without_tcp=True)
        self.frames = collections.Counter()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._ear.__exit__()

    def drain(self):
        self.frames.update(self._ear.drain())
        self._ear.frames.clear()


def lost_on_devices(lab):
    """Packets that the lab's devices have dropped: a receiver that is too slow has no room for more."""
    lost = 0
    for thing in [*lab.hosts, *lab.machines]:
        for link in json.loads(lab.run(thing, "ip", "-j", "-s", "link").stdout):
            lost += link["stats64"]["rx"]["dropped"] + link["stats64"]["tx"]["dropped"]
    return lost


def resident_kib(host):
    text = pathlib.Path(f"/proc/{host.pid()}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text).group(1))


class FloodTest(unittest.TestCase):
    def test_over_ipv4(self):
        self.flood(4)

    def test_over_ipv6(self):
        self.flood(6)

    def flood(self, family):
        hosts, stranger, nobodies = addresses(family)
        machines = [{"name": f"vm-{i + 1}", "host": host, "network": network,
                     "mac": f"02:00:00:00:01:0{i + 1}", "addresses": [f"10.0.1.{10 + i}/24"]}
                    for i, (host, network) in enumerate((
                        ("host-a", "blue"), ("host-b", "blue"), ("host-a", "red")))]
        with labs.Lab(f"flood{family}", [
                {"name": f"host-{letter}", "addresses": [f"{address}/{24 if family == 4 else 64}"]}
                for letter, address in zip("ab", hosts)],
                [{"name": "blue", "vni": BLUE}, {"name": "red", "vni": RED}], machines) as lab:
            # A third host that is a VTEP of red alone: what sends from host-b's device is taken for it.
            # Nothing is between the two that would mend a packet or drop it.
            host = lab.hosts["host-a"]
            state = yaml.safe_load(host.state_path.read_text())
            red = next(network for network in state["networks"] if network["name"] == "red")
            red["vteps"] = [hosts[2]]
            if family == 6:  # there is an IPv4 VTEP, too, whose address a packet of IPv6 can spell
                host.run("ip", "address", "add", f"{addresses(4)[0][0]}/24", "dev", "eth0")
                state["underlay"]["addresses"].append(addresses(4)[0][0])
                red["vteps"].append(addresses(4)[0][2])
            host.apply(json.dumps(state))
            self.assertEqual(host.problems(), [])
            outer = Outer(family, hosts[2], hosts[0], (lab.mac("host-a"), lab.mac("host-b")))
            kinds = [*common_kinds(outer, lab, hosts, stranger, nobodies)]
            kinds += (ip4_kinds if family == 4 else ip6_kinds)(outer, kinds[0].delivered)
            self.check(lab, hosts[1:], kinds * REPEAT + list(junk(outer, SEED)))

    def check(self, lab, peers, kinds):
        host = lab.hosts["host-a"]
        size = resident_kib(host)
        before, lost = self.counts(host), lost_on_devices(lab)
        with Blast(lab.netns("host-b"), [kind.frame for kind in kinds], SECONDS) as blast, \
                Heard(lab, "vm-1") as blue, Heard(lab, "vm-3") as red:
            streams = [traffic.Stream(lab, "vm-1", "vm-2", 4, 5009),
                       traffic.Stream(lab, "vm-2", "vm-1", 4, 5010)]
            blast.start()

            def ended():
                blue.drain()
                red.drain()
                return blast.done()

            rounds, seconds = labs.wait_for(ended, "the end of the flood", SECONDS + 60, every=0)
            carried = sum(stream.stop() for stream in streams)
            blue.drain()
            red.drain()
        sent = rounds * len(kinds)
        print(f"{sent} packets of {len(kinds)} in {seconds:.1f} s, {sent / seconds:.0f} a second, "
              f"beside {carried / seconds / 1e6:.0f} MB/s of TCP", flush=True)
        self.assertEqual(lost_on_devices(lab), lost)
        verdicts = collections.Counter(kind.verdict for kind in kinds)
        after = self.counts(host)
        self.check_counts({name: after[name] - before[name] for name in after}, peers,
                          {name: count * rounds for name, count in verdicts.items()})
        wanted = collections.Counter()
        for kind in kinds:
            if kind.verdict == "forwarded":
                wanted[kind.delivered.ljust(PADDED_TO, b"\0")] += rounds
        for frame, count in (red.frames - wanted).items():
            self.fail(f"{count} times too often: {frame.hex()}")
        for frame, count in (wanted - red.frames).items():
            self.fail(f"{count} times too seldom: {frame.hex()}")
        self.assertEqual([frame for frame in blue.frames if frame[12:14] != ARP], [])
        self.assertEqual(host.problems(), [])
        self.assertLess(resident_kib(host), size + 1024)

    def counts(self, host):
        """Of the underlay's hook; and what the ports and VTEPs got."""
        made = {name: count for (hook, name), count in host.verdicts().items() if hook == "underlay"}
        for row in host.ask("ports") + host.ask("peers"):
            made[row.get("name", row.get("address"))] = row["traffic"]["rx_packets"]
        return made

    def check_counts(self, grown, peers, wanted):
        """`peers`: of blue, which sends the TCP, and of red; `wanted`: verdict → flood packets."""
        # What passes is also the hosts' own ARP and neighbour discovery.
        passed = wanted.pop("passed")
        self.assertTrue(passed <= grown.pop("passed") <= passed + 300, passed)
        self.assertEqual(grown.pop("vm-3"), wanted["forwarded"])
        self.assertEqual(grown.pop(peers[1]), wanted["forwarded"] + wanted["fdb_miss"])
        tcp = grown.pop("vm-1")
        self.assertEqual(grown.pop(peers[0]), tcp + wanted["not_local"])
        self.assertTrue(wanted["forwarded"] < grown["forwarded"] <= wanted["forwarded"] + tcp)
        wanted["forwarded"] = grown["forwarded"]
        self.assertEqual({name: count for name, count in grown.items() if count}, wanted)


if __name__ == "__main__":
    labs.main()
