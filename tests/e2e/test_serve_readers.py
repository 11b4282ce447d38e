"""Beside the server: its query worker, which may die, and `--data` readers, whose files stay until they are done."""

import os
import signal
import subprocess
import threading
from pathlib import Path

import lib
from serve_lib import Answer, Server
from test_serve import ServeCase, now_message


def workers_of(server: Server) -> list[int]:
    """Process ids of its query workers."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = status.read_text().rsplit(")", 1)[1].split()
            argv = (status.parent / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if int(words[1]) == server.proc.pid and words[0] != "Z" and b"query-worker" in argv:
            found.append(int(status.parent.name))
    return found


class Asking(threading.Thread):
    """A search in the background; what it was answered."""

    def __init__(self, server: Server, q: str):
        super().__init__(daemon=True)
        self.server, self.q = server, q
        self.answer: Answer | None = None
        self.start()

    def run(self) -> None:
        self.answer = self.server.get("/api/v1/search", q=self.q, total=1, limit=1000)

    def wait(self) -> Answer:
        self.join(lib.TIMEOUT)
        if self.answer is None:
            raise AssertionError(f"{self.q}: no answer\n{self.server.err}")
        return self.answer


def wide(word: str) -> str:
    """A filter that DuckDB is asked for, as it has more tests than our page reader takes."""
    return " ".join([f"callid:*{word}*"] + [f"callid:call-*{'example.org'[i:]}" for i in range(8)] +
                    [f"callid:{'call-'[:i]}*@example.org" for i in range(6)])


class Worker(ServeCase):
    def server_with_files(self) -> Server:
        server = self.serve("--config", self.file("c.yaml", "seal:\n  interval: 1s\n"))
        server.send([now_message(i, payload=lib.sip(i, "MESSAGE", f"text {i}")) for i in range(300)])
        server.wait_total(300)
        lib.wait_for(lambda: server.metric("hepcat_store_hot_rows") == 0, "the seal")
        self.assertEqual(workers_of(server), [])  # until it is needed
        return server

    def check_well(self, server: Server, word: str) -> None:
        result = server.search(wide(word), total=1)
        self.assertTrue(result["rows_exact"] and result["total_exact"], result)
        self.assertEqual(result["total"], 300)

    def test_killed_while_it_works(self) -> None:
        server = self.server_with_files()
        self.check_well(server, "c")
        worker, = workers_of(server)
        os.kill(worker, signal.SIGSTOP)  # it will not answer
        asking = Asking(server, wide("a"))
        lib.wait_for(lambda: server.metric("hepcat_searches_running") == 1, "the search")
        os.kill(worker, signal.SIGKILL)
        answer = asking.wait()
        self.assertEqual(answer.status, 200, answer)
        self.assertFalse(answer.json["rows_exact"] or answer.json["total_exact"])
        self.assertIn("query worker", answer.json["problem"])
        self.check_well(server, "l")
        self.assertNotEqual(workers_of(server), [worker])
        self.assertEqual(server.metric("hepcat_query_worker_restarts_total"), 1)
        self.assertNotIn("files_set_aside", server.reasons())

    def test_killed_while_idle(self) -> None:
        server = self.server_with_files()
        self.check_well(server, "c")
        for word in ("a", "l"):
            worker, = workers_of(server)
            os.kill(worker, signal.SIGKILL)
            lib.wait_for(lambda: workers_of(server) != [worker], "its end")
            answer = server.get("/api/v1/search", q=wide(word), total=1)
            self.assertEqual(answer.status, 200, answer)
            if not answer.json["rows_exact"]:  # it may not have been noticed before
                self.assertIn("query worker", answer.json["problem"])
            self.check_well(server, word + "l")

    def test_time_runs_out(self) -> None:
        """query.timeout after a reload, and a worker that hangs."""
        server = self.server_with_files()
        self.check_well(server, "c")
        self.file("c.yaml", "seal:\n  interval: 1s\nquery:\n  timeout: 500ms\n")
        server.proc.send_signal(signal.SIGHUP)
        server.wait_error_line("configuration reloaded")
        os.kill(workers_of(server)[0], signal.SIGSTOP)
        answer = server.get("/api/v1/search", q=wide("a"), total=1)
        self.assertEqual(answer.status, 200, answer)
        self.assertTrue(answer.json["timed_out"], answer)
        self.assertFalse(answer.json["rows_exact"] or answer.json["total_exact"])
        self.file("c.yaml", "seal:\n  interval: 1s\n")
        server.proc.send_signal(signal.SIGHUP)
        lib.wait_for(lambda: server.err.count("configuration reloaded") == 2, "the reload")
        self.check_well(server, "l")  # by a new one

    def test_ends_with_the_server(self) -> None:
        server = self.server_with_files()
        self.check_well(server, "c")
        worker, = workers_of(server)
        server.kill()
        lib.wait_for(lambda: not Path(f"/proc/{worker}/stat").exists() or
                     Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z", "the worker's end")


class Readers(ServeCase):
    def test_files_stay_for_a_reader(self) -> None:
        """`search --data` beside a server that merges the files that it reads."""
        server = self.serve("--config", self.file("c.yaml", "seal:\n  interval: 1s\n"))
        sent = 0

        def seal_some(count: int) -> None:
            nonlocal sent
            server.send([now_message(sent + i) for i in range(count)])
            sent += count
            server.wait_total(sent)
            lib.wait_for(lambda: server.metric("hepcat_store_hot_rows") == 0, "the seal")

        for _ in range(3):
            seal_some(1000)
        before = set(server.files())
        argv = [lib.hepcat(), "search", "--data", str(server.data), "--limit", "100000", "--format", "json", "--payload"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as reader:
            self.addCleanup(reader.kill)
            first = reader.stdout.read(1)  # the pipe takes 64 KiB of it: the reader stands still
            while server.metric("hepcat_store_merges_total") == 0:
                seal_some(10)
            self.assertIsNone(reader.poll())
            self.assertEqual(before - set(server.files()), set(), "files that a reader has are gone")
            out, err = reader.communicate(timeout=lib.TIMEOUT)
            self.assertEqual(reader.returncode, 0, err)
            self.assertEqual(len((first + out).splitlines()), 3000)
        lib.wait_for(lambda: not before & set(server.files()), "the old files being removed", timeout=60)
        self.assertEqual(server.total(), sent)
        done = lib.run("search", "--data", str(server.data), "--count")
        self.assertEqual((done.code, done.out.strip()), (0, str(sent).encode()), done)


if __name__ == "__main__":
    lib.main()
