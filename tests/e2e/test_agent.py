"""hepcat agent on captures in files: what it sends, to whom, what it leaves out, and its account."""

import gzip
import json
import random
import re
import socket
import struct
import time

import lib


def packet(number: int = 1, method: str = "OPTIONS", body: str = "", src: str = "10.1.0.1") -> bytes:
    return lib.ethernet(lib.ip4(lib.udp(lib.sip(number, method, body).encode(), 5060, 5060), 17, src=src, ident=number))


def agent(*args: str, **kwargs) -> lib.Result:
    return lib.run("agent", *args, **kwargs)


def account(result: lib.Result) -> dict[str, int]:
    """The lines of the account: text -> number."""
    rows = (re.match(r"hepcat: +(\d+)  (.*)$", line) for line in result.err.splitlines())
    return {row.group(2).strip(): int(row.group(1)) for row in rows if row}


class Files(lib.Case):
    def setUp(self) -> None:
        super().setUp()
        self.packets = [packet(i, m) for i, m in enumerate(("INVITE", "OPTIONS", "NOTIFY", "REGISTER"), 1)]
        self.trace = self.file("trace.pcap", lib.pcap(self.packets))

    def sent(self, *args: str, **kwargs) -> list[dict]:
        result = agent("--to", "-", *args, **kwargs)
        self.assertEqual(result.code, 0, result)
        return lib.decode(result.out)

    def test_frames(self) -> None:
        messages = self.sent("--read", self.trace, "--id", "77", "--name", "tap1", "--key", "s3cret")
        self.assertEqual([str(m["payload"]).split()[0] for m in messages], ["INVITE", "OPTIONS", "NOTIFY", "REGISTER"])
        info = messages[0]["rcinfo"]
        self.assertEqual((info["captureId"], info["hepNodeName"], info["capturePass"]), (77, "tap1", "s3cret"))
        self.assertEqual((info["srcIp"], info["srcPort"], info["dstIp"], info["protocol"]),
                         ("10.1.0.1", 5060, "10.1.0.2", 17))
        self.assertEqual(info["timeSeconds"], 1700000000)

    def test_inputs(self) -> None:
        data = lib.pcap(self.packets)
        folder = self.tmp / "captures"
        folder.mkdir()
        (folder / "b.pcap").write_bytes(lib.pcap([packet(20, "BYE")]))
        (folder / "a.pcap.gz").write_bytes(gzip.compress(lib.pcap([packet(10, "ACK")])))
        (folder / "notes.txt").write_text("no capture")
        self.assertEqual(len(self.sent("--read", self.file("t.pcap.gz", gzip.compress(data)))), 4)
        self.assertEqual(len(self.sent("--read", "-", stdin=data)), 4)
        methods = [str(m["payload"]).split()[0] for m in self.sent("--read", str(folder))]
        self.assertEqual(methods, ["ACK", "BYE"])
        self.assertEqual(len(self.sent("--read", str(folder / "*.pcap*"))), 2)
        self.assertEqual(len(self.sent("--read", str(folder), "--read", self.trace)), 6)

    def test_bad_inputs(self) -> None:
        result = agent("--read", str(self.tmp / "none.pcap"), "--to", "-")
        self.assertEqual(result.code, 2)
        self.assertIn("No such file", result.err)
        result = agent("--read", self.file("x.pcap", "this is no capture"), "--to", "-")
        self.assertEqual(result.code, 1)
        self.assertIn("neither pcap nor pcapng", result.err)
        cut = agent("--read", self.file("cut.pcap", lib.pcap(self.packets)[:-10]), "--to", "-")
        self.assertEqual((cut.code, len(lib.split_frames(cut.out))), (1, 3), cut)
        self.assertIn("cut.pcap: ", cut.err)
        for args, text in ((["--to", "-"], "--read FILE"), (["--read", self.trace], "--to URL"),
                           (["--read", self.trace, "--to", "smoke://x"], "a URL must begin with"),
                           (["--read", self.trace, "--to", "-", "--filter", "form:x"], "did you mean"),
                           (["--read", self.trace, "--to", "-", "--discard", "A B"], "no method"),
                           (["--read", self.trace, "--to", "-", "--dedup", "soon"], "--dedup: 'soon' is not"),
                           (["--read", self.trace, "--to", "-", "--speed", "-1"], "not a factor"),
                           (["--read", self.trace, "--to", "-", "more"], "an option was expected")):
            result = agent(*args)
            self.assertEqual(result.code, 2, result)
            self.assertIn(text, result.err)

    def test_account(self) -> None:
        bad = [b"", lib.ethernet(b"\x45\x00")[:20], lib.ethernet(lib.ip4(lib.udp(b"noise", 1, 2), 17)),
               lib.ethernet(lib.ip4(b"ping", 1)), lib.ethernet(lib.ip4(lib.udp(b"x" * 64)[:40], 17, more=True))]
        trace = self.file("mixed.pcap", lib.pcap(self.packets + bad))
        result = agent("--read", trace, "--to", "-", "--discard", "OPTIONS,NOTIFY", "--drop", "method:REGISTER")
        self.assertEqual(result.code, 0, result)
        rows = account(result)
        self.assertEqual(rows["packets captured"], 9)
        self.assertEqual(rows["udp"], 5)
        self.assertEqual(rows["fragment"], 1)
        self.assertEqual(rows["other_protocol"], 1)
        self.assertEqual(rows["not all readable: link_short"], 1)
        self.assertEqual(rows["not all readable: ip_short"], 1)
        self.assertEqual(rows["SIP messages"], 4)
        self.assertEqual(rows["of them, left out for their method"], 2)
        self.assertEqual(rows["of them, left out by a filter"], 1)
        self.assertEqual(rows["left out by rule: method OPTIONS"], 1)
        self.assertEqual(rows["left out by rule: drop method:REGISTER"], 1)
        self.assertEqual(rows["of them, put into frames"], 1)
        self.assertIn("-: 1 sent", result.err)
        self.assertEqual(agent("--read", trace, "--to", "-", "--quiet").err, "")

    def test_discard_takes_responses(self) -> None:
        reply = lib.sip(2, "OPTIONS").replace("OPTIONS sip:bob@example.org SIP/2.0", "SIP/2.0 200 OK", 1)
        trace = self.file("r.pcap", lib.pcap([packet(2), lib.ethernet(lib.ip4(lib.udp(reply.encode()), 17))]))
        self.assertEqual(len(self.sent("--read", trace)), 2)
        self.assertEqual(len(self.sent("--read", trace, "--discard", "options")), 0)

    def test_dedup(self) -> None:
        """Seen on two VLANs at once; the retransmission half a second later stays, once."""
        ip = lib.ip4(lib.udp(lib.sip(1, "INVITE").encode(), 5060, 5060), 17)
        packets = [lib.ethernet(ip, 10), lib.ethernet(ip, 20)] + [lib.ethernet(lib.ip4(b"", 1))] * 498
        trace = self.file("dup.pcap", lib.pcap(packets * 2))
        self.assertEqual(len(self.sent("--read", trace)), 4)
        self.assertEqual(len(self.sent("--read", trace, "--dedup", "1s")), 2)
        self.assertEqual(len(self.sent("--read", trace, "--dedup", "100ms")), 2)

    def test_explain(self) -> None:
        result = agent("--read", self.trace, "--explain", "--discard", "NOTIFY", "--quiet")
        self.assertEqual(result.code, 0, result)
        lines = result.out.decode().splitlines()
        self.assertEqual([line.split(" ", 1)[0] for line in lines], ["1", "2", "3", "4"])
        self.assertRegex(lines[0], r"^1 10\.1\.0\.1:5060 > 10\.1\.0\.2:5060 udp: SIP INVITE, \d+ octets: sent, \d+ octets")
        self.assertIn('left out by the rule "method NOTIFY"', lines[2])

    def test_filter_on_a_capture(self) -> None:
        """--explain says what the kernel's filter would not have passed."""
        strange = lib.ethernet(lib.ip4(lib.udp(lib.sip(9, "INVITE").encode(), 7060, 7061), 17))
        trace = self.file("ports.pcap", lib.pcap(self.packets + [strange]))
        result = agent("--read", trace, "--explain")
        marked = [line.split()[0] for line in result.out.decode().splitlines() if "would not pass" in line]
        self.assertEqual(marked, ["5"])
        self.assertEqual(account(result)["messages of packets that the kernel's filter would not pass"], 1)
        self.assertNotIn(b"would not pass", agent("--read", trace, "--explain", "--ports", "5060,7060").out)

    def test_check(self) -> None:
        for text, wrong in (("filter: ['form:x']", "unknown field 'form'"), ("ports: [x]", "'x' is neither a port"),
                            ("discard: ['A B']", "no method"), ("bpf: 'udp port'", "syntax error")):
            result = lib.run("check", self.file("a.yaml", f"agent:\n  {text}\n"))
            self.assertEqual(result.code, 1, result)
            self.assertIn(wrong, result.err)

    def test_oversize(self) -> None:
        """A message of 90,000 octets over TCP: compressed if that is enough, else cut and marked; by UDP with TCP's help."""
        dice = random.Random(1)
        for noise in (False, True):
            body = "".join(chr(33 + dice.randrange(90)) if noise else "x" for _ in range(90000))
            text = lib.sip(1, "MESSAGE", body).encode()
            packets = [lib.ethernet(lib.ip4(lib.tcp(text[i:i + 1400], 1 + i, dst_port=5060), 6))
                       for i in range(0, len(text), 1400)]
            trace = self.file("big.pcap", lib.pcap(packets))
            result = agent("--read", trace, "--to", "-")
            frames = lib.split_frames(result.out)
            self.assertEqual(len(frames), 1)
            message = lib.decode(result.out)[0]
            if noise:
                self.assertIn(f"truncated={len(text)}", str(message))
                self.assertIn("of these, with a payload cut to fit", account(result))
                tcp = self.listen("--tcp", "127.0.0.1:0", "--format", "json")
                result = agent("--read", trace, "--to", f"udp://127.0.0.1:{tcp.port}")
                self.assertEqual(result.code, 0, result)
                self.assertIn("1 of them by TCP", result.err)
                self.assertEqual(len(tcp.take(1)), 1)
            else:
                self.assertEqual(len(str(message["payload"])), len(text))
                self.assertIn("of these, with a compressed payload", account(result))

    def test_speed(self) -> None:
        trace = self.file("slow.pcap", lib.pcap([packet(1)] + [lib.ethernet(lib.ip4(b"", 1))] * 998 + [packet(2)]))
        begin = time.monotonic()
        self.assertEqual(len(self.sent("--read", trace, "--speed", "2")), 2)
        self.assertGreaterEqual(time.monotonic() - begin, 0.499)

    def test_rtcp_and_fragments(self) -> None:
        sdp = "v=0\r\no=- 1 1 IN IP4 10.1.0.1\r\ns=-\r\nc=IN IP4 10.1.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
        sdp += "a=padding:" + "x" * 1500 + "\r\n"
        text = lib.sip(5, "INVITE", sdp).replace("Content-Length", "Content-Type: application/sdp\r\nContent-Length")
        datagram = lib.udp(text.encode(), 5060, 5060)
        rr = bytes.fromhex("81c90007 00000001 00000002 00000000 00000000 00000000 00000000 00000000".replace(" ", ""))
        packets = [lib.ethernet(lib.ip4(datagram[:1480], 17, more=True)), lib.ethernet(lib.ip4(datagram[1480:], 17, offset=1480)),
                   lib.ethernet(lib.ip4(lib.udp(rr, 4001, 7001), 17))]
        messages = self.sent("--read", self.file("f.pcap", lib.pcap(packets)))
        self.assertEqual([m["rcinfo"]["payloadType"] for m in messages], [1, 5])
        self.assertEqual(messages[1]["rcinfo"]["correlation_id"], "call-5@example.org")

    def test_configuration(self) -> None:
        conf = self.file("agent.yaml", "agent:\n  to: ['-']\n  discard: [OPTIONS]\n  name: fromfile\n  id: 5\n")
        messages = self.sent("--config", conf, "--read", self.trace, "--id", "6")
        self.assertEqual(len(messages), 3)
        self.assertEqual((messages[0]["rcinfo"]["hepNodeName"], messages[0]["rcinfo"]["captureId"]), ("fromfile", 6))
        bad = agent("--config", self.file("bad.yaml", "agent:\n  intrefaces: eth0\n"), "--read", self.trace, "--to", "-")
        self.assertEqual(bad.code, 2)
        self.assertIn("bad.yaml:2:3: ", bad.err)

    def test_same_as_encode(self) -> None:
        calls = str(self.tmp / "calls.pcap")
        self.assertEqual(lib.run("demo", "--fast", "--quiet", "--count", "100", "--pcap", calls).code, 0)
        ours, theirs = (lib.decode(lib.run(*args).out) for args in (("agent", "--read", calls, "--to", "-"), ("encode", calls)))
        for message in ours + theirs:  # the agent says how it found the call; of two legs with one place it has the other
            if message["rcinfo"]["payloadType"] == 5:
                message["payload"] = re.sub(r',"match":"[a-z]+"', "", message["payload"])
                message["rcinfo"].pop("correlation_id", None)
        self.assertEqual(ours, theirs)


