"""Frames and packets as bytes: made, caught and taken apart, without the code under test."""
import collections
import ctypes
import socket
import struct
import subprocess
import tempfile
import time

import lab as labs

GENEVE_PORT = 6081
ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_AUXDATA = 8
VLAN_VALID = 0x10
SO_ATTACH_FILTER = 26  # asm-generic/socket.h
# Classic BPF, linux/filter.h: 0 for TCP over IPv4 without tags, else all.
NO_TCP = b"".join(struct.pack("=HBBI", *line) for line in (
    (0x28, 0, 0, 12), (0x15, 0, 3, 0x0800), (0x30, 0, 0, 23), (0x15, 0, 1, 6), (0x06, 0, 0, 0),
    (0x06, 0, 0, 0xFFFFFFFF)))
BROADCAST = "ff:ff:ff:ff:ff:ff"


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def ethernet(destination, source, kind, payload=b""):
    return mac_bytes(destination) + mac_bytes(source) + struct.pack("!H", kind) + payload


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(source, destination, protocol, payload, tos=0, ttl=64):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, tos, 20 + len(payload), 0, 0x4000, ttl, protocol, 0,
                       socket.inet_aton(source), socket.inet_aton(destination))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def udp(source_port, destination_port, payload):
    """Without a checksum: allowed over IPv4."""
    return struct.pack("!HHHH", source_port, destination_port, 8 + len(payload), 0) + payload


def arp_request(mac, address, target):
    return ethernet(BROADCAST, mac, 0x0806, struct.pack(
        "!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, mac_bytes(mac), socket.inet_aton(address), bytes(6),
        socket.inet_aton(target)))


