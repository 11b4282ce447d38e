"""`hepcat serve` in tests: started on free ports of loopback with a data directory, asked over HTTP."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import lib


class Answer:
    """What an HTTP request gave."""

    def __init__(self, status: int, headers: Any, body: bytes):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"HTTP {self.status}: {self.body[:2000]!r}"


def http(url: str, method: str = "GET", body: bytes | None = None, headers: dict | None = None,
         timeout: float = lib.TIMEOUT) -> Answer:
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as reply:
            return Answer(reply.status, reply.headers, reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


def payload_of(row: dict) -> bytes:
    text = row["payload"]
    return base64.b64decode(text) if row.get("payload_encoding") == "base64" else text.encode()


class Server(lib.Process):
    """Runs until the end of the with block; ready when it says so. Its data directory outlives it."""

    def __init__(self, data: Path, *args: str, listen: tuple[str, ...] = ("udp", "tcp"), host: str = "127.0.0.1",
                 env: dict | None = None, ready: bool = True, http_port: int = 0):
        self.data = data
        shown = f"[{host}]" if ":" in host else host
        kinds = {"udp": socket.SOCK_DGRAM, "tls": socket.SOCK_STREAM, "tcp": socket.SOCK_STREAM}
        self.ports = {k: lib.free_port(kinds.get(k, socket.SOCK_STREAM), host) for k in listen}
        self.http_port = http_port or lib.free_port(socket.SOCK_STREAM)
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.host = shown
        urls = [word for k in listen for word in ("--listen", f"{k}://{shown}:{self.ports[k]}")]
        super().__init__(lib.hepcat(), "serve", "--data", str(data), "--http", f"127.0.0.1:{self.http_port}", *urls,
                         *args, env=env)
        if ready:
            try:
                self.wait_error_line(" ready ")
            except BaseException:
                self.__exit__()
                raise

    # ------------------------------------------------------------------------------------------------- sending

    def to(self, transport: str) -> str:
        return f"{transport}://{self.host}:{self.ports[transport]}"

    def send(self, messages: list[dict], transport: str = "tcp", *args: str) -> None:
        done = lib.run("encode", "--to", self.to(transport), *args, stdin=lib.jsonl(messages))
        if done.code != 0:
            raise AssertionError(f"encode: {done}")

    # ------------------------------------------------------------------------------------------------- asking

    def get(self, path: str, **params: Any) -> Answer:
        token = params.pop("_token", None)
        query = urllib.parse.urlencode(params)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return http(f"{self.url}{path}{'?' + query if query else ''}", headers=headers)

    def search(self, q: str = "", **params: Any) -> dict:
        params.setdefault("limit", 100000)
        params.setdefault("from", "1970-01-01T00:00:00Z")
        answer = self.get("/api/v1/search", q=q, **params)
        if answer.status != 200:
            raise AssertionError(f"search {q!r}: {answer}")
        return answer.json

    def total(self, q: str = "", **params: Any) -> int:
        result = self.search(q, total="only", **params)
        if not result["total_exact"]:
            raise AssertionError(f"the total is not exact: {result}")
        return result["total"]

    def wait_total(self, count: int, q: str = "", timeout: float = lib.TIMEOUT) -> None:
        """Until that many rows match; more are an error."""
        last = -1

        def there() -> bool:
            nonlocal last
            last = self.total(q)
            if last > count:
                raise AssertionError(f"{last} rows match {q!r}, {count} were sent")
            return last == count

        try:
            lib.wait_for(there, f"{count} rows of {q!r}", timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}; {last} there. The server said:\n{self.err}") from None

    def payloads(self, q: str = "", **params: Any) -> list[bytes]:
        """Payloads in the order of time."""
        rows = self.search(q, payload=1, order="oldest", **params)["rows"]
        return [payload_of(row) for row in rows]

    def metric(self, name: str) -> float:
        for line in self.get("/metrics").body.decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        raise AssertionError(f"no metric {name}")

    def health(self) -> dict:
        return self.get("/health").json

    def reasons(self) -> set[str]:
        return {r["code"] for r in self.health().get("reasons", [])}

    # ------------------------------------------------------------------------------------------------- ending

    def kill(self) -> None:
        os.kill(self.proc.pid, signal.SIGKILL)
        self.proc.wait()

    def files(self) -> list[Path]:
        return sorted((self.data / "lake").rglob("*.parquet"))

    def wait_sealed(self, at_least: int = 1) -> None:
        lib.wait_for(lambda: len(self.files()) >= at_least, f"{at_least} sealed files")

