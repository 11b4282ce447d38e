#!/usr/bin/env python3
"""CPU, loss, memory and latency of `hepcat serve` under load, beside DuckDB's appender in the same run.

    bench/ingest.py BUILD_DIR [--seconds N] [--frames N] [--memory SIZE] [--only NAME]

Each case starts a server with an empty data directory, sends frames (738-octet INVITEs and what follows them, 256 calls
interleaved) from bench/blast, and reads what the server says of itself. CPU is that of all hepcat processes, sealing
and merging included, by /proc; "us" are microseconds of CPU a stored message. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def tree(pid: int) -> list[int]:
    out = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout
    return [pid] + [p for child in out.split() for p in tree(int(child))]


def cpu_seconds(pids: list[int]) -> float:
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return total / TICK


def rss(pids: list[int]) -> int:
    total = 0
    for pid in pids:
        try:
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    total += int(line.split()[1]) * 1024
        except OSError:
            pass
    return total


class Server:
    """On an empty data directory of its own, or on one that is kept."""

    def __init__(self, build: Path, memory: str, data: Path | None = None, env: dict[str, str] | None = None):
        self.dir = Path(tempfile.mkdtemp(prefix="hepcat-bench-", dir=os.environ.get("BENCH_DIR")))
        self.hep, self.http = port(), port()
        self.log = open(self.dir / "log", "wb")
        self.proc = subprocess.Popen(
            [build / "hepcat", "serve", "--data", data or self.dir / "data", "--memory", memory, "--http",
             f"127.0.0.1:{self.http}", "--listen", f"udp://127.0.0.1:{self.hep}", "--listen",
             f"tcp://127.0.0.1:{self.hep}"], stderr=self.log, env={**os.environ, **(env or {})})
        for _ in range(200):
            try:
                self.get("/ready")
                break
            except OSError:
                time.sleep(0.05)
        self.peak = 0
        self.over = False
        self.watch = threading.Thread(target=self.watching, daemon=True)
        self.watch.start()

    def watching(self) -> None:
        while not self.over:
            self.peak = max(self.peak, rss(tree(self.proc.pid)))
            time.sleep(0.1)

    def get(self, path: str, **params) -> bytes:
        query = "?" + urllib.parse.urlencode(params) if params else ""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}{query}", timeout=60) as reply:
            return reply.read()

    def metrics(self) -> dict[str, float]:
        lines = self.get("/metrics").decode().splitlines()
        return {k: float(v) for k, v in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}

    def close(self) -> None:
        self.over = True
        self.proc.terminate()
        self.proc.wait(120)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def settle(server: Server) -> dict[str, float]:
    """Until everything received is stored and sealed, and the merges are done."""
    last, same = None, 0
    for _ in range(240):
        m = server.metrics()
        now = (m["hepcat_messages_received_total"], m.get("hepcat_store_hot_rows"), m.get("hepcat_store_merges_total"))
        same = same + 1 if now == last else 0
        last = now
        if same >= 4 and (m.get("hepcat_store_hot_rows", 0) == 0 or same >= 70):
            break
        time.sleep(1)
    return server.metrics()


def latencies(server: Server, stop: threading.Event, out: list[float]) -> None:
    """Sends marked messages by UDP beside the load and asks until they are found."""
    number = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        while not stop.is_set():
            number += 1
            call = f"marker-{number}@bench"
            text = (f"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK{number}\r\nFrom: <sip:m@x>;tag=1\r\n"
                    f"To: <sip:m@x>\r\nCall-ID: {call}\r\nCSeq: 1 OPTIONS\r\n\r\n").encode()
            body = [(1, b"\x02"), (2, b"\x11"), (3, b"\x0a\0\0\1"), (4, b"\x0a\0\0\2"), (7, b"\x13\xc4"),
                    (8, b"\x13\xc4"), (9, int(time.time()).to_bytes(4, "big")), (10, b"\0\0\0\0"), (11, b"\x01"),
                    (12, b"\0\0\0\x09"), (15, text)]
            chunks = b"".join(b"\0\0" + k.to_bytes(2, "big") + (6 + len(v)).to_bytes(2, "big") + v for k, v in body)
            s.sendto(b"HEP3" + (6 + len(chunks)).to_bytes(2, "big") + chunks, ("127.0.0.1", server.hep))
            began = time.monotonic()
            while time.monotonic() - began < 10 and not stop.is_set():
                if json.loads(server.get("/api/v1/search", q=f"callid:{call}", limit=1))["rows"]:
                    out.append(time.monotonic() - began)
                    break
                time.sleep(0.01)
            stop.wait(0.2)


def blast(build: Path, args, server: Server, kind: str, rate: int, connections: int, frames: Path) -> list[float]:
    """Frames sent, seconds, CPU seconds of the sender."""
    count = args.frames if rate == 0 else min(args.frames, rate * args.seconds)
    done = subprocess.run([build / "blast", frames, kind, "127.0.0.1", str(server.hep), "--rate", str(rate),
                           "--connections", str(connections), "--count", str(count)], check=True,
                          capture_output=True, text=True)
    return [float(x) for x in done.stdout.split()]


def delays_under_load(build: Path, args, *load) -> list[float]:
    """On a server of its own: questions cost CPU, too, which is not to be taken for that of ingest."""
    server = Server(build, args.memory)
    try:
        stop, delays = threading.Event(), []
        marker = threading.Thread(target=latencies, args=(server, stop, delays))
        marker.start()
        blast(build, args, server, *load)
        stop.set()
        marker.join()
        return sorted(delays)
    finally:
        server.close()


def case(build: Path, args, name: str, *load) -> None:
    delays = delays_under_load(build, args, *load) if args.latency else []
    server = Server(build, args.memory)
    try:
        before = cpu_seconds(tree(server.proc.pid))
        sent, seconds, own = blast(build, args, server, *load)
        m = settle(server)
        cpu = cpu_seconds(tree(server.proc.pid)) - before
        stored = m["hepcat_messages_stored_total"]
        drops = sum(v for k, v in m.items() if k.startswith("hepcat_messages_dropped_total{"))
        kernel = m["hepcat_net_kernel_drops_total"]
        disk = sum(f.stat().st_size for f in (server.dir / "data" / "lake").rglob("*.parquet"))
        p50 = delays[len(delays) // 2] * 1000 if delays else float("nan")
        p99 = delays[int(len(delays) * 0.99)] * 1000 if delays else float("nan")
        zipped, sealed, merged = (m.get(f"hepcat_store_{v}_cpu_seconds_total", 0) / stored * 1e6
                                  for v in ("compress", "seal", "merge"))
        print(f"{name:22} {sent / seconds:>9.0f} {stored:>9.0f} {sent - stored:>8.0f} {drops:>7.0f} {kernel:>7.0f} "
              f"{cpu / stored * 1e6:>6.2f} {zipped:>5.2f} {sealed:>5.2f} {merged:>5.2f} {own / sent * 1e6:>6.2f} "
              f"{server.peak / 1e6:>6.0f} {disk / stored:>6.1f} {p50:>6.0f} {p99:>6.0f}", flush=True)
    finally:
        server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--frames", type=int, default=2000000)
    parser.add_argument("--memory", default="512MB")
    parser.add_argument("--only", default="")
    parser.add_argument("--no-latency", dest="latency", action="store_false")
    args = parser.parse_args()
    build = args.build.resolve()
    frames = build / "bench-ingest.hep"
    if not frames.exists():
        subprocess.run([build / "sample", "--frames", "1000000", "--concurrent", "256", "--raw", frames], check=True)
    library = build / "libduckdb.so"
    if library.exists() and not args.only:
        out = subprocess.run([build / "duck_appender", library, frames, "300000"], check=True, capture_output=True,
                             text=True).stdout.split()
        print(f"baseline: DuckDB's appender {float(out[2]) / 1000:.2f} us a row, checkpoint included; "
              f"decoding and parsing alone {float(out[1]) / 1000:.2f} us\n")
    print(f"{'case':22} {'frames/s':>9} {'stored':>9} {'lost':>8} {'dropped':>7} {'kernel':>7} {'us':>6} {'zip':>5} {'seal':>5} "
          f"{'merge':>5} {'sender':>6} {'MB':>6} {'o/msg':>6} {'p50ms':>6} {'p99ms':>6}")
    for name, kind, rate, connections in (
            ("tcp 10k/s", "tcp", 10000, 1), ("udp 10k/s", "udp", 10000, 1),
            ("tcp 100k/s", "tcp", 100000, 1), ("udp 100k/s", "udp", 100000, 1),
            ("udp 150k/s", "udp", 150000, 1),
            ("tcp full", "tcp", 0, 1), ("tcp 8 full", "tcp", 0, 8), ("udp full", "udp", 0, 1)):
        if args.only in name:
            case(build, args, name, kind, rate, connections, frames)


if __name__ == "__main__":
    main()
