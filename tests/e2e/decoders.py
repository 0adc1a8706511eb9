#!/usr/bin/env python3
"""The GENEVE packets of a capture, read by four decoders that know nothing of each other: `leman
decode`, scapy, tshark and tcpdump. They must agree on every field, and none may find a fault.

A UDP checksum of zero over IPv6 is what two ends may agree on and a decoder cannot know of (RFC 8926
section 4.3.1): the fault that each finds in it, and no other, is let pass.

A foreign tunnel endpoint may leave the C bit clear though an option is critical, which RFC 8926 section
3.4 forbids: tc on Linux does. That is let pass from addresses named foreign; which of them do it is for
the test to say (peers.Peer.marks_critical).
"""
import collections
import json
import logging
import re

import lab as labs

TOOLS = ("tshark", "tcpdump")  # scapy and leman besides

Geneve = collections.namedtuple(
    "Geneve", "outer_source outer_destination tos ttl source_port udp_bytes version control critical "
    "protocol vni options inner_source inner_destination inner_type")
# Of an option: class, type, data in hexadecimal.

# Wireshark's severities (warning; error is above it) and groups of what it finds.
WARNING = 0x600000
CHECKSUM, SEQUENCE = 0x01000000, 0x02000000

UNMARKED = "a critical option is there, but the C flag is not set"


def by_leman(capture, foreign):
    found = []
    answer = labs.run([labs.LEMAN, "decode", "-o", "json", capture]).stdout
    for packet in json.loads(answer)["packets"]:
        if packet["verdict"] == "not_geneve":
            continue
        zero6 = packet["outer"]["udp"]["checksum"] == 0 and "ipv6" in packet["outer"]
        assert packet.get("reason") == ("UDP6_ZERO_CSUM" if zero6 else None), packet
        outer, geneve, inner = packet["outer"], packet["geneve"], packet["inner"]["ethernet"]
        ip = outer.get("ipv4") or outer["ipv6"]
        assert set(packet["notes"]) <= ({UNMARKED} if ip["source"] in foreign else set()), packet
        found.append(Geneve(
            ip["source"], ip["destination"], ip["dscp"] << 2 | ip["ecn"],
            ip["ttl"] if "ttl" in ip else ip["hop_limit"], outer["udp"]["source_port"],
            outer["udp"]["length"], geneve["version"], geneve["control"], geneve["critical"],
            geneve["protocol"], geneve["vni"],
            tuple((option["class"], option["type"], option["data"]) for option in geneve["options"]),
            inner["source"], inner["destination"], inner["ether_type"]))
    return found


def by_scapy(capture):
    logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
    from scapy.contrib.geneve import GENEVE, GeneveOptions  # pylint: disable=import-outside-toplevel
    from scapy.layers.inet import IP, UDP  # pylint: disable=import-outside-toplevel
    from scapy.layers.l2 import Ether  # pylint: disable=import-outside-toplevel
    from scapy.utils import rdpcap  # pylint: disable=import-outside-toplevel
    found = []
    for packet in rdpcap(str(capture)):
        if GENEVE not in packet:
            continue
        ip, udp, geneve = packet[1], packet[UDP], packet[GENEVE]
        # Its list takes all options for the first one's payload: each is taken off by itself.
        options, rest = [], b"".join(map(bytes, geneve.options))
        assert len(rest) == geneve.optionlen * 4
        while rest:
            option = GeneveOptions(rest)
            options.append((option.classid, option.type, option.data.hex()))
            rest = bytes(option.payload)
        assert (geneve.reserved, geneve.reserved2) == (0, 0)
        inner = geneve[Ether]
        kind = int.from_bytes(bytes(inner)[12:14], "big")  # scapy's length field of LLC has no name
        v4 = isinstance(ip, IP)
        found.append(Geneve(
            ip.src, ip.dst, ip.tos if v4 else ip.tc, ip.ttl if v4 else ip.hlim, udp.sport, udp.len,
            geneve.version, bool(geneve.oam), bool(geneve.critical), geneve.proto, geneve.vni,
            tuple(options), inner.src, inner.dst, kind))
    return found


