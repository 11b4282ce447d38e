"""Messages as a capture file, and as frames on their way to a server."""

from __future__ import annotations

import struct
from pathlib import Path

import lib
from script import Message


def packet(m: Message, streams: dict) -> bytes:
    """An Ethernet frame. Octets of a TCP direction are counted in `streams`."""
    payload = m.payload.encode("utf-8", "surrogateescape")
    (src, sport), (dst, dport) = m.src, m.dst
    if m.proto == "udp":
        number, segment = 17, lib.udp(payload, sport, dport)
    else:
        at = streams.setdefault((m.src, m.dst), 1000)
        streams[m.src, m.dst] = at + len(payload)
        number, segment = 6, lib.tcp(payload, at, streams.get((m.dst, m.src), 1000), 0x18, sport, dport)
    return lib.ethernet(lib.ip6(segment, number, src, dst) if ":" in src else lib.ip4(segment, number, src, dst))


def pcap(messages: list[Message], path: Path) -> None:
    """In the order in which they come, each with its own time."""
    streams: dict = {}
    with path.open("wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for m in messages:
            octets = packet(m, streams)
            us = round(m.at * 1e6)
            f.write(struct.pack("<IIII", us // 1000000, us % 1000000, len(octets), len(octets)) + octets)


def frames(messages: list[Message]) -> list[dict]:
    """As `hepcat encode` takes them."""
    out = []
    for m in messages:
        us = round(m.at * 1e6)
        out.append({"rcinfo": {
            "protocolFamily": 10 if ":" in m.src[0] else 2, "protocol": 17 if m.proto == "udp" else 6,
            "srcIp": m.src[0], "dstIp": m.dst[0], "srcPort": m.src[1], "dstPort": m.dst[1],
            "timeSeconds": us // 1000000, "timeUseconds": us % 1000000, "payloadType": 1, "captureId": 2000 + m.tap},
            "payload": m.payload})
    return out


def as_they_arrive(groups: list[list[Message]]) -> list[Message]:
    """Groups side by side; each keeps its order, whatever the times of capture in it."""
    all_of_them = []
    for g, group in enumerate(groups):
        latest = 0.0
        for i, m in enumerate(group):
            latest = max(latest, m.arrives)
            all_of_them.append((latest, g, i, m))
    return [m for _, _, _, m in sorted(all_of_them, key=lambda x: x[:3])]
