"""What the end-to-end tests share: running hepcat, waiting for events, building frames and captures.

Each test file runs alone: python3 tests/e2e/test_X.py --hepcat PATH (or HEPCAT in the environment). Nothing here sleeps
for a fixed time where an event can be waited for; every wait has a limit (E2E_TIMEOUT seconds, default 30), so that a
hang is a failure with a text.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path
from typing import Any, Callable, Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "tests" / "vectors" / "hep-vectors.json"
GENESYS = ROOT / "tests" / "vectors" / "genesys-example.json"
GENESYS_KEYS = ["--vendor-key", "8:128:conversationId", "--vendor-key", "8:129:organizationId"]
TIMEOUT = float(os.environ.get("E2E_TIMEOUT", "30"))

_hepcat = os.environ.get("HEPCAT", "")


def hepcat() -> str:
    return _hepcat


def main() -> None:
    """Takes --hepcat PATH off the command line and runs the tests of the calling file."""
    global _hepcat
    argv = sys.argv[:]
    if "--hepcat" in argv:
        at = argv.index("--hepcat")
        if at + 1 == len(argv):
            sys.exit("--hepcat needs a path")
        _hepcat = argv[at + 1]
        del argv[at : at + 2]
    if not _hepcat or not os.access(_hepcat, os.X_OK):
        sys.exit(f"no hepcat at '{_hepcat}': use --hepcat PATH or HEPCAT=PATH")
    _hepcat = str(Path(_hepcat).resolve())
    # The tests import this file as a module of its own name: tell that copy, too.
    sys.modules["lib"].__dict__["_hepcat"] = _hepcat
    unittest.main(module="__main__", argv=argv, verbosity=1)


def need(*programs: str) -> None:
    """Skips the test if a program is missing. CI sets E2E_STRICT=1: then a missing program is a failure."""
    missing = [p for p in programs if shutil.which(p) is None and shutil.which(p, path="/usr/sbin:/sbin") is None]
    if not missing:
        return
    if os.environ.get("E2E_STRICT") == "1":
        raise AssertionError(f"not installed: {', '.join(missing)}")
    raise unittest.SkipTest(f"not installed: {', '.join(missing)}")


class Case(unittest.TestCase):
    """A test case with a temporary directory and processes that end with the test."""

    maxDiff = 4000

    def setUp(self) -> None:
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.tmp = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="hepcat-e2e-")))

    def file(self, name: str, content: bytes | str) -> str:
        path = self.tmp / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def listen(self, *args: str, **kwargs: Any) -> "Listener":
        return self.stack.enter_context(Listener(*args, **kwargs))


# ---------------------------------------------------------------------------------------------------------- running


class Result:
    """What a program that ended left behind."""

    def __init__(self, code: int, out: bytes, err: str):
        self.code, self.out, self.err = code, out, err

    @property
    def messages(self) -> list[dict]:
        return [json.loads(line) for line in self.out.splitlines()]

    def __repr__(self) -> str:
        return f"exit {self.code}, {len(self.out)} octets\nstdout: {self.out[:1000]!r}\nstderr: {self.err[:3000]}"


def run(*args: str, stdin: bytes | str = b"", program: str | None = None, timeout: float = TIMEOUT, cwd: Any = None,
        env: dict | None = None) -> Result:
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run([program or _hepcat, *args], input=data, capture_output=True, timeout=timeout, cwd=cwd,
                          env=env, check=False)
    return Result(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))


def encode(messages: Sequence[dict] | str | bytes, *args: str) -> bytes:
    """Frames of messages (or of a text as it is); anything but success raises."""
    text = messages if isinstance(messages, (str, bytes)) else "".join(json.dumps(m) + "\n" for m in messages)
    result = run("encode", *args, "-", stdin=text)
    if result.code != 0:
        raise AssertionError(f"encode failed: {result}")
    return result.out


def decode(data: bytes, *args: str) -> list[dict]:
    result = run("decode", *args, "-", stdin=data)
    if result.code != 0:
        raise AssertionError(f"decode failed: {result}")
    return result.messages


def wait_for(condition: Callable[[], Any], what: str, timeout: float = TIMEOUT) -> Any:
    """Polls what offers no event to wait for (a file that grows)."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"timed out after {timeout} s: {what}")
        time.sleep(0.01)


