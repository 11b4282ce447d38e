#!/usr/bin/env python3
"""Call scenarios, each from a capture and over HEP: records, joined legs, attempts to register, and the diagnosis.

The scenarios made by scripts are the .txt files of this folder; peers.py has those of real programs. What must come out
stands there by thought. ONLY=NAME,NAME runs those alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
sys.path.insert(0, str(HERE))

import b2bua  # noqa: E402
import capture  # noqa: E402
import lib  # noqa: E402
import peers  # noqa: E402
import script  # noqa: E402
from serve_lib import Server  # noqa: E402

DIAGNOSIS = lib.ROOT / "docs" / "diagnosis.md"
COLUMNS = {"pdd": "pdd_ms", "ring": "ring_ms", "talk": "talk_ms", "q850": "q850_cause", "flags": "call_flags",
           "retrans": "retransmissions", "auth": "auth_rounds", "by": "joined_by", "value": "joined_value",
           "from": "from_user", "to": "to_user", "ruri": "ruri_user", "src": "src_ip", "dst": "dst_ip", "caller_media": "caller_media_ip",
           "callee_media": "callee_media_ip", "diversion": "diversion_user", "score": "probable_score", "uac": "caller_agent",
           "uas": "callee_agent", "answer": "answer_ms"}
FLAGS = {"start-missing", "evicted", "early-media", "late-offer", "srtp", "transferred", "redirected", "forwarded", "forked",
         "several-answers", "hold", "no-ack", "no-bye-answer"}
# Findings that the record alone does not always tell, or not all of.
HIDDEN = {"codec-mismatch", "retransmit-timeout", "no-response", "no-ack"}
LATE_MS = 200  # a busy proxy notes the first of two messages that late: the span between them is shorter
AGAIN = ("invite", "request", "provisional", "success", "failure", "ack")


def shown(row: dict, key: str):
    if key == "again":  # what kinds were sent again
        return ",".join(k for k in AGAIN if row.get(f"again_{k}"))
    value = row.get(COLUMNS.get(key, key))
    if key == "flags":  # behind these come findings
        return ",".join(f for f in str(value or "").split(",") if f in FLAGS)
    return "-" if value is None and key in ("pdd", "ring", "talk", "q850", "sip_cause", "expires", "expires_asked", "expires_min") \
        else "" if value is None else value


class Judge:
    """Compares what was found with what is expected; `wrong` says what differs."""

    def __init__(self, call_ids: dict[str, str]) -> None:
        self.call_ids = call_ids  # by leg
        self.wrong: list[str] = []

    def same(self, what: str, got, want) -> None:
        if str(want).endswith(".."):
            if not str(got).isdigit() or int(got) < int(want[:-2]) - LATE_MS:
                self.wrong.append(f"{what}: {got!r}, expected at least {want[:-2]!r}")
        elif str(got) != str(want):
            self.wrong.append(f"{what}: {got!r}, expected {want!r}")

    def row(self, e: script.Expect, row: dict, uids: dict[int, str], live: bool) -> None:
        name = f"{e.leg}#{e.number}" if e.number > 1 else e.leg
        running = live and e.values.get("live") not in (None, "-")
        self.same(f"{name} state", row.get("state"), e.values["live"] if running else e.state)
        self.same(f"{name} status", "-" if row.get("status") is None else row["status"], e.status)
        for key, want in e.values.items():
            if key == "binding" and not live and e.values["imported"]:
                want = e.values["imported"]
            if want in (None, "*") or key in ("live", "imported") or (key == "talk" and running) or (key == "ring" and running and want != "-"):
                continue
            if str(want).startswith("leg:"):
                want = self.call_ids[str(want)[4:]]
            got = uids.get(row.get("probable"), "") if key == "probable" else shown(row, key)
            self.same(f"{name} {key}", got, want)


def times_of(messages: list[script.Message]) -> dict[str, int]:
    """PDD, ringing and talk time as the messages of a Call-ID have them, in ms."""
    first: dict[str, float] = {}
    for m in messages:
        line = m.payload.split("\r\n")[0]
        method = re.search(r"^CSeq:\s*\d+\s+(\w+)", m.payload, re.M)[1]
        what = line.split(" ")[1] if line.startswith("SIP/2.0") else line.split(" ")[0]
        if what.isdigit() and method != "INVITE":
            continue
        kinds = [what] + (["progress"] if what.isdigit() and "101" <= what < "200" else [])
        for kind in kinds:
            first[kind] = min(first.get(kind, m.at), m.at)

    def span(a: str, b: str) -> int | None:
        return round((first[b] - first[a]) * 1000) if a in first and b in first else None

    times = {"pdd": span("INVITE", "progress"), "ring": span("180", "200"), "talk": span("200", "BYE")}
    return {k: v for k, v in times.items() if v is not None}


class GoldenCase(lib.Case):
    @staticmethod
    def read(*names: str) -> list[script.Scenario]:
        only = os.environ.get("ONLY", "").split(",")
        everything = script.read(*(HERE / f"{name}.txt" for name in names))
        return [s for s in everything if only == [""] or s.name in only]

    # -------------------------------------------------------------------------------------------------- asking

    def rows(self, command: list[str], where: list[str]) -> list[dict]:
        done = lib.run(*command, *where, "--format", "json", "--limit", "100000", "--quiet")
        self.assertIn(done.code, (0, 1), done)
        return sorted((json.loads(line) for line in done.out.splitlines()), key=lambda row: row["ts"])

    @staticmethod
    def explain(where: list[str], call_id: str) -> dict:
        done = lib.run("explain", "--format", "json", "--quiet", *where, "--", call_id)
        return json.loads(done.out) if done.out else {"error": repr(done)}

    # -------------------------------------------------------------------------------------------------- judging

    def expected(self, s: script.Scenario, expects: list[script.Expect]) -> list[script.Expect]:
        """With h* written out."""
        out = []
        for e in expects:
            names = [n for n in s.legs if fnmatch(n, e.leg)] if "*" in e.leg else [e.leg]
            out += [script.Expect(n, e.number, e.state, e.status, e.values) for n in names]
        return out

    def judge_rows(self, judge: Judge, s: script.Scenario, rows: dict[str, list[dict]], expects: list[script.Expect],
                   live: bool) -> None:
        uids = {row["call_uid"]: n for n, leg in s.legs.items() for row in rows.get(leg.call_id, [])}
        expects = self.expected(s, expects)
        for name, leg in s.legs.items():
            mine = [e for e in expects if e.leg == name and not (live and e.values.get("live") == "-")]
            got = rows.get(leg.call_id, [])
            if len(got) != len(mine) and not (live and any(e.values.get("live") == "-" for e in expects)):
                judge.wrong.append(f"{name}: {len(got)} rows, expected {len(mine)}: "
                                   f"{[(r['state'], r.get('status'), r.get('messages')) for r in got]}")
            for e, row in zip(sorted(mine, key=lambda e: e.number), got):
                if e.values.get("messages") is None and len(mine) == 1 and expects is not s.attempts:
                    judge.same(f"{name} messages", row["messages"], leg.count)
                judge.row(e, row, uids, live)

    def judge_explained(self, judge: Judge, s: script.Scenario, explained: dict[str, dict]) -> None:
        for name, answer in explained.items():
            if s.calls:
                judge.same(f"{name} legs opened", answer.get("legs"), len(s.joined_with(name)))
            found = sorted({f["id"] for f in answer.get("findings", [{"id": str(answer)}])})
            judge.same(f"{name} explain", " ".join(found), " ".join(sorted(s.found or ())))

    def judge_flags(self, judge: Judge, s: script.Scenario, rows: dict[str, list[dict]]) -> None:
        """Flags that are ids of the diagnosis are those that it finds."""
        told = set(re.findall(r"^\| `([\w-]+)` \| (?:error|warning|info) ", DIAGNOSIS.read_text("utf-8"), re.M))
        flags = {f for leg in s.legs.values() for row in rows.get(leg.call_id, [])
                 for f in row.get("call_flags", "").split(",") if f and f not in FLAGS}
        if "call-id-reuse" in s.found or not s.calls:  # the diagnosis looks at the first of them alone
            return
        judge.same("flags that nobody finds", flags - s.found, set())
        told_by_flags = {f for f in s.found if f in self.flaggable and f in told} - HIDDEN
        judge.same("findings without a flag", told_by_flags - flags, set())

    @property
    def flaggable(self) -> set[str]:
        return set(re.findall(r'"([a-z]+(?:-[a-z]+)*)"', (lib.ROOT / "src/track/findings.c").read_text("utf-8")))

    def judge(self, scenarios: list[script.Scenario], where: list[str], live: bool) -> None:
        calls: dict[str, list[dict]] = {}
        attempts: dict[str, list[dict]] = {}
        for row in self.rows(["calls"], where):
            calls.setdefault(row["call_id"], []).append(row)
        for row in self.rows(["registrations", "--attempts"], where):
            attempts.setdefault(row["call_id"], []).append(row)
        with ThreadPoolExecutor(4) as pool:
            explained = {s.name: {n: pool.submit(self.explain, where, s.legs[n].call_id) for n in s.asked()}
                         for s in scenarios}
        for s in scenarios:
            with self.subTest(s.name):
                judge = Judge({n: leg.call_id for n, leg in s.legs.items()})
                self.judge_rows(judge, s, calls, s.calls, live)
                self.judge_rows(judge, s, attempts, s.attempts, live)
                if not live:
                    self.judge_flags(judge, s, calls)
                self.judge_explained(judge, s, {n: f.result() for n, f in explained[s.name].items()})
                self.assertEqual(judge.wrong, [], f"{s.name}: {s.what}\n  " + "\n  ".join(judge.wrong))

    def check_export(self, scenarios: list[script.Scenario], where: list[str]) -> None:
        """All legs of a call in one file, by any of them; the others of its neighbours stay out."""
        for s in scenarios:
            legs = {e.leg for e in s.calls if int(e.values["legs"]) > 1}
            if len(legs) < 3:
                continue
            want = sum(s.legs[n].count for n in legs)
            for n in legs:
                done = lib.run("export", "--legs", "--call-id", s.legs[n].call_id, "--format", "json", *where)
                self.assertEqual((done.code, len(done.messages)), (0, want), f"{s.name}: {n}: {done.err}")
            done = lib.run("export", "--legs", "--calls", f"callid:{s.legs['2'].call_id}", "--format", "json", *where)
            self.assertEqual((done.code, len(done.messages)), (0, want), done.err)
            done = lib.run("export", "--call-id", s.legs["2"].call_id, "--format", "json", *where)
            self.assertEqual(len(done.messages), s.legs["2"].count)


class Scripts(GoldenCase):
    def setUp(self) -> None:
        super().setUp()
        self.scenarios = self.read("answered", "refused", "dialogs", "legs", "bad", "registrations")

    def test_captures(self) -> None:
        scenarios = [s for s in self.scenarios if not s.hep_only]
        path = self.tmp / "all.pcap"
        capture.pcap(capture.as_they_arrive([s.messages for s in scenarios]), path)
        data = self.tmp / "data"
        done = lib.run("import", "--data", str(data), str(path), timeout=60)
        self.assertEqual(done.code, 0, done)
        self.judge(scenarios, ["--data", str(data)], live=False)
        self.check_export(scenarios, ["--data", str(data)])
        self.assertEqual(lib.run("export", "--legs", "--data", str(data), "method:INVITE").code, 2)

    def test_hep(self) -> None:
        env = {**os.environ, "HEPCAT_HEP_CLOCK_WINDOW": "36500d"}
        server = self.stack.enter_context(Server(self.tmp / "data", env=env))
        messages = capture.as_they_arrive([s.messages for s in self.scenarios])
        server.send(capture.frames(messages))
        server.wait_total(len(messages))
        attempts = sum(e.values["live"] != "-" for s in self.scenarios for e in s.attempts)
        lib.wait_for(lambda: server.get("/api/v1/registrations/attempts", total="only", **{"from": 0}).json["total"] >= attempts,
                     "attempts to register")
        self.judge(self.scenarios, ["--server", server.url], live=True)
        self.check_export(self.scenarios, ["--server", server.url])
        self.assertEqual(server.get("/api/v1/export", legs=1).status, 400)


class Peers(GoldenCase):
    """SIPp, Kamailio and a B2BUA; what Kamailio sends over HEP goes to the server, and becomes a capture as well."""

    def setUp(self) -> None:
        lib.need("sipp", "kamailio")
        super().setUp()
        self.scenarios = self.read("real")

    def run_one(self, s: script.Scenario, kamailio: peers.Kamailio) -> list[script.Message]:
        """Runs it to its end; what the B2BUA saw. SIPp hangs at times on a busy machine: then once more, as another call."""
        for again in range(3):
            for n in ("1", "2"):
                s.leg(n).call_id = f"{s.name}{'-again' * again}-{n}@golden"
            try:
                return self.try_one(s, kamailio)
            except AssertionError as error:
                print(f"{s.name}: {error}", file=sys.stderr)
                if again == 2:
                    raise
        raise AssertionError("not reached")

    def try_one(self, s: script.Scenario, kamailio: peers.Kamailio) -> list[script.Message]:
        def start(stack: contextlib.ExitStack, side: str, headers: list[str], to: str = "") -> peers.Sipp:
            sipp = stack.enter_context(peers.Sipp(self.tmp, s.name, side, s.peers[side][0], headers, to,
                                                  "tcp" in s.peers and side == "uac", s.leg("1").call_id))
            if side != "uac":
                lib.wait_for(lambda: lib.udp_bound(sipp.port) or sipp.proc.poll() is not None, f"{s.name}: {side}")
            return sipp

        with contextlib.ExitStack() as stack:
            called = {side: start(stack, side, []) for side in ("uas", "uas2") if side in s.peers}
            at = {side: f"127.0.0.1:{sipp.port}" for side, sipp in called.items()}
            headers = [h.format(**at) for h in s.peers.get("head", [])]
            to = f"127.0.0.1:{kamailio.port}"
            between = None
            if "by" in s.peers:
                between = stack.enter_context(b2bua.B2bua(s.peers["by"][0], ("127.0.0.1", called["uas"].port)))
                to = f"127.0.0.1:{between.at[1]}"
            elif "uas" in at:
                headers.append(f"X-Next: {at['uas']}")
            caller = start(stack, "uac", headers, to)
            for sipp in (caller, *called.values()):
                sipp.done()
            if between is not None and between.problem is not None:
                raise between.problem
            return between.messages if between is not None else []

    def judge_times(self, messages: list[script.Message], where: list[str]) -> None:
        by_call: dict[str, list[script.Message]] = {}
        for m in messages:
            by_call.setdefault(re.search(r"^Call-ID:\s*(\S+)", m.payload, re.M)[1], []).append(m)
        known = {leg.call_id for s in self.scenarios for leg in s.legs.values()}
        for row in self.rows(["calls"], where):
            if row["call_id"] not in known:
                continue
            for key, ms in times_of(by_call[row["call_id"]]).items():
                self.assertAlmostEqual(row[COLUMNS[key]], ms, delta=2, msg=f"{row['call_id']}: {key}")

    def test_peers(self) -> None:
        server = self.stack.enter_context(Server(self.tmp / "data"))
        tee = self.stack.enter_context(peers.Tee(("127.0.0.1", server.ports["tcp"])))
        kamailio = self.stack.enter_context(peers.Kamailio(self.tmp, tee.port))
        with ThreadPoolExecutor(6) as pool:
            seen = [m for part in pool.map(lambda s: self.run_one(s, kamailio), self.scenarios) for m in part]
        if seen:
            server.send(capture.frames(seen))
        kamailio.__exit__()  # what it still had to send is sent
        lib.wait_for(lambda: server.total() >= len(tee.messages) + len(seen), "all messages")
        messages = sorted(tee.messages + seen, key=lambda m: m.at)
        for m in messages:
            m.arrives = m.at
        for s in self.scenarios:
            for name in {"1", *(e.leg for e in s.calls)}:
                leg = s.leg(name)
                leg.count = sum(f"\r\nCall-ID: {leg.call_id}\r\n" in m.payload for m in messages)
        attempts = sum(len(s.attempts) for s in self.scenarios)
        lib.wait_for(lambda: server.get("/api/v1/registrations/attempts", total="only").json["total"] >= attempts, "attempts")
        where = ["--server", server.url]
        self.judge(self.scenarios, where, live=True)
        self.judge_times(messages, where)

        path = self.tmp / "peers.pcap"
        capture.pcap(messages, path)
        where = ["--data", str(self.tmp / "imported")]
        done = lib.run("import", *where, str(path))
        self.assertEqual(done.code, 0, done)
        self.judge(self.scenarios, where, live=False)
        self.judge_times(messages, where)


if __name__ == "__main__":
    lib.main()
