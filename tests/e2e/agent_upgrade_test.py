#!/usr/bin/env python3
"""The agent is exchanged for one of another ABI version and back, while traffic flows: its maps are filled
under a pin path of their own, the programs of every device swapped, the old pins removed."""
import json
import random
import re
import signal
import struct
import threading
import time
import unittest

import lab as labs
import traffic
import wire

NEXT = labs.BUILD / "tests/e2e/next_abi/leman-agent-next"
EXPERIMENT = 0x88B5  # EtherType of IEEE 802 for local experiments
LINK_CONTROL = "01:80:c2:00:00:0e"  # never forwarded: a drop that is counted
KILLS = 10


def versions(host):
    """Those that have pins."""
    return sorted(int(path.name.removeprefix("v")) for path in host.pin_root.glob("v*"))


def attached(host):
    """Device → id of the program at its ingress, asked of the kernel."""
    found = {}
    for line in host.surroundings():
        filter_line = re.match(r"filter ingress of (\S+): .* id (\d+)", line)
        if filter_line:
            found[filter_line.group(1)] = int(filter_line.group(2))
    return found


def pinned_program(host, name):
    path = next(host.pin_root.glob(f"v*/{name}"))
    return int(labs.run(["bpftool", "prog", "show", "pinned", path]).stdout.partition(":")[0])


def config(host):
    path = next(host.pin_root.glob("v*/lm_config"))
    return json.loads(labs.run(["bpftool", "-j", "map", "dump", "pinned", path]).stdout
                      )[0]["formatted"]["value"]


def left(host):
    """What is on the host, but for the version and the numbers of the programs."""
    return [re.sub(r":\[\d+\]| id \d+", "", line).replace(f"/v{versions(host)[0]}", "/v")
            for line in host.surroundings()]


def exchange(host, program, number=signal.SIGTERM, wait=True):
    host.kill(number)
    host.agent_program = program
    host.start(wait)


class Broadcasts:
    """A numbered broadcast every millisecond: each passes the programs twice on its way."""

    def __init__(self, lab, source, target):
        self._head = wire.ethernet(wire.BROADCAST, lab.mac(source), EXPERIMENT)
        self._mouth = wire.Mouth(lab.netns(source))
        self._ear = wire.Ear(lab.netns(target))
        self._stop = threading.Event()
        self._work = labs.Background(self._run)

    def _run(self):
        sent = 0
        while not self._stop.wait(0.001):
            self._mouth.say(self._head + struct.pack("!I", sent) + bytes(50))
            sent += 1
        return sent

    def stop(self):
        """(sent, the numbers that came)"""
        self._stop.set()
        with self._mouth, self._ear:
            sent = self._work.result()

            def came():
                return [struct.unpack_from("!I", frame, 14)[0] for frame in self._ear.drain()
                        if frame[:14] == self._head]

            labs.wait_for(lambda: sent - 1 in came(), "the last broadcast")
            return sent, came()


class UpgradeTest(unittest.TestCase):
    def test_there_and_back_under_traffic(self):
        for family in (4, 6):
            with self.subTest(underlay=family), labs.two_hosts(f"upgr{family}", family) as lab:
                self.there_and_back(lab)

    def there_and_back(self, lab):
        hosts = list(lab.hosts.values())
        before = {host: left(host) for host in hosts}
        this = hosts[0].status()["abi_version"]
        pings = traffic.Pings(lab, "vm-1", lab.address("vm-2", 4))
        # Both ways, so that every program is one that has packets while it is swapped.
        streams = [traffic.Stream(lab, "vm-1", "vm-2", 6), traffic.Stream(lab, "vm-2", "vm-1", 4)]
        broadcasts = Broadcasts(lab, "vm-1", "vm-2")
        try:
            for program, version, old in ((NEXT, this + 1, this), (labs.AGENT, this, this + 1)):
                for host, machine in zip(hosts, ("vm-1", "vm-2")):
                    pings.wait_for(pings.received() + 100)
                    self.assertEqual(versions(host), [old])
                    with wire.Mouth(lab.netns(machine)) as mouth:
                        mouth.say(wire.ethernet(LINK_CONTROL, lab.mac(machine), EXPERIMENT, bytes(50)))
                    labs.wait_for(lambda host=host: self.link_control(host) == 1, "it is counted")
                    self.exchange_and_check(host, program, version)
            pings.wait_for(pings.received() + 100)
        finally:
            sent, received, duplicates, errors = pings.stop()
        called, heard = broadcasts.stop()
        print(f"{sent} pings, {called} broadcasts, {sum(one.stop() for one in streams)} bytes of TCP",
              flush=True)
        self.assertEqual((received, duplicates, errors), (sent, 0, 0))
        self.assertEqual(heard, list(range(called)))
        for host in hosts:
            self.assertEqual(left(host), before[host])

    def link_control(self, host):
        return host.verdicts()["port", "link_control"]

    def exchange_and_check(self, host, program, version):
        known = config(host)
        exchange(host, program)
        self.assertEqual(versions(host), [version])
        self.assertEqual(host.status()["abi_version"], version)
        self.assertEqual(host.problems(), [])
        port, underlay = (pinned_program(host, name) for name in ("port_rx", "underlay_rx"))
        programs = attached(host)
        self.assertEqual(programs.pop("eth0"), underlay)
        self.assertEqual(set(programs.values()), {port})
        # Frames that the old programs had sent on a second pass are known to the new ones.
        self.assertEqual(config(host)["magic"], known["magic"])
        self.assertEqual(config(host)["made_hooks"], known["made_hooks"])
        # Counters begin anew with their maps.
        self.assertEqual(self.link_control(host), 0)

    def test_killed_at_any_moment_of_an_exchange(self):
        """A start of either version takes over what the other one has done by half."""
        seed = random.randrange(1 << 32)
        print(f"seed {seed}", flush=True)
        moments = random.Random(seed)
        with labs.two_hosts("upkill") as lab:
            host = lab.hosts["host-a"]
            before = left(host)
            pings = traffic.Pings(lab, "vm-1", lab.address("vm-2", 4))
            halves = 0
            try:
                for number in range(KILLS):
                    program = NEXT if number % 2 == 0 else labs.AGENT
                    had = versions(host)
                    exchange(host, program, signal.SIGKILL, wait=False)
                    if moments.random() < 0.7:
                        labs.wait_for(lambda had=had: len(had) == 2 or versions(host) != had,
                                      "the other version has pins", every=0)
                        time.sleep(moments.uniform(0, 0.05))  # the moment is what is random here
                    else:
                        host.wait_ready()
                    halves += len(versions(host)) == 2
                exchange(host, labs.AGENT, signal.SIGKILL)
                pings.wait_for(pings.received() + 100)
            finally:
                sent, received, duplicates, errors = pings.stop()
            print(f"{sent} pings, killed half way {halves} times", flush=True)
            self.assertEqual((received, duplicates, errors), (sent, 0, 0))
            self.assertEqual(left(host), before)

    def test_detach_by_another_version(self):
        for detaching in (NEXT, labs.AGENT):
            with self.subTest(detaching=detaching), labs.two_hosts("updet", inner=(4,)) as lab:
                host = lab.hosts["host-a"]
                host.detach()
                clean = host.surroundings()
                host.start()
                self.assertIn("clsact", repr(host.surroundings()))
                exchange(host, NEXT)
                host.run(detaching, "--detach", "--run-dir", host.run_dir, "--pin-root",
                         host.pin_root)
                host.agent.wait(10)
                host.agent = None
                self.assertEqual(host.surroundings(), clean)


if __name__ == "__main__":
    labs.main()
