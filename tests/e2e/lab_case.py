"""What the tests of `leman lab` and `leman demo` themselves share."""
import json
import os
import subprocess
import tempfile
import unittest

import lab as labs

LEMAN = str(labs.LEMAN)


def status_of(lab):
    """Its entry in `leman lab status -o json`, None if there is none."""
    listed = json.loads(labs.run([LEMAN, "lab", "status", "-o", "json"]).stdout)
    return next((entry for entry in listed if entry["name"] == lab.name), None)


class LabCase(unittest.TestCase):
    """A test that has labs made by whole commands, each in a session of its own."""

    def lab(self, tag, **more):
        """A lab that is not up, with its file in `lab.path`."""
        made = labs.two_hosts(tag, **more)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False) as file:
            file.write(made.text)
        made.path = file.name
        self.addCleanup(os.unlink, made.path)
        self.addCleanup(made.down)
        return made

    def start(self, lab, command):
        argv = {"up": ["lab", "up", lab.path], "demo": ["demo", "--file", lab.path]}[command]
        started = subprocess.Popen([LEMAN, *argv], stdin=subprocess.DEVNULL, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   start_new_session=True)
        self.addCleanup(started.stdout.close)
        self.addCleanup(started.stderr.close)
        return started

    def up(self, lab):
        return labs.run([LEMAN, "lab", "up", lab.path], timeout=60)

    def down(self, lab):
        labs.run([LEMAN, "lab", "down", lab.name], check=False)
        self.assertEqual(labs.traces_of(lab.name), [])
