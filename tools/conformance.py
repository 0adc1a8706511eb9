#!/usr/bin/env python3
"""Makes docs/spec/conformance.md: what the RFCs ask, the tests that show it, and their results.

  tools/conformance.py [--check] [BUILD_DIR]

The rows are those of tests/conformance/rows.tsv. Which row a test proves is said at the test:

  C++               row IDs in the comment right above TEST, TEST_F or TEST_P
  packet tables     `ids` of a case
  Python            a paragraph "Proves: IDs" in the docstring of a test

E-4.2-01..16 stands for sixteen rows. The results are those of the last run of tools/test.sh on
BUILD_DIR (build/release). Tells every claim that no passed test stands behind, and with --check also
when the page is not the one that the tests make now; exit status 1 then.
"""
import argparse
import ast
import collections
import dataclasses
import difflib
import itertools
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as xml

ROWS = "tests/conformance/rows.tsv"
PAGE = "docs/spec/conformance.md"
CPP_TESTS = ("geneve/src", "src", "tests/packet")
PYTHON_TESTS = ("tests/e2e", "tests/scale")
STATES = ("built", "deviates", "codec", "not built", "not ours")
# What a row may come to, in the order of the columns of the summary.
OUTCOMES = {
    "proven": "built, and a test shows it",
    "codec only": "libgeneve does it, the datapath does not",
    "deviates": "done otherwise on purpose; tests named there show what is done instead",
    "no test": "built, but no test shows it",
    "FAILING": "a test that should show it failed or did not run",
    "not built": "",
    "not ours": "no duty of a tunnel endpoint, or left to the operator, the kernel or the device",
}
ROW_ID = re.compile(r"\b(?!CH-)([A-Z]+\d*(?:-[\dX][\d.]*)?-)(\d{2})(?:\.\.(\d{2}))?\b")
CPP_TEST = re.compile(r"TEST(?:_F|_P)?\((\w+), (\w+)\)")
CPP_TABLE = re.compile(r'INSTANTIATE_TEST_SUITE_P\(\w+, (\w+),\s*testing::ValuesIn\('
                       r'LoadCases\("(\w+)"\)\)')
SHOWN_TESTS = 2  # of one file, in one row


class Fault(Exception):
    """Something that must be there to make the page is not, or is wrong."""


@dataclasses.dataclass(frozen=True)
class Row:
    chapter: str
    id: str
    section: str
    who: str
    level: str
    state: str
    requirement: str
    note: str


@dataclasses.dataclass(frozen=True)
class Claim:
    row: str
    file: str   # of the test, as the page links to it
    label: str  # the test's name there
    key: str    # under which its results are found


def read_rows(path):
    rows, chapter = {}, ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        where = f"{ROWS}:{number}"
        if line.startswith("#"):
            title = re.fullmatch(r"# ([A-Z]\. .+)", line)
            chapter = title.group(1) if title else chapter
            continue
        fields = line.split("\t")
        if len(fields) != 7 or not chapter:
            raise Fault(f"{where}: {len(fields)} columns under chapter {chapter!r}; seven under one")
        row = Row(chapter, *fields)
        if row.state not in STATES:
            raise Fault(f"{where}: state {row.state!r}; one of {', '.join(STATES)}")
        if (row.state != "built") and not row.note:
            raise Fault(f"{where}: {row.id} is {row.state!r} without a note; say why")
        if row.id in rows:
            raise Fault(f"{where}: {row.id} is there already")
        rows[row.id] = row
    return rows


def row_ids(text):
    """Row IDs in a text, ranges spelled out."""
    for start, first, last in ROW_ID.findall(text):
        for number in range(int(first), int(last or first) + 1):
            yield f"{start}{number:02}"


def cpp_claims(root, path):
    file = path.relative_to(root).as_posix()
    comment = []
    for line in path.read_text(encoding="utf-8").splitlines():
        test = CPP_TEST.match(line)
        if test:
            for row in row_ids(" ".join(comment)):
                yield Claim(row, file, test.group(2), f"{test.group(1)}.{test.group(2)}")
        comment = [*comment, line] if line.startswith("//") else []


