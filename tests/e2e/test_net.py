"""`hepcat encode --to` into `hepcat decode` listeners: UDP, TCP, TLS, HTTP, HTTPS, certificates, breaks, absences."""

import base64
import gzip
import http.client
import json
import re
import signal
import socket
import threading
from pathlib import Path

import lib
from lib import message, run

COUNT = 1000


def url(kind: str, host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{kind}://{shown}:{port}" + ("/hep" if kind.startswith("http") else "")


def sums(err: str) -> dict:
    """The figures of encode's last line."""
    found = re.search(r"(\d+) sent \((\d+) octets\), (\d+) failed, (\d+) retries", err)
    assert found, err
    return dict(zip(("sent", "octets", "failed", "retries"), map(int, found.groups())))


class Net(lib.Case):
    @classmethod
    def setUpClass(cls) -> None:
        lib.need("certtool")
        cls.certs = lib.tempfile.TemporaryDirectory(prefix="hepcat-e2e-certs-")
        tmp = Path(cls.certs.name)
        cls.ca = lib.make_ca(tmp)
        cls.cert, cls.key = lib.make_cert(tmp, "server")
        cls.client_ca = lib.make_ca(tmp, "clientca")
        cls.client_cert, cls.client_key = lib.make_cert(tmp, "client", "clientca")
        cls.other_cert, cls.other_key = lib.make_cert(tmp, "other", names=("other.example.org",), ips=())

    @classmethod
    def tearDownClass(cls) -> None:
        cls.certs.cleanup()

    def collector(self, kind: str, host: str = "127.0.0.1", *args: str) -> lib.Listener:
        shown = f"[{host}]" if ":" in host else host
        tls = ["--cert", self.cert, "--cert-key", self.key] if kind in ("tls", "https") else []
        return self.listen(f"--{kind}", f"{shown}:0", *tls, *args)

    def trust(self, kind: str) -> list[str]:
        return ["--ca", self.ca] if kind in ("tls", "https") else []


class Transports(Net):
    def check(self, kind: str, host: str, *args: str, listen: tuple = ()) -> None:
        messages = [message(i, capturePass="k") for i in range(COUNT)]
        collector = self.collector(kind, host, *listen)
        # UDP has no brakes: a pace at which a receiver may be late by a tenth of a second and lose nothing.
        pace = ["--rate", "1000"] if kind == "udp" else []
        result = run("encode", "--to", url(kind, host, collector.port), *self.trust(kind), *pace, *args,
                     stdin=lib.jsonl(messages))
        self.assertEqual(result.code, 0, result)
        frames = lib.encode(messages)
        self.assertEqual(sums(result.err), {"sent": COUNT, "octets": len(frames), "failed": 0, "retries": 0})
        got = collector.take(COUNT)
        if "--meta" in listen:
            for m in got:
                self.assertEqual(m.pop("meta")["transport"], kind)
        self.assertEqual(got, messages)
        self.assertEqual(collector.stop(), 0)
        self.assertEqual(collector.rest(), [])

    def test_udp(self) -> None:
        self.check("udp", "127.0.0.1", listen=("--meta",))

    def test_udp_ip6(self) -> None:
        self.check("udp", "::1")

    def test_tcp(self) -> None:
        self.check("tcp", "127.0.0.1", listen=("--meta",))

    def test_tcp_ip6(self) -> None:
        self.check("tcp", "::1")

    def test_tls(self) -> None:
        self.check("tls", "127.0.0.1", listen=("--meta",))

    def test_tls_ip6(self) -> None:
        self.check("tls", "::1")

    def test_tls_by_name(self) -> None:
        self.check("tls", "localhost")

    def test_http(self) -> None:
        self.check("http", "127.0.0.1", listen=("--meta",))

    def test_http_ip6(self) -> None:
        self.check("http", "::1")

    def test_http_batches(self) -> None:
        self.check("http", "127.0.0.1", "--batch", "64")

    def test_http_base64(self) -> None:
        self.check("http", "127.0.0.1", "--batch", "7", "--base64-body")

    def test_https(self) -> None:
        self.check("https", "127.0.0.1", listen=("--meta",))

    def test_https_ip6_batches(self) -> None:
        self.check("https", "::1", "--batch", "100")

    def test_key(self) -> None:
        self.check("tcp", "127.0.0.1", listen=("--auth-key", "k"))

    def test_all_listeners_of_one_process(self) -> None:
        collector = self.listen("--udp", "127.0.0.1:0", "--tcp", "127.0.0.1:0", "--http", "[::1]:0", "--tls",
                                "127.0.0.1:0", "--https", "127.0.0.1:0", "--cert", self.cert, "--cert-key", self.key)
        for i, (kind, port) in enumerate(collector.ports.items()):
            host = "::1" if kind == "http" else "127.0.0.1"
            run("encode", "--to", url(kind, host, port), *self.trust(kind), stdin=lib.jsonl([message(i)]))
            self.assertEqual(collector.take(1), [message(i)])

    def test_many_senders(self) -> None:
        """Eight streams at once: each in order, none mixed."""
        collector = self.collector("tcp")
        texts = [lib.jsonl([message(i, captureId=sender) for i in range(COUNT)]) for sender in range(8)]
        to = url("tcp", "127.0.0.1", collector.port)
        threads = [threading.Thread(target=run, args=("encode", "--to", to), kwargs={"stdin": t}) for t in texts]
        for t in threads:
            t.start()
        got = collector.take(8 * COUNT)
        for t in threads:
            t.join()
        for sender in range(8):
            self.assertEqual([m for m in got if m["rcinfo"]["captureId"] == sender],
                             [message(i, captureId=sender) for i in range(COUNT)])

    def test_count_ends_a_listener(self) -> None:
        collector = self.collector("tcp", "127.0.0.1", "-n", "10")
        run("encode", "--retry", "0", "--to", url("tcp", "127.0.0.1", collector.port),
            stdin=lib.jsonl([message(i) for i in range(10)]))
        self.assertEqual(collector.wait(), 0)
        self.assertEqual(len(collector.rest()), 10)

    def test_udp_frame_that_no_datagram_holds(self) -> None:
        collector = self.collector("udp")
        messages = [message(1), message(2, payload="x" * 65400), message(3)]
        result = run("encode", "--to", url("udp", "127.0.0.1", collector.port), stdin=lib.jsonl(messages))
        self.assertEqual(result.code, 1)
        self.assertEqual(sums(result.err)["sent"], 2)
        self.assertEqual(sums(result.err)["failed"], 1)
        self.assertEqual(collector.take(2), [messages[0], messages[2]])
        largest = message(4, payload="x" * (65507 - 110))
        self.assertEqual(len(lib.encode([largest])), 65507)
        self.assertEqual(run("encode", "--to", url("udp", "127.0.0.1", collector.port),
                             stdin=lib.jsonl([largest])).code, 0)
        self.assertEqual(collector.take(1), [largest])

    def test_live_source(self) -> None:
        """What comes through a pipe that stays open is sent at once, whatever the batch: `tail -f | hepcat encode`."""
        for kind, args in (("udp", []), ("tcp", []), ("tls", []), ("http", ["--batch", "100"])):
            with self.subTest(kind):
                collector = self.collector(kind)
                argv = ["encode", "--to", url(kind, "127.0.0.1", collector.port), *self.trust(kind), *args]
                with lib.Process(lib.hepcat(), *argv, stdin=lib.subprocess.PIPE) as sender:
                    for count in (1, 3, 20):
                        messages = [message(i) for i in range(count)]
                        sender.proc.stdin.write(lib.jsonl(messages).encode())
                        sender.proc.stdin.flush()
                        self.assertEqual(collector.take(count, 10), messages)
                    sender.proc.stdin.close()
                    self.assertEqual(sender.wait(), 0)
                self.assertEqual(sums(sender.err)["sent"], 24)

    def test_port_taken(self) -> None:
        collector = self.collector("tcp")
        result = run("decode", "--tcp", f"127.0.0.1:{collector.port}")
        self.assertEqual(result.code, 1)
        self.assertIn("in use", result.err)


class Streams(Net):
    def connect(self, collector: lib.Listener) -> socket.socket:
        return self.stack.enter_context(socket.create_connection(("127.0.0.1", collector.port), lib.TIMEOUT))

    def test_octet_by_octet(self) -> None:
        collector = self.collector("tcp")
        s = self.connect(collector)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in lib.encode([message(1), message(2)]):
            s.sendall(bytes([octet]))
        self.assertEqual(collector.take(2), [message(1), message(2)])

    def test_bad_frame_costs_itself_bad_magic_the_connection(self) -> None:
        collector = self.collector("tcp")
        s = self.connect(collector)
        frames = lib.split_frames(lib.encode([message(i) for i in range(3)]))
        s.sendall(frames[0] + frames[1][:10] + b"\0\2" + frames[1][12:] + frames[2])
        self.assertEqual(collector.take(2), [message(0), message(2)])
        collector.wait_error_line("chunk length")
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        self.assertEqual(s.recv(100), b"", "closed")
        collector.wait_error_line("HEP3")
        other = self.connect(collector)
        other.sendall(frames[1])
        self.assertEqual(collector.take(1), [message(1)])
        self.assertEqual(collector.stop(), 1)

    def test_cut_stream_is_told(self) -> None:
        collector = self.collector("tcp")
        s = self.connect(collector)
        s.sendall(lib.encode([message(1)])[:-1])
        s.close()
        collector.wait_error_line("cut")
        self.assertEqual(collector.stop(), 1)

    def test_datagrams_of_other_programs(self) -> None:
        collector = self.collector("udp")
        with lib.udp_socket() as s:
            for data in (b"", b"\0", b"\r\n\r\n", b"HELLO HFP", b"HEP3", lib.encode([message(1)])[:-1]):
                s.sendto(data, ("127.0.0.1", collector.port))
            s.sendto(lib.encode([message(2)]) + lib.encode([message(3)]), ("127.0.0.1", collector.port))
            s.sendto(gzip.compress(lib.encode([message(4)])), ("127.0.0.1", collector.port))
            self.assertEqual(collector.take(3), [message(2), message(3), message(4)])
            self.assertEqual(s.getsockname()[0], "127.0.0.1")
        self.assertEqual(collector.stop(), 1)

    def test_wrong_key_is_left_out(self) -> None:
        collector = self.collector("tcp", "127.0.0.1", "--auth-key", "right")
        s = self.connect(collector)
        s.sendall(lib.encode([message(1, capturePass="wrong"), message(2), message(3, capturePass="right")]))
        self.assertEqual(collector.take(1), [message(3, capturePass="right")])
        self.assertEqual(collector.stop(), 1)
        self.assertIn("2 with a wrong key", collector.err)


class Tls(Net):
    def refused(self, kind: str, collector: lib.Listener, *args: str, host: str = "127.0.0.1") -> lib.Result:
        result = run("encode", "--to", url(kind, host, collector.port), "--retry", "0", *args,
                     stdin=lib.jsonl([message(1), message(2)]))
        self.assertEqual(result.code, 1, result)
        self.assertEqual((sums(result.err)["sent"], sums(result.err)["failed"]), (0, 2))
        return result

    def nothing_came(self, kind: str, collector: lib.Listener, *args: str) -> None:
        """The first message that arrives is the one that is sent now, in the right way."""
        result = run("encode", "--to", url(kind, "127.0.0.1", collector.port), *args, stdin=lib.jsonl([message(77)]))
        self.assertEqual(result.code, 0, result)
        self.assertEqual(collector.take(1), [message(77)])

    def test_unknown_issuer(self) -> None:
        for kind in ("tls", "https"):
            with self.subTest(kind):
                collector = self.collector(kind)
                self.refused(kind, collector)
                self.refused(kind, collector, "--ca", self.client_ca)
                self.nothing_came(kind, collector, "--ca", self.ca)
                self.nothing_came(kind, collector, "--insecure")

    def test_wrong_name(self) -> None:
        for kind in ("tls", "https"):
            with self.subTest(kind):
                collector = self.listen(f"--{kind}", "127.0.0.1:0", "--cert", self.other_cert, "--cert-key",
                                        self.other_key)
                self.refused(kind, collector, "--ca", self.ca)
                self.refused(kind, collector, "--ca", self.ca, host="localhost")
                self.nothing_came(kind, collector, "--insecure")
                if kind == "tls":
                    self.nothing_came(kind, collector, "--ca", self.ca, "--server-name", "other.example.org")

    def test_client_certificate(self) -> None:
        for kind in ("tls", "https"):
            with self.subTest(kind):
                collector = self.collector(kind, "127.0.0.1", "--client-ca", self.client_ca)
                # TLS 1.3 tells a client only after its handshake that its certificate will not do: what it wrote by
                # then counts as sent over tls:// but must never be shown.
                run("encode", "--to", url(kind, "127.0.0.1", collector.port), "--retry", "0", "--ca", self.ca,
                    stdin=lib.jsonl([message(1)]))
                run("encode", "--to", url(kind, "127.0.0.1", collector.port), "--retry", "0", "--ca", self.ca,
                    "--cert", self.cert, "--cert-key", self.key, stdin=lib.jsonl([message(2)]))
                self.nothing_came(kind, collector, "--ca", self.ca, "--cert", self.client_cert, "--cert-key",
                                  self.client_key)
                if kind == "https":
                    self.refused(kind, collector, "--ca", self.ca)

    def test_plain_tcp_to_a_tls_port(self) -> None:
        collector = self.collector("tls")
        with socket.create_connection(("127.0.0.1", collector.port), lib.TIMEOUT) as s:
            s.sendall(lib.encode([message(1)]))
            try:
                while s.recv(100):
                    pass  # a TLS alert, then the end
            except ConnectionResetError:
                pass
        self.nothing_came("tls", collector, "--ca", self.ca)

    def test_certificate_that_cannot_be_read(self) -> None:
        result = run("decode", "--tls", "127.0.0.1:0", "--cert", str(self.tmp / "none.pem"))
        self.assertEqual(result.code, 1)
        self.assertIn("none.pem", result.err)
        self.assertNotEqual(run("decode", "--tls", "127.0.0.1:0").code, 0)


class Http(Net):
    def post(self, collector: lib.Listener, body: bytes, method: str = "POST", path: str = "/hep",
             **headers: str) -> tuple[int, dict]:
        c = http.client.HTTPConnection("127.0.0.1", collector.port, timeout=lib.TIMEOUT)
        try:
            c.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            answer = c.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text.startswith(b"{") else {}
        finally:
            c.close()

    def setUp(self) -> None:
        super().setUp()
        self.server = self.collector("http")
        self.messages = [message(i) for i in range(3)]
        self.frames = lib.encode(self.messages)

    def came(self) -> None:
        self.assertEqual(self.server.take(3), self.messages)

    def test_octet_stream(self) -> None:
        for content_type in ("application/octet-stream", "text/plain", "application/hep"):
            self.assertEqual(self.post(self.server, self.frames, Content_Type=content_type), (200, {"taken": 3}))
            self.came()
        self.assertEqual(self.post(self.server, self.frames, "PUT", "/api/hep"), (200, {"taken": 3}))
        self.came()

    def test_base64_body(self) -> None:
        text = base64.b64encode(self.frames)
        for body in (text, text + b"\n", base64.encodebytes(self.frames)):
            self.assertEqual(self.post(self.server, body), (200, {"taken": 3}))
            self.came()

    def test_gateway_event(self) -> None:
        event = {"body": base64.b64encode(self.frames).decode(), "isBase64Encoded": True, "headers": {}}
        self.assertEqual(self.post(self.server, json.dumps(event).encode(), Content_Type="application/json"),
                         (200, {"taken": 3}))
        self.came()

    def test_gzip(self) -> None:
        self.assertEqual(self.post(self.server, gzip.compress(self.frames), Content_Encoding="gzip"),
                         (200, {"taken": 3}))
        self.came()

    def test_versions_1_and_2(self) -> None:
        for version in (1, 2):
            body = lib.encode(self.messages[:1], "--hep-version", str(version))
            self.assertEqual(self.post(self.server, body), (200, {"taken": 1}))
            self.assertEqual(self.server.take(1)[0]["version"], version)

    def test_one_bad_frame(self) -> None:
        frames = lib.split_frames(self.frames)
        bad = frames[1][:10] + b"\0\2" + frames[1][12:]
        status, answer = self.post(self.server, frames[0] + bad + frames[2])
        self.assertEqual((status, answer["taken"], answer["bad"]), (400, 2, 1))
        self.assertEqual(answer["offset"], len(frames[0]) + 10)
        self.assertIn("chunk length", answer["error"])
        self.assertEqual(self.server.take(2), [self.messages[0], self.messages[2]])

    def test_bad_bodies(self) -> None:
        for body in (b"", b"hello", b"{}", b'{"body":"!!!!","isBase64Encoded":true}', self.frames[:-1], b"HEP3\0\5"):
            status, answer = self.post(self.server, body)
            self.assertEqual(status, 400, body[:40])
            self.assertIn("error", answer)
            self.assertEqual(answer["taken"], 2 if body == self.frames[:-1] else 0)
        self.assertEqual(self.server.take(2), self.messages[:2])

    def test_methods_sizes_health(self) -> None:
        self.assertEqual(self.post(self.server, b"", "GET")[0], 405)
        self.assertEqual(self.post(self.server, b"", "GET", "/health")[0], 200)
        self.assertEqual(self.post(self.server, b"", "DELETE")[0], 405)
        small = self.collector("http", "127.0.0.1", "--body-max", "1000")
        self.assertEqual(self.post(small, self.frames)[0], 413)
        self.assertEqual(self.post(small, lib.encode(self.messages[:1]))[0], 200)

    def test_answer_means_handed_on(self) -> None:
        """When the answer is there, the lines are on standard output already: nothing is lost by a kill."""
        self.assertEqual(self.post(self.server, self.frames)[0], 200)
        self.server.proc.send_signal(signal.SIGKILL)
        self.server.wait()
        self.assertEqual([json.loads(line) for line in self.server.rest()], self.messages)

    def test_headers_of_the_sender(self) -> None:
        """-H and --content-type arrive; the answers 403 and 500 make encode fail after its tries."""
        seen: list = []
        with lib.socket.create_server(("127.0.0.1", 0)) as server:
            def serve() -> None:
                conn, _ = server.accept()
                with conn, conn.makefile("rb") as f:
                    head = []
                    while (line := f.readline().strip()):
                        head.append(line.decode())
                    length = next(int(h.split(":")[1]) for h in head if h.lower().startswith("content-length"))
                    seen.append((head, f.read(length)))
                    conn.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            thread = threading.Thread(target=serve)
            thread.start()
            result = run("encode", "--to", url("http", "127.0.0.1", server.getsockname()[1]), "--retry", "0", "-H",
                         "X-Api-Key: 123", "--content-type", "application/hep", stdin=lib.jsonl(self.messages[:1]))
            thread.join(lib.TIMEOUT)
        head, body = seen[0]
        self.assertEqual(head[0], "POST /hep HTTP/1.1")
        self.assertIn("X-Api-Key: 123", head)
        self.assertIn("content-type: application/hep", [h.lower() for h in head])
        self.assertEqual(body, lib.encode(self.messages[:1]))
        self.assertEqual(result.code, 1)
        self.assertEqual((sums(result.err)["sent"], sums(result.err)["failed"]), (0, 1))
        self.assertIn("403", result.err)


class Outages(Net):
    def test_no_collector(self) -> None:
        for kind in ("tcp", "tls", "http", "https"):
            with self.subTest(kind):
                port = lib.free_port(socket.SOCK_STREAM)
                result = run("encode", "--retry", "1", "--to", url(kind, "127.0.0.1", port),
                             stdin=lib.jsonl([message(i) for i in range(5)]))
                self.assertEqual(result.code, 1, result)
                self.assertEqual((sums(result.err)["sent"], sums(result.err)["failed"]), (0, 5))
                self.assertGreaterEqual(sums(result.err)["retries"], 1)
                self.assertRegex(result.err, "refused|Failed to connect")

    def test_no_collector_udp(self) -> None:
        """UDP cannot know, but what the network says is passed on."""
        port = lib.free_port()
        result = run("encode", "--rate", "200", "--to", url("udp", "127.0.0.1", port),
                     stdin=lib.jsonl([message(i) for i in range(10)]))
        self.assertIn("nobody listens there", result.err)

    def test_collector_that_comes_later(self) -> None:
        port = lib.free_port(socket.SOCK_STREAM)
        with lib.Process(lib.hepcat(), "encode", "--to", url("tcp", "127.0.0.1", port),
                         self.file("m.jsonl", lib.jsonl([message(i) for i in range(5)]))) as sender:
            collector = self.listen("--tcp", f"127.0.0.1:{port}")
            self.assertEqual(sender.wait(), 0)
            self.assertEqual(collector.take(5), [message(i) for i in range(5)])

    def test_collector_restarted(self) -> None:
        """
        A sender goes on after its collector went away and came back. TCP cannot tell what lay in the kernel's buffers
        at the break: at most that is missing, all else arrives in order, and the counters say what happened.
        """
        count = 400
        first = self.collector("tcp")
        with lib.Process(lib.hepcat(), "encode", "--rate", "400", "--to", url("tcp", "127.0.0.1", first.port),
                         self.file("m.jsonl", lib.jsonl([message(i) for i in range(count)]))) as sender:
            got = first.take(100)
            first.stop()
            got += [json.loads(line) for line in first.rest()]
            second = self.listen("--tcp", f"127.0.0.1:{first.port}")
            self.assertEqual(sender.wait(), 0, sender.err)
            second.stop()
            rest = [json.loads(line) for line in second.rest()]
        figures = sums(sender.err)
        self.assertEqual((figures["sent"], figures["failed"]), (count, 0))
        self.assertIn("broke 1 times", sender.err)
        numbers = [m["rcinfo"]["timeUseconds"] // 1000 for m in got + rest]
        self.assertEqual(numbers, sorted(set(numbers)), "in order, none twice")
        self.assertEqual(numbers[-1], count - 1)
        self.assertGreater(len(rest), 0)
        # The pause between the end of one and the start of the other lasts milliseconds, at 400 messages a second.
        self.assertGreater(len(numbers), count * 3 // 4)

    def test_http_restarted_loses_nothing(self) -> None:
        """HTTP answers: what was not answered is sent again."""
        count = 400
        first = self.collector("http")
        with lib.Process(lib.hepcat(), "encode", "--rate", "400", "--to", url("http", "127.0.0.1", first.port),
                         self.file("m.jsonl", lib.jsonl([message(i) for i in range(count)]))) as sender:
            got = first.take(100)
            first.stop()
            got += [json.loads(line) for line in first.rest()]
            second = self.listen("--http", f"127.0.0.1:{first.port}")
            self.assertEqual(sender.wait(), 0, sender.err)
            second.stop()
            got += [json.loads(line) for line in second.rest()]
        self.assertEqual((sums(sender.err)["sent"], sums(sender.err)["failed"]), (count, 0))
        numbers = {m["rcinfo"]["timeUseconds"] // 1000 for m in got}
        self.assertEqual(numbers, set(range(count)))

    def test_interrupted_sender(self) -> None:
        """SIGINT ends every wait, here the one for a TLS handshake that never comes."""
        path = self.file("m.jsonl", lib.jsonl([message(i) for i in range(5)]))
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(lib.TIMEOUT)
            to = url("tls", "127.0.0.1", server.getsockname()[1])
            with lib.Process(lib.hepcat(), "encode", "--insecure", "--connect-timeout", "600", "--to", to, path) as p:
                conn, _ = server.accept()
                with conn:
                    self.assertEqual(p.stop(signal.SIGINT), 1)
                self.assertEqual(sums(p.err)["sent"], 0)
                self.assertGreaterEqual(sums(p.err)["failed"], 1)


if __name__ == "__main__":
    lib.main()
