"""Measures ways in turn, round after round, every other round backwards: what else the computer does
hits all of them alike, and a drift of its speed favours nobody."""
import contextlib
import json
import pathlib
import sys

from ways import labs

# Name → words for the probe before and after the seconds.
MEASURES = {
    "tcp": (("tcp",), (1,)),
    "tcp4": (("tcp",), (4,)),
    "udp64": (("udp",), (64,)),
    "udp512": (("udp",), (512,)),
    "udp1400": (("udp",), (1400,)),
    "ping": (("ping",), ()),
    "tcp_rr": (("tcp_rr",), ()),
    "tcp_crr": (("tcp_crr",), ()),
}
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
    before, after = MEASURES[what]
    got = way.probe(*before, seconds, *after)
    # Bits a second, packets a second, or seconds of a round trip.
    value = got.get("mean_ns", 0) * 1e-9 or got["per_second"] * (8 if what.startswith("tcp") else 1)
    return value, got["busy_seconds"] / got["count"]


def in_rounds(ways, measures, rounds, seconds):
    """way → measure → {"samples": …, "cpu": processor seconds a packet, byte or round trip}"""
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
