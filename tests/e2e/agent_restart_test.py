#!/usr/bin/env python3
"""The agent dies, traffic does not: kill -9 at any moment, 200 times, under pings every millisecond and
TCP, over both families of underlay and while the state changes; SIGTERM; a restart with another state."""
import collections
import copy
import itertools
import json
import random
import re
import signal
import threading
import time
import unittest

import yaml

import lab as labs
import traffic

MAPS = ("lm_config", "lm_ports", "lm_port_addrs", "lm_networks", "lm_fdb", "lm_neigh", "lm_peers",
        "lm_vteps", "lm_flood", "lm_known_opts")
KILLS = 100  # over each family
START_SECONDS = 0.3  # about; most of them go to the verifier


def maps(host):
    found = {name: host.map_dump(name) for name in MAPS}
    # Its last member counts how often something was written.
    found["lm_config"] = [(key, value[:-4]) for key, value in found["lm_config"]]
    return found


def left(host):
    """What is on the host, but for the numbers of the programs: each start loads them anew."""
    return [re.sub(r":\[\d+\]| id \d+", "", line) for line in host.surroundings()]


def variants(state):
    """States to go through again and again. All of them carry vm-1 and vm-2; the last is the largest."""
    vtep = state["networks"][0]["vteps"][0]
    changed = copy.deepcopy(state)
    changed["networks"][0]["mtu"] -= 100
    changed["networks"][0]["dscp"] = 10
    changed["peers"] = [{"address": vtep, "ecn": "compatibility"}]  # rewrites the way to vm-2
    larger = copy.deepcopy(changed)
    larger["options"] = [{"class": 0x0102, "type": 0x80, "length": 4, "name": "ovn"}]
    larger["networks"][0]["remotes"] += [
        {"mac": f"02:00:00:00:01:{i:02x}", "addresses": [f"10.0.2.{i}"], "vtep": vtep}
        for i in range(200)]
    larger["networks"] += [
        {"name": f"more-{i}", "vni": 30000 + i,
         "ports": [{"name": f"late-{i}", "device": f"late{i}", "mac": "02:00:00:00:00:33"}],
         "remotes": [{"mac": "02:00:00:00:01:01", "vtep": vtep}]} for i in range(2)]
    return [state, changed, larger]


class Rewriter:
    """Rewrites a host's state file all the time, until it is stopped; it ends with the last state."""

    def __init__(self, host, states):
        self._texts = [json.dumps(state) for state in states]
        self._host = host
        self._stop = threading.Event()
        self._work = labs.Background(self._run)

    def _run(self):
        for text in itertools.cycle(self._texts):
            self._host.rewrite(text)
            if self._stop.wait(0.02) and text == self._texts[-1]:
                return

    def stop(self):
        self._stop.set()
        self._work.result()


