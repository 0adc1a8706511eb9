#!/usr/bin/env python3
"""clang-tidy-19 over the project, in parallel: tools/tidy.py [--quick] [BUILD_DIR] [PATH_PREFIX]...

A file whose text, headers, compiler flags and .clang-tidy are as in a clean run before is skipped;
the memory of clean runs is BUILD_DIR/tidy-clean/. Without it (in CI) everything is checked.

--quick leaves out the analyzer and one check that looks into every template of every header: the
checks that cost more than all others together.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TIDY = "clang-tidy-19"
COSTLY = "clang-analyzer-*,performance-unnecessary-value-param"
# The analyzer gives up on a function after so many states. Its default, 225000, takes three times as
# long over this project and finds the same.
STATES = "max-nodes=50000"


def headers_by_object(build):
    """Object file -> the files it was made from, as ninja learnt it from the compiler."""
    listing = subprocess.run(["ninja", "-C", build, "-t", "deps"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
    result, current = {}, None
    for line in listing.splitlines():
        if line.startswith("    ") and current is not None:
            current.append(line.strip())
        elif match := re.match(r"(\S+): #deps", line):
            current = result.setdefault(match.group(1), [])
        else:
            current = None
    return result


class Digests:
    """Digest of each file, read once."""

    def __init__(self, build):
        self.build = build
        self.known = {}

    def of(self, name):
        if name not in self.known:
            path = self.build / name
            self.known[name] = hashlib.sha256(path.read_bytes() if path.exists() else b"").digest()
        return self.known[name]


def arguments(quick):
    if quick:
        return ["--checks=" + ",".join("-" + check for check in COSTLY.split(","))]
    return [f"--extra-arg={word}" for word in ("-Xclang", "-analyzer-config", "-Xclang", STATES)]


def main(argv):
    quick = "--quick" in argv
    argv = [word for word in argv if word != "--quick"]
    build = (ROOT / (argv[0] if argv else "build/release")).resolve()
    prefixes = tuple(argv[1:]) or ("geneve/", "src/", "tests/")
    if not (build / "compile_commands.json").exists():
        print(f"clang-tidy: nothing is built in {build}; run: make build", file=sys.stderr)
        return 1
    clean = build / "tidy-clean"
    clean.mkdir(exist_ok=True)
    deps = headers_by_object(build)
    digests = Digests(build)
    config = b"".join(path.read_bytes() for path in sorted(ROOT.glob("**/.clang-tidy"))
                      if "build" not in path.parts)
    todo = []
    for entry in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        path = pathlib.Path(entry["file"])
        if build in path.parents or ROOT not in path.parents:
            continue
        name = str(path.relative_to(ROOT))
        if not name.startswith(prefixes) or path.suffix not in (".cc", ".cpp"):
            continue
        digest = hashlib.sha256(config + entry["command"].encode())
        # CMake 3.25 does not tell "output".
        made_from = deps.get(re.search(r" -o (\S+)", entry["command"])[1])
        for part in [str(path), *(made_from or [])]:
            digest.update(digests.of(part))
        # Not compiled yet: its headers are unknown, so a clean run must not be remembered.
        stamps = [clean / f"{digest.hexdigest()}-{kind}" for kind in ("full", "quick")]
        if not made_from or not any(stamp.exists() for stamp in stamps[:1 + quick]):
            todo.append((name, stamps[quick] if made_from else None))

    def check(item):
        name, stamp = item
        started = time.monotonic()
        run = subprocess.run(
            [TIDY, "-p", str(build), "--quiet", "--extra-arg=-Wno-unknown-warning-option",
             # libstdc++ 12 uses its own deprecated functions, in templates that our code instantiates.
             "--extra-arg=-Wno-deprecated-declarations",
             *arguments(quick), name],
            cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if run.returncode == 0 and stamp is not None:
            stamp.write_text(name)
        return name, run.returncode, run.stdout, time.monotonic() - started

    failed, slowest, begun = 0, (0.0, ""), time.monotonic()
    # The long ones first, so that no core is left waiting for one at the end.
    todo.sort(key=lambda item: -(ROOT / item[0]).stat().st_size)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, status, output, seconds in pool.map(check, todo):
            slowest = max(slowest, (seconds, name))
            if status != 0:
                failed += 1
                lines = [line for line in output.splitlines()
                         if not re.match(r"\d+ warnings? (generated|treated)|Suppressed |Use -", line)]
                print("\n".join(lines))
    if todo:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(f"clang-tidy{' --quick' if quick else ''}: {len(todo)} files checked, {failed} with "
              f"findings, {time.monotonic() - begun:.0f} s ({used.ru_utime + used.ru_stime:.0f} s of "
              f"processor time), slowest {slowest[1]} {slowest[0]:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
