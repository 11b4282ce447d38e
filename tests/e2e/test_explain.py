"""`hepcat explain`: calls of the demo and made-up ones, of a running server and of the files that it leaves behind."""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import lib  # noqa: E402
from serve_lib import Server  # noqa: E402

FOUND, NOTHING, USAGE, FAILED = 0, 1, 2, 3
START = 1767225600  # 2026-01-01T00:00:00Z
CALLS = 3           # of each scenario

# What each scenario of the demo must and may say. Media goes where nobody reports on it in some calls of all of them.
SCENARIOS = {
    "answered": set(), "callee-bye": set(), "early-media": set(), "auth": set(), "register": set(), "unregister": set(),
    "busy": {"busy"}, "cancel": {"no-answer"}, "no-answer": {"no-answer"}, "timeout": {"no-answer"},
    "not-found": {"unknown-number"}, "failover": set(), "hold": set(), "long-ring": set(), "session-timer": set(),
    "retransmit": {"retransmissions"}, "options": set(), "message": set(), "subscribe": set(), "redirect": set(),
    "b2bua": set(), "b2bua-session": set(), "b2bua-silent": set(),
}
ALWAYS = {"media-elsewhere", "high-pdd", "packet-loss", "high-jitter"}  # one line of eight is a bad one


def message(index: int, start_line: str, call_id: str, src: str, dst: str, extra: str = "", cseq: str = "1 INVITE",
            via: str = "1") -> dict:
    sip = (f"{start_line}\r\nVia: SIP/2.0/UDP {src};branch=z9hG4bK{via}\r\nFrom: <sip:100@example.org>;tag=a\r\n"
           f"To: <sip:200@example.org>\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n{extra}\r\n")
    return {"rcinfo": {"protocolFamily": 2, "protocol": 17, "srcIp": src, "dstIp": dst, "srcPort": 5060, "dstPort": 5060,
                       "timeSeconds": START + index, "timeUseconds": 500000, "payloadType": 1, "captureId": 7},
            "payload": sip}


def silent_call(call_id: str) -> list[dict]:
    """An INVITE that is repeated until the caller gives up."""
    return [message(i, "INVITE sip:200@example.org SIP/2.0", call_id, "10.0.0.1", "10.0.0.2") for i in (0, 1, 3, 7)]


