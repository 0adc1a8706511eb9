#!/usr/bin/env python3
"""`make bench` in small: it runs, measures every way in every measure and writes its JSON."""
import json
import os
import tempfile
import unittest

import lab as labs


class BenchSmokeTest(unittest.TestCase):
    def test_quick_run(self):
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            done = labs.run([labs.ROOT / "tests/bench/run", "--quick", "--json", file.name],
                            timeout=90, env={**os.environ, "LEMAN_BUILD": str(labs.BUILD)})
            figures = json.load(file)
        self.assertEqual(len(figures["targets"]), 2)
        for way in ("bare veth", "Leman"):
            for measure in ("tcp", "tcp4", "udp64", "udp512", "udp1400", "ping", "tcp_rr", "tcp_crr"):
                self.assertGreater(figures["ways"][way][measure]["median"], 0, (way, measure))
        self.assertIn("ratio to bare veth", done.stdout)


if __name__ == "__main__":
    labs.main("iperf3")
