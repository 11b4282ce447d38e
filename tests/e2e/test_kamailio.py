"""Kamailio 5.6 takes hepcat's frames (sipcapture) and hepcat takes Kamailio's (siptrace), HEP versions 1, 2 and 3."""

import os
import re
import socket
import time

import lib

# What both configurations need to run as an ordinary user, on loopback, without a database server.
COMMON = """#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=1
disable_tcp=yes
auto_aliases=no
dns=no
rev_dns=no
listen=udp:{host}:{port}
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "textops.so"
"""

# With nonsip_hook 0 Kamailio unwraps the message and runs the routes as if it had come from the original sender; it has
# no variable for the original destination then. With 1 the event route sees the chunks of version 3 frames.
CAPTURE = COMMON + """
loadmodule "db_text.so"
loadmodule "sipcapture.so"
modparam("sipcapture", "db_url", "text://{tmp}/db")
modparam("sipcapture", "capture_on", 1)
modparam("sipcapture", "hep_capture_on", 1)
modparam("sipcapture", "nonsip_hook", {hook})
request_route {{
  xlog("L_ALERT", "E2E request $rm $si $sp $proto $ci $ml\\n");
  drop;
}}
onreply_route {{
  xlog("L_ALERT", "E2E reply $rs $si $sp $proto $ci $ml\\n");
  drop;
}}
event_route[sipcapture:request] {{
  xlog("L_ALERT", "E2E chunks v=$hep(version) family=$hep(0x001) protocol=$hep(0x002) src4=$hep(0x003) dst4=$hep(0x004) src6=$hep(0x005) dst6=$hep(0x006) sport=$hep(0x007) dport=$hep(0x008) s=$hep(0x009) us=$hep(0x00a) type=$hep(0x00b) id=$hep(0x00c) key=$hep(0x00e) cid=$hep(0x011) payload=$hep(0x00f)\\n");
  return 0;
}}
"""

TRACE = COMMON + """
loadmodule "sl.so"
loadmodule "siptrace.so"
modparam("siptrace", "trace_on", 1)
modparam("siptrace", "trace_to_database", 0)
modparam("siptrace", "trace_mode", 1)
modparam("siptrace", "hep_mode_on", 1)
modparam("siptrace", "hep_version", {version})
modparam("siptrace", "hep_capture_id", 4711)
modparam("siptrace", "auth_key", "k3y")
modparam("siptrace", "duplicate_uri", "sip:{collector_host}:{collector}")
request_route {{
  if ($rm == "MESSAGE") hlog("$ci", "a log line");
  sl_send_reply("200", "OK");
  exit;
}}
"""


