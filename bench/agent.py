#!/usr/bin/env python3
"""hepcat agent from a capture and live: CPU a packet and loss, beside sngrep and tcpdump in the same run.

    bench/agent.py BUILD_DIR [--packets N] [--calls N] [--streams N] [--rates R,R]

Makes captures of SIP (N packets of one size, each of a call of its own), of `hepcat demo` (SIP over UDP and TCP, RTCP), of RTP
(50 packets of each stream) and of RTP with as many packets of SIP as fit a real trace, one in a hundred, and sends them as HEP to a UDP socket that nobody reads. CPU is user and system time of the program; "without the send call" is
the same with frames to /dev/null. Live, as root: packets from one end of a veth pair in a namespace of its own at a
given rate, counted at the agent.
"""

from __future__ import annotations

import argparse
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from capture import cpu_and_rss

SNGREP = 100_000  # packets that it gets: it takes 100 us for each

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
import lib  # noqa: E402
import netns  # noqa: E402

SENDER = """
import socket, sys, time
device, rate, count, data = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.stdin.buffer.read()
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((device, 0))
begin, sent = time.monotonic(), 0
while sent < count:
    due = min(count, int((time.monotonic() - begin) * rate) + 1)
    for _ in range(due - sent): s.send(data)
    sent = due
    time.sleep(0.0005)
print(sent / (time.monotonic() - begin))
"""


FIRST = 10_000_000  # calls have numbers of eight digits


def packet(number: int) -> bytes:
    """An INVITE without body of some 540 octets."""
    extra = "".join(f"X-Header-{i}: value number {i} of the message\r\n" for i in range(6))
    text = lib.sip(number, "INVITE").replace("Content-Length", extra + "Content-Length")
    return lib.ethernet(lib.ip4(lib.udp(text.encode(), 5060, 5060), 17))


class Packets:
    """The same one by one: numbers put into the octets of one that was made."""

    def __init__(self) -> None:
        self.octets, self.decimal, self.hex = packet(FIRST), str(FIRST).encode(), b"%08x" % FIRST

    def __call__(self, number: int) -> bytes:
        return self.octets.replace(self.decimal, b"%08d" % (FIRST + number)).replace(self.hex, b"%08x" % (FIRST + number))


