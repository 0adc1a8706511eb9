"""Aggregates and pending checksums for offload_test.cc, with the tunnel packets they become."""
from frames import *  # noqa: F403

table = Table()
SEGMENT, SEGMENTS = 1300, 4
PAYLOAD = bytes(range(256)) * 20
LAST = 700
PAYLOAD = PAYLOAD[:SEGMENT * (SEGMENTS - 1) + LAST]
OPTIONS = bytes.fromhex("ff000101deadbeef" "ff000200")  # of every packet, in this order


def pseudo_sum(src, dst, proto, length):
    import ipaddress
    data = ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed
    data += proto.to_bytes(4, "big") + length.to_bytes(4, "big")
    total = sum(int.from_bytes(data[i:i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def tcp(family, payload, seq=1, ident=100, **fields):
    ip = IP(src=A4, dst=R4, id=ident, flags="DF") if family == 4 else IPv6(src=A6, dst=R6)
    return final(Ether(src=A, dst=R) / ip /
                 TCP(sport=1000, dport=2000, seq=seq, flags="A", **fields) / Raw(payload))


for family in (4, 6):
    addresses = (A4, R4) if family == 4 else (A6, R6)
    pending = pseudo_sum(*addresses, 6, 20 + len(PAYLOAD))
    aggregate = tcp(family, PAYLOAD, chksum=pending)
    segments = [tcp(family, PAYLOAD[i * SEGMENT:(i + 1) * SEGMENT], seq=1 + i * SEGMENT,
                    ident=100 + i) for i in range(SEGMENTS)]
    for v6 in (False, True):
        # Linux numbers outer IPv4 packets that it cuts by itself, from 0 as in the aggregate.
        cut = [sent(s, v6=v6, checksum=False, options=OPTIONS, **({} if v6 else {"ident": i}))
               for i, s in enumerate(segments)]
        table.add("tcp%d_in_ip%d" % (family, 6 if v6 else 4), "port", aggregate, "redirect", "forwarded",
                  out=sent(aggregate, v6=v6, checksum=False, options=OPTIONS),
                  cut=[packet.hex() for packet in cut], network_options=OPTIONS.hex(),
                  segments=[sent(s, v6=v6, options=OPTIONS).hex() for s in segments], v6=v6,
                  start=14 + (20 if family == 4 else 40), family=family,
                  local=[s.hex() for s in segments])
table.write()