def option(option_class, kind, data=b""):
    return struct.pack("!HBB", option_class, kind, len(data) // 4) + data


def geneve(vni, frame, options=b"", version=0, flags=None, protocol=0x6558):
    if flags is None:  # the C bit as the options want it
        critical, rest = False, options
        while len(rest) >= 4:
            critical |= bool(rest[2] & 0x80)
            rest = rest[4 + (rest[3] & 0x1F) * 4:]
        flags = 0x40 if critical else 0
    return struct.pack("!BBHI", version << 6 | len(options) // 4, flags, protocol,
                       vni << 8) + options + frame


# One GENEVE packet over UDP. `checksum`: the field, 0 for none; `sound`: nothing in outer lengths,
# checksums or options is wrong; `options`: (class, type, data) each.
Tunnel = collections.namedtuple(
    "Tunnel", "source destination tos ttl df source_port checksum sound control critical protocol "
    "vni options inner")


def parse_tunnel(frame, port=GENEVE_PORT):
    """The Tunnel in an untagged frame whose checksums are finished; None if there is no such."""
    kind = int.from_bytes(frame[12:14], "big")
    if kind == 0x0800 and frame[14] == 0x45 and frame[23] == 17:
        total, l4 = 14 + int.from_bytes(frame[16:18], "big"), 34
        source, destination = frame[26:30], frame[30:34]
        tos, ttl, df = frame[15], frame[22], bool(frame[20] & 0x40)
        sound = checksum(frame[14:34]) == 0 and not (frame[20] & 0x20 or frame[21])
    elif kind == 0x86DD and frame[20] == 17:
        total, l4 = 54 + int.from_bytes(frame[18:20], "big"), 54
        source, destination = frame[22:38], frame[38:54]
        tos, ttl, df = (frame[14] << 4 | frame[15] >> 4) & 0xFF, frame[21], True
        sound = True
    else:
        return None
    source_port, to, length, field = struct.unpack("!HHHH", frame[l4:l4 + 8])
    if to != port:
        return None
    datagram = frame[l4:l4 + length]
    sound = sound and l4 + length == total <= len(frame) and length >= 16
    if field:
        sound = sound and checksum(source + destination + struct.pack("!IHH", length, 0, 17)
                                   + datagram) == 0
    first, flags, protocol, word = struct.unpack("!BBHI", datagram[8:16])
    sound = sound and first >> 6 == 0 and not flags & 0x3F and not word & 0xFF
    rest, options = datagram[16:16 + (first & 0x3F) * 4], []
    inner = datagram[16 + len(rest):]
    while rest:
        size = 4 + (rest[3] & 0x1F) * 4
        sound = sound and size <= len(rest) and not rest[3] & 0xE0
        options.append((int.from_bytes(rest[:2], "big"), rest[2], rest[4:size]))
        rest = rest[size:]
    family = socket.AF_INET if kind == 0x0800 else socket.AF_INET6
    return Tunnel(socket.inet_ntop(family, source), socket.inet_ntop(family, destination), tos, ttl,
                  df, source_port, field, sound, bool(flags & 0x80), bool(flags & 0x40), protocol,
                  word >> 8, tuple(options), inner)


class Ear:
    """Everything that comes in (and, if wanted, goes out) at one device, VLAN tags in place."""

    def __init__(self, netns, device="eth0", outgoing=False, without_tcp=False):
        self._outgoing = outgoing
        self._socket = labs.make_socket(netns, socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, labs.SO_RCVBUFFORCE, 64 << 20)
        self._socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        if without_tcp:
            program = ctypes.create_string_buffer(NO_TCP)
            self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack(
                "@HP", len(NO_TCP) // 8, ctypes.addressof(program)))
        self._socket.bind((device, ETH_P_ALL))
        self._socket.setblocking(False)
        self.frames = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def drain(self):
        while True:
            try:
                frame, control, _, address = self._socket.recvmsg(70000, 128)
            except BlockingIOError:
                return self.frames
            if not self._outgoing and address[2] == socket.PACKET_OUTGOING:
                continue
            for level, kind, data in control:
                if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                    status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", data[:20])
                    if status & VLAN_VALID:
                        frame = frame[:12] + struct.pack("!HH", tpid, tci) + frame[12:]
            self.frames.append(frame)

    def wait(self, wanted, what, seconds=5.0):
        """The first frame for which `wanted(frame)` is true."""
        return labs.wait_for(lambda: next(filter(wanted, self.drain()), None), what, seconds, 0.005)

    def dissect(self, *fields, display_filter=None):
        """Rows of tshark's fields, one a frame that passes the filter."""
        with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
            write_pcap(file, self.drain())
            argv = ["tshark", "-n", "-r", file.name, "-o", "ip.check_checksum:TRUE",
                    "-o", "udp.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
                    # Whether TCP retransmits is no matter of the packets' form.
                    "-o", "tcp.analyze_sequence_numbers:FALSE", "-T", "fields",
                    "-E", "separator=|"]
            if display_filter:
                argv += ["-Y", display_filter]
            for field in fields:
                argv += ["-e", field]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
        return [tuple(line.split("|")) for line in done.stdout.splitlines()]


def write_pcap(file, frames):
    file.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
    now = time.time()
    for number, frame in enumerate(frames):
        file.write(struct.pack("=IIII", int(now), number, len(frame), len(frame)) + frame)
    file.flush()


class Mouth:
    """Sends frames out of one device as they are."""

    def __init__(self, netns, device="eth0"):
        self._socket = labs.make_socket(netns, socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.bind((device, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def say(self, frame):
        self._socket.send(frame)


class ForeignVtep:
    """A tunnel endpoint that is not Leman: a UDP socket on a host whose agent was taken off."""

    def __init__(self, host, peer, address):
        self.peer = peer
        self._socket = labs.make_socket(host.netns, socket.AF_INET, socket.SOCK_DGRAM, timeout=5)
        self._socket.setsockopt(socket.SOL_SOCKET, labs.SO_RCVBUFFORCE, 16 << 20)
        self._socket.bind((address, GENEVE_PORT))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def send(self, packet):
        self._socket.sendto(packet, (self.peer, GENEVE_PORT))

    def receive(self, wanted=lambda vni, options, frame: True):
        """(VNI, options, inner frame) of the next packet that is wanted."""
        while True:
            data = self._socket.recv(65535)
            assert data[0] >> 6 == 0 and data[2:4] == b"\x65\x58", data[:8].hex()
            end = 8 + (data[0] & 0x3F) * 4
            got = int.from_bytes(data[4:7], "big"), data[8:end], data[end:]
            if wanted(*got):
                return got
