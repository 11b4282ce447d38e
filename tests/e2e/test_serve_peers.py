"""Real senders into `hepcat serve`: every message is found again, byte by byte, in the order in which it was sent.

Kamailio's siptrace (HEP versions 1, 2, 3) between SIPp's two ends, rtpengine's RTCP reports, sngrep's relay of a
capture, hep-js, captures of hepcat's own.
"""

import re
import socket
import struct
import subprocess
import time
from pathlib import Path

import lib
from serve_lib import Server
from test_hepjs import HepJs
from test_kamailio import COMMON, Kamailio

PROXY = COMMON + """
loadmodule "siptrace.so"
modparam("siptrace", "trace_on", 1)
modparam("siptrace", "trace_to_database", 0)
modparam("siptrace", "trace_mode", 1)
modparam("siptrace", "hep_mode_on", 1)
modparam("siptrace", "hep_version", {version})
modparam("siptrace", "hep_capture_id", 4711)
modparam("siptrace", "duplicate_uri", "sip:127.0.0.1:{collector}")
request_route {{
  $du = "sip:127.0.0.1:{uas}";
  forward();
}}
"""


def sipp_log(path: Path) -> list[bytes]:
    """The messages in a file of SIPp's -trace_msg, in its order. It ends each with an empty line of its own."""
    parts = re.split(rb"-{40,} [^\n]*\n(?:UDP|TCP) message (?:sent|received) [^\n]*\n\n", path.read_bytes())
    return [p[:-1] for p in parts[1:]]


class KamailioSipp(lib.Case):
    CALLS = 20

    def setUp(self) -> None:
        lib.need("kamailio", "sipp")
        super().setUp()

    def call(self, kam: Kamailio, uas: int) -> tuple[list[bytes], list[bytes]]:
        """SIPp calls itself through Kamailio: what the caller and the called side sent and received."""
        uac = lib.free_port()
        log = {side: self.tmp / f"{side}.msg" for side in ("uac", "uas")}
        common = ["-i", "127.0.0.1", "-nostdin", "-trace_msg", "-message_overwrite", "false"]
        with lib.Process("sipp", "-sn", "uas", "-p", str(uas), "-message_file", str(log["uas"]), *common,
                         cwd=self.tmp) as answering:
            lib.wait_for(lambda: lib.udp_bound(uas), "SIPp's port")
            done = lib.run("-sn", "uac", f"127.0.0.1:{kam.port}", "-p", str(uac), "-m", str(self.CALLS), "-r", "20",
                           "-d", "100", "-message_file", str(log["uac"]), *common, program="sipp", cwd=self.tmp)
            self.assertEqual(done.code, 0, done)
            answering.stop()
        return sipp_log(log["uac"]), sipp_log(log["uas"])

    def check(self, version: int) -> None:
        server = self.stack.enter_context(Server(self.tmp / "data"))
        uas = lib.free_port()
        kam = self.stack.enter_context(Kamailio(self.tmp, PROXY, version=version, collector=server.ports["udp"],
                                                uas=uas))
        caller, called = self.call(kam, uas)
        self.assertEqual((len(caller), len(called)), (6 * self.CALLS, 6 * self.CALLS))
        server.wait_total(12 * self.CALLS)
        rows = server.search(payload=1, order="oldest")["rows"]
        self.assertEqual({r["hep_version"] for r in rows}, {version})
        self.assertEqual({r.get("capture_id") for r in rows}, {None if version == 1 else 4711})
        # Kamailio sees each message on both of its sides; a side is told by the other end's port.
        for side, want in (("uas", called), ("uac", caller)):
            got = [r["payload"].encode() for r in rows if (uas in (r["src_port"], r["dst_port"])) == (side == "uas")]
            self.assertEqual(sorted(got), sorted(want))
            for call_id in {r["call_id"] for r in rows}:
                word = call_id.encode()
                self.assertEqual([p for p in got if word in p], [p for p in want if word in p], side)

    def test_version_1(self) -> None:
        self.check(1)

    def test_version_2(self) -> None:
        self.check(2)

    def test_version_3(self) -> None:
        self.check(3)


def bencode(x) -> bytes:
    if isinstance(x, dict):
        return b"d" + b"".join(bencode(k) + bencode(v) for k, v in sorted(x.items())) + b"e"
    data = x.encode()
    return b"%d:%s" % (len(data), data)


