#!/usr/bin/env python3
"""Sums up JUnit files of ctest: one line a label, every skip with its reason, then the totals.

The last line is `N passed, N failed, N skipped`. Exit status 1 when a test failed or none ran.
"""
import collections
import pathlib
import re
import sys
import xml.etree.ElementTree as xml


def skip_reason(case):
    """The reason as googletest or a script printed it; ctest itself only knows that it skipped."""
    text = case.findtext("system-out") or ""
    found = re.search(r": Skipped\n+(.+)", text) or re.search(r"(?im)^\s*skip(?:ped)?:\s*(.+)", text)
    if found:
        return found.group(1).strip()
    skipped = case.find("skipped")
    return (skipped.get("message") if skipped is not None else "") or "no reason given"


def main(paths):
    total = collections.Counter()
    failures = []
    skips = []
    for path in map(pathlib.Path, paths):
        counts = collections.Counter()
        for case in xml.parse(path).getroot().iter("testcase"):
            status = case.get("status")
            if case.find("skipped") is not None or status in ("notrun", "disabled"):
                kind = "skipped"
                skips.append((case.get("name"), skip_reason(case)))
            elif case.find("failure") is not None or status == "fail":
                kind = "failed"
                failures.append(f"{path.stem}: {case.get('name')}")
            else:
                kind = "passed"
            counts[kind] += 1
        print(f"{path.stem:10} {counts['passed']} passed, {counts['failed']} failed, "
              f"{counts['skipped']} skipped")
        total += counts
    for name, reason in skips:
        print(f"skipped: {name}: {reason}")
    for name in failures:
        print(f"FAILED: {name}")
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 0 if total["passed"] > 0 and total["failed"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
