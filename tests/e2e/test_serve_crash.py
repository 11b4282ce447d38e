"""kill -9 at many moments under load: nothing that was durable is lost, nothing is there twice, nothing is damaged.

HEPCAT_KILLS says how many moments (default 8). A sender posts batches and notes each 2xx; the server is killed at a
random moment, started again, and looked at. Each message carries its number.
"""

import os
import random
import re
import threading
import time
import urllib.error

import lib
from serve_lib import Server, http

KILLS = int(os.environ.get("HEPCAT_KILLS", "8"))
BATCH = 20


class Sender(threading.Thread):
    """Posts batches until it is told to stop; knows which were promised."""

    def __init__(self, server: Server, first: int):
        super().__init__(daemon=True)
        self.server, self.next, self.stop = server, first, False
        self.promised: list[int] = []

    def run(self) -> None:
        while not self.stop:
            numbers = range(self.next, self.next + BATCH)
            self.next += BATCH
            t = time.time()
            frames = lib.encode([lib.message(n, timeSeconds=int(t), timeUseconds=n % 1000000) for n in numbers])
            try:
                if http(self.server.to("http"), "POST", frames, timeout=5).status == 200:
                    self.promised += numbers
            except (OSError, urllib.error.URLError, ConnectionError):
                return


class Crash(lib.Case):
    def numbers(self, server: Server) -> list[int]:
        rows = server.search(columns="call_id", limit=100000)
        self.assertTrue(rows["rows_exact"], rows["problem"] if "problem" in rows else rows)
        return [int(re.match(r"call-(\d+)@", r["call_id"]).group(1)) for r in rows["rows"]]

    def test_kill_9(self) -> None:
        rng = random.Random(os.environ.get("HEPCAT_SEED", "1"))
        data = self.tmp / "data"
        config = self.file("c.yaml", "seal:\n  interval: 1s\nwal:\n  interval: 20ms\n")
        promised: set[int] = set()
        first = 1
        for kill in range(KILLS):
            with Server(data, "--config", config, listen=("http", "tcp", "udp")) as server:
                there = self.numbers(server)
                self.assertEqual(len(there), len(set(there)), f"kill {kill}: some are there twice")
                self.assertEqual(promised - set(there), set(), f"kill {kill}: durable ones are gone")
                sender = Sender(server, first)
                sender.start()
                time.sleep(rng.random() * 2.5)
                server.kill()
                sender.stop = True
                sender.join(lib.TIMEOUT)
                promised |= set(sender.promised)
                first = sender.next
        with Server(data) as server:
            there = self.numbers(server)
            self.assertEqual(len(there), len(set(there)))
            self.assertEqual(promised - set(there), set())
            self.assertGreater(len(promised), 0)
            self.assertEqual(server.reasons() & {"files_set_aside", "log_damaged"}, set())


if __name__ == "__main__":
    lib.main()
