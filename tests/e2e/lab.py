"""Labs for the end-to-end tests: real binaries, hosts and machines as network namespaces.

A Lab is made by `leman lab up` and removed by `leman lab down`, also when a test fails; what an
earlier run left behind when it was killed is removed first. Sockets are made inside a namespace by
this very process (`Lab.socket`), so that traffic needs no helper programs. Nothing here sleeps for
luck: everything waits for a condition with a deadline (`wait_for`).
"""
import atexit
import contextlib
import ctypes
import fcntl
import faulthandler
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LEMAN_BUILD", ROOT / "build/release"))
LEMAN = BUILD / "src/cli/leman"
AGENT = BUILD / "src/agent/leman-agent"
LAB_ROOT = pathlib.Path("/run/leman/lab")
PIN_ROOT = pathlib.Path("/sys/fs/bpf/leman-lab")
SKIPPED = 77
HANGS_AFTER_SECONDS = 280  # ctest's time is 300, see CMakeLists.txt
PREFIX = f"e2e{os.getpid()}-"
METRICS = ["--metrics-address", "127.0.0.1:9461"]
CLONE_NEWNET = 0x40000000
SO_RCVBUFFORCE = 33
_libc = ctypes.CDLL(None, use_errno=True)
_to_remove = {}  # what atexit removes: name → function


class CommandFailed(Exception):
    """A command ended with another status than it should have."""


def wait_for(condition, what, seconds=10.0, every=0.02):
    """Returns the first true value of `condition()`; fails loudly when none comes in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}; last seen: {value!r}")
        time.sleep(every)


def enter(netns):
    """What stands before a command that is to run in a namespace. Not `ip netns exec`: that mounts a
    /sys of its own, in which no pin is found again."""
    return ["nsenter", f"--net=/run/netns/{netns}"]


def run(argv, netns=None, check=True, timeout=30, **more):
    """Runs a command to its end, in a namespace if one is named."""
    argv = [str(word) for word in argv]
    if netns:
        argv = [*enter(netns), *argv]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False,
                          stdin=more.pop("stdin", subprocess.DEVNULL) if "input" not in more
                          else None, **more)
    if check and done.returncode != 0:
        raise CommandFailed(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


@contextlib.contextmanager
def inside(netns):
    """The calling thread works in the namespace meanwhile."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(f"/run/netns/{netns}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(there)
        try:
            yield
        finally:
            _setns(here)
    finally:
        os.close(here)
        os.close(there)


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def make_socket(netns, family=socket.AF_INET, kind=socket.SOCK_STREAM, proto=0, timeout=10.0):
    with inside(netns):
        made = socket.socket(family, kind, proto)
    made.settimeout(timeout)
    return made


def make_netns(tag):
    """A namespace of our own beside the lab; the caller removes it with remove_netns."""
    name = PREFIX + tag
    run(["ip", "netns", "add", name])
    _to_remove[name] = lambda: run(["ip", "netns", "del", name], check=False)
    run(["ip", "-n", name, "link", "set", "lo", "up"])
    return name


def remove_netns(name):
    run(["ip", "netns", "del", name], check=False)
    _to_remove.pop(name, None)


def write_by_rename(path, text):
    path = pathlib.Path(path)
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text)
    os.replace(fresh, path)


