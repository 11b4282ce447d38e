"""SIGHUP: what docs/config.md says is taken over at once is, what is marked (restart) waits, and all or nothing."""

import shutil
import signal

import lib
from serve_lib import Server
from test_serve import ServeCase, now_message


class Reload(ServeCase):
    def start(self, text: str, **kwargs) -> Server:
        self.server = self.serve("--config", self.file("c.yaml", text), **kwargs)
        return self.server

    def hup(self, text: str, said: str = "configuration reloaded") -> None:
        before = self.server.err.count(said)
        self.file("c.yaml", text)
        self.server.proc.send_signal(signal.SIGHUP)
        lib.wait_for(lambda: self.server.err.count(said) > before, f"'{said}'")

    def dropped(self, reason: str) -> float:
        return self.server.metric(f'hepcat_messages_dropped_total{{reason="{reason}"}}')

    def test_token(self) -> None:
        server = self.start("")
        self.assertEqual(server.get("/api/v1/search").status, 200)
        self.hup("http:\n  token: first\n")
        self.assertEqual(server.get("/api/v1/search").status, 401)
        self.assertEqual(server.get("/api/v1/search", _token="first").status, 200)
        self.hup("http:\n  token: second\n")
        self.assertEqual(server.get("/api/v1/search", _token="first").status, 401)
        self.assertEqual(server.get("/api/v1/search", _token="second").status, 200)
        self.hup("")
        self.assertEqual(server.get("/api/v1/search").status, 200)

    def test_keys_and_networks(self) -> None:
        server = self.start("")
        self.hup("hep:\n  allow: [192.0.2.0/24]\n")
        server.send([now_message(1)], "udp")
        lib.wait_for(lambda: self.dropped("not_allowed") == 1, "the network being refused")
        self.hup("hep:\n  allow: [192.0.2.0/24, 127.0.0.0/8]\n  keys: [k]\n")
        server.send([now_message(2)], "udp")
        lib.wait_for(lambda: self.dropped("key_missing") == 1, "the key being asked for")
        server.send([now_message(3, capturePass="k")], "udp")
        server.wait_total(1)
        self.hup("hep:\n  sender_rate: 1\n")
        server.send([now_message(i) for i in range(100)], "udp")
        lib.wait_for(lambda: self.dropped("rate") > 0, "the rate")

    def send_tls(self, ca: str) -> int:
        """Messages that a sender gets rid of who trusts this CA alone."""
        kind = "tls" if "tls" in self.server.ports else "https"
        done = lib.run("encode", "--to", self.server.to(kind), "--ca", ca, stdin=lib.jsonl([now_message(1)]))
        return 1 if done.code == 0 else 0

    def certificates(self, kind: str) -> None:
        """New content under the old names, then other names, then the CA of clients."""
        cas = [lib.make_ca(self.tmp, f"ca{i}") for i in range(3)]
        pairs = [lib.make_cert(self.tmp, f"server{i}", f"ca{i}") for i in range(3)]

        def text(pair) -> str:
            return f"tls:\n  cert: {pair[0]}\n  key: {pair[1]}\n"

        self.start(text(pairs[0]), listen=(kind,))
        self.assertEqual([self.send_tls(ca) for ca in cas], [1, 0, 0])
        for old, new in zip(pairs[0], pairs[1]):
            shutil.copy(new, old)
        self.assertEqual([self.send_tls(ca) for ca in cas], [1, 0, 0])  # not before it is told
        self.hup(text(pairs[0]))
        self.assertEqual([self.send_tls(ca) for ca in cas], [0, 1, 0])
        self.hup(text(pairs[2]))
        self.assertEqual([self.send_tls(ca) for ca in cas], [0, 0, 1])
        self.hup(text((pairs[2][0], "/nowhere")), "not reloaded")
        self.assertEqual([self.send_tls(ca) for ca in cas], [0, 0, 1])
        refused = self.server.metric("hepcat_net_tls_failures_total")
        self.hup(text(pairs[2]) + f"  client_ca: {cas[1]}\n")
        self.send_tls(cas[2])  # of TLS 1.3 a client knows only later that its certificate was asked for
        lib.wait_for(lambda: self.server.metric("hepcat_net_tls_failures_total") > refused, "the refusal")

    def test_certificates_tls(self) -> None:
        lib.need("certtool")
        self.certificates("tls")

    def test_certificates_https(self) -> None:
        lib.need("certtool")
        self.certificates("https")

    def test_retention(self) -> None:
        seal = "seal:\n  interval: 1s\n"
        server = self.start(seal)
        server.send([now_message(i) for i in range(100)])
        server.wait_total(100)
        server.wait_sealed()
        self.assertEqual(server.metric("hepcat_store_retired_files_total"), 0)
        self.hup(seal + "retention:\n  sip:\n    bytes: 1\n")
        lib.wait_for(lambda: server.metric("hepcat_store_retired_files_total") > 0, "the retirement", timeout=60)
        lib.wait_for(lambda: server.total() == 0, "the rows being gone")

    def test_log(self) -> None:
        server = self.start("")
        server.send([now_message(1)])
        server.wait_total(1)
        self.assertNotIn("debug", server.err.lower())
        self.hup("log:\n  level: debug\n")
        server.send([now_message(2)])
        lib.wait_for(lambda: "transport=tcp" in server.err, "the sender in the log")
        self.hup("log:\n  format: json\n", '"message":"configuration reloaded"')
        before = server.err.count("transport")
        server.send([now_message(3)])
        server.wait_total(3)
        self.assertEqual(server.err.count("transport"), before)

    def test_restart_keys_wait(self) -> None:
        server = self.start("")
        self.hup("wal:\n  interval: 200ms\nhttp:\n  token: t\n")
        line = server.wait_error_line("next start")
        self.assertIn("wal.interval", line)
        self.assertEqual(server.get("/api/v1/search").status, 401)  # the other key is taken over

    def test_all_or_nothing(self) -> None:
        lib.need("certtool")
        lib.make_ca(self.tmp)
        cert, key = lib.make_cert(self.tmp, "server")
        good = f"http:\n  token: old\ntls:\n  cert: {cert}\n  key: {key}\n"
        server = self.start(good, listen=("tls", "udp"))
        self.hup(f"http:\n  token: new\nhep:\n  keys: [k]\ntls:\n  cert: {key}\n  key: {key}\n", "not reloaded")
        self.assertEqual(server.get("/api/v1/search", _token="new").status, 401)
        self.assertEqual(server.get("/api/v1/search", _token="old").status, 200)
        server.send([now_message(1)], "udp")
        lib.wait_for(lambda: server.get("/api/v1/search", total="only", _token="old").json["total"] == 1, "the message")


if __name__ == "__main__":
    lib.main()