class Explain(lib.Case):
    sent = 0

    def server(self) -> Server:
        env = {**os.environ, "HEPCAT_HEP_CLOCK_WINDOW": "36500d"}
        return self.stack.enter_context(Server(self.tmp / "data", env=env))

    def demo(self, server: Server, scenario: str, seed: int) -> set[str]:
        """Brings calls of the scenario to the server; their Call-IDs."""
        frames = lib.run("demo", "--fast", "--quiet", "--raw", "--count", str(CALLS), "--seed", str(seed), "--start",
                         str(START), "--mix", scenario).out
        messages = lib.decode(frames)
        path = self.tmp / f"{scenario}.hep"
        path.write_bytes(frames)
        done = lib.run("import", "--quiet", "--server", server.url, str(path))
        self.assertEqual(done.code, 0, done)
        self.sent += len(messages)
        server.wait_total(self.sent)
        return {found.group(1) for m in messages if (found := re.search(r"\r\nCall-ID: (\S+)", str(m["payload"])))}

    def explain(self, server: Server, *args: str) -> lib.Result:
        return lib.run("explain", "--server", server.url, *args)

    def ids(self, result: lib.Result) -> set[str]:
        return {finding["id"] for finding in json.loads(result.out)["findings"]}

    def test_demo(self) -> None:
        server = self.server()
        for seed, (scenario, expected) in enumerate(SCENARIOS.items()):
            calls = self.demo(server, scenario, seed + 1)
            self.assertEqual(len(calls), CALLS * (2 if "b2bua" in scenario else 1))
            for call_id in calls:
                result = self.explain(server, "--format", "json", call_id)
                self.assertEqual(result.code, FOUND, result)
                found = self.ids(result)
                self.assertTrue(expected <= found <= expected | ALWAYS, f"{scenario}: {result}")

    def test_malformed(self) -> None:
        server = self.server()
        for call_id in self.demo(server, "malformed", 5):
            found = self.ids(self.explain(server, "--format", "json", call_id))
            self.assertIn("malformed", found)

    def test_text(self) -> None:
        server = self.server()
        server.send(silent_call("call/1@x y"))
        server.wait_total(4)
        result = self.explain(server, "--ascii", "--width", "80", "call/1@x y")
        self.assertEqual(result.code, FOUND, result)
        self.assertEqual(result.out.decode().splitlines(), [
            "100@example.org to 200@example.org, 2026-01-01 00:00:00 UTC: no answer was seen",
            "",
            "error    retransmit-timeout",
            "         10.0.0.2:5060 does not answer: 10.0.0.1:5060 sent the INVITE 4 times",
            "         within 7.0 s and got no response.",
            "         evidence: #1 00:00:00.500000, #2 00:00:01.500000, #3 00:00:03.500000,",
            "         #4 00:00:07.500000",
            "         look at: loss on this hop, or a host that died: capture at the",
            "         receiving host to see whether the copies arrive",
        ])
        flow = lib.run("flow", "--server", server.url, "--ascii", "call/1@x y").out.decode()
        self.assertEqual(re.findall(r"#\d+$", flow, re.M), ["#1", "#2", "#3", "#4"])

    def test_evidence_leads_to_messages(self) -> None:
        server = self.server()
        server.send(silent_call("call-1"))
        server.wait_total(4)
        answer = json.loads(self.explain(server, "--format", "json", "call-1").out)
        (finding,) = answer["findings"]
        for evidence in finding["evidence"]:
            row = server.get("/api/v1/message", seq=evidence["seq"], ts=evidence["ts"]).json
            self.assertEqual((row["call_id"], row["method"]), ("call-1", "INVITE"))

    def test_nothing_moves_the_cursor(self) -> None:
        server = self.server()
        server.send([message(0, "INVITE sip:200@example.org SIP/2.0", "call-1", "10.0.0.1", "10.0.0.2"),
                     message(1, "SIP/2.0 486 \x1b[31mBusy", "call-1", "10.0.0.2", "10.0.0.1",
                             "Reason: Q.850;cause=17;text=\"\x1b[2J\"\r\n")])
        server.wait_total(2)
        for args in ((), ("--ascii",)):
            result = self.explain(server, *args, "call-1")
            self.assertIn(b"user busy", result.out)
            self.assertNotIn(b"\x1b", result.out)

    def test_who_is_not_known(self) -> None:
        server = self.server()
        result = self.explain(server, "nobody")
        self.assertEqual((result.code, result.out), (NOTHING, b""), result)
        self.assertEqual(self.explain(server, "x" * 1025).code, USAGE)
        self.assertEqual(self.explain(server, "--from", "yesterdayish", "x").code, USAGE)
        for args in ((), ("a", "b"), ("--format", "csv", "a"), ("",), ("--data", "x", "--token", "y", "a")):
            self.assertEqual(lib.run("explain", *args).code, USAGE, args)
        self.assertEqual(lib.run("explain", "--server", "http://127.0.0.1:1", "x").code, FAILED)
        answer = server.get("/api/v1/calls/" + "x" * 1025 + "/diagnosis")
        self.assertEqual((answer.status, answer.json["parameter"]), (400, "call_id"))
        self.assertEqual(server.get("/api/v1/calls//diagnosis").status, 404)  # no call "/diagnosis"
        self.assertEqual(server.get("/api/v1/calls/x/diagnoses").status, 404)
        answer = server.get("/api/v1/calls/" + urllib.parse.quote("a/diagnosis", safe="") + "/diagnosis")
        self.assertEqual((answer.status, answer.json["messages"]), (200, 0))

    def test_files_answer_like_the_server(self) -> None:
        server = self.server()
        server.send(silent_call("call-1") + silent_call("call-2"))
        server.wait_total(8)
        asked = [("call-1",), ("--format", "json", "call-2"), ("--ascii", "--width", "60", "--from", str(START + 2), "call-1"),
                 ("nobody",)]
        before = [self.explain(server, *args) for args in asked]
        server.stop()  # seals what is in memory
        for args, expected in zip(asked, before):
            result = lib.run("explain", "--data", str(self.tmp / "data"), *args)
            self.assertEqual((result.code, result.out), (expected.code, expected.out), (args, result.err))
        self.assertEqual(lib.run("explain", "--data", str(self.tmp / "data"), "x" * 1025).code, USAGE)


if __name__ == "__main__":
    lib.main()