class Host:
    """One host of a lab: its agent, its state file, its namespace."""

    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        self.netns = f"lm-{lab.name}-{name}"
        self.run_dir = LAB_ROOT / lab.name / name
        self.state_path = self.run_dir / "state.yaml"
        self.log_path = self.run_dir / "agent.log"
        self.pin_root = PIN_ROOT / lab.name / name
        self.socket_path = self.run_dir / "agent.sock"
        self.agent = None  # the one this process started, if any
        self.agent_program = AGENT
        self.agent_options = []
        self.agent_wrapper = []  # a command that starts the agent

    def run(self, *argv, **more):
        return run(argv, netns=self.netns, **more)

    def leman(self, *argv, check=True, timeout=30):
        return run([LEMAN, *argv, "--socket", self.socket_path], check=check, timeout=timeout)

    def ask(self, *argv):
        """The JSON that a leman command answers."""
        return json.loads(self.leman(*argv, "-o", "json").stdout)

    def status(self):
        return self.ask("status")

    def problems(self):
        return [f"{problem['where']}: {problem['what']}" for problem in self.status()["problems"]]

    def verdicts(self):
        """(hook, verdict) → packets."""
        return {(row["hook"], row["verdict"]): row["packets"]
                for row in self.ask("counters")["verdicts"]}

    def events(self):
        return {row["event"]: row["count"] for row in self.ask("counters")["events"]}

    def scrape(self):
        """The text at its metrics address, for which `agent_options` must be METRICS."""
        with make_socket(self.netns) as client:
            client.connect(("127.0.0.1", 9461))
            client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            answer = b""
            while piece := client.recv(65536):
                answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b" 200 " in head.splitlines()[0], head
        return body.decode()

    def map_dump(self, name):
        """What the kernel holds, asked without the agent: the sorted keys and values of a map."""
        path = next(self.pin_root.glob(f"v*/{name}"))
        entries = json.loads(run(["bpftool", "-j", "map", "dump", "pinned", path]).stdout)
        return sorted((tuple(entry["key"]), tuple(entry["value"])) for entry in entries)

    def surroundings(self):
        """What an agent could leave in its host, readable: devices, qdiscs, filters, pins, mounts,
        files of the run directory."""
        def listed(command):
            return json.loads(self.run(*command.split()).stdout or "[]")

        links = listed("ip -j link show")
        # Of the flags that which is set; the others follow the far end, some time later.
        found = [f"device {link['ifname']} mtu {link['mtu']} {'up' * ('UP' in link['flags'])}"
                 for link in links]
        found += [f"qdisc {qdisc['kind']} {qdisc['handle']} on {qdisc['dev']}"
                  for qdisc in listed("tc -j qdisc show")]
        for link in links:
            for hook in ("ingress", "egress"):
                text = self.run("tc", "filter", "show", "dev", link["ifname"], hook, check=False)
                found += [f"filter {hook} of {link['ifname']}: {' '.join(line.split())}"
                          for line in text.stdout.splitlines() if "handle" in line]
        found += [f"pin {path}" for path in sorted(self.pin_root.rglob("*"))]
        found += [f"mount {line.split()[1]}" for line in
                  pathlib.Path("/proc/self/mounts").read_text().splitlines()
                  if str(self.pin_root) in line]
        if self.run_dir.is_dir():
            found += [f"file {path}" for path in sorted(self.run_dir.iterdir())
                      if path.name.startswith("agent.") and path != self.log_path]
        return found

    def pid(self):
        return int((self.run_dir / "agent.lock").read_text())

    def agent_command(self, *more):
        return [*enter(self.netns), *self.agent_wrapper, str(self.agent_program), "--state",
                str(self.state_path), "--pin-root", str(self.pin_root), "--run-dir", str(self.run_dir),
                *([] if "--metrics-address" in [*self.agent_options, *more]
                  else ["--metrics-address", "off"]), *self.agent_options, *more]

    def start(self, wait=True):
        """Starts the agent again; with `wait` until it is ready."""
        with open(self.log_path, "ab") as log:
            self.agent = subprocess.Popen(self.agent_command(), stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log)
        if wait:
            self.wait_ready()

    def is_ready(self):
        if self.agent is not None and self.agent.poll() is not None:
            raise AssertionError(f"the agent of {self.name} ended with {self.agent.returncode}:\n"
                                 + self.log_path.read_text())
        answer = self.leman("status", "-o", "json", check=False)
        if answer.returncode != 0:
            return None
        status = json.loads(answer.stdout)
        return status if status["state"] == "ready" else None

    def wait_ready(self, seconds=30):
        return wait_for(self.is_ready, f"agent of {self.name} is ready", seconds)

    def kill(self, number=signal.SIGKILL):
        """Sends a signal to the agent and waits until it is gone."""
        if self.agent is not None:
            self.agent.send_signal(number)
            self.agent.wait(20)
            self.agent = None
            return
        process = os.pidfd_open(self.pid())
        try:
            signal.pidfd_send_signal(process, number)
            # Readable when its last thread is gone, and with it the lock.
            if not select.select([process], [], [], 20)[0]:
                raise AssertionError(f"the agent of {self.name} does not end")
        finally:
            os.close(process)

    def detach(self, check=True):
        done = self.run(AGENT, "--detach", "--run-dir", self.run_dir, "--pin-root", self.pin_root,
                        check=check)
        if self.agent is not None:
            self.agent.wait(10)
            self.agent = None
        return done

    def rewrite(self, text):
        """Puts another state file in place, by rename."""
        write_by_rename(self.state_path, text)

    def apply(self, text):
        """The same, and has the agent take it over before this returns."""
        self.rewrite(text)
        return self.ask("reload")

    def offloads(self, device, *settings):
        self.run("ethtool", "-K", device, *settings)


