#!/usr/bin/env python3
"""RTP streams with known loss, order, copies and jitter: what `hepcat agent` reports is what was injected, and what
tshark says of the same capture (`-z rtp,streams`)."""

from __future__ import annotations

import dataclasses
import json
import random
import re
import struct
import subprocess
import unittest

import lib
from test_agent import agent

START = 1700000000


@dataclasses.dataclass
class Stream:
    """One direction: how it is sent, and what the network does to it."""

    name: str
    ssrc: int
    kind: int = 8  # payload type
    codec: str = "PCMA/8000"
    clock: int = 8000
    packets: int = 500
    ptime: int = 20  # ms
    first: int = 100  # sequence number
    time: int = 0  # RTP time at first
    lost: frozenset[int] = frozenset()
    swapped: frozenset[int] = frozenset()  # overtaken by the one behind it
    copied: frozenset[int] = frozenset()
    late_ms: tuple[float, ...] = (0,)  # in turn
    order: int = 0

    def sent(self) -> list[tuple[float, bytes]]:
        """(time, RTP) in the order in which they pass."""
        rows = []
        for n in range(self.packets):
            if n in self.lost:
                continue
            when = n * self.ptime / 1000 + self.late_ms[n % len(self.late_ms)] / 1000
            if n in self.swapped:
                when += 1.25 * self.ptime / 1000
            octets = struct.pack(">BBHII", 0x80, self.kind, (self.first + n) & 0xFFFF,
                                 (self.time + n * self.clock * self.ptime // 1000) & 0xFFFFFFFF, self.ssrc) + b"\x55" * 80
            rows += [(when, octets)] * (2 if n in self.copied else 1)
        return sorted(rows, key=lambda row: row[0])


def every(step: int, start: int, end: int) -> frozenset[int]:
    return frozenset(range(start, end, step))


RANDOM = random.Random(5)
STREAMS = [
    Stream("clean", 0x100),
    Stream("loss of 2 %", 0x101, lost=every(50, 25, 500)),
    Stream("loss in bursts", 0x102, lost=frozenset(n for n in range(100, 480) if n % 100 < 12)),
    Stream("random loss of 10 %", 0x103, lost=frozenset(n for n in range(5, 495) if RANDOM.random() < 0.1)),
    Stream("order", 0x104, swapped=every(40, 10, 490)),
    Stream("copies", 0x105, copied=every(25, 10, 490)),
    Stream("over the end of the numbers", 0x106, first=65400, lost=every(60, 100, 200)),
    Stream("over the end of the time", 0x107, time=0xFFFFFFFF - 30000),
    Stream("even jitter", 0x108, late_ms=(0, 6)),
    Stream("uneven jitter", 0x109, late_ms=(0, 3, 11, 1, 7, 0, 15, 2)),
    Stream("jitter, loss and order", 0x10A, late_ms=(0, 3, 9, 4), lost=every(30, 15, 490), swapped=every(40, 10, 480)),
    Stream("PCMU of 30 ms", 0x10B, 0, "PCMU/8000", ptime=30, packets=300, late_ms=(0, 2, 5)),
    Stream("G722 with the clock that RFC 3551 says", 0x10C, 9, "G722/8000", late_ms=(0, 4)),
    Stream("opus", 0x10D, 111, "opus/48000/2", 48000, late_ms=(0, 4, 1)),
    Stream("AMR-WB", 0x10E, 97, "AMR-WB/16000", 16000, late_ms=(0, 5), lost=every(100, 50, 490)),
]
for number, stream in enumerate(STREAMS):
    stream.order = number


def call(s: Stream, port: int) -> list[tuple[float, bytes]]:
    """INVITE and 200 of the call whose callee receives the stream."""
    def message(first: str, addr: str, media: int) -> bytes:
        body = (f"v=0\r\no=- 1 1 IN IP4 {addr}\r\ns=-\r\nc=IN IP4 {addr}\r\nt=0 0\r\nm=audio {media} RTP/AVP {s.kind}\r\n"
                f"a=rtpmap:{s.kind} {s.codec}\r\n")
        return (f"{first}\r\nVia: SIP/2.0/UDP 10.7.0.1;branch=z9hG4bK{s.ssrc}\r\nFrom: <sip:a@x>;tag=a\r\n"
                f"To: <sip:b@x>;tag=b\r\nCall-ID: {s.ssrc:x}@x\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}").encode()

    return [(0.0, lib.ethernet(lib.ip4(lib.udp(message("INVITE sip:b@x SIP/2.0", "10.7.0.1", port), 5060, 5060), 17))),
            (0.1, lib.ethernet(lib.ip4(lib.udp(message("SIP/2.0 200 OK", "10.7.0.2", port + 2), 5060, 5060), 17)))]


def trace() -> bytes:
    timed: list[tuple[float, bytes]] = []
    for s in STREAMS:
        port = 20000 + 4 * s.order
        timed += call(s, port)
        timed += [(0.5 + s.order / 1000 + when, lib.ethernet(lib.ip4(lib.udp(octets, port, port + 2), 17, src="10.7.0.1",
                                                                   dst="10.7.0.2"))) for when, octets in s.sent()]
    timed.sort(key=lambda row: row[0])
    return lib.pcap([]) + b"".join(struct.pack("<IIII", START + int(t), round(t % 1 * 1e6), len(p), len(p)) + p
                                   for t, p in timed)


def jitter(s: Stream) -> tuple[float, float, float]:
    """Least, mean and greatest interarrival jitter in ms, by RFC 3550 appendix A.8 over the packets as they pass."""
    values, now, before = [], 0.0, None
    seen: set[int] = set()
    for when, octets in s.sent():
        seq, time = struct.unpack(">HI", octets[2:8])
        if seq in seen:
            continue
        seen.add(seq)
        at = (round((0.5 + s.order / 1000 + when) * 1e6) / 1000, ((time - s.time) & 0xFFFFFFFF) * 1000 / s.clock)
        if before is not None:
            now += (abs((at[0] - before[0]) - (at[1] - before[1])) - now) / 16
            values.append(now)
        before = at
    return min(values), sum(values) / len(values), max(values)


def tshark(path: str) -> dict[int, dict]:
    """Figures of `-z rtp,streams` by SSRC: packets, lost, and in ms least, mean and greatest delta and jitter."""
    lib.need("tshark")
    args = ["tshark", "-r", path, "-q", "-z", "rtp,streams", "-o", "rtp.heuristic_rtp:TRUE"]
    out = subprocess.run(args, capture_output=True, text=True, timeout=lib.TIMEOUT, check=True).stdout
    rows = {}
    for line in out.splitlines():
        m = re.search(r"0x([0-9A-Fa-f]{8})\s+(.+?)\s+(\d+)\s+(-?\d+) \((-?[\d.]+)%\)\s+(.*)$", line)
        if m is not None:
            figures = [float(v) for v in re.findall(r"-?\d+\.\d+", m.group(6))]
            rows[int(m.group(1), 16)] = {"packets": int(m.group(3)), "lost": int(m.group(4)), "figures": figures}
    return rows


class Streams(lib.Case):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.file("streams.pcap", trace())
        result = agent("--read", self.path, "--to", "-", "--media", "rtp")
        self.assertEqual(result.code, 0, result)
        reports = [json.loads(m["payload"]) for m in lib.decode(result.out) if m["rcinfo"]["payloadType"] == 34]
        self.final = {r["SSRC"]: r for r in reports if r["TYPE"] == "HANGUP"}
        self.periodic = [r for r in reports if r["TYPE"] == "PERIODIC"]
        self.assertEqual(len(self.final), len(STREAMS))

    def test_injected(self) -> None:
        for s in STREAMS:
            with self.subTest(s.name):
                r = self.final[s.ssrc]
                inner = {n for n in s.lost if 0 < n < s.packets - 1}
                self.assertEqual((r["EXPECTED_PK"], r["TOTAL_PK"], r["PACKET_LOSS"]),
                                 (s.packets, s.packets - len(inner), len(inner)))
                self.assertEqual(r["DUPLICATES"], len(s.copied))
                late = {n for n in s.swapped - s.lost if n + 1 not in s.lost}
                self.assertEqual(r["OUT_ORDER"], len(late))
                self.assertEqual((r["CODEC_NAME"], r["CLOCK"]), (s.codec.split("/")[0], s.clock))
                self.assertEqual(r["CORRELATION_ID"], f"{s.ssrc:x}@x")
                least, mean, most = jitter(s)
                self.assertAlmostEqual(r["MIN_JITTER"], least, delta=0.01)
                self.assertAlmostEqual(r["MEAN_JITTER"], mean, delta=0.01)
                self.assertAlmostEqual(r["MAX_JITTER"], most, delta=0.01)

    def test_as_tshark(self) -> None:
        theirs = tshark(str(self.path))
        self.assertEqual(sorted(theirs), sorted(self.final))
        for s in STREAMS:
            with self.subTest(s.name):
                ours, row = self.final[s.ssrc], theirs[s.ssrc]
                self.assertEqual(ours["TOTAL_PK"] + ours["DUPLICATES"], row["packets"])
                self.assertEqual(ours["PACKET_LOSS"] - ours["DUPLICATES"], row["lost"])  # copies make up for loss there
                deltas, jitters = row["figures"][:3], row["figures"][3:6]
                for key, value in zip(("MIN_JITTER", "MEAN_JITTER", "MAX_JITTER"), jitters):
                    self.assertAlmostEqual(ours[key], value, delta=0.002, msg=key)
                self.assertAlmostEqual(ours["MAX_DELTA"], deltas[2], delta=0.002)


if __name__ == "__main__":
    lib.main()
