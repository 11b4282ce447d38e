"""Messages as they come: GET /api/v1/live and `hepcat tail`; and a pager that walks through what comes in.

The load is 50,000 messages a second for a few seconds (HEPCAT_LIVE_RATE changes that); what is measured is printed, and
asserted with a wide margin only.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable

sys.path.insert(0, str(Path(__file__).parent))

import lib  # noqa: E402
from serve_lib import Server  # noqa: E402

RATE = int(os.environ.get("HEPCAT_LIVE_RATE", "50000"))
PAGES, PAGE = 200, 500
FRAMES = 5000
ROUNDS, MARKERS, SOON = 5, 40, 0.2


def message(number: int, call_id: str = "", start: str = "OPTIONS sip:bob@example.org SIP/2.0", **info: Any) -> dict:
    now = time.time()
    sip = (f"{start}\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK{number:08x}\r\n"
           f"From: <sip:alice{number % 1000}@example.org>;tag=a{number}\r\nTo: <sip:bob@example.org>\r\n"
           f"Call-ID: {call_id or f'load-{number}'}\r\nCSeq: 1 {'INVITE' if 'INVITE' in start else 'OPTIONS'}\r\n\r\n")
    info = {"timeSeconds": int(now), "timeUseconds": int(now % 1 * 1e6), **info}
    return lib.message(number, payload=sip, **info)


class Load(threading.Thread):
    """Messages at a rate over one TCP connection, until it is told to stop."""

    def __init__(self, server: Server, rate: int = RATE):
        super().__init__(daemon=True)
        # Capture times that nobody believes: those of arrival count, so that what comes later is later.
        frames = lib.encode([message(n, timeSeconds=1700000000) for n in range(FRAMES)])
        self.block = memoryview(frames)
        self.rate, self.sent, self.end = rate, 0, threading.Event()
        self.socket = socket.create_connection(("127.0.0.1", server.ports["tcp"]))

    def run(self) -> None:
        began = time.monotonic()
        chunk = FRAMES // 10
        ends = self.ends(chunk)
        at = 0
        with self.socket:
            while not self.end.is_set():
                start = ends[at % 10 - 1] if at % 10 else 0
                self.socket.sendall(self.block[start:ends[at % 10]])
                at += 1
                self.sent += chunk
                ahead = self.sent / self.rate - (time.monotonic() - began)
                if ahead > 0:
                    self.end.wait(ahead)

    def ends(self, chunk: int) -> list[int]:
        ends, at = [], 0
        for i in range(FRAMES):
            at += self.block[at + 4] << 8 | self.block[at + 5]
            if (i + 1) % chunk == 0:
                ends.append(at)
        return ends

    def __enter__(self) -> "Load":
        self.start()
        return self

    def __exit__(self, *exc: Any) -> None:
        self.end.set()
        self.join(lib.TIMEOUT)


class Tail(threading.Thread):
    """A client of /api/v1/live, with the events as they came."""

    def __init__(self, server: Server, query: str = "", last: str = ""):
        super().__init__(daemon=True)
        self.events: list[tuple[float, str, str, Any]] = []  # when, kind, id, data
        self.last, self.status, self.head = last, 0, ""
        self.ended = False
        self.changed = threading.Condition()
        self.socket = socket.create_connection(("127.0.0.1", server.http_port))
        header = f"Last-Event-ID: {last}\r\n" if last else ""
        self.socket.sendall(f"GET /api/v1/live{query} HTTP/1.0\r\nHost: localhost\r\n{header}\r\n".encode())
        self.start()

    def run(self) -> None:
        kind = data = pending = ""
        try:
            with self.socket.makefile("rb") as stream:
                for raw in stream:
                    line = raw.decode().rstrip("\r\n")
                    with self.changed:
                        if not self.status:
                            self.status = int(line.split()[1])
                        elif line.startswith("id: "):
                            pending = line[4:]
                        elif line.startswith("event: "):
                            kind = line[7:]
                        elif line.startswith("data: "):
                            data = line[6:]
                        elif not line:
                            self.last = pending or self.last
                            if data:
                                self.events.append((time.monotonic(), kind, self.last, json.loads(data)))
                            kind = data = pending = ""
                        if self.status != 200:
                            self.head += line + "\n"
                        self.changed.notify_all()
        except (OSError, ValueError):
            pass
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait(self, condition: Callable[["Tail"], Any], what: str, timeout: float = lib.TIMEOUT) -> None:
        with self.changed:
            if not self.changed.wait_for(lambda: condition(self), timeout):
                raise AssertionError(f"{what}; {len(self.events)} events, the last: {self.events[-3:]}")

    def begun(self) -> "Tail":
        self.wait(lambda t: t.last or t.ended, "the stream does not begin")
        return self

    def rows(self) -> list[dict]:
        return [data for _, kind, _, data in list(self.events) if kind == "message"]

    def skipped(self) -> int:
        return sum(data["count"] + data["unseen"] for _, kind, _, data in list(self.events) if kind == "skipped")

    def close(self) -> None:
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        self.join(lib.TIMEOUT)

    def __enter__(self) -> "Tail":
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()


class LiveCase(lib.Case):
    def server(self, *args: str, http_port: int = 0) -> Server:
        config = self.file("c.yaml", "seal:\n  interval: 1s\n")
        return self.stack.enter_context(Server(self.tmp / "data", "--config", config, *args, http_port=http_port))

    def send(self, server: Server, call_id: str, numbers: range) -> None:
        server.send([message(n, f"{call_id}-{n}") for n in numbers])

    def numbers(self, rows: list[dict]) -> list[int]:
        return [int(row["call_id"].rsplit("-", 1)[1]) for row in rows]


class Live(LiveCase):
    def send_markers(self, server: Server, tail: Tail, frames: list[bytes], first: int) -> list[float]:
        """How long each took from here to the tail; those that it passed over are left out."""
        sent: dict[int, float] = {}
        before = len(tail.events)
        rows, skipped = len(tail.rows()), tail.skipped()
        with lib.udp_socket() as out:
            for n, frame in enumerate(frames, first):
                sent[n] = time.monotonic()
                out.sendto(frame, ("127.0.0.1", server.ports["udp"]))
                time.sleep(0.05)
        tail.wait(lambda t: len(t.rows()) - rows + t.skipped() - skipped >= len(frames), "not all markers came")
        numbers = [(when, int(data["call_id"].rsplit("-", 1)[1]))
                   for when, kind, _, data in tail.events[before:] if kind == "message"]
        return sorted(when - sent[n] for when, n in numbers if n in sent)

    def test_a_marker_shows_soon(self) -> None:
        """Within 200 ms under load. What else the machine does may disturb some rounds, not all of them."""
        server = self.server()
        frames = [lib.encode([message(n, f"marker-{n}")]) for n in range(ROUNDS * MARKERS)]
        medians: list[float] = []
        with Tail(server, "?q=callid:marker-*&columns=call_id").begun() as tail, Load(server) as load:
            lib.wait_for(lambda: load.sent > RATE, "load")
            began, sent = time.monotonic(), load.sent
            while len(medians) < ROUNDS and not (medians and medians[-1] < SOON):
                first = len(medians) * MARKERS
                took = self.send_markers(server, tail, frames[first:first + MARKERS], first)
                self.assertGreater(len(took), MARKERS // 2)
                medians.append(statistics.median(took))
                print(f"live tail under load: {len(took)} markers, p50 {medians[-1] * 1e3:.0f} ms, "
                      f"p90 {took[len(took) * 9 // 10] * 1e3:.0f} ms, most {took[-1] * 1e3:.0f} ms", file=sys.stderr)
            rate = (load.sent - sent) / (time.monotonic() - began)
        print(f"the load was {rate:.0f} messages/s; {tail.skipped()} not looked at", file=sys.stderr)
        self.assertLess(min(medians), SOON)

    def test_who_is_slow_is_told(self) -> None:
        server = self.server()
        with Tail(server, "?rate=50&columns=seq").begun() as tail, Load(server, 20000):
            tail.wait(lambda t: t.skipped() > 1000 and len(t.rows()) > 60, "nothing is skipped")
        seqs = [row["seq"] for row in tail.rows()]
        self.assertEqual(seqs, sorted(set(seqs)))
        self.assertGreater(server.metric("hepcat_live_messages_skipped_total"), 1000)
        self.assertGreater(server.metric("hepcat_live_messages_sent_total"), 60)

    def test_a_client_that_comes_back_misses_nothing(self) -> None:
        server = self.server()
        port = server.http_port
        query = "?q=callid:row-*&columns=call_id"
        with Tail(server, query).begun() as tail:
            self.send(server, "row", range(1, 11))
            tail.wait(lambda t: len(t.rows()) == 10, "not all rows came")
        self.send(server, "row", range(11, 21))  # missed; to be found in files
        self.assertEqual(server.stop(), 0)
        server = self.server(http_port=port)
        self.send(server, "row", range(21, 31))  # missed as well
        server.wait_total(30, "callid:row-*")
        with Tail(server, query, tail.last).begun() as again:
            again.wait(lambda t: len(t.rows()) >= 20, "what was missed does not come")
            self.send(server, "row", range(31, 41))
            again.wait(lambda t: len(t.rows()) >= 30, "what comes does not come")
            self.assertEqual(self.numbers(again.rows()), list(range(11, 41)))
            self.assertEqual(again.skipped(), 0)
            with Tail(server, query, tail.last).begun() as third:
                third.wait(lambda t: len(t.rows()) >= 30, "what was missed does not come")
                self.assertEqual(self.numbers(third.rows()), list(range(11, 41)))

    def test_a_client_that_comes_and_goes_under_load(self) -> None:
        server = self.server()
        seqs: list[int] = []
        skipped, last = 0, ""
        with Load(server, 2000) as load:
            for _ in range(12):
                with Tail(server, "?rate=5000&columns=seq", last).begun() as tail:
                    before = len(tail.rows())
                    tail.wait(lambda t: len(t.rows()) > before + 300, "no rows come")
                    tail.close()
                    with tail.changed:
                        seqs += [row["seq"] for row in tail.rows()]
                        skipped += tail.skipped()
                        last = tail.last
            self.assertGreater(load.sent, 3000)
        if skipped == 0:
            self.assertEqual(seqs, list(range(seqs[0], seqs[0] + len(seqs))))
        self.assertEqual(len(seqs), len(set(seqs)))

    def test_so_many_and_no_more(self) -> None:
        server = self.server()
        tails = [self.stack.enter_context(Tail(server)) for _ in range(40)]
        for tail in tails:
            tail.begun()
        refused = [t for t in tails if t.status == 429]
        self.assertEqual(sum(t.status == 200 for t in tails), 32)
        self.assertEqual(len(refused), 8)
        for tail in refused:
            self.assertIn("Retry-After: ", tail.head)
            self.assertIn("application/problem+json", tail.head)
        self.assertEqual(server.get("/health").status, 200)
        self.assertEqual(server.search()["count"], 0)
        self.assertEqual(server.metric("hepcat_live_clients"), 32)
        self.assertEqual(server.metric("hepcat_live_refused_total"), 8)
        began = time.monotonic()
        self.assertEqual(server.stop(), 0)
        print(f"stopped with 32 live tails in {time.monotonic() - began:.1f} s", file=sys.stderr)
        for tail in tails:
            tail.wait(lambda t: t.ended, "the stream does not end with the server")


class Pager(LiveCase):
    def walk(self, server: Server, **params: Any) -> list[int]:
        seqs, after = [], ""
        seals = server.metric("hepcat_store_seals_total")
        for page in range(PAGES):
            if page == PAGES // 2:
                lib.wait_for(lambda: server.metric("hepcat_store_seals_total") > seals, "a seal in the middle")
            answer = server.get("/api/v1/search", limit=PAGE, columns="seq", after=after, **params)
            self.assertEqual(answer.status, 200, answer)
            self.assertTrue(answer.json["rows_exact"], answer.json.get("problem"))
            seqs += [row["seq"] for row in answer.json["rows"]]
            after = answer.json["next"]
            self.assertTrue(after)
        return seqs

    def test_pages_under_load(self) -> None:
        """100,000 rows page by page while rows come in and are sealed: as if they had been asked for at once."""
        server = self.server("--memory", "1GiB")
        with Load(server) as load:
            lib.wait_for(lambda: server.total() > PAGES * PAGE + 2 * RATE, "rows", 120)
            to = time.time() - 1  # what was received before is there
            began, sent, seals = time.monotonic(), load.sent, server.metric("hepcat_store_seals_total")
            newest = self.walk(server, order="newest", to=f"{to:.6f}")
            oldest = self.walk(server, order="oldest")
            seconds = time.monotonic() - began
            rate, seals = (load.sent - sent) / seconds, server.metric("hepcat_store_seals_total") - seals
        print(f"2 x {PAGES} pages in {seconds:.1f} s, {rate:.0f} messages/s and {seals:.0f} seals meanwhile",
              file=sys.stderr)
        self.assertEqual(len(set(newest)), PAGES * PAGE)
        self.assertEqual(len(set(oldest)), PAGES * PAGE)
        for seqs, params in ((newest, {"order": "newest", "to": f"{to:.6f}"}), (oldest, {"order": "oldest"})):
            at_once = server.search(columns="seq", limit=PAGES * PAGE, **params)
            self.assertTrue(at_once["rows_exact"])
            self.assertEqual(seqs, [row["seq"] for row in at_once["rows"]])


class Command(LiveCase):
    def tail(self, server: Server, *args: str) -> lib.Process:
        before = server.metric("hepcat_live_clients")
        tail = self.stack.enter_context(lib.Process(lib.hepcat(), "tail", "--server", server.url, *args))
        lib.wait_for(lambda: server.metric("hepcat_live_clients") > before, "tail does not begin")
        return tail

    def test_lines(self) -> None:
        server = self.server()
        text = self.tail(server, "--format", "text", "--color", "always", "callid:row-*", "-n", "4")
        plain = self.tail(server, "--format", "text", "--payload", "callid:row-*", "-n", "1")
        js = self.tail(server, "callid:row-*", "-n", "3")
        table = self.tail(server, "--format", "csv", "--columns", "method,status,call_id", "callid:row-*", "-n", "3")
        server.send([message(1, "other-1"), message(2, "row-1", "INVITE sip:b@example.org SIP/2.0"),
                     message(3, "row-2", "SIP/2.0 200 OK"), message(4, "row-3", "SIP/2.0 486 Busy Here"),
                     message(5, "row-4", "SIP/2.0 503 A\x1b[32mB")])
        for process in (text, plain, js, table):
            self.assertEqual(process.wait(), 0, process.err)
        lines = [line.decode() for line in text.rest()]
        self.assertEqual(len(lines), 4)
        self.assertIn("10.0.0.1", lines[0])
        self.assertIn("\x1b[1;34mINVITE\x1b[0m", lines[0])
        self.assertIn("\x1b[32m200 OK\x1b[0m", lines[1])
        self.assertIn("\x1b[33m486 Busy Here\x1b[0m", lines[2])
        self.assertRegex(lines[3], "\x1b\\[31m503 A[^\x1b]+32mB")
        self.assertIn("row-1", lines[0])
        self.assertIn("alice2", lines[0])
        out = b"".join(plain.rest()).decode()
        self.assertNotIn("\x1b", out)
        self.assertIn("\n    INVITE sip:b@example.org SIP/2.0\n", out)
        self.assertEqual([row["call_id"] for row in map(json.loads, js.rest())], ["row-1", "row-2", "row-3"])
        rows = b"".join(table.rest()).decode().split("\r\n")
        self.assertEqual(rows[:3], ["method,status,call_id", "INVITE,,row-1", "OPTIONS,200,row-2"])
        self.assertIn("3 messages", js.err)

    def test_a_long_filter(self) -> None:
        server = self.server()
        tail = self.tail(server, "callid:row-2," + ",".join(f"x{n}" for n in range(9999)), "-n", "1")
        self.send(server, "row", range(1, 4))
        self.assertEqual(tail.wait(), 0, tail.err)
        self.assertEqual(self.numbers([json.loads(line) for line in tail.rest()]), [2])

    def test_a_server_that_goes_away(self) -> None:
        server = self.server()
        port = server.http_port
        tail = self.tail(server, "callid:row-*", "--columns", "call_id")
        self.send(server, "row", range(1, 4))
        self.assertEqual(self.numbers(tail.take(3)), [1, 2, 3])
        self.assertEqual(server.stop(), 0)
        tail.wait_error_line("again in")
        server = self.server(http_port=port)
        self.send(server, "row", range(4, 8))
        self.assertEqual(self.numbers(tail.take(4)), [4, 5, 6, 7])
        self.assertEqual(tail.stop(signal.SIGINT), 0)
        self.assertIn("hepcat: 7 messages", tail.err)

    def test_wrong_usage(self) -> None:
        server = self.server()
        cases = [((), ["form:1"], 2, "  form:1\n  ^"), (("--format", "xml"), [], 2, "--format"),
                 (("--color", "blue"), [], 2, "--color"), (("--columns", "nothing"), [], 2, "nothing"),
                 (("--rate", "5001"), [], 2, "--rate")]
        for options, words, code, text in cases:
            with self.subTest(options=options, words=words):
                done = lib.run("tail", "--server", server.url, *options, *words)
                self.assertEqual(done.code, code, done)
                self.assertIn(text, done.err)
        nobody = lib.run("tail", "--server", f"http://127.0.0.1:{lib.free_port(socket.SOCK_STREAM)}")
        self.assertEqual(nobody.code, 3, nobody)


if __name__ == "__main__":
    lib.main()
