#!/usr/bin/env python3
"""Calls of a real server: what messages become, live and over, in memory and in files, across restarts."""

from __future__ import annotations

import json
import time
from pathlib import Path

import lib
from serve_lib import Server


def sip(call: str, line: str, cseq: str, *, from_user: str = "alice", to_user: str = "bob", to_tag: bool = True,
        body: str = "", extra: str = "") -> str:
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return (f"{line}\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-{call}-{cseq.replace(' ', '')}\r\n"
            f"From: <sip:{from_user}@example.org>;tag=f-{call}\r\n"
            f"To: <sip:{to_user}@example.org>{';tag=t-' + call if to_tag else ''}\r\n"
            f"Call-ID: {call}\r\nCSeq: {cseq}\r\n{extra}{kind}Content-Length: {len(body)}\r\n\r\n{body}")


SDP = ("v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\n"
       "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n")
REQUEST, RESPONSE = ("10.0.0.1", "10.0.0.2"), ("10.0.0.2", "10.0.0.1")


class Script:
    """Messages of one call, at seconds before now."""

    def __init__(self, call: str, begin: float):
        self.call, self.begin, self.messages = call, begin, []

    def add(self, at: float, line: str, cseq: str, way: tuple[str, str] | None = None, **more) -> Script:
        way = way or (RESPONSE if line.startswith("SIP/2.0") else REQUEST)
        when = self.begin + at
        self.messages.append(lib.message(payload=sip(self.call, line, cseq, **more), srcIp=way[0], dstIp=way[1],
                                         timeSeconds=int(when), timeUseconds=int(when % 1 * 1e6)))
        return self

    def answered(self, talk: float, hangup: str = "caller", status: int = 0) -> "Script":
        self.add(0, "INVITE sip:bob@example.org SIP/2.0", "1 INVITE", to_tag=False, body=SDP)
        self.add(0.1, "SIP/2.0 100 Trying", "1 INVITE", to_tag=False)
        self.add(1.5, "SIP/2.0 180 Ringing", "1 INVITE")
        self.add(4, "SIP/2.0 200 OK", "1 INVITE", body=SDP)
        self.add(4.1, "ACK sip:bob@example.org SIP/2.0", "1 ACK")
        if talk > 0:
            way = REQUEST if hangup == "caller" else RESPONSE
            if hangup == "caller":
                self.add(4 + talk, "BYE sip:bob@example.org SIP/2.0", "2 BYE", way)
                self.add(4.1 + talk, "SIP/2.0 200 OK", "2 BYE")
        return self

    def refused(self, status: int, reason: str) -> "Script":
        self.add(0, "INVITE sip:bob@example.org SIP/2.0", "1 INVITE", to_tag=False, body=SDP)
        self.add(0.5, f"SIP/2.0 {status} {reason}", "1 INVITE")
        return self.add(0.6, "ACK sip:bob@example.org SIP/2.0", "1 ACK")


