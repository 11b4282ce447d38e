"""hepcat demo: its frames, its pcap and its listeners, read by hepcat's other commands and by tshark."""

import collections
import re
import signal
import subprocess
import time

import lib

FAST = ["demo", "--fast", "--quiet"]


def demo(*args: str) -> bytes:
    result = lib.run(*FAST, *args)
    if result.code != 0 or result.err:
        raise AssertionError(f"demo failed: {result}")
    return result.out


def info(m: dict, key: str):
    return m["rcinfo"].get(key)


def key_of(m: dict) -> tuple:
    """What a message is, whichever way it was taken."""
    return (info(m, "srcIp"), info(m, "srcPort"), info(m, "dstIp"), info(m, "dstPort"), info(m, "protocol"),
            info(m, "timeSeconds"), info(m, "timeUseconds"), m["payload"])


def call_ids(messages: list[dict]) -> set[str]:
    """Without those that a B2BUA made."""
    found = {found.group(1) for m in messages if (found := re.search(r"\r\nCall-ID: (\S+)", str(m["payload"])))}
    return {c for c in found if not re.match("[0-9a-f]{8}-[0-9a-f]{8}-", c)}


class Demo(lib.Case):
    def test_frames(self) -> None:
        messages = lib.decode(demo("--count", "50", "--raw"))
        self.assertGreater(len(messages), 50 * 5)
        times = [(info(m, "timeSeconds"), info(m, "timeUseconds")) for m in messages]
        self.assertEqual(times, sorted(times))
        self.assertEqual(times[0][0] // 86400, 1736150400 // 86400)
        kinds = collections.Counter(info(m, "payloadType") for m in messages)
        self.assertEqual(set(kinds), {1, 5, 100})
        self.assertEqual({(info(m, "hepNodeName"), info(m, "captureId")) for m in messages}, {("proxy1", 2001)})
        self.assertIn(len(call_ids(messages)), (49, 50))  # a malformed one may have lost its Call-ID

    def test_seed(self) -> None:
        one = demo("--count", "30", "--raw")
        self.assertEqual(one, demo("--count", "30", "--raw", "--seed", "1"))
        self.assertNotEqual(one, demo("--count", "30", "--raw", "--seed", "2"))

    def test_every_message_has_the_overrides(self) -> None:
        messages = lib.decode(demo("--count", "5", "--raw", "--auth-key", "s3cret", "--node", "here", "--id", "7",
                                   "--start", "1700000000"))
        self.assertEqual({(info(m, "capturePass"), info(m, "hepNodeName"), info(m, "captureId")) for m in messages},
                         {("s3cret", "here", 7)})
        self.assertEqual(info(messages[0], "timeSeconds"), 1700000000)

    def test_mix(self) -> None:
        busy = lib.decode(demo("--count", "10", "--raw", "--mix", "busy"))
        self.assertEqual(sum(m["payload"].startswith("SIP/2.0 486 ") for m in busy), 20)
        clean = lib.decode(demo("--count", "300", "--raw", "--mix", "all,-malformed"))
        self.assertEqual(len(call_ids(clean)), 300)

    def test_pcap_by_encode(self) -> None:
        """The pcap holds what the frames hold; RTCP in binary, which encode makes the same JSON of."""
        args = ["--count", "50", "--mix", "all,-malformed"]
        path = str(self.tmp / "calls.pcap")
        demo(*args, "--pcap", path)
        sent = [m for m in lib.decode(demo(*args, "--raw")) if info(m, "payloadType") != 100]
        done = lib.run("encode", path)
        self.assertEqual((done.code, done.err), (0, ""), done)
        read = lib.decode(done.out)
        self.assertEqual(len(read), len(sent))
        self.assertEqual(sorted(map(repr, map(key_of, read))), sorted(map(repr, map(key_of, sent))))
        # The SDP of the call names the address of each report.
        for m in read:
            if info(m, "payloadType") == 5:
                self.assertIn(info(m, "correlation_id") or info(m, "correlationId"), call_ids(sent))

    def test_pcap_by_tshark(self) -> None:
        lib.need("tshark")
        path = str(self.tmp / "calls.pcap")
        args = ["--count", "50", "--mix", "all,-malformed"]
        demo(*args, "--pcap", path)
        sip = [m for m in lib.decode(demo(*args, "--raw")) if info(m, "payloadType") == 1]
        done = subprocess.run(["tshark", "-r", path, "-d", "tcp.port==5060,sip", "-Y", "sip", "-T", "fields",
                               "-e", "sip.Call-ID", "-e", "sip.CSeq", "-e", "sip.Status-Code", "-e", "_ws.malformed"],
                              capture_output=True, text=True, timeout=lib.TIMEOUT, check=True)
        rows = [line.split("\t") for line in done.stdout.splitlines()]
        want = collections.Counter()
        for m in sip:
            text = m["payload"]
            status = re.match(r"SIP/2.0 (\d+)", text)
            want[(re.search(r"\r\nCall-ID: (\S+)", text)[1], re.search(r"\r\nCSeq: (.*)\r", text)[1],
                  status[1] if status else "", "")] += 1
        self.assertEqual(collections.Counter(map(tuple, rows)), want)
        done = subprocess.run(["tshark", "-r", path, "-Y", "_ws.expert.severity >= error || udp.checksum.status == 0"],
                              capture_output=True, text=True, timeout=lib.TIMEOUT, check=True)
        self.assertEqual(done.stdout, "")

    def test_pcap_on_standard_output(self) -> None:
        path = str(self.tmp / "calls.pcap")
        demo("--count", "5", "--pcap", path)
        with open(path, "rb") as file:
            self.assertEqual(demo("--count", "5", "--pcap", "-"), file.read())

    def test_to_listener(self) -> None:
        """Everything arrives, as it would in a file."""
        for kind in ("udp", "tcp"):
            with self.subTest(kind):
                want = lib.decode(demo("--count", "30", "--raw"))
                collector = self.listen(f"--{kind}", "127.0.0.1:0")
                done = lib.run("demo", "--fast", "--count", "30", "--to", f"{kind}://127.0.0.1:{collector.port}")
                self.assertEqual(done.code, 0, done)
                self.assertIn(f"30 calls, {len(want)} messages", done.err)
                self.assertIn(f"{len(want)} sent", done.err)
                self.assertEqual(collector.take(len(want)), want)
                self.assertEqual(collector.stop(), 0)
                self.assertEqual(collector.rest(), [])

    def test_real_time(self) -> None:
        """Paced: capture times are those of the clock, and the run ends at its time."""
        collector = self.listen("--udp", "127.0.0.1:0")
        before = time.time()
        done = lib.run("demo", "--rate", "50", "--duration", "2", "--to", f"udp://127.0.0.1:{collector.port}")
        after = time.time()
        self.assertEqual(done.code, 0, done)
        self.assertGreater(after - before, 1.0)
        count = int(re.search(r"(\d+) messages", done.err)[1])
        times = [info(m, "timeSeconds") + info(m, "timeUseconds") / 1e6 for m in collector.take(count)]
        self.assertEqual(times, sorted(times))
        self.assertGreaterEqual(times[0], before - 0.01)
        self.assertLessEqual(times[-1], after + 0.01)
        self.assertGreater(times[-1] - times[0], 1.0)
        collector.stop()

    def test_real_time_is_another_run_each_time(self) -> None:
        runs = [lib.decode(lib.run("demo", "--raw", "--count", "3", "--mix", "options", "--rate", "100").out)
                for _ in range(2)]
        self.assertEqual(call_ids(runs[0]) & call_ids(runs[1]), set())

    def test_ends_by_signal(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            collector = self.listen("--udp", "127.0.0.1:0")
            with lib.Process(lib.hepcat(), "demo", "--rate", "50", "--to", f"udp://127.0.0.1:{collector.port}") as p:
                collector.take(5)
                self.assertEqual(p.stop(number), 0)
                self.assertIn("messages, at most", p.err)
            collector.stop()

    def test_reader_that_goes_away(self) -> None:
        """`demo --fast --raw | head` ends."""
        with subprocess.Popen([lib.hepcat(), "demo", "--fast", "--raw", "-q"], stdout=subprocess.PIPE) as p:
            p.stdout.read(100000)
            p.stdout.close()
            self.assertEqual(p.wait(lib.TIMEOUT), 0)

    def test_list(self) -> None:
        done = lib.run("demo", "--list")
        names = [line.split()[0] for line in done.out.decode().splitlines()]
        self.assertEqual(done.code, 0)
        self.assertIn("answered", names)
        for name in names:
            self.assertGreaterEqual(len(lib.decode(demo("--count", "1", "--raw", "--mix", name))), 2)

    def test_wrong_usage(self) -> None:
        for args, text in [
            (["--mix", "nobody"], "there is no scenario 'nobody'"),
            (["--raw", "--to", "udp://127.0.0.1:9"], "--raw"),
            (["--pcap", "x.pcap"], "--count or --duration"),
            (["--raw", "--pcap", "-", "--count", "1"], "standard output"),
            (["--rate", "0"], "at least 1"),
            (["--start", "1"], "--start is for simulated time"),
            (["--fast", "--raw", "--start", "yesterday"], "neither 'now'"),
            (["--to", "nonsense://x"], "a URL must begin with"),
            (["file"], "'file'"),
        ]:
            with self.subTest(args):
                done = lib.run("demo", *args)
                self.assertEqual(done.code, 2, done)
                self.assertIn(text, done.err)
                self.assertEqual(done.out, b"")

    def test_pcap_that_cannot_be_written(self) -> None:
        for path in ("/nonexistent/x.pcap", "/dev/full"):
            done = lib.run("demo", "--count", "200", "--pcap", path)
            self.assertEqual(done.code, 1, done)
            self.assertIn(path, done.err)


if __name__ == "__main__":
    lib.main()