def sdp(ip: str, port: int) -> str:
    return (f"v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\n"
            "a=rtpmap:8 PCMA/8000\r\n")


def dialog(first: str, cseq: str, to: str = ";tag=b", body: str = "") -> bytes:
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return (f"{first}\r\nVia: SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bK1{cseq[0]}\r\nFrom: <sip:alice@x>;tag=a\r\n"
            f"To: <sip:bob@x>{to}\r\nCall-ID: rtp-1@x\r\nCSeq: {cseq}\r\n{kind}Content-Length: {len(body)}\r\n\r\n"
            f"{body}").encode()


def rtp(number: int, ssrc: int, kind: int = 8) -> bytes:
    return struct.pack(">BBHII", 0x80, kind, number & 0xFFFF, number * 160, ssrc) + b"\xd5" * 160


A, B = "10.1.0.1", "10.1.0.2"


class Media(lib.Case):
    """A call of 12 s: 6 of 600 packets are missing in one direction, and one comes late in the other."""

    def setUp(self) -> None:
        super().setUp()
        timed: list[tuple[float, bytes]] = []

        def at(when: float, payload: bytes, src: tuple[str, int], dst: tuple[str, int]) -> None:
            timed.append((when, lib.ethernet(lib.ip4(lib.udp(payload, src[1], dst[1]), 17, src=src[0], dst=dst[0]))))

        at(0, dialog("INVITE sip:bob@x SIP/2.0", "1 INVITE", "", sdp(A, 4000)), (A, 5060), (B, 5060))
        at(0.1, dialog("SIP/2.0 200 OK", "1 INVITE", body=sdp(B, 5000)), (B, 5060), (A, 5060))
        at(0.15, dialog("ACK sip:bob@x SIP/2.0", "1 ACK"), (A, 5060), (B, 5060))
        for i in range(600):
            if i % 100 != 50:
                at(0.2 + i * 0.02, rtp(i, 0x1111), (A, 4000), (B, 5000))
            at(0.21 + i * 0.02 + (0.025 if i == 300 else 0), rtp(i + 1000, 0x2222), (B, 5000), (A, 4000))
        at(13, dialog("BYE sip:bob@x SIP/2.0", "2 BYE"), (A, 5060), (B, 5060))
        at(13.1, dialog("SIP/2.0 200 OK", "2 BYE"), (B, 5060), (A, 5060))
        timed.sort(key=lambda row: row[0])
        head = lib.pcap([])
        self.trace = self.file("call.pcap", head + b"".join(
            struct.pack("<IIII", 1700000000 + int(t), round(t % 1 * 1e6), len(p), len(p)) + p for t, p in timed))

    def reports(self, *args: str) -> list[dict]:
        result = agent("--read", self.trace, "--to", "-", "--media", "rtp", *args)
        self.assertEqual(result.code, 0, result)
        self.rows = account(result)
        return [m for m in lib.decode(result.out) if m["rcinfo"]["payloadType"] != 1]

    def test_reports(self) -> None:
        reports = self.reports()
        kinds = [(m["rcinfo"]["payloadType"], json.loads(m["payload"])["TYPE"]) for m in reports]
        self.assertEqual(sorted(kinds), sorted([(34, "PERIODIC"), (34, "HANGUP"), (35, "FINAL")] * 2))
        self.assertEqual({m["rcinfo"]["correlation_id"] for m in reports}, {"rtp-1@x"})
        final = {r["SRC_IP"]: r for r in (json.loads(m["payload"]) for m in reports) if r["TYPE"] == "HANGUP"}
        self.assertEqual((final[A]["TOTAL_PK"], final[A]["EXPECTED_PK"], final[A]["PACKET_LOSS"], final[A]["OUT_ORDER"]),
                         (594, 600, 6, 0))
        self.assertEqual((final[B]["TOTAL_PK"], final[B]["PACKET_LOSS"], final[B]["OUT_ORDER"]), (600, 0, 1))
        self.assertLess(final[A]["MOS"], final[B]["MOS"])
        self.assertEqual(final[A]["CODEC_NAME"], "PCMA")
        for m in reports:
            if m["rcinfo"]["payloadType"] == 34:
                self.assertAlmostEqual(m["rcinfo"]["mos"] / 100, json.loads(m["payload"])["MOS"], delta=0.01)
        self.assertEqual((self.rows["RTP packets, of streams"], self.rows["RTP streams"],
                          self.rows["reports on RTP streams"]), (1194, 2, 6))

    def test_not_asked_for(self) -> None:
        result = agent("--read", self.trace, "--to", "-")
        self.assertEqual({m["rcinfo"]["payloadType"] for m in lib.decode(result.out)}, {1})
        self.assertEqual(account(result)["datagrams that are none of these"], 1194)

    def test_explain(self) -> None:
        lines = agent("--read", self.trace, "--explain", "--media", "rtp", "--quiet").out.decode().splitlines()
        self.assertEqual(sum("RTP, measured" in line for line in lines), 1194)
        self.assertEqual(sum("report on RTP" in line for line in lines), 6)

    def test_filtered_calls_are_known(self) -> None:
        """Reports have their call also when its messages are not sent."""
        reports = self.reports("--drop", "type:sip")
        self.assertEqual({m["rcinfo"]["correlation_id"] for m in reports}, {"rtp-1@x"})


