#!/usr/bin/env python3
"""Holds the dependency directions of the source tree: which directory may include which.

geneve <- base <- model <- {store, dataplane, netlink} <- {controller, agent}; cli, cni and lab see
api, base and geneve only. Prints `FILE:LINE: rule` for every breach; exit status 1 if there is one.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOW = {"geneve", "base"}
# Directory -> what it may include besides itself. "api" stands for the generated headers.
ALLOWED = {
    "geneve": set(),
    "base": {"geneve"},
    "model": LOW,
    "store": LOW | {"model"},
    "dataplane": LOW | {"model", "bpf"},
    "netlink": LOW | {"model"},
    "controller": LOW | {"model", "store", "api"},
    "agent": LOW | {"model", "dataplane", "netlink", "api"},
    "cli": LOW | {"api"},
    "cni": LOW | {"api"},
    "lab": LOW | {"api"},
}
# cli/ is also the composition root of the `leman` binary: it registers the lab's commands.
EXCEPTIONS = {("cli", "lab/commands.h")}
SUFFIXES = {".h", ".cc", ".c", ".cpp"}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def owner(header):
    """Which directory a header belongs to, None for the system's."""
    if header == "leman/abi.h" or header.endswith(".skel.h"):
        return "bpf"
    if header.startswith("leman/v"):
        return "api"
    first = header.split("/")[0]
    return first if "/" in header and first in ALLOWED else None


def breaches(path, directory):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        header = found.group(1)
        used = owner(header)
        if directory == "bpf":
            if used in ALLOWED or "../src" in header:
                yield number, f"bpf/ includes nothing of the C++ tree, but {header}"
        elif header.startswith("../"):
            yield number, f"include {header} by its path from src/, not by ../"
        elif used and used != directory and used not in ALLOWED[directory]:
            if (directory, header) not in EXCEPTIONS:
                may = ", ".join(sorted(ALLOWED[directory])) or "nothing"
                yield number, f"{directory}/ may include {may}; not {header} of {used}/"


def main():
    count = 0
    roots = {"geneve": ROOT / "geneve", "bpf": ROOT / "bpf"}
    roots |= {path.name: path for path in sorted((ROOT / "src").iterdir()) if path.is_dir()}
    for directory, root in roots.items():
        if directory != "bpf" and directory not in ALLOWED:
            print(f"src/{directory}:1: a new directory under src/ needs an ADR and a line here")
            count += 1
            continue
        for path in sorted(root.rglob("*")):
            if path.suffix in SUFFIXES:
                for number, rule in breaches(path, directory):
                    print(f"{path.relative_to(ROOT)}:{number}: {rule}")
                    count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
