"""Registrations: `hepcat registrations` and /api/v1/registrations against a running server, also one that was killed."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import lib  # noqa: E402
from serve_lib import Server  # noqa: E402

FOUND, NOTHING, USAGE = 0, 1, 2
PHONE, REGISTRAR = "192.0.2.1", "192.0.2.9"


class Phone:
    """Makes the messages of one phone with its registrar, a millisecond apart, from now on."""

    def __init__(self, user: str, call_id: str = "", host: str = "example.com", ip: str = PHONE):
        self.user, self.host, self.ip = user, host, ip
        self.call_id = call_id or f"{user}-{time.time_ns()}"
        self.us = time.time_ns() // 1000
        self.cseq = 0

    def message(self, start_line: str, answer: bool, *headers: str) -> dict:
        self.us += 1000
        src, dst = (REGISTRAR, self.ip) if answer else (self.ip, REGISTRAR)
        sip = "\r\n".join([start_line, f"Via: SIP/2.0/UDP {self.ip};branch=z9hG4bK{self.call_id}{self.cseq}",
                           f"From: <sip:{self.user}@{self.host}>;tag=1", f"To: <sip:{self.user}@{self.host}>",
                           f"Call-ID: {self.call_id}", f"CSeq: {self.cseq} REGISTER", *headers, "", ""])
        return {"rcinfo": {"protocolFamily": 2, "protocol": 17, "srcIp": src, "dstIp": dst, "srcPort": 5060,
                           "dstPort": 5060, "timeSeconds": self.us // 10**6, "timeUseconds": self.us % 10**6,
                           "payloadType": 1, "captureId": 7},
                "payload": sip}

    def request(self, expires: int = 3600, credentials: bool = False, contact: str = "") -> dict:
        self.cseq += 1
        headers = [f"Contact: {contact or f'<sip:{self.user}@{self.ip}:5070;ob>'}", f"Expires: {expires}",
                   "User-Agent: phone 1"]
        if credentials:
            headers.append(f'Authorization: Digest username="{self.user}", realm="x"')
        return self.message(f"REGISTER sip:{self.host} SIP/2.0", False, *headers)

    def answer(self, status: int, *headers: str) -> dict:
        return self.message(f"SIP/2.0 {status} Said", True, *headers)

    def bound(self, expires: int = 3600) -> dict:
        return self.answer(200, f"Contact: <sip:{self.user}@{self.ip}:5070;ob>;expires={expires}")

    def registers(self, expires: int = 3600) -> list[dict]:
        return [self.request(expires), self.answer(401), self.request(expires, True), self.bound(expires)]

    def leaves(self) -> list[dict]:
        return [self.request(0, True, "*"), self.answer(200)]


class RegistrationsCase(lib.Case):
    def server(self, interval: str = "60s") -> Server:
        env = {**os.environ, "HEPCAT_SEAL_INTERVAL": interval}
        return self.stack.enter_context(Server(self.tmp / "data", listen=("tcp", "http"), env=env))

    def attempts(self, server: Server, q: str = "", **params) -> list[dict]:
        answer = server.get("/api/v1/registrations/attempts", q=q, total=1, **{"from": "1970-01-01T00:00:00Z"}, **params)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json["total"], len(answer.json["rows"]))
        return answer.json["rows"]

    def wait_attempts(self, server: Server, count: int, q: str = "") -> list[dict]:
        rows: list[dict] = []

        def there() -> bool:
            rows[:] = self.attempts(server, q)
            self.assertLessEqual(len(rows), count, rows)
            return len(rows) == count

        lib.wait_for(there, f"{count} attempts")
        return rows

    def states(self, server: Server, **params) -> dict[str, str]:
        answer = server.get("/api/v1/registrations", **params)
        self.assertEqual(answer.status, 200, answer)
        return {r["aor"]: r["state"] for r in answer.json["registrations"]}


class Found(RegistrationsCase):
    def fill(self) -> Server:
        server = self.server()
        alice, bob, carl, dora, eve, fred = (Phone(n) for n in ("alice", "bob", "carl", "dora", "eve", "fred"))
        server.send([*alice.registers(), *bob.registers(), *bob.leaves(),
                     carl.request(), carl.answer(401), carl.request(credentials=True), carl.answer(401),
                     dora.request(60), dora.answer(423, "Min-Expires: 120"), dora.request(120), dora.bound(120),
                     eve.request(), eve.answer(503)])
        server.send([*fred.registers(), *fred.leaves(), *fred.registers(), *fred.leaves(), *fred.registers()])
        self.wait_attempts(server, 1 + 2 + 1 + 1 + 1 + 5)
        return server

    def test_states(self) -> None:
        server = self.fill()
        self.assertEqual(self.states(server), {
            "alice@example.com": "registered", "bob@example.com": "unregistered", "carl@example.com": "failing",
            "dora@example.com": "registered", "eve@example.com": "failing", "fred@example.com": "flapping"})
        self.assertEqual(set(self.states(server, state="failing")), {"carl@example.com", "eve@example.com"})
        for pattern, want in (("ALICE", "alice"), ("a*", "alice"), ("*@example.com", None), ("@EXAMPLE.*", None),
                              ("al*@example.com", "alice"), ("nobody", ""), ("alice@other", "")):
            found = self.states(server, aor=pattern)
            self.assertEqual(set(found), {f"{want}@example.com"} if want else set(found) if want is None else set(),
                             pattern)
            self.assertEqual(len(found), 6 if want is None else bool(want))
        answer = server.get("/api/v1/registrations", limit=2, state="any").json
        self.assertEqual((answer["count"], answer["total"]), (2, 6))
        self.assertEqual(answer["states"],
                         {"registered": 2, "flapping": 1, "failing": 2, "expired": 0, "unregistered": 1})
        alice = server.get("/api/v1/registrations", aor="alice").json["registrations"][0]
        self.assertEqual((alice["contacts"], alice["status"], alice["user_agent"], alice["src_ip"], alice["dst_ip"]),
                         (1, 200, "phone 1", PHONE, REGISTRAR))
        self.assertEqual(alice["bindings"][0]["contact"], f"sip:alice@{PHONE}:5070")
        self.assertTrue(alice["bindings"][0]["holds"])
        for bad in ({"state": "sleeping"}, {"limit": 1001}, {"aor": "a" * 301}, {"q": "aor:x"}):
            self.assertEqual(server.get("/api/v1/registrations", **bad).status, 400, bad)
        lib.wait_for(lambda: server.metric('hepcat_registrations{state="failing"}') == 2, "metric of a state")
        self.assertEqual(server.metric('hepcat_registration_results_total{result="refused"}'), 2)
        self.assertEqual(server.metric("hepcat_registration_aors"), 6)

    def test_count(self) -> None:
        server = self.fill()
        done = lib.run("count", "--registrations", "--by", "state", "--format", "json", "--server", server.url)
        self.assertEqual(done.code, 0, done)
        answer = json.loads(done.out)
        self.assertEqual(answer["total"], 11)
        self.assertIn("11 attempts to register", done.err)
        self.assertEqual(sum(s["total"] for s in answer["series"]), 11)
        self.assertEqual(lib.run("count", "--registrations", "--calls", "--server", server.url).code, 2)

    def test_attempts(self) -> None:
        server = self.fill()
        row = self.attempts(server, "aor:alice")[0]
        want = {"table": "registration", "state": "registered", "binding": "new", "status": 200, "auth_rounds": 1,
                "expires": 3600, "expires_asked": 3600, "messages": 4, "answer_ms": 3, "cseq": 2, "contacts": 1,
                "contact": f"sip:alice@{PHONE}:5070", "contact_user": "alice", "auth_user": "alice",
                "user_agent": "phone 1", "to_user": "alice", "to_host": "example.com", "retransmissions": 0,
                "source": "network", "src_ip": PHONE, "dst_ip": REGISTRAR, "proto": "udp"}
        self.assertEqual({k: row.get(k) for k in want}, want)
        row = self.attempts(server, "aor:dora")[0]
        self.assertEqual((row["expires_asked"], row["expires"], row["expires_min"]), (120, 120, 120))
        for q, count in (("state:refused", 2), ("state:registered", 6), ("binding:remove", 3), ("status:401", 1),
                         ("expires:<200 state:registered", 1), ("contact:alice", 1), ("answer:<1s", 11),
                         ("authrounds:1", 6), ("auth:bob", 2), ("user:eve", 1), (f"src:{PHONE}", 11),
                         ("ua:phone*", 11), ("retrans:>0", 0)):
            self.assertEqual(len(self.attempts(server, q)), count, q)
        for path, q in (("registrations/attempts", "method:REGISTER"), ("registrations/attempts", "pdd:>1s"),
                        ("calls", "binding:new"), ("search", "binding:new")):
            self.assertEqual(server.get(f"/api/v1/{path}", q=q).status, 400, q)
        self.assertEqual(server.get("/api/v1/calls", total="only").json["total"], 0)
        self.assertEqual(server.total("state:x OR method:REGISTER"), 36)
        told = server.get("/api/v1/counts", of="registrations", by="state").json
        self.assertEqual({s["value"]: s["total"] for s in told["series"]},
                         {"registered": 6, "unregistered": 3, "refused": 2})
        told = server.get("/api/v1/values", of="registrations", field="binding").json
        self.assertEqual(sum(v["count"] for v in told["values"]), 11)

    def test_command(self) -> None:
        server = self.fill()

        def ask(*args: str) -> lib.Result:
            return lib.run("registrations", "--server", server.url, *args)

        rows = [json.loads(line) for line in ask().out.splitlines()]
        self.assertEqual(len(rows), 6)
        done = ask("--format", "table", "--state", "failing")
        self.assertEqual((done.code, len(done.out.splitlines())), (FOUND, 3))
        self.assertIn(b"refused 503 Said", done.out)
        self.assertEqual(ask("--count", "f*").out, b"1\n")
        self.assertEqual(ask("nobody").code, NOTHING)
        done = ask("--attempts", "state:refused", "--format", "csv", "--columns", "to_user,status")
        self.assertEqual(sorted(done.out.split()), [b"carl,401", b"eve,503", b"to_user,status"])
        done = ask("--attempts", "--format", "table", "--limit", "3")
        self.assertEqual((done.code, len(done.out.splitlines())), (FOUND, 4))
        self.assertIn("the newest 3 of 11 attempts", done.err)
        for bad in (("--from", "-1h"), ("--attempts", "--state", "failing"), ("a", "b"), ("--attempts", "method:X"),
                    ("--data", str(self.tmp)), ("--format", "xml")):
            args = bad if bad[0] == "--data" else ("--server", server.url, *bad)
            self.assertEqual(lib.run("registrations", *args).code, USAGE, bad)
        server.stop()
        done = lib.run("registrations", "--data", str(self.tmp / "data"), "--attempts", "--count")
        self.assertEqual((done.code, done.out), (FOUND, b"11\n"))


class Demo(RegistrationsCase):
    def test_demo(self) -> None:
        """A registration of the demo is a challenge, its answer, and a refresh."""
        server = self.server()
        done = lib.run("demo", "--fast", "--start", "now", "--count", "20", "--mix", "register", "--seed", "3",
                       "--to", server.to("tcp"), "-q")
        self.assertEqual(done.code, 0, done)
        rows = self.wait_attempts(server, 40)
        self.assertEqual({r["state"] for r in rows}, {"registered"})
        self.assertEqual(sorted(r["auth_rounds"] for r in rows), [0] * 20 + [1] * 20)
        self.assertEqual({r["binding"] for r in rows}, {"new", "refresh"})
        states = self.states(server)
        self.assertEqual(set(states), {f"{r['to_user']}@{r['to_host']}" for r in rows})

    def test_expired(self) -> None:
        """By the clock, without a message."""
        server = self.server()
        alice, bob = Phone("alice"), Phone("bob")
        server.send([*alice.registers(1), *bob.registers()])
        lib.wait_for(lambda: self.states(server) == {"alice@example.com": "expired", "bob@example.com": "registered"},
                     "one that expires")
        binding = server.get("/api/v1/registrations", aor="alice").json["registrations"][0]["bindings"][0]
        self.assertFalse(binding["holds"])
        lib.wait_for(lambda: server.metric('hepcat_registrations{state="expired"}') == 1, "metric of a state")

    def test_calls_are_counted_apart(self) -> None:
        server = self.server()
        self.assertEqual(lib.run("demo", "--fast", "--start", "now", "--count", "30", "--mix", "answered", "--to",
                                 server.to("tcp"), "-q").code, 0)
        lib.wait_for(lambda: server.metric("hepcat_calls_live") == 30, "30 calls")
        self.assertEqual(server.metric("hepcat_registration_messages_total"), 0)

    def test_import(self) -> None:
        """A capture gives attempts, and no states: it is of the past."""
        raw = self.file("old.hep", lib.run("demo", "--fast", "--count", "10", "--mix", "register,unregister", "--raw",
                                           "-q").out)
        server = self.server()
        self.assertEqual(lib.run("import", "--server", server.url, raw).code, 0)
        server.stop()
        server = self.server()
        rows = self.attempts(server)
        self.assertGreaterEqual(len(rows), 10)
        self.assertEqual({r["source"] for r in rows}, {"import"})
        self.assertEqual(self.states(server), {})


class Killed(RegistrationsCase):
    def test_killed(self) -> None:
        """What was known is known again, what was open goes on, nothing is there twice; sealed or in the log alone."""
        for interval in ("1s", "60s"):
            data = self.tmp / "data"
            server = self.server(interval=interval)
            known = len(self.attempts(server))
            alice, bob, carl = Phone(f"alice{interval}"), Phone(f"bob{interval}"), Phone(f"carl{interval}")
            server.send([*alice.registers(), *bob.registers(), *bob.leaves()], "http")
            self.wait_attempts(server, known + 3)
            before = server.get("/api/v1/registrations").json
            if interval == "1s":
                server.wait_sealed()
                lib.wait_for(lambda: server.metric("hepcat_sealed_age_seconds") < 0.5, "a seal")
            server.send([carl.request(), carl.answer(401)], "http")  # durable with the answer to it
            lib.wait_for(lambda: server.total(f"from:carl{interval}") == 2, "the challenge")
            server.kill()
            server = self.server(interval=interval)
            self.assertEqual(server.get("/api/v1/registrations").json["registrations"], before["registrations"])
            server.send([carl.request(credentials=True), carl.bound()])
            rows = self.wait_attempts(server, known + 4)
            carls = [r for r in rows if r["to_user"] == f"carl{interval}"]
            self.assertEqual([(r["state"], r["auth_rounds"], r["messages"]) for r in carls], [("registered", 1, 4)])
            self.assertEqual(len({r["call_uid"] for r in rows}), len(rows))
            server.stop()
            self.assertTrue(data.exists())


if __name__ == "__main__":
    lib.main()
