#!/usr/bin/env python3
"""hepcat decode on large inputs: messages a second of CPU, and peak memory, which must not grow with the input.

    bench/capture.py BUILD_DIR [--frames N]

Makes raw HEP and a pcap of HEP in UDP with BUILD_DIR/sample (256 calls interleaved; the same for every run), once with
N/10 and once with N frames, and decodes them to JSON, text and nothing (a filter that matches nothing). CPU is user and
system time of hepcat; output goes to /dev/null.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path


def cpu_and_rss(argv: list[str]) -> tuple[float, int]:
    """CPU seconds and peak resident KiB of one run."""
    # Not wait4(): the kernel counts the peak from before exec() on, so it would be that of Python.
    with tempfile.NamedTemporaryFile("r") as report:
        argv = ["/usr/bin/time", "-f", "%U %S %M", "-o", report.name, *argv]
        done = subprocess.run(argv, stdout=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{argv}: exit {done.returncode}")
        user, system, peak = report.read().split()
    return float(user) + float(system), int(peak)


def measure(build: Path, frames: int, rounds: int = 3) -> list[tuple[str, float, float, int, int]]:
    """(what, messages/s, ns a message, peak KiB, peak KiB with a tenth of the input), best of the rounds."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="hepcat-bench-") as tmp:
        for kind in ("raw", "pcap"):
            paths = {}
            for count in (frames // 10, frames):
                paths[count] = str(Path(tmp, f"{count}.{kind}"))
                subprocess.run([str(build / "sample"), "--frames", str(count), f"--{kind}", paths[count]], check=True)
            size = os.path.getsize(paths[frames]) / 1e6
            for name, args in (("to JSON", []), ("to text", ["-f", "text"]), ("filter only", ["--text", "no match"])):
                argv = [str(build / "hepcat"), "decode", *args]
                _, small_rss = cpu_and_rss([*argv, paths[frames // 10]])
                best = min(cpu_and_rss([*argv, paths[frames]]) for _ in range(rounds))
                rows.append((f"{kind} {name} ({size:.0f} MB)", frames / best[0], best[0] / frames * 1e9, best[1],
                             small_rss))
            for path in paths.values():
                os.unlink(path)
    return rows


def print_table(rows: list[tuple[str, float, float, int, int]], frames: int) -> None:
    print(f"hepcat decode, {frames} frames, best of 3, CPU time")
    print(f"{'input and output':34} {'frames/s':>12} {'ns/frame':>9} {'peak MiB':>9} {'with 1/10':>9}")
    for what, rate, ns, rss, small in rows:
        print(f"{what:34} {rate:12,.0f} {ns:9.0f} {rss / 1024:9.1f} {small / 1024:9.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="hepcat decode on large inputs")
    parser.add_argument("build", type=Path)
    parser.add_argument("--frames", type=int, default=1_000_000)
    options = parser.parse_args()
    print_table(measure(options.build.resolve(), options.frames), options.frames)