def by_tshark(capture):
    fields = ["ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "ip.dsfield", "ipv6.tclass", "ip.ttl",
              "ipv6.hlim", "udp.srcport", "udp.length", "geneve.version", "geneve.flags.oam",
              "geneve.flags.critical", "geneve.flags.reserved", "geneve.proto_type", "geneve.vni",
              "geneve.reserved", "geneve.options", "eth.src", "eth.dst", "eth.type", "eth.len",
              "ip.checksum.status", "udp.checksum.status", "udp.checksum", "_ws.expert.group",
              "_ws.expert.severity", "_ws.expert.message"]
    argv = ["tshark", "-n", "-r", capture, "-o", "ip.check_checksum:TRUE",
            "-o", "udp.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
            "-Y", "geneve", "-T", "fields", "-E", "separator=|", "-E", "occurrence=a"]
    for field in fields:
        argv += ["-e", field]
    found = []
    for line in labs.run(argv, timeout=60).stdout.splitlines():
        got = dict(zip(fields, line.split("|")))
        first = {name: text.partition(",")[0] for name, text in got.items()}
        # What the tenants' TCP went through is no matter of the packets' form.
        warnings = [(group, message) for group, level, message in zip(
            *(got[f"_ws.expert.{name}"].split(",") for name in ("group", "severity", "message")))
            if level and int(level) >= WARNING and int(group) != SEQUENCE]
        zero6 = outer_is_v6(got) and first["udp.checksum"] == "0x0000"
        assert warnings == ([(str(CHECKSUM), "Illegal checksum value (0)")] if zero6 else []), got
        assert first["ip.checksum.status"] in ("", "1"), got
        assert first["udp.checksum.status"] == (
            "1" if first["udp.checksum"] != "0x0000" else "4" if zero6 else "3"), got
        assert (first["geneve.flags.reserved"], int(first["geneve.reserved"], 0)) == ("0", 0), got
        v6 = outer_is_v6(got)
        second = {name: (text.split(",") + [""])[1] for name, text in got.items()}
        kinds = [int(kind, 0) for kind in got["eth.type"].split(",")]
        found.append(Geneve(
            first["ipv6.src" if v6 else "ip.src"], first["ipv6.dst" if v6 else "ip.dst"],
            int(first["ipv6.tclass" if v6 else "ip.dsfield"], 0),
            int(first["ipv6.hlim" if v6 else "ip.ttl"]), int(first["udp.srcport"]),
            int(first["udp.length"]), int(first["geneve.version"]),
            first["geneve.flags.oam"] == "1", first["geneve.flags.critical"] == "1",
            int(first["geneve.proto_type"], 0), int(first["geneve.vni"], 0),
            split_options(bytes.fromhex(first["geneve.options"])), second["eth.src"],
            second["eth.dst"], kinds[1] if len(kinds) > 1 else int(first["eth.len"])))
    return found


def outer_is_v6(got):
    return int(got["eth.type"].split(",")[0], 0) == 0x86DD


def split_options(data):
    options = []
    while data:
        size = 4 + (data[3] & 0x1F) * 4
        options.append((int.from_bytes(data[:2], "big"), data[2], data[4:size].hex()))
        data = data[size:]
    return tuple(options)


# One packet of `tcpdump -nvve`, its lines joined.
TCPDUMP = re.compile(
    r"tos 0x(?P<tos>\w+), ttl (?P<ttl>\d+),.*? length (?P<bytes>\d+)\)\s+"
    r"(?P<source>[\d.]+)\.(?P<port>\d+) > (?P<destination>[\d.]+)\.\d+: "
    r"\[(?:udp sum ok|no cksum)\] Geneve, Flags \[(?P<flags>\w+)\], vni 0x(?P<vni>\w+)"
    r"(?:, options \[(?P<options>.*?)\]\n|\n)")
TCPDUMP6 = re.compile(
    r"IP6 \((?:class 0x(?P<tos>\w+), )?(?:flowlabel \w+, )?hlim (?P<ttl>\d+), "
    r"next-header UDP \(17\) payload length: (?P<bytes>\d+)\) "
    r"(?P<source>[\da-f:]+)\.(?P<port>\d+) > (?P<destination>[\da-f:]+)\.\d+: "
    r"\[(?:udp sum ok|bad udp cksum 0x0000 -> \w+!)\] Geneve, "
    r"Flags \[(?P<flags>\w+)\], vni 0x(?P<vni>\w+)(?:, options \[(?P<options>.*?)\]\n|\n)")
TCPDUMP_OPTION = re.compile(r"\(0x(\w+)\) type 0x(\w+)(?:\(C\))? len (\d+)(?: data ((?:\w+ ?)*))?")


def by_tcpdump(capture):
    """What it prints says less: no inner EtherType where it knows the protocol's name."""
    found = []
    text = labs.run(["tcpdump", "-nvv", "-r", capture, "udp dst port 6081"]).stdout
    for entry in re.split(r"(?m)^(?=\d\d:)", text)[1:]:
        match = TCPDUMP.search(entry) or TCPDUMP6.search(entry)
        assert match, f"tcpdump says: {entry}"
        got = match.groupdict()
        options = tuple((int(kind, 16), int(number, 16), (data or "").replace(" ", ""))
                        for kind, number, _, data in TCPDUMP_OPTION.findall(got["options"] or ""))
        outer = 20 if "." in got["source"] else 0
        found.append(Geneve(
            got["source"], got["destination"], int(got["tos"] or "0", 16), int(got["ttl"]),
            int(got["port"]), int(got["bytes"]) - outer, None, "O" in got["flags"],
            "C" in got["flags"], None, int(got["vni"], 16), options, None, None, None))
    return found


def same(one, other):
    """Fields that a decoder does not tell are None."""
    return all(a == b or a is None or b is None for a, b in zip(one, other))


def faults(capture, foreign=()):
    """(packets, sentences): how many each decoder found, and what they do not agree on. `foreign`:
    addresses of tunnel endpoints that are not Leman's."""
    said = {}
    sentences = []
    for name, decoder in (("leman", lambda capture: by_leman(capture, foreign)),
                          ("scapy", by_scapy), ("tshark", by_tshark), ("tcpdump", by_tcpdump)):
        try:
            said[name] = decoder(capture)
        except (AssertionError, labs.CommandFailed, LookupError, ValueError) as error:
            sentences.append(f"{name}: {str(error)[:500]}")
    reference = said.get("leman", [])
    for name, packets in said.items():
        if len(packets) != len(reference):
            sentences.append(f"{name} finds {len(packets)} packets, leman {len(reference)}")
        for number, (one, other) in enumerate(zip(reference, packets), 1):
            if not same(one, other):
                sentences.append(f"packet {number}: leman {one}, {name} {other}")
    return len(reference), sentences
