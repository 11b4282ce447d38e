#!/usr/bin/env python3
"""Finds a perfect hash for the names in header_list.h and writes header_hash.h beside it.

Run it after a change of header_list.h; test_sip_header.c fails until then. The hash is that of header.c:
(first * A + middle * B + last * C + length * D) mod 256, letters in lower case.
"""
import pathlib
import random
import re

HERE = pathlib.Path(__file__).resolve().parent
ROW = re.compile(r"X\((\w+),\s*\"([^\"]+)\",\s*'(.)'")
SLOTS = 256


def hash_of(name, f):
    low = [ord(c) | 0x20 for c in name]
    n = len(low)
    return (low[0] * f[0] + low[n // 2] * f[1] + low[n - 1] * f[2] + n * f[3]) % SLOTS


def search(names):
    rng = random.Random(1)
    while True:
        f = [rng.randrange(1, 256) for _ in range(4)]
        if len({hash_of(n, f) for n in names}) == len(names):
            return f


def table(name, values):
    lines = [f"static const uint8_t {name}[{len(values)}] = {{"]
    for i in range(0, len(values), 16):
        lines.append("    " + ", ".join(f"{v}" for v in values[i:i + 16]) + ",")
    return lines + ["};"]


def main():
    rows = ROW.findall((HERE / "header_list.h").read_text())
    factors = search([name for _, name, _ in rows])
    slots, compact = [0] * SLOTS, [0] * 32
    for i, (_, name, short) in enumerate(rows, 1):
        slots[hash_of(name, factors)] = i
        if short != "-":
            compact[ord(short) & 0x1F] = i
    out = ["/* Made by gen_header_hash.py from header_list.h; numbers are those of enum sip_header_id. */",
           "#ifndef SIP_HEADER_HASH_H", "#define SIP_HEADER_HASH_H", "", "#include <stdint.h>", ""]
    out += [f"#define HASH_{n} {v}" for n, v in zip(("FIRST ", "MIDDLE", "LAST  ", "LENGTH"), factors)]
    out += ["", "/* clang-format off */"] + table("header_slots", slots) + [""]
    out += ["/* by the low 5 bits of the letter */"] + table("header_compact", compact)
    out += ["/* clang-format on */", "", "#endif"]
    (HERE / "header_hash.h").write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
