#!/usr/bin/env python3
"""Labs side by side, `leman lab status` and `leman lab exec`."""
import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import unittest

import lab as labs
import traffic
from lab_case import LEMAN, LabCase, status_of


class SideBySideTest(LabCase):
    def test_two_labs_work_at_once(self):
        one, two = self.lab("one"), self.lab("two")
        starts = [self.start(lab, "up") for lab in (one, two)]
        for process in starts:
            text = "".join(process.communicate(timeout=60))
            self.assertEqual(process.returncode, 0, text)
        for lab in (one, two):
            traffic.ping(lab, "vm-1", lab.address("vm-2", 4))
        asked = labs.run([LEMAN, "lab", "exec", "vm-1", "--", "true"], check=False)
        self.assertEqual(asked.returncode, 2)
        self.assertIn("several labs; write LAB/vm-1", asked.stderr)
        self.down(one)
        traffic.ping(two, "vm-1", two.address("vm-2", 4))
        self.assertEqual(two.hosts["host-a"].problems(), [])

    def test_a_lab_that_is_up_is_not_replaced(self):
        lab = self.lab("same")
        self.up(lab)
        before = os.stat(f"/run/netns/{lab.netns('vm-1')}").st_ino
        for command in ("up", "demo"):
            process = self.start(lab, command)
            text = "".join(process.communicate(timeout=20))
            self.assertEqual(process.returncode, 1, text)
            self.assertIn(f"lab {lab.name} is up already; end it by `leman lab down {lab.name}`", text)
        self.assertEqual(os.stat(f"/run/netns/{lab.netns('vm-1')}").st_ino, before)
        traffic.ping(lab, "vm-1", lab.address("vm-2", 4))

    def test_a_lab_that_somebody_works_on_is_left_to_them(self):
        lab = self.lab("busy")
        first = self.start(lab, "demo")
        labs.wait_for(lambda: lab.hosts["host-b"].socket_path.exists(), "an agent runs")
        first.send_signal(signal.SIGSTOP)
        self.assertEqual(status_of(lab)["state"], "busy")
        for argv in (["up", lab.path], ["down", lab.name]):
            second = labs.run([LEMAN, "lab", *argv], check=False)
            self.assertEqual(second.returncode, 1, second.stdout)
            self.assertIn(f"another leman process is at work on lab {lab.name}", second.stderr)
        first.send_signal(signal.SIGCONT)
        text = "".join(first.communicate(timeout=60))
        self.assertEqual(first.returncode, 0, text)
        self.assertEqual(labs.traces_of(lab.name), [])