def table_claims(root, build):
    for path in sorted((root / "tests/packet").glob("*_test.cc")):
        for suite, table in CPP_TABLE.findall(path.read_text(encoding="utf-8")):
            made = build / f"tests/packet/{table}.json"
            if not made.exists():
                raise Fault(f"{made} is not there; build first")
            for case in json.loads(made.read_text(encoding="ascii")):
                for row in row_ids(case.get("ids", "")):
                    yield Claim(row, f"tests/packet/{table}_table.py", case["name"],
                                f"{suite}/{case['name']}")


def python_claims(root, path):
    file = path.relative_to(root).as_posix()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            for said in re.findall(r"(?m)^Proves: (.*(?:\n.+)*)", ast.get_docstring(node) or ""):
                for row in row_ids(said):
                    yield Claim(row, file, node.name, f"{path.stem}.{node.name}")


def read_claims(root, build):
    claims = list(table_claims(root, build))
    for directory in CPP_TESTS:
        for path in sorted((root / directory).rglob("*_test.cc")):
            claims += cpp_claims(root, path)
    for directory in PYTHON_TESTS:
        for path in sorted((root / directory).glob("*_test.py")):
            claims += python_claims(root, path)
    return list(dict.fromkeys(claims))


def result_keys(name):
    """Under which names claims look for the result of one test case."""
    cpp = re.fullmatch(r"(?:\w+/)?(\w+)\.(\w+)(?:/(\w+))?", name)
    if cpp:
        suite, test, parameter = cpp.groups()
        return [f"{suite}.{test}", *([f"{suite}/{parameter}"] if parameter else [])]
    python = re.fullmatch(r"(\w+)\.\w+\.(\w+)", name)
    return [".".join(python.groups())] if python else []


def read_results(build):
    """Key → outcomes of all cases under it: passed, skipped, failed."""
    results = collections.defaultdict(set)
    for path in sorted((build / "test-results").rglob("*.xml")):
        for case in xml.parse(path).getroot().iter("testcase"):
            name = case.get("name").split("  # ")[0]  # ctest adds the parameter
            if not case.get("classname").startswith(name):
                name = f"{case.get('classname')}.{name}"
            if case.find("failure") is not None or case.get("status") == "fail":
                outcome = "failed"
            elif (case.find("skipped") is not None or case.get("result") == "skipped"
                  or case.get("status") in ("notrun", "disabled")):
                outcome = "was skipped"
            else:
                outcome = "passed"
            for key in result_keys(name):
                results[key].add(outcome)
    if not results:
        raise Fault(f"no results under {build}/test-results; run tools/test.sh first")
    return results


def outcome_of(claim, results):
    outcomes = results.get(claim.key, {"did not run"})
    return next((bad for bad in ("failed", "was skipped", "did not run") if bad in outcomes), "passed")


def faulty_claims(rows, claims, results):
    """One sentence for each claim that does not hold."""
    for claim in claims:
        who = f"{claim.file}: {claim.label} proves {claim.row}"
        row = rows.get(claim.row)
        outcome = outcome_of(claim, results)
        if row is None:
            yield f"{who}, which is no row of {ROWS}"
        elif row.state.startswith("not "):
            yield f"{who}, which is {row.state!r} in {ROWS}; correct one of the two"
        elif outcome != "passed":
            yield f"{who}, but {outcome}"


def outcome_of_row(row, claims, results):
    if row.state.startswith("not "):
        return row.state
    if any(outcome_of(claim, results) != "passed" for claim in claims):
        return "FAILING"
    if row.state == "deviates":
        return "deviates"
    if not claims:
        return "no test"
    return "proven" if row.state == "built" else "codec only"


