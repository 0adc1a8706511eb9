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


def python(name, *words):
    return [sys.executable, "-B", TESTS / "e2e" / f"{name}_test.py", *words]


# Name of a suite → its programs; seconds it may take.
SUITES = {
    "peers": (240, [python("linux_geneve")]),
}


def inside(name):
    """In the guest: every program to its end, also after one that failed."""
    failed = 0
    for command in SUITES[name][1]:
        title = " ".join(pathlib.Path(word).stem if "/" in str(word) else word
                         for word in command if word not in (sys.executable, "-B"))
        started = time.monotonic()
        status = subprocess.run(list(map(str, command)), check=False,
                                stdin=subprocess.DEVNULL).returncode
        failed += status != 0
        print(f"== {title}: {'ok' if status == 0 else f'FAILED (exit status {status})'}, "
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
    with tempfile.TemporaryDirectory(prefix="leman-guest-") as out:
        return subprocess.run(
            [HERE / "run", "--timeout", str(SUITES[name][0]), "--out", out,
             sys.executable, "-B", __file__, "--inside", name],
            check=False, env={**os.environ, "LEMAN_BUILD": str(BUILD)}).returncode


if __name__ == "__main__":
    sys.exit(inside(sys.argv[2]) if sys.argv[1] == "--inside" else outside(sys.argv[1]))