class Kamailio(lib.Process):
    """Runs until the end of the with block; ready when its port is bound."""

    def __init__(self, tmp, config: str, **values):
        self.port = lib.free_port(host=values.get("host", "127.0.0.1").strip("[]"))
        values.setdefault("host", "127.0.0.1")
        (tmp / "db").mkdir(exist_ok=True)
        (tmp / "db" / "version").write_text("table_name(str) table_version(int)\nsip_capture:1\n")
        path = tmp / "kamailio.cfg"
        path.write_text(config.format(port=self.port, tmp=tmp, **values))
        super().__init__("kamailio", "-f", str(path), "-DD", "-E", "-w", str(tmp), "-Y", str(tmp), "-m", "32",
                         "-M", "8", cwd=tmp, env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        try:
            lib.wait_for(lambda: lib.udp_bound(self.port) or self.proc.poll() is not None, "Kamailio's port")
            if self.proc.poll() is not None:
                raise AssertionError(f"Kamailio ended:\n{self.err}")
        except BaseException:
            super().__exit__()
            raise

    def __exit__(self, *exc) -> None:
        if self.proc.poll() is None:
            self.proc.terminate()  # the main process takes its children along
            try:
                self.proc.wait(3)
            except Exception:
                pass
        super().__exit__(*exc)


def fields(line: str) -> dict:
    return dict(re.findall(r"(\w+)=(.*?)(?= \w+=|$)", line))


class Capture(lib.Case):
    """hepcat encode -> Kamailio sipcapture."""

    def setUp(self) -> None:
        lib.need("kamailio")
        super().setUp()

    def test_unwrapped_sip_of_all_versions(self) -> None:
        kam = self.stack.enter_context(Kamailio(self.tmp, CAPTURE, hook=0))
        cases = []
        for version in (1, 2, 3):
            v6 = {"protocolFamily": 10, "srcIp": f"2001:db8::{version}", "dstIp": "2001:db8::ff"}
            cases += [(version, lib.message(version, srcIp=f"10.9.8.{version}", srcPort=5000 + version)),
                      (version, lib.message(version + 10, **v6))]
        for version, message in cases:
            with self.subTest(version=version, src=message["rcinfo"]["srcIp"]):
                info = message["rcinfo"]
                number = message["payload"].split("Call-ID: ")[1].split("\r\n")[0]
                done = lib.run("encode", "--hep-version", str(version), "--to", f"udp://127.0.0.1:{kam.port}",
                               stdin=lib.jsonl([message]))
                self.assertEqual(done.code, 0, done)
                line = kam.wait_error_line(f" {number} ")
                got = line.split("E2E ")[1].split()
                self.assertEqual(got[:3], ["request", "OPTIONS", info["srcIp"]], line)
                self.assertEqual(got[3], str(info["srcPort"]))
                self.assertEqual(got[4:], ["udp", number, str(len(message["payload"]))])

    def test_reply(self) -> None:
        kam = self.stack.enter_context(Kamailio(self.tmp, CAPTURE, hook=0))
        reply = lib.sip(5).replace("OPTIONS sip:bob@example.org SIP/2.0", "SIP/2.0 486 Busy Here", 1)
        lib.run("encode", "--to", f"udp://127.0.0.1:{kam.port}", stdin=lib.jsonl([lib.message(5, payload=reply)]))
        line = kam.wait_error_line("E2E reply ")
        self.assertIn("reply 486 10.0.0.1 5060 udp call-5@example.org", line)

    def test_chunks(self) -> None:
        kam = self.stack.enter_context(Kamailio(self.tmp, CAPTURE, hook=1))
        messages = [
            lib.message(1, capturePass="s3cret"),
            lib.message(2, protocol=6, protocolFamily=10, srcIp="2001:db8::1", dstIp="2001:db8::2"),
            lib.message(3, payloadType=100, correlation_id="c-3@example.org", payload="a log line"),
            lib.message(4, payloadType=5, correlation_id="c-4@example.org", payload='{"ssrc":1}'),
        ]
        done = lib.run("encode", "--to", f"udp://127.0.0.1:{kam.port}", stdin=lib.jsonl(messages))
        self.assertEqual(done.code, 0, done)
        for message in messages:
            info = message["rcinfo"]
            got = fields(kam.wait_error_line(f"us={info['timeUseconds']} ").split("E2E chunks ")[1])
            v6 = ":" in info["srcIp"]
            want = {
                "v": "3", "family": str(info["protocolFamily"]), "protocol": str(info["protocol"]),
                "src4": "" if v6 else info["srcIp"], "dst4": "" if v6 else info["dstIp"],
                "src6": info["srcIp"] if v6 else "", "dst6": info["dstIp"] if v6 else "",
                "sport": str(info["srcPort"]), "dport": str(info["dstPort"]), "s": str(info["timeSeconds"]),
                "us": str(info["timeUseconds"]), "type": str(info["payloadType"]), "id": str(info["captureId"]),
                "cid": info.get("correlation_id", ""), "key": info.get("capturePass", ""),
                "payload": message["payload"].split("\r\n")[0],  # the rest is on the next lines of the log
            }
            self.assertEqual({k: v.replace("<null>", "").rstrip("\r") for k, v in got.items() if k in want}, want)


class Trace(lib.Case):
    """Kamailio siptrace -> hepcat decode."""

    def setUp(self) -> None:
        lib.need("kamailio")
        super().setUp()

    def ask(self, kam: Kamailio, method: str, host: str = "127.0.0.1") -> tuple[str, str, int]:
        """Sends a SIP request and waits for the answer: both texts and our port."""
        with lib.udp_socket(host) as s:
            port = s.getsockname()[1]
            shown = f"[{host}]" if ":" in host else host
            request = lib.sip(77, method, "hi" if method == "MESSAGE" else "")
            request = request.replace("10.0.0.1:5060", f"{shown}:{port}")
            s.sendto(request.encode(), (host, kam.port))
            return request, s.recv(65535).decode(), port

    def check(self, version: int, host: str = "127.0.0.1") -> None:
        before = int(time.time()) - 1
        shown = f"[{host}]" if ":" in host else host
        collector = self.listen("--udp", f"{shown}:0", "--meta")
        kam = self.stack.enter_context(Kamailio(self.tmp, TRACE, host=shown, version=version, collector_host=shown,
                                                collector=collector.port))
        request, answer, port = self.ask(kam, "OPTIONS", host)
        for message, payload, ends in zip(collector.take(2), (request, answer), ((port, kam.port), (kam.port, port))):
            info = message["rcinfo"]
            self.assertEqual(message["payload"], payload)
            self.assertEqual((info["srcIp"], info["dstIp"]), (host, host))
            self.assertEqual((info["srcPort"], info["dstPort"]), ends)
            self.assertEqual(info["protocolFamily"], 10 if ":" in host else 2)
            self.assertEqual((info["protocol"], info["payloadType"]), (17, 1))
            self.assertEqual(message["meta"]["version"], version)
            self.assertEqual(message["meta"]["transport"], "udp")
            self.assertNotIn("quirks", message["meta"])
            if version > 1:
                self.assertEqual(info["captureId"], 4711)
                self.assertTrue(before <= info["timeSeconds"] <= time.time() + 1, info)
                self.assertTrue(0 <= info["timeUseconds"] < 1000000)
            else:
                self.assertNotIn("timeSeconds", info)
            self.assertEqual(info.get("capturePass"), "k3y" if version == 3 else None)

    def test_version_1(self) -> None:
        self.check(1)

    def test_version_2(self) -> None:
        self.check(2)

    def test_version_3(self) -> None:
        self.check(3)

    def test_version_1_ip6(self) -> None:
        self.check(1, "::1")

    def test_version_2_ip6(self) -> None:
        self.check(2, "::1")

    def test_version_3_ip6(self) -> None:
        self.check(3, "::1")

    def test_log_line_and_bytes_again(self) -> None:
        """hlog() sends type 100 with destination port before source port; the frames come out again unchanged."""
        collector = self.listen("--udp", "127.0.0.1:0", "--auth-key", "k3y", "-n", "3")
        kam = self.stack.enter_context(Kamailio(self.tmp, TRACE, version=3, collector_host="127.0.0.1",
                                                collector=collector.port))
        request, answer, _ = self.ask(kam, "MESSAGE")
        self.assertEqual(collector.wait(), 0)
        lines = collector.rest()
        messages = [lib.json.loads(line) for line in lines]
        log = next(m for m in messages if m["rcinfo"]["payloadType"] == 100)
        self.assertEqual(log["payload"], "a log line")
        self.assertEqual(log["rcinfo"]["correlation_id"], "call-77@example.org")
        self.assertEqual([m["payload"] for m in messages if m is not log], [request, answer])
        self.assertIn("chunks", log, "an order other than hepcat's is kept")
        frames = lib.encode(b"".join(lines))
        self.assertEqual(lib.decode(frames), messages)
        self.assertLess(frames.index(bytes.fromhex("000000080008")), frames.index(bytes.fromhex("000000070008"), 300))


if __name__ == "__main__":
    lib.main()
