#!/usr/bin/env python3
"""Virtual machines: the demo with `--kind qemu`, and commands in a machine's shell. Works without KVM."""
import hashlib
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import time
import unittest

import lab as labs
from lab_case import LEMAN, LabCase

GUEST_DIR = pathlib.Path(os.environ.setdefault("LEMAN_GUEST_DIR", str(labs.ROOT / "build/guest")))
DEMO_SECONDS = 60  # on two cores without KVM; about ten when nobody else uses them


class DemoTest(LabCase):
    def test_every_step_works_in_time_and_nothing_is_left(self):
        lab = self.lab("qdemo")
        start = time.monotonic()
        done = labs.run([LEMAN, "demo", "--kind", "qemu", "--file", lab.path], check=False,
                        timeout=2 * DEMO_SECONDS)
        taken = time.monotonic() - start
        print(f"{taken:.1f} s")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("✗", done.stdout)
        self.assertEqual(done.stdout.count("✓"), 9, done.stdout)
        self.assertLess(taken, DEMO_SECONDS, done.stdout)
        self.assertEqual(labs.traces_of(lab.name), [])

    def test_ctrl_c_while_machines_boot(self):
        lab = self.lab("qstop")
        process = subprocess.Popen([LEMAN, "demo", "--kind", "qemu", "--file", lab.path],
                                   stdout=subprocess.PIPE, text=True)
        socket = labs.LAB_ROOT / lab.name / "vm-3/shell.sock"
        labs.wait_for(socket.exists, "the third machine has started", 30)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 128 + signal.SIGINT, out)
        self.assertIn("Interrupted after", out)
        self.assertEqual(labs.traces_of(lab.name), [])


class ExecTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = labs.Lab(
            "qexec", hosts=[{"name": "host-a", "addresses": ["192.168.1.101/24"]}],
            networks=[{"name": "blue", "vni": 10001}],
            machines=[{"name": "vm-1", "host": "host-a", "network": "blue", "kind": "qemu",
                       "addresses": ["10.0.1.10/24", "fd00:1::10/64"]},
                      {"name": "vm-2", "host": "host-a", "network": "blue",
                       "addresses": ["10.0.1.11/24", "fd00:1::11/64"]}])
        cls.addClassCleanup(cls.lab.down)
        cls.lab.up()

    def command(self, *argv):
        return [LEMAN, "lab", "exec", f"{self.lab.name}/vm-1", "--", *argv]

    def exec(self, *argv, **more):
        return labs.run(self.command(*argv), check=False, **more)

    def popen(self, *argv, **more):
        process = subprocess.Popen(self.command(*argv), stdout=subprocess.PIPE, **more)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        return process

    def test_exit_status_and_output_are_the_commands(self):
        done = self.exec("sh", "-c", "echo out; echo err >&2; exit 3")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (3, "out\nerr\n", ""))
        self.assertEqual(self.exec("no-such-program").returncode, 127)
        self.assertEqual(self.exec("sh", "-c", "kill -9 $$").returncode, 128 + signal.SIGKILL)

    def test_words_arrive_as_they_are(self):
        words = ["a b", "it's", "$HOME", "", "\\n", "\"", "*", "é\n", "x" * 5000]
        done = self.exec("printf", "%s|", *words)
        self.assertEqual(done.stdout, "".join(word + "|" for word in words))

    def test_addresses_work_across_the_hosts_port(self):
        for address in ("10.0.1.11", "fd00:1::11"):
            done = self.exec("ping", "-c", "1", "-W", "5", address)
            self.assertEqual(done.returncode, 0, done.stdout)

    def test_output_comes_while_the_command_runs_and_ctrl_c_ends_it(self):
        process = self.popen("sh", "-c", "echo begun; sleep 1000")
        self.assertEqual(process.stdout.readline(), b"begun\n")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(10), 128 + signal.SIGINT)
        self.assertEqual(self.exec("pidof", "sleep").stdout, "")

    def test_stdin_is_empty(self):
        process = self.popen("cat", stdin=subprocess.PIPE)
        self.assertEqual(process.wait(10), 0)
        self.assertEqual(process.stdout.read(), b"")
        process.stdin.close()

    def test_binary_output_comes_whole(self):
        """Every byte value, and the marks of the protocol itself."""
        expected = pathlib.Path(shutil.which("busybox")).read_bytes()[:200_000]
        self.assertIn(b"\x01", expected)
        done = subprocess.run(self.command("sh", "-c", "head -c 200000 /bin/busybox"),
                              stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=True,
                              timeout=30)
        self.assertEqual(len(done.stdout), len(expected))
        self.assertEqual(hashlib.sha256(done.stdout).digest(), hashlib.sha256(expected).digest())
        done = self.exec("printf", r"\001probe 0\n\001c1-1 0\n\001")
        self.assertEqual((done.returncode, done.stdout), (0, "\x01probe 0\n\x01c1-1 0\n\x01"))

    def test_a_reader_that_goes_away_ends_the_command(self):
        process = self.popen("yes")
        self.assertEqual(process.stdout.readline(), b"y\n")
        process.stdout.close()
        self.assertNotEqual(process.wait(10), 0)
        self.assertEqual(self.exec("pidof", "yes").stdout, "")

    def test_a_killed_client_does_not_keep_the_machine_busy(self):
        process = self.popen("sh", "-c", "echo begun; sleep 1000")
        self.assertEqual(process.stdout.readline(), b"begun\n")
        process.kill()
        self.assertEqual(self.exec("echo", "free").stdout, "free\n")
        self.assertEqual(self.exec("pidof", "sleep").stdout, "")

    def test_commands_take_turns(self):
        """Each gets its own answer, however many come at once."""
        processes = [self.popen("sh", "-c", f"echo {i}; exit {i}") for i in range(8)]
        for i, process in enumerate(processes):
            self.assertEqual(process.wait(30), i)
            self.assertEqual(process.stdout.read(), f"{i}\n".encode())

    def test_answers_are_never_lost(self):
        for i in range(60):
            done = self.exec("echo", str(i), timeout=10)
            self.assertEqual((done.returncode, done.stdout), (0, f"{i}\n"))


def guest_kernel_missing():
    release = platform.release()
    own = (f"/boot/vmlinuz-{release}", f"/lib/modules/{release}/modules.dep")
    return not (GUEST_DIR / "vmlinuz").exists() and not all(map(os.path.exists, own))


if __name__ == "__main__":
    labs.prepare()
    if missing := [name for name in ("qemu-system-x86_64", "busybox", "cpio")
                   if shutil.which(name) is None]:
        labs.skip_all(f"{', '.join(missing)} not installed; tools/setup.sh qemu installs them")
    if guest_kernel_missing():
        labs.skip_all(f"no guest kernel in {GUEST_DIR}; tools/setup.sh qemu unpacks one")
    unittest.main(verbosity=2)
