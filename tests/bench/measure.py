"""Measures ways in turn, round after round, every other round backwards: what else the computer does
hits all of them alike, and a drift of its speed favours nobody."""
import contextlib
import json
import pathlib
import sys
import typing

from ways import labs


class Measure(typing.NamedTuple):
    title: str
    unit: str
    one: float  # of the unit, in bits or packets a second, or in seconds of a round trip
    more_is_better: bool
    probe: tuple  # its words: SECONDS goes behind the first


MEASURES = {
    "tcp": Measure("TCP 1 stream", "Gbit/s", 1e9, True, ("tcp", 1)),
    "tcp4": Measure("TCP 4 streams", "Gbit/s", 1e9, True, ("tcp", 4)),
    "udp64": Measure("UDP 64 B", "kpps", 1e3, True, ("udp", 64)),
    "udp512": Measure("UDP 512 B", "kpps", 1e3, True, ("udp", 512)),
    "udp1400": Measure("UDP 1400 B", "kpps", 1e3, True, ("udp", 1400)),
    "ping": Measure("ping -f", "µs", 1e-6, False, ("ping",)),
    "tcp_rr": Measure("TCP_RR", "µs", 1e-6, False, ("tcp_rr",)),
    "tcp_crr": Measure("TCP_CRR", "µs", 1e-6, False, ("tcp_crr",)),
}
BULK = ("tcp", "tcp4")  # counted in bytes
SCALED = ("udp64", "ping")
HOOKED = ("udp64", "udp1400", "ping", "tcp")


def say(text):
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def made(ways):
    """Brings ways up and, whatever happens, down."""
    up = []
    try:
        for way in ways:
            say(f"up: {way.name}")
            up.append(way)
            way.up()
            way.answer()
        yield
    finally:
        for way in up:
            way.down()


def once(way, what, seconds):
    """What was measured, and the processor seconds of one byte, packet or round trip."""
    word, *more = MEASURES[what].probe
    got = way.probe(word, seconds, *more)
    value = got["mean_ns"] * 1e-9 if "mean_ns" in got else got["per_second"] * (8 if what in BULK else 1)
    return value, got["busy_seconds"] / got["count"]


def in_rounds(ways, measures, rounds, seconds):
    """way → measure → {"samples": …, "cpu": …}, a figure a round"""
    table = {way.name: {what: {"samples": [], "cpu": []} for what in measures} for way in ways}
    for number in range(rounds if ways else 0):
        for what in measures:
            for way in ways if number % 2 == 0 else reversed(ways):
                value, cpu = once(way, what, seconds)
                table[way.name][what]["samples"].append(value)
                table[way.name][what]["cpu"].append(cpu)
            say(f"round {number + 1}/{rounds}: {what}")
    return table


def _program(path):
    found = json.loads(labs.run(["bpftool", "-j", "prog", "show", "pinned", path]).stdout)
    return found.get("run_cnt", 0), found.get("run_time_ns", 0)


@contextlib.contextmanager
def _run_time_statistics():
    setting = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")
    before = setting.read_text()
    setting.write_text("1")
    try:
        yield
    finally:
        setting.write_text(before)


def hooks(ways, seconds):
    """way → measure → hook → ns a run, of what vm-1 sends: port_rx on its host, underlay_rx on the
    other's. Apart from the rounds, because counting costs something itself."""
    table = {}
    with _run_time_statistics():
        for way in ways:
            programs = {hook: way.program(host, hook)
                        for host, hook in (("host-a", "port_rx"), ("host-b", "underlay_rx"))}
            row = table[way.name] = {}
            for what in HOOKED:
                before = {hook: _program(path) for hook, path in programs.items()}
                once(way, what, seconds)
                row[what] = {}
                for hook, path in programs.items():
                    runs, ns = (now - then for now, then in zip(_program(path), before[hook]))
                    row[what][hook] = ns / runs
            say(f"hooks: {way.name}")
    return table
