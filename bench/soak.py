#!/usr/bin/env python3
"""`hepcat serve` under half of its highest rate for minutes, with queries running all the time.

    bench/soak.py BUILD_DIR [--minutes N] [--rate N] [--kind tcp|udp] [--connections N] [--memory SIZE]

Without --rate the highest rate is measured first, by eight million frames as fast as the server takes them. Every
--every seconds a line tells resident memory of all processes, what was dropped, files, and times of queries and of the
way from the socket to the search. At the end the lake must be whole: every message sent is stored once, the server's
total, that of `hepcat search --data` and DuckDB's own count over the files are the same, and the sequence numbers are 1
to that count. Nothing else is asserted.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import random
import subprocess
import sys
import threading
import time
import urllib.error
from pathlib import Path

from ingest import Server, latencies, rss, tree

MB = 1e6


class Duck:
    """As much of DuckDB's C interface as a question with one row takes."""

    def __init__(self, library: Path):
        self.lib = ctypes.CDLL(str(library))
        self.lib.duckdb_value_varchar.restype = ctypes.c_void_p
        self.lib.duckdb_value_varchar.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64]
        self.lib.duckdb_result_error.restype = ctypes.c_char_p
        self.db, self.con = ctypes.c_void_p(), ctypes.c_void_p()
        if self.lib.duckdb_open(None, ctypes.byref(self.db)) or self.lib.duckdb_connect(self.db,
                                                                                        ctypes.byref(self.con)):
            raise RuntimeError("DuckDB does not open")

    def row(self, sql: str, columns: int) -> list[int]:
        result = ctypes.create_string_buffer(256)  # struct duckdb_result is smaller
        if self.lib.duckdb_query(self.con, sql.encode(), result):
            raise RuntimeError((self.lib.duckdb_result_error(result) or b"DuckDB failed").decode())
        cells = [self.lib.duckdb_value_varchar(result, c, 0) for c in range(columns)]
        return [int(ctypes.string_at(c)) if c else 0 for c in cells]


class Queries(threading.Thread):
    """Asks one question after the other, as people do, and keeps the times."""

    def __init__(self, server: Server, stop: threading.Event, pause: float):
        super().__init__(daemon=True)
        self.server, self.stop, self.pause = server, stop, pause
        self.times: dict[str, list[float]] = {}
        self.problems: list[str] = []
        self.last_total = 0
        self.random = random.Random(1)

    def ask(self, kind: str, path: str, **params) -> dict:
        began = time.monotonic()
        try:
            answer = json.loads(self.server.get(path, **params))
        except (OSError, urllib.error.HTTPError) as e:
            self.problems.append(f"{kind}: {e}")
            return {}
        self.times.setdefault(kind, []).append(time.monotonic() - began)
        if answer.get("problem") and not answer.get("timed_out"):
            self.problems.append(f"{kind}: {answer['problem']}")
        return answer

    def run(self) -> None:
        while not self.stop.is_set():
            rows = self.ask("wildcard", "/api/v1/search", q=f"from:*{self.random.randrange(1000):03}",
                            limit=200).get("rows", [])
            if rows:
                call = self.random.choice(rows).get("call_id", "none")
                self.ask("call", "/api/v1/search", q=f"callid:{call}", limit=200, payload=1)
                self.ask("flow", "/api/v1/flow", call_id=call, limit=200)
            answer = self.ask("count", "/api/v1/search", q="", total="only")
            if answer.get("total_exact"):
                if answer["total"] < self.last_total:
                    self.problems.append(f"count: {answer['total']} after {self.last_total}")
                self.last_total = answer["total"]
            self.ask("errors", "/api/v1/search", q="status:486", limit=50, total=1)
            self.stop.wait(self.pause)

    def take(self) -> dict[str, list[float]]:
        taken, self.times = self.times, {}
        return taken


def blast(build: Path, frames: Path, server: Server, args, rate: int, count: int) -> subprocess.Popen:
    return subprocess.Popen([build / "blast", frames, args.kind, "127.0.0.1", str(server.hep), "--rate", str(rate),
                             "--connections", str(args.connections), "--count", str(count)],
                            stdout=subprocess.PIPE, text=True)


def highest_rate(build: Path, frames: Path, args) -> int:
    server = Server(build, args.memory)
    try:
        sent, seconds, _ = blast(build, frames, server, args, 0, 8000000).communicate()[0].split()
        return int(float(sent) / float(seconds))
    finally:
        server.close()


