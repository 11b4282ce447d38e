"""Exports as files, judged by tshark and by importing them again; imports by upload."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import lib  # noqa: E402
from serve_lib import Server, http, payload_of  # noqa: E402

FOUND, NOTHING, USAGE, FAILED = 0, 1, 2, 3
START = 1767225600  # 2026-01-01T00:00:00Z
MAGIC = {"pcap": b"\xa1\xb2\xc3\xd4", "pcapng": b"\x0a\x0d\x0d\x0a"}


def sip(number: int, call: str, start: str = "OPTIONS sip:bob@example.org SIP/2.0", body: str = "",
        transport: str = "UDP") -> str:
    return (f"{start}\r\nVia: SIP/2.0/{transport} 10.0.0.1:5060;branch=z9hG4bK{number}\r\n"
            f"From: <sip:alice@example.org>;tag=a\r\nTo: <sip:bob@example.org>\r\nCall-ID: {call}\r\n"
            f"CSeq: {number} OPTIONS\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n{body}")


def hep(number: int, payload: str, **info) -> dict:
    """A message of the fixed mix, so many times 10.1 ms after the start."""
    us = number * 10100
    return {"rcinfo": {"protocolFamily": 2, "protocol": 17, "srcIp": "10.0.0.1", "dstIp": "10.0.0.2", "srcPort": 5060,
                       "dstPort": 5060, "timeSeconds": START + us // 1000000, "timeUseconds": us % 1000000,
                       "payloadType": 1, "captureId": 7, "hepNodeName": "edge", **info}, "payload": payload}


def mix() -> list[dict]:
    """UDP, TCP in both directions of two connections, TLS, IPv6, large messages, RTCP as it was and as JSON, a log."""
    six = {"protocolFamily": 10, "srcIp": "2001:db8::1", "dstIp": "2001:db8::2"}
    tcp = {"protocol": 6, "srcPort": 40000}
    back = {"protocol": 6, "srcIp": "10.0.0.2", "dstIp": "10.0.0.1", "dstPort": 40000}
    messages = []
    for i in range(12):
        ok = "SIP/2.0 200 OK"
        messages += [
            hep(10 * i, sip(10 * i, f"udp-{i}")),
            hep(10 * i + 1, sip(10 * i + 1, f"udp6-{i}", body="x" * 1600), **six),
            hep(10 * i + 2, sip(10 * i + 2, f"tcp-{i}", body="b" * (i * 4000), transport="TCP"), **tcp),
            hep(10 * i + 3, sip(10 * i + 3, f"tcp-{i}", ok, transport="TCP"), **back),
            hep(10 * i + 3, sip(10 * i + 4, f"tcp-{i}", ok, transport="TCP"), **back),
            hep(10 * i + 5, sip(10 * i + 5, f"tcp6-{i}", transport="TCP"), **{**tcp, **six}),
            hep(10 * i + 6, sip(10 * i + 6, f"tls-{i}", transport="TLS"), protocol=22, srcPort=40001, dstPort=5061),
            hep(10 * i + 7, sip(10 * i + 7, f"sctp-{i}", body="s" * i, transport="SCTP"), protocol=132),
            hep(10 * i + 8, sip(10 * i + 8, f"sctp6-{i}", transport="SCTP"), protocol=132, **six),
        ]
    messages.append(hep(130, sip(130, "large", body="y" * 60000)))
    messages.append(hep(131, sip(131, "large6", body="z" * 60000), **six))
    return messages


def rest() -> list[dict]:
    """What is no SIP."""
    return [hep(140, '{"type":200,"ssrc":1}', payloadType=5, correlation_id="udp-0", srcPort=4001, dstPort=4001),
            hep(141, "routing decision", payloadType=100, correlation_id="udp-0")]


def key(row: dict) -> tuple:
    """What a packet keeps of a message."""
    return (row["ts"], row["src_ip"], row["src_port"], row["dst_ip"], row["dst_port"], payload_of(row))


class ExportCase(lib.Case):
    def env(self) -> dict:
        # Capture times of another year are to be believed.
        return {**os.environ, "HEPCAT_HEP_CLOCK_WINDOW": "36500d"}

    def server(self, name: str = "data", *args: str) -> Server:
        return self.stack.enter_context(Server(self.tmp / name, *args, env=self.env()))

    def filled(self) -> Server:
        server = self.server()
        server.send(mix() + rest())
        server.wait_total(len(mix() + rest()))
        return server

    def export(self, server: Server, *args: str, env: dict | None = None) -> lib.Result:
        return lib.run("export", "--server", server.url, *args, env=env)

    def rows(self, server: Server, q: str = "") -> list[dict]:
        return server.search(q, payload=1, order="oldest")["rows"]

    def tshark(self, path: Path | str, *args: str) -> list[list[str]]:
        """Fields of each packet; SIP is looked for on TLS's port, too."""
        lib.need("tshark")
        done = subprocess.run(["tshark", "-n", "-r", str(path), "-o", "tcp.try_heuristic_first:TRUE", *args],
                              capture_output=True, timeout=120, check=True)
        return [line.split("\t") for line in done.stdout.decode().splitlines()]

    def assert_sound(self, path: Path | str) -> None:
        """Right checksums, and nothing that TCP analysis has to remark on."""
        checks = [f"-o{p}.check_checksum:TRUE" for p in ("ip", "tcp", "udp")] + ["-osctp.checksum:CRC 32c"]
        bad = "tcp.analysis.flags or " + " or ".join(f"{p}.checksum.status==0" for p in ("ip", "tcp", "udp", "sctp"))
        self.assertEqual(self.tshark(path, *checks, "-Y", bad), [])
        good = self.tshark(path, *checks, "-Y", " or ".join(f"{p}.checksum.status==1" for p in ("udp", "tcp", "sctp")))
        self.assertEqual(len(good), len(self.tshark(path)))

    def messages_of(self, path: Path | str) -> list[tuple]:
        """SIP as tshark sees it."""
        names = ["frame.time_epoch", "ip.src", "ipv6.src", "ip.dst", "ipv6.dst", "udp.srcport", "tcp.srcport",
                 "sctp.srcport", "udp.dstport", "tcp.dstport", "sctp.dstport", "sip.Call-ID", "sip.CSeq", "sip.Method", "sip.Status-Code"]
        fields = [word for name in names for word in ("-e", name)]
        rows = self.tshark(path, "-Y", "sip", "-T", "fields", *fields)
        return [(round(float(t) * 1000000), a or a6, b or b6, int(s or st or ss), int(d or dt or ds),
                 "tcp" if st else "sctp" if ss else "udp", c, q, m or k)
                for t, a, a6, b, b6, s, st, ss, d, dt, ds, c, q, m, k in rows]

    def messages_in(self, messages: list[dict]) -> list[tuple]:
        """The same of the messages as they were sent."""
        out = []
        for m in messages:
            i, text = m["rcinfo"], m["payload"]
            start = text.split("\r\n")[0].split()
            header = dict(re.findall(r"^(Call-ID|CSeq): (.*)\r$", text, re.M))
            out.append((i["timeSeconds"] * 1000000 + i["timeUseconds"], i["srcIp"], i["dstIp"], i["srcPort"],
                        i["dstPort"], {17: "udp", 132: "sctp"}.get(i["protocol"], "tcp"), header["Call-ID"], header["CSeq"],
                        start[1] if start[0] == "SIP/2.0" else start[0]))
        return out

    # ------------------------------------------------------------------------------------------------- captures

    def test_tshark_sees_the_same(self) -> None:
        server = self.filled()
        for kind in ("pcap", "pcapng"):
            path = self.tmp / f"all.{kind}"
            result = self.export(server, "--output", str(path))
            self.assertEqual(result.code, FOUND, result)
            self.assertIn(f"{len(mix())} messages", result.err)
            self.assertIn("left out: 2 reports and logs", result.err)
            self.assertEqual(path.read_bytes()[:4], MAGIC[kind])
            self.assert_sound(path)
            self.assertEqual(self.messages_of(path), self.messages_in(mix()))
        comments = [c for (c,) in self.tshark(path, "-Y", "sip", "-T", "fields", "-e", "frame.comment")]
        self.assertEqual(len(comments), len(mix()))
        self.assertTrue(all(c.startswith("HEP node=edge id=7 proto=") for c in comments), comments[:3])
        self.assertEqual(sum("proto=tls" in c for c in comments), 12)

    def test_demo_traffic(self) -> None:
        """Calls of all kinds but those that are not SIP any more, imported, exported, imported again."""
        frames = self.file("demo.hep", lib.run("demo", "--fast", "--count", "150", "--seed", "5", "--mix",
                                               "all,-malformed", "--raw").out)
        lake = self.tmp / "lake"
        self.assertEqual(lib.run("import", "--data", str(lake), frames).code, 0)
        path = self.tmp / "demo.pcap"
        result = lib.run("export", "--data", str(lake), "-o", str(path))
        self.assertEqual(result.code, FOUND, result)
        self.assert_sound(path)
        first = self.stack.enter_context(Server(lake, env=self.env()))
        rows = [r for r in self.rows(first) if r["table"] == "sip"]
        self.assertEqual({r["proto"] for r in rows}, {"udp", "tcp"})
        self.assertTrue(any(":" in r["src_ip"] for r in rows))
        seen = self.messages_of(path)
        self.assertEqual([(m[1], m[3], m[2], m[4], m[6]) for m in seen],
                         [(r["src_ip"], r["src_port"], r["dst_ip"], r["dst_port"], r["call_id"]) for r in rows])
        second = self.server("again")
        self.assertEqual(lib.run("import", "--server", second.url, str(path)).code, 0)
        again = self.rows(second)
        self.assertEqual([key(r) for r in again], [key(r) for r in rows])
        self.assertEqual([r["proto"] for r in again], [r["proto"] for r in rows])

    def test_rtcp_as_it_was(self) -> None:
        server = self.server()
        raw = bytes.fromhex("80c9000100000001" "81ca0003000000010103612e620000" "00")
        frames = lib.encode([hep(1, "x", payloadType=5, srcPort=4001, dstPort=4001)])
        at = frames.index(b"\0\0\0\x0f") if b"\0\0\0\x0f" in frames else -1
        self.assertGreater(at, 0)
        body = frames[:at] + b"\0\0\0\x0f" + struct.pack(">H", 6 + len(raw)) + raw
        body = body[:4] + struct.pack(">H", len(body)) + body[6:]
        answer = http(f"{server.url}/api/v1/import", "POST", body, {"Content-Type": "application/x-hep"})
        self.assertEqual((answer.status, answer.json["stored"]), (200, 1), answer)
        path = self.tmp / "rtcp.pcap"
        self.assertEqual(self.export(server, "-o", str(path)).code, FOUND)
        self.assertEqual(self.tshark(path, "-d", "udp.port==4001,rtcp", "-T", "fields", "-e", "rtcp.pt"),
                         [["201,202"]])

    # ------------------------------------------------------------------------------------------------- what and how much

    def test_calls_filters_limits(self) -> None:
        server = self.filled()
        out = self.export(server, "-f", "json", "--calls", "status:200 callid:tcp-3").messages
        self.assertEqual([r["call_id"] for r in out], ["tcp-3"] * 3)
        self.assertEqual([r["ts"] for r in out], sorted(r["ts"] for r in out))
        out = self.export(server, "-f", "json", "--call-id", "udp-0", "--call-id", "tcp-11").messages
        self.assertEqual([r.get("call_id", r["table"]) for r in out], ["udp-0"] + ["tcp-11"] * 3 + ["media", "log"])
        result = self.export(server, "-f", "json", "--limit", "3")
        self.assertEqual([r["payload"] for r in result.messages], [m["payload"] for m in (mix() + rest())[-3:]])
        self.assertIn("there may be more", result.err)
        result = self.export(server, "-f", "json", "--limit", "3", "--oldest", "method:OPTIONS")
        self.assertEqual([r["payload"] for r in result.messages], [m["payload"] for m in mix()[:3]])
        result = self.export(server, "--from", "2026-01-01T00:00:01", "--to", "2026-01-01T00:00:01.02", "-f", "json")
        self.assertTrue(all("00:00:01.0" in r["ts"] for r in result.messages), result)

    def test_more_than_one_search_finds(self) -> None:
        frames = self.file("many.hep", lib.run("demo", "--fast", "--count", "7000", "--raw", timeout=120).out)
        lake = self.tmp / "lake"
        done = lib.run("import", "--data", str(lake), frames, timeout=300)
        count = int(re.search(r"(\d+) stored", done.err)[1])
        self.assertGreater(count, 100000)
        out = lib.run("export", "--data", str(lake), "-f", "csv", "--columns", "seq,ts", timeout=300)
        rows = list(csv.reader(io.StringIO(out.out.decode(), newline="")))[1:]
        self.assertEqual(len({r[0] for r in rows}), count)
        self.assertEqual(len(rows), count)
        self.assertEqual([(r[1], int(r[0])) for r in rows], sorted((r[1], int(r[0])) for r in rows))
        last = lib.run("export", "--data", str(lake), "-f", "csv", "--columns", "seq,ts", "-n", "100050", timeout=300)
        self.assertEqual(list(csv.reader(io.StringIO(last.out.decode(), newline="")))[1:], rows[-100050:])

    # ------------------------------------------------------------------------------------------------- text, JSON, CSV

    def test_text_json_csv(self) -> None:
        server = self.filled()
        text = self.export(server, "-f", "text", "callid:tcp-0").out.decode()
        self.assertEqual(text.count("sip TCP 10.0.0"), 3)
        self.assertIn("    OPTIONS sip:bob@example.org SIP/2.0\n", text)
        out = self.export(server, "-f", "json").messages
        self.assertEqual([r["seq"] for r in out], [r["seq"] for r in self.rows(server)])
        self.assertEqual(out, self.rows(server))
        found = lib.run("search", "--server", server.url, "--format", "csv", "--limit", "1000").out
        self.assertEqual(self.export(server, "-f", "csv").out, found)
        out = self.export(server, "-f", "csv", "--columns", "ts,kind", "-p", "type:log").out
        self.assertEqual(out, b"ts,kind,payload,payload_encoding\r\n2026-01-01T00:00:01.424100Z,log,routing decision,\r\n")

    # ------------------------------------------------------------------------------------------------- the command

    def test_files_and_statuses(self) -> None:
        server = self.filled()
        folder = self.tmp / "out"
        folder.mkdir()
        for name, start in (("a.pcap", MAGIC["pcap"]), ("a.cap", MAGIC["pcap"]), ("a.pcapng", MAGIC["pcapng"]),
                            ("a.txt", b"2026-01-01T"), ("a.jsonl", b'{"table"'), ("a.json", b'{"table"'),
                            ("a.csv", b"ts,seq,"), ("what", MAGIC["pcap"])):
            result = self.export(server, "--output", str(folder / name), "--quiet")
            self.assertEqual((result.code, result.out, result.err), (FOUND, b"", ""), name)
            self.assertEqual((folder / name).read_bytes()[: len(start)], start, name)
        self.assertEqual(len(list(folder.iterdir())), 8)  # and nothing temporary
        result = self.export(server, "callid:nobody", "-o", str(folder / "none.pcap"))
        self.assertEqual(result.code, NOTHING)
        self.assertEqual(len((folder / "none.pcap").read_bytes()), 24)
        (folder / "kept.pcap").write_bytes(b"kept")
        for args, code in ((("fron:x",), USAGE), (("--format", "xml"), USAGE), (("--columns", "ts"), USAGE),
                           (("--call-id", "a,b"), USAGE), (("--call-id", "a", "from:b"), USAGE),
                           (("--from", "soon"), USAGE), (("--data", "x", "--token", "y"), USAGE),
                           (("--token", "t", "--server", "http://127.0.0.1:1"), FAILED)):
            result = self.export(server, "-o", str(folder / "kept.pcap"), *args)
            self.assertEqual((result.code, result.out), (code, b""), result)
            self.assertEqual((folder / "kept.pcap").read_bytes(), b"kept")
        self.assertEqual(self.export(server, "-o", str(self.tmp / "no" / "such.pcap")).code, FAILED)
        self.assertEqual(self.export(server, "-o", "/dev/full").code, FAILED)
        self.assertEqual(len(list(folder.iterdir())), 10)

    def test_links_stay(self) -> None:
        """A link is written through: to a file, to where there is none yet, from another folder."""
        server = self.filled()
        folder = self.tmp / "there"
        folder.mkdir()
        (folder / "old.jsonl").write_text("old")
        for name, to in (("a.jsonl", "there/old.jsonl"), ("b.jsonl", "there/new.jsonl"),
                         ("c.jsonl", str(folder / "new2.jsonl")), ("d.jsonl", "a.jsonl")):
            (self.tmp / name).symlink_to(to)
            result = self.export(server, "-o", str(self.tmp / name), "callid:udp-0", "--quiet")
            self.assertEqual(result.code, 0, result)
            self.assertTrue((self.tmp / name).is_symlink())
            self.assertEqual(len((self.tmp / name).read_text().splitlines()), 1, name)
        self.assertEqual(sorted(p.name for p in folder.iterdir()), ["new.jsonl", "new2.jsonl", "old.jsonl"])
        (self.tmp / "loop.jsonl").symlink_to("loop.jsonl")
        result = self.export(server, "-o", str(self.tmp / "loop.jsonl"), "--quiet")
        self.assertEqual(result.code, FAILED, result)
        self.assertIn("loop.jsonl: ", result.err)

    def test_a_damaged_lake(self) -> None:
        lake = self.tmp / "lake"
        for i, call in enumerate(("one", "two")):
            frames = self.file(f"{call}.hep", lib.encode([hep(k, sip(k, call)) for k in range(i * 50, i * 50 + 50)]))
            self.assertEqual(lib.run("import", "--data", str(lake), frames).code, 0)
        files = sorted((lake / "lake").rglob("*.parquet"))
        self.assertEqual(len(files), 2)
        data = bytearray(files[0].read_bytes())
        data[4 : len(data) // 2] = os.urandom(len(data) // 2 - 4)
        files[0].write_bytes(data)
        path = self.tmp / "a.pcap"
        result = lib.run("export", "--data", str(lake), "-o", str(path))
        self.assertEqual(result.code, FAILED, result)
        self.assertIn("would not be whole", result.err)
        self.assertFalse(path.exists())
        result = lib.run("export", "--data", str(lake), "-o", str(path), "--partial")
        self.assertEqual(result.code, FAILED, result)
        self.assertIn("not whole", result.err)
        self.assertEqual(len(self.messages_of(path)), 50)
        with Server(lake, env=self.env()) as server:
            self.assertEqual(server.get("/api/v1/export").status, 500)
            self.assertEqual(server.get("/api/v1/export", partial=1).status, 200)

    # ------------------------------------------------------------------------------------------------- HTTP

    def test_http(self) -> None:
        server = self.filled()
        kinds = {"pcap": "application/vnd.tcpdump.pcap", "pcapng": "application/x-pcapng",
                 "text": "text/plain; charset=utf-8", "jsonl": "application/x-ndjson",
                 "csv": "text/csv; charset=utf-8; header=present"}
        for kind, media_type in kinds.items():
            answer = server.get("/api/v1/export", q="callid:udp-0", format=kind)
            self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, media_type))
            name = {"text": "txt"}.get(kind, kind)
            self.assertEqual(answer.headers["Content-Disposition"], f'attachment; filename="hepcat.{name}"')
            self.assertEqual(json.loads(answer.headers["Hepcat-Result"]), {"count": 1, "exact": True, "more": False})
        answer = server.get("/api/v1/export", call_id="udp-0")
        self.assertEqual(json.loads(answer.headers["Hepcat-Result"]),
                         {"count": 1, "exact": True, "more": False, "calls": 1, "left_out": {"no_packet": 2}})
        for params, where in (({"q": "fron:x"}, "q"), ({"format": "xml"}, "format"), ({"limit": "0"}, "limit"),
                              ({"call_id": "a,,b"}, "call_id"), ({"call_id": "a", "q": "from:b"}, "call_id"),
                              ({"columns": "ts"}, "columns"), ({"format": "csv", "columns": "no"}, "columns"),
                              ({"from": "now", "to": "-1h"}, "to"), ({"calls": "2"}, "calls"),
                              ({"order": "random"}, "order")):
            answer = server.get("/api/v1/export", **params)
            self.assertEqual((answer.status, answer.json["parameter"]), (400, where), answer)
        self.assertEqual(server.get("/api/v1/export", ids="1").status, 400)

    def post(self, server: Server, body: bytes, key: str = "", kind: str = "application/octet-stream"):
        headers = {"Content-Type": kind, **({"Idempotency-Key": key} if key else {})}
        return http(f"{server.url}/api/v1/import", "POST", body, headers)

    def test_upload_of_captures(self) -> None:
        server = self.filled()
        want = [key(r) for r in self.rows(server) if r["table"] == "sip"]
        for kind, media_type in (("pcap", "application/vnd.tcpdump.pcap"), ("pcapng", "application/x-pcapng")):
            body = server.get("/api/v1/export", format=kind).body
            again = self.server(kind)
            for _ in range(2):
                answer = self.post(again, body, "once", media_type)
                self.assertEqual((answer.status, answer.json["stored"], answer.json["bad"]), (200, len(want), 0), answer)
                self.assertEqual(answer.json["capture"]["sip"], len(want))
            self.assertEqual([key(r) for r in self.rows(again)], want)
            self.assertEqual(self.post(again, body[:-1], "once", media_type).status, 422)

    def test_upload_of_fragments_and_hep(self) -> None:
        """What `hepcat import` reads of a capture: fragments, VLANs, HEP over UDP and TCP, RTCP of a call."""
        server = self.server()
        big = lib.udp(sip(1, "fragments", body="f" * 3000).encode(), 5060, 5060)
        frames = [lib.encode([hep(n, sip(n, f"hep-{n}"))]) for n in (2, 3)]
        packets = [lib.ethernet(lib.ip4(big[:1480], 17, ident=7, more=True)),
                   lib.ethernet(lib.ip4(big[1480:2960], 17, ident=7, offset=1480, more=True)),
                   lib.ethernet(lib.ip4(big[2960:], 17, ident=7, offset=2960)),
                   lib.ethernet(lib.ip4(lib.udp(frames[0]), 17), vlan=5),
                   lib.ethernet(lib.ip4(lib.tcp(b"", 0, flags=2), 6)),
                   lib.ethernet(lib.ip4(lib.tcp(frames[1][:20], 1), 6)),
                   lib.ethernet(lib.ip4(lib.tcp(frames[1][20:], 21), 6)),
                   lib.ethernet(lib.ip6(lib.udp(b"neither", 1, 2), 17))]
        answer = self.post(server, lib.pcap(packets))
        self.assertEqual(answer.json, {"stored": 3, "bad": 0, "capture": {
            "packets": 8, "sip": 1, "rtcp": 0, "hep": 2, "cut": 0, "other_datagrams": 1, "other_tcp_octets": 0}})
        self.assertEqual({r["call_id"] for r in self.rows(server)}, {"fragments", "hep-2", "hep-3"})
        answer = self.post(server, lib.pcap(packets)[:-3])
        self.assertEqual((answer.status, answer.json["stored"], answer.json["bad"]), (200, 3, 1), answer)
        self.assertIn("text", answer.json["first_error"])
        for body in (lib.pcap([])[:20], lib.pcap(packets)[:30], MAGIC["pcapng"] + b"\0\0\0\x1c\x1a\x2b\x3c\x4d\0"):
            answer = self.post(server, body)
            self.assertEqual(answer.status, 400, answer)
        answer = self.post(server, lib.pcap([]))
        self.assertEqual((answer.status, answer.json["stored"], answer.json["capture"]["packets"]), (200, 0, 0), answer)


if __name__ == "__main__":
    lib.main()
