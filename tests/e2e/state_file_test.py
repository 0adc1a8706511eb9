#!/usr/bin/env python3
"""The state file: replaced by rename, half-written, wrong in many ways. A wrong one is told with
file, line and key, and changes nothing; a good one clears it."""
import pathlib
import re
import unittest

import lab as labs
import traffic

GOOD = """host: host-a
underlay:
  device: eth0
  addresses: [192.168.1.101]
networks:
  - name: blue
    vni: 10001
    ports:
      - { name: vm-1, device: port-vm1, mac: "aa:bb:cc:dd:ee:f0", addresses: [10.0.1.10] }
    remotes:
      - { mac: "aa:bb:cc:dd:ee:10", addresses: [10.0.1.11], vtep: 192.168.1.102 }
"""

# What is replaced by what, then line and key of the fault, and words that must be in its text.
FAULTS = [
    ("vni: 10001", "vni: 16777216", 7, "networks[0].vni", "16777215"),
    ("vni: 10001", "vni: blue", 7, "networks[0].vni", "number"),
    ("aa:bb:cc:dd:ee:10", "aa:bb:cc:dd:ee", 11, "networks[0].remotes[0].mac", "MAC"),
    ("aa:bb:cc:dd:ee:10", "aa:bb:cc:dd:ee:f0", 11, "networks[0].remotes[0].mac", ""),
    ("[10.0.1.11]", "[10.0.1.300]", 11, "networks[0].remotes[0].addresses", "10.0.1.300"),
    ("vtep: 192.168.1.102", "vtep: 192.168.1.101", 11, "networks[0].remotes[0].vtep", ""),
    ("vtep: 192.168.1.102", 'vtep: "fd00::1"', 11, "networks[0].remotes[0].vtep", ""),
    ("vtep: 192.168.1.102", 'vtep: "fe80::1"', 11, "networks[0].remotes[0].vtep", "link-local"),
    ("  device: eth0", "  device: eth0\n  colour: green", 4, "underlay.colour", ""),
    ("  device: eth0", "  device: eth0\n  ttl: 0", 4, "underlay.ttl", "255"),
    ("  device: eth0\n", "", 3, "underlay.device", ""),
    ("    vni: 10001\n", "    vni: 10001\n    vni: 10002\n", 8, "networks[0].vni", ""),
    ("    vni: 10001\n", "    vni: 10001\n    dscp: 64\n", 8, "networks[0].dscp", "63"),
    ("    vni: 10001\n", "    vni: 10001\n    options: [{ class: 0xFFF0, type: 1, data: \"0a0b0c0d0e\" }]\n",
     8, "networks[0].options[0].data", "4"),
    ("    vni: 10001\n", "    vni: 10001\n    learning: maybe\n", 8, "networks[0].learning", "true"),
]


class StateFileTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = labs.two_hosts("state", inner=(4,)).up()
        cls.addClassCleanup(cls.lab.down)
        cls.host = cls.lab.hosts["host-a"]

    def setUp(self):
        self.host.apply(GOOD)
        self.assertEqual(self.host.problems(), [])

    def maps(self):
        return [self.host.map_dump(name) for name in ("lm_ports", "lm_networks", "lm_fdb",
                                                      "lm_neigh", "lm_vteps", "lm_flood")]

    def wait_problem(self, text):
        return labs.wait_for(
            lambda: [one for one in self.host.problems() if text in one] or None,
            f"a problem with {text!r}")

    def test_each_fault_is_told_with_file_line_and_key_and_changes_nothing(self):
        """Proves: G-3.4-27, G-3.5-11, G-4291-01, T-2003-06"""
        before, revision = self.maps(), self.host.status()["revision"]
        for old, new, line, key, words in FAULTS:
            with self.subTest(key=key, new=new):
                self.assertIn(old, GOOD)
                self.host.rewrite(GOOD.replace(old, new, 1))
                start = f"{self.host.state_path}:{line}: {key}"
                told = self.wait_problem(start)[0]
                sentence = next(row for row in told.splitlines() if start in row)
                self.assertRegex(sentence, re.escape(start) + r"[^ ]*: .+; .+")
                self.assertIn(words, sentence)
                answer = self.host.leman("reload", check=False)
                self.assertEqual(answer.returncode, 1)
                self.assertIn(start, answer.stderr)
                check = labs.run([labs.AGENT, "--check", "--state", self.host.state_path],
                                 check=False)
                self.assertEqual(check.returncode, 3)
                self.assertIn(start, check.stderr)
        self.assertEqual(self.maps(), before)
        status = self.host.status()
        self.assertEqual((status["revision"], status["state"], status["degraded"]),
                         (revision, "ready", True))
        traffic.ping(self.lab, "vm-1", "10.0.1.11", count=1)
        self.host.rewrite(GOOD)
        labs.wait_for(lambda: not self.host.status()["degraded"], "a good file clears the problem")

    def test_half_written_file(self):
        """Written in place, in pieces: the agent may see any of them and must end with the last."""
        before = self.maps()
        more = GOOD.replace("    remotes:\n", "    remotes:\n      - { mac: \"02:00:00:00:00:55\", "
                            "addresses: [10.0.1.55], vtep: 192.168.1.105 }\n")
        with open(self.host.state_path, "w", encoding="utf-8") as file:
            file.write(more[:len(more) // 2])
        self.wait_problem(str(self.host.state_path))
        self.assertEqual(self.maps(), before)
        self.host.state_path.write_text(more)
        labs.wait_for(lambda: len(self.host.map_dump("lm_fdb")) == 3, "the third entry is there")
        labs.wait_for(lambda: not self.host.problems(), "no problem is left")

    def test_missing_file(self):
        before = self.maps()
        self.host.state_path.unlink()
        answer = self.host.leman("reload", check=False)
        self.assertEqual(answer.returncode, 1)
        self.assertIn(str(self.host.state_path), answer.stderr)
        self.assertEqual(self.maps(), before)
        self.host.rewrite(GOOD)
        labs.wait_for(lambda: not self.host.problems(), "no problem is left")

    def test_replaced_by_rename_is_seen_without_being_asked(self):
        revision = self.host.status()["revision"]
        self.host.rewrite(GOOD.replace("vni: 10001", "vni: 10003"))
        labs.wait_for(lambda: self.host.status()["revision"] > revision, "a new revision")
        self.assertEqual([row["vni"] for row in self.host.ask("networks")], [10003])

    def test_symbolic_link_that_is_swapped(self):
        path = pathlib.Path(self.host.state_path)
        for number in (1, 2):
            path.with_name(f"real-{number}").write_text(
                GOOD.replace("vni: 10001", f"vni: {10010 + number}"))
        for number in (1, 2):
            fresh = path.with_name("link.new")
            fresh.symlink_to(path.with_name(f"real-{number}"))
            fresh.replace(path)
            labs.wait_for(lambda number=number: [row["vni"] for row in self.host.ask("networks")]
                          == [10010 + number], f"state {number} is taken over")
        path.unlink()


if __name__ == "__main__":
    labs.main()