class Lab:
    """`leman lab up` with a lab file made from Python values (JSON is YAML)."""

    def __init__(self, tag, hosts, networks, machines, underlay=None, options=None):
        self.name = PREFIX + tag
        assert len(self.name) <= 24, self.name
        self.hosts = {host["name"]: Host(self, host["name"]) for host in hosts}
        self.machines = {machine["name"]: machine for machine in machines}
        self.networks = {network["name"]: network for network in networks}
        spec = {"lab": self.name, "underlay": underlay or {}, "hosts": hosts,
                "networks": networks, "machines": machines}
        if options is not None:
            spec["options"] = options
        self.text = json.dumps(spec, indent=1).replace('"on"', "on").replace('"off"', "off")

    def up(self):
        _to_remove[self.name] = self.down
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", prefix="leman-e2e-") as file:
            file.write(self.text)
            file.flush()
            run([LEMAN, "lab", "up", file.name], timeout=100,
                env={**os.environ, "LEMAN_AGENT": str(AGENT)})
        return self

    def down(self):
        run([LEMAN, "lab", "down", self.name], check=False)
        for host in self.hosts.values():
            if host.agent is not None:
                host.agent.wait(10)
        _to_remove.pop(self.name, None)

    def __enter__(self):
        return self.up()

    def __exit__(self, *_):
        self.down()

    def netns(self, thing):
        return f"lm-{self.name}-{thing}"

    def run(self, thing, *argv, **more):
        return run(argv, netns=self.netns(thing), **more)

    def socket(self, thing, *args, **more):
        return make_socket(self.netns(thing), *args, **more)

    def mac(self, thing):
        if "mac" in self.machines.get(thing, {}):
            return self.machines[thing]["mac"]
        return json.loads(self.run(thing, "ip", "-j", "link", "show", "eth0").stdout)[0]["address"]

    def address(self, machine, family):
        """The machine's first address of the family (4 or 6), without its length."""
        return next(text.partition("/")[0] for text in self.machines[machine]["addresses"]
                    if (":" in text) == (family == 6))

    def mtu(self, machine):
        return json.loads(self.run(machine, "ip", "-j", "link", "show", "eth0").stdout)[0]["mtu"]

    def set_offloads(self, on):
        """Of every device of the lab's hosts and machines, but not of what the agent made itself."""
        for thing in [*self.hosts, *self.machines]:
            with inside(self.netns(thing)):
                names = [name for _, name in socket.if_nameindex() if not name.startswith("lm-")]
                _set_veth_offloads(names, on)


# linux/ethtool.h, linux/sockios.h
_SIOCETHTOOL = 0x8946
_ETHTOOL_GDRVINFO = 0x03
_ETHTOOL_SET = {"tx": 0x17, "tso": 0x1F, "gso": 0x24, "gro": 0x2C}


