"""`hepcat serve` as its users meet it: every way in, found again byte by byte, restarts, bad input, faults."""

import base64
import os
import random
import signal
import socket
import subprocess
import time
import unittest

import lib
from serve_lib import Server, http, payload_of


class ServeCase(lib.Case):
    def serve(self, *args: str, **kwargs) -> Server:
        return self.stack.enter_context(Server(kwargs.pop("data", self.tmp / "data"), *args, **kwargs))


def now_message(number: int = 1, **rcinfo) -> dict:
    """With the time of now: capture times are believed near the time of receipt only."""
    t = time.time()
    return lib.message(number, timeSeconds=int(t), timeUseconds=int(t % 1 * 1000000), **rcinfo)


class WaysIn(ServeCase):
    def check(self, server: Server, transport: str, *args: str, **rcinfo) -> None:
        messages = [now_message(i, **rcinfo) for i in range(1, 41)]
        server.send(messages, transport, *args)
        server.wait_total(40)
        self.assertEqual(server.payloads(), [m["payload"].encode() for m in messages])
        rows = server.search("callid:call-7@example.org")["rows"]
        self.assertEqual(len(rows), 1)
        self.assertEqual((rows[0]["method"], rows[0]["from_user"], rows[0]["transport"]),
                         ("OPTIONS", "alice", transport))

    def test_udp(self) -> None:
        self.check(self.serve(), "udp")

    def test_tcp(self) -> None:
        self.check(self.serve(), "tcp")

    def test_ip6(self) -> None:
        server = self.serve(host="::1")
        self.check(server, "tcp", protocolFamily=10, srcIp="2001:db8::1", dstIp="2001:db8::2")
        self.assertEqual(server.total("src:2001:db8::/32"), 40)
        self.assertEqual(server.search(limit=1)["rows"][0]["sender"], "::1")

    def test_tls(self) -> None:
        lib.make_ca(self.tmp)
        lib.make_cert(self.tmp, "server")
        server = self.serve("--cert", str(self.tmp / "server.pem"), "--cert-key", str(self.tmp / "server.key"),
                            listen=("tls",))
        self.check(server, "tls", "--insecure")

    def test_http(self) -> None:
        self.check(self.serve(listen=("http",)), "http")

    def test_http_answers_when_durable(self) -> None:
        """What was answered with 200 survives a killed process, with the longest commit interval."""
        server = self.serve(listen=("http",), env={**os.environ, "HEPCAT_WAL_INTERVAL": "10s"})
        frames = lib.encode([now_message(i) for i in range(1, 11)])
        began = time.monotonic()
        for _ in range(5):
            answer = http(server.to("http"), "POST", frames)
            self.assertEqual((answer.status, answer.json["stored"]), (200, 10), answer)
        self.assertLess(time.monotonic() - began, 9, "the answer does not wait for the interval")
        server.kill()
        self.assertEqual(self.serve().total(), 50)

    def test_idempotency_key(self) -> None:
        server = self.serve(listen=("http",))
        frames = lib.encode([now_message(i) for i in range(1, 11)])
        first = http(server.to("http"), "POST", frames, {"Idempotency-Key": "k1"})
        second = http(server.to("http"), "POST", frames, {"Idempotency-Key": "k1"})
        self.assertEqual((first.status, second.status), (200, 200))
        self.assertEqual(first.json, second.json)
        http(server.to("http"), "POST", frames, {"Idempotency-Key": "k2"})
        server.wait_total(20)

    def test_versions(self) -> None:
        server = self.serve()
        for version in ("1", "2", "3"):
            server.send([now_message(int(version), captureId=int(version))], "udp", "--hep-version", version)
        server.wait_total(3)
        rows = server.search(order="oldest")["rows"]
        self.assertEqual(sorted(r["hep_version"] for r in rows), [1, 2, 3])
        self.assertEqual({r["hep_version"]: r.get("capture_id") for r in rows}, {1: None, 2: 2, 3: 3})

    def test_tables(self) -> None:
        server = self.serve()
        server.send([now_message(1), now_message(2, payloadType=5, payload='{"ssrc":1}', correlation_id="c@x"),
                     now_message(3, payloadType=100, payload="a log line", correlation_id="c@x"),
                     now_message(4, payloadType=53, payload="dns")])
        server.wait_total(4)
        self.assertEqual([server.total(f"type:{t}") for t in ("sip", "rtcp", "log", "dns")], [1, 1, 1, 1])
        self.assertEqual(server.payloads("type:log"), [b"a log line"])


