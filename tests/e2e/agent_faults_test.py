#!/usr/bin/env python3
"""What stands in the agent's way: each thing is told in one clear sentence, with nothing half done,
or is a problem in the status while everything else works."""
import json
import os
import re
import signal
import socket
import unittest

import yaml

import lab as labs
import traffic


class FaultsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = labs.two_hosts("fault", inner=(4,)).up()
        cls.addClassCleanup(cls.lab.down)
        cls.host = cls.lab.hosts["host-a"]
        cls.good = cls.host.state_path.read_text()

    def restore(self):
        self.host.agent_options = []
        self.host.rewrite(self.good)
        if self.host.agent is None:
            self.host.start()

    def run_agent(self, *more, prefix=(), status=1):
        """A start that must fail, with one sentence."""
        done = labs.run([*prefix, *self.host.agent_command(*more)], check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stderr

    def sentence(self, text):
        """The one line that is no log line."""
        lines = [line for line in text.splitlines() if line.startswith("leman-agent: ")]
        self.assertEqual(len(lines), 1, text)
        return lines[0].removeprefix("leman-agent: ")

    def test_second_agent_is_told_the_pid(self):
        said = self.sentence(self.run_agent())
        self.assertIn(f"another leman-agent (pid {self.host.pid()})", said)
        self.assertEqual(self.host.status()["state"], "ready")

    def test_no_root(self):
        done = labs.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", labs.AGENT,
                         "--state", self.host.state_path, "--run-dir", "/tmp/leman-e2e-nobody"],
                        check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(self.sentence(done.stderr), r"CAP_NET_ADMIN.*run leman-agent as root")
        self.assertFalse(os.path.exists("/tmp/leman-e2e-nobody"))

    def test_bad_options(self):
        for words in (["--no-such-option"], ["--max-fdb", "0"], ["--max-fdb", "many"],
                      ["--log-level", "loud"], ["--audit-interval", "0"], ["--check", "--detach"]):
            with self.subTest(words=words):
                done = labs.run([labs.AGENT, "--state", self.host.state_path, *words], check=False)
                self.assertEqual(done.returncode, 2)
                self.assertNotEqual(done.stderr + done.stdout, "")
        self.assertEqual(labs.run([labs.AGENT], check=False).returncode, 2)

    def test_metrics_address_that_is_not_ours(self):
        self.host.kill(signal.SIGTERM)
        self.addCleanup(self.restore)
        said = self.sentence(self.run_agent("--metrics-address", "192.0.2.1:9461"))
        self.assertIn("192.0.2.1:9461", said)

    def busy_port(self, who):
        before = self.host.map_dump("lm_fdb")
        said = self.sentence(self.run_agent())
        self.assertIn("UDP port 6081 is taken by", said)
        self.assertIn(who, said)
        self.assertEqual(self.host.map_dump("lm_fdb"), before)
        # What an earlier agent programmed goes on: nothing was taken away.
        traffic.ping(self.lab, "vm-1", self.lab.address("vm-2", 4), count=1)

    def test_port_taken_by_a_socket(self):
        self.host.kill(signal.SIGTERM)
        self.addCleanup(self.restore)
        with labs.make_socket(self.host.netns, socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("0.0.0.0", 6081))
            self.busy_port(str(os.getpid()))

    def test_port_taken_by_a_tunnel_device(self):
        self.host.kill(signal.SIGTERM)
        self.addCleanup(self.restore)
        tried = 0
        for kind, more in (("vxlan", "id 5 dstport 6081 dev eth0"),
                           ("bareudp", "dstport 6081 ethertype ip"), ("geneve", "external")):
            made = self.host.run("ip", "link", "add", "tun7", "type", kind, *more.split(),
                                 check=False)
            if made.returncode != 0:
                print(f"not tried: {kind}: this kernel has no such device")
                continue
            self.host.run("ip", "link", "set", "tun7", "up")
            tried += 1
            self.busy_port("tun7")
            self.host.run("ip", "link", "del", "tun7")
        if tried == 0:
            self.skipTest("this kernel has no tunnel device at all")

    def test_missing_underlay_device_at_start(self):
        self.host.kill(signal.SIGTERM)
        self.addCleanup(self.restore)
        self.host.rewrite(self.good.replace("device: eth0", "device: eth7"))
        before = self.host.map_dump("lm_fdb")
        self.assertIn("underlay device eth7 is not there", self.sentence(self.run_agent()))
        self.assertEqual(self.host.map_dump("lm_fdb"), before)

    def test_missing_port_device_is_a_problem_until_it_appears(self):
        self.addCleanup(self.host.run, "ip", "link", "del", "late0", check=False)
        self.addCleanup(self.host.apply, self.good)
        state = yaml.safe_load(self.good)
        state["networks"][0]["ports"].append(
            {"name": "late", "device": "late0", "mac": "02:00:00:00:00:33",
             "addresses": ["10.0.1.33"]})
        self.host.apply(json.dumps(state))
        self.assertEqual(len(self.host.problems()), 1)
        self.assertRegex(self.host.problems()[0], r"late.*late0 is not there")
        self.assertEqual(self.host.leman("status", "--check", check=False).returncode, 1)
        traffic.ping(self.lab, "vm-1", self.lab.address("vm-2", 4), count=1)
        self.host.run("ip", "link", "add", "late0", "mtu", 1500, "type", "veth", "peer", "name",
                      "late1")
        self.host.run("ip", "link", "set", "late1", "up")
        self.host.run("ip", "link", "set", "late0", "up")
        labs.wait_for(lambda: not self.host.problems(), "the port is programmed")
        self.assertEqual({row["name"]: row["state"] for row in self.host.ask("ports")},
                         {"vm-1": "active", "late": "active"})
        self.host.run("ip", "link", "del", "late0")
        labs.wait_for(self.host.problems, "its going is a problem again")

    def test_metrics(self):
        self.host.kill(signal.SIGTERM)
        self.addCleanup(self.restore)
        self.addCleanup(self.host.kill)
        self.host.agent_options = labs.METRICS
        self.host.start()
        text = self.host.scrape()
        names = {re.match(r"[a-zA-Z_:]+", line).group(0) for line in text.splitlines()
                 if line and not line.startswith("#")}
        for name in ("leman_build_info", "leman_agent_state", "leman_degraded",
                     "leman_verdict_packets_total", "leman_map_entries",
                     "leman_agent_resident_bytes", "leman_port_packets_total",
                     "leman_network_packets_total", "leman_peer_packets_total"):
            self.assertIn(name, names)
        self.assertIn('leman_agent_state{state="ready"} 1', text)
        self.assertRegex(text, r'leman_network_packets_total\{[^}]*vni="10001"[^}]*\} \d')
        samples = [line.rpartition(" ")[0] for line in text.splitlines()
                   if line and not line.startswith("#")]
        self.assertEqual(len(samples), len(set(samples)), "a sample is there twice")


if __name__ == "__main__":
    labs.main("setpriv")
