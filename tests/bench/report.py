#!/usr/bin/python3 -B
"""What the figures of tests/bench/run say, as a page of Markdown and a picture.

  tests/bench/report.py FILE.json...    writes FILE.md and FILE.svg beside each
"""
import json
import pathlib
import statistics
import sys

import picture
from measure import BULK, MEASURES, SCALED
from ways import BARE, GENEVE, LEMAN

# What Leman is to reach: measure, whose figure it is compared with, ratio.
NATIVE_TARGETS = (("tcp", BARE, 0.85), ("ping", BARE, 2.2))
GUEST_TARGETS = (("tcp", GENEVE, 1.10), ("udp64", GENEVE, 1.25), ("ping", GENEVE, 0.75))


def reference(figures):
    """The way that ratios are to."""
    return GENEVE if GENEVE in figures["ways"] else BARE


def ratios(ways, way, base, what):
    """Round by round: what slowed one round down slowed down both."""
    return [own / other for own, other in zip(ways[way][what]["samples"], ways[base][what]["samples"])]


def spread(values):
    """Half of what lies between the largest and the smallest, as a part of the median."""
    return (max(values) - min(values)) / 2 / statistics.median(values)


def targets(figures):
    """Each as a sentence. A target is met or not when all rounds say so."""
    sentences = []
    for what, base, limit in GUEST_TARGETS if figures["about"]["guest"] else NATIVE_TARGETS:
        more = MEASURES[what].more_is_better
        sentence = f"{MEASURES[what].title} {'≥' if more else '≤'} {limit:.2f} × {base}: "
        if base not in figures["ways"]:
            sentences.append(sentence + "not measured")
            continue
        found = ratios(figures["ways"], LEMAN, base, what)
        met = [(ratio >= limit) if more else (ratio <= limit) for ratio in found]
        verdict = "met" if all(met) else "NOT met" if not any(met) else (
            f"too close or too noisy to tell (rounds: {min(found):.3f} to {max(found):.3f})")
        sentences.append(f"{sentence}{statistics.median(found):.2f}, {verdict}")
    return sentences


def about_line(figures):
    about = figures["about"]
    return (f"{about['date']}, Linux {about['kernel']}, {about['machine']}, "
            + ("one instruction a ns" if about["guest"]
               else f"load before {about['load']:.1f}, real-time priority")
            + f", rounds: {about['rounds']} of {about['seconds']:g} s a measurement")


def command(figures):
    return "tests/bench/run" + (" --guest" if figures["about"]["guest"] else "")


def _table(head, rows):
    return "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|",
                      *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def _comparison(ways, base, measures):
    """± is half the span of the rounds, × the median of each round's ratio to `base`."""
    rows = []
    for way in ways:
        row = [way]
        for what in measures:
            samples = ways[way][what]["samples"]
            cell = f"{statistics.median(samples) / MEASURES[what].one:.2f}"
            cell += f" ±{spread(samples) * 100:.0f} %" if spread(samples) >= 0.005 else ""
            cell += f" ×{statistics.median(ratios(ways, way, base, what)):.2f}" if way != base else ""
            row.append(cell)
        rows.append(row)
    return _table(["", *(f"{MEASURES[what].title}, {MEASURES[what].unit}" for what in measures)], rows)


def _cpu(ways, measures):
    """In µs, of a packet or a round trip; of TCP, KiB."""
    def cell(row, what):
        return f"{statistics.median(row[what]['cpu']) * 1e6 * (1024 if what in BULK else 1):.2f}"

    return _table(["", *(MEASURES[what].title + ", a KiB" * (what in BULK) for what in measures)],
                  [[way, *(cell(row, what) for what in measures)] for way, row in ways.items()])


def _hooks(hooks):
    columns = [(what, hook) for what, runs in next(iter(hooks.values())).items() for hook in runs]
    return _table(["", *(f"{MEASURES[what].title}: {hook}" for what, hook in columns)],
                  [[way, *(f"{row[what][hook]:.0f}" for what, hook in columns)]
                   for way, row in hooks.items()])


def _beside_switches(figures, base):
    if not figures["switches"]:
        return []
    return ["## Beside Open vSwitch\n",
            "Its kernel module turns connection tracking on in every namespace of the machine, also in "
            "those that have nothing to do with it. So it is measured after all else, and the others "
            "once more beside it.\n",
            _comparison(figures["switches"], base, MEASURES)]


def page(figures):
    guest = figures["about"]["guest"]
    base = reference(figures)
    parts = [
        f"# Side by side, {'in the guest' if guest else 'natively'}\n",
        f"`{command(figures)}`: {about_line(figures)}.\n",
        f"Median; ± half the span of the rounds where it is 0.5 % or more; × the median of each round's "
        f"ratio to {base}.\n",
        _comparison(figures["ways"], base, MEASURES),
        *(f"Not measured: {way}: {reason}.\n" for way, reason in figures["not_measured"].items()),
        *_beside_switches(figures, base),
        "## Targets\n",
        "\n".join(f"- {sentence}." for sentence in targets(figures)) + "\n",
        "## Processor time\n",
        "µs of all processors together for one packet (UDP), one round trip (ping, TCP_RR, TCP_CRR: two "
        "packets or more) or one KiB (TCP): both machines, both hosts and the programs that send and "
        "receive. " + ("1 ns is one instruction." if guest else
                       "What else the machine did is in it, but for programs of low priority.") + "\n",
        _cpu(figures["ways"], MEASURES),
        "## Each hook\n",
        "ns a run of the BPF program, from the kernel's run-time statistics, which are in it with two "
        f"readings of the clock. {'1 ns is one instruction. ' if guest else ''}A run is a packet, or an "
        "aggregate of TCP. How many instructions the verifier has to look at is in "
        "`tests/packet/verifier_budget.txt`.\n",
        _hooks(figures["hooks"]),
        "## Many entries, many networks\n",
        "Leman; the same two machines talk while both hosts know so many workloads on 60 other hosts. "
        "× is the ratio to the first row.\n",
        _comparison(figures["scale"], next(iter(figures["scale"])), SCALED),
    ]
    if figures["libgeneve_ns"]:
        parts += ["## libgeneve\n",
                  _table(["operation", "ns"], [[name, f"{ns:.1f}"] for name, ns in
                                               figures["libgeneve_ns"].items()])]
    return "\n".join(parts)


def image(figures):
    base = reference(figures)
    panels = []
    for what, measure in MEASURES.items():
        bars = {}
        for table in (figures["ways"], figures["switches"]):
            for way in [way for way in table if way not in bars]:
                found = ratios(table, way, base, what)
                if not measure.more_is_better:
                    found = [1 / ratio for ratio in found]
                bars[way] = statistics.median(found), min(found), max(found)
        panels.append((measure.title, bars))
    return picture.svg(
        f"How fast, beside {base}",
        f"{base} is 1, longer is faster: rate, or of ping, TCP_RR and TCP_CRR the inverse of the round "
        "trip. Thin line: from the slowest to the fastest round.",
        [about_line(figures), "Made by " + command(figures)], panels)


def write(figures, directory):
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / ("guest.json" if figures["about"]["guest"] else "native.json")
    path.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    render(path)


def render(path):
    figures = json.loads(path.read_text())
    path.with_suffix(".md").write_text(page(figures))
    path.with_suffix(".svg").write_text(image(figures))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        render(pathlib.Path(name))
