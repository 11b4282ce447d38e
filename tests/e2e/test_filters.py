"""Filters on a small lake: the same rows from memory, from sealed files, by the command line and live."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import filter_cases as cases  # noqa: E402
import lib  # noqa: E402
from serve_lib import Server  # noqa: E402

ENV = {**os.environ, "HEPCAT_HEP_CLOCK_WINDOW": "36500d"}
LIVE_AT_ONCE = 24
SENTINEL = "the-last-one"


def wanted(messages: list[dict], predicate) -> list[int]:
    return [m["id"] for m in messages if predicate(m)]


def ids(rows: list[dict]) -> list[int]:
    """The number of a message is the microsecond of its time."""
    return [int(row["ts"][20:26]) for row in rows]


class Filters(lib.Case):
    def setUp(self) -> None:
        super().setUp()
        self.messages = cases.messages()
        self.data = self.tmp / "data"

    def server(self, **env: str) -> Server:
        return self.stack.enter_context(Server(self.data, env={**ENV, **env}))

    def fill(self, server: Server) -> None:
        server.send([cases.as_json(m) for m in self.messages])
        server.wait_total(len(self.messages))

    def check_all(self, find) -> None:
        for text, predicate in cases.CASES:
            with self.subTest(text):
                self.assertEqual(find(text), wanted(self.messages, predicate))

    def test_there_are_enough(self) -> None:
        self.assertGreaterEqual(len(cases.CASES), 150)

    def test_in_memory_in_files_and_by_the_command_line(self) -> None:
        server = self.server()
        self.fill(server)

        def ask(text: str) -> list[int]:
            found = server.search(text, order="oldest", total=1)
            self.assertTrue(found["rows_exact"] and found["total_exact"], found)
            self.assertEqual(found["total"], found["count"])
            return ids(found["rows"])

        self.check_all(ask)
        self.assertEqual(server.files(), [])
        server.stop()
        server = self.server(HEPCAT_SEAL_INTERVAL="1s")
        lib.wait_for(lambda: server.metric("hepcat_store_hot_rows") == 0, "the seal")
        self.check_all(ask)
        for text in ("method:INVITE", "call-id:answered*", "body:hello"):  # some by the command line from a server
            done = lib.run("search", "--server", server.url, "--format", "json", "-q", text)
            rows = [json.loads(line) for line in done.out.splitlines()]
            self.assertEqual(ids(rows), wanted(self.messages, dict(cases.CASES)[text]))
        server.stop()

        def command(text: str) -> list[int]:
            done = lib.run("search", "--data", str(self.data), "--format", "json", "-q", "--oldest", text)
            self.assertIn(done.code, (0, 1), done)
            return ids([json.loads(line) for line in done.out.splitlines()])

        self.check_all(command)

    def test_live(self) -> None:
        server = self.server()
        for start in range(0, len(cases.CASES), LIVE_AT_ONCE):
            batch = cases.CASES[start:start + LIVE_AT_ONCE]
            tails = [Tail(server, text) for text, _ in batch]
            try:
                for tail in tails:
                    tail.listening()
                last = cases.sip(method="OPTIONS", callid=SENTINEL, from_user="z")
                last |= {"id": 999999, "ts": cases.START + 1000, "text": cases.sip_text(last)}
                server.send([cases.as_json(m) for m in [*self.messages, last]])
                for tail, (text, predicate) in zip(tails, batch):
                    with self.subTest(text):
                        self.assertEqual(tail.rows(), wanted(self.messages, predicate))
            finally:
                for tail in tails:
                    tail.close()
                lib.wait_for(lambda: server.metric("hepcat_live_clients") == 0, "the streams' ends")


class Tail:
    """A live stream of what matches, until the last message comes."""

    def __init__(self, server: Server, text: str):
        q = f"({text}) OR callid:{SENTINEL}" if text.strip() else ""
        query = urllib.parse.urlencode({"q": q, "columns": "ts,call_id"})
        self.socket = socket.create_connection(("127.0.0.1", server.http_port), timeout=lib.TIMEOUT)
        self.socket.sendall(f"GET /api/v1/live?{query} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        self.stream = self.socket.makefile("rb")
        self.found: list[dict] = []
        self.began = threading.Event()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.ended = False
        self.head = b""
        self.thread.start()

    def read(self) -> None:
        event = ""
        for raw in self.stream:
            line = raw.decode().rstrip("\r\n")
            self.head += raw if not self.began.is_set() else b""
            if line.startswith((":", "retry:", "id:")):
                self.began.set()
            if line.startswith("event:"):
                event = line[6:].strip()
            elif line.startswith("data:") and event == "message":
                row = json.loads(line[5:])
                if row.get("call_id") == SENTINEL:
                    self.ended = True
                    return
                self.found.append(row)
            elif line.startswith("data:"):
                raise AssertionError(f"{event}: {line}")

    def listening(self) -> None:
        if not self.began.wait(lib.TIMEOUT):
            raise AssertionError(f"no stream: {self.head!r}")

    def rows(self) -> list[int]:
        self.thread.join(lib.TIMEOUT)
        if not self.ended:
            raise AssertionError(f"the last message did not come, after {self.found}")
        return ids(self.found)

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(lib.TIMEOUT)
        self.stream.close()
        self.socket.close()


if __name__ == "__main__":
    lib.main()
