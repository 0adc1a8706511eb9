#!/usr/bin/env python3
"""A kernel that lacks something, or refuses it to this process: one clear sentence, exit status 1, and
all as it was: nothing left on a fresh host, nothing taken from one whose datapath forwards."""
import errno
import os
import pathlib
import signal
import subprocess
import unittest

import lab as labs
import refusal
import traffic

BPF_LOOP, BPF_REDIRECT_NEIGH = 181, 152
GUEST_RUN = labs.ROOT / "tests/guest/run"


def is_bpf(call, command=None, name=None):
    return call.name == "bpf" and (command is None or call.command == command) and \
        (name is None or call.object_name() == name)


def no_helper(number):
    """As a kernel answers that has no such helper."""
    def decide(call):
        if not (call.name == "bpf" and call.calls_helper(number)):
            return 0
        call.say(f"invalid func unknown#{number}\n")
        return errno.EINVAL
    return decide


def verifier_refuses(name):
    def decide(call):
        if not is_bpf(call, refusal.PROG_LOAD, name):
            return 0
        call.say("42: (85) call bpf_skb_adjust_room#50\nR1 type=scalar expected=ctx\n"
                 "processed 43 insns (limit 1000000) max_states_per_insn 0\n")
        return errno.EACCES
    return decide


def refuse(number, command=None, name=None):
    return lambda call: number if is_bpf(call, command, name) else 0


# What the kernel does, then words that must stand in the sentence.
REFUSALS = {
    "bpf() not permitted": (refuse(errno.EPERM), ["refuses bpf()", "seccomp", "allow it"]),
    "no bpf()": (refuse(errno.ENOSYS), ["no bpf()", "CONFIG_BPF_SYSCALL"]),
    "no tc programs": (refuse(errno.EINVAL, refusal.PROG_LOAD),
                       ["no tc programs", "CONFIG_NET_CLS_BPF"]),
    "no bpf_loop()": (no_helper(BPF_LOOP), ["lacks bpf_loop()", "Linux 6.1 or newer"]),
    "no bpf_redirect_neigh()": (no_helper(BPF_REDIRECT_NEIGH),
                                ["lacks bpf_redirect_neigh()", "Linux 6.1 or newer"]),
    "the first program refused": (verifier_refuses("port_rx"),
                                  ["program port_rx", "R1 type=scalar expected=ctx"]),
    "the second program refused": (verifier_refuses("underlay_rx"),
                                   ["program underlay_rx", "R1 type=scalar expected=ctx"]),
    "pins not permitted": (refuse(errno.EPERM, refusal.OBJ_PIN), ["cannot pin"]),
}
# Only on a fresh host: where maps are pinned none is made.
FRESH_REFUSALS = {
    "no memory for a map": (refuse(errno.ENOMEM, refusal.MAP_CREATE, "lm_ports"),
                            ["map lm_ports", "a smaller --max-ports may do", "memory"]),
    "a map type not known": (refuse(errno.EINVAL, refusal.MAP_CREATE, "lm_opt_stats"),
                             ["map lm_opt_stats", "Invalid argument"]),
}


class KernelTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = labs.two_hosts("kern", inner=(4,)).up()
        cls.addClassCleanup(cls.lab.down)
        cls.host = cls.lab.hosts["host-a"]

    def sentence(self, done):
        """The one line that is no log line."""
        self.assertEqual(done.returncode, 1, done.stderr)
        lines = [line for line in done.stderr.splitlines() if line.startswith("leman-agent: ")]
        self.assertEqual(len(lines), 1, done.stderr)
        return lines[0].removeprefix("leman-agent: ")

    def check(self, cases, after=lambda: None):
        before = self.host.surroundings()
        for what, (decide, words) in cases.items():
            with self.subTest(what):
                said = self.sentence(refusal.run(self.host.agent_command(), decide))
                for word in words:
                    self.assertIn(word, said)
                self.assertEqual(self.host.surroundings(), before)
                after()

    def test_a_fresh_host_stays_fresh(self):
        self.host.kill(signal.SIGTERM)
        self.addCleanup(self.host.start)
        self.host.detach()
        self.check(REFUSALS | FRESH_REFUSALS)

    def test_a_forwarding_host_goes_on(self):
        self.host.kill(signal.SIGTERM)
        self.addCleanup(self.host.start)
        target = self.lab.address("vm-2", 4)
        self.check(REFUSALS, lambda: traffic.ping(self.lab, "vm-1", target, count=1))

    def test_no_bpffs_can_be_mounted(self):
        self.host.kill(signal.SIGTERM)
        self.addCleanup(self.host.start)
        self.host.detach()
        before = self.host.surroundings()
        root = pathlib.Path("/tmp/leman-e2e-pins")
        command = [root if word == str(self.host.pin_root) else word
                   for word in self.host.agent_command()]
        for number, words in ((errno.EPERM, ["--pin-root"]), (errno.ENODEV, ["CONFIG_BPF"])):
            done = refusal.run(command, lambda call, number=number:
                               number if call.name == "mount" else 0)
            said = self.sentence(done)
            for word in [f"cannot mount a bpffs on {root}", *words]:
                self.assertIn(word, said)
            self.assertEqual(self.host.surroundings(), before)
            self.assertFalse(root.exists())

    def test_our_own_bpffs_comes_and_goes_another_stays(self):
        self.host.kill(signal.SIGTERM)
        self.addCleanup(self.host.start)
        self.host.detach()
        root = pathlib.Path("/tmp/leman-e2e-bpffs")
        for ours in (True, False):
            with self.subTest(ours=ours):
                if not ours:
                    root.mkdir()
                    labs.run(["mount", "-t", "bpf", "bpf", root])
                usual, self.host.pin_root = self.host.pin_root, root
                try:
                    self.host.start()
                    self.assertTrue(os.path.ismount(root))
                    self.host.detach()
                finally:
                    self.host.pin_root = usual
                self.assertEqual(os.path.ismount(root), not ours)
        labs.run(["umount", root])
        root.rmdir()

    def test_too_old(self):
        self.host.kill(signal.SIGTERM)
        self.addCleanup(self.host.start)
        before = self.host.surroundings()
        # The personality of programs that cannot read "3.0" makes 2.6.60 of 6.x.
        done = labs.run(["setarch", "--uname-2.6", *self.host.agent_command()], check=False)
        self.assertRegex(self.sentence(done), r"kernel 2\.6\.\S+ is too old; .*Linux 6\.1")
        self.assertEqual(self.host.surroundings(), before)

    def test_a_capability_that_is_missing_is_named(self):
        before = self.host.surroundings()
        for name in ("net_admin", "sys_admin"):
            done = self.host.run("setpriv", f"--bounding-set=-{name}", labs.AGENT, "--state",
                                 self.host.state_path, "--run-dir", "/tmp/leman-e2e-caps",
                                 check=False)
            self.assertRegex(self.sentence(done), rf"^CAP_{name.upper()} missing.*as root")
            detach = self.host.run("setpriv", f"--bounding-set=-{name}", labs.AGENT, "--detach",
                                   "--run-dir", self.host.run_dir, "--pin-root",
                                   self.host.pin_root, check=False)
            self.assertRegex(self.sentence(detach), rf"^CAP_{name.upper()} missing")
        self.assertFalse(os.path.exists("/tmp/leman-e2e-caps"))
        self.assertEqual(self.host.surroundings(), before)
        self.assertEqual(self.host.status()["state"], "ready")


class ModulesTest(unittest.TestCase):
    """Debian's kernel has what it needs as modules: without one the feature is not there. In a guest,
    because here they may be built in, and are in use."""

    def test_in_a_guest(self):
        done = labs.run([GUEST_RUN, "/usr/bin/python3", "-B", __file__, "--inside"], check=False,
                        timeout=240)
        if done.returncode == 125:
            self.skipTest(done.stderr.strip())
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


def inside_the_guest():
    """A host whose kernel loads no module by itself: veth missing, then the scheduler."""
    run_dir = pathlib.Path("/run/leman-e2e")
    state = pathlib.Path("/tmp/state.yaml")
    pathlib.Path("/proc/sys/kernel/modprobe").write_text("/bin/false")
    labs.run(["ip", "link", "add", "eth0", "type", "bridge"], check=False)
    if not pathlib.Path("/sys/class/net/eth0").exists():
        load("dummy")
        labs.run(["ip", "link", "add", "eth0", "type", "dummy"])
    labs.run(["ip", "address", "add", "192.168.1.101/24", "dev", "eth0"])
    labs.run(["ip", "link", "set", "eth0", "up"])
    state.write_text("host: host-a\nunderlay: { device: eth0, addresses: [192.168.1.101] }\n"
                     "networks: [{ name: blue, vni: 1 }]\n")
    agent = [labs.AGENT, "--state", state, "--run-dir", run_dir, "--metrics-address", "off"]

    done = labs.run(agent, check=False, timeout=120)
    print(done.stderr)
    assert done.returncode == 1 and "CONFIG_VETH" in done.stderr, done
    assert not pathlib.Path("/sys/fs/bpf/leman").exists()

    load("veth")
    for missing, module in (("CONFIG_NET_SCH_INGRESS", "sch_ingress"),
                            ("CONFIG_NET_CLS_BPF", "cls_bpf"), (None, None)):
        with subprocess.Popen([str(word) for word in agent], stderr=subprocess.DEVNULL) as process:
            def answer():
                said = labs.run([labs.LEMAN, "status", "--socket", run_dir / "agent.sock"],
                                check=False).stdout
                return said if "ready" in said else None
            try:
                said = labs.wait_for(answer, "the agent answers", 60)
            finally:
                process.terminate()
        print(said)
        assert (missing or "") in said and ("degraded" in said) == (missing is not None), said
        if module:
            load(module)
    labs.run([labs.AGENT, "--detach", "--run-dir", run_dir])
    assert "bpf" not in labs.run(["tc", "filter", "show", "dev", "eth0", "ingress"],
                                 check=False).stdout
    assert "clsact" not in labs.run(["tc", "qdisc", "show"]).stdout
    assert not pathlib.Path("/sys/fs/bpf/leman").exists()
    assert not run_dir.exists()


def load(module):
    labs.run([os.environ["MODPROBE"], module])


if __name__ == "__main__":
    import sys
    if sys.argv[1:] == ["--inside"]:
        inside_the_guest()
    else:
        labs.main("setpriv", "setarch")
