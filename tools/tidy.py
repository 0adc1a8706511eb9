#!/usr/bin/env python3
"""clang-tidy-19 over the project, in parallel: tools/tidy.py [BUILD_DIR] [PATH_PREFIX]...

A file whose text, headers, compiler flags and .clang-tidy are as in a clean run before is skipped;
the memory of clean runs is BUILD_DIR/tidy-clean/. Without it (in CI) everything is checked.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TIDY = "clang-tidy-19"


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


def main(argv):
    build = (ROOT / (argv[0] if argv else "build/release")).resolve()
    prefixes = tuple(argv[1:]) or ("geneve/", "src/", "tests/")
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
        made_from = deps.get(entry.get("output", ""))
        for part in [str(path), *(made_from or [])]:
            digest.update(digests.of(part))
        # Not compiled yet: its headers are unknown, so a clean run must not be remembered.
        stamp = clean / digest.hexdigest() if made_from else None
        if stamp is None or not stamp.exists():
            todo.append((name, stamp))

    def check(item):
        name, stamp = item
        started = time.monotonic()
        run = subprocess.run(
            [TIDY, "-p", str(build), "--quiet", "--extra-arg=-Wno-unknown-warning-option", name],
            cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if run.returncode == 0 and stamp is not None:
            stamp.write_text(name)
        return name, run.returncode, run.stdout, time.monotonic() - started

    failed, slowest = 0, (0.0, "")
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
        print(f"clang-tidy: {len(todo)} files checked, {failed} with findings, "
              f"slowest {slowest[1]} {slowest[0]:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
