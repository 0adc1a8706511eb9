"""Traffic between namespaces whose every byte is checked at the other end."""
import hashlib
import os
import re
import select
import socket
import struct
import subprocess
import threading
import time

import lab as labs
import wire

IP_RECVTOS = 13  # linux/in.h
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


def ping(lab, source, address, *more, count=3, check=True):
    return lab.run(source, "ping", "-n", "-c", count, "-i", "0.05", "-W", "3", *more, address,
                   check=check)


def ping_summary(text):
    """(sent, received, duplicates, errors) of ping's own summary."""
    found = re.search(r"(\d+) packets transmitted, (\d+) received(?:, \+(\d+) duplicates)?"
                      r"(?:, \+(\d+) errors)?", text)
    return tuple(int(number or 0) for number in found.groups())


def echo(source_ns, address, sizes=(56,), family=4, timeout=3):
    """An ICMP echo request of each size, and its answer with the same bytes. ping in this process."""
    protocol = socket.IPPROTO_ICMP if family == 4 else socket.IPPROTO_ICMPV6
    request, reply = (8, 0) if family == 4 else (128, 129)
    number = os.getpid() & 0xFFFF
    with labs.make_socket(source_ns, FAMILIES[family], socket.SOCK_RAW, protocol,
                          timeout=timeout) as raw:
        for sequence, size in enumerate(sizes):
            tail = struct.pack("!HH", number, sequence) + make_bytes(size, size)
            message = struct.pack("!BBH", request, 0, 0) + tail
            if family == 4:  # the kernel does it for ICMPv6
                message = message[:2] + struct.pack("!H", wire.checksum(message)) + tail
            raw.sendto(message, (address, 0))
            while True:
                try:
                    got, sender = raw.recvfrom(70000)
                except TimeoutError:
                    raise AssertionError(f"no echo of {size} bytes from {address}") from None
                got = got[20:] if family == 4 else got
                if sender[0] == address and got[0] == reply and got[4:8] == tail[:4]:
                    break
            if got[4:] != tail:
                raise AssertionError(f"echo of {size} bytes came back as other bytes")


def make_bytes(size, seed):
    """Bytes that repeat nowhere near: a lost, doubled or swapped piece changes the hash."""
    return hashlib.shake_128(str(seed).encode()).digest(size)


def _send(stream, data):
    stream.sendall(data)
    stream.shutdown(socket.SHUT_WR)


def _receive(stream):
    digest = hashlib.sha256()
    size = 0
    while piece := stream.recv(1 << 18):
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()


def tcp_both_ways(client_ns, server_ns, address, size=4 << 20, family=4, port=5001, timeout=6):
    """Both ends send `size` bytes at once; raises unless both arrive whole."""
    listener = labs.make_socket(server_ns, FAMILIES[family], timeout=timeout)
    client = labs.make_socket(client_ns, FAMILIES[family], timeout=timeout)
    with listener, client:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(1)
        client.connect((address, port))
        server, _ = listener.accept()
        server.settimeout(timeout)
        with server:
            there, back = make_bytes(size, "there"), make_bytes(size, "back")
            work = [labs.Background(_send, client, there), labs.Background(_send, server, back),
                    labs.Background(_receive, server), labs.Background(_receive, client)]
            results = [one.result(timeout * 2) for one in work]
    for sent, (count, digest) in ((there, results[2]), (back, results[3])):
        if count != size or digest != hashlib.sha256(sent).hexdigest():
            raise AssertionError(f"TCP: {count} of {size} bytes came, hash {digest}")


def udp_sizes(client_ns, server_ns, address, sizes, family=4, port=5002):
    """A datagram of each size there and back; its bytes are compared."""
    server = labs.make_socket(server_ns, FAMILIES[family], socket.SOCK_DGRAM, timeout=3)
    client = labs.make_socket(client_ns, FAMILIES[family], socket.SOCK_DGRAM, timeout=3)
    with server, client:
        server.bind((address, port))
        client.connect((address, port))
        for size in sizes:
            data = make_bytes(size, size)
            client.send(data)
            got, sender = server.recvfrom(65535)
            if got != data:
                raise AssertionError(f"UDP of {size} bytes came as {len(got)} other bytes")
            server.sendto(data, sender)
            if client.recv(65535) != data:
                raise AssertionError(f"UDP of {size} bytes came back as other bytes")


def tos_received(source_ns, target_ns, address, tos, family=4, port=5003):
    """The TOS or traffic class with which a datagram sent with `tos` comes."""
    level, send, receive = ((socket.IPPROTO_IP, socket.IP_TOS, IP_RECVTOS) if family == 4 else
                            (socket.IPPROTO_IPV6, socket.IPV6_TCLASS, socket.IPV6_RECVTCLASS))
    server = labs.make_socket(target_ns, FAMILIES[family], socket.SOCK_DGRAM, timeout=3)
    client = labs.make_socket(source_ns, FAMILIES[family], socket.SOCK_DGRAM)
    with server, client:
        server.setsockopt(level, receive, 1)
        server.bind((address, port))
        client.setsockopt(level, send, tos)
        client.sendto(b"marked", (address, port))
        _, control, _, _ = server.recvmsg(100, 100)
        return control[0][2][0]


