#!/usr/bin/env python3
"""Prints the benchmark table: codec alone and with JSON beside hep-js in the same run, then hepcat on a large capture.

    bench/run.py BUILD_DIR [--frames N]

Figures are CPU time and depend on the machine; the ratios are what compares between machines. Nothing is asserted.
hep-js (GPL) is a peer for measuring only, installed by npm into BUILD_DIR/peers; without node its columns stay empty.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
from pathlib import Path

import capture

ROOT = Path(__file__).resolve().parents[1]
GENESYS = ROOT / "tests" / "vectors" / "genesys-example.json"
NAMES = {
    "decode": "decode", "encode": "encode", "decode_json": "frame to JSON text", "encode_json": "JSON text to frame",
}


def figures(argv: list[str]) -> dict[tuple[str, str], tuple[int, float, float]]:
    """(frame, operation) -> (octets, best ns, median ns)"""
    out = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    rows = [line.split() for line in out.splitlines()]
    return {(r[0], r[2]): (int(r[1]), float(r[3]), float(r[4])) for r in rows}


def install_hepjs(directory: Path) -> Path | None:
    """node_modules with hep-js, or None if there is no node or no way to install it."""
    modules = directory / "node_modules"
    if shutil.which("node") is None or shutil.which("npm") is None:
        return None
    if not (modules / "hep-js").is_dir():
        directory.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(ROOT / "tests" / "peers" / name, directory / name)
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=directory,
                              capture_output=True, check=False)
        if done.returncode != 0:
            return None
    return modules


def codec_table(build: Path) -> None:
    codec = str(build / "codec")
    ours = figures([codec, str(GENESYS)])
    theirs: dict = {}
    modules = install_hepjs(build / "peers")
    if modules is not None:
        frames = build / "bench-frames.json"
        with frames.open("w") as out:
            subprocess.run([codec, str(GENESYS), "--frames"], check=True, stdout=out)
        theirs = figures(["node", str(ROOT / "bench" / "hepjs.cjs"), str(modules), str(frames)])
    print("codec, ns of CPU a message, best (median) of 21 rounds")
    print(f"{'frame':16} {'operation':20} {'hepcat':>18} {'hep-js 1.0.22':>22} {'ratio':>7}")
    for (frame, operation), (octets, best, median) in ours.items():
        peer, ratio = "-", "-"
        if (frame, operation) in theirs:
            _, their_best, their_median = theirs[frame, operation]
            peer, ratio = f"{their_best:.0f} ({their_median:.0f})", f"{their_best / best:.1f} x"
        mine = f"{best:.1f} ({median:.1f})"
        print(f"{f'{frame} {octets} o':16} {NAMES[operation]:20} {mine:>18} {peer:>22} {ratio:>7}")
    print()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="prints the benchmark table")
    parser.add_argument("build", type=Path)
    parser.add_argument("--frames", type=int, default=1_000_000)
    options = parser.parse_args()
    codec_table(options.build.resolve())
    capture.print_table(capture.measure(options.build.resolve(), options.frames), options.frames)
