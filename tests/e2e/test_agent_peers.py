"""The agent among others: sngrep and Kamailio take what it sends; SIPp's calls come to rest in `hepcat serve`, also over an
outage of it."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import lib
import netns
from test_agent import packet
from test_kamailio import CAPTURE, Kamailio
from test_sngrep import call

# How long the server is away. The 30 s are for a run by hand; nothing depends on the number.
# 300 packets of PCMU, 20 ms each: every 20th is dropped, ten are overtaken by the one behind them.
FORWARDER = """
import socket, struct, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('127.0.0.1', 6300))
held, start = None, time.monotonic()
for i in range(300):
    time.sleep(max(0, start + i * 0.02 - time.monotonic()))
    if i % 20 == 19: continue
    p = struct.pack('>BBHII', 0x80, 0, i, i * 160, 0x5150) + bytes([0xff]) * 160
    if i % 30 == 4:
        held = p
        continue
    s.sendto(p, ('127.0.0.1', int(sys.argv[1])))
    if held is not None:
        s.sendto(held, ('127.0.0.1', int(sys.argv[1])))
        held = None
"""

AWAY = float(os.environ.get("HEPCAT_AWAY", "30"))
HEP, HTTP = 19060, 19080


def pcap_of(case: lib.Case, messages: list[dict]) -> str:
    """The messages as plain packets."""
    done = lib.run("decode", "-f", "pcap", "-", stdin=lib.encode(messages))
    if done.code != 0:
        raise AssertionError(done)
    return case.file("calls.pcap", done.out)


class Sngrep(lib.Case):
    def test_takes_calls(self) -> None:
        lib.need("sngrep")
        messages = call(1, "10.1.1.1", "10.1.1.2") + call(2, "192.0.2.1", "198.51.100.200")
        out, port = self.tmp / "out.pcap", lib.free_port()
        with lib.Process("sngrep", "-N", "-q", "-L", f"udp:127.0.0.1:{port}", "-O", str(out)) as sngrep:
            lib.wait_for(lambda: lib.udp_bound(port) or sngrep.proc.poll() is not None, "sngrep's port")
            done = lib.run("agent", "--read", pcap_of(self, messages), "--to", f"udp://127.0.0.1:{port}")
            self.assertEqual(done.code, 0, done)
            want = 24 + sum(58 + len(m["payload"]) for m in messages)
            lib.wait_for(lambda: out.exists() and out.stat().st_size >= want, f"{want} octets of pcap")
            sngrep.stop()
        got = lib.decode(lib.run("encode", str(out)).out)
        self.assertEqual([m["payload"] for m in got], [m["payload"] for m in messages])


class Capture(lib.Case):
    def test_kamailio_takes_messages(self) -> None:
        lib.need("kamailio")
        kam = self.stack.enter_context(Kamailio(self.tmp, CAPTURE, hook=0))
        messages = [lib.message(n, srcIp=f"10.9.8.{n}", srcPort=5000 + n) for n in range(1, 6)]
        done = lib.run("agent", "--read", pcap_of(self, messages), "--to", f"udp://127.0.0.1:{kam.port}", "--id", "77")
        self.assertEqual(done.code, 0, done)
        for message in messages:
            info = message["rcinfo"]
            number = message["payload"].split("Call-ID: ")[1].split("\r\n")[0]
            got = kam.wait_error_line(f" {number} ").split("E2E ")[1].split()
            self.assertEqual(got[:4], ["request", "OPTIONS", info["srcIp"], str(info["srcPort"])])
            self.assertEqual(got[4:], ["udp", number, str(len(message["payload"]))])


class Serve(lib.Case):
    """SIPp -> network -> agent -> HEP by TCP -> hepcat serve, all in a namespace."""

    def setUp(self) -> None:
        lib.need("sipp")
        super().setUp()
        self.ns = self.stack.enter_context(netns.Namespace())
        self.data = str(self.tmp / "data")

    def serve(self) -> lib.Process:
        p = self.stack.enter_context(self.ns.process(
            lib.hepcat(), "serve", "--data", self.data, "--listen", f"tcp://127.0.0.1:{HEP}", "--http",
            f"127.0.0.1:{HTTP}"))
        p.wait_error_line(" ready ")
        return p

    def search(self, *args: str) -> str:
        done = subprocess.run(self.ns.argv(lib.hepcat(), "search", "--server", f"http://127.0.0.1:{HTTP}", *args),
                              capture_output=True, text=True, timeout=lib.TIMEOUT, check=False)
        self.assertIn(done.returncode, (0, 1), done)  # 1: nothing matches
        return done.stdout

    def count(self, *args: str) -> int:
        return int(self.search("--count", *args))

    def calls(self, number: int, rate: int) -> None:
        self.ns.run("sipp", "127.0.0.1:5070", "-sn", "uac", "-i", "127.0.0.1", "-p", "5080", "-r", str(rate), "-m",
                    str(number), "-nostdin", "-d", "10", "-timeout", "60", "-timeout_error")

    def test_outage(self) -> None:
        """The server is away for a while in the middle of calls: nothing is missing afterwards."""
        server = self.serve()
        with self.ns.process("sipp", "-sn", "uas", "-i", "127.0.0.1", "-p", "5070", "-nostdin"):
            lib.wait_for(lambda: "5070" in subprocess.run(self.ns.argv("ss", "-lun"), capture_output=True, text=True,
                                                          check=False).stdout, "the port of SIPp")
            agent = self.stack.enter_context(self.ns.process(
                lib.hepcat(), "agent", "-i", "lo", "--to", f"tcp://127.0.0.1:{HEP}", "--spool", str(self.tmp / "spool"),
                "--account", "1s"))
            agent.wait_error_line("capturing")
            agent.wait_error_line("collector takes frames")
            self.calls(50, 100)
            lib.wait_for(lambda: self.count("method:INVITE", "-q") > 0, "the first calls")
            self.assertEqual(server.stop(), 0)
            away = time.monotonic()
            self.calls(100, 50)
            time.sleep(max(0.0, AWAY - (time.monotonic() - away)))
            agent.wait_error_line("collector cannot be reached")
            self.serve()
            self.calls(50, 100)
            # INVITE, 180, 200, ACK, BYE, 200 of each
            lib.wait_for(lambda: self.count("type:sip", "-q") >= 200 * 6, "all messages")
            self.assertEqual(agent.stop(), 0)
        self.assertEqual(self.count("type:sip", "-q"), 200 * 6)
        self.assertEqual(self.count("status:180", "-q"), 200)
        account = self.search("type:log", "--payload", "-q", "-n", "1000")
        self.assertIn("capture_account", account)
        self.assertIn("none dropped", account)


    def test_blind_capture(self) -> None:
        """A ring that is too small in the middle of a call: the diagnosis of the call says so."""
        self.serve()
        conf = self.file("a.yaml", "agent: {ring: 64KiB, account: 1s, name: edge}\n")
        agent = self.stack.enter_context(self.ns.process(
            lib.hepcat(), "agent", "--config", conf, "-i", "tap0", "--to", f"tcp://127.0.0.1:{HEP}"))
        agent.wait_error_line("capturing")
        self.ns.inject([packet(1, "INVITE")])
        lib.wait_for(lambda: self.count("callid:call-1@example.org", "-q") == 1, "the INVITE")
        os.kill(agent.proc.pid, signal.SIGSTOP)
        self.ns.inject([packet(n, "INVITE") for n in range(100, 2100)])
        os.kill(agent.proc.pid, signal.SIGCONT)
        agent.wait_error_line("the kernel dropped packets")
        lib.wait_for(lambda: "was blind" in self.search("type:log", "--payload", "-q"), "the account")
        self.ns.inject([packet(1, "BYE")])
        lib.wait_for(lambda: self.count("callid:call-1@example.org", "-q") == 2, "the BYE")
        done = subprocess.run(self.ns.argv(lib.hepcat(), "explain", "--server", f"http://127.0.0.1:{HTTP}",
                                           "call-1@example.org"), capture_output=True, text=True, timeout=lib.TIMEOUT,
                              check=False)
        self.assertRegex(done.stdout, r"The capture agent edge \(capture id 2001\) dropped \d+ of \d+ packets", done)
        self.assertEqual(agent.stop(), 0)

    def test_call_with_media(self) -> None:
        """A call of SIPp whose RTP goes through a forwarder that drops and swaps known packets: the server has the call,
        its reports, and in them these figures."""
        self.serve()
        agent = self.stack.enter_context(self.ns.process(
            lib.hepcat(), "agent", "-i", "lo", "--media", "rtp", "--to", f"tcp://127.0.0.1:{HEP}"))
        agent.wait_error_line("capturing")
        common = ("-i", "127.0.0.1", "-nostdin")
        with self.ns.process("sipp", "-sn", "uas", "-p", "5070", "-mp", "6200",
                             *common):
            lib.wait_for(lambda: "5070" in subprocess.run(self.ns.argv("ss", "-lun"), capture_output=True, text=True,
                                                          check=False).stdout, "the port of SIPp")
            with self.ns.process("sipp", "127.0.0.1:5070", "-sn", "uac", "-p", "5080", "-m", "1", "-d", "7000",
                                 "-mp", "6100", *common) as caller:
                lib.wait_for(lambda: self.count("method:ACK", "-q") == 1, "the answer")
                ports = [int(p) for p in re.findall(r"m=audio (\d+)", self.search("method:INVITE", "--payload", "-q"))]
                self.ns.run(sys.executable, "-c", FORWARDER, str(ports[1]))
                self.assertEqual(caller.wait(), 0)
            lib.wait_for(lambda: self.count("type:34", "-q") >= 1, "the report")
            self.assertEqual(agent.stop(), 0)
        rows = [json.loads(line) for line in self.search("type:34", "--payload", "-f", "json", "-q").splitlines()]
        reports = [r if isinstance(r, dict) else json.loads(r) for r in (row["payload"] for row in rows)]
        final = [r for r in reports if r["TYPE"] == "HANGUP" and r["DST_PORT"] == ports[1]]
        self.assertEqual(len(final), 1, reports)
        call_id = re.search(r"Call-ID: ([^\\\s]+)", self.search("method:INVITE", "--payload", "-q")).group(1)
        self.assertEqual(final[0]["CORRELATION_ID"], call_id)
        self.assertEqual((final[0]["TOTAL_PK"], final[0]["EXPECTED_PK"], final[0]["PACKET_LOSS"], final[0]["OUT_ORDER"]),
                         (285, 299, 14, 10))  # the last one that is dropped nobody can miss
        # G.107 with the presets (R = 93.2) and G.113's row of PCMU (Ie 0, Bpl 25.1), no delay known.
        lost, unheard = 14 / 299 * 100, (14 + final[0]["DISCARDED"]) / 299 * 100  # a busy machine is late now and then
        impairment = 95 * unheard / (unheard / final[0]["BURST_RATIO"] + 25.1)
        r = 93.2 - impairment
        mos = 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6
        for key, value, near in (("LOSS_PCT", lost, 1e-3), ("PLAY_LOSS_PCT", unheard, 1e-3), ("IE_EFF", impairment, 0.02),
                                 ("RFACTOR", r, 0.03), ("MOS", mos, 2e-3)):
            self.assertAlmostEqual(final[0][key], value, delta=near, msg=f"{key}: {final[0]}")
        self.assertGreater(final[0]["MAX_JITTER"], 0)
        calls = subprocess.run(self.ns.argv(lib.hepcat(), "calls", "--server", f"http://127.0.0.1:{HTTP}", "-f", "json"),
                               capture_output=True, text=True, timeout=lib.TIMEOUT, check=False)
        call = next(row for row in map(json.loads, calls.stdout.splitlines()) if row["call_id"] == call_id)
        for key, value, near in (("callee_mos", mos, 0.02), ("callee_loss", lost, 0.006), ("mos", mos, 0.02), ("loss", lost, 0.006)):
            self.assertAlmostEqual(call[key], value, delta=near, msg=f"{key}: {final[0]}")
        self.assertEqual((call["state"], call["reports"], call["callee_jitter_ms"] > 0), ("completed", 2, True), call)
        self.assertIn("packet-loss", call["call_flags"])
        self.assertEqual("one-way-audio" in call["call_flags"], final[0]["ONE_WAY_RTP"] == 1)  # told after five seconds of it


if __name__ == "__main__":
    lib.main()