class Process:
    """A program in the background whose two outputs are read as they come."""

    def __init__(self, *argv: str, stdin: Any = subprocess.DEVNULL, cwd: Any = None, env: dict | None = None):
        self.argv = argv
        # A session of its own, so that children that outlive their parent (Kamailio's do) can be ended, too.
        self.proc = subprocess.Popen(argv, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd,
                                     env=env, start_new_session=True)
        self.lines: "queue.Queue[bytes | None]" = queue.Queue()
        self.errors: list[str] = []
        self._error_event = threading.Condition()
        self._error_end = False
        self._threads = [threading.Thread(target=t, daemon=True) for t in (self._read_out, self._read_err)]
        for thread in self._threads:
            thread.start()

    def _read_out(self) -> None:
        assert self.proc.stdout is not None
        for line in self.proc.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def _read_err(self) -> None:
        assert self.proc.stderr is not None
        for line in self.proc.stderr:
            with self._error_event:
                self.errors.append(line.decode("utf-8", "replace").rstrip("\n"))
                self._error_event.notify_all()
        with self._error_event:
            self._error_end = True
            self._error_event.notify_all()

    @property
    def err(self) -> str:
        return "\n".join(self.errors)

    def wait_error_line(self, text: str, timeout: float = TIMEOUT) -> str:
        """The first line on standard error that contains text."""
        end = time.monotonic() + timeout
        with self._error_event:
            while True:
                for line in self.errors:
                    if text in line:
                        return line
                left = end - time.monotonic()
                if left <= 0 or self._error_end:
                    raise AssertionError(f"{self.argv}: no '{text}' on standard error, but:\n{self.err}")
                self._error_event.wait(left)

    def next_line(self, timeout: float = TIMEOUT) -> bytes:
        try:
            line = self.lines.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError(f"{self.argv}: no output in {timeout} s; standard error:\n{self.err}") from None
        if line is None:
            self.lines.put(None)
            raise AssertionError(f"{self.argv}: output ended; standard error:\n{self.err}")
        return line

    def take(self, count: int, timeout: float = TIMEOUT) -> list[dict]:
        """The next `count` JSON lines."""
        end = time.monotonic() + timeout
        return [json.loads(self.next_line(max(0.01, end - time.monotonic()))) for _ in range(count)]

    def wait(self, timeout: float = TIMEOUT) -> int:
        try:
            code = self.proc.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.argv}: still running after {timeout} s; standard error:\n{self.err}") from None
        for thread in self._threads:
            thread.join(timeout)
        return code

    def rest(self) -> list[bytes]:
        """Lines not taken yet, after the end."""
        lines = []
        while True:
            line = self.lines.get(timeout=TIMEOUT)
            if line is None:
                self.lines.put(None)
                return lines
            lines.append(line)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ends it in order; its exit status."""
        if self.proc.poll() is None:
            self.proc.send_signal(number)
        return self.wait()

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *exc: Any) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.proc.pid, signal.SIGKILL)
        self.proc.wait()
        for thread in self._threads:
            thread.join(5)
        for stream in (self.proc.stdout, self.proc.stderr, self.proc.stdin):
            if stream is not None:
                stream.close()


class Listener(Process):
    """`hepcat decode` with listeners; .port is that of the first one."""

    def __init__(self, *args: str, env: dict | None = None):
        super().__init__(_hepcat, "decode", *args, env=env)
        kinds = [a[2:] for a in args if a in ("--udp", "--tcp", "--tls", "--http", "--https")]
        self.ports: dict[str, int] = {}
        try:
            for kind in kinds:
                line = self.wait_error_line(f"listening on {kind} ")
                self.ports[kind] = int(line.rsplit(":", 1)[1])
        except BaseException:
            self.__exit__()
            raise
        self.port = self.ports[kinds[0]]


def free_port(kind: int = socket.SOCK_DGRAM, host: str = "127.0.0.1") -> int:
    """A port that was free a moment ago, for programs that cannot choose one themselves."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as s:
        s.bind((host, 0))
        return s.getsockname()[1]


# ---------------------------------------------------------------------------------------------------------- messages


def sip(number: int = 1, method: str = "OPTIONS", body: str = "") -> str:
    return (f"{method} sip:bob@example.org SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK{number:08x}\r\n"
            f"From: <sip:alice@example.org>;tag=a{number}\r\nTo: <sip:bob@example.org>\r\n"
            f"Call-ID: call-{number}@example.org\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}")


def message(number: int = 1, **rcinfo: Any) -> dict:
    """A message with all everyday fields, in the order of hep-js; keywords change or add fields, None leaves out."""
    payload = rcinfo.pop("payload", None)
    info = {
        "protocolFamily": 2, "protocol": 17, "srcIp": "10.0.0.1", "dstIp": "10.0.0.2", "srcPort": 5060,
        "dstPort": 5061, "timeSeconds": 1700000000 + number // 1000, "timeUseconds": number % 1000 * 1000,
        "payloadType": 1, "captureId": 2001, "hepNodeName": "node1",
    }
    info.update(rcinfo)
    info = {k: v for k, v in info.items() if v is not None}
    return {"rcinfo": info, "payload": sip(number) if payload is None else payload}


def jsonl(messages: Sequence[dict]) -> str:
    return "".join(json.dumps(m, ensure_ascii=False) + "\n" for m in messages)


def vectors() -> list[dict]:
    return json.loads(VECTORS.read_text("utf-8"))


def vector_keys(vector: dict) -> list[str]:
    """The vector's vendor extensions as --vendor-key options."""
    kinds = {None: "text", "UInt8": "u8", "UInt16": "u16", "UInt32": "u32"}
    args = []
    for vendor, types in vector.get("extensions", {}).items():
        for number, key in types.items():
            args += ["--vendor-key", f"{vendor}:{number}:{kinds[key.get('type')]}:{key['keyName']}"]
    return args