class Stream:
    """A TCP connection that sends until stop(), at a pace that leaves the processor to others, and whose
    bytes are compared one by one at the other end."""

    _PIECE = make_bytes(1 << 16, "stream")

    def __init__(self, lab, source, target, family, port=5009):
        address = lab.address(target, family)
        with labs.make_socket(lab.netns(target), FAMILIES[family]) as listener:
            listener.bind((address, port))
            listener.listen(1)
            self._out = labs.make_socket(lab.netns(source), FAMILIES[family], timeout=20)
            self._out.connect((address, port))
            self._in, _ = listener.accept()
        self._in.settimeout(20)
        self._stop = threading.Event()
        self._work = [labs.Background(self._send), labs.Background(self._receive)]

    def _send(self):
        sent = 0
        while not self._stop.wait(0.004):
            self._out.sendall(self._PIECE[:8] + struct.pack("!Q", sent) + self._PIECE[16:])
            sent += 1
        self._out.shutdown(socket.SHUT_WR)
        return sent

    def _receive(self):
        number, data = 0, bytearray()
        while piece := self._in.recv(1 << 18):
            data += piece
            while len(data) >= len(self._PIECE):
                head = self._PIECE[:8] + struct.pack("!Q", number)
                if data[:16] != head or data[16:len(self._PIECE)] != self._PIECE[16:]:
                    raise AssertionError(f"TCP: piece {number} came as other bytes")
                del data[:len(self._PIECE)]
                number += 1
        if data:
            raise AssertionError(f"TCP: piece {number} came in part")
        return number

    def stop(self):
        """How many bytes were sent, all of which have come."""
        self._stop.set()
        with self._out, self._in:
            sent, received = (work.result(40) for work in self._work)
        if received != sent:
            raise AssertionError(f"TCP: {received} of {sent} pieces came")
        return sent * len(self._PIECE)


class Pings:
    """Echo requests every millisecond until stop(), which waits for the answers that are still on their
    way: ping itself counts those as lost."""

    def __init__(self, lab, source, address, interval=0.001):
        self._socket = labs.make_socket(lab.netns(source), socket.AF_INET, socket.SOCK_RAW,
                                        socket.IPPROTO_ICMP)
        self._socket.setsockopt(socket.SOL_SOCKET, labs.SO_RCVBUFFORCE, 16 << 20)
        self._socket.connect((address, 0))
        self._interval = interval
        self._identity = os.getpid() & 0xffff
        self._stop = threading.Event()
        self._answered = set()
        self.sent = self._duplicates = self._errors = 0
        self._work = labs.Background(self._run)

    def _run(self):
        next_time = time.monotonic()
        deadline = None
        while deadline is None or (len(self._answered) < self.sent and
                                   time.monotonic() < deadline):
            now = time.monotonic()
            if deadline is None and self._stop.is_set():
                deadline = now + 3
            if deadline is None and now >= next_time:
                self._send()
                next_time = max(next_time + self._interval, now)  # late ones do not come in a burst
            wait = next_time - now if deadline is None else 0.1
            if select.select([self._socket], [], [], max(0, wait))[0]:
                self._take(self._socket.recv(2048))

    def _send(self):
        body = struct.pack("!HHI", self._identity, self.sent & 0xffff, self.sent)
        total = wire.checksum(b"\x08\0\0\0" + body)
        try:
            self._socket.send(struct.pack("!BBH", 8, 0, total) + body)
        except OSError as error:
            print(f"ping {self.sent}: {error}")
            self._errors += 1
        self.sent += 1

    def _take(self, packet):
        message = packet[(packet[0] & 15) * 4:]
        if message[0] != 0 or len(message) < 12:
            self._errors += message[0] != 8
            return
        identity, _, number = struct.unpack_from("!HHI", message, 4)
        if identity == self._identity:
            self._duplicates += number in self._answered
            self._answered.add(number)

    def received(self):
        return len(self._answered)

    def wait_for(self, count, seconds=60):
        """Until so many answers came: what a busy machine sends in a second is no measure."""
        labs.wait_for(lambda: self.received() >= count, f"{count} answers", seconds)

    def stop(self):
        """(sent, received, duplicates, errors)"""
        self._stop.set()
        self._work.result()
        self._socket.close()
        lost = sorted(set(range(self.sent)) - self._answered)
        if lost:
            print(f"lost: {lost[:50]} of {self.sent}")
        return self.sent, self.received(), self._duplicates, self._errors
