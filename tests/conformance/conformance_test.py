#!/usr/bin/env python3
"""What tools/conformance.py makes of a small tree: rows, tests that claim them, results of a run."""
import json
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import conformance  # noqa: E402

ROWS = """# What stands before the first chapter is a comment.
# A. Headers
G-3.4-01\tRFC 8926 §3.4\tenc\tMUST\tbuilt\tVer is 0\t
G-3.4-02\tRFC 8926 §3.4\tdec\tMUST\tbuilt\tUnknown Ver → drop\t
# B. The rest
E-4.2-01\tRFC 6040 §4.2\tdec\tMUST\tcodec\tFirst of two\tno datapath
E-4.2-02\tRFC 6040 §4.2\tdec\tMUST\tbuilt\tSecond of two\t
G-3.3-12\tRFC 8926 §3.3\tenc\tSHOULD\tdeviates\tChecksum\tADR 4
B-4-06\tRFC 9521 §4\tenc\tMUST\tnot built\tO = 1\tno BFD yet
G-2.2.1-01\tRFC 8926 §2.2.1\ttransit\tMUST NOT\tnot ours\tHands off\ttransit
"""
CPP = """#include <gtest/gtest.h>

// G-3.4-01, CH-16: the version that is sent.
TEST(Header, VersionIsZero) {
}

// E-4.2-01..02: each of
// the rows.
TEST_P(Ecn, HasItsRow) {
}

// G-3.4-02: this comment belongs to nothing.

TEST(Header, SaysNothing) {
}
"""
TABLE_CPP = """INSTANTIATE_TEST_SUITE_P(Decap, DecapTable, testing::ValuesIn(LoadCases("decap")),
                         CaseName);
"""
PYTHON = '''class Mixin:
    def test_ping(self):
        """Both ways.

        Proves: G-3.4-02,
        G-3.3-12
        """

    def test_other(self):
        """Speaks of G-3.4-01."""
'''
UNIT_XML = """<testsuite>
<testcase name="Header.VersionIsZero" classname="Header.VersionIsZero" status="run"/>
<testcase name="All/Ecn.HasItsRow/E01  # GetParam() = E01" classname="All/Ecn.HasItsRow/E01  # GetParam() = E01" status="run"/>
<testcase name="All/Ecn.HasItsRow/E02  # GetParam() = E02" classname="All/Ecn.HasItsRow/E02  # GetParam() = E02" status="run"/>
<testcase name="geneve_corpus" classname="geneve_corpus" status="run"/>
</testsuite>"""
PACKET_XML = """<testsuites><testsuite name="Decap/DecapTable">
<testcase name="IsDelivered/version_1" classname="Decap/DecapTable" status="run" result="completed"/>
<testcase name="IsDelivered/other" classname="Decap/DecapTable" status="run" result="completed"/>
</testsuite></testsuites>"""
E2E_XML = """<testsuite>
<testcase name="test_ping" classname="ping_test.OverIpv4"/>
<testcase name="test_ping" classname="ping_test.OverIpv6"/>
</testsuite>"""
CASES = [{"name": "version_1", "ids": "G-3.4-02"}, {"name": "other"}]


class ConformanceTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)
        self.build = self.root / "build"
        for path, text in (("tests/conformance/rows.tsv", ROWS), ("geneve/src/header_test.cc", CPP),
                           ("tests/packet/decap_test.cc", TABLE_CPP), ("tests/e2e/ping_test.py", PYTHON),
                           ("build/tests/packet/decap.json", json.dumps(CASES)),
                           ("build/test-results/unit.xml", UNIT_XML),
                           ("build/test-results/cases/packet_decap.xml", PACKET_XML),
                           ("build/test-results/cases/ping_test.xml", E2E_XML)):
            self.write(path, text)
        (self.root / "docs/spec").mkdir(parents=True)

    def write(self, path, text):
        path = self.root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def change(self, path, old, new):
        text = (self.root / path).read_text(encoding="utf-8")
        self.assertIn(old, text)
        self.write(path, text.replace(old, new, 1))

    def make(self, check=False):
        return conformance.run(self.root, self.build, check)

    def line(self, row):
        """The cells of a row on the page."""
        page = (self.root / conformance.PAGE).read_text(encoding="utf-8")
        return next([cell.strip() for cell in line.strip("|").split("|")]
                    for line in page.splitlines() if line.startswith(f"| {row} "))

    def test_each_kind_of_claim_leads_to_its_test(self):
        faults, summary = self.make()
        self.assertEqual(faults, [])
        self.assertEqual(summary, "3 proven, 1 codec only, 1 deviates, 1 not built, 1 not ours")
        self.assertEqual(self.line("G-3.4-01")[-2:], [
            "proven", "[header_test.cc](../../geneve/src/header_test.cc) VersionIsZero"])
        self.assertEqual(self.line("G-3.4-02")[-2:], [
            "proven", "[ping_test.py](../../tests/e2e/ping_test.py) test_ping; "
            "[decap_table.py](../../tests/packet/decap_table.py) version_1"])
        self.assertEqual(self.line("E-4.2-01")[-2:], [
            "codec only", "no datapath; [header_test.cc](../../geneve/src/header_test.cc) HasItsRow"])
        self.assertEqual(self.line("E-4.2-02")[-2], "proven")
        self.assertEqual(self.line("G-3.3-12")[-2:], [
            "deviates", "ADR 4; [ping_test.py](../../tests/e2e/ping_test.py) test_ping"])
        self.assertEqual(self.line("B-4-06")[-2:], ["not built", "no BFD yet"])
        self.assertEqual(self.line("All")[1:], ["3", "1", "1", "0", "1", "1", "7"])
        self.assertEqual(self.make(check=True)[0], [])

    def test_a_row_without_a_test_is_shown_as_such(self):
        self.change("geneve/src/header_test.cc", "// G-3.4-01, CH-16: the", "// The")
        self.assertEqual(self.make()[0], [])
        self.assertEqual(self.line("G-3.4-01")[-2:], ["**no test**", ""])

    def assert_fault(self, words, row, check=False):
        self.make()
        faults, _ = self.make(check)
        self.assertEqual(len(faults), 1, faults)
        self.assertIn(words, faults[0])
        if row:
            self.assertEqual(self.line(row)[-2], "**FAILING**")

    def test_a_failed_test_proves_nothing(self):
        self.change("build/test-results/unit.xml", 'status="run"/>', 'status="fail"/>')
        self.assert_fault("geneve/src/header_test.cc: VersionIsZero proves G-3.4-01, but failed",
                          "G-3.4-01", check=True)

    def test_one_failed_parameter_is_enough(self):
        self.change("geneve/src/header_test.cc", "E-4.2-01..02", "E-4.2-02")
        self.change("build/test-results/unit.xml", 'GetParam() = E02" status="run"/>',
                    'GetParam() = E02" status="fail"/>')
        self.assert_fault("HasItsRow proves E-4.2-02, but failed", "E-4.2-02")

    def test_a_failed_case_of_a_table(self):
        self.change("build/test-results/cases/packet_decap.xml", 'completed"/>',
                    'completed"><failure message="x"/></testcase>')
        self.assert_fault("tests/packet/decap_table.py: version_1 proves G-3.4-02, but failed",
                          "G-3.4-02")

    def test_one_failed_class_is_enough(self):
        self.change("tests/e2e/ping_test.py", "G-3.4-02,", "")
        self.change("build/test-results/cases/ping_test.xml", 'OverIpv4"/>',
                    'OverIpv4"><failure/></testcase>')
        self.assert_fault("tests/e2e/ping_test.py: test_ping proves G-3.3-12, but failed", "G-3.3-12")

    def test_a_skipped_test_proves_nothing(self):
        self.change("build/test-results/unit.xml", 'status="run"/>',
                    'status="run"><skipped message="x"/></testcase>')
        self.assert_fault("VersionIsZero proves G-3.4-01, but was skipped", "G-3.4-01")

    def test_a_test_that_is_not_there_proves_nothing(self):
        self.change("build/test-results/unit.xml", '"Header.VersionIsZero"', '"Header.Renamed"')
        self.assert_fault("VersionIsZero proves G-3.4-01, but did not run", "G-3.4-01")

    def test_an_unknown_row_is_told(self):
        self.change("geneve/src/header_test.cc", "G-3.4-01", "G-3.4-01, G-3.4-99")
        self.assert_fault("VersionIsZero proves G-3.4-99, which is no row of "
                          "tests/conformance/rows.tsv", None)

    def test_what_is_not_built_cannot_be_proven(self):
        self.change("geneve/src/header_test.cc", "G-3.4-01", "G-3.4-01, B-4-06")
        self.assert_fault("VersionIsZero proves B-4-06, which is 'not built'", None)
        self.assertEqual(self.line("B-4-06")[-2], "not built")

    def test_check_fails_when_the_page_claims_what_no_test_shows(self):
        self.make()
        self.change("geneve/src/header_test.cc", "// G-3.4-01, CH-16: the", "// The")
        faults, _ = self.make(check=True)
        self.assertTrue(any(fault.startswith("-| G-3.4-01 ") and "proven" in fault
                            for fault in faults), faults)
        self.assertTrue(any(fault.startswith("+| G-3.4-01 ") and "**no test**" in fault
                            for fault in faults), faults)
        self.assertIn("run tools/conformance.py", faults[-1])
        self.assertEqual(self.line("G-3.4-01")[-2], "proven")  # a check writes nothing

    def test_check_fails_without_a_page(self):
        self.assertIn("run tools/conformance.py", self.make(check=True)[0][-1])

    def test_without_results_there_is_no_page(self):
        for path in self.build.rglob("*.xml"):
            path.unlink()
        with self.assertRaisesRegex(conformance.Fault, "run tools/test.sh first"):
            self.make()

    def test_faults_of_the_rows_are_told_with_their_line(self):
        for old, new, words in (("\tbuilt\tVer", "\tdone\tVer", ":3: state 'done'"),
                                ("no BFD yet", "", ":9: B-4-06 is 'not built' without a note"),
                                ("G-3.4-02", "G-3.4-01", ":4: G-3.4-01 is there already"),
                                ("enc\tMUST\tbuilt", "enc MUST\tbuilt", ":3: 6 columns")):
            with self.subTest(words):
                self.write("tests/conformance/rows.tsv", ROWS)
                self.change("tests/conformance/rows.tsv", old, new)
                with self.assertRaisesRegex(conformance.Fault, words):
                    self.make()


if __name__ == "__main__":
    unittest.main()
