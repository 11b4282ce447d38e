"""`hepcat import`: captures and files of frames into a server or a data directory, whatever they are like."""

from __future__ import annotations

import gzip
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import Sequence

sys.path.insert(0, str(Path(__file__).parent))

import lib  # noqa: E402
from serve_lib import Server, http  # noqa: E402

OK, BAD, USAGE = 0, 1, 2
START = 1600000000


def pcap_at(packets: Sequence[tuple[float, bytes]], link: int = 1) -> bytes:
    """A classic pcap of packets with their times."""
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link)]
    for when, packet in packets:
        usec = round(when * 1000000)
        parts.append(struct.pack("<IIII", usec // 1000000, usec % 1000000, len(packet), len(packet)) + packet)
    return b"".join(parts)


def sip_packet(number: int, **kwargs) -> bytes:
    return lib.ethernet(lib.ip4(lib.udp(lib.sip(number, **kwargs).encode(), 5060, 5060), 17))


def frame(number: int = 1, **rcinfo) -> bytes:
    return lib.encode([lib.message(number, **rcinfo)])


def iso(when: float) -> str:
    return datetime.fromtimestamp(when, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class ImportCase(lib.Case):
    def serve(self, *args: str, **kwargs) -> Server:
        return self.stack.enter_context(Server(kwargs.pop("data", self.tmp / "data"), *args, **kwargs))

    def load(self, server: Server, *args: str, code: int = OK, **kwargs) -> lib.Result:
        result = lib.run("import", "--server", server.url, *args, **kwargs)
        self.assertEqual(result.code, code, result)
        self.assertEqual(result.out, b"")
        return result

    def stored(self, result: lib.Result) -> int:
        match = re.search(r"^hepcat: (\d+) stored$", result.err, re.M)
        self.assertIsNotNone(match, result)
        return int(match[1])


class Captures(ImportCase):
    def test_demo(self) -> None:
        """What the generator put into a capture is there: as many, the same octets, the same times."""
        path = str(self.tmp / "calls.pcap")
        self.assertEqual(lib.run("demo", "--count", "150", "--seed", "7", "--pcap", path, "-q").code, OK)
        frames = lib.run("encode", path)
        messages = lib.decode(frames.out)
        server = self.serve()
        result = self.load(server, path)
        self.assertEqual(self.stored(result), len(messages))
        self.assertEqual(server.total(), len(messages))
        rows = server.search(payload=1, order="oldest")["rows"]
        found = sorted((r["ts"], r["payload"] if r.get("payload_encoding") is None else None) for r in rows)
        sent = sorted((iso(m["rcinfo"]["timeSeconds"]).replace("000000Z", f"{m['rcinfo']['timeUseconds']:06}Z"),
                       m["payload"]) for m in messages)
        for i, (one, other) in enumerate(zip(found, sent)):  # not as lists: the difference of long ones takes minutes
            self.assertEqual(one, other, i)
        self.assertEqual({(r["source"], r["transport"]) for r in rows}, {("import", "import")})
        first, last = re.search(r"captured from (\S+) to (\S+)", result.err).groups()
        self.assertEqual((first, last), (found[0][0], found[-1][0]))
        asked = re.search(r"--from (\S+) --to (\S+)", result.err).groups()
        self.assertEqual(server.total(**{"from": asked[0], "to": asked[1]}), len(messages))

    def test_times_are_kept(self) -> None:
        times = [86400 + 0.25, 981173106.5, START + 0.000001, 4102444800.75, 4294967295.999999]
        server = self.serve()
        self.load(server, self.file("t.pcap", pcap_at([(t, sip_packet(i)) for i, t in enumerate(times)])))
        rows = server.search(order="oldest")["rows"]
        self.assertEqual([r["ts"] for r in rows], [iso(t) for t in times])
        self.assertEqual([(r.get("flags", []), r.get("ts_sent")) for r in rows], [([], None)] * len(times))
        for t in times:
            self.assertEqual(server.total(**{"from": iso(t), "to": iso(t + 0.000002)}), 1)
        self.assertEqual(server.stop(), 0, server.err)
        again = self.serve()
        self.assertEqual([r["ts"] for r in again.search(order="oldest")["rows"]], [iso(t) for t in times])

    def test_fragments_and_streams(self) -> None:
        long = lib.sip(1, body="x" * 3000).encode()
        datagram = lib.udp(long, 5060, 5060)
        pieces = [datagram[i : i + 1400] for i in range(0, len(datagram), 1400)]
        fragments = [lib.ethernet(lib.ip4(p, 17, ident=9, offset=i * 1400, more=i + 1 < len(pieces)))
                     for i, p in enumerate(pieces)]
        streamed = [lib.sip(2, body="y" * 2000).encode(), lib.sip(3).encode()]
        octets = b"".join(streamed)
        segments = [(1001 + at, octets[at : at + 700]) for at in range(0, len(octets), 700)]
        segments[1], segments[2] = segments[2], segments[1]
        tcp = [lib.ethernet(lib.ip4(lib.tcp(b"", 1000, flags=2, src_port=5060, dst_port=5060), 6))]
        tcp += [lib.ethernet(lib.ip4(lib.tcp(p, seq, src_port=5060, dst_port=5060), 6)) for seq, p in segments]
        six = lib.ethernet(lib.ip6(lib.udp(lib.sip(4).encode(), 5060, 5060), 17), vlan=7)
        packets = [fragments[2], fragments[0], *tcp, fragments[1], six]
        server = self.serve()
        self.load(server, self.file("f.pcap", pcap_at([(START + i, p) for i, p in enumerate(packets)])))
        self.assertEqual(sorted(server.payloads()), sorted([long, *streamed, lib.sip(4).encode()]))
        rows = {r["call_id"]: r for r in server.search()["rows"]}
        self.assertEqual([rows[f"call-{i}@example.org"]["proto"] for i in (1, 2, 3, 4)], ["udp", "tcp", "tcp", "udp"])
        self.assertEqual((rows["call-4@example.org"]["src_ip"], rows["call-4@example.org"]["vlan"]), ("2001:db8::1", 7))

    def test_pipes_and_gzip(self) -> None:
        capture = pcap_at([(START + i, sip_packet(i)) for i in range(20)])
        server = self.serve()
        self.load(server, self.file("c.pcap.gz", gzip.compress(capture)))
        self.load(server, "-", stdin=capture)
        self.load(server, "-", stdin=gzip.compress(b"".join(frame(i) for i in range(20))))
        self.assertEqual(server.total(), 60)

    def test_many_files(self) -> None:
        paths = [self.file(f"{i}.pcap", pcap_at([(START + i, sip_packet(i))])) for i in range(100)]
        server = self.serve()
        result = self.load(server, *paths)
        self.assertIn("100 files, 100 packets: 100 SIP", result.err)
        self.assertEqual(len({r["call_id"] for r in server.search()["rows"]}), 100)

    def test_node_and_select(self) -> None:
        server = self.serve()
        path = self.file("c.pcap", pcap_at([(START + i, sip_packet(i)) for i in range(4)]))
        result = self.load(server, "--node", "edge7", "--id", "77", "--text", "call-2@", path)
        self.assertIn("left out by --type, --ip or --text: 3", result.err)
        row, = server.search()["rows"]
        self.assertEqual((row["node"], row["capture_id"], row["call_id"]), ("edge7", 77, "call-2@example.org"))


class Hep(ImportCase):
    def test_hep_in_a_capture(self) -> None:
        """Frames are taken as they are, wherever they go; old versions on a HEP port; plain SIP beside them."""
        vendor = lib.encode([lib.message(1)], "--auth-key", "secret")
        v1 = lib.encode([lib.message(2)], "--hep-version", "1")
        v2 = lib.encode([lib.message(3)], "--hep-version", "2")
        timeless = lib.encode([lib.message(4, timeSeconds=None, timeUseconds=None)])
        stream = frame(5) + frame(6) + frame(7)
        udp = [(vendor, 7777), (v1, 9060), (v2, 9060), (timeless, 9060), (frame(8) + frame(9), 9060)]
        packets = [lib.ethernet(lib.ip4(lib.udp(p, 40000, port), 17)) for p, port in udp]
        packets += [lib.ethernet(lib.ip4(lib.tcp(stream[at : at + 300], 5000 + at, dst_port=9999), 6))
                    for at in range(0, len(stream), 300)]
        packets += [sip_packet(10), lib.ethernet(lib.ip4(lib.udp(b"\x00" * 40, 4000, 4002), 17))]
        server = self.serve()
        result = self.load(server, self.file("h.pcap", pcap_at([(START + i, p) for i, p in enumerate(packets)])))
        self.assertIn("1 SIP, 0 RTCP and 9 HEP messages", result.err)
        self.assertIn("neither SIP, RTCP nor HEP: 1 datagrams", result.err)
        rows = {int(r["call_id"].split("@")[0][5:]): r for r in server.search()["rows"]}
        self.assertEqual(sorted(rows), list(range(1, 11)))
        for i in (1, 3, 5, 6, 7, 8, 9):
            self.assertEqual(rows[i]["ts"], iso(1700000000 + i / 1000), i)
        self.assertEqual((rows[2]["ts"], rows[4]["ts"], rows[10]["ts"]),
                         (iso(START + 1), iso(START + 3), iso(START + len(packets) - 2)))
        self.assertEqual((rows[1]["node"], rows[10]["node"]), ("node1", "hepcat"))
        self.assertEqual({rows[i]["src_ip"] for i in range(1, 10)}, {"10.0.0.1"})

    def test_bad_hep_in_a_capture(self) -> None:
        packets = [lib.ethernet(lib.ip4(lib.udp(p, 40000, 9060), 17))
                   for p in (frame(1), frame(2)[:40], b"HEP3\x00\x07\x00", frame(3))]
        server = self.serve()
        result = self.load(server, self.file("h.pcap", pcap_at([(START, p) for p in packets])), code=BAD)
        self.assertIn("packet 2: HEP: ", result.err)
        self.assertIn("could not be read: 2", result.err)
        self.assertEqual((self.stored(result), server.total()), (2, 2))

    def test_frames_in_a_file(self) -> None:
        bad = b"HEP3" + struct.pack(">HHHH", 12, 0, 7, 6000)
        server = self.serve()
        result = self.load(server, self.file("a.hep", frame(1) + bad + frame(2) + frame(3)[:-10]), code=BAD)
        self.assertIn("a.hep: offset ", result.err)
        self.assertEqual((self.stored(result), server.total()), (2, 2))
        result = self.load(server, self.file("b.hep", lib.encode([lib.message(4)], "--hep-version", "2")))
        self.assertEqual((self.stored(result), server.total()), (1, 3))
        result = self.load(server, self.file("c.jsonl", lib.jsonl([lib.message(5), lib.message(6)])))
        self.assertEqual((self.stored(result), server.total()), (2, 5))


class BadFiles(ImportCase):
    def test_what_can_be_read_is_stored(self) -> None:
        capture = pcap_at([(START + i, sip_packet(i)) for i in range(10)])
        good = self.file("good.pcap", pcap_at([(START, sip_packet(99))]))
        cases = (("cut.pcap", capture[:-30], 9), ("cut.pcap.gz", gzip.compress(capture)[:-40], None),
                 ("garbage.bin", os.urandom(5000).replace(b"{", b"x"), 0), ("text.txt", b"not a capture\n", 0),
                 ("base64.txt", b"SEVQMwAGAAAAAAAAAAAAAAAA\n", 0), ("huge.pcap", capture[:24] + b"\xff" * 64, 0))
        server = self.serve()
        total = 0
        for name, octets, count in cases:
            result = self.load(server, self.file(name, octets), good, code=BAD)
            self.assertIn(name, result.err)
            stored = self.stored(result)
            if count is not None:
                self.assertEqual(stored, count + 1, result)
            total += stored
            self.assertEqual(server.total(), total, name)
        result = self.load(server, str(self.tmp / "none.pcap"), good, code=BAD)
        self.assertIn("No such file", result.err)
        self.assertEqual(self.stored(result), 1)
        self.assertEqual(self.stored(self.load(server, self.file("empty", b""))), 0)

    def test_usage(self) -> None:
        for args in ((), ("--data", "d", "--server", "http://x", "f"), ("--server", "ftp://x", "f"), ("--nope", "f"),
                     ("--hep-port", "x", "f"), ("--retry", "x", "f"), ("--type", "nope", "f")):
            result = lib.run("import", *args)
            self.assertEqual((result.code, result.out), (USAGE, b""), (args, result))
            self.assertIn("--help", result.err)


class Where(ImportCase):
    def capture(self, count: int = 10) -> str:
        return self.file("c.pcap", pcap_at([(START + i, sip_packet(i)) for i in range(count)]))

    def test_data_directory(self) -> None:
        data = self.tmp / "data"
        path = self.capture()
        result = lib.run("import", "--data", str(data), path)
        self.assertEqual((result.code, self.stored(result)), (OK, 10), result)
        found = lib.run("search", "--data", str(data), "--format", "json", "-q")
        self.assertEqual([m["ts"] for m in found.messages], [iso(START + i) for i in range(10)])
        server = self.serve()
        self.assertEqual(server.total(), 10)
        result = lib.run("import", "--data", str(data), path)
        self.assertEqual(result.code, BAD)
        self.assertIn("--server", result.err)
        self.assertEqual(server.total(), 10)
        self.assertEqual(server.stop(), 0, server.err)
        self.assertEqual(lib.run("import", "--data", str(data), path).code, OK)
        self.assertEqual(self.serve().total(), 20)

    def test_token(self) -> None:
        server = self.serve("--token", "t0ken")
        path = self.capture()
        for args in ((), ("--token", "wrong")):
            result = self.load(server, *args, path, code=BAD)
            self.assertIn("the server says: ", result.err)
            self.assertIn("token", result.err)
            self.assertIn("not stored, or not known to be: 10", result.err)
        self.load(server, "--token", "t0ken", path)
        self.load(server, path, env={**os.environ, "HEPCAT_TOKEN": "t0ken"})
        self.assertEqual(server.get("/api/v1/search", total="only", _token="t0ken").json["total"], 20)

    def test_no_server(self) -> None:
        port = lib.free_port(socket.SOCK_STREAM)
        result = lib.run("import", "--server", f"http://127.0.0.1:{port}", "--retry", "0", self.capture())
        self.assertEqual((result.code, self.stored(result)), (BAD, 0))
        self.assertIn("not stored, or not known to be: 10", result.err)

    def test_server_comes_later(self) -> None:
        port = lib.free_port(socket.SOCK_STREAM)
        with lib.Process(lib.hepcat(), "import", "--server", f"http://127.0.0.1:{port}", self.capture()) as run:
            run.wait_error_line("trying again")
            server = self.serve(http_port=port)
            self.assertEqual(run.wait(), OK, run.err)
        self.assertEqual(server.total(), 10)

    def test_not_a_hepcat(self) -> None:
        server = self.serve(listen=("udp", "http"))
        result = lib.run("import", "--server", server.url + "/other", "--retry", "0", self.capture())
        self.assertEqual(result.code, BAD)

    def test_interrupt(self) -> None:
        """What was read before Ctrl-C is stored, and the end is told."""
        server = self.serve()
        with lib.Process(lib.hepcat(), "import", "--server", server.url, "-", stdin=subprocess.PIPE) as run:
            run.proc.stdin.write(pcap_at([(START + i, sip_packet(i)) for i in range(5)]))
            run.proc.stdin.flush()
            server.wait_total(5)
            run.proc.send_signal(signal.SIGINT)
            self.assertEqual(run.wait(), BAD)
            self.assertIn("interrupted", run.err)
            self.assertIn("5 stored", run.err)
        self.assertEqual(server.total(), 5)


class KilledServer(ImportCase):
    COUNT = 60000

    def test_no_loss_and_no_doubles(self) -> None:
        """kill -9 in the middle of bodies: the same import, going on after each restart, stores each message once."""
        path = self.file("c.pcap", pcap_at([(START + i / 100, sip_packet(i, body="z" * 300))
                                            for i in range(self.COUNT)]))
        port = lib.free_port(socket.SOCK_STREAM)
        # A small log buffer's worth per commit, so that parts of bodies are on disk when it dies.
        env = {**os.environ, "HEPCAT_WAL_INTERVAL": "10ms"}
        server = self.serve(http_port=port, env=env)
        kills = 0
        with lib.Process(lib.hepcat(), "import", "--server", server.url, path) as run:
            done = threading.Event()
            threading.Thread(target=lambda: (run.proc.wait(), done.set()), daemon=True).start()
            for wait in (0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.25):
                lib.wait_for(lambda: server.metric("hepcat_wal_records_total") > 0 or done.is_set(), "a first record")
                if done.wait(wait):
                    break
                server.kill()
                kills += 1
                server = self.serve(http_port=port, env=env)
            self.assertEqual(run.wait(120), OK, run.err)
            self.assertIn(f"{self.COUNT} stored", run.err)
        self.assertGreater(kills, 0)
        self.assertEqual(server.total(), self.COUNT)
        seen = {r["call_id"] for r in server.search(columns="call_id", limit=100000)["rows"]}
        self.assertEqual(len(seen), self.COUNT)


class Http(ImportCase):
    def post(self, server: Server, body: bytes, key: str | None = None, kind: str = "application/x-hep"):
        headers = {"Content-Type": kind}
        if key:
            headers["Idempotency-Key"] = key
        return http(f"{server.url}/api/v1/import", "POST", body, headers)

    def test_answers(self) -> None:
        server = self.serve()
        bad = b"HEP3" + struct.pack(">HHHH", 12, 0, 7, 6000)
        good = frame(1)
        answer = self.post(server, good + bad + frame(2))
        self.assertEqual((answer.status, answer.json["stored"], answer.json["bad"]), (200, 2, 1), answer)
        self.assertGreaterEqual(answer.json["first_error"]["offset"], len(good))
        self.assertEqual(self.post(server, good + b"garbage").json["stored"], 1)
        self.assertEqual(self.post(server, b"garbage").status, 400)
        self.assertEqual(self.post(server, b"").status, 400)
        self.assertEqual(self.post(server, good, kind="text/plain").status, 415)
        self.assertEqual(self.post(server, good, key="k" * 257).status, 400)
        with socket.create_connection(("127.0.0.1", server.http_port), lib.TIMEOUT) as s:
            s.sendall(b"POST /api/v1/import HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-hep\r\n"
                      b"Content-Length: 12582912\r\n\r\n")
            self.assertTrue(s.recv(4096).startswith(b"HTTP/1.1 413 "))
        self.assertEqual(server.get("/api/v1/import").status, 405)
        self.assertEqual(server.total(), 3)

    def test_keys(self) -> None:
        server = self.serve()
        frames = b"".join(frame(i) for i in range(1, 21))
        first = self.post(server, frames, "k1")
        self.assertEqual((first.status, first.json["stored"]), (200, 20))
        self.assertEqual(self.post(server, frames, "k1").json, first.json)
        self.assertEqual(self.post(server, frames[: len(frame(1))], "k1").status, 422)
        self.assertEqual(server.total(), 20)
        server.kill()
        again = self.serve()
        self.assertEqual(self.post(again, frames, "k1").json, first.json)
        self.assertEqual(again.total(), 20)
        self.assertEqual(again.stop(), 0, again.err)
        third = self.serve()
        self.assertEqual(self.post(third, frames, "k1").json, first.json)
        self.post(third, frames, "k2")
        self.assertEqual(third.total(), 40)


if __name__ == "__main__":
    lib.main()
