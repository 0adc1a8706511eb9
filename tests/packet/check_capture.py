#!/usr/bin/env python3
"""Reads captures of tunnel packets with tshark: every packet must be sound GENEVE.

  check_capture.py CAPTURE...

A capture that is not there holds no packets, but one with packets there must be.
"""
import os
import shutil
import subprocess
import sys

CAPTURES = sys.argv[1:]
SKIPPED = 77  # ctest's exit status for it
CHECKS = ["-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]
# Zero is a legal UDP checksum for a tunnel (RFC 6935).
FIELDS = ["frame.number", "geneve.version", "geneve.flags.oam", "geneve.proto_type", "geneve.vni",
          "geneve.option.length.invalid", "ip.checksum.status", "udp.checksum.status", "udp.checksum",
          "_ws.malformed", "frame.protocols"]
# What the tests put into their tenants' packets is no DNS, and some of it is cut on purpose: these may
# be malformed, but nothing around them.
TENANTS = {"dns", "arp", "icmpv6", "loop"}


def check(capture):
    """Packets read and how many of them are bad."""
    run = subprocess.run(["tshark", "-r", capture, "-n", *CHECKS, "-T", "fields", "-E",
                          "occurrence=f", "-E", "separator=;",
                          *[word for field in FIELDS for word in ("-e", field)]],
                         check=True, capture_output=True, text=True)
    bad = 0
    lines = run.stdout.splitlines()
    for line in lines:
        got = dict(zip(FIELDS, line.split(";")))
        faults = []
        if got["geneve.version"] != "0" or got["geneve.proto_type"] != "0x6558":
            faults.append("no GENEVE header with Ethernet inside")
        if got["geneve.flags.oam"] not in ("0", "False"):
            faults.append("O bit")
        if got["geneve.option.length.invalid"]:
            faults.append("option length")
        if got["ip.checksum.status"] == "0":
            faults.append("outer IPv4 header checksum")
        if got["udp.checksum.status"] == "0" and got["udp.checksum"] != "0x0000":
            faults.append("outer UDP checksum")
        if ":geneve:eth" not in got["frame.protocols"]:
            faults.append("the inner frame was not reached: " + got["frame.protocols"])
        if got["_ws.malformed"] and got["frame.protocols"].split(":")[-1] not in TENANTS:
            faults.append("malformed: " + got["frame.protocols"])
        if faults:
            bad += 1
            print("%s packet %s: %s" % (capture, got["frame.number"], ", ".join(faults)))
    return len(lines), bad


def main():
    if shutil.which("tshark") is None:
        print("skipped: no tshark to read the captures; tools/setup.sh run")
        return SKIPPED
    counts = [check(capture) for capture in CAPTURES if os.path.exists(capture)]
    packets, bad = sum(c[0] for c in counts), sum(c[1] for c in counts)
    print("%d packets read by tshark, %d bad" % (packets, bad))
    return 1 if bad or not packets else 0


sys.exit(main())