def sdp(port: int) -> str:
    return (f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=rtcp:{port + 1}\r\n")


def sender_report(ssrc: int, other: int) -> bytes:
    return (struct.pack("!BBHIIIIII", 0x81, 200, 12, ssrc, 3900000000, 0, 160, 100, 16000) +
            struct.pack("!IIIIII", other, 0x05000003, 1100, 20, 0, 0))


class Rtpengine(lib.Case):
    def setUp(self) -> None:
        lib.need("rtpengine")
        super().setUp()

    def command(self, port: int, **what: str) -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(lib.TIMEOUT)
            s.sendto(b"cookie%d " % time.monotonic_ns() + bencode({k.replace("_", "-"): v for k, v in what.items()}),
                     ("127.0.0.1", port))
            return s.recv(65535)

    def test_rtcp(self) -> None:
        server = self.stack.enter_context(Server(self.tmp / "data"))
        ng = lib.free_port()
        argv = ["rtpengine", "--foreground", "--log-stderr", "--table=-1", "--interface=127.0.0.1",
                f"--listen-ng=127.0.0.1:{ng}", f"--homer=127.0.0.1:{server.ports['udp']}", "--homer-protocol=udp",
                "--homer-id=42", "--port-min=31000", "--port-max=31999"]
        self.stack.enter_context(lib.Process(*argv))
        lib.wait_for(lambda: lib.udp_bound(ng), "rtpengine's port")
        ends = [self.stack.enter_context(lib.udp_socket()) for _ in range(2)]
        media = [s.getsockname()[1] - 1 for s in ends]
        offer = self.command(ng, command="offer", call_id="rtp-1@x", from_tag="f", sdp=sdp(media[0]))
        answer = self.command(ng, command="answer", call_id="rtp-1@x", from_tag="f", to_tag="t", sdp=sdp(media[1]))
        ports = [int(re.search(rb"m=audio (\d+)", text).group(1)) + 1 for text in (answer, offer)]
        for _ in range(3):
            for i in (0, 1):
                ends[i].sendto(sender_report(0x1111 * (i + 1), 0x2222), ("127.0.0.1", ports[i]))
            time.sleep(0.05)
        server.wait_total(6)
        rows = server.search("type:rtcp corr:rtp-1@x", payload=1)["rows"]
        self.assertEqual(len(rows), 6)
        self.assertEqual({r["capture_id"] for r in rows}, {42})
        self.assertEqual({lib.json.loads(r["payload"])["ssrc"] for r in rows}, {0x1111, 0x2222})
        done = lib.run("flow", "rtp-1@x", "--server", server.url)
        self.assertEqual(done.code, 0, done)


class Captures(lib.Case):
    def test_sngrep(self) -> None:
        """sngrep relays the SIP of a capture as HEP3."""
        lib.need("sngrep")
        server = self.stack.enter_context(Server(self.tmp / "data"))
        path = str(self.tmp / "calls.pcap")
        self.assertEqual(lib.run("demo", "-n", "5", "--mix", "answered", "--pcap", path, "--seed", "4").code, 0)
        done = lib.run("encode", path)
        want = [m["payload"] for m in lib.decode(done.out) if m["rcinfo"]["payloadType"] == 1]
        with lib.Process("sngrep", "-N", "-q", "-H", f"udp:127.0.0.1:{server.ports['udp']}", "-I", path):
            server.wait_total(len(want))
        self.assertEqual([p.decode() for p in server.payloads()], want)

    def test_demo(self) -> None:
        """hepcat demo by TCP, all scenarios, malformed ones too: what was sent is what is there."""
        server = self.stack.enter_context(Server(self.tmp / "data"))
        args = ["demo", "-n", "200", "--fast", "--seed", "7", "--mix", "all"]
        raw = lib.run(*args, "--raw")
        self.assertEqual(raw.code, 0, raw)
        frames = lib.split_frames(raw.out)
        sent = lib.run(*args, "--to", server.to("tcp"))
        self.assertEqual(sent.code, 0, sent)
        server.wait_total(len(frames))
        want = sorted(bytes(frame_payload(f)) for f in frames)
        self.assertEqual(sorted(server.payloads()), want)


def frame_payload(frame: bytes) -> bytes:
    at = 6
    while at < len(frame):
        vendor, kind, size = struct.unpack_from("!HHH", frame, at)
        if (vendor, kind) == (0, 15):
            return frame[at + 6:at + size]
        at += size
    return b""


class HepJsSender(HepJs):
    """hep-js wraps, hepcat keeps. (The tests of the base class belong to test_hepjs.py.)"""

    def test_frames(self) -> None:
        server = self.stack.enter_context(Server(self.tmp / "data"))
        messages = self.messages()
        with lib.udp_socket() as s:
            for message in messages:
                s.sendto(self.js_encode(message), ("127.0.0.1", server.ports["udp"]))
        server.wait_total(len(messages))
        got = sorted(p.decode() for p in server.payloads())
        self.assertEqual(got, sorted(m["payload"] for m in messages))


def load_tests(loader, _tests, _pattern):
    suite = lib.unittest.TestSuite()
    for case in (KamailioSipp, Rtpengine, Captures):
        suite.addTests(loader.loadTestsFromTestCase(case))
    suite.addTest(HepJsSender("test_frames"))
    return suite


if __name__ == "__main__":
    lib.main()