def capture(path: Path, packets) -> None:
    """packets: (microseconds, octets)."""
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for us, data in packets:
            out.write(struct.pack("<IIII", 1700000000 + us // 1000000, us % 1000000, len(data), len(data)) + data)


def sip_packets(count: int):
    make = Packets()
    return ((i * 100, make(i)) for i in range(count))


def rtp_packets(streams: int, each: int):
    """PCMA of 20 ms, all streams beside one another."""
    frame = lib.ethernet(lib.ip4(lib.udp(bytes(172), 4000, 5000), 17))
    ends = [(bytes([10, 1 + (s >> 14), s >> 7 & 127, s & 127]), s) for s in range(streams)]
    for n in range(each):
        for ip, s in ends:
            rtp = struct.pack(">BBHII", 0x80, 8, n, n * 160, s)
            yield n * 20000 + s * 20000 // streams, frame[:26] + ip + frame[30:42] + rtp + frame[54:]


def mixed_packets(streams: int, each: int):
    make = Packets()
    for n, (us, data) in enumerate(rtp_packets(streams, each)):
        if n % 100 == 0:
            yield us, make(n)
        yield us, data


def row(name: str, argv: list[str], packets: int, rounds: int = 3) -> None:
    cpu, rss = min(cpu_and_rss(argv) for _ in range(rounds))
    print(f"{name:58} {packets / cpu:12,.0f} {cpu / packets * 1e6:8.2f} {rss / 1024:9.1f}", flush=True)


def from_files(build: Path, packets: int, calls: int, streams: int) -> None:
    hepcat = str(build / "hepcat")
    print(f"{'from a capture':58} {'packets/s':>12} {'us/pkt':>8} {'peak MiB':>9}")
    with tempfile.TemporaryDirectory(prefix="hepcat-bench-") as tmp, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        to = f"127.0.0.1:{sink.getsockname()[1]}"
        sip, demo, few = (Path(tmp, f"{name}.pcap") for name in ("sip", "demo", "few"))
        capture(sip, sip_packets(packets))
        capture(few, sip_packets(SNGREP))
        subprocess.run([hepcat, "demo", "--fast", "--quiet", "--count", str(calls), "--pcap", str(demo)], check=True)
        done = lib.run("agent", "--read", str(demo), "--to", f"udp://{to}", program=hepcat, timeout=600)
        mixed = int(re.search(r"(\d+)  packets captured", done.err).group(1))
        agent = [hepcat, "agent", "--quiet"]
        for name, path, count in (("SIP", sip, packets), ("SIP, TCP, RTCP of demo", demo, mixed)):
            row(f"hepcat agent, {name}, to UDP", [*agent, "--read", str(path), "--to", f"udp://{to}"], count)
            row(f"hepcat agent, {name}, without the send call", [*agent, "--read", str(path), "--to", "-"], count)
            row(f"the same with a filter", [*agent, "--read", str(path), "--to", "-", "--drop", "from:nobody"], count)
            row(f"the same with --dedup", [*agent, "--read", str(path), "--to", "-", "--dedup", "200ms"], count)
        for name, make, count in (("RTP", rtp_packets, streams * 50), ("RTP and SIP", mixed_packets, streams * 50 * 101 // 100)):
            capture(demo, make(streams, 50))
            row(f"hepcat agent --media rtp, {name}, {streams} streams", [*agent, "--read", str(demo), "--media", "rtp", "--to", "-"], count)
        if shutil.which("sngrep"):
            row(f"sngrep -H, {SNGREP} of SIP, to UDP", ["sngrep", "-N", "-q", "-l", str(SNGREP), "-I", str(few), "-H", f"udp:{to}"], SNGREP, 1)
        if shutil.which("tcpdump"):
            row("tcpdump -w, SIP", ["tcpdump", "-r", str(sip), "-w", "/dev/null"], packets)


def live(build: Path, rates: list[int], seconds: float = 4) -> None:
    print(f"\n{'live over veth, rate wanted':30} {'sent/s':>10} {'captured':>10} {'lost':>8} {'kernel':>8} {'us/pkt':>8}")
    for rate in rates:
        with netns.Namespace() as ns:
            agent = ns.process(str(build / "hepcat"), "agent", "-i", "tap0", "--to", "udp://127.0.0.1:9", "--account", "0")
            with agent:
                agent.wait_error_line("capturing")
                count = int(rate * seconds)
                done = subprocess.run(ns.argv(sys.executable, "-c", SENDER, "wire0", str(rate), str(count)), input=packet(1),
                                      capture_output=True, check=True)
                time.sleep(0.5)
                stat = Path(f"/proc/{agent.proc.pid}/stat").read_text().rsplit(")", 1)[1].split()
                cpu = (int(stat[11]) + int(stat[12])) / 100
                agent.stop()
            got = int(re.search(r"(\d+)  SIP messages", agent.err).group(1))
            kernel = re.search(r"(\d+)  packets that the kernel dropped", agent.err)
            print(f"{rate:30,} {float(done.stdout):10,.0f} {got:10,} {count - got:8,} "
                  f"{int(kernel.group(1)) if kernel else 0:8,} {cpu / max(got, 1) * 1e6:8.2f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="hepcat agent, CPU and loss")
    parser.add_argument("build", type=Path)
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--streams", type=int, default=20_000)
    parser.add_argument("--rates", default="10000,30000,60000")
    options = parser.parse_args()
    from_files(options.build.resolve(), options.packets, options.calls, options.streams)
    live(options.build.resolve(), [int(r) for r in options.rates.split(",") if r])