def _set_veth_offloads(names, on):
    """`ethtool -K NAME tx … tso … gso … gro …`, of those that are veths, in the namespace of the
    calling thread. Not by that program: to start it dozens of times takes the most of a test."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        def ask(name, command, value, size):
            data = ctypes.create_string_buffer(struct.pack("=II", command, value), size)
            fcntl.ioctl(handle, _SIOCETHTOOL,
                        struct.pack("16sP16x", name.encode(), ctypes.addressof(data)))
            return data.raw

        for name in names:
            if name == "lo" or ask(name, _ETHTOOL_GDRVINFO, 0, 196)[4:8] != b"veth":
                continue
            for command in _ETHTOOL_SET.values():
                ask(name, command, on, 8)


def two_hosts(tag, family=4, inner=(4, 6), underlay=None, network=None, options=None):
    """vm-1 on host-a and vm-2 on host-b in network blue; vm-3 on host-b has vm-2's MAC and addresses
    in network red."""
    def addresses(last):
        made = {4: f"10.0.1.{last}/24", 6: f"fd00:1::{last}/64"}
        return [made[number] for number in inner]

    def vtep(last):
        return f"192.168.1.{last}/24" if family == 4 else f"2001:db8:1::{last}/64"

    return Lab(
        tag,
        hosts=[{"name": "host-a", "addresses": [vtep(101)]},
               {"name": "host-b", "addresses": [vtep(102)]}],
        networks=[{"name": "blue", "vni": 10001, **(network or {})},
                  {"name": "red", "vni": 20001}],
        machines=[
            {"name": "vm-1", "host": "host-a", "network": "blue", "mac": "aa:bb:cc:dd:ee:f0",
             "addresses": addresses(10)},
            {"name": "vm-2", "host": "host-b", "network": "blue", "mac": "aa:bb:cc:dd:ee:10",
             "addresses": addresses(11)},
            {"name": "vm-3", "host": "host-b", "network": "red", "mac": "aa:bb:cc:dd:ee:10",
             "addresses": addresses(11)}],
        underlay=underlay, options=options)


def traces_of(name):
    """What of a lab is on this machine, asked of the kernel: names, files, pins, processes."""
    found = [str(path) for path in (LAB_ROOT / name, PIN_ROOT / name) if path.exists()]
    netns = [path for path in pathlib.Path("/run/netns").glob(f"lm-{name}-*")]
    found += map(str, netns)
    inside_of = {path.stat().st_ino for path in netns}
    word = f"/{name}/".encode()  # in the paths that agents, QEMU and helpers are given
    for proc in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command = (proc / "cmdline").read_bytes()
            if word in command or (proc / "ns/net").stat().st_ino in inside_of:
                found.append(f"{proc.name} {command.replace(bytes(1), b' ').decode()}")
        except OSError:
            pass  # it has ended
    return found


class Background:
    """A function in a thread of its own; `result()` gives what it returned or raises what it
    raised."""

    def __init__(self, function, *args):
        self._value = None
        self._error = None
        self._thread = threading.Thread(target=self._run, args=(function, args), daemon=True)
        self._thread.start()

    def _run(self, function, args):
        try:
            self._value = function(*args)
        except BaseException as error:  # pylint: disable=broad-except
            self._error = error

    def result(self, seconds=30):
        self._thread.join(seconds)
        if self._thread.is_alive():
            raise AssertionError(f"still running after {seconds} s")
        if self._error is not None:
            raise self._error
        return self._value


def sweep_leftovers():
    """Labs and namespaces of earlier runs whose process is gone."""
    def orphan(name):
        found = re.match(r"(?:lm-)?e2e(\d+)-", name)
        return found and not os.path.exists(f"/proc/{found.group(1)}")

    if LAB_ROOT.is_dir():
        for path in LAB_ROOT.iterdir():
            if orphan(path.name):
                run([LEMAN, "lab", "down", path.name], check=False)
    netns_root = pathlib.Path("/run/netns")
    if netns_root.is_dir():
        for path in netns_root.iterdir():
            if orphan(path.name):
                run(["ip", "netns", "del", path.name], check=False)


def clean_up():
    for remove in list(_to_remove.values()):
        remove()


def skip_all(reason):
    print(f"skipped: {reason}", flush=True)
    sys.exit(SKIPPED)


def need_tools(*names):
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        skip_all(f"{', '.join(missing)} not installed; tools/setup.sh run installs them")


def _on_sigterm(*_):
    """unittest would take an exception for one more failed test and go on."""
    print("ended by SIGTERM", flush=True)
    clean_up()
    os._exit(1)


def prepare(*tools):
    """What every test program does first; ends it with a reason when it cannot run here."""
    # A test that hangs says where, before ctest ends it without a word.
    faulthandler.dump_traceback_later(HANGS_AFTER_SECONDS, exit=True)
    if os.geteuid() != 0:
        skip_all("network namespaces and BPF programs need root")
    need_tools("ip", "nsenter", "ethtool", "bpftool", "ping", *tools)
    for program in (LEMAN, AGENT):
        if not program.exists():
            sys.exit(f"{program} is not built; build it, or name the build tree in LEMAN_BUILD")
    sweep_leftovers()
    atexit.register(clean_up)
    signal.signal(signal.SIGTERM, _on_sigterm)


class RecordedResult(unittest.TextTestResult):
    """Remembers what each test came to, for record()."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.outcomes = {}  # "Class.test" → passed, skipped, failure

    def _note(self, test, outcome):
        self.outcomes[".".join(test.id().split(".")[-2:])] = outcome

    def startTest(self, test):
        super().startTest(test)
        self._note(test, "passed")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._note(test, "skipped")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._note(test, "failure")

    def addError(self, test, err):
        super().addError(test, err)
        self._note(test, "failure")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._note(test, "failure")


def record(outcomes):
    """Writes the outcomes in JUnit's form to where ctest's environment says, if it does."""
    directory = os.environ.get("LEMAN_TEST_CASES")
    if not directory:
        return
    program = pathlib.Path(sys.argv[0]).stem
    suite = xml.Element("testsuite", name=program)
    for name, outcome in outcomes.items():
        test_class, _, test = name.rpartition(".")
        case = xml.SubElement(suite, "testcase", name=test, classname=f"{program}.{test_class}")
        if outcome != "passed":
            xml.SubElement(case, outcome)
    xml.ElementTree(suite).write(pathlib.Path(directory) / f"{program}.xml")


def main(*tools):
    prepare(*tools)
    runner = unittest.TextTestRunner(verbosity=2, resultclass=RecordedResult)
    result = unittest.main(module="__main__", testRunner=runner, exit=False).result
    record(result.outcomes)
    sys.exit(not result.wasSuccessful())
