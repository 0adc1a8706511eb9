#!/usr/bin/env python3
"""Tests under Debian's 6.1 kernel, many in one boot of the guest: suite.py NAME (see SUITES).

What the programs print comes out as it is, one line a case; each ends with a line of its own. Exit
status 77 with the reason where there is no guest; tools/setup.sh qemu brings it.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parent
BUILD = pathlib.Path(os.environ.get("LEMAN_BUILD", TESTS.parent / "build/release"))
SKIPPED = 77
CPUS = 2


def e2e(name, *words):
    return [sys.executable, "-B", TESTS / f"e2e/{name}_test.py", *words]


def googletest(name, shards=1):
    """With more than one shard they run side by side."""
    command = [BUILD / f"tests/packet/{name}", "--gtest_brief=1"]
    return [["env", f"GTEST_TOTAL_SHARDS={shards}", f"GTEST_SHARD_INDEX={index}", *command]
            for index in range(shards)]


# Name of a suite → what it runs one after the other; a list of commands: side by side.
SUITES = {
    # Tunnel endpoints that need a kernel that has them.
    "peers": [
        [e2e("linux_geneve")],
        [e2e("ovs", "--kernel")],
    ],
    # Leman's own tests, of those what depends most on the kernel. Left out as too slow without KVM: all
    # that starts agents hundreds of times (agent_restart, agent_upgrade, agent_detach, state_file) or
    # measures a rate (flood, garbage, bench); qemu, which would be a machine in a machine. And tshark's
    # word on a capture (wire): on so slow a machine TCP sends again, which tshark remarks upon.
    "kernel": [
        googletest("verifier_test"),
        googletest("packet_test", shards=CPUS),
        [e2e("offload")],
        [e2e("tap")],
        [e2e("wire", "-k", "*OverIpv4WithChecksum.test_[dfs]*")],
        [e2e("reachability", "OverIpv4WithOptions", "OverIpv6")],
        [e2e("counters")],
        [e2e("agent_faults", "FaultsTest.test_port_taken_by_a_tunnel_device")],
    ],
}
SECONDS = 540  # for one suite, however slow the machine is


def title(commands):
    words = [pathlib.Path(word).stem if "/" in str(word) else word for word in commands[0]
             if word not in ("env", sys.executable) and not str(word).startswith(("-", "GTEST"))]
    return " ".join(words)


def inside(name):
    """In the guest: everything, also after something failed."""
    failed = 0
    for commands in SUITES[name]:
        started = time.monotonic()
        running = [subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL)
                   for command in commands]
        bad = [status for status in [process.wait() for process in running] if status != 0]
        failed += bool(bad)
        print(f"== {title(commands)}: {f'FAILED (exit status {bad[0]})' if bad else 'ok'}, "
              f"{time.monotonic() - started:.0f} s", flush=True)
    return 1 if failed else 0


def why_not():
    """What is missing for a guest; None: nothing."""
    if os.geteuid() != 0:
        return "the guest's commands read files that are root's, and run as root"
    if shutil.which("qemu-system-x86_64") is None:
        return "no qemu-system-x86_64; tools/setup.sh qemu installs it"
    guest = pathlib.Path(os.environ.get("LEMAN_GUEST_DIR", TESTS.parent / "build/guest"))
    if not (guest / "modules/modules.dep").exists():
        return f"no kernel in {guest}; tools/setup.sh qemu brings it"
    return None


def outside(name):
    reason = why_not()
    if reason:
        print(f"skipped: {reason}")
        return SKIPPED
    environment = {**os.environ, "LEMAN_BUILD": str(BUILD)}
    with tempfile.TemporaryDirectory(prefix="leman-guest-") as out:
        status = subprocess.run(
            [HERE / "run", "--cpus", str(CPUS), "--timeout", str(SECONDS), "--out", out,
             sys.executable, "-B", __file__, "--inside", name],
            check=False, env=environment).returncode
        captures = sorted(pathlib.Path(out).glob("*.pcap"))
        if captures:  # of tunnels with other endpoints, for decoders that would be slow in there
            status = subprocess.run([sys.executable, "-B", TESTS / "e2e/peers.py", *captures],
                                    check=False, env=environment).returncode or status
        return status


if __name__ == "__main__":
    sys.exit(inside(sys.argv[2]) if sys.argv[1] == "--inside" else outside(sys.argv[1]))
