"""`hepcat search` and `hepcat flow`: against a running server, and on the files that it leaves behind."""

from __future__ import annotations

import csv
import io
import os
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import lib  # noqa: E402
from serve_lib import Server  # noqa: E402

FOUND, NOTHING, USAGE, FAILED = 0, 1, 2, 3
START = 1767225600  # 2026-01-01T00:00:00Z


def message(index: int, start_line: str, call_id: str = "call-1", src: str = "10.0.0.1", dst: str = "10.0.0.2",
            body: str = "", branch: str | None = None) -> dict:
    sip = (f"{start_line}\r\nVia: SIP/2.0/UDP {src};branch={branch or f'z9hG4bK{index}'}\r\n"
           f"From: \"A\" <sip:+15550001@example.org>;tag=1\r\nTo: <sip:+15550002@example.org>\r\n"
           f"Call-ID: {call_id}\r\nCSeq: 1 INVITE\r\nUser-Agent: a, \"b\"\r\n")
    if body:
        sip += f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
    return {"rcinfo": {"protocolFamily": 2, "protocol": 17, "srcIp": src, "dstIp": dst, "srcPort": 5060,
                       "dstPort": 5060, "timeSeconds": START + index, "timeUseconds": 123456, "payloadType": 1,
                       "captureId": 7, "hepNodeName": "edge"},
            "payload": f"{sip}\r\n{body}"}


SDP = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


def call() -> list[dict]:
    log = message(2, "")
    log["rcinfo"].update(payloadType=100, correlation_id="call-1")
    log["payload"] = "routing\x1b[2J decision"
    return [message(0, "INVITE sip:+15550002@example.org SIP/2.0", body=SDP, branch="z9hG4bKx"),
            message(1, "INVITE sip:+15550002@example.org SIP/2.0", body=SDP, branch="z9hG4bKx"),
            log,
            message(3, "SIP/2.0 486 Busy \x1b[31mHere", src="10.0.0.2", dst="10.0.0.1"),
            message(4, "OPTIONS sip:x SIP/2.0", call_id="call-2")]


