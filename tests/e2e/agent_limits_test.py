#!/usr/bin/env python3
"""More is wanted than fits: every map that the state file fills, and the receivers of a broadcast. It is
told in one clear sentence, what fits works, and the status is well again when it fits."""
import copy
import json
import unittest

import yaml

import lab as labs
import traffic
import wire

DETACH = "after leman-agent --detach"
FLOOD_VTEPS, FLOOD_PORTS = 64, 128


def more_ports(state):
    state["networks"][0]["ports"].append(
        {"name": "late", "device": "late0", "mac": "02:00:00:00:00:33"})


def more_addresses(state):
    state["networks"][0]["ports"][0]["addresses"] += [f"10.0.9.{i}" for i in range(1, 20)]


def more_networks(state):
    state["networks"] += [{"name": f"more-{i}", "vni": 30000 + i} for i in range(3)]


def more_vteps(state):
    state["networks"][0]["vteps"] += [f"192.168.2.{i}" for i in range(1, 6)]


def more_macs(state):
    state["networks"][0]["remotes"] += [
        {"mac": f"02:00:00:00:01:{i:02x}", "vtep": "192.168.1.102"} for i in range(20)]


def more_neighbours(state):
    state["networks"][0]["remotes"].append(
        {"mac": "02:00:00:00:01:00", "vtep": "192.168.1.102",
         "addresses": [f"10.0.9.{i}" for i in range(1, 9)]})


def more_options(state):
    state["options"] = [{"class": i, "type": 1} for i in range(4100)]


# The base state has one port with one address, one network, one VTEP, two MACs, two neighbours.
LIMITS = [
    (["--max-ports", "1"], more_ports, {"ports": "lm_ports"}, 1),
    (["--max-ports", "1"], more_addresses, {"port addresses": "lm_port_addrs"}, 16),
    (["--max-networks", "1"], more_networks,
     {"networks": "lm_networks", "flood lists": "lm_flood"}, 1),
    (["--max-peers", "1"], more_vteps, {"peers": "lm_peers"}, 1),
    (["--max-fdb", "4"], more_macs, {"FDB": "lm_fdb"}, 4),
    (["--max-fdb", "4"], more_neighbours, {"neighbours": "lm_neigh"}, 4),
    (["--max-fdb", "4"], more_vteps, {"VTEPs": "lm_vteps"}, 4),
    ([], more_options, {"options": "lm_known_opts"}, 4096),
]


class LimitsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = labs.two_hosts("limit", inner=(4,)).up()
        cls.addClassCleanup(cls.lab.down)
        cls.host = cls.lab.hosts["host-a"]
        cls.good = yaml.safe_load(cls.host.state_path.read_text())
        cls.host.run("ip", "link", "add", "late0", "up", "type", "veth", "peer", "name", "late1")
        cls.host.run("ip", "link", "set", "late1", "up")

    def tearDown(self):
        self.host.detach()
        self.host.agent_options = []
        self.host.rewrite(json.dumps(self.good))
        self.host.start()

    def ping(self):
        traffic.ping(self.lab, "vm-1", self.lab.address("vm-2", 4), count=1)

    def expect_full(self, options, full, entries):
        way_out = f"restart the agent with a larger {options[0]}, {DETACH}" if options else \
            "its size is fixed: take some out of the state file"
        self.assertEqual(self.host.problems(), [
            f"{where}: map {name} is full ({entries} entries); {way_out}"
            for where, name in full.items()])
        for name in full.values():
            self.assertEqual(len(self.host.map_dump(name)), entries)
        self.assertEqual(self.host.status()["state"], "ready")
        self.assertEqual(self.host.leman("status", "--check", check=False).returncode, 1)
        self.ping()

    def test_a_full_map(self):
        for options, exceed, full, entries in LIMITS:
            with self.subTest(exceed.__name__, options=options):
                self.host.detach()
                self.host.agent_options = options
                self.host.rewrite(json.dumps(self.good))
                self.host.start()
                self.assertEqual(self.host.problems(), [])
                programmed = {name: self.host.map_dump(name) for name in full.values()}
                more = copy.deepcopy(self.good)
                exceed(more)
                more["networks"][0]["mtu"] = 1400
                self.host.apply(json.dumps(more))
                self.expect_full(options, full, entries)
                self.assertEqual(self.host.ask("networks")[0]["mtu"], 1400)
                # What was there before did not have to make room.
                for name, before in programmed.items():
                    keys = {key for key, _ in self.host.map_dump(name)}
                    self.assertLessEqual({key for key, _ in before}, keys)

                self.host.kill()
                self.host.start()  # a start meets it just the same
                self.expect_full(options, full, entries)

                self.host.apply(json.dumps(self.good))
                self.assertEqual(self.host.problems(), [])
                self.assertEqual(self.host.leman("status", "--check").returncode, 0)
                self.ping()

    def test_other_sizes_than_the_pinned_are_refused(self):
        self.host.kill()
        self.host.agent_options = ["--max-networks", "17"]
        done = labs.run(self.host.agent_command(), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "leman-agent: the maps pinned under .* were made with other "
                                      "sizes; .*leman-agent --detach")
        self.ping()

    def broadcast(self):
        """Sends one broadcast; what it counted."""
        before = self.host.events()
        with wire.Mouth(self.lab.netns("vm-1")) as mouth:
            mouth.say(wire.ethernet(wire.BROADCAST, self.lab.mac("vm-1"), 0x88B5, b"all" * 20))
        labs.wait_for(lambda: self.host.events()["flood_copies"] > before["flood_copies"],
                      "copies were made")
        now = self.host.events()
        return {name: now[name] - before[name] for name in ("flood_copies", "flood_truncated")}

    def test_more_vteps_than_one_broadcast_is_copied_to(self):
        for vteps in (FLOOD_VTEPS, FLOOD_VTEPS + 1):
            state = copy.deepcopy(self.good)
            # 192.168.1.102, who is there, is the first of them.
            state["networks"][0]["vteps"] += [f"192.168.2.{i}" for i in range(1, vteps)]
            self.host.apply(json.dumps(state))
            beyond = vteps > FLOOD_VTEPS
            self.assertEqual(self.host.problems(), [
                "network blue: has 65 VTEPs; broadcasts reach the first 64 in address order, unicast "
                "reaches all; split the network or remove VTEPs without workloads"] * beyond)
            self.assertEqual(self.broadcast(), {"flood_copies": FLOOD_VTEPS,
                                                "flood_truncated": int(beyond)})
            self.ping()

    def test_more_ports_than_one_broadcast_is_copied_to(self):
        """The sender is one of them; in place of its copy there is the one for the VTEP."""
        names = [f"many{i}" for i in range(FLOOD_PORTS)]
        self.host.run("ip", "-batch", "-", input="".join(
            f"link add {name} up type veth peer name far-{name}\nlink set far-{name} up\n"
            for name in names))
        self.addCleanup(self.host.run, "ip", "-batch", "-", input="".join(
            f"link del {name}\n" for name in names))
        for ports in (FLOOD_PORTS, FLOOD_PORTS + 1):
            state = copy.deepcopy(self.good)
            state["networks"][0]["ports"] += [
                {"name": name, "device": name, "mac": f"02:00:00:00:02:{i:02x}"}
                for i, name in enumerate(names[:ports - 1])]
            self.host.apply(json.dumps(state))
            beyond = ports > FLOOD_PORTS
            self.assertEqual(self.host.problems(), [
                "network blue: has 129 ports on this host; broadcasts reach the first 128 in ifindex "
                "order, unicast reaches all; split the network or move workloads"] * beyond)
            self.assertEqual(self.broadcast(), {"flood_copies": FLOOD_PORTS,
                                                "flood_truncated": int(beyond)})
            self.ping()


if __name__ == "__main__":
    labs.main()