def proof(claims):
    """The tests of a row, by file."""
    parts = []
    for file, group in itertools.groupby(sorted(claims, key=lambda one: one.file),
                                         key=lambda one: one.file):
        labels = list(dict.fromkeys(claim.label for claim in group))
        more = " …" if len(labels) > SHOWN_TESTS else ""
        parts.append(f"[{pathlib.PurePath(file).name}](../../{file}) "
                     f"{', '.join(labels[:SHOWN_TESTS])}{more}")
    return "; ".join(parts)


def table(header, lines):
    return ["| " + " | ".join(line) + " |"
            for line in (header, ["---"] * len(header), *lines)]


def make_page(rows, claims, results):
    by_row = collections.defaultdict(list)
    for claim in claims:
        by_row[claim.row].append(claim)
    outcomes = {row.id: outcome_of_row(row, by_row[row.id], results) for row in rows.values()}
    chapters = list(dict.fromkeys(row.chapter for row in rows.values()))
    counts = {chapter: collections.Counter(outcomes[row.id] for row in rows.values()
                                           if row.chapter == chapter) for chapter in chapters}
    counts["All"] = sum(counts.values(), collections.Counter())
    shown = [name for name in OUTCOMES if name != "FAILING" or counts["All"][name]]
    page = [
        "# Conformance", "",
        f"What RFC 8926 and the RFCs around it ask, one row each, and the tests that show it. Made by "
        f"`tools/conformance.py` of [rows.tsv](../../{ROWS}), of what the tests say they prove and of "
        "their results; `tools/test.sh` fails when it is not what the tests show. WHO: enc and dec are "
        "the two ends of a tunnel, cp is what configures them, op who runs them. LEVEL: words of RFC "
        "2119 in upper case; in lower case the same word without that force, or none of them.", "",
        *table(["result", "meaning"], [[name, OUTCOMES[name]] for name in shown if OUTCOMES[name]]), "",
        *table(["chapter", *shown, "rows"],
               [[chapter, *(str(count[name]) for name in shown), str(sum(count.values()))]
                for chapter, count in counts.items()])]
    for chapter in chapters:
        lines = []
        for row in (row for row in rows.values() if row.chapter == chapter):
            outcome = outcomes[row.id]
            loud = f"**{outcome}**" if outcome in ("no test", "FAILING") else outcome
            shows = "; ".join(filter(None, (row.note, proof(by_row[row.id]))))
            lines.append([row.id, row.section, row.who, row.level, row.requirement, loud, shows])
        page += ["", f"## {chapter}", "",
                 *table(["row", "section", "who", "level", "requirement", "result", "shown by, or why"],
                        lines)]
    return "\n".join(page) + "\n", counts["All"]


def differences(old, new):
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), PAGE, "what the tests show",
                                      n=0, lineterm=""))
    most = 40
    return lines[:most] + ([f"… and {len(lines) - most} lines more"] if len(lines) > most else [])


def run(root, build, check):
    """Sentences about what is wrong, and the summary."""
    rows = read_rows(root / ROWS)
    claims = read_claims(root, build)
    results = read_results(build)
    faults = list(faulty_claims(rows, claims, results))
    page, counts = make_page(rows, claims, results)
    path = root / PAGE
    if not check:
        path.write_text(page, encoding="utf-8")
    elif not path.exists() or path.read_text(encoding="utf-8") != page:
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        faults += [*differences(old, page),
                   f"{PAGE} is not what the tests show; run tools/conformance.py and look at the change"]
    return faults, ", ".join(f"{counts[name]} {name}" for name in OUTCOMES if counts[name])


def main(words):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--check", action="store_true", help=f"do not write {PAGE}, compare it")
    parser.add_argument("build", nargs="?", default="build/release", type=pathlib.Path)
    args = parser.parse_args(words)
    try:
        faults, summary = run(pathlib.Path(__file__).resolve().parent.parent, args.build, args.check)
    except Fault as fault:
        faults, summary = [str(fault)], ""
    for fault in faults:
        print(fault)
    if summary:
        print(f"conformance: {summary}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
