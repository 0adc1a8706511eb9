#!/usr/bin/env python3
"""What docs/spec/state-file.md and docs/man/leman-agent.8.md say is so: the example is right and has
every key, required is what it calls required, options and their defaults, exit statuses and metrics are
those that there are."""
import copy
import json
import re
import tempfile
import unittest

import yaml

import lab as labs

SPEC = (labs.ROOT / "docs/spec/state-file.md").read_text()
MAN = (labs.ROOT / "docs/man/leman-agent.8.md").read_text()
EXAMPLE = re.search(r"```yaml\n(.*?)```", SPEC, re.DOTALL).group(1)


def section(title):
    """Of the man page."""
    return re.search(rf"## {title}\n(.*?)(?=\n## |$)", MAN, re.DOTALL).group(1)


def terms(text):
    """What its definition lists define."""
    return re.findall(r"^(.+)\n: ", text, re.MULTILINE)


def check(state):
    """Exit status and words of --check for a state."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(state if isinstance(state, str) else json.dumps(state))
        file.flush()
        done = labs.run([labs.AGENT, "--check", "--state", file.name], check=False)
        return done.returncode, done.stdout + done.stderr


def mappings(node, way=()):
    """(way, mapping) of each mapping in a state."""
    if isinstance(node, dict):
        yield way, node
        for key, value in node.items():
            yield from mappings(value, (*way, key))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from mappings(value, (*way, number))


def at(state, way):
    for step in way:
        state = state[step]
    return state


class SpecTest(unittest.TestCase):
    def test_the_example_is_right(self):
        self.assertEqual(check(EXAMPLE)[0], 0, check(EXAMPLE)[1])

    def test_the_example_has_every_key_and_no_other(self):
        example = yaml.safe_load(EXAMPLE)
        for way, mapping in mappings(example):
            state = copy.deepcopy(example)
            at(state, way)["colour"] = "green"
            status, said = check(state)
            self.assertEqual(status, 3)
            known = re.search(r"colour: is not a known key; known here: (.*)", said).group(1)
            self.assertEqual(set(known.split(", ")), set(mapping), way)

    def test_required_is_what_is_called_so(self):
        """By the comments of the example; of its one-line mappings what one needs to be told apart."""
        required = {"class", "type", "address", "mac", "vtep", "device", "name", "vni"}
        for line in EXAMPLE.splitlines():
            key = re.match(r"[ -]*(\w+):.*# required", line)
            if key:
                required.add(key.group(1))
        example = yaml.safe_load(EXAMPLE)
        for way, mapping in mappings(example):
            for key in mapping:
                # Of an option of a network the name says nothing, of a known one it is for people.
                needed = key in required - ({"name"} if way[:1] == ("options",) else set())
                if key == "addresses":
                    needed = way == ("underlay",)
                with self.subTest(way=way, key=key):
                    state = copy.deepcopy(example)
                    del at(state, way)[key]
                    status, said = check(state)
                    self.assertEqual(status, 3 if needed else 0, said)
                    if needed:
                        self.assertIn(f"{key}: is missing", said)


class ManTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.help = labs.run([labs.AGENT, "--help"]).stdout

    def test_options_are_those_of_help(self):
        told = set(re.findall(r"--[a-z-]+", self.help))
        options = section("OPTIONS")
        self.assertEqual(set(re.findall(r"`(--[a-z-]+)", options)) - told, set())
        self.assertEqual(told - set(re.findall(r"--[a-z-]+", options)), set())

    def test_defaults_are_those_of_help(self):
        told = dict(re.findall(r"(--[a-z-]+) \w+(?::\{\S*\}|:INT in \S* - \S*|:UINT in \S* - \S*)?=(\S+)",
                               self.help))
        self.assertGreater(len(told), 10)
        options = section("OPTIONS")
        for option, default in told.items():
            with self.subTest(option):
                if re.search(rf"`{option} N` \({default}[,)]", options):
                    continue
                entry = re.search(rf"`{option}[ `](.*?)(?:\n\n|$)", options, re.DOTALL).group(1)
                self.assertRegex(entry, rf"[Dd]efault `?{re.escape(default.removesuffix('s'))}\b|"
                                        rf"`{re.escape(default)}` \(default\)")

    def test_start_states_and_metrics_are_those_that_there_are(self):
        with labs.two_hosts("docs", inner=(4,)) as lab:
            host = lab.hosts["host-a"]
            logged = re.findall("start state: (.*)", host.log_path.read_text())
            self.assertEqual(terms(section("START")), logged)

            host.kill()
            host.agent_options = ["--metrics-address", "127.0.0.1:9461"]
            host.start()
            with labs.make_socket(host.netns) as client:
                client.connect(("127.0.0.1", 9461))
                client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
                answer = b""
                while piece := client.recv(65536):
                    answer += piece
            self.check_metrics(answer.decode())

    def check_metrics(self, text):
        served = {}
        for name, labels in re.findall(r"^(leman_\w+)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
            served.setdefault(name, set()).update(re.findall(r"(\w+)=\"", labels))
        told = {}
        for term in terms(section("METRICS")):
            names, _, labels = term.partition(", labels ")
            for name in re.findall(r"`(\w+)`", names):
                told[name] = set(re.findall(r"\w+", labels))
        # Nothing was received with an option here.
        self.assertEqual(told.pop("leman_option_packets_total"), {"class", "type", "name"})
        self.assertEqual(told, served)


if __name__ == "__main__":
    labs.main()
