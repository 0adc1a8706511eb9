#!/usr/bin/env python3
"""Killed or interrupted at any moment, a lab leaves nothing that the next `up` or `down` does not clear.
LEMAN_SEED=NUMBER in the environment repeats the moments of an earlier run."""
import contextlib
import os
import random
import signal
import subprocess
import time

import lab as labs
import traffic
from lab_case import LEMAN, LabCase

SEED = int(os.environ.get("LEMAN_SEED", random.randrange(1 << 32)))
MOMENTS = random.Random(SEED)


def setUpModule():
    print(f"LEMAN_SEED={SEED}", flush=True)


class LifeCase(LabCase):
    def duration(self, lab, command):
        """How long it takes here and now; nothing is left."""
        start = time.monotonic()
        process = self.start(lab, command)
        text = "".join(process.communicate(timeout=60))
        self.assertEqual(process.returncode, 0, text)
        taken = time.monotonic() - start
        self.down(lab)
        return taken

    def moments(self, lab, command, count):
        """Points in time all over the life of a command, one at random in each part."""
        taken = self.duration(lab, command)
        return [taken * (part + MOMENTS.random()) / count for part in range(count)]


class KillTest(LifeCase):
    def check_next_up(self, lab, delay):
        with self.subTest(seconds=round(delay, 3)):
            try:
                self.up(lab)
            except labs.CommandFailed as refused:
                # The first one had done all its work when it died.
                self.assertIn(f"lab {lab.name} is up already", str(refused))
                self.down(lab)
                self.up(lab)
            traffic.ping(lab, "vm-1", lab.address("vm-2", 4), count=1)
            self.down(lab)

    def check_kill_9(self, command, count):
        lab = self.lab("kill")
        for delay in self.moments(lab, command, count):
            process = self.start(lab, command)
            time.sleep(delay)  # the moment, not a wait
            process.kill()  # and no wait: the next one comes while this one is still dying
            self.check_next_up(lab, delay)
            process.wait(10)

    def test_kill_9_of_lab_up(self):
        self.check_kill_9("up", 8)

    def test_kill_9_of_the_demo(self):
        self.check_kill_9("demo", 4)

    def test_kill_9_of_what_it_started(self):
        """Helpers die, or agents: whatever comes of it, the next `up` works."""
        lab = self.lab("limb")
        for delay in self.moments(lab, "demo", 4):
            process = self.start(lab, "demo")
            time.sleep(delay)  # the moment, not a wait
            victims = self.descendants(process.pid)
            if victims:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(MOMENTS.choice(victims), signal.SIGKILL)
            process.communicate(timeout=60)
            self.assertIn(process.returncode, (0, 1))
            self.assertEqual(labs.traces_of(lab.name), [])
            self.check_next_up(lab, delay)

    def test_up_again_when_an_agent_was_killed(self):
        lab = self.lab("corpse")
        self.up(lab)
        lab.hosts["host-b"].kill()
        self.up(lab)
        self.assertEqual(lab.hosts["host-b"].problems(), [])
        self.down(lab)

    @staticmethod
    def descendants(pid):
        children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True,
                                  check=False).stdout.split()
        found = [int(child) for child in children]
        for child in children:
            found += KillTest.descendants(child)
        return found


class InterruptTest(LifeCase):
    def check_interrupts(self, command, count):
        lab = self.lab("stop")
        interrupted = 0
        for number in (signal.SIGINT, signal.SIGTERM):
            for delay in self.moments(lab, command, count):
                with self.subTest(signal=number.name, seconds=round(delay, 3)):
                    process = self.start(lab, command)
                    time.sleep(delay)  # the moment, not a wait
                    os.killpg(process.pid, number)
                    out, err = process.communicate(timeout=20)
                    if process.returncode == 0:  # it was done already
                        self.assertEqual(command == "up", bool(labs.traces_of(lab.name)), out)
                        self.down(lab)
                        continue
                    interrupted += 1
                    # Before it has made anything the signal just ends it.
                    self.assertIn(process.returncode, (128 + number, -number), out + err)
                    if process.returncode > 0:
                        self.assertIn("nterrupted", out + err)
                    self.assertEqual(labs.traces_of(lab.name), [])
        self.assertGreater(interrupted, count)

    def test_ctrl_c_and_sigterm_during_lab_up(self):
        self.check_interrupts("up", 4)

    def test_ctrl_c_and_sigterm_during_the_demo(self):
        self.check_interrupts("demo", 3)

    def test_impatience_does_not_stop_the_cleaning_up(self):
        lab = self.lab("twice")
        process = self.start(lab, "demo")
        labs.wait_for(lambda: lab.hosts["host-b"].socket_path.exists(), "an agent runs")
        while process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.01)  # a key held down
        process.communicate()
        self.assertEqual(process.returncode, 128 + signal.SIGINT)
        self.assertEqual(labs.traces_of(lab.name), [])

    def test_interrupted_demo_is_removed_even_if_told_to_keep(self):
        lab = self.lab("keep")
        process = subprocess.Popen([LEMAN, "demo", "--keep", "--file", lab.path],
                                   stdout=subprocess.DEVNULL)
        labs.wait_for(lambda: lab.hosts["host-b"].socket_path.exists(), "an agent runs")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(20), 128 + signal.SIGINT)
        self.assertEqual(labs.traces_of(lab.name), [])


if __name__ == "__main__":
    labs.main("pgrep")
