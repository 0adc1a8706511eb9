#!/usr/bin/python3
"""Makes the capture files of this directory with scapy, which shares no code with leman.

Needs python3-scapy (Debian). Run it here after a change; the tests read the committed files, so that
building does not need scapy. --check compares instead of writing.
"""

import pathlib
import sys

from scapy.all import (ARP, CookedLinux, CookedLinuxV2, Dot1Q, Ether, ICMP, IP, IPv6, PcapNgWriter,
                       PcapWriter, Raw, TCP, UDP)
from scapy.contrib.geneve import GENEVE, GeneveOptions

HERE = pathlib.Path(__file__).resolve().parent
BASE_TIME = 1767322800.0  # 2026-01-02 03:00:00 UTC


def outer(src="192.168.1.101", dst="192.168.1.102"):
    return (Ether(src="02:00:c0:a8:01:65", dst="02:00:c0:a8:01:66") /
            IP(src=src, dst=dst, flags="DF", id=0) / UDP(sport=54321, dport=6081))


def inner():
    return (Ether(src="aa:bb:cc:dd:ee:ff", dst="aa:bb:cc:dd:ee:11") /
            IP(src="10.0.1.10", dst="10.0.1.11") / ICMP(id=0x1234, seq=1) / Raw(b"GENEVE!!"))


def packets():
    ovn = GeneveOptions(classid=0x0102, type=0x80, length=1, data=bytes.fromhex("00058003"))
    unknown = GeneveOptions(classid=0xff00, type=0x81, length=1, data=bytes.fromhex("deadbeef"))
    tcp = (Ether(src="aa:bb:cc:dd:ee:ff", dst="aa:bb:cc:dd:ee:11") / Dot1Q(vlan=100) /
           IP(src="10.0.1.10", dst="10.0.1.11") / TCP(sport=40000, dport=443, flags="S", seq=7))
    arp = (Ether(src="aa:bb:cc:dd:ee:ff", dst="ff:ff:ff:ff:ff:ff") /
           ARP(hwsrc="aa:bb:cc:dd:ee:ff", psrc="10.0.1.10", pdst="10.0.1.11"))
    six = (Ether(src="02:00:c0:a8:01:65", dst="02:00:c0:a8:01:66") /
           IPv6(src="2001:db8::101", dst="2001:db8::102") / UDP(sport=50000, dport=6081) /
           GENEVE(vni=7, proto=0x6558) / Ether(src="aa:bb:cc:dd:ee:ff", dst="33:33:00:00:00:01") /
           IPv6(src="fe80::1", dst="ff02::1") / UDP(sport=5353, dport=5353) / Raw(b"mdns"))
    return [
        outer() / GENEVE(vni=10001, proto=0x6558) / inner(),
        outer() / GENEVE(vni=10002, proto=0x6558, critical=1, optionlen=2, options=[ovn]) / tcp,
        outer() / GENEVE(vni=10001, proto=0x6558, critical=1, optionlen=2,
                         options=[unknown]) / inner(),
        outer() / GENEVE(vni=10001, proto=0x6558) / arp,
        six,
        outer() / GENEVE(vni=10001, proto=0x6558, version=1) / inner(),
        outer() / GENEVE(vni=10001, proto=0x6558, oam=1) / inner(),
        (Ether(src="02:00:c0:a8:01:65", dst="02:00:c0:a8:01:66") /
         IP(src="192.168.1.101", dst="192.168.1.102") / UDP(sport=53000, dport=53) / Raw(b"dns")),
    ]


def stamp(frames):
    for i, frame in enumerate(frames):
        frame.time = BASE_TIME + i + i * 0.001
    return frames


def write(directory):
    mixed = [Ether(bytes(p)) for p in packets()]
    writer = PcapWriter(str(directory / "mixed.pcap"), linktype=1, nano=True)
    for p in stamp(mixed):
        writer.write(p)
    writer.close()
    writer = PcapNgWriter(str(directory / "mixed.pcapng"))
    for p in stamp(mixed):
        writer.write(p)
    writer.close()
    # The same first two packets under the other link types.
    ip = [Raw(bytes(p[IP])) for p in packets()[:2]]
    writer = PcapWriter(str(directory / "raw.pcap"), linktype=101)
    for p in stamp(ip):
        writer.write(p)
    writer.close()
    sll = [CookedLinux(proto=0x0800) / Raw(bytes(p[IP])) for p in packets()[:2]]
    writer = PcapWriter(str(directory / "sll.pcap"), linktype=113)
    for p in stamp(sll):
        writer.write(p)
    writer.close()
    sll2 = [CookedLinuxV2(proto=0x0800) / Raw(bytes(p[IP])) for p in packets()[:2]]
    writer = PcapWriter(str(directory / "sll2.pcap"), linktype=276)
    for p in stamp(sll2):
        writer.write(p)
    writer.close()


if __name__ == "__main__":
    if "--check" in sys.argv:
        import tempfile
        with tempfile.TemporaryDirectory() as name:
            write(pathlib.Path(name))
            stale = [f.name for f in sorted(pathlib.Path(name).iterdir())
                     if f.read_bytes() != (HERE / f.name).read_bytes()]
        sys.exit("out of date: " + ", ".join(stale) if stale else 0)
    write(HERE)
