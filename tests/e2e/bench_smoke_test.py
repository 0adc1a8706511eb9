#!/usr/bin/env python3
"""`make bench` in small: it runs and measures everything, and the pages in docs/ are what
tests/bench/report.py makes of the figures beside them."""
import json
import os
import pathlib
import sys
import tempfile
import unittest
import xml.etree.ElementTree

import lab as labs

sys.path.insert(0, str(labs.ROOT / "tests/bench"))
import report  # noqa: E402  (found by the line above)

PAGES = labs.ROOT / "docs/guide/bench"


class QuickRun(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory(prefix="leman-e2e-") as out:
            cls.printed = labs.run([labs.ROOT / "tests/bench/run", "--quick", "--out", out],
                                   timeout=120, env={**os.environ, "LEMAN_BUILD": str(labs.BUILD)}).stdout
            cls.figures = json.loads((pathlib.Path(out) / "native.json").read_text())
            cls.page = (pathlib.Path(out) / "native.md").read_text()
            cls.picture = xml.etree.ElementTree.parse(pathlib.Path(out) / "native.svg")

    def test_every_way_in_every_measure(self):
        for section in ("ways", "scale", "switches"):
            for way, row in self.figures[section].items():
                for measure, cell in row.items():
                    self.assertGreater(min(cell["samples"]), 0, (way, measure))
                    self.assertGreater(min(cell["cpu"]), 0, (way, measure))
        for way in (report.BARE, report.LEMAN):
            self.assertEqual(list(self.figures["ways"][way]), list(report.MEASURES))

    def test_each_hook(self):
        for way, row in self.figures["hooks"].items():
            for measure, hooks in row.items():
                self.assertGreater(min(hooks.values()), 10, (way, measure))
        self.assertIn(report.LEMAN, self.figures["hooks"])

    def test_page_and_picture(self):
        self.assertEqual(self.printed, self.page + "\n")
        words = [text.text for text in self.picture.iter("{http://www.w3.org/2000/svg}text")]
        for way in self.figures["ways"]:
            self.assertIn(f"| {way} |", self.page)
            self.assertIn(way, words)
        self.assertEqual(len(report.targets(self.figures)), len(report.NATIVE_TARGETS))


class Verdicts(unittest.TestCase):
    def verdict(self, ratios):
        """On the rate of one TCP stream, which is to be 0.85 of the bare pair's."""
        def row(samples):
            return {what: {"samples": samples} for what in report.MEASURES}
        figures = {"about": {"guest": False},
                   "ways": {report.BARE: row([1.0] * len(ratios)), report.LEMAN: row(ratios)}}
        return report.targets(figures)[0].partition(": ")[2]

    def test_verdicts(self):
        self.assertEqual(self.verdict([0.90, 0.86, 0.88]), "0.88, met")
        self.assertEqual(self.verdict([0.70, 0.80, 0.84]), "0.80, NOT met")
        self.assertEqual(self.verdict([0.90, 0.84, 0.86]),
                         "0.86, too close or too noisy to tell (rounds: 0.840 to 0.900)")
        self.assertEqual(self.verdict([0.80]), "0.80, NOT met")


class Pages(unittest.TestCase):
    def test_they_show_their_figures(self):
        found = sorted(PAGES.glob("*.json"))
        self.assertEqual([path.name for path in found], ["guest.json", "native.json"])
        for path in found:
            figures = json.loads(path.read_text())
            for suffix, made in ((".md", report.page), (".svg", report.image)):
                self.assertEqual(path.with_suffix(suffix).read_text(), made(figures),
                                 f"run tests/bench/report.py {path.relative_to(labs.ROOT)}")


if __name__ == "__main__":
    labs.main()