class Keeping(ServeCase):
    def test_totals_stay_through_a_seal(self) -> None:
        server = self.serve("--config", self.file("c.yaml", "seal:\n  interval: 1s\n"))
        sent = 0
        for batch in range(6):
            server.send([now_message(sent + i) for i in range(200)])
            sent += 200
            server.wait_total(sent)
            time.sleep(0.3)
        server.wait_sealed()
        self.assertEqual(server.total(), sent)
        rows = server.search(payload=1)["rows"]
        self.assertEqual(len({r["seq"] for r in rows}), sent)

    def test_restart(self) -> None:
        server = self.serve()
        messages = [now_message(i) for i in range(1, 301)]
        server.send(messages)
        server.wait_total(300)
        self.assertEqual(server.stop(), 0, server.err)
        self.assertTrue(server.files())
        again = self.serve()
        self.assertEqual(again.payloads(), [m["payload"].encode() for m in messages])
        again.send([now_message(1000)])
        again.wait_total(301)
        seqs = [r["seq"] for r in again.search(order="oldest")["rows"]]
        self.assertEqual(len(set(seqs)), 301)

    def test_sigterm_takes_what_the_kernel_has(self) -> None:
        server = self.serve()
        server.send([now_message(i) for i in range(1, 2001)])
        self.assertEqual(server.stop(signal.SIGTERM), 0, server.err)
        self.assertEqual(self.serve().total(), 2000)

    def test_killed_then_started(self) -> None:
        server = self.serve()
        server.send([now_message(i) for i in range(1, 501)])
        server.wait_total(500)
        time.sleep(0.5)  # more than a commit interval
        server.kill()
        again = self.serve()
        self.assertEqual(again.total(), 500)
        self.assertIn("brought back from the write-ahead log", again.err)

    def test_second_server_is_refused(self) -> None:
        self.serve()
        second = self.serve(ready=False)
        self.assertEqual(second.wait(), 1)
        self.assertIn("cannot start", second.err)

    def test_port_in_use(self) -> None:
        first = self.serve()
        done = lib.run("serve", "--data", str(self.tmp / "other"), "--http", "127.0.0.1:0", "--listen",
                       first.to("udp"))
        self.assertEqual(done.code, 1)
        self.assertIn("in use", done.err)


class WhoMay(ServeCase):
    def sender(self, server: Server) -> dict:
        return server.get("/api/v1/senders").json["senders"][0]

    def test_keys(self) -> None:
        server = self.serve("--key", "right", "--key", "second")
        server.send([now_message(1), now_message(2, capturePass="wrong"), now_message(3, capturePass="right"),
                     now_message(4, capturePass="second")], "udp")
        server.wait_total(2)
        lib.wait_for(lambda: server.metric('hepcat_messages_dropped_total{reason="key_wrong"}') == 1, "the wrong key")
        self.assertEqual(server.metric('hepcat_messages_dropped_total{reason="key_missing"}'), 1)
        self.assertNotIn("open_port", server.reasons())

    def test_allow(self) -> None:
        server = self.serve("--allow", "192.0.2.0/24")
        server.send([now_message(1)], "udp")
        lib.wait_for(lambda: server.metric('hepcat_messages_dropped_total{reason="not_allowed"}') == 1, "the drop")
        self.assertEqual(server.total(), 0)

    def test_reload(self) -> None:
        path = self.file("c.yaml", "hep:\n  keys: [old]\n")
        server = self.serve("--config", path)
        server.send([now_message(1, capturePass="new")], "udp")
        lib.wait_for(lambda: server.metric('hepcat_messages_dropped_total{reason="key_wrong"}') == 1, "the wrong key")
        self.file("c.yaml", "hep:\n  keys: [new]\nseal:\n  interval: 77x\n")
        server.proc.send_signal(signal.SIGHUP)
        server.wait_error_line("not reloaded")
        self.file("c.yaml", "hep:\n  keys: [new]\n")
        server.proc.send_signal(signal.SIGHUP)
        server.wait_error_line("configuration reloaded")
        server.send([now_message(2, capturePass="new")], "udp")
        server.wait_total(1)

    def test_token(self) -> None:
        server = self.serve("--token", "t0ken")
        self.assertEqual(server.get("/api/v1/search").status, 401)
        self.assertEqual(server.get("/metrics").status, 401)
        self.assertEqual(server.get("/health").json.get("reasons"), None)
        self.assertEqual(server.get("/api/v1/search", _token="wrong").status, 401)
        self.assertEqual(server.get("/api/v1/search", _token="t0ken").status, 200)

    def test_only_loopback_without_token(self) -> None:
        done = lib.run("serve", "--data", str(self.tmp / "d"), "--http", "0.0.0.0:0", "--listen",
                       f"udp://127.0.0.1:{lib.free_port()}")
        self.assertNotEqual(done.code, 0)
        self.assertIn("token", done.err)

    def test_open_port_is_told(self) -> None:
        server = self.serve(host="0.0.0.0")
        self.assertIn("open_port", server.reasons())
        self.assertIn("anybody", server.err)

    def test_rate(self) -> None:
        server = self.serve("--config", self.file("c.yaml", "hep:\n  sender_rate: 100\n"))
        server.send([now_message(i) for i in range(1000)], "tcp")
        lib.wait_for(lambda: server.metric("hepcat_messages_received_total") == 1000, "all frames")
        stored = server.metric("hepcat_messages_stored_total")
        dropped = server.metric('hepcat_messages_dropped_total{reason="rate"}')
        self.assertEqual(stored + dropped, 1000)
        self.assertGreater(dropped, 0)
        self.assertEqual(server.total(), stored)


