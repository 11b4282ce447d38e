"""`hepcat count`, `hepcat senders` and `hepcat sql`: against a running server, and on the files that it leaves behind."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
import time
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import lib  # noqa: E402
from serve_lib import Server, http  # noqa: E402

FOUND, NOTHING, USAGE, FAILED = 0, 1, 2, 3
START = 1767225600  # 2026-01-01T00:00:00Z
WINDOW = ("--from", "2026-01-01", "--to", "2026-01-01T00:10:00Z")


def message(index: int, start_line: str, src: str = "10.0.0.1") -> dict:
    sip = (f"{start_line}\r\nVia: SIP/2.0/UDP {src};branch=z9hG4bK{index}\r\n"
           f"From: <sip:+4930{index % 3}@example.org>;tag=1\r\nTo: <sip:+15550002@example.org>\r\n"
           f"Call-ID: call-{index}\r\nCSeq: 1 INVITE\r\n\r\n")
    return {"rcinfo": {"protocolFamily": 2, "protocol": 17, "srcIp": src, "dstIp": "10.0.0.9", "srcPort": 5060,
                       "dstPort": 5060, "timeSeconds": START + index * 6, "timeUseconds": 0, "payloadType": 1,
                       "captureId": 7, "hepNodeName": "edge"},
            "payload": sip}


def traffic(count: int) -> list[dict]:
    """Every sixth second one message: three INVITEs, then a 486."""
    return [message(i, "SIP/2.0 486 Busy" if i % 4 == 3 else "INVITE sip:a@example.org SIP/2.0") for i in range(count)]


class CountCase(lib.Case):
    def server(self, *args: str, count: int = 100) -> Server:
        env = {**os.environ, "HEPCAT_HEP_CLOCK_WINDOW": "36500d", "HEPCAT_QUERY_SQL": "true"}
        server = self.stack.enter_context(Server(self.tmp / "data", *args, env=env))
        server.send(traffic(count))
        server.wait_total(count)
        return server

    def ask(self, command: str, server: Server, *args: str, env: dict | None = None) -> lib.Result:
        return lib.run(command, "--server", server.url, *args, env=env)

    # ------------------------------------------------------------------------------------------------- counts

    def test_count(self) -> None:
        server = self.server()
        answer = self.ask("count", server, *WINDOW, "--interval", "1m", "--by", "status_class", "--format", "json")
        self.assertEqual(answer.code, FOUND, answer)
        told = json.loads(answer.out)
        self.assertEqual(told["counts"], [10] * 10)
        self.assertEqual(told["total"], 100)
        self.assertEqual([(s["value"], s["total"]) for s in told["series"]], [("4xx", 25)])
        self.assertEqual(told["none"]["total"], 75)
        self.assertEqual(told["starts"][1], "2026-01-01T00:01:00.000000Z")

        answer = self.ask("count", server, *WINDOW, "-i", "5m", "-b", "status", "-f", "csv", "method:INVITE")
        rows = list(csv.reader(io.StringIO(answer.out.decode())))
        self.assertEqual(rows[0], ["start", "total", "486", "(other)", "(none)"])
        self.assertEqual([r[1:] for r in rows[1:]], [["50", "12", "0", "38"], ["50", "13", "0", "37"]])

        for interval, us in (("7d", 7 * 86400 * 10**6), ("1d", 86400 * 10**6)):
            answer = self.ask("count", server, *WINDOW, "-i", interval, "-f", "json")
            self.assertEqual(answer.code, FOUND, answer)
            self.assertEqual(json.loads(answer.out)["interval_us"], us)

        self.assertEqual(self.ask("count", server, *WINDOW, "-f", "json", "callid:none").code, NOTHING)

    def test_bars(self) -> None:
        server = self.server()
        utf8 = {**os.environ, "LC_ALL": "C.UTF-8"}
        answer = self.ask("count", server, *WINDOW, "-i", "5m", "-f", "table", env=utf8)
        self.assertEqual(answer.code, FOUND, answer)
        lines = answer.out.decode().splitlines()
        self.assertEqual([line.split("  ")[:2] for line in lines], [["01-01 00:00", "50"], ["01-01 00:05", "50"]])
        self.assertIn("\u2588" * 20, lines[0])
        plain = self.ask("count", server, *WINDOW, "-i", "5m", "-f", "table", "--by", "status",
                         env={**os.environ, "LC_ALL": "C"})
        text = plain.out.decode("ascii")
        self.assertIn("##", text)
        self.assertIn("(none)", text)
        self.assertNotIn("\x1b", text)

    def test_memory_and_files_are_one(self) -> None:
        """While rows move from memory into files each is counted once."""
        server = self.server(count=40)
        with_seal = self.stack.enter_context(Server(self.tmp / "sealing", env={
            **os.environ, "HEPCAT_HEP_CLOCK_WINDOW": "36500d", "HEPCAT_SEAL_INTERVAL": "1s"}))
        with_seal.send(traffic(40))
        with_seal.wait_total(40)
        end, asked = time.monotonic() + lib.TIMEOUT, 0
        while asked < 40 or with_seal.metric("hepcat_store_seals_total") == 0:
            self.assertLess(time.monotonic(), end, "no seal")
            told = with_seal.get("/api/v1/counts", by="method").json
            self.assertEqual((told["total"], told["total_exact"]), (40, True))
            asked += 1
        with_seal.wait_sealed()
        self.assertEqual(with_seal.get("/api/v1/counts").json["total"], 40)
        self.assertEqual(server.get("/api/v1/counts").json["total"], 40)

    def test_data_directory(self) -> None:
        server = self.server()
        data = server.data
        server.stop()
        answer = lib.run("count", "--data", str(data), *WINDOW, "-i", "1m", "--by", "method", "-f", "json")
        self.assertEqual(answer.code, FOUND, answer)
        told = json.loads(answer.out)
        self.assertEqual((told["counts"], told["series"][0]["value"]), ([10] * 10, "INVITE"))
        answer = lib.run("sql", "--data", str(data), "-f", "csv", "SELECT status, count(*) AS n FROM sip GROUP BY ALL "
                         "ORDER BY n")
        self.assertEqual(answer.code, FOUND, answer)
        self.assertEqual(answer.out, b"status,n\r\n486,25\r\n,75\r\n")
        self.assertEqual(lib.run("senders", "--data", str(data)).code, USAGE)

    def test_wrong_questions(self) -> None:
        server = self.server(count=1)
        for args, text in ((("--by", "fromage"), "fromage"), (("--by", "user"), "several columns"),
                           (("--interval", "1ms", "--from", "2026-01-01", "--to", "2026-02-01"), "buckets"),
                           (("--interval", "x"), "interval"), (("--top", "0"), "--top"), (("form:x",), "form"),
                           (("--format", "xml"), "--format")):
            answer = self.ask("count", server, *args)
            self.assertEqual(answer.code, USAGE, answer)
            self.assertIn(text, answer.err)
        self.assertEqual(lib.run("count", "--server", "http://127.0.0.1:1").code, FAILED)

    # ------------------------------------------------------------------------------------------------- values

    def test_values(self) -> None:
        server = self.server(count=12)
        told = server.get("/api/v1/values", field="from_user", prefix="+49").json
        self.assertEqual(told["values"], [{"value": f"+4930{i}", "count": 4} for i in range(3)])
        told = server.get("/api/v1/values", field="from", q="status:486", limit=1).json
        self.assertEqual((told["values"], told["found"]), ([{"value": "+49300", "count": 1}], 3))
        names = {f["name"]: f for f in server.get("/api/v1/fields").json["fields"]}
        self.assertIn("useragent", names["ua"]["aliases"])
        paths = {"messages": "search", "calls": "calls", "registrations": "registrations/attempts"}
        for field in names.values():
            q = urllib.parse.quote(field["example"])
            answer = http(f"{server.url}/api/v1/{paths[field['of'][0]]}?limit=0&q={q}")
            self.assertEqual(answer.status, 200, field)

    # ------------------------------------------------------------------------------------------------- senders

    def test_senders(self) -> None:
        server = self.server(count=5)
        answer = self.ask("senders", server, "-f", "csv")
        self.assertEqual(answer.code, FOUND, answer)
        rows = list(csv.DictReader(io.StringIO(answer.out.decode())))
        self.assertEqual([(r["sender"], r["transport"], r["stored"], r["dropped"]) for r in rows],
                         [("127.0.0.1", "tcp", "5", "0")])
        self.assertTrue(rows[0]["last_seen"].endswith("Z"))
        answer = self.ask("senders", server, "-f", "json")
        self.assertEqual(json.loads(answer.out)["counters"]["stored"], 5)
        self.assertIn(b"LAST SEEN", self.ask("senders", server, "-f", "table").out)

    # ------------------------------------------------------------------------------------------------- SQL

    def test_sql(self) -> None:
        server = self.server()
        answer = self.ask("sql", server, "-f", "json", "SELECT count(*) AS n FROM sip")
        self.assertEqual(answer.code, FOUND, answer)
        told = json.loads(answer.out)
        self.assertEqual(told["columns"], [{"name": "n", "type": "BIGINT"}])
        self.assertEqual(told["rows"][0][0] + told["in_memory"], 100)
        answer = self.ask("sql", server, "-f", "table", "SELECT 'a' AS x, 1 AS y, DATE '2026-01-31' AS z")
        self.assertEqual(answer.out.decode().split(), ["x", "y", "z", "a", "1", "2026-01-31"])
        self.assertEqual(self.ask("sql", server, "-f", "csv", "SELECT 1 WHERE false").code, NOTHING)
        self.assertEqual(self.ask("sql", server, "-n", "5", "SELECT * FROM range(9)").code, FAILED)
        for bad in ("SELECT * FROM read_text('/etc/passwd')", "COPY sip TO '/tmp/x'", "SELECT 1; SELECT 2", "nonsense"):
            answer = self.ask("sql", server, bad)
            self.assertEqual(answer.code, USAGE, answer)
            self.assertNotIn("root:", answer.out.decode() + answer.err)
        answer = self.ask("sql", server, "--timeout", "500ms",
                          "SELECT count(*) FROM range(1000000000000) t(a) WHERE a * a % 7 = 8")
        self.assertEqual(answer.code, FAILED, answer)
        self.assertEqual(server.total(), 100)

    def test_sql_is_off(self) -> None:
        server = self.stack.enter_context(Server(self.tmp / "off"))
        answer = self.ask("sql", server, "SELECT 1")
        self.assertEqual(answer.code, FAILED, answer)
        self.assertIn("query.sql", answer.err)


if __name__ == "__main__":
    lib.main()
