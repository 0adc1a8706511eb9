"""Open vSwitch with processes, database and directory of its own in one namespace: the machine's own,
if it has one, is not touched."""
import os
import pathlib
import subprocess
import time

import lab as labs

TOOLS = ("ovs-vswitchd", "ovs-vsctl")
COUNTS_AFTER_SECONDS = 10
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


class Switch:
    """`open()` starts it and `close()` ends it; its bridges stay in the kernel."""

    def __init__(self, netns, directory, *daemon_words):
        self.netns = netns
        self.dir = pathlib.Path(directory)
        self._daemon_words = daemon_words
        self._env = {**os.environ, "OVS_RUNDIR": str(self.dir), "OVS_DBDIR": str(self.dir),
                     "OVS_LOGDIR": str(self.dir), "OVS_SYSCONFDIR": str(self.dir)}
        self._processes = []

    def open(self):
        self.dir.mkdir()
        labs.run(["ovsdb-tool", "create", self.dir / "conf.db", SCHEMA])
        database = f"unix:{self.dir}/db.sock"
        self._start("ovsdb-server", self.dir / "conf.db", "--remote=p" + database)
        labs.wait_for((self.dir / "db.sock").exists, "ovsdb-server listens")
        self.vsctl("--no-wait", "init")
        # In the first seconds of a machine's uptime it takes it for one without processors, and has no
        # thread for packets that no flow in the kernel knows.
        labs.wait_for(lambda: time.clock_gettime(time.CLOCK_MONOTONIC) > COUNTS_AFTER_SECONDS,
                      "the machine is up long enough", 2 * COUNTS_AFTER_SECONDS)
        self._start("ovs-vswitchd", database, *self._daemon_words)

    def _start(self, program, *words):
        with open(self.dir / f"{program}.log", "wb") as log:
            self._processes.append(subprocess.Popen(
                [*labs.enter(self.netns), program, *map(str, words),
                 f"--unixctl={self.dir}/{program}.ctl"],
                env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def close(self):
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            process.wait(20)
        self._processes = []

    def vsctl(self, *words):
        return labs.run(["ovs-vsctl", f"--db=unix:{self.dir}/db.sock", "--timeout=20", *words],
                        env=self._env)

    def ofctl(self, *words, **more):
        return labs.run(["ovs-ofctl", *words], env=self._env, **more).stdout

    def appctl(self, *words):
        return labs.run(["ovs-appctl", "-t", self.dir / "ovs-vswitchd.ctl", *words],
                        env=self._env).stdout
