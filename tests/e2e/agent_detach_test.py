#!/usr/bin/env python3
"""`leman-agent --detach` leaves a host as it was before Leman, whatever happened to the agent, its state
file and its pins, and takes nothing that it did not make."""
import pathlib
import random
import shutil
import signal
import time
import unittest

import lab as labs
import traffic

KILLS = 10


class DetachTest(unittest.TestCase):
    def setUp(self):
        self.lab = labs.two_hosts("detach", inner=(4,)).up()
        self.addCleanup(self.lab.down)
        self.host = self.lab.hosts["host-a"]
        self.good = self.host.state_path.read_text()
        self.host.detach()
        self.clean = self.host.surroundings()
        self.assertEqual([line for line in self.clean if not line.startswith(("device", "qdisc"))], [])
        self.assertNotIn("clsact", repr(self.clean))

    def ping(self, check=True):
        return traffic.ping(self.lab, "vm-1", self.lab.address("vm-2", 4), "-W", "1", count=1,
                            check=check)

    def start(self):
        self.host.start()
        self.ping()
        self.assertNotEqual(self.host.surroundings(), self.clean)

    def expect_clean(self, done):
        self.assertEqual(done.stderr, "")
        self.assertEqual(self.host.surroundings(), self.clean)
        self.assertNotEqual(self.ping(check=False).returncode, 0)

    def test_of_a_running_agent(self):
        self.start()
        pid = self.host.pid()
        done = self.host.detach()
        self.assertEqual(done.stdout.splitlines(), [
            f"stopped leman-agent (pid {pid})",
            f"detached the programs and removed the maps under {self.host.pin_root}"])
        self.expect_clean(done)
        # Once more is nothing; a new start brings all back.
        done = self.host.detach()
        self.assertEqual(done.stdout, f"nothing was pinned under {self.host.pin_root}\n")
        self.expect_clean(done)
        self.start()

    def test_after_sigterm_and_after_kill_9(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(number):
                self.start()
                self.host.kill(number)
                self.ping()
                self.expect_clean(self.host.detach())

    def test_after_kill_9_at_any_moment_of_the_first_start(self):
        seed = random.randrange(1 << 32)
        print(f"seed {seed}", flush=True)
        moments = random.Random(seed)
        for _ in range(KILLS):
            self.host.start(wait=False)
            time.sleep(moments.uniform(0, 1))  # the moment is what is random here
            self.host.kill()
            done = self.host.detach()
            self.assertEqual(self.host.surroundings(), self.clean)
            self.assertEqual(done.stderr, "")

    def test_without_the_state_file_and_with_a_wrong_one(self):
        for text in (None, "host: [", self.good.replace("eth0", "eth7")):
            for number in (None, signal.SIGKILL):
                with self.subTest(text=text, kill=number):
                    self.host.rewrite(self.good)
                    self.start()
                    if number:
                        self.host.kill(number)
                    if text is None:
                        self.host.state_path.unlink()
                    else:
                        self.host.rewrite(text)
                    self.expect_clean(self.host.detach())

    def test_without_the_pins(self):
        self.start()
        self.host.kill()
        shutil.rmtree(self.host.pin_root)
        done = self.host.detach()
        self.assertEqual(done.stderr, "")
        # Who made the qdiscs was told by the pins; empty ones are all that may be left.
        self.assertEqual([line for line in self.host.surroundings() if "clsact" not in line],
                         self.clean)

    def test_devices_that_came_and_went(self):
        self.start()
        self.host.kill()
        self.host.run("ip", "link", "del", "lm-seg0")
        self.host.run("ip", "link", "del", "port-vm1")
        done = self.host.detach()
        self.assertEqual(done.stderr, "")
        self.assertEqual(self.host.surroundings(),
                         [line for line in self.clean if "port-vm1" not in line])

    def test_what_others_made_stays(self):
        """A clsact qdisc that was there, and one of ours that others put a filter on meanwhile."""
        self.host.run("tc", "qdisc", "add", "dev", "port-vm1", "clsact")
        with_theirs = self.host.surroundings()
        self.start()
        self.host.kill()
        self.host.detach()
        self.assertEqual(self.host.surroundings(), with_theirs)

        self.host.run("tc", "qdisc", "del", "dev", "port-vm1", "clsact")
        self.start()
        self.host.run("tc", "filter", "add", "dev", "eth0", "egress", "pref", "7", "bpf",
                      "direct-action", "pinned", next(self.host.pin_root.glob("v*/port_rx")))
        foreign = [line for line in self.host.surroundings() if "filter egress of eth0" in line]
        self.assertEqual(len(foreign), 1)
        self.host.detach()
        left = [line for line in self.host.surroundings() if line not in self.clean]
        self.assertEqual(left, ["qdisc clsact ffff: on eth0", *foreign])

    def test_files_of_others_in_the_run_directory_stay(self):
        run_dir = pathlib.Path("/run/leman-e2e-detach")
        for ours_alone in (True, False):
            with self.subTest(ours_alone=ours_alone):
                usual, self.host.run_dir = self.host.run_dir, run_dir
                self.host.socket_path = run_dir / "agent.sock"
                try:
                    self.host.start()
                    if not ours_alone:
                        (run_dir / "other").touch()
                    self.host.detach()
                finally:
                    self.host.run_dir = usual
                    self.host.socket_path = usual / "agent.sock"
                self.assertEqual(list(run_dir.glob("*")), [] if ours_alone else [run_dir / "other"])
                self.assertEqual(run_dir.exists(), not ours_alone)
        shutil.rmtree(run_dir)


if __name__ == "__main__":
    labs.main()
