#!/usr/bin/env python3
"""hepcat agent from a capture and live: CPU a packet and loss, beside sngrep and tcpdump in the same run.

    bench/agent.py BUILD_DIR [--packets N] [--calls N] [--rates R,R]

Makes a capture of SIP (N packets of one size, each of a call of its own) and one of `hepcat demo` (SIP over UDP and TCP, RTCP),
and sends them as HEP to a UDP socket that nobody reads. CPU is user and system time of the program; "without the send call" is
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


def packet(number: int) -> bytes:
    """An INVITE without body of some 540 octets."""
    extra = "".join(f"X-Header-{i}: value number {i} of the message\r\n" for i in range(6))
    text = lib.sip(number, "INVITE").replace("Content-Length", extra + "Content-Length")
    return lib.ethernet(lib.ip4(lib.udp(text.encode(), 5060, 5060), 17, ident=number & 0xFFFF))


def write_sip(path: Path, count: int) -> None:
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for i in range(count):
            data = packet(i)
            out.write(struct.pack("<IIII", 1700000000 + i // 10000, i % 10000 * 100, len(data), len(data)) + data)


def row(name: str, argv: list[str], packets: int, rounds: int = 3) -> None:
    cpu, rss = min(cpu_and_rss(argv) for _ in range(rounds))
    print(f"{name:58} {packets / cpu:12,.0f} {cpu / packets * 1e6:8.2f} {rss / 1024:9.1f}", flush=True)


def from_files(build: Path, packets: int, calls: int) -> None:
    hepcat = str(build / "hepcat")
    print(f"{'from a capture':58} {'packets/s':>12} {'us/pkt':>8} {'peak MiB':>9}")
    with tempfile.TemporaryDirectory(prefix="hepcat-bench-") as tmp, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        to = f"127.0.0.1:{sink.getsockname()[1]}"
        sip, demo = Path(tmp, "sip.pcap"), Path(tmp, "demo.pcap")
        write_sip(sip, packets)
        subprocess.run([hepcat, "demo", "--fast", "--quiet", "--count", str(calls), "--pcap", str(demo)], check=True)
        done = lib.run("agent", "--read", str(demo), "--to", f"udp://{to}", program=hepcat, timeout=600)
        mixed = int(re.search(r"(\d+)  packets captured", done.err).group(1))
        agent = [hepcat, "agent", "--quiet"]
        for name, path, count in (("SIP", sip, packets), ("SIP, TCP, RTCP of demo", demo, mixed)):
            row(f"hepcat agent, {name}, to UDP", [*agent, "--read", str(path), "--to", f"udp://{to}"], count)
            row(f"hepcat agent, {name}, without the send call", [*agent, "--read", str(path), "--to", "-"], count)
            row(f"the same with a filter", [*agent, "--read", str(path), "--to", "-", "--drop", "from:nobody"], count)
            row(f"the same with --dedup", [*agent, "--read", str(path), "--to", "-", "--dedup", "200ms"], count)
        if shutil.which("sngrep"):
            row("sngrep -H, SIP, to UDP", ["sngrep", "-N", "-q", "-l", str(packets), "-I", str(sip), "-H", f"udp:{to}"], packets, 1)
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
    parser.add_argument("--rates", default="10000,30000,60000")
    options = parser.parse_args()
    from_files(options.build.resolve(), options.packets, options.calls)
    live(options.build.resolve(), [int(r) for r in options.rates.split(",") if r])