class BadInput(ServeCase):
    def test_garbage_everywhere(self) -> None:
        server = self.serve(listen=("udp", "tcp", "http"))
        rng = random.Random(1)
        with lib.udp_socket() as s:
            for _ in range(300):
                s.sendto(rng.randbytes(rng.randrange(1400)), ("127.0.0.1", server.ports["udp"]))
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", server.ports["tcp"])) as s:
                s.sendall(rng.randbytes(2000))
        for _ in range(20):
            self.assertEqual(http(server.to("http"), "POST", rng.randbytes(500)).status, 400)
        server.send([now_message(i) for i in range(1, 11)])
        server.wait_total(10)
        drops = sum(float(line.split()[-1]) for line in server.get("/metrics").body.decode().splitlines()
                    if line.startswith("hepcat_messages_dropped_total{"))
        self.assertGreaterEqual(drops, 300)
        self.assertEqual(server.metric("hepcat_messages_received_total"),
                         drops + server.metric("hepcat_messages_stored_total") +
                         server.metric("hepcat_messages_keepalives_total"))

    def test_half_a_frame_and_silence(self) -> None:
        server = self.serve()
        frame = lib.encode([now_message(1)])
        with socket.create_connection(("127.0.0.1", server.ports["tcp"])) as s:
            s.sendall(frame[:50])
            server.send([now_message(2)])
            server.wait_total(1)
            s.sendall(frame[50:])
            server.wait_total(2)

    def test_large_posts(self) -> None:
        server = self.serve(listen=("http", "tcp"))
        with socket.create_connection(("127.0.0.1", server.ports["http"])) as s:
            s.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 65536)
            self.assertIn(b" 413 ", s.recv(1000))
        server.send([now_message(1)])
        server.wait_total(1)

    def test_clocks(self) -> None:
        """Times of 1970 and 2106 are not believed; the message is found by when it came."""
        server = self.serve()
        server.send([lib.message(1, timeSeconds=5), lib.message(2, timeSeconds=4294967295), now_message(3)])
        server.wait_total(3)
        recent = server.search(**{"from": "-5m"})["rows"]
        self.assertEqual(len(recent), 3)
        flags = {r["call_id"]: r.get("flags", []) for r in recent}
        self.assertIn("clock", flags["call-1@example.org"])
        self.assertIn("clock", flags["call-2@example.org"])
        self.assertEqual(flags["call-3@example.org"], [])

    def test_not_utf8(self) -> None:
        server = self.serve("--config", self.file("c.yaml", "seal:\n  interval: 1s\n"))
        bad = b"OPTIONS sip:b@x SIP/2.0\r\nFrom: \"\xff\xfe\" <sip:\xe9ric@x>;tag=1\r\nTo: <sip:b@x>\r\n" \
              b"Call-ID: \xff\xc3@x\r\nCSeq: 1 OPTIONS\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\nUser-Agent: \xf0\x9f\r\n\r\n"
        message = {**now_message(1), "payload": base64.b64encode(bad).decode(), "payloadEncoding": "base64"}
        server.send([message, now_message(2)])
        server.wait_total(2)
        server.wait_sealed()
        lib.wait_for(lambda: server.metric("hepcat_store_hot_rows") == 0, "the seal")
        self.assertEqual(server.total(), 2)
        self.assertEqual(server.total("from:*ric"), 1)
        rows = server.search("from:*ric", payload=1)["rows"]
        self.assertEqual(payload_of(rows[0]), bad)

    def test_malformed_is_found(self) -> None:
        server = self.serve()
        server.send([now_message(1, payload="INVITE sip:x SIP/2.0\r\nFrom: nonsense\r\n\r\n")])
        server.wait_total(1)
        self.assertIn("no_call_id", server.search()["rows"][0]["parse_error"])
        self.assertEqual(server.total("error:*no_call_id*"), 1)

    def test_many_senders(self) -> None:
        server = self.serve("--config", self.file("c.yaml", "hep:\n  senders_max: 100\n"))
        frame = lib.encode([now_message(1)])
        for i in range(2000):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.bind((f"127.0.{i // 250 + 1}.{i % 250 + 1}", 0))
                s.sendto(frame, ("127.0.0.1", server.ports["udp"]))
        server.wait_total(2000)
        self.assertEqual(server.metric("hepcat_messages_stored_total"), 2000)
        self.assertLess(len(server.get("/api/v1/senders", limit=4000).json["senders"]), 1000)
        self.assertGreater(server.metric("hepcat_senders_forgotten_total"), 0)

    def test_bad_queries(self) -> None:
        server = self.serve()
        for params in ({"q": "form:x"}, {"q": "from:"}, {"limit": "-1"}, {"from": "yesterdayish"}, {"after": "zz"},
                       {"nonsense": "1"}):
            answer = server.get("/api/v1/search", **params)
            self.assertEqual(answer.status, 400, (params, answer))
            self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        self.assertEqual(server.get("/nowhere").status, 404)


