"""The page of `hepcat serve` in Chromium, driven by playwright-core: tests/e2e/web/page.test.mjs has the cases."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import lib  # noqa: E402
from serve_lib import Server, http  # noqa: E402

CASES = Path(__file__).parent / "web" / "page.test.mjs"
BIG = "five-thousand@example.com"
EVIL = '<img src=x onerror="document.title=1">\u202eevil\u202c'


def big_call() -> list[dict]:
    """One call of 5,000 messages: INFO and its answer, again and again."""
    now = int(time.time()) - 600
    out = []
    for i in range(5000):
        start = "INFO sip:b@example.com SIP/2.0" if i % 2 == 0 else "SIP/2.0 200 OK"
        a, b = ("192.0.2.1", "192.0.2.2") if i % 2 == 0 else ("192.0.2.2", "192.0.2.1")
        out.append(lib.message(i, srcIp=a, dstIp=b, timeSeconds=now + i // 100, timeUseconds=i % 100 * 10000, payload=(
            f"{start}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{i // 2}\r\nFrom: <sip:a@example.com>;tag=1\r\n"
            f"To: <sip:b@example.com>;tag=2\r\nCall-ID: {BIG}\r\nCSeq: {i // 2 + 1} INFO\r\nContent-Length: 0\r\n\r\n")))
    return out


def evil_call() -> dict:
    return lib.message(1, timeSeconds=int(time.time()) - 300, payload=(
        f"INVITE sip:x@example.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKe\r\nFrom: \"{EVIL}\" <sip:e@example.com>;tag=1\r\n"
        f"To: <sip:x@example.com>\r\nCall-ID: evil-{EVIL.replace(' ', '')}\r\nCSeq: 1 INVITE\r\nX-Long: {'x' * 60000}\r\n\r\n"))


class Web(lib.Case):
    def store(self, server: Server, frames: bytes) -> None:
        answer = http(f"{server.url}/api/v1/import", "POST", frames, {"Content-Type": "application/x-hep"})
        self.assertEqual(answer.status, 200, answer)

    def test_page(self) -> None:
        node = shutil.which("node")
        self.assertIsNotNone(node, "node is needed (tools/install-deps.sh test)")
        server = self.stack.enter_context(Server(self.tmp / "data"))
        start = str(int(time.time()) - 1800)
        self.store(server, lib.run("demo", "--fast", "--raw", "--count", "400", "--seed", "7", "--start", start).out)
        self.store(server, lib.encode([*big_call(), evil_call()]))
        capture = self.tmp / "calls.pcap"
        self.assertEqual(lib.run("demo", "--pcap", str(capture), "--count", "20", "--seed", "9").code, 0)
        downloads = self.tmp / "downloads"
        downloads.mkdir()
        env = {**os.environ, "WEB": str(Path(lib.hepcat()).parent / "web"), "URL": server.url, "TMP": str(downloads), "BIG": BIG,
               "CAPTURE": str(capture), "HEPCAT": lib.hepcat(), "TO": server.to("tcp")}
        only = ["--test-name-pattern", os.environ["ONLY"]] if "ONLY" in os.environ else []  # cases by a regular expression
        done = subprocess.run([node, "--test", *only, str(CASES)], env=env, capture_output=True, text=True, timeout=800)
        print(done.stdout, done.stderr)
        self.assertEqual(done.returncode, 0)


if __name__ == "__main__":
    lib.main()
