#!/usr/bin/env python3
"""The agent dies, traffic does not: kill -9 and restarts under pings every millisecond, SIGTERM, a
restart with another state, and --detach, which takes everything away."""
import json
import pathlib
import signal
import unittest

import yaml

import lab as labs
import traffic

MAPS = ("lm_ports", "lm_port_addrs", "lm_networks", "lm_fdb", "lm_neigh", "lm_peers", "lm_vteps",
        "lm_flood", "lm_known_opts")


class RestartTest(unittest.TestCase):
    def setUp(self):
        self.lab = labs.two_hosts("life").up()
        self.addCleanup(self.lab.down)
        self.host = self.lab.hosts["host-a"]
        self.target = self.lab.address("vm-2", 4)

    def maps(self):
        return {name: self.host.map_dump(name) for name in MAPS}

    def test_kill_9_loses_no_packet_and_leaves_nothing_stale(self):
        before = self.maps()
        pings = traffic.Pings(self.lab, "vm-1", self.target)
        try:
            for host in [*self.lab.hosts.values()] * 2:
                host.kill(signal.SIGKILL)
                host.start()
        finally:
            sent, received, duplicates, errors = pings.stop()
        self.assertGreater(sent, 500)
        self.assertEqual((received, duplicates, errors), (sent, 0, 0))
        self.assertEqual(self.maps(), before)
        self.assertEqual(self.host.problems(), [])

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
        kept = self.maps()
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
        self.assertEqual(self.maps(), kept)
        self.assertGreater(self.host.status()["last_removed"], 0)
        self.assertEqual(self.host.status()["last_added"], 0)

    def test_detach_removes_everything_it_made(self):
        self.host.kill(signal.SIGTERM)
        self.host.detach()
        clean = self.surroundings()
        self.assertNotIn("clsact", clean)
        self.host.start()
        traffic.ping(self.lab, "vm-1", self.target)
        self.assertNotEqual(self.surroundings(), clean)
        self.host.detach()  # stops the running agent itself
        self.assertEqual(self.surroundings(), clean)
        self.assertEqual([path.name for path in self.host.run_dir.iterdir()
                          if path.name.startswith("agent.") and path.name != "agent.log"], [])
        # Nothing carries the traffic now, and a new start brings it back.
        done = traffic.ping(self.lab, "vm-1", self.target, "-W", "0.2", count=1, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.host.start()
        traffic.ping(self.lab, "vm-1", self.target)

    def surroundings(self):
        """What the agent could leave in its host: devices, qdiscs, filters, pins."""
        run = self.host.run
        links = [(link["ifname"], link.get("link_type"), link["mtu"], link.get("flags"))
                 for link in json.loads(run("ip", "-j", "link", "show").stdout)]
        text = [repr(links), run("tc", "qdisc", "show").stdout]
        for name, *_ in links:
            for hook in ("ingress", "egress"):
                text.append(run("tc", "filter", "show", "dev", name, hook, check=False).stdout)
        text.append(repr(sorted(str(path) for path in pathlib.Path(self.host.pin_root).rglob("*"))))
        return "\n".join(text)


if __name__ == "__main__":
    labs.main()
