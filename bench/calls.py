#!/usr/bin/env python3
"""Questions about calls to a server over a lake with their records.

    bench/calls.py BUILD_DIR [--dir DIR] [--millions N] [--rounds N] [--keep]

The lake is made by bench_lake: N million SIP messages, seven a call, five calls with a Session-ID in common, at 10,000 a
second; 70 million messages are 10 million calls, take 8 GB and some ten minutes. Each question goes over HTTP to `hepcat
serve` with its usual settings, with other values in each round. Cold: the files are put out of the page cache and the
server is started anew before each question. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
from pathlib import Path

from query import COLD_ROUNDS, cold, start, table, warm


def some_calls(server) -> list[str]:
    """Call-IDs of calls whose numbers end in all sorts of ways: from all over the lake."""
    calls = set()
    for end in range(0, 10000, 250):
        rows = json.loads(server.get("/api/v1/calls", q=f"from:*{end:04}", limit=2, columns="call_id"))["rows"]
        calls.update(row["call_id"] for row in rows)
    return sorted(calls)


class Questions:
    def __init__(self, calls: list[str]):
        self.calls, self.number = calls, 0

    def all(self) -> list[tuple[str, str, dict]]:
        self.number += 1
        call = self.calls[self.number * 7 % len(self.calls)]
        end = f"{self.number * 37 % 10000:04}"
        newest = {"limit": 200, "total": 1}
        path = f"/api/v1/calls/{call}"
        return [
            ("newest 200 calls with total, no filter", "/api/v1/calls", newest),
            ("newest 200 calls with total, `from:*NNNN`", "/api/v1/calls", {**newest, "q": f"from:*{end}"}),
            ("newest 200 calls with total, `state:completed pdd:>NNms`", "/api/v1/calls",
             {**newest, "q": f"state:completed pdd:>{self.number % 90 + 1}ms"}),
            ("newest 200 calls with total, `ruri:+4930NNN* codec:pcma`", "/api/v1/calls",
             {**newest, "q": f"ruri:+4930{end[:3]}* codec:pcma"}),
            ("newest 200 calls with total, `flag:no-ack`", "/api/v1/calls", {**newest, "q": "flag:no-ack"}),
            ("records of a call of five legs", path, {}),
            ("all messages of a call of five legs", "/api/v1/flow", {"call_id": call, "legs": 1, "payload": 1}),
            ("diagnosis of a call of five legs", f"{path}/diagnosis", {"legs": 1}),
            ("key figures of an hour by source", "/api/v1/kpi", {"by": "src", "from": "-1h"}),
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--dir", type=Path, default=Path("/tmp/bench-calls"))
    parser.add_argument("--millions", type=int, default=70)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--memory", default="512MB")
    parser.add_argument("--keep", action="store_true", help="keep the lake")
    args = parser.parse_args()
    build, data = args.build.resolve(), args.dir / f"{args.millions}m"
    if not (data / "lake" / "MANIFEST").exists():
        data.mkdir(parents=True, exist_ok=True)
        subprocess.run([build / "bench_lake", f"{args.millions}000000", data, "10000", "calls"], check=True)
    server = start(build, args, data)
    calls = json.loads(server.get("/api/v1/calls", limit=1, total=1))["total"]
    files = list((data / "lake").rglob("*.parquet"))
    print(f"{args.millions} million messages, {calls} calls, {len(files)} files, "
          f"{sum(f.stat().st_size for f in files) / 1e9:.2f} GB", flush=True)
    questions = Questions(some_calls(server))
    legs = len(json.loads(server.get(f"/api/v1/calls/{questions.calls[0]}"))["rows"])
    print(f"a call has {legs} legs")
    warm_times = warm(server, questions, args.rounds)
    server.close()
    cold_times = cold(build, args, data, questions)
    table(f"warm ({args.rounds} rounds) and cold ({COLD_ROUNDS})", [("warm", warm_times), ("cold", cold_times)])
    if not args.keep:
        shutil.rmtree(data)


if __name__ == "__main__":
    main()