class SearchCase(lib.Case):
    def server(self, *args: str) -> Server:
        # Capture times of another year are to be believed.
        server = self.stack.enter_context(Server(self.tmp / "data", *args, env=self.env()))
        server.send(call())
        return server

    def env(self) -> dict:
        return {**os.environ, "HEPCAT_HEP_CLOCK_WINDOW": "36500d"}

    def ask(self, command: str, server: Server, *args: str, env: dict | None = None) -> lib.Result:
        return lib.run(command, "--server", server.url, *args, env=env)

    # ------------------------------------------------------------------------------------------------- search

    def test_language(self) -> None:
        """The same of what is in memory, and of what is in files."""
        cases = {
            "method:INVITE,OPTIONS NOT status:486": 3,
            "NOT status:486": 4,
            "callid:call-1,call-2,none": 4,
            "callid:call-2 OR type:log": 2,
            "(callid:call-1 status:400..499) OR corr:call-1": 2,
            "ts:2026-01-01T00:00:01Z..2026-01-01T00:00:02Z": 1,
            "ts:>-1h": 0,
            "ua:/^A, \"B\"$/i": 4,
            "header.user-agent:a*": 4,
            "header.i:call-2": 1,
            "header.content-type:?": 2,
            "type:sip NOT header.content-type:?": 2,
            "body:\"m=audio 4000\"": 2,
            "body:/^routing/": 1,
            "payload:decision": 1,
            "num:\"+1 555 0002\"": 4,
            "num:0015550002": 4,
            "pai:?": 0,
        }
        server = self.server()
        server.wait_total(5)
        for text, count in cases.items():
            result = self.ask("search", server, "--count", text)
            self.assertEqual(result.out.strip(), str(count).encode(), (text, result))
        many = "callid:" + ",".join(f"call-{i}" for i in range(1000))
        self.assertEqual(self.ask("search", server, "--count", many).out.strip(), b"4")
        bomb = "payload:/^(([^\\x00]|[^\\x01])+)+[\\x01\\x02]/"
        result = self.ask("search", server, "--count", bomb)
        self.assertEqual(result.code, FAILED, result)
        self.assertIn("the regular expression gave up on", result.err)
        long = "from:a OR " * 1000 + "form:b"
        result = self.ask("search", server, long)
        self.assertEqual(result.code, USAGE, result)
        lines = result.err.splitlines()
        self.assertIn("did you mean 'from'?", lines[0])
        self.assertTrue(lines[1].startswith("  ...") and lines[1].endswith("form:b") and len(lines[1]) < 120, lines)
        self.assertEqual(lines[2].index("^"), lines[1].index("form:b"))
        server.stop()
        for text, count in cases.items():
            result = lib.run("search", "--data", str(self.tmp / "data"), "--count", "--quiet", text)
            self.assertEqual(result.out.strip(), str(count).encode(), (text, result))
        env = {**os.environ, "HEPCAT_NUMBERS_COUNTRY": "1", "HEPCAT_NUMBERS_TRUNK": "none"}
        result = lib.run("search", "--data", str(self.tmp / "data"), "--count", "num:5550002", env=env)
        self.assertEqual(result.out.strip(), b"4", result)

    def test_json_table_csv(self) -> None:
        server = self.server()
        server.wait_total(5)
        result = self.ask("search", server)
        self.assertEqual(result.code, FOUND, result)
        self.assertEqual([m["ts"] for m in result.messages],
                         [f"2026-01-01T00:00:0{i}.123456Z" for i in range(5)])
        self.assertNotIn("payload", result.messages[0])
        self.assertIn("the newest 5 of 5 messages", result.err)

        result = self.ask("search", server, "--limit", "2", "--payload", "callid:call-1")
        self.assertEqual([m["payload"] for m in result.messages], [m["payload"] for m in call()[1:4] if "SIP" in m["payload"]])
        result = self.ask("search", server, "--oldest", "--limit", "1", "--quiet")
        self.assertEqual((result.messages[0]["seq"] > 0, result.messages[0]["method"], result.err), (True, "INVITE", ""))

        result = self.ask("search", server, "--format", "csv", "--columns", "ts,method,user_agent", "method:OPTIONS")
        self.assertEqual(list(csv.reader(io.StringIO(result.out.decode(), newline=""))),
                         [["ts", "method", "user_agent"], ["2026-01-01T00:00:04.123456Z", "OPTIONS", 'a, "b"']])
        self.assertIn(b'"a, ""b"""\r\n', result.out)

        result = self.ask("search", server, "--format", "table")
        lines = result.out.decode().splitlines()
        self.assertEqual(len(lines), 6)
        self.assertTrue(lines[0].startswith("TIME (UTC)"))
        self.assertRegex(lines[1], r"^01-01 00:00:00\.123 +10\.0\.0\.1 +10\.0\.0\.2 +INVITE +\+15550001 +\+15550002 +call-1$")
        self.assertNotIn(b"\x1b", result.out)

    def test_counts_and_statuses(self) -> None:
        server = self.server()
        server.wait_total(5)
        for filter_text, total in (("", 5), ("status:486", 1), ("method:INVITE", 3), ("from:+1555* src:10.0.0.2", 1)):
            result = self.ask("search", server, "--count", filter_text)
            self.assertEqual((result.code, result.out, result.err), (FOUND, b"%d\n" % total, ""), filter_text)
        result = self.ask("search", server, "--count", "status:500")
        self.assertEqual((result.code, result.out), (NOTHING, b"0\n"))
        self.assertEqual(self.ask("search", server, "--to", "2025-01-01").code, NOTHING)
        self.assertEqual(self.ask("search", server, "--from", "-1h").code, NOTHING)

    def test_wrong_questions(self) -> None:
        server = self.server()
        result = self.ask("search", server, "method:INVITE", "fron:x")
        self.assertEqual((result.code, result.out), (USAGE, b""))
        lines = result.err.splitlines()
        self.assertIn("from", lines[0])
        self.assertEqual(lines[1:3], ["  method:INVITE fron:x", "                ^"])
        for args in (("--from", "soon"), ("--columns", "nope"), ("--format", "xml"), ("--limit", "0"),
                     ("--limit", "100001"), ("--data", "x", "--token", "y")):
            result = self.ask("search", server, *args)
            self.assertEqual((result.code, result.out), (USAGE, b""), args)
            self.assertIn("--help", result.err)
        self.assertEqual(lib.run("flow").code, USAGE)
        result = lib.run("search", "--server", f"http://127.0.0.1:{lib.free_port(socket.SOCK_STREAM)}")
        self.assertEqual((result.code, result.out), (FAILED, b""))

    def test_token(self) -> None:
        server = self.stack.enter_context(Server(self.tmp / "data", "--token", "t0ken", env=self.env()))
        self.assertEqual(self.ask("search", server).code, FAILED)
        self.assertEqual(self.ask("search", server, "--token", "t0ke").code, FAILED)
        self.assertEqual(self.ask("search", server, "--token", "t0ken").code, NOTHING)
        self.assertEqual(self.ask("search", server, env={**self.env(), "HEPCAT_TOKEN": "t0ken"}).code, NOTHING)

    # ------------------------------------------------------------------------------------------------- flow

    def test_flow(self) -> None:
        server = self.server()
        server.wait_total(5)
        result = self.ask("flow", server, "--ascii", "--width", "80", "call-1")
        self.assertEqual(result.code, FOUND, result)
        self.assertEqual(result.out.decode().splitlines(), [
            "2026-01-01 UTC",
            "                                     10.0.0.1                  10.0.0.2",
            "                                       :5060                     :5060",
            "                                         |                         |",
            "00:00:00.123456                          |------INVITE (SDP)------>| #1",
            "00:00:01.123456   +1.000000              |--INVITE (SDP) (again)-->| #2",
            "00:00:02.123456   +1.000000 * #3 log 10.0.0.1:5060: routing?[2J decision",
            "00:00:03.123456   +1.000000              |<486 Busy ?[31mHere (ma~-| #4",
        ])
        result = self.ask("flow", server, "--format", "json", "--payload", "call-1")
        self.assertEqual([m["payload"] for m in result.messages], [m["payload"] for m in call()[:4]])
        self.assertEqual(self.ask("flow", server, "nobody").code, NOTHING)

    def test_files_answer_like_the_server(self) -> None:
        server = self.server()
        server.wait_total(5)
        asked = [("search", "callid:call-1"), ("search", "--count", "method:INVITE"), ("search", "status:500"),
                 ("flow", "--ascii", "call-1"), ("flow", "--format", "json", "--payload", "call-1"),
                 ("search", "--format", "csv", "--payload", "--oldest", "--limit", "3")]
        before = [self.ask(command, server, *args) for command, *args in asked]
        server.stop()  # seals what is in memory
        for (command, *args), expected in zip(asked, before):
            result = lib.run(command, "--data", str(self.tmp / "data"), *args)
            self.assertEqual((result.code, result.out), (expected.code, expected.out), (command, args, result.err))


if __name__ == "__main__":
    lib.main()
