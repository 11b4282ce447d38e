#!/usr/bin/env python3
"""Questions to a server over lakes of several sizes: cold and warm, and beside ingest.

    bench/query.py BUILD_DIR [--dir DIR] [--sizes 1,10,100] [--rounds N] [--keep]

The lakes are made by bench_lake (SIP calls of seven messages, 256 interleaved, as if they had come at 10,000 a second);
those of 100 million messages take 9 GB and some ten minutes. Each question goes over HTTP to `hepcat serve` with its
usual settings, with other values in each round. Cold: the files are put out of the page cache and the server is started
anew before each question. Then the warm questions again while 50,000 messages a second come in, and what that costs the
ingest. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import threading
import time
from pathlib import Path

from ingest import Server, cpu_seconds, latencies, tree

COLD_ROUNDS = 7
INGEST_RATE = 50000
INGEST_SECONDS = 20


def evict(data: Path) -> None:
    """The page cache forgets the files: those that are written out, which they are."""
    for path in (data / "lake").rglob("*"):
        if path.is_file():
            fd = os.open(path, os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


class Questions:
    def __init__(self, calls: list[str], seed: int = 1):
        self.calls, self.random = calls, random.Random(seed)

    def number(self, digits: int) -> str:
        return f"{self.random.randrange(10 ** digits):0{digits}}"

    def all(self) -> list[tuple[str, str, dict]]:
        """What is asked, path, parameters."""
        search, flow, counts = "/api/v1/search", "/api/v1/flow", "/api/v1/counts"
        return [
            ("a call with payload", flow, {"call_id": self.random.choice(self.calls), "payload": 1}),
            ("a call that nobody has", flow, {"call_id": f"nobody-{self.number(9)}"}),
            ("newest 200 of from:*NNN", search, {"q": f"from:*{self.number(3)}", "limit": 200}),
            ("newest 200 of from:*NNNN", search, {"q": f"from:*{self.number(4)}", "limit": 200}),
            ("the same with the exact total", search, {"q": f"from:*{self.number(4)}", "limit": 200, "total": 1}),
            ("newest 200 with payload of status:486", search, {"q": "status:486", "limit": 200, "payload": 1}),
            ("newest 200 of everything, total", search, {"limit": 200, "total": 1}),
            ("a number that nobody has, total", search, {"q": f"from:nobody{self.number(6)}", "total": 1}),
            ("messages over time by method", counts, {"by": "method"}),
        ]


def ask(server: Server, path: str, params: dict) -> float:
    began = time.monotonic()
    answer = json.loads(server.get(path, **params))
    took = time.monotonic() - began
    if answer.get("problem"):
        print(f"  {path} {params}: {answer['problem']}")
    return took * 1000


def start(build: Path, args, data: Path) -> Server:
    return Server(build, args.memory, data, {"HEPCAT_RETENTION_DAYS": "0", "HEPCAT_RETENTION_DISK": "100%"})


def some_calls(server: Server) -> list[str]:
    """Call-IDs from all over the lake."""
    first = json.loads(server.get("/api/v1/search", order="oldest", limit=1))["rows"][0]["ts"]
    last = json.loads(server.get("/api/v1/search", limit=1))["rows"][0]["ts"]
    low, high = (time.mktime(time.strptime(t[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone for t in (first, last))
    calls = set()
    for i in range(60):
        rows = json.loads(server.get("/api/v1/search", order="oldest", limit=3, columns="ts,seq,call_id",
                                     **{"from": str(int(low + (high - low) * i / 60))}))["rows"]
        calls.update(row["call_id"] for row in rows)
    return sorted(calls)


def quantile(values: list[float], q: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * q))]


def warm(server: Server, questions: Questions, rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {}
    for i in range(rounds + 1):
        for what, path, params in questions.all():
            took = ask(server, path, params)
            if i > 0:
                times.setdefault(what, []).append(took)
    return times


def cold(build: Path, args, data: Path, questions: Questions) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {}
    for number in range(len(questions.all())):
        for _ in range(COLD_ROUNDS):
            evict(data)
            server = start(build, args, data)
            what, path, params = questions.all()[number]
            times.setdefault(what, []).append(ask(server, path, params))
            server.close()
    return times


def beside_ingest(build: Path, args, data: Path, questions: Questions | None) -> tuple[dict[str, list[float]], str]:
    server = start(build, args, data)
    stop, delays, times = threading.Event(), [], {}

    def keep_asking() -> None:
        while questions is not None and not stop.is_set():
            for what, path, params in questions.all():
                times.setdefault(what, []).append(ask(server, path, params))

    asking, marking = threading.Thread(target=keep_asking), threading.Thread(target=latencies,
                                                                             args=(server, stop, delays))
    before = cpu_seconds(tree(server.proc.pid))
    stored_before = server.metrics()["hepcat_messages_stored_total"]
    asking.start()
    marking.start()
    done = subprocess.run([build / "blast", build / "bench-ingest.hep", "tcp", "127.0.0.1", str(server.hep), "--rate",
                           str(INGEST_RATE), "--connections", "1", "--count", str(INGEST_RATE * INGEST_SECONDS)],
                          check=True, capture_output=True, text=True)
    stop.set()
    asking.join()
    marking.join()
    sent, seconds, _ = (float(x) for x in done.stdout.split())
    stored = server.metrics()["hepcat_messages_stored_total"] - stored_before
    cpu = cpu_seconds(tree(server.proc.pid)) - before
    told = (f"{sent / seconds:.0f} messages/s, lost {max(0, sent - stored):.0f}, {cpu / stored * 1e6:.1f} us of CPU each, "
            f"found p50 {quantile(delays, 0.5) * 1000:.0f} ms, p99 {quantile(delays, 0.99) * 1000:.0f} ms, "
            f"peak RSS {server.peak / 1e6:.0f} MB")
    server.close()
    return times, told


def table(title: str, columns: list[tuple[str, dict[str, list[float]]]]) -> None:
    print(f"\n{title}; ms\n\n| question |" + "".join(f" {name} p50 | p99 |" for name, _ in columns))
    print("|---|" + "---|---|" * len(columns))
    for what in columns[0][1]:
        cells = "".join(f" {quantile(t[what], 0.5):.0f} | {quantile(t[what], 0.99):.0f} |" if what in t else " | |"
                        for _, t in columns)
        print(f"| {what} |{cells}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--dir", type=Path, default=Path("/tmp/bench-query"))
    parser.add_argument("--sizes", default="1,10,100")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--memory", default="512MB")
    parser.add_argument("--keep", action="store_true", help="keep the lakes")
    args = parser.parse_args()
    build = args.build.resolve()
    frames = build / "bench-ingest.hep"
    if not frames.exists():
        subprocess.run([build / "sample", "--frames", "1000000", "--concurrent", "256", "--raw", frames], check=True)
    warm_columns, cold_columns, busy_columns = [], [], []
    for size in args.sizes.split(","):
        data = args.dir / f"{size}m"
        if not (data / "lake" / "MANIFEST").exists():
            data.mkdir(parents=True, exist_ok=True)
            subprocess.run([build / "bench_lake", f"{size}000000", data, "10000"], check=True,
                           stdout=subprocess.DEVNULL)
        octets = sum(f.stat().st_size for f in (data / "lake").rglob("*.parquet"))
        print(f"{size} million messages: {len(list((data / 'lake').rglob('*.parquet')))} files, {octets / 1e9:.2f} GB",
              flush=True)
        server = start(build, args, data)
        questions = Questions(some_calls(server))
        warm_columns.append((f"{size} M", warm(server, questions, args.rounds)))
        server.close()
        cold_columns.append((f"{size} M", cold(build, args, data, questions)))
        alone = beside_ingest(build, args, data, None)[1]
        times, told = beside_ingest(build, args, data, questions)
        busy_columns.append((f"{size} M", times))
        print(f"  ingest alone: {alone}\n  with questions: {told}", flush=True)
        if not args.keep:
            shutil.rmtree(data)
    table(f"warm, {args.rounds} rounds", warm_columns)
    table(f"cold, {COLD_ROUNDS} rounds, the server started anew for each", cold_columns)
    table(f"warm, while {INGEST_RATE} messages a second come in", busy_columns)


if __name__ == "__main__":
    main()