class Collectors(lib.Case):
    def setUp(self) -> None:
        super().setUp()
        self.trace = self.file("trace.pcap", lib.pcap([packet(i, "INVITE") for i in range(200)]))

    def test_transports(self) -> None:
        ca = lib.make_ca(self.tmp)
        cert, key = lib.make_cert(self.tmp, "server")
        tls = ["--cert", cert, "--cert-key", key]
        for kind, args, more in (("udp", [], []), ("tcp", [], []), ("tls", tls, ["--ca", ca]), ("http", [], []),
                                 ("https", tls, ["--ca", ca])):
            with lib.Listener(f"--{kind}", "127.0.0.1:0", *args) as listener:
                path = "/hep" if kind.startswith("http") else ""
                result = agent("--read", self.trace, "--to", f"{kind}://127.0.0.1:{listener.port}{path}", *more)
                self.assertEqual(result.code, 0, (kind, result))
                self.assertIn(": 200 sent", result.err)
                self.assertEqual(len(listener.take(200)), 200)

    def test_copy_and_hash(self) -> None:
        one, two = self.listen("--tcp", "127.0.0.1:0"), self.listen("--tcp", "127.0.0.1:0")
        urls = [a for x in (one, two) for a in ("--to", f"tcp://127.0.0.1:{x.port}")]
        self.assertEqual(agent("--read", self.trace, *urls).code, 0)
        self.assertEqual([len(x.take(200)) for x in (one, two)], [200, 200])
        result = agent("--read", self.trace, "--read", self.trace, *urls, "--collectors", "hash")
        counts = [int(n) for n in re.findall(r": (\d+) sent", result.err)]
        self.assertEqual(sum(counts), 400)
        ids = [{m["payload"].split("Call-ID: ")[1].split()[0] for m in x.take(n)} for x, n in zip((one, two), counts)]
        self.assertFalse(ids[0] & ids[1])
        self.assertEqual(len(ids[0] | ids[1]), 200)

    def test_failover(self) -> None:
        listener = self.listen("--tcp", "127.0.0.1:0")
        closed = lib.free_port(socket.SOCK_STREAM)
        result = agent("--read", self.trace, "--to", f"tcp://127.0.0.1:{closed}", "--to",
                       f"tcp://127.0.0.1:{listener.port}", "--collectors", "failover")
        self.assertEqual(result.code, 0, result)
        self.assertEqual(len(listener.take(200)), 200)

    def test_collector_comes_late(self) -> None:
        port = lib.free_port(socket.SOCK_STREAM)
        with lib.Process(lib.hepcat(), "agent", "--read", self.trace, "--to", f"tcp://127.0.0.1:{port}") as p:
            p.wait_error_line("cannot be reached, waiting")
            with lib.Listener("--tcp", f"127.0.0.1:{port}") as listener:
                self.assertEqual(len(listener.take(200)), 200)
                self.assertEqual(p.wait(), 0)

    def test_nobody_comes(self) -> None:
        conf = self.file("a.yaml", "agent: {retry: 300ms}\n")
        result = agent("--config", conf, "--read", self.trace, "--to", f"tcp://127.0.0.1:{lib.free_port(socket.SOCK_STREAM)}")
        self.assertEqual(result.code, 1)
        self.assertIn("0 sent (0 octets), 200 failed", result.err)
        self.assertIn("Connection refused", result.err)

    def test_spool(self) -> None:
        port, spool = lib.free_port(socket.SOCK_STREAM), str(self.tmp / "spool")
        args = ["--read", self.trace, "--to", f"tcp://127.0.0.1:{port}", "--spool", spool]
        result = agent(*args)
        self.assertEqual(result.code, 0, result)
        self.assertIn("200 frames went to the spool", result.err)
        files = [str(f) for f in (self.tmp / "spool").rglob("*.hep")]
        self.assertEqual(len(lib.run("decode", *files).messages), 200)
        with lib.Listener("--tcp", f"127.0.0.1:{port}") as listener:
            result = agent(*args)
            self.assertEqual(result.code, 0, result)
            got = listener.take(400)
        self.assertEqual([m["payload"] for m in got[:200]], [m["payload"] for m in got[200:]])

    def test_stop(self) -> None:
        """SIGTERM ends it also while nobody takes anything, and the account is told."""
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            trace = self.file("more.pcap", lib.pcap([packet(i, "INVITE", "x" * 1000) for i in range(2000)]))
            conf = self.file("a.yaml", "agent: {queue: 1MiB}\n")
            port = deaf.getsockname()[1]
            with lib.Process(lib.hepcat(), "agent", "--config", conf, *["--read", trace] * 30, "--to",
                             f"tcp://127.0.0.1:{port}") as p:
                connection, _ = deaf.accept()
                connection.recv(1000)
                self.assertEqual(p.stop(), 1)
                self.assertIn("packets captured", p.err)
                connection.close()


