#!/usr/bin/env python3
"""Minimises a corpus: minimise.py FUZZER OUTPUT-DIRECTORY INPUT-DIRECTORY...

libFuzzer's merge picks inputs that cover everything the given ones cover. If those are more than a committed corpus
may have, the smallest are kept, a share of each size so that long inputs are not all lost. Files are named by the
SHA-1 of their content. What was in the output directory before is an input, too, and always stays.
"""
import hashlib
import pathlib
import subprocess
import sys
import tempfile

FILES_MAX = 100
OCTETS_MAX = 200_000


def merge(fuzzer, sources):
    with tempfile.TemporaryDirectory() as merged:
        subprocess.run([fuzzer, "-set_cover_merge=1", "-rss_limit_mb=4096", merged, *sources], check=True,
                       stderr=subprocess.DEVNULL)
        return [p.read_bytes() for p in pathlib.Path(merged).iterdir()]


def choose(inputs, files, octets):
    """At most `files` inputs of at most `octets` together, spread over the sizes that there are."""
    inputs = sorted(set(inputs), key=lambda i: (len(i), i))
    if len(inputs) > files:
        inputs = [inputs[k * len(inputs) // files] for k in range(files)]
    while sum(map(len, inputs)) > octets:
        inputs.pop()
    return inputs


def main():
    fuzzer, out, sources = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
    out.mkdir(parents=True, exist_ok=True)
    kept = [p.read_bytes() for p in out.iterdir()]
    found = [i for i in merge(fuzzer, [str(out), *sources]) if i not in kept]
    for data in choose(found, FILES_MAX - len(kept), OCTETS_MAX - sum(map(len, kept))):
        (out / hashlib.sha1(data).hexdigest()).write_bytes(data)
    files = list(out.iterdir())
    print(f"{out}: {len(files)} files, {sum(f.stat().st_size for f in files)} octets, {len(found)} new ones found")


if __name__ == "__main__":
    main()