def split_frames(data: bytes) -> list[bytes]:
    frames = []
    while data:
        assert data[:4] == b"HEP3", data[:16]
        total = struct.unpack_from(">H", data, 4)[0]
        assert 6 <= total <= len(data), (total, len(data))
        frames.append(data[:total])
        data = data[total:]
    return frames


# ---------------------------------------------------------------------------------------------------------- captures


def ip_checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip4(payload: bytes, protocol: int, src: str = "10.1.0.1", dst: str = "10.1.0.2", ident: int = 1, offset: int = 0,
        more: bool = False) -> bytes:
    """An IPv4 packet; offset in octets."""
    flags = offset // 8 | (0x2000 if more else 0)
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident, flags, 64, protocol, 0,
                         socket.inet_aton(src), socket.inet_aton(dst))
    return header[:10] + struct.pack(">H", ip_checksum(header)) + header[12:] + payload


def ip6(payload: bytes, protocol: int, src: str = "2001:db8::1", dst: str = "2001:db8::2") -> bytes:
    return struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + socket.inet_pton(socket.AF_INET6, src) + \
        socket.inet_pton(socket.AF_INET6, dst) + payload


def udp(payload: bytes, src_port: int = 40000, dst_port: int = 9060) -> bytes:
    return struct.pack(">HHHH", src_port, dst_port, 8 + len(payload), 0) + payload


def tcp(payload: bytes, seq: int, ack: int = 1, flags: int = 0x18, src_port: int = 40000,
        dst_port: int = 9060) -> bytes:
    """flags: 2 SYN, 0x10 ACK, 0x18 PSH+ACK, 0x11 FIN+ACK."""
    return struct.pack(">HHIIBBHHH", src_port, dst_port, seq & 0xFFFFFFFF, ack, 5 << 4, flags, 65535, 0, 0) + payload


def ethernet(packet: bytes, vlan: int | None = None) -> bytes:
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    tag = b"" if vlan is None else b"\x81\x00" + struct.pack(">H", vlan)
    return bytes.fromhex("020000000002020000000001") + tag + kind + packet


def pcap(packets: Sequence[bytes], link: int = 1) -> bytes:
    """A classic pcap, a packet a millisecond; link 1 is Ethernet, 101 raw IP."""
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link)
    for i, packet in enumerate(packets):
        out += struct.pack("<IIII", 1700000000 + i // 1000, i % 1000 * 1000, len(packet), len(packet)) + packet
    return out


# ---------------------------------------------------------------------------------------------------------- TLS


def certtool(tmp: Path, *args: str) -> None:
    done = subprocess.run(["certtool", "--no-text", *args], cwd=tmp, capture_output=True, timeout=TIMEOUT, check=False)
    if done.returncode != 0:
        raise AssertionError(f"certtool {args}: {done.stderr.decode()}")


def make_ca(tmp: Path, name: str = "ca") -> str:
    """A certificate authority; the path of its certificate."""
    (tmp / f"{name}.cfg").write_text(f'cn = "hepcat test {name}"\nca\ncert_signing_key\nexpiration_days = 2\n')
    certtool(tmp, "--generate-privkey", "--key-type=ecdsa", "--outfile", f"{name}.key")
    certtool(tmp, "--generate-self-signed", "--load-privkey", f"{name}.key", "--template", f"{name}.cfg", "--outfile",
             f"{name}.pem")
    return str(tmp / f"{name}.pem")


def make_cert(tmp: Path, name: str, ca: str = "ca", names: Sequence[str] = ("localhost",),
              ips: Sequence[str] = ("127.0.0.1", "::1")) -> tuple[str, str]:
    """A certificate signed by make_ca()'s; the paths of certificate and key."""
    lines = [f'cn = "{name}"', "expiration_days = 2", "signing_key", "tls_www_server", "tls_www_client"]
    lines += [f'dns_name = "{n}"' for n in names] + [f'ip_address = "{ip}"' for ip in ips]
    (tmp / f"{name}.cfg").write_text("\n".join(lines) + "\n")
    certtool(tmp, "--generate-privkey", "--key-type=ecdsa", "--outfile", f"{name}.key")
    certtool(tmp, "--generate-certificate", "--load-privkey", f"{name}.key", "--load-ca-certificate", f"{ca}.pem",
             "--load-ca-privkey", f"{ca}.key", "--template", f"{name}.cfg", "--outfile", f"{name}.pem")
    return str(tmp / f"{name}.pem"), str(tmp / f"{name}.key")


@contextlib.contextmanager
def udp_socket(host: str = "127.0.0.1") -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.bind((host, 0))
        s.settimeout(TIMEOUT)
        yield s


def udp_bound(port: int) -> bool:
    """True if some process has bound this UDP port: from then on the kernel keeps what is sent there."""
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        with contextlib.suppress(OSError), open(table, encoding="ascii") as f:
            if any(line.split()[1].endswith(f":{port:04X}") for line in list(f)[1:]):
                return True
    return False