class Heplify(lib.Case):
    """The command line that everybody types."""

    def setUp(self) -> None:
        super().setUp()
        packets = [packet(i, m) for i, m in enumerate(("INVITE", "OPTIONS", "NOTIFY", "REGISTER"), 1)]
        self.trace = self.file("trace.pcap", lib.pcap(packets))
        self.listener = self.listen("--udp", "127.0.0.1:0")
        self.server = f"127.0.0.1:{self.listener.port}"

    def methods(self, count: int, *args: str) -> list[str]:
        result = lib.run("heplify", "-rf", self.trace, "-rs", "-hs", self.server, *args)
        self.assertEqual(result.code, 0, result)
        self.assertIn(f": {count} sent", result.err)
        return [m["payload"].split()[0] for m in self.listener.take(count)]

    def test_everyday(self) -> None:
        self.assertEqual(self.methods(2, "-m", "SIPRTCP", "-dim", "OPTIONS,NOTIFY", "-e"), ["INVITE", "REGISTER"])

    def test_filters(self) -> None:
        self.assertEqual(self.methods(1, "-fi", "call-3@"), ["NOTIFY"])
        self.assertEqual(self.methods(3, "-di=INVITE sip:", "--dd"), ["OPTIONS", "NOTIFY", "REGISTER"])
        self.assertEqual(self.methods(0, "-disip", "10.9.9.9,10.1.0.1"), [])
        self.assertEqual(self.methods(4, "-didip", "10.1.0.1", "-ipfragment=true", "-tcpassembly"),
                         ["INVITE", "OPTIONS", "NOTIFY", "REGISTER"])

    def test_identity_and_transport(self) -> None:
        tcp = self.listen("--tcp", "127.0.0.1:0")
        result = lib.run("heplify", "-rf", self.trace, "-rs", "-hs", f"127.0.0.1:{tcp.port},127.0.0.1:{tcp.port}", "-nt",
                         "tcp", "-hi", "7", "-hn", "edge", "-hp", "myhep")
        self.assertEqual(result.code, 0, result)
        info = tcp.take(8)[0]["rcinfo"]
        self.assertEqual((info["captureId"], info["hepNodeName"], info["capturePass"]), (7, "edge", "myhep"))

    def test_spool(self) -> None:
        buffer = self.tmp / "HEP-Buffer.dump"
        result = lib.run("heplify", "-rf", self.trace, "-rs", "-nt", "tcp", "-hs",
                         f"127.0.0.1:{lib.free_port(socket.SOCK_STREAM)}", "-hep-buffer-activate", "-hep-buffer-file",
                         str(buffer), "-hep-buffer-max-size", "100MB")
        self.assertEqual(result.code, 0, result)
        self.assertEqual(len(list((self.tmp / "HEP-Buffer.dump.spool").rglob("*.hep"))), 1)

    def test_mistakes(self) -> None:
        for args, text in ((["-xyz"], "unknown option '-xyz'"), (["-m", "SIPX"], "not one of"), (["-nt", "sctp"], "not one of"),
                           (["-hs"], "needs a value"), (["-wf", "/tmp"], "hepcat does not do this"),
                           (["file"], "an option was expected"), (["-b", "x"], "agent.ring: 'xMiB' is not")):
            result = lib.run("heplify", *args)
            self.assertEqual(result.code, 2, result)
            self.assertIn(text, result.err)
        self.assertIn("-dim METHODS", lib.run("heplify", "-h").out.decode())


if __name__ == "__main__":
    lib.main()
