"""More clients of the HTTP API than it serves: each is served or told why not, and whoever asks for the state is answered."""

from __future__ import annotations

import json
import resource
import selectors
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import lib  # noqa: E402
from serve_lib import Server, http  # noqa: E402

TAILS, LIVE_MAX = 1000, 32
EXPORTS, EXPORTS_MAX = 80, 16
MESSAGES, SIZE = 800, 30000  # more than all buffers of a connection hold


class Client:
    """A connection with one request, of which nothing is read but on demand."""

    def __init__(self, server: Server, target: str, buffer: int = 0):
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.setblocking(False)
        self.socket.connect_ex(("127.0.0.1", server.http_port))
        self.request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        self.sent, self.data, self.ended, self.error = False, b"", False, None

    def step(self) -> bool:
        """What can be done without waiting; true when there is nothing more to come, or a stream has begun."""
        try:
            if not self.sent:
                self.socket.sendall(self.request)
                self.sent = True
            data = self.socket.recv(4096)
            self.data += data
            self.ended = not data
        except BlockingIOError:
            return False
        except OSError as error:
            self.ended, self.error = True, error
        return self.ended or (self.status == 200 and b"\r\n\r\n" in self.data)

    @property
    def status(self) -> int:
        return int(self.data[9:12]) if len(self.data) > 12 else 0

    @property
    def head(self) -> str:
        return self.data.partition(b"\r\n\r\n")[0].decode()

    def close(self) -> None:
        self.socket.close()


def serve_all(clients: list[Client], timeout: float = 4 * lib.TIMEOUT) -> None:
    """Until each has its answer, or the first octets of a stream."""
    end = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.socket, selectors.EVENT_WRITE, client)
        while selector.get_map():
            if time.monotonic() > end:
                raise AssertionError(f"{len(selector.get_map())} of {len(clients)} clients have no answer")
            for key, _ in selector.select(1):
                client = key.data
                if client.step():
                    selector.unregister(client.socket)
                elif client.sent:
                    selector.modify(client.socket, selectors.EVENT_READ, client)


class Watch(threading.Thread):
    """Asks for the state all the time."""

    def __init__(self, server: Server):
        super().__init__(daemon=True)
        self.server, self.end = server, threading.Event()
        self.times: list[float] = []
        self.wrong: list[Any] = []

    def run(self) -> None:
        while not self.end.wait(0.02):
            for path in ("/health", "/ready", "/metrics"):
                began = time.monotonic()
                try:
                    answer = http(self.server.url + path)
                    if answer.status != 200:
                        self.wrong.append(answer)
                except OSError as error:
                    self.wrong.append(error)
                self.times.append(time.monotonic() - began)

    def __enter__(self) -> "Watch":
        self.start()
        return self

    def __exit__(self, *exc: Any) -> None:
        self.end.set()
        self.join(lib.TIMEOUT)