def of(m: dict[str, float], name: str) -> float:
    return m.get(f"hepcat_{name}", 0)


def dropped(m: dict[str, float]) -> float:
    return sum(v for k, v in m.items() if k.startswith("hepcat_messages_dropped_total{")) + of(
        m, "net_kernel_drops_total")


def ms(times: list[float], part: float) -> str:
    return f"{sorted(times)[min(len(times) - 1, int(len(times) * part))] * 1000:.0f}" if times else "-"


class Watch:
    """A line of the table, and what the whole says at the end."""

    KINDS = ("wildcard", "call", "flow", "count", "errors")

    def __init__(self, server: Server, queries: list[Queries], found: list[float]):
        self.server, self.queries, self.found = server, queries, found
        self.began = time.monotonic()
        self.peaks: list[float] = []
        self.seen = 0
        self.all: dict[str, list[float]] = {}
        print(f"{'s':>5} {'stored':>11} {'drop':>5} {'RSS MB':>7} {'worker':>7} {'hot MB':>7} {'files':>6} {'seals':>6} "
              f"{'merges':>6} {'find p50':>8} {'p99 ms':>7} " + " ".join(f"{k:>12}" for k in self.KINDS) +
              "   (p50/max ms)", flush=True)

    def line(self) -> None:
        m = self.server.metrics()
        pids = tree(self.server.proc.pid)
        whole = rss(pids)
        self.peaks.append(whole)
        times: dict[str, list[float]] = {}
        for q in self.queries:
            for kind, values in q.take().items():
                times.setdefault(kind, []).extend(values)
                self.all.setdefault(kind, []).extend(values)
        found, self.seen = self.found[self.seen:], len(self.found)
        print(f"{time.monotonic() - self.began:>5.0f} {of(m, 'messages_stored_total'):>11.0f} {dropped(m):>5.0f} "
              f"{whole / MB:>7.0f} {rss(pids[1:]) / MB:>7.0f} {of(m, 'store_hot_bytes') / MB:>7.0f} "
              f"{of(m, 'store_files'):>6.0f} {of(m, 'store_seals_total'):>6.0f} {of(m, 'store_merges_total'):>6.0f} "
              f"{ms(found, 0.5):>8} {ms(found, 0.99):>7} " +
              " ".join(f"{ms(times.get(k, []), 0.5) + '/' + ms(times.get(k, []), 1):>12}" for k in self.KINDS),
              flush=True)

    def summary(self) -> None:
        third = max(1, len(self.peaks) // 3)
        first, last = self.peaks[third:2 * third] or self.peaks, self.peaks[-third:]
        print(f"\nRSS: peak {self.server.peak / MB:.0f} MB, second third {sum(first) / len(first) / MB:.0f} MB on "
              f"average, last third {sum(last) / len(last) / MB:.0f} MB")
        print(f"received -> findable: p50 {ms(self.found, 0.5)} ms, p99 {ms(self.found, 0.99)} ms, "
              f"most {ms(self.found, 1)} ms ({len(self.found)} markers)")
        for kind in self.KINDS:
            t = self.all.get(kind, [])
            print(f"{kind + ':':10} {len(t):>6} times, p50 {ms(t, 0.5)} ms, p99 {ms(t, 0.99)} ms, most {ms(t, 1)} ms")


def check(what: str, have: float, want: float) -> bool:
    ok = have == want
    print(f"{'ok  ' if ok else 'FAIL'} {what}: {have:.0f}" + ("" if ok else f", should be {want:.0f}"))
    return ok


def wait_stored(server: Server, sent: int) -> dict[str, float]:
    """Until the last frames have gone from the socket to the store, or nothing moves any more."""
    last, still = -1.0, 0
    while still < 50:
        m = server.metrics()
        if of(m, "messages_stored_total") >= sent:
            break
        still = still + 1 if of(m, "messages_stored_total") == last else 0
        last = of(m, "messages_stored_total")
        time.sleep(0.1)
    return server.metrics()


def consistent(build: Path, server: Server, sent: int, markers: int) -> bool:
    m = wait_stored(server, sent + markers)
    stored = of(m, "messages_stored_total")
    ok = check("stored and dropped are what was sent", stored + dropped(m), sent + markers)
    ok &= check("dropped", dropped(m), 0)
    for name, value in m.items():
        if value > 0 and (name.startswith("hepcat_messages_dropped_total{") or name == "hepcat_net_kernel_drops_total"):
            print(f"     {name} {value:.0f}")
    answer = json.loads(server.get("/api/v1/search", q="", total="only", timeout=60))
    ok &= check("total of the running server", answer["total"] if answer["total_exact"] else -1, stored)
    ok &= check("damaged files", of(m, "store_damaged_files_total"), 0)
    ok &= check("query worker restarts", of(m, "query_worker_restarts_total"), 0)
    server.over = True
    server.proc.terminate()
    ok &= check("exit status of the server", server.proc.wait(120), 0)
    lake = server.dir / "data" / "lake"
    offline = subprocess.run([build / "hepcat", "search", "--data", server.dir / "data", "--count"], check=False,
                             capture_output=True, text=True)
    ok &= check("total of hepcat search --data", int(offline.stdout.split()[0]) if offline.stdout.split() else -1,
                stored)
    library = build / "libduckdb.so"
    if library.exists():
        # The sums say that no number is there twice and none is missing; the payloads have to be read for theirs.
        files = ",".join(f"'{p}'" for p in sorted(lake.rglob("*.parquet")))
        n, low, high, total, squares, octets = Duck(library).row(
            "SELECT count(*), min(seq), max(seq), sum(seq::HUGEINT), sum(seq::HUGEINT * seq), sum(octet_length(payload))"
            f" FROM read_parquet([{files}], union_by_name = true)", 6)
        ok &= check("DuckDB's count over the files", n, stored)
        ok &= check("lowest sequence number", low, 1)
        ok &= check("highest sequence number", high, stored)
        ok &= check("sum of the numbers, less what it should be", total - n * (n + 1) // 2, 0)
        ok &= check("sum of their squares, the same", squares - n * (n + 1) * (2 * n + 1) // 6, 0)
        disk = sum(p.stat().st_size for p in lake.rglob("*.parquet"))
        print(f"     {octets / n:.0f} octets of payload a message, {disk / n:.1f} on the disk, in {files.count(',') + 1} "
              "files")
    return ok


def soak(build: Path, frames: Path, args, rate: int) -> bool:
    server = Server(build, args.memory)
    try:
        stop, found = threading.Event(), []
        count = int(rate * args.minutes * 60)
        load = blast(build, frames, server, args, rate, count)
        marker = threading.Thread(target=latencies, args=(server, stop, found))
        marker.start()
        queries = [Queries(server, stop, 0.2) for _ in range(2)]
        for q in queries:
            q.start()
        watch = Watch(server, queries, found)
        while load.poll() is None:
            time.sleep(args.every)
            watch.line()
        sent, seconds, _ = (float(x) for x in load.communicate()[0].split())
        stop.set()
        for thread in [marker, *queries]:
            thread.join()
        watch.summary()
        print(f"sent {sent:.0f} frames in {seconds:.0f} s: {sent / seconds:.0f} a second")
        problems = [p for q in queries for p in q.problems]
        for text in sorted(set(problems)):
            print(f"problem, {problems.count(text)} times: {text}")
        return consistent(build, server, int(sent), marker_count(server))
    finally:
        server.close()


def marker_count(server: Server) -> int:
    """Those found and the one that may have been on its way: as many as the server received beside the load."""
    return json.loads(server.get("/api/v1/search", q="callid:marker-*", total="only", timeout=60))["total"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=int, default=0, help="frames a second; 0: half of the highest")
    parser.add_argument("--kind", default="tcp", choices=("tcp", "udp"))
    parser.add_argument("--connections", type=int, default=2)
    parser.add_argument("--memory", default="512MB")
    parser.add_argument("--every", type=float, default=10, help="seconds between lines")
    args = parser.parse_args()
    build = args.build.resolve()
    frames = build / "bench-ingest.hep"
    if not frames.exists():
        subprocess.run([build / "sample", "--frames", "1000000", "--concurrent", "256", "--raw", frames], check=True)
    rate = args.rate
    if rate == 0:
        rate = highest_rate(build, frames, args) // 2
        print(f"highest rate: {2 * rate} frames a second; half of it for {args.minutes:g} minutes\n")
    sys.exit(0 if soak(build, frames, args, rate) else 1)


if __name__ == "__main__":
    main()