class Faults(ServeCase):
    def sealed(self, *args: str, count: int = 500) -> Server:
        server = self.serve("--config", self.file("c.yaml", "seal:\n  interval: 1s\n"), *args)
        server.send([now_message(i) for i in range(count)])
        server.wait_total(count)
        lib.wait_for(lambda: server.metric("hepcat_store_hot_rows") == 0, "the seal")
        return server

    def check_damage(self, damage) -> None:
        server = self.sealed()
        self.assertEqual(server.stop(), 0)
        paths = server.files()  # more than one if the machine is slow
        for path in paths:
            data = bytearray(path.read_bytes())
            damage(data)
            path.write_bytes(data)
        again = self.serve()
        again.send([now_message(9000)])
        # Until it is set aside every answer says that it is not whole, and has what there is.
        result = lib.wait_for(lambda: (r := again.search("", payload=1, total=1)) and r["rows"] and r, "the message")
        self.assertEqual(len(result["rows"]), 1)
        self.assertTrue(not result["problem"] or any(path.name in result["problem"] for path in paths), result)
        lib.wait_for(lambda: "files_set_aside" in again.reasons(), "the file being set aside")
        lib.wait_for(lambda: len(list((again.data / "lake").rglob("*.damaged"))) == len(paths), "all of them")
        self.assertEqual(again.total(), 1)

    def test_damaged_file(self) -> None:
        def flip(data: bytearray) -> None:
            for at in range(4, len(data) - 8, 37):
                data[at] ^= 0x55

        self.check_damage(flip)

    def test_overwritten_file(self) -> None:
        def overwrite(data: bytearray) -> None:
            data[:] = b"x" * len(data)

        self.check_damage(overwrite)

    def test_foreign_file_in_the_lake(self) -> None:
        server = self.sealed()
        (server.files()[0].parent / "notes.parquet").write_text("not ours")
        server.stop()
        again = self.serve()
        self.assertEqual(again.total(), 500)

    def test_disk_full(self) -> None:
        """A file system of its own: ingest goes on from memory, says so, and recovers by itself."""
        mount = self.tmp / "small"
        mount.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", str(mount)], check=False)
        if done.returncode != 0:
            raise unittest.SkipTest("mounting is not allowed here")
        self.addCleanup(subprocess.run, ["umount", "-l", str(mount)], check=False)
        server = self.serve("--config", self.file("c.yaml", "seal:\n  interval: 1s\nretention:\n  disk: 100%\n"),
                            data=mount / "data")
        rng = random.Random(3)
        trouble = {"disk_full", "seal_failing", "log_failing"}
        sent = 0

        def send(n: int) -> None:
            """Messages that no compression makes smaller; 100 take 6 MB in the log and 3 in a file."""
            nonlocal sent
            server.send([now_message(sent + i, payload=lib.sip(sent + i, "MESSAGE", rng.randbytes(30000).hex()))
                         for i in range(n)])
            sent += n

        send(10)
        server.wait_total(10)
        ballast = mount / "ballast"
        free = os.statvfs(mount).f_bavail * os.statvfs(mount).f_frsize
        with open(ballast, "wb") as f:
            os.posix_fallocate(f.fileno(), 0, max(free - 4096, 4096))
        for _ in range(60):
            if server.reasons() & trouble:
                break
            send(100)
        else:
            self.fail(f"a full disk is not told: {server.health()}")
        self.assertEqual(server.get("/health").status, 503)
        # What memory has no room for waits in the sender's connection; the rest can be found.
        self.assertGreater(server.total(), 0)
        ballast.unlink()
        subprocess.run(["mount", "-o", "remount,size=400m", str(mount)], check=True)
        lib.wait_for(lambda: not server.reasons() & trouble, "the recovery", timeout=60)
        send(10)
        server.wait_total(sent, timeout=60)
        self.assertEqual(server.stop(), 0, server.err)
        self.assertEqual(self.serve(data=mount / "data").total(), sent)