class ManyClients(lib.Case):
    def setUp(self) -> None:
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 2 * TAILS
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard) if hard >= 0 else wanted, hard))

    def server(self, config: str = "") -> Server:
        return self.stack.enter_context(Server(self.tmp / "data", "--config", self.file("c.yaml", config)))

    def fill(self, server: Server) -> None:
        """More than the buffers of a connection hold."""
        body = "x" * SIZE
        for first in range(0, MESSAGES, 100):
            messages = [lib.message(n) for n in range(first, first + 100)]
            for message in messages:
                message["payload"] += body
            server.send(messages)
        server.wait_total(MESSAGES)

    def clients(self, server: Server, count: int, target: str, buffer: int = 0) -> list[Client]:
        made = [Client(server, target, buffer) for _ in range(count)]
        for client in made:
            self.stack.callback(client.close)
        return made

    def assert_refused(self, clients: list[Client]) -> None:
        for client in clients:
            self.assertIsNone(client.error, client.error)
            self.assertEqual(client.status, 429, client.data)
            self.assertIn("\r\nConnection: close", client.head)
            self.assertIn("\r\nRetry-After: ", client.head)
            self.assertIn("\r\nContent-Type: application/problem+json", client.head)
            self.assertEqual(json.loads(client.data.partition(b"\r\n\r\n")[2])["status"], 429)

    def assert_watched(self, watch: Watch, what: str) -> None:
        self.assertEqual(watch.wrong, [])
        self.assertGreater(len(watch.times), 0)
        print(f"{what}: {len(watch.times)} questions about the state meanwhile, the slowest answer after "
              f"{max(watch.times) * 1000:.0f} ms", file=sys.stderr)

    def memory(self, server: Server) -> int:
        """Octets that the server has in memory."""
        text = Path(f"/proc/{server.proc.pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0]) * 1024

    def test_a_thousand_tails(self) -> None:
        server = self.server()
        began = time.monotonic()
        with Watch(server) as watch:
            tails = self.clients(server, TAILS, "/api/v1/live")
            serve_all(tails)
            lib.wait_for(lambda: len(watch.times) > 3, "questions about the state")
        print(f"{TAILS} live tails answered in {time.monotonic() - began:.1f} s", file=sys.stderr)
        self.assert_watched(watch, "live tails")
        self.assertEqual(sum(t.status == 200 for t in tails), LIVE_MAX)
        self.assert_refused([t for t in tails if t.status != 200])
        self.assertEqual(server.metric("hepcat_live_clients"), LIVE_MAX)
        self.assertEqual(server.metric("hepcat_live_refused_total"), TAILS - LIVE_MAX)
        server.send([lib.message(1)])
        server.wait_total(1)
        for tail in tails:
            tail.close()
        lib.wait_for(lambda: server.metric("hepcat_live_clients") == 0, "the tails are forgotten")
        again = self.clients(server, LIVE_MAX, "/api/v1/live")
        serve_all(again)
        self.assertEqual([t.status for t in again], [200] * LIVE_MAX)
        self.assertEqual(server.get("/api/v1/export", format="jsonl").status, 200)

    def test_many_slow_exports(self) -> None:
        server = self.server()
        self.fill(server)
        before = self.memory(server)
        with Watch(server) as watch:
            exports = self.clients(server, EXPORTS, "/api/v1/export?format=jsonl", 4096)
            serve_all(exports)
            self.assertEqual(server.total(), MESSAGES)
            self.assertEqual(len(server.search(limit=10)["rows"]), 10)
            grown = self.memory(server) - before
            lib.wait_for(lambda: len(watch.times) > 3, "questions about the state")
        self.assert_watched(watch, "slow exports")
        self.assertLess(grown, EXPORTS_MAX * 12e6)  # half of what they are to get
        self.assertEqual(sum(x.status == 200 for x in exports), EXPORTS_MAX)
        self.assert_refused([x for x in exports if x.status != 200])
        self.assertEqual(server.metric("hepcat_exports_open"), EXPORTS_MAX)
        self.assertEqual(server.metric("hepcat_exports_refused_total"), EXPORTS - EXPORTS_MAX)
        lib.wait_for(lambda: self.memory(server) - before < EXPORTS_MAX * 5e6, "what was for an instant is given back")
        print(f"{EXPORTS_MAX} slow exports took {grown / 1e6:.0f} MB, and keep "
              f"{(self.memory(server) - before) / 1e6:.0f} MB", file=sys.stderr)
        for export in exports:
            export.close()
        lib.wait_for(lambda: server.metric("hepcat_exports_open") == 0, "the exports are forgotten")
        answer = server.get("/api/v1/export", format="jsonl")
        self.assertEqual(len(answer.body.splitlines()), MESSAGES)

    def test_an_octet_a_second(self) -> None:
        """An export read so slowly costs little, hinders nobody, and ends when its time is over."""
        server = self.server("http:\n  answer_timeout: 3s\n")
        self.fill(server)
        before = self.memory(server)
        export, = self.clients(server, 1, "/api/v1/export?format=jsonl", 4096)
        serve_all([export])
        self.assertEqual(export.status, 200)
        lib.wait_for(lambda: server.metric("hepcat_exports_open") == 1, "the export")
        export.socket.settimeout(lib.TIMEOUT)
        octets, began, slowest = 0, time.monotonic(), 0.0
        while server.metric("hepcat_exports_open") > 0:
            self.assertLess(time.monotonic() - began, 2 * lib.TIMEOUT)
            self.assertLess(self.memory(server) - before, 10e6)
            asked = time.monotonic()
            self.assertEqual(len(server.search(limit=10)["rows"]), 10)
            slowest = max(slowest, time.monotonic() - asked)
            octets += len(export.socket.recv(1))
            time.sleep(1)  # this is what is tested
        print(f"{octets} octets in {time.monotonic() - began:.1f} s; the slowest search meanwhile took "
              f"{slowest * 1000:.0f} ms", file=sys.stderr)
        self.assertGreaterEqual(server.metric("hepcat_api_connections_overdue_total"), 1)
        rest = b""
        try:
            while data := export.socket.recv(65536):
                rest = rest[-100:] + data
        except OSError:
            pass
        self.assertNotIn(b"\r\n0\r\n", rest)  # it does not look whole

    def test_connections_that_say_nothing(self) -> None:
        """They make room for those that have something to ask."""
        server = self.server()
        silent = [socket.create_connection(("127.0.0.1", server.http_port)) for _ in range(300)]
        for s in silent:
            self.stack.enter_context(s)
        self.assertEqual(server.get("/health").status, 200)
        self.assertEqual(server.search()["count"], 0)
        self.assertGreater(server.metric("hepcat_api_connections_displaced_total"), 0)


if __name__ == "__main__":
    lib.main()