class Calls(lib.Case):
    kept: list[dict]

    def setUp(self) -> None:
        super().setUp()
        self.kept = []

    def serve(self, *args: str, data: Path | None = None) -> Server:
        return self.stack.enter_context(Server(data or self.tmp / "data", *args))

    def calls(self, server: Server, q: str = "", **params) -> list[dict]:
        params.setdefault("limit", 100000)
        answer = server.get("/api/v1/calls", q=q, total=1, **params)
        self.assertEqual(answer.status, 200, answer)
        self.assertTrue(answer.json["rows_exact"] and answer.json["total_exact"], answer)
        return answer.json["rows"]

    def ids(self, server: Server, q: str = "", **params) -> set[str]:
        rows = self.calls(server, q, **params)
        found = {row["call_id"] for row in rows}
        self.assertEqual(len(found), len(rows))
        return found

    def wait_calls(self, server: Server, count: int, q: str = "") -> None:
        lib.wait_for(lambda: len(self.calls(server, q)) == count, f"{count} calls of {q!r}")

    def some(self, server: Server) -> None:
        """One of each kind, that ended a while ago or still runs."""
        begin = time.time() - 300
        scripts = [Script("done", begin).answered(60), Script("busy", begin).refused(486, "Busy Here"),
                   Script("gone", begin).refused(404, "Not Found"), Script("talks", begin).answered(0),
                   Script("rings", time.time() - 2)
                   .add(0, "INVITE sip:bob@example.org SIP/2.0", "1 INVITE", to_tag=False, body=SDP)
                   .add(0.5, "SIP/2.0 180 Ringing", "1 INVITE")]
        server.send([m for s in scripts for m in s.messages])
        self.wait_calls(server, 5)

    def test_records(self) -> None:
        server = self.serve()
        self.some(server)
        calls = {row["call_id"]: row for row in self.calls(server)}
        done = calls["done"]
        for key, value in {"state": "completed", "hangup": "caller", "status": 200, "pdd_ms": 1500, "ring_ms": 2500,
                           "talk_ms": 60000, "codec": "PCMU", "from_user": "alice", "to_user": "bob", "messages": 7,
                           "retransmissions": 0, "src_ip": "10.0.0.1", "dst_ip": "10.0.0.2",
                           "caller_media_ip": "10.0.0.1", "caller_media_port": 4000}.items():
            self.assertEqual(done[key], value, key)
        self.assertEqual((calls["busy"]["state"], calls["busy"]["status"]), ("rejected", 486))
        self.assertEqual((calls["gone"]["state"], calls["gone"]["reason"]), ("failed", "Not Found"))
        self.assertEqual(calls["rings"]["state"], "ringing")
        self.assertEqual(calls["talks"]["state"], "answered")
        self.assertGreater(calls["talks"]["talk_ms"], 290000)

    def test_filters(self) -> None:
        server = self.serve()
        self.some(server)
        for q, expect in (("state:completed", "done"), ("state:rejected,failed", "busy gone"), ("duration:60s", "done"),
                          ("duration:>=1m", "done talks"), ("pdd:>1s pdd:<2s", "done talks"), ("status:486", "busy"),
                          ("hangup:caller", "done"), ("codec:pcmu", "done talks"), ("NOT codec:?", "busy gone rings"),
                          ("from:alice callid:b*", "busy"), ("ip:10.0.0.2 state:ringing", "rings"),
                          ("to:bob@example.org state:completed", "done"), ("to:bob@example.net", ""),
                          ("messages:>6", "done"), ("ua:?", ""), ("flag:no-ack", "")):
            with self.subTest(q):
                self.assertEqual(self.ids(server, q), set(expect.split()))
        answer = server.get("/api/v1/calls", q="method:INVITE")
        self.assertEqual(answer.status, 400)
        self.assertIn("only messages", answer.json["detail"])
        self.assertEqual(server.get("/api/v1/search", q="state:completed").status, 400)
        self.assertEqual(server.total(), 20)

    def test_counts_and_values(self) -> None:
        server = self.serve()
        self.some(server)
        counts = server.get("/api/v1/counts", of="calls", by="state").json
        self.assertEqual({s["value"]: s["total"] for s in counts["series"]},
                         {"completed": 1, "rejected": 1, "failed": 1, "answered": 1, "ringing": 1})
        self.assertEqual(counts["total"], 5)
        values = server.get("/api/v1/values", of="calls", field="state", prefix="f").json["values"]
        self.assertEqual(values, [{"value": "failed", "count": 1}])

    def test_commands(self) -> None:
        server = self.serve()
        self.some(server)
        done = lib.run("calls", "state:completed", "--server", server.url, "--format", "json")
        self.assertEqual([json.loads(line)["call_id"] for line in done.out.splitlines()], ["done"], done)
        table = lib.run("calls", "--server", server.url, "--format", "table").out.decode()
        self.assertIn("rejected 486 Busy Here", table)
        self.assertIn("1:00", table)
        csv = lib.run("calls", "--server", server.url, "--format", "csv", "--columns", "call_id,state").out.decode()
        self.assertIn("done,completed", csv)
        self.assertEqual(lib.run("calls", "state:held", "--server", server.url).code, 1)
        self.assertEqual(lib.run("calls", "method:INVITE", "--server", server.url).code, 2)
        self.assertEqual(lib.run("calls", "--count", "--server", server.url).out.strip(), b"5")
        self.assertIn(b"completed", lib.run("count", "--calls", "--by", "state", "--server", server.url,
                                            "--format", "json").out)

    def test_over_and_in_files(self) -> None:
        """A call that is over for as long as calls.linger says is a row, in memory and then in a file."""
        config = self.file("c.yaml", "calls:\n  linger: 1s\nseal:\n  interval: 1s\n")
        server = self.serve("--config", config)
        self.some(server)
        lib.wait_for(lambda: any("/call/" in str(f) for f in server.files()), "a file of calls", 60)
        lib.wait_for(lambda: server.metric("hepcat_calls_live") == 2, "calls that are over")
        self.assertEqual(self.ids(server), {"done", "busy", "gone", "talks", "rings"})
        lib.wait_for(lambda: lib.run("calls", "--data", str(server.data), "--count").out.strip() == b"3", "sealed calls")
        self.assertEqual(lib.run("calls", "method:x", "--data", str(server.data)).code, 2)
        self.assertEqual(self.ids(server, "state:completed"), {"done"})

    def test_late_messages(self) -> None:
        """What another tap, and an agent that had to wait, send of calls that are sealed becomes part of their rows."""
        server = self.serve("--config", self.file("c.yaml", "calls:\n  linger: 1s\nseal:\n  interval: 1s\n"))
        begin = time.time() - 300
        whole, other = Script("late", begin).answered(60), Script("other", begin).answered(60)
        server.send(whole.messages + other.messages)
        kept = Script("wait", begin).answered(60).messages
        server.send(kept[1:2] + kept[3:])  # not the INVITE, and not that it rang
        lib.wait_for(lambda: lib.run("calls", "--data", str(server.data), "--count").out.strip() == b"3", "sealed calls")
        uids = {row["call_id"]: row["call_uid"] for row in self.calls(server)}
        self.assertEqual(len(uids), 3)
        server.send([kept[0], kept[2]] + [{**m, "rcinfo": {**m["rcinfo"], "captureId": 77}} for m in whole.messages])
        lib.wait_for(lambda: server.metric("hepcat_calls_amended_total") >= 2, "both calls")
        calls = {row["call_id"]: row for row in self.calls(server)}
        self.assertEqual({c: row["call_uid"] for c, row in calls.items()}, uids)
        for key, value in {"messages": 14, "taps": 2, "seen_again": 7, "retransmissions": 0, "talk_ms": 60000}.items():
            self.assertEqual(calls["late"][key], value, key)
        for key, value in {"messages": 7, "pdd_ms": 1500, "ring_ms": 2500, "state": "completed", "src_ip": "10.0.0.1"}.items():
            self.assertEqual(calls["wait"][key], value, key)
        self.assertNotIn("start-missing", calls["wait"].get("call_flags", ""))
        self.assertEqual(calls["other"]["messages"], 7)
        self.assertEqual((server.metric("hepcat_calls_unamended_total"), server.metric("hepcat_calls_late")), (0, 0))

    def test_restarts(self) -> None:
        """Killed or ended, with a seal before it or not: calls go on where they were."""
        server = self.serve("--config", self.file("c.yaml", "seal:\n  interval: 2s\n"))
        begin = time.time() - 20
        script = Script("long", begin).answered(0)
        for i, message in enumerate(script.messages):
            server.send([message])
            server.wait_total(i + 1)
            lib.wait_for(lambda n=i + 1: [row["messages"] for row in self.calls(server)] == [n], "the call")
            before = self.calls(server)
            lib.wait_for(lambda: server.metric("hepcat_wal_buffered_bytes") == 0, "the log")
            if i % 2 == 0:
                server.kill()
            else:
                self.assertEqual(server.stop(), 0, server.err)
            server = self.serve(data=server.data)
            after = self.calls(server)
            for row in before + after:
                row.pop("received")
                row.pop("talk_ms", None)
            self.assertEqual(after, before)
        self.assertEqual(self.calls(server)[0]["state"], "answered")

    def test_import(self) -> None:
        """What is imported has its own time, and its calls are over with it."""
        server = self.serve()
        long_ago = 1700000000
        messages = Script("old", long_ago).answered(30).messages + Script("cut", long_ago).answered(0).messages
        path = self.tmp / "old.hep"
        done = lib.run("encode", stdin=lib.jsonl(messages))
        self.assertEqual(done.code, 0, done)
        path.write_bytes(done.out)
        data = self.tmp / "imported"
        done = lib.run("import", "--data", str(data), str(path))
        self.assertEqual(done.code, 0, done)
        done = lib.run("calls", "--data", str(data), "--format", "json")
        calls = {json.loads(line)["call_id"]: json.loads(line) for line in done.out.splitlines()}
        self.assertEqual({c: row["state"] for c, row in calls.items()}, {"old": "completed", "cut": "incomplete"})
        self.assertEqual(calls["old"]["talk_ms"], 30000)
        self.assertTrue(calls["old"]["ts"].startswith("2023-11-14"))

    def test_pages(self) -> None:
        """Each call once, though calls end and are sealed while somebody turns the pages."""
        server = self.serve("--config", self.file("c.yaml", "calls:\n  linger: 1s\nseal:\n  interval: 1s\n"))
        begin = time.time() - 600
        for i in range(300):
            script = Script(f"call-{i}", begin + i).answered(1 if i % 2 else 0)
            server.send(script.messages) if i % 50 == 0 else self.keep(script)
        server.send(self.kept)
        self.wait_calls(server, 300)
        seen: list[str] = []
        after = None
        for _ in range(100):
            params = {"limit": 7, **({"after": after} if after else {})}
            answer = server.get("/api/v1/calls", **params).json
            seen += [row["call_id"] for row in answer["rows"]]
            after = answer["next"]
            if after is None:
                break
            time.sleep(0.05)
        self.assertEqual(len(seen), 300)
        self.assertEqual(len(set(seen)), 300)

    # -------------------------------------------------------------------------------------------------- key figures

    def test_kpi(self) -> None:
        """Ten calls, the figures computed by hand."""
        server = self.serve()
        begin = float(int(time.time()) - 600)
        for i, talk in enumerate((10, 20, 30, 60)):  # answered after 4 s, ringing after 1.5 s
            self.keep(Script(f"talked-{i}", begin + i).answered(talk))
        self.keep(Script("busy", begin + 10).refused(486, "Busy Here"))
        self.keep(Script("moved", begin + 11).refused(302, "Moved Temporarily"))
        self.keep(Script("missing", begin + 12).refused(404, "Not Found"))
        self.keep(Script("broken", begin + 13).refused(503, "Service Unavailable"))
        rang = Script("rang", begin + 14).add(0, "INVITE sip:bob@example.org SIP/2.0", "1 INVITE", to_tag=False, body=SDP)
        rang.add(2.5, "SIP/2.0 180 Ringing", "1 INVITE")
        rang.add(20, "CANCEL sip:bob@example.org SIP/2.0", "1 CANCEL", to_tag=False)
        self.keep(rang.add(20.1, "SIP/2.0 487 Request Terminated", "1 INVITE"))
        silent = Script("gave-up", begin + 15).add(0, "INVITE sip:bob@example.org SIP/2.0", "1 INVITE", to_tag=False)
        silent.add(5, "CANCEL sip:bob@example.org SIP/2.0", "1 CANCEL", to_tag=False)
        self.keep(silent.add(5.1, "SIP/2.0 487 Request Terminated", "1 INVITE"))
        self.keep(Script("rings", time.time() - 2)
                  .add(0, "INVITE sip:bob@example.org SIP/2.0", "1 INVITE", to_tag=False)
                  .add(0.5, "SIP/2.0 180 Ringing", "1 INVITE"))
        self.keep(Script("half", begin + 20).add(0, "BYE sip:bob@example.org SIP/2.0", "2 BYE"))
        server.send(self.kept)
        self.wait_calls(server, 12)
        window = {"from": begin, "to": begin + 100}
        k = server.get("/api/v1/kpi", by="status", **window).json
        expect = {
            "attempts": 10, "undecided": 0, "answered": 4, "completed": 4, "asr": 40.0,
            "ner": 60.0,  # 4 answered, 1 busy, 1 rang
            "ser": 44.44, "seer": 55.56,  # 4 and 5 of the 9 that were not redirected
            "isa": 10.0, "scr": 40.0, "acd_s": 30.0, "talk_s": 120,
            "pdd_p50_ms": 1500, "pdd_p95_ms": 5100,  # 500 x 4, 1500 x 4, 2500, 5100
            "cps": 0.1, "erlang": 1.2, "exact": True,
            "classes": {"none": 0, "1xx": 0, "2xx": 4, "3xx": 1, "4xx": 4, "5xx": 1, "6xx": 0},
        }
        self.assertEqual({key: k[key] for key in expect}, expect)
        groups = {g["value"]: g for g in k["groups"]}
        self.assertEqual({v: g["attempts"] for v, g in groups.items()},
                         {"200": 4, "302": 1, "404": 1, "486": 1, "487": 2, "503": 1})
        self.assertEqual((groups["200"]["asr"], groups["487"]["ner"], groups["302"]["ser"]), (100.0, 50.0, None))
        self.assertEqual(server.get("/api/v1/kpi").json["undecided"], 1)
        self.assertEqual(server.get("/api/v1/kpi", q="from:nobody").json["asr"], None)
        self.assertEqual(server.get("/api/v1/kpi", by="method").status, 400)
        self.assertEqual(server.get("/api/v1/kpi", q="method:INVITE").status, 400)
        done = lib.run("kpi", "--server", server.url, "--from", str(int(begin)), "--to", str(int(begin + 100)), "--by", "src",
                       "--format", "csv")
        self.assertEqual((done.code, done.out.decode().splitlines()[-1]),
                         (0, "all,10,4,40.00,60.00,55.56,10.00,30.00,1500,5100,0.10,1.20"), done)

    def test_kpi_over_time_and_by_prefix(self) -> None:
        """Five calls in the first and the third of three hours, the figures computed by hand."""
        server = self.serve()
        hour = int(time.time() // 3600) * 3600 - 4 * 3600
        for script in (self.leg("a", hour + 600, to_user="+4930111", talk=10),
                       self.leg("b", hour + 2400, to_user="+4930222", talk=30), Script("c", hour + 3000).refused(486, "Busy Here"),
                       self.leg("d", hour + 7200, to_user="+33155", talk=60),
                       Script("e", hour + 9000).refused(503, "Service Unavailable")):
            self.keep(script)
        server.send(self.kept)
        self.wait_calls(server, 5)
        window = {"from": hour, "to": hour + 3 * 3600}
        k = server.get("/api/v1/kpi", step="1h", by="ruri", prefix=5, **window).json
        self.assertEqual((k["attempts"], k["asr"], k["acd_s"], k["step_s"]), (5, 60.0, 33.33, 3600))
        self.assertEqual([(b["attempts"], b["answered"], b["asr"], b["isa"], b["acd_s"], b["pdd_p50_ms"], b["pdd_p95_ms"],
                           b["erlang"], b["classes"]["4xx"]) for b in k["buckets"]],
                         [(3, 2, 66.67, 0.0, 20.0, 1000, 1000, 0.01, 1), (0, 0, None, None, None, None, None, 0.0, 0),
                          (2, 1, 50.0, 50.0, 60.0, 500, 1000, 0.02, 0)])
        starts = [time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(hour + i * 3600)) for i in range(3)]
        self.assertEqual([b["from"] for b in k["buckets"]], starts)
        groups = {g["value"]: g for g in k["groups"]}
        self.assertEqual({v: (g["attempts"], g["asr"]) for v, g in groups.items()},
                         {"+4930": (2, 100.0), "+3315": (1, 100.0), "bob": (2, 0.0)})
        self.assertEqual([b["attempts"] for b in groups["bob"]["buckets"]], [1, 0, 1])
        # The first step begins at a full hour, and is half as long: 2 calls in 1800 s.
        k = server.get("/api/v1/kpi", step="1h", **{"from": hour + 1800, "to": hour + 3 * 3600}).json
        self.assertEqual([(b["from"], b["attempts"], b["erlang"]) for b in k["buckets"]],
                         [(starts[0], 2, 0.02), (starts[1], 0, 0.0), (starts[2], 2, 0.02)])
        for bad, parameter in (({"prefix": 3}, "prefix"), ({"by": "src", "prefix": 3}, "by"), ({"step": "1s"}, "step"),
                               ({"step": "1ms"}, "step"), ({"step": "x"}, "step"), ({"by": "to", "prefix": 33}, "prefix")):
            answer = server.get("/api/v1/kpi", **window, **bad)
            self.assertEqual((answer.status, answer.json["parameter"]), (400, parameter), bad)
        done = lib.run("kpi", "--server", server.url, "--from", str(hour), "--to", str(hour + 3 * 3600), "--step", "1h",
                       "--by", "ruri", "--prefix", "5", "--groups", "1", "--format", "csv")
        lines = [line.split(",")[:4] for line in done.out.decode().splitlines()[1:]]
        self.assertEqual((done.code, len(lines)), (0, 6), done)
        self.assertEqual(lines[3:], [[f"all {starts[0][:19]}", "3", "2", "66.67"], [f"all {starts[1][:19]}", "0", "0", ""],
                                     [f"all {starts[2][:19]}", "2", "1", "50.00"]])
        for args in (("--step", "1ms"), ("--prefix", "3"), ("--step", "1h", "--by", "src", "--prefix", "2")):
            self.assertEqual(lib.run("kpi", "--server", server.url, *args).code, 2, args)

    # -------------------------------------------------------------------------------------------------- legs

    def leg(self, call: str, at: float, *, extra: str = "", to_user: str = "bob", talk: float = 5) -> Script:
        script = Script(call, at)
        script.add(0, f"INVITE sip:{to_user}@example.org SIP/2.0", "1 INVITE", to_tag=False, extra=extra)
        script.add(1, "SIP/2.0 200 OK", "1 INVITE")
        script.add(1.1, f"ACK sip:{to_user}@example.org SIP/2.0", "1 ACK")
        script.add(1 + talk, f"BYE sip:{to_user}@example.org SIP/2.0", "2 BYE")
        return script.add(1.1 + talk, "SIP/2.0 200 OK", "2 BYE")

    def legs_of(self, server: Server, call: str) -> set[str]:
        answer = server.get(f"/api/v1/calls/{call}")
        self.assertEqual(answer.status, 200, answer)
        self.assertFalse(answer.json["cut"])
        self.assertNotIn("problem", answer.json)
        self.assertEqual(answer.json["call_ids"][0], call)
        self.assertEqual({row["call_id"] for row in answer.json["rows"]}, set(answer.json["call_ids"]))
        return set(answer.json["call_ids"])

    def test_legs(self) -> None:
        """A chain of three, by two kinds of keys; from any of them all are found, running and in files."""
        server = self.serve("--config", self.file("c.yaml", "calls:\n  linger: 1s\nseal:\n  interval: 1s\n"))
        begin = time.time() - 60
        legs = [self.leg("leg-a", begin), self.leg("leg-b", begin + 0.2, extra="X-Call-ID: leg-a\r\nP-Charging-Vector: icid-value=icid-0815\r\n"),
                self.leg("leg-c", begin + 0.4, extra="P-Charging-Vector: icid-value=icid-0815\r\n"),
                self.leg("other", begin + 0.5, to_user="carol")]
        server.send([m for leg in legs for m in leg.messages])
        self.wait_calls(server, 4)
        for call in ("leg-a", "leg-b", "leg-c"):
            self.assertEqual(self.legs_of(server, call), {"leg-a", "leg-b", "leg-c"})
        self.assertEqual(self.legs_of(server, "other"), {"other"})
        self.assertEqual(self.ids(server, "legs:>1"), {"leg-a", "leg-b", "leg-c"})
        self.assertEqual(self.calls(server, "callid:leg-b")[0]["legs"], 3)
        lib.wait_for(lambda: server.metric("hepcat_calls_live") == 0, "calls that are over")
        for call in ("leg-a", "leg-b", "leg-c"):
            self.assertEqual(self.legs_of(server, call), {"leg-a", "leg-b", "leg-c"})
        flow = server.get("/api/v1/flow", call_id="leg-b", legs=1).json
        self.assertEqual({row["call_id"] for row in flow["rows"]}, {"leg-a", "leg-b", "leg-c"})
        self.assertEqual((flow["count"], set(flow["group"]["call_ids"])), (15, {"leg-a", "leg-b", "leg-c"}))
        self.assertEqual(server.get("/api/v1/flow", call_id="leg-b").json["count"], 5)
        self.assertEqual(server.get("/api/v1/calls/leg-b/diagnosis", legs=1).json["messages"], 15)
        lib.wait_for(lambda: lib.run("calls", "--data", str(server.data), "--count").out.strip() == b"4", "sealed calls")
        for args in (["--server", server.url], ["--data", str(server.data)]):
            done = lib.run("flow", "leg-c", "--format", "json", *args)
            self.assertEqual({json.loads(line)["call_id"] for line in done.out.splitlines()}, {"leg-a", "leg-b", "leg-c"}, done)
            done = lib.run("flow", "leg-c", "--alone", "--format", "json", *args)
            self.assertEqual({json.loads(line)["call_id"] for line in done.out.splitlines()}, {"leg-c"}, done)

    def test_legs_hours_apart(self) -> None:
        """The second leg comes when the first one was written out long ago."""
        server = self.serve("--config", self.file("c.yaml", "calls:\n  linger: 1s\nseal:\n  interval: 1s\n"))
        begin = time.time() - 7200
        server.send(self.leg("first", begin, extra="P-Charging-Vector: icid-value=long-ago\r\n").messages)
        self.wait_calls(server, 1)
        lib.wait_for(lambda: server.metric("hepcat_calls_live") == 0, "the first call to be over")
        server.send(self.leg("second", begin + 7000, extra="P-Charging-Vector: icid-value=long-ago\r\n").messages)
        server.send(self.leg("third", begin + 7100, extra="X-Call-ID: second\r\n").messages)
        self.wait_calls(server, 3)
        for call in ("first", "second", "third"):
            lib.wait_for(lambda c=call: self.legs_of(server, c) == {"first", "second", "third"}, f"the legs of {call}")
        lib.wait_for(lambda: server.metric("hepcat_calls_live") == 0, "all calls to be over")
        self.assertEqual(self.legs_of(server, "first"), {"first", "second", "third"})

    def test_keys_that_nobody_can_ask_for(self) -> None:
        """What a header holds joins nothing then, and is in nobody's way."""
        server = self.serve("--config", self.file("c.yaml", "calls:\n  linger: 1s\n"))
        begin = time.time() - 60
        odd = "".join(f"X-Call-ID: {text}\r\n" for text in ("ab\x01cd", "say \"hi\" \\ *", "/x/i", "x" * 250))
        server.send(self.leg("odd-one", begin, extra=odd).messages + self.leg("odd-two", begin + 1, extra=odd).messages)
        self.wait_calls(server, 2)
        self.assertEqual(self.legs_of(server, "odd-one"), {"odd-one", "odd-two"})
        lib.wait_for(lambda: server.metric("hepcat_calls_live") == 0, "calls that are over")
        self.assertEqual(self.legs_of(server, "odd-two"), {"odd-one", "odd-two"})
        self.assertEqual(server.get("/api/v1/flow", call_id="odd-one", legs=1).json["count"], 10)

    def test_numbers_of_a_country(self) -> None:
        """Key figures go by the same rules of phone numbers as the filter."""
        server = self.serve("--config", self.file("c.yaml", 'numbers:\n  country: "49"\n'))
        script = Script("abroad", time.time() - 60)
        script.add(0, "INVITE sip:x@example.org SIP/2.0", "1 INVITE", to_tag=False, to_user="0301234567")
        script.add(1, "SIP/2.0 486 Busy Here", "1 INVITE", to_user="0301234567")
        server.send(script.messages)
        self.wait_calls(server, 1)
        for q in ('num:"+49 30 1234567"', "num:0301234567"):
            self.assertEqual(self.ids(server, q), {"abroad"})
            self.assertEqual(server.get("/api/v1/kpi", q=q, by="status").json["attempts"], 1)
            self.assertEqual(server.get("/api/v1/kpi", q=q, by="status").json["groups"][0]["attempts"], 1)

    def test_legs_of_a_hub(self) -> None:
        """What very many calls have in common joins none of them."""
        server = self.serve("--config", self.file("c.yaml", "calls:\n  linger: 1s\n"))
        begin = time.time() - 600
        for i in range(100):
            self.keep(self.leg(f"hub-{i}", begin + i, extra="P-Charging-Vector: icid-value=always\r\n"))
        server.send(self.kept)
        self.wait_calls(server, 100)
        lib.wait_for(lambda: server.metric("hepcat_calls_live") == 0, "calls that are over")
        answer = server.get("/api/v1/calls/hub-90").json
        self.assertEqual(answer["call_ids"], ["hub-90"])
        self.assertEqual(server.get("/api/v1/calls/unknown").status, 404)

    def keep(self, script: Script) -> None:
        self.kept += script.messages


if __name__ == "__main__":
    lib.main()