class KillTest(unittest.TestCase):
    def test_kill_9_at_any_moment(self):
        for family in (4, 6):
            with self.subTest(underlay=family), labs.two_hosts(f"kill{family}", family) as lab:
                self.kill_at_any_moment(lab)

    def kill_at_any_moment(self, lab):
        seed = random.randrange(1 << 32)
        print(f"seed {seed}", flush=True)
        moments = random.Random(seed)
        hosts = list(lab.hosts.values())
        wanted, before, states = {}, {}, {}
        for host in hosts:
            for i in range(2):
                host.run("ip", "link", "add", f"late{i}", "up", "type", "veth", "peer", "name",
                         f"far{i}")
                host.run("ip", "link", "set", f"far{i}", "up")
            labs.wait_for(lambda host=host: not host.problems(), "the host is well")
            wanted[host], before[host] = maps(host), left(host)
            states[host] = variants(yaml.safe_load(host.state_path.read_text()))
        pings = traffic.Pings(lab, "vm-1", lab.address("vm-2", 4))
        stream = traffic.Stream(lab, "vm-1", "vm-2", 6)
        rewriters = [Rewriter(host, states[host]) for host in hosts]
        try:
            reached = self.kill_all(hosts, moments)
            for rewriter in rewriters:
                rewriter.stop()
            for host in hosts:
                host.wait_ready()
                host.ask("reload")  # the largest state
                self.assertGreater(len(host.map_dump("lm_fdb")), 200)
                host.kill()
                host.rewrite(json.dumps(states[host][0]))  # the smallest, as it was at first
                host.start()
            pings.wait_for(pings.received() + 200)
        finally:
            for rewriter in rewriters:
                rewriter.stop()
            sent, received, duplicates, errors = pings.stop()
        print(f"killed in {reached}; {sent} pings, {stream.stop()} bytes of TCP", flush=True)
        self.assertEqual((received, duplicates, errors), (sent, 0, 0))
        self.assertGreater(sent, 1000)
        self.assertGreater(reached["ready"], KILLS / 5)
        self.assertGreater(KILLS - reached["ready"], KILLS / 10)
        for host in hosts:
            self.assertEqual(host.problems(), [])
            self.assertEqual(maps(host), wanted[host])
            self.assertEqual(left(host), before[host])

    def kill_all(self, hosts, moments):
        """Kills agents and starts them again: every second time one at work, else the one that was
        started last, anywhere in its start. How often each state was reached."""
        reached = collections.Counter()
        log_size = collections.Counter()
        host = hosts[0]
        for _ in range(KILLS):
            if moments.random() < 0.5:
                host = moments.choice(hosts)
                host.wait_ready()
            # The moment is what is random here; nothing is waited for.
            time.sleep(moments.uniform(0, START_SECONDS))
            host.kill()
            said = host.log_path.read_text()[log_size[host]:]
            log_size[host] = host.log_path.stat().st_size
            host.start(wait=False)
            reached[(re.findall("start state: (.*)", said) or ["starting"])[-1]] += 1
        return dict(reached)


class RestartTest(unittest.TestCase):
    def setUp(self):
        self.lab = labs.two_hosts("life").up()
        self.addCleanup(self.lab.down)
        self.host = self.lab.hosts["host-a"]
        self.target = self.lab.address("vm-2", 4)

    def test_sigterm_leaves_traffic_flowing(self):
        self.host.kill(signal.SIGTERM)
        self.lab.hosts["host-b"].kill(signal.SIGTERM)
        self.assertFalse(self.host.socket_path.exists())
        done = traffic.ping(self.lab, "vm-1", self.target, "-i", "0.002", count=100)
        self.assertEqual(traffic.ping_summary(done.stdout), (100, 100, 0, 0))
        traffic.tcp_both_ways(self.lab.netns("vm-1"), self.lab.netns("vm-2"), self.target)

    def test_restart_sweeps_what_the_state_lost_and_touches_nothing_else(self):
        state = yaml.safe_load(self.host.state_path.read_text())
        blue = state["networks"][0]
        blue["remotes"].append({"mac": "02:00:00:00:00:77", "addresses": ["10.0.1.77"],
                                "vtep": "192.168.1.107"})
        kept = maps(self.host)
        self.host.apply(json.dumps(state))
        self.assertEqual(len(self.host.map_dump("lm_fdb")), len(kept["lm_fdb"]) + 1)
        self.host.kill(signal.SIGKILL)
        blue["remotes"].pop()
        self.host.rewrite(json.dumps(state))
        pings = traffic.Pings(self.lab, "vm-1", self.target)
        try:
            self.host.start()
        finally:
            sent, received, duplicates, errors = pings.stop()
        self.assertEqual((received, duplicates, errors), (sent, 0, 0))
        self.assertEqual(maps(self.host), kept)
        self.assertGreater(self.host.status()["last_removed"], 0)
        self.assertEqual(self.host.status()["last_added"], 0)


if __name__ == "__main__":
    labs.main()
