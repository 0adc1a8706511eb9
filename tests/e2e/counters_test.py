#!/usr/bin/env python3
"""Traffic counters against the numbers of those who send and receive: TCP itself counts its segments,
which pass the programs in aggregates."""
import socket
import struct
import unittest

import lab as labs
import traffic

TCP_INFO, SEGS_OUT = 11, 136  # linux/tcp.h; the offset in struct tcp_info
SIZE = 8 << 20


def segments(connection):
    """How many it has sent."""
    return struct.unpack_from("=I", connection.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 256), SEGS_OUT)[0]


def packets(host, what):
    """Of its one port, network or VTEP: from the workload, to it."""
    row = next(iter(host.ask(what)))["traffic"]
    return row["tx_packets"], row["rx_packets"]


class CountersTest(unittest.TestCase):
    def test_an_aggregate_counts_as_its_packets(self):
        for underlay in (4, 6):
            with labs.two_hosts(f"count{underlay}", underlay) as lab:
                for family in (4, 6):
                    with self.subTest(underlay=underlay, inner=family):
                        self.compare(lab, family)

    def compare(self, lab, family):
        # Whoever must be found is found before.
        traffic.ping(lab, "vm-1", lab.address("vm-2", family), count=1)
        here, there = lab.hosts["host-a"], lab.hosts["host-b"]
        counters = [(host, what) for host in (here, there) for what in ("ports", "networks", "peers")]
        before = [packets(*which) for which in counters]
        with labs.make_socket(lab.netns("vm-2"), traffic.FAMILIES[family]) as listener:
            listener.bind((lab.address("vm-2", family), 5001 + family))
            listener.listen(1)
            client = labs.make_socket(lab.netns("vm-1"), traffic.FAMILIES[family])
            client.connect(listener.getsockname()[:2])
            server, _ = listener.accept()
        with client, server:
            sending = labs.Background(client.sendall, traffic.make_bytes(SIZE, "count"))
            got = 0
            while got < SIZE:
                got += len(server.recv(1 << 18))
            sending.result()

            def wrong():
                """Counters that are not as TCP says; beside it there is some neighbour discovery."""
                there_to_here, here_to_there = segments(server), segments(client)
                found = []
                for (host, what), first in zip(counters, before):
                    out, back = ((here_to_there, there_to_here) if host is here else
                                 (there_to_here, here_to_there))
                    tx, rx = (now - then for now, then in zip(packets(host, what), first))
                    if not (out <= tx <= out + 10 and back <= rx <= back + 10):
                        found.append(f"{what} of {host.name}: {tx} sent, {rx} received, by TCP {out} and "
                                     f"{back}")
                return found

            # The last acknowledgement may still be to come.
            labs.wait_for(lambda: not wrong() or None, "; ".join(wrong()), 2)
            self.assertGreater(segments(client), SIZE / 1500)


if __name__ == "__main__":
    labs.main()
