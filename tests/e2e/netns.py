"""A network namespace of a test's own, with a pair of Ethernet devices, and packets put into one of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Sequence

import lib

INJECT = """
import socket, struct, sys, time
device, pause = sys.argv[1], float(sys.argv[2])
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((device, 0))
data = sys.stdin.buffer.read()
at = 24
while at < len(data):
    size = struct.unpack_from("<I", data, at + 8)[0]
    s.send(data[at + 16:at + 16 + size])
    at += 16 + size
    if pause: time.sleep(pause)
"""


class Namespace:
    """Ends with its process. Devices tap0 and wire0 are two ends of one cable."""

    def __init__(self) -> None:
        lib.need("ip", "unshare", "nsenter")
        self.anchor = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo up; exec sleep 600"], stdout=subprocess.PIPE)
        assert self.anchor.stdout is not None
        if self.anchor.stdout.readline() != b"up\n":
            self.close()
            raise AssertionError("no network namespace: root is needed")
        for line in ("link set lo up", "link add tap0 type veth peer name wire0", "link set tap0 up",
                     "link set wire0 up"):
            self.run("ip", *line.split())
            if line.startswith("link add"):  # no MLD nor neighbour discovery of the kernel's own among what tests count
                self.run("sh", "-c", "for d in tap0 wire0; do echo 1 >/proc/sys/net/ipv6/conf/$d/disable_ipv6; done")

    def argv(self, *argv: str) -> list[str]:
        return ["nsenter", "-t", str(self.anchor.pid), "-n", *argv]

    def run(self, *argv: str, stdin: bytes = b"") -> None:
        done = subprocess.run(self.argv(*argv), input=stdin, capture_output=True, timeout=lib.TIMEOUT, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{argv}: {done.stderr.decode()}")

    def process(self, *argv: str, **kwargs) -> lib.Process:
        return lib.Process(*self.argv(*argv), **kwargs)

    def inject(self, packets: Sequence[bytes], device: str = "wire0", pause: float = 0) -> None:
        """Sends Ethernet frames on a device; they arrive at the other end of its cable."""
        self.run(sys.executable, "-c", INJECT, device, str(pause), stdin=lib.pcap(packets))

    def close(self) -> None:
        self.anchor.kill()
        self.anchor.wait()
        if self.anchor.stdout is not None:
            self.anchor.stdout.close()

    def __enter__(self) -> "Namespace":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def proc_status(pid: int) -> dict[str, str]:
    """The lines of /proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)