class StatusTest(LabCase):
    def test_json_says_what_the_lab_file_and_the_agents_say(self):
        lab = self.lab("json")
        self.assertIsNone(status_of(lab))
        self.up(lab)
        status = status_of(lab)
        self.assertEqual((status["state"], status["directory"]), ("up", f"/run/leman/lab/{lab.name}"))
        self.assertEqual([(host["name"], host["agent"], host["problems"], host["ports"],
                           host["addresses"]) for host in status["hosts"]],
                         [("host-a", "ready", 0, 1, ["192.168.1.101/24"]),
                          ("host-b", "ready", 0, 2, ["192.168.1.102/24"])])
        for host in status["hosts"]:
            ask = labs.run([LEMAN, "fdb", "-o", "json", "--socket", host["socket"]])
            self.assertEqual(len(json.loads(ask.stdout)), host["fdb_entries"])
        self.assertEqual([machine["name"] for machine in status["machines"]], [*lab.machines])
        for machine in status["machines"]:
            spec = lab.machines[machine["name"]]
            self.assertEqual((machine["kind"], machine["host"], machine["network"], machine["mac"],
                              machine["addresses"]),
                             ("netns", spec["host"], spec["network"], spec["mac"], spec["addresses"]))
            self.assertEqual(machine["vni"], lab.networks[spec["network"]]["vni"])
            labs.run(["ip", "link", "show", "eth0"], netns=machine["netns"])
            labs.run(["ip", "link", "show", machine["device"]], netns=lab.netns(machine["host"]))
        lab.hosts["host-b"].kill()
        self.assertEqual([host["agent"] for host in status_of(lab)["hosts"]],
                         ["ready", "no answer"])

    def test_what_a_killed_process_left_is_called_abandoned(self):
        lab = self.lab("left".ljust(24 - len(labs.PREFIX), "x"))  # the longest name there is
        process = self.start(lab, "demo")
        labs.wait_for(lambda: lab.hosts["host-b"].socket_path.exists(), "an agent runs")
        process.kill()
        process.wait(10)
        labs.wait_for(lambda: status_of(lab)["state"] == "abandoned", "the lab is abandoned")
        lines = on_terminal([LEMAN, "lab", "status"], columns=80)
        self.assertLessEqual(max(map(len, lines)), 80, lines)
        self.down(lab)
        self.assertIsNone(status_of(lab))

    def test_tables_fit_80_columns(self):
        """With names as long as they may be, and both families everywhere."""
        lab = labs.Lab(
            "wide",
            hosts=[{"name": f"host-with-a-long-name-{i}",
                    "addresses": [f"192.168.100.10{i}/24", f"2001:db8:1234:5678::10{i}/64"]}
                   for i in (1, 2)],
            networks=[{"name": "network-with-a-long-name", "vni": 16777215}],
            machines=[{"name": f"machine-with-long-name{i}", "host": f"host-with-a-long-name-{i}",
                       "network": "network-with-a-long-name",
                       "addresses": [f"10.100.100.10{i}/24", f"2001:db8:8765:4321::10{i}/64"]}
                      for i in (1, 2)])
        self.addCleanup(lab.down)
        lab.up()
        lines = on_terminal([LEMAN, "lab", "status"], columns=80)
        text = "\n".join(lines)
        self.assertIn(f"lab {lab.name}: up", text)
        for word in ("HOST", "AGENT", "MACHINE", "MAC", "ADDRESSES"):
            self.assertIn(word, text)
        self.assertLessEqual(max(map(len, lines)), 80, text)


def on_terminal(argv, columns):
    """The lines a command shows on a terminal, without colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 50, columns, 0, 0))
    process = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs,
                               env={**os.environ, "TERM": "xterm", "LANG": "C.UTF-8"})
    os.close(theirs)
    text = b""
    with contextlib.suppress(OSError):  # EIO: the other side has been closed
        while piece := os.read(ours, 65536):
            text += piece
    os.close(ours)
    process.wait(10)
    return re.sub(r"\x1b\[[0-9;]*m", "", text.decode()).splitlines()


class ExecTest(LabCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = labs.two_hosts("exec").up()
        cls.addClassCleanup(cls.shared.down)

    def exec(self, thing, *argv, **more):
        return labs.run([LEMAN, "lab", "exec", f"{self.shared.name}/{thing}", "--", *argv],
                        check=False, **more)

    def test_exit_status_and_both_streams_are_the_commands(self):
        for thing in ("vm-1", "host-a"):
            done = self.exec(thing, "sh", "-c", "echo out; echo err >&2; exit 3")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (3, "out\n", "err\n"))
        self.assertEqual(self.exec("vm-1", "sh", "-c", "kill -9 $$").returncode, -9)

    def test_what_cannot_run(self):
        done = self.exec("vm-1", "no-such-program")
        self.assertEqual(done.returncode, 127)
        self.assertIn("no-such-program: program not found", done.stderr)
        done = self.exec("vm-9", "true")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no host or machine", done.stderr)

    def test_it_runs_there(self):
        self.assertIn(self.shared.address("vm-2", 4),
                      self.exec("vm-2", "ip", "address", "show", "eth0").stdout)
        self.assertIn("port-vm1", self.exec("host-a", "ls", "/sys/class/net").stdout)

    def test_stdin_goes_in_and_output_comes_while_it_runs(self):
        process = subprocess.Popen([LEMAN, "lab", "exec", f"{self.shared.name}/vm-1", "--", "cat"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with process:
            for word in (b"one\n", b"two\n"):
                process.stdin.write(word)
                process.stdin.flush()
                self.assertEqual(process.stdout.readline(), word)
            process.stdin.close()
            self.assertEqual(process.wait(10), 0)


if __name__ == "__main__":
    labs.main()
