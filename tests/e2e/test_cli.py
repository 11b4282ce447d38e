"""`hepcat decode` and `encode` on files and pipes: all kinds of input and output, filters, errors, exit codes."""

import base64
import gzip
import json
import os
import random
import re
import signal
import struct
import subprocess
import unittest

import lib
from lib import message, run


def some() -> list[dict]:
    """Five messages that every filter tells apart."""
    return [
        message(1),
        message(2, protocol=6, srcIp="10.0.0.9", payload=lib.sip(2, "INVITE")),
        message(3, payloadType=5, correlation_id="call-2@example.org", payload='{"ssrc":1}'),
        message(4, payloadType=100, correlation_id="call-2@example.org", payload="a log line"),
        message(5, protocolFamily=10, srcIp="2001:db8::1", dstIp="2001:db8::2"),
    ]


def numbers(messages: list[dict]) -> list[int]:
    return [m["rcinfo"]["timeUseconds"] // 1000 for m in messages]


def broken(frame: bytes) -> bytes:
    """The frame with a chunk length that cannot be, at octet 10; its total length stays right."""
    return frame[:10] + b"\0\2" + frame[12:]


class Inputs(lib.Case):
    """What may be decoded and encoded."""

    def setUp(self) -> None:
        super().setUp()
        self.messages = some()
        self.frames = lib.encode(self.messages)

    def check(self, data: bytes, *args: str) -> None:
        """As a file, gzipped, and from a pipe."""
        self.assertEqual(lib.decode(data, *args), self.messages)
        for name, content in (("plain", data), ("gz", gzip.compress(data))):
            result = run("decode", *args, self.file(name, content))
            self.assertEqual((result.code, result.err), (0, ""))
            self.assertEqual(result.messages, self.messages)

    def test_raw(self) -> None:
        self.check(self.frames)

    def test_two_files_and_pipe(self) -> None:
        one = self.file("one", self.frames)
        result = run("decode", one, "-", one, stdin=self.frames)
        self.assertEqual(result.messages, self.messages * 3)

    def test_live_pipe(self) -> None:
        """A message comes out when it is there, not when the pipe ends: `tail -f frames.hep | hepcat decode -`."""
        frames = lib.split_frames(self.frames)
        with lib.Process(lib.hepcat(), "decode", "-", stdin=subprocess.PIPE) as p:
            p.proc.stdin.write(frames[0] + frames[1][:20])
            p.proc.stdin.flush()
            self.assertEqual(p.take(1, 10), self.messages[:1])
            p.proc.stdin.write(frames[1][20:])
            p.proc.stdin.flush()
            self.assertEqual(p.take(1, 10), self.messages[1:2])
            p.proc.stdin.close()
            self.assertEqual(p.wait(), 0)
        with lib.Process(lib.hepcat(), "encode", "-f", "base64", "-", stdin=subprocess.PIPE) as p:
            for message_, frame in zip(self.messages, frames):
                p.proc.stdin.write(lib.jsonl([message_]).encode())
                p.proc.stdin.flush()
                self.assertEqual(base64.b64decode(p.next_line(10)), frame)
            p.proc.stdin.close()
            self.assertEqual(p.wait(), 0)

    def test_pcap(self) -> None:
        data = lib.encode(self.messages, "--format", "pcap")
        self.check(data)

    def test_pcapng(self) -> None:
        lib.need("editcap")
        source = self.file("a.pcap", lib.encode(self.messages, "--format", "pcap"))
        target = self.tmp / "a.pcapng"
        subprocess.run(["editcap", "-F", "pcapng", source, str(target)], check=True, timeout=lib.TIMEOUT)
        self.assertEqual(target.read_bytes()[:4], bytes.fromhex("0a0d0d0a"))
        self.check(target.read_bytes())

    def test_base64_lines(self) -> None:
        text = lib.encode(self.messages, "--format", "base64")
        self.assertEqual([base64.b64decode(line) for line in text.split()], lib.split_frames(self.frames))
        self.check(text)
        self.check(text.replace(b"\n", b"\r\n"))

    def test_base64_wrapped(self) -> None:
        for width in (76, 64, 61):
            text = base64.b64encode(self.frames)
            self.check(b"\n".join(text[i : i + width] for i in range(0, len(text), width)) + b"\n")

    def test_base64_url_alphabet_and_no_padding(self) -> None:
        self.check(base64.urlsafe_b64encode(self.frames).rstrip(b"="))

    def test_gateway_event(self) -> None:
        event = {"version": "2.0", "headers": {"content-type": "application/octet-stream"}, "isBase64Encoded": True,
                 "body": base64.b64encode(self.frames).decode()}
        self.check(json.dumps(event).encode())
        self.check(json.dumps(event, indent=2).encode())
        # The client sent base64 itself and the gateway passed the text on.
        self.check(json.dumps({**event, "isBase64Encoded": False}).encode())
        lines = [json.dumps({**event, "body": base64.b64encode(f).decode()}) for f in lib.split_frames(self.frames)]
        self.check("\n".join(lines).encode())

    def test_single_version_1_and_2(self) -> None:
        for version in (1, 2):
            data = lib.encode([message(1)], "--hep-version", str(version))
            self.assertEqual(data[0], version)
            (got,) = lib.decode(data)
            self.assertEqual(got["version"], version)
            self.assertEqual(got["payload"], message(1)["payload"])
            (in_pcap,) = lib.decode(lib.encode([message(1)], "--hep-version", str(version), "--format", "pcap"))
            self.assertEqual(in_pcap, got)

    def test_encode_from_frames_pcap_and_gzip(self) -> None:
        self.assertEqual(run("encode", self.file("a.hep", self.frames)).out, self.frames)
        packed = gzip.compress(lib.jsonl(self.messages).encode())
        self.assertEqual(run("encode", self.file("a.gz", packed)).out, self.frames)
        packets = [lib.ip4(lib.udp(lib.sip(i).encode(), 5060, 5060), 17) for i in range(3)]
        got = lib.decode(run("encode", self.file("sip.pcap", lib.pcap(packets, 101))).out)
        self.assertEqual([m["payload"] for m in got], [lib.sip(i) for i in range(3)])
        self.assertEqual({m["rcinfo"]["srcIp"] for m in got}, {"10.1.0.1"})

    def test_json_of_many_lines_and_old_keys(self) -> None:
        text = "\n\n".join(json.dumps(m, indent=2) for m in self.messages)
        self.assertEqual(lib.encode(text), self.frames)
        old = {"protocolFamily": "ip_family", "timeSeconds": "time_sec", "timeUseconds": "time_usec",
               "payloadType": "proto_type"}
        renamed = [{**m, "rcinfo": {old.get(k, k): v for k, v in m["rcinfo"].items()}} for m in self.messages]
        self.assertEqual(lib.encode(renamed), self.frames)
        texts = [{**m, "rcinfo": {k: str(v) for k, v in m["rcinfo"].items()}} for m in self.messages]
        self.assertEqual(lib.encode(texts), self.frames)


class Captures(lib.Case):
    """HEP inside captures, packet by packet."""

    def setUp(self) -> None:
        super().setUp()
        self.messages = some()
        self.frames = lib.split_frames(lib.encode(self.messages))

    def decode(self, packets: list[bytes], *args: str, link: int = 1, code: int = 0) -> lib.Result:
        result = run("decode", *args, self.file("a.pcap", lib.pcap(packets, link)))
        self.assertEqual(result.code, code, result)
        return result

    def test_vlan_and_ip6(self) -> None:
        packets = []
        for i, frame in enumerate(self.frames):
            packet = lib.ip6(lib.udp(frame), 17) if i % 2 else lib.ip4(lib.udp(frame), 17)
            packets.append(lib.ethernet(packet, vlan=100 + i if i < 3 else None))
        self.assertEqual(self.decode(packets).messages, self.messages)

    def test_ip_fragments(self) -> None:
        frame = lib.encode([message(1, payload="x" * 4000)])
        datagram = lib.udp(frame)
        cuts = [0, 1480, 2960, len(datagram)]
        parts = [lib.ethernet(lib.ip4(datagram[a:b], 17, ident=7, offset=a, more=b < len(datagram)))
                 for a, b in zip(cuts, cuts[1:])]
        other = lib.ethernet(lib.ip4(lib.udp(self.frames[1]), 17, ident=8))
        for order in ([0, 1, 2], [2, 0, 1], [1, 1, 2, 0]):
            with self.subTest(order):
                got = self.decode([parts[order[0]], other, *[parts[i] for i in order[1:]]]).messages
                self.assertEqual(got, [self.messages[1], message(1, payload="x" * 4000)])
        self.assertEqual(self.decode([parts[0], parts[2]]).messages, [])

    def tcp_packets(self, stream: bytes, size: int, syn: bool = True) -> list[bytes]:
        packets = []
        if syn:
            packets.append(lib.ethernet(lib.ip4(lib.tcp(b"", 999, flags=2), 6)))
        for at in range(0, len(stream), size):
            packets.append(lib.ethernet(lib.ip4(lib.tcp(stream[at : at + size], 1000 + at), 6)))
        return packets

    def test_tcp_segments_in_any_order(self) -> None:
        stream = b"".join(self.frames)
        for size in (100, 333, 1400):
            with self.subTest(size):
                packets = self.tcp_packets(stream, size)
                self.assertEqual(self.decode(packets).messages, self.messages)
                mixed = packets[:1] + random.Random(size).sample(packets[1:], len(packets) - 1)
                self.assertEqual(self.decode(mixed).messages, self.messages)
                twice = [p for p in packets for _ in range(2)]
                self.assertEqual(self.decode(twice).messages, self.messages)

    def test_tcp_from_the_middle(self) -> None:
        """The capture begins inside frame 1: the stream is found again where a segment begins with a frame."""
        half = self.frames[0][50:]
        packets = [lib.ethernet(lib.ip4(lib.tcp(half, 1000), 6))]
        at = 1000 + len(half)
        for frame in self.frames[1:]:
            packets.append(lib.ethernet(lib.ip4(lib.tcp(frame, at), 6)))
            at += len(frame)
        result = self.decode(packets)
        self.assertEqual(result.messages, self.messages[1:])
        self.assertIn(f"{len(half)} octets of TCP passed over", result.err)

    def test_tcp_with_a_hole(self) -> None:
        packets = self.tcp_packets(b"".join(self.frames), 10000)[:1]
        at = 1000
        for i, frame in enumerate(self.frames):
            for part in (frame[:60], frame[60:]):
                if not (i == 1 and part is not frame and part == frame[60:]):
                    packets.append(lib.ethernet(lib.ip4(lib.tcp(part, at), 6)))
                at += len(part)
        result = run("decode", self.file("a.pcap", lib.pcap(packets)))
        self.assertEqual(numbers(result.messages), [1, 3, 4, 5])
        self.assertEqual(result.code, 1, "a message was lost: that is told")

    def test_tcp_without_its_first_segment(self) -> None:
        """SYN seen, the first octets lost: the rest of that frame is passed over like any stream from the middle."""
        packets = self.tcp_packets(b"".join(self.frames[:1]), 50)
        at = 1000 + len(self.frames[0])
        for frame in self.frames[1:]:
            packets.append(lib.ethernet(lib.ip4(lib.tcp(frame, at), 6)))
            at += len(frame)
        del packets[1]
        result = run("decode", self.file("a.pcap", lib.pcap(packets)))
        self.assertEqual(numbers(result.messages), [2, 3, 4, 5], result)
        self.assertNotIn("not a HEP message", result.err)
        self.assertIn("octets of TCP passed over", result.err)

    def test_hep_port(self) -> None:
        packets = [lib.ethernet(lib.ip4(lib.udp(f, dst_port=7000 + i), 17)) for i, f in enumerate(self.frames)]
        self.assertIn("none on a HEP port", self.decode(packets).err)
        self.assertEqual(numbers(self.decode(packets, "--hep-port", "7001").messages), [2])
        self.assertEqual(numbers(self.decode(packets, "--hep-port", "7001-7002,7004").messages), [2, 3, 5])
        self.assertEqual(len(self.decode(packets, "--hep-port", "7000", "--hep-port", "7003").messages), 2)
        self.assertEqual(run("decode", "--hep-port", "x", "-").code, 2)

    def test_meta_tells_packet_time_and_sender(self) -> None:
        (got,) = self.decode([lib.ethernet(lib.ip4(lib.udp(self.frames[0]), 17))], "--meta").messages
        self.assertIn("10.1.0.1", json.dumps(got["meta"]))
        self.assertEqual(got["meta"]["transport"], "udp")

    def test_bad_packet_costs_itself(self) -> None:
        packets = [lib.ip4(lib.udp(f), 17) for f in (self.frames[0], broken(self.frames[1]), self.frames[2])]
        result = self.decode([lib.ethernet(p) for p in packets], code=1)
        self.assertEqual(numbers(result.messages), [1, 3])
        self.assertIn("packet 2:", result.err)

    def test_cut_capture_file(self) -> None:
        data = lib.pcap([lib.ip4(lib.udp(f), 17) for f in self.frames], 101)
        result = run("decode", self.file("cut.pcap", data[:-10]))
        self.assertEqual((result.code, numbers(result.messages)), (1, [1, 2, 3, 4]))


SDP = "v=0\r\no=- 1 1 IN IP4 10.9.0.1\r\ns=-\r\nc=IN IP4 10.9.0.1\r\nt=0 0\r\nm=audio 10000 RTP/AVP 8\r\n"


def sender_report(ssrc: int) -> bytes:
    """RTCP: a sender report with one report block, then SDES with a CNAME (RFC 3550)."""
    block = struct.pack(">IIIIII", 7, 5 << 24 | 3, 4711, 40, 1, 2)
    report = struct.pack(">BBHI", 0x81, 200, 12, ssrc) + struct.pack(">IIIII", 100, 200, 300, 50, 8000) + block
    return report + struct.pack(">BBHIBB", 0x81, 202, 2, ssrc, 1, 2) + b"ab"


class PlainCaptures(lib.Case):
    """SIP and RTCP inside captures, wrapped in HEP by encode."""

    def encode(self, packets: list[bytes], *args: str, code: int = 0) -> lib.Result:
        result = run("encode", *args, self.file("sip.pcap", lib.pcap([lib.ethernet(p) for p in packets])))
        self.assertEqual(result.code, code, result)
        return result

    def test_sip_over_udp_with_rtcp(self) -> None:
        invite = lib.sip(1, "INVITE", SDP)
        packets = [
            lib.ip4(lib.udp(invite.encode(), 5060, 5061), 17, "10.9.0.1", "10.9.0.2"),
            lib.ip4(lib.udp(sender_report(42), 10001, 20001), 17, "10.9.0.1", "10.9.0.2"),
            lib.ip4(lib.udp(sender_report(43), 30001, 10001), 17, "10.9.0.2", "10.9.0.1"),
            lib.ip4(lib.udp(sender_report(44), 5, 7), 17, "10.9.0.8", "10.9.0.9"),
            lib.ip4(lib.udp(b"\0\1\2\3 neither of them", 5060, 5060), 17),
            lib.ip6(lib.udp(lib.sip(2).encode(), 5060, 5060), 17),
        ]
        result = self.encode(packets, "--node", "tap1", "--id", "77", "--auth-key", "k")
        got = lib.decode(result.out)
        self.assertEqual([m["rcinfo"]["payloadType"] for m in got], [1, 5, 5, 5, 1])
        self.assertEqual(got[0]["payload"], invite)
        first = got[0]["rcinfo"]
        self.assertEqual((first["srcIp"], first["srcPort"], first["dstIp"], first["dstPort"], first["protocol"]),
                         ("10.9.0.1", 5060, "10.9.0.2", 5061, 17))
        self.assertEqual((first["timeSeconds"], first["timeUseconds"]), (1700000000, 0))
        self.assertEqual((first["hepNodeName"], first["captureId"], first["capturePass"]), ("tap1", 77, "k"))
        call_id = re.search(r"Call-ID: *(\S+)", invite, re.I).group(1)
        self.assertEqual([m["rcinfo"].get("correlation_id") for m in got], [None, call_id, call_id, None, None])
        report = json.loads(got[1]["payload"])
        self.assertEqual((report["ssrc"], report["type"], report["sender_information"]["packets"]), (42, 200, 50))
        self.assertEqual(report["report_blocks"][0]["fraction_lost"], 5)
        self.assertEqual(report["report_blocks"][0]["packets_lost"], 3)
        self.assertEqual(got[4]["rcinfo"]["srcIp"], "2001:db8::1")
        self.assertIn("1 RTCP packets belong to no call", result.err)
        self.assertIn("1 datagrams", result.err)

    def test_sip_over_tcp_in_any_cut(self) -> None:
        texts = [lib.sip(i, "INVITE" if i % 2 else "OPTIONS", SDP if i % 2 else "") for i in range(1, 6)]
        stream = "\r\n\r\n".join(texts).encode()  # keep-alives of RFC 5626 between the messages
        for size in (1, 7, 200, 1400):
            with self.subTest(size):
                packets = [lib.ip4(lib.tcp(b"", 999, flags=2, dst_port=5060), 6)]
                for at in range(0, len(stream), size):
                    packets.append(lib.ip4(lib.tcp(stream[at : at + size], 1000 + at, dst_port=5060), 6))
                got = lib.decode(self.encode(packets).out)
                self.assertEqual([m["payload"] for m in got], texts)
                self.assertEqual({m["rcinfo"]["protocol"] for m in got}, {6})

    def test_sip_cut_by_the_end_of_the_capture(self) -> None:
        packets = [lib.ip4(lib.tcp(lib.sip(1, "INVITE", SDP).encode()[:-5], 1000, dst_port=5060), 6)]
        self.assertIn("is cut", self.encode(packets, code=1).err)

    def test_filters(self) -> None:
        packets = [lib.ip4(lib.udp(lib.sip(i).encode(), 5060, 5060), 17, f"10.9.0.{i}") for i in range(1, 5)]
        self.assertEqual(len(lib.decode(self.encode(packets, "--ip", "10.9.0.2/31").out)), 2)
        self.assertEqual(lib.decode(self.encode(packets, "--type", "rtcp").out), [])


class Outputs(lib.Case):
    def setUp(self) -> None:
        super().setUp()
        self.messages = some()
        self.frames = lib.encode(self.messages)

    def test_raw(self) -> None:
        self.assertEqual(run("decode", "--format", "raw", "-", stdin=self.frames).out, self.frames)
        text = lib.encode(self.messages, "--format", "base64")
        self.assertEqual(run("decode", "--format", "raw", "-", stdin=text).out, self.frames)

    def test_text(self) -> None:
        out = run("decode", "-f", "text", "-", stdin=self.frames).out.decode()
        self.assertIn("2023-11-14T22:13:20.001000Z sip UDP 10.0.0.1:5060 -> 10.0.0.2:5061", out)
        self.assertIn("[2001:db8::1]:5060 -> [2001:db8::2]:5061", out)
        self.assertIn("    OPTIONS sip:bob@example.org SIP/2.0\n", out)
        self.assertIn("correlation=call-2@example.org", out)

    def test_text_is_safe_for_a_terminal(self) -> None:
        frame = lib.encode([message(1, payload="a\x1b]0;title\x07b\u009bc", hepNodeName="n\x1b[2J")])
        out = run("decode", "-f", "text", "-", stdin=frame).out
        self.assertNotIn(b"\x1b", out)
        self.assertNotIn(b"\x07", out)
        self.assertNotIn("\u009b".encode(), out)

    def test_pcap(self) -> None:
        sip = [m for m in self.messages if m["rcinfo"]["payloadType"] == 1]
        data = run("decode", "--type", "sip", "--format", "pcap", "-", stdin=self.frames).out
        again = lib.decode(run("encode", "--node", "node1", "-", stdin=data).out)
        self.assertEqual(again, sip)

    def test_pcap_is_what_tshark_reads(self) -> None:
        lib.need("tshark")
        path = self.file("a.pcap", run("decode", "--type", "sip", "--format", "pcap", "-", stdin=self.frames).out)
        done = subprocess.run(["tshark", "-r", path, "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
                               "-o", "tcp.check_checksum:TRUE", "-d", "tcp.port==5061,sip", "-Y", "sip", "-T",
                               "fields", "-e", "_ws.col.Source", "-e", "sip.Method", "-e", "ip.checksum.status", "-e",
                               "udp.checksum.status", "-e", "tcp.checksum.status"], capture_output=True, text=True,
                              timeout=lib.TIMEOUT, check=True)
        rows = [line.split("\t") for line in done.stdout.splitlines()]
        self.assertEqual(rows, [["10.0.0.1", "OPTIONS", "1", "1", ""], ["10.0.0.9", "INVITE", "1", "", "1"],
                                ["2001:db8::1", "OPTIONS", "", "1", ""]])

    def test_reader_that_goes_away(self) -> None:
        """`hepcat ... | head -1` ends without a word and without an error."""
        path = self.file("a.hep", self.frames * 5000)
        text = self.file("a.jsonl", lib.jsonl(self.messages) * 2000)
        for args in (["decode", path], ["decode", "-f", "text", path], ["decode", "-f", "raw", path],
                     ["decode", "-f", "pcap", path], ["encode", "-f", "base64", text], ["encode", text],
                     ["encode", "-f", "pcap", text]):
            with self.subTest(args):
                p = subprocess.Popen([lib.hepcat(), *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                try:
                    p.stdout.read(10)
                    p.stdout.close()
                    err = p.stderr.read()
                    self.assertEqual((p.wait(lib.TIMEOUT), err), (0, b""))
                finally:
                    p.kill()
                    p.wait()
                    p.stderr.close()

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full")
    def test_full_disk(self) -> None:
        for args in (["decode", "-"], ["decode", "-f", "pcap", "-"], ["decode", "-f", "raw", "-"]):
            with self.subTest(args), open("/dev/full", "wb") as full:
                done = subprocess.run([lib.hepcat(), *args], input=self.frames, stdout=full, stderr=subprocess.PIPE,
                                      timeout=lib.TIMEOUT, check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn(b"No space left", done.stderr)
        with open("/dev/full", "wb") as full:
            done = subprocess.run([lib.hepcat(), "encode", "-"], input=lib.jsonl(self.messages).encode(), stdout=full,
                                  stderr=subprocess.PIPE, timeout=lib.TIMEOUT, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"No space left", done.stderr)


class Filters(lib.Case):
    CASES = [
        (["--type", "sip"], [1, 2, 5]),
        (["--type", "rtcp,100"], [3, 4]),
        (["--type", "5", "--type", "log"], [3, 4]),
        (["--ip", "10.0.0.9"], [2]),
        (["--ip", "10.0.0.8/31"], [2]),
        (["--ip", "10.0.0.0/8"], [1, 2, 3, 4]),
        (["--ip", "2001:db8::/32"], [5]),
        (["--ip", "10.0.0.9", "--ip", "2001:db8::2"], [2, 5]),
        (["--text", "INVITE"], [2]),
        (["--text", "INVITE", "--text", "ssrc"], [2, 3]),
        (["--type", "sip", "--text", "OPTIONS", "--ip", "10.0.0.1"], [1]),
        (["--text", "nothing like it"], []),
    ]

    def test_both_commands(self) -> None:
        text, frames = lib.jsonl(some()), lib.encode(some())
        for args, want in self.CASES:
            with self.subTest(args):
                self.assertEqual(numbers(lib.decode(frames, *args)), want)
                self.assertEqual(numbers(lib.decode(lib.encode(text, *args))), want)
                self.assertEqual(numbers(lib.decode(lib.encode(frames, *args))), want)

    def test_text_inside_compressed_payload(self) -> None:
        frames = lib.encode(some(), "--compress", "gzip")
        self.assertEqual(numbers(lib.decode(frames, "--text", "INVITE")), [2])
        self.assertEqual(numbers(lib.decode(lib.encode(frames, "--text", "INVITE"))), [2])

    def test_count(self) -> None:
        frames = lib.encode(some())
        self.assertEqual(numbers(lib.decode(frames, "--count", "2")), [1, 2])
        self.assertEqual(numbers(lib.decode(frames, "-n2", "--type", "sip")), [1, 2])
        self.assertEqual(numbers(lib.decode(frames, "-n", "3", "--type", "sip")), [1, 2, 5])

    def test_bad_filters_are_usage_errors(self) -> None:
        for args in (["--type", "nonsense"], ["--type", "256"], ["--ip", "10.0.0"], ["--ip", "10.0.0.0/33"],
                     ["--count", "x"], ["--count", "-1"], ["--format", "xml"], ["--refuse", "nonsense"],
                     ["--vendor-key", "8:x:name"], ["--vendor-key", "0:1:text:name"], ["--nonsense"], []):
            with self.subTest(args):
                result = run("decode", *args, *(["-"] if args else []))
                self.assertEqual((result.code, result.out), (2, b""))
                self.assertIn("--help", result.err)


class Errors(lib.Case):
    def test_bad_json_in_the_middle(self) -> None:
        lines = [json.dumps(message(1)), '{"rcinfo": {"srcPort": 99999}, "payload": "x"}', "{nope",
                 json.dumps(message(2)), "[1]", '{"rcinfo":{"srcIp":"1.2.3"}}', json.dumps(message(3))]
        result = run("encode", self.file("m.jsonl", "\n".join(lines) + "\n"))
        self.assertEqual(result.code, 1)
        self.assertEqual(numbers(lib.decode(result.out)), [1, 2, 3])
        self.assertRegex(result.err, r"m\.jsonl: line 2, column \d+: srcPort: 99999 is not in 0\.\.65535")
        self.assertRegex(result.err, r"m\.jsonl: line 3, column \d+: ")
        self.assertRegex(result.err, r"m\.jsonl: line 5, column \d+: ")
        self.assertRegex(result.err, r"m\.jsonl: line 6, column \d+: srcIp")
        self.assertIn("3 messages encoded, 4 bad", result.err)

    def test_bad_frame_in_a_stream_costs_itself(self) -> None:
        frames = lib.split_frames(lib.encode(some()))
        frames[1] = broken(frames[1])
        result = run("decode", "-", stdin=b"".join(frames))
        self.assertEqual((result.code, numbers(result.messages)), (1, [1, 3, 4, 5]))
        where = f"offset {len(frames[0])}"
        self.assertIn(f"{where}: chunk length is smaller than the chunk header, at octet 10", result.err)

    def test_bad_magic_ends_a_stream(self) -> None:
        frames = lib.split_frames(lib.encode(some()))
        result = run("decode", "-", stdin=frames[0] + frames[1] + b"XXXX" + frames[2])
        self.assertEqual((result.code, numbers(result.messages)), (1, [1, 2]))
        self.assertRegex(result.err, rf"HEP3.* at octet {len(frames[0]) + len(frames[1])}\b")

    def test_cut_stream(self) -> None:
        frames = lib.split_frames(lib.encode(some()))
        for cut in (1, 5, 6, 7, len(frames[2]) - 1):
            result = run("decode", "-", stdin=frames[0] + frames[1] + frames[2][:cut])
            self.assertEqual((result.code, numbers(result.messages)), (1, [1, 2]), cut)
            self.assertIn(f"at octet {len(frames[0]) + len(frames[1])}", result.err)

    def test_cut_gzip(self) -> None:
        packed = gzip.compress(lib.encode(some() * 1000))
        result = run("decode", self.file("a.gz", packed[: len(packed) // 2]))
        self.assertEqual(result.code, 1)
        self.assertIn("a.gz", result.err)

    def test_missing_and_empty_files(self) -> None:
        good = self.file("good.hep", lib.encode(some()))
        for command in ("decode", "encode"):
            result = run(command, str(self.tmp / "none"), good)
            self.assertEqual(result.code, 1)
            self.assertIn("none: No such file", result.err)
            self.assertTrue(result.out, "the next file is read all the same")
            result = run(command, self.file("empty", b""))
            self.assertEqual((result.code, result.out, result.err), (0, b"", ""))
        self.assertEqual(run("decode", str(self.tmp)).code, 1, "a directory")

    def test_versions_without_length(self) -> None:
        """A version 1 frame is a whole file: one that no datagram could carry, or a second one, is refused."""
        one = lib.encode([message(1)], "--hep-version", "1")
        long = self.file("long.hep", one + b"x" * 70000)
        for command in ("decode", "encode"):
            result = run(command, long)
            self.assertEqual((result.code, result.out), (1, b""))
            self.assertIn("at octet 65535", result.err)
        first = self.file("one.hep", one)
        self.assertEqual(run("decode", "--format", "raw", first).out, one)
        result = run("decode", "--format", "raw", first, first)
        self.assertEqual((result.code, result.out), (1, one))
        self.assertIn("has no length", result.err)

    def test_usage_of_listeners(self) -> None:
        for args in (["--udp", "nonsense"], ["--tls", "127.0.0.1:0"], ["--https", "127.0.0.1:0"]):
            self.assertEqual(run("decode", *args).code, 2, args)

    def test_compressed_and_strict(self) -> None:
        zipped = self.file("zip.hep", lib.encode([message(1)], "--compress", "gzip"))
        self.assertEqual(run("decode", "--strict", zipped).code, 0)
        self.assertEqual(run("decode", "--refuse", "compressed_gzip", zipped).code, 1)

    def test_other_files(self) -> None:
        for data in (b"hello world\n", bytes(range(256)), b"\0" * 100, b"\xff\xd8\xff\xe0", b"HELLO HFP"):
            result = run("decode", "-", stdin=data)
            self.assertEqual((result.code, result.out), (1, b""), data[:10])

    def test_at_most_20_error_lines(self) -> None:
        result = run("decode", "-", stdin=broken(lib.encode([message(1)])) * 35)
        self.assertEqual(result.code, 1)
        self.assertEqual(result.err.count("chunk length"), 20)
        self.assertIn("15 more errors like these", result.err)
        self.assertIn("35 bad", result.err)
        quiet = run("decode", "--quiet", "-", stdin=broken(lib.encode([message(1)])) * 35)
        self.assertEqual((quiet.code, quiet.err), (1, ""))
        result = run("encode", "-", stdin="{x\n" * 30)
        self.assertEqual(result.code, 1)
        self.assertEqual(len(re.findall(r"line \d+, column", result.err)), 20)

    def test_usage(self) -> None:
        self.assertEqual(run("--help").code, 0)
        self.assertRegex(run("--version").out.decode(), r"\d+\.\d+")
        for args in ([], ["nonsense"], ["decode"], ["encode", "--to", "ftp://x"], ["encode", "--format", "x"],
                     ["decode", "--udp", "127.0.0.1:0", "file"],
                     ["encode", "--hep-version", "4"], ["encode", "--id", "4294967296"]):
            with self.subTest(args):
                self.assertEqual(run(*args).code, 2)
        for command in ("decode", "encode"):
            text = run(command, "--help").out.decode()
            self.assertIn("Usage:", text)
            self.assertLessEqual(max(map(len, text.splitlines())), 120)

    def test_interrupt_ends_in_order(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            listener = self.listen("--udp", "127.0.0.1:0")
            run("encode", "--to", f"udp://127.0.0.1:{listener.port}", stdin=lib.jsonl(some()))
            self.assertEqual(listener.take(5), some())
            self.assertEqual(listener.stop(number), 0)


class Options(lib.Case):
    def test_strict_refuse_tolerate(self) -> None:
        vectors = {v["name"]: v for v in lib.vectors()}
        data = bytes.fromhex(vectors["v3-duplicate-last-wins"]["hex"])
        self.assertEqual(run("decode", "-", stdin=data).code, 0)
        for args in (["--strict"], ["--refuse", "duplicate_chunk"]):
            result = run("decode", *args, "-", stdin=data)
            self.assertEqual((result.code, result.out), (1, b""))
            self.assertIn("duplicate_chunk", result.err)
        self.assertEqual(run("decode", "--strict", "--tolerate", "duplicate_chunk", "-", stdin=data).code, 0)
        self.assertEqual(run("decode", "--refuse", "odd_size", "-", stdin=data).code, 0)
        good = lib.encode(some())
        self.assertEqual(lib.decode(good, "--strict"), some())

    def test_meta(self) -> None:
        vectors = {v["name"]: v for v in lib.vectors()}
        (got,) = lib.decode(bytes.fromhex(vectors["v3-wide-port"]["hex"]), "--meta")
        self.assertEqual(got["meta"]["quirks"], ["odd_size"])
        self.assertEqual(got["meta"]["version"], 3)
        frame = lib.encode([message(1)])
        (with_meta,) = lib.decode(frame, "--meta")
        self.assertEqual(lib.encode([with_meta]), frame, "meta does not get in the way of encoding again")

    def test_clean(self) -> None:
        sent = message(1, captureId=2001 << 16, protocol=22, correlation_id="c\0")
        frame = lib.encode([sent])
        self.assertEqual(lib.decode(frame)[0]["rcinfo"], sent["rcinfo"])
        (clean,) = lib.decode(frame, "--clean", "--meta")
        self.assertEqual(clean["rcinfo"]["captureId"], 2001)
        self.assertEqual(clean["rcinfo"]["protocol"], 6)
        self.assertEqual(clean["rcinfo"]["correlation_id"], "c")
        for quirk in ("capture_id_shifted", "protocol_tls", "correlation_cut"):
            self.assertIn(quirk, clean["meta"]["quirks"])

    def test_plain(self) -> None:
        for v in lib.vectors():
            if v["valid"] and v["expect"]["version"]:
                result = run("decode", "--plain", *lib.vector_keys(v), "-", stdin=bytes.fromhex(v["hex"]))
                for m in result.messages:
                    self.assertLessEqual(set(m), {"rcinfo", "payload", "payloadEncoding"}, v["name"])

    def test_vendor_keys(self) -> None:
        keys = ["--vendor-key", "8:133:u8:codec", "--vendor-key", "9:200:u32:cid", "--vendor-key", "9:201:word"]
        sent = message(1, codec=7, cid=4000000000, word="x", conversationId="c")
        frame = lib.encode([sent], *keys)
        for chunk in ("0008008500" + "0707", "000900c8000a" + "ee6b2800", "000900c90007" + "78", "0008008000" + "0763"):
            self.assertIn(bytes.fromhex(chunk), frame)
        self.assertEqual(lib.decode(frame, *keys), [sent])
        (unnamed,) = lib.decode(frame)
        self.assertEqual(unnamed["rcinfo"].get("conversationId"), "c")
        self.assertNotIn("codec", unnamed["rcinfo"])
        self.assertEqual(lib.encode([unnamed]), frame, "chunks without a name are kept")
        result = run("encode", "-", stdin=lib.jsonl([sent]))
        self.assertIn("left out", result.err)
        self.assertEqual(run("encode", *keys, "-", stdin=lib.jsonl([message(1, codec=256)])).code, 1)

    def test_auth_key(self) -> None:
        frames = lib.encode([message(1)]) + lib.encode([message(2)], "--auth-key", "s3cret") + \
            lib.encode([message(3)], "--auth-key", "s3creT") + lib.encode([message(4, capturePass="")])
        result = run("decode", "--auth-key", "s3cret", "-", stdin=frames)
        self.assertEqual((result.code, numbers(result.messages)), (1, [2]))
        self.assertIn("3 with a wrong key", result.err)
        self.assertNotIn("s3cret", result.err)
        self.assertEqual(len(lib.decode(frames)), 4)

    def test_overrides(self) -> None:
        frame = lib.encode([message(1)], "--node", "sbc1", "--id", "77", "--auth-key", "k")
        (got,) = lib.decode(frame)
        self.assertEqual(got["rcinfo"], {**message(1)["rcinfo"], "hepNodeName": "sbc1", "captureId": 77,
                                         "capturePass": "k"})
        # On the way through, all other chunks stay.
        vendor = lib.encode([message(1, conversationId="c")])
        self.assertEqual(lib.decode(lib.encode(vendor, "--id", "5"))[0]["rcinfo"]["conversationId"], "c")

    def test_compress(self) -> None:
        big = message(1, payload="v=0\r\n" * 20000)
        self.assertIn("--compress may help", run("encode", "-", stdin=lib.jsonl([big])).err)
        for form, magic in (("zlib", b"\x78"), ("gzip", b"\x1f\x8b")):
            frame = lib.encode([big], "--compress", form)
            self.assertLess(len(frame), 1000)
            at = frame.index(bytes.fromhex("00000010"))
            self.assertTrue(frame[at + 6 :].startswith(magic))
            (got,) = lib.decode(frame)
            self.assertEqual(got["payload"], big["payload"])

    def test_rate(self) -> None:
        """20 messages at 100 a second take at least 19 pauses."""
        import time
        start = time.monotonic()
        lib.encode([message(i) for i in range(20)], "--rate", "100")
        self.assertGreaterEqual(time.monotonic() - start, 0.19)


class RoundTrip(lib.Case):
    # What a file cannot say in JSON: the octets around a message.
    AROUND = {
        "v3-trailing-octets": "octets behind the frame: a bad stream",
        "v3-then-broken": "the start of another frame: a cut stream",
        "gzip-envelope": "the message is taken out of its envelope",
        "protobuf": "not HEP: it becomes version 3",
    }

    def test_all_valid_vectors(self) -> None:
        """decode, then encode: the same octets, whatever version, order, oddity."""
        for v in lib.vectors():
            if not v["valid"] or v["name"] in self.AROUND:
                continue
            with self.subTest(v["name"]):
                data, keys = bytes.fromhex(v["hex"]), lib.vector_keys(v)
                json_lines = run("decode", *keys, "-", stdin=data)
                self.assertEqual(json_lines.code, 0, json_lines)
                again = run("encode", *keys, "-", stdin=json_lines.out)
                self.assertEqual((again.code, again.out.hex()), (0, v["hex"]), again)
                self.assertEqual(run("encode", "-", stdin=run("decode", "-", stdin=data).out).out.hex(), v["hex"],
                                 "without the vendor keys, too")

    def test_vectors_with_something_around(self) -> None:
        for v in lib.vectors():
            if v["name"] not in self.AROUND:
                continue
            with self.subTest(v["name"]):
                data = bytes.fromhex(v["hex"])
                (first,) = run("decode", "-", stdin=data).messages
                again = lib.decode(lib.encode([first]))[0]["rcinfo"]
                # Version 3 as hep-js writes it always has a node name; protobuf has none.
                self.assertEqual({"hepNodeName": "2001", **first["rcinfo"]}, {"hepNodeName": "2001", **again})

    def test_all_bad_vectors(self) -> None:
        for v in lib.vectors():
            if v["valid"]:
                continue
            with self.subTest(v["name"]):
                data = bytes.fromhex(v["hex"])
                path = self.file("v.pcap", lib.pcap([lib.ip4(lib.udp(data), 17)], 101))
                result = run("decode", path)
                self.assertEqual((result.code, result.out), (1, b""), "as a datagram")
                result = run("decode", "-", stdin=data)
                self.assertEqual(result.code, 1 if data else 0, "as a file")
                # In a stream the bad frame costs itself only, and here another one follows.
                self.assertEqual(len(result.messages), 1 if v["name"] == "bad-chunk-into-next" else 0)

    def test_expected_values(self) -> None:
        for v in lib.vectors():
            if not v["valid"]:
                continue
            with self.subTest(v["name"]):
                data = bytes.fromhex(v["hex"])
                path = self.file("v.pcap", lib.pcap([lib.ip4(lib.udp(data), 17)], 101))  # as a datagram
                got = run("decode", *lib.vector_keys(v), path).messages
                expect = v["expect"]
                # hepcat knows the Genesys keys without being told.
                rcinfo = {k: x for k, x in got[0]["rcinfo"].items() if k in expect["rcinfo"] or k != "conversationId"}
                self.assertEqual(rcinfo, expect["rcinfo"])
                want = base64.b64decode(expect["payload_b64"]) if expect["payload_b64"] is not None else None
                payload = got[0].get("payload")
                if payload is not None:
                    encoded = got[0].get("payloadEncoding") == "base64"
                    payload = base64.b64decode(payload) if encoded else payload.encode()
                self.assertEqual(payload, want)
                self.assertEqual(len(got), 1 + len(expect.get("more", [])))

    def test_random_octets_never_crash(self) -> None:
        rng = random.Random(1)
        base = [bytes.fromhex(v["hex"]) for v in lib.vectors()]
        for _ in range(150):
            data = bytearray(rng.choice(base) or b"x")
            for _ in range(rng.randint(1, 8)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            for command in ("decode", "encode"):
                result = run(command, "-", stdin=bytes(data))
                self.assertIn(result.code, (0, 1), (data.hex(), result))


class Descriptions(lib.Case):
    """Man pages and completions: what the tools that read them say."""

    def commands(self) -> list[str]:
        return run("completion", "commands").out.decode().split()

    def test_man_pages(self) -> None:
        for command in ["", *self.commands()]:
            page = self.file("page.1", run("man", *command.split()).out)
            done = lib.run("-man", "-Tutf8", "-ww", page, program="groff")
            with self.subTest(command):
                self.assertEqual(done.code, 0)
                self.assertEqual(done.err, "")
                self.assertIn(f"hepcat-{command}" if command else "hepcat-search", re.sub(".\x08", "", done.out.decode()))

    def test_bash(self) -> None:
        script = self.file("bash", run("completion", "bash").out)

        def complete(*words: str) -> list[str]:
            line = " ".join(f"'{w}'" for w in words)
            done = lib.run("-c", f". {script}; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _hepcat; "
                           "printf '%s\\n' \"${COMPREPLY[@]}\"", program="bash")
            self.assertEqual((done.code, done.err), (0, ""), done)
            return done.out.decode().split()

        self.assertEqual(complete("hepcat", "sea"), ["search"])
        self.assertEqual(complete("hepcat", "search", "--lim"), ["--limit"])
        self.assertIn(script.rsplit("/", 1)[1], [p.rsplit("/", 1)[-1] for p in
                                                 complete("hepcat", "decode", script[:-2])])
        self.assertEqual(complete("hepcat", "help", "flo"), ["flow"])
        self.assertEqual(complete("hepcat", "search", "call"), ["callid:"])

    def test_zsh_and_fish(self) -> None:
        for shell, check in (("zsh", "-n"), ("fish", "--no-execute")):
            script = self.file(shell, run("completion", shell).out)
            done = lib.run(check, script, program=shell)
            self.assertEqual((done.code, done.out, done.err), (0, b"", ""), shell)

    def test_zsh_and_fish_know_the_fields(self) -> None:
        script = self.file("fish", run("completion", "fish").out)
        done = lib.run("--no-config", "-c", f"source {script}; complete -C 'hepcat search call'", program="fish")
        self.assertEqual([line.split("\t")[0] for line in done.out.decode().splitlines()], ["callid:"], done)
        script = self.file("zsh", run("completion", "zsh").out)
        shims = ("_arguments() { print -l -- \"$@\" }; compadd() { print -l -- \"$@\" }; CURRENT=3; "
                 f"words=(hepcat $1 call); source {script} && _hepcat_fields")
        for command, action in (("search", "*:filter:_hepcat_fields"), ("decode", "*:file:_files")):
            done = lib.run("-f", "-c", shims, "zsh", command, program="zsh")
            words = done.out.decode().splitlines()
            self.assertEqual((done.code, done.err), (0, ""), done)
            self.assertIn(action, words)
            self.assertIn("callid:", words)

    def test_slips_of_the_finger(self) -> None:
        self.assertIn("did you mean 'search'?", run("serach").err)
        self.assertIn("did you mean --limit?", run("search", "--limti", "3").err)
        self.assertEqual(run("completion", "tcsh").code, 2)
        self.assertEqual(run("man", "nothing").code, 2)


if __name__ == "__main__":
    lib.main()