class Answers(ServeCase):
    def test_search_command(self) -> None:
        server = self.serve()
        server.send([now_message(i, payload=lib.sip(i, "INVITE" if i % 2 else "OPTIONS")) for i in range(1, 31)])
        server.wait_total(30)
        done = lib.run("search", "method:INVITE", "--server", server.url, "--format", "json", "--limit", "5")
        self.assertEqual(done.code, 0, done)
        self.assertEqual(len(done.messages), 5)
        self.assertEqual({m["method"] for m in done.messages}, {"INVITE"})
        self.assertEqual([m["call_id"] for m in done.messages], [f"call-{i}@example.org" for i in (21, 23, 25, 27, 29)])
        self.assertEqual(lib.run("search", "--server", server.url, "--count").out.strip(), b"30")
        table = lib.run("search", "callid:call-3@example.org", "--server", server.url, "--format", "table")
        self.assertIn(b"INVITE", table.out)
        csv = lib.run("search", "--server", server.url, "--format", "csv")
        self.assertEqual(len(csv.out.splitlines()), 31)
        bad = lib.run("search", "form:x", "--server", server.url)
        self.assertEqual(bad.code, 2)
        self.assertIn("from", bad.err)

    def test_flow_command(self) -> None:
        server = self.serve()
        for i, first in enumerate(("INVITE sip:b@x SIP/2.0", "SIP/2.0 180 Ringing", "SIP/2.0 200 OK")):
            text = lib.sip(1, "INVITE").split("\r\n", 1)[1]
            ends = {} if i == 0 else {"srcIp": "10.0.0.2", "dstIp": "10.0.0.1", "srcPort": 5061, "dstPort": 5060}
            server.send([now_message(1, payload=f"{first}\r\n{text}", **ends)])
        server.wait_total(3)
        done = lib.run("flow", "call-1@example.org", "--server", server.url)
        self.assertEqual(done.code, 0, done)
        text = done.out.decode()
        for word in ("10.0.0.1", ":5060", "10.0.0.2", ":5061", "INVITE", "180 Ringing", "200 OK"):
            self.assertIn(word, text)

    def test_lake_without_a_server(self) -> None:
        server = self.serve()
        server.send([now_message(i) for i in range(100)])
        server.wait_total(100)
        server.stop()
        done = lib.run("search", "--data", str(server.data), "--count")
        self.assertEqual((done.code, done.out.strip()), (0, b"100"), done)

    def test_findable_within_a_second(self) -> None:
        server = self.serve()
        server.send([now_message(1)], "udp")
        began = time.monotonic()
        server.wait_total(1)
        self.assertLess(time.monotonic() - began, 1)


if __name__ == "__main__":
    lib.main()
