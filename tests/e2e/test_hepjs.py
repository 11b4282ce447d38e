"""hep-js 1.0.22 and hepcat read what the other one wrote, and write the same octets.

hep-js (GPL) is a peer for tests only. It is installed by `npm ci` from tests/peers into HEPCAT_PEERS_DIR (a build
directory), never into the source tree. Its defects (docs/hep-quirks.md: no IPv6, text counted in UTF-16 units,
transaction_type decoded as a number) are left out of what is compared, and where a defect is harmless to hepcat the
test says so.
"""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import unittest
from pathlib import Path

import lib

PEER = lib.ROOT / "tests" / "peers" / "hepjs.cjs"
# With these hep-js cannot read its own frames: it takes the text of transaction_type for a 16-bit number.
DECODE_DEFECT = {"v3-transaction-type-string"}


def install(directory: Path) -> Path:
    """node_modules with hep-js, installed once per build directory."""
    lib.need("node", "npm")
    source = lib.ROOT / "tests" / "peers"
    modules = directory / "node_modules"
    lock = source / "package-lock.json"
    stamp = directory / "installed-lock.json"
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "install.lock", "w") as mutex:  # tests may run beside one another
        fcntl.flock(mutex, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_bytes() == lock.read_bytes() and (modules / "hep-js").is_dir():
            return modules
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(source / name, directory / name)
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=directory,
                              capture_output=True, text=True, timeout=250, check=False)
        if done.returncode != 0:
            raise AssertionError(f"npm ci: {done.stdout}{done.stderr}")
        shutil.copyfile(lock, stamp)
    return modules


class HepJs(lib.Case):
    @classmethod
    def setUpClass(cls) -> None:
        directory = os.environ.get("HEPCAT_PEERS_DIR")
        cls.modules = install(Path(directory) if directory else Path(lib.hepcat()).parent / "peers")

    def peer(self, jobs: list[dict]) -> list[dict]:
        """Runs hep-js on jobs, a process for all of them."""
        done = subprocess.run(["node", str(PEER)], input="".join(json.dumps(j) + "\n" for j in jobs).encode(),
                              capture_output=True, timeout=lib.TIMEOUT, check=False,
                              env={**os.environ, "NODE_PATH": str(self.modules)})
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return [json.loads(line) for line in done.stdout.splitlines()]

    def js_decode(self, frame: bytes, extensions: dict | None = None) -> dict:
        return self.peer([{"do": "decapsulate", "hex": frame.hex(), "extensions": extensions or {}}])[0]["result"]

    def js_encode(self, message: dict, extensions: dict | None = None) -> bytes:
        job = {"do": "encapsulate", "message": message, "extensions": extensions or {}}
        return bytes.fromhex(self.peer([job])[0]["result"])

    def messages(self) -> list[dict]:
        m = lib.message
        return [
            m(1),
            m(2, protocol=6, srcIp="172.26.26.72", dstIp="255.255.255.255", srcPort=65535, dstPort=0),
            m(3, captureId=0xFFFFFFFF, timeSeconds=0xFFFFFFFF, timeUseconds=999999),
            m(4, payloadType=5, correlation_id="c1@h", payload='{"ssrc":1}'),
            m(5, payloadType=100, capturePass="", correlation_id="x", payload="a log line"),
            m(6, capturePass="s3cret", hepNodeName="2001"),
            m(7, payload="x" * 60000),
            m(8, payload=""),
            m(9, payload='quotes " and \\ and \t and \x00\x01 and \x7f'),
        ]

    def test_hepjs_reads_hepcat(self) -> None:
        messages = self.messages()
        frames = lib.split_frames(lib.encode(messages))
        self.assertEqual(len(frames), len(messages))
        jobs = [{"do": "decapsulate", "hex": f.hex(), "extensions": {}} for f in frames]
        for message, answer in zip(messages, self.peer(jobs)):
            self.assertEqual(answer["result"], message)

    def test_hepcat_reads_hepjs_and_frames_are_equal(self) -> None:
        messages = self.messages()
        answers = self.peer([{"do": "encapsulate", "message": m, "extensions": {}} for m in messages])
        frames = [bytes.fromhex(a["result"]) for a in answers]
        self.assertEqual(lib.decode(b"".join(frames)), messages)
        self.assertEqual(lib.split_frames(lib.encode(messages)), frames)

    def test_key_order_is_that_of_hepjs(self) -> None:
        """A reader that shows rcinfo as it comes sees the same text, not just the same object."""
        message = lib.message(1, capturePass="p", correlation_id="c")
        frame = lib.encode([message])
        ours = lib.run("decode", "-", stdin=frame).out.decode().rstrip("\n")
        names = lambda m: [k for k in m["rcinfo"] if k in ("srcIp", "dstIp", "srcPort", "timeSeconds", "payloadType")]
        self.assertEqual(names(json.loads(ours)), names(self.js_decode(frame)))

    def test_vectors_to_pack(self) -> None:
        vectors = [v for v in lib.vectors() if v.get("encode") or v.get("encode_input")]
        self.assertEqual(len(vectors), 12)
        for v in vectors:
            with self.subTest(v["name"]):
                given = v.get("encode_input") or {
                    "rcinfo": v["expect"]["rcinfo"],
                    "payload": base64.b64decode(v["expect"]["payload_b64"]).decode(),
                }
                extensions = v.get("extensions", {})
                want = bytes.fromhex(v["hex"])
                ours = lib.encode([given], *lib.vector_keys(v))
                self.assertEqual(ours.hex(), want.hex(), "hepcat encode")
                self.assertEqual(self.js_encode(given, extensions).hex(), want.hex(), "hep-js encapsulate")
                decoded = lib.decode(want, *lib.vector_keys(v))[0]
                self.assertEqual(decoded["rcinfo"], v["expect"]["rcinfo"])
                if v["name"] not in DECODE_DEFECT:
                    theirs = self.js_decode(ours, extensions)
                    plain = {k: decoded[k] for k in ("rcinfo", "payload")}
                    self.assertEqual(theirs, plain)

    def test_genesys_example(self) -> None:
        text = lib.GENESYS.read_text("utf-8")
        example = json.loads(text)
        extensions = {"8": {"128": {"keyName": "conversationId"}, "129": {"keyName": "organizationId"}}}
        frame = lib.encode(text, *lib.GENESYS_KEYS)
        self.assertEqual(self.js_encode(example, extensions).hex(), frame.hex())
        self.assertEqual(self.js_decode(frame, extensions), example)
        self.assertEqual(lib.decode(frame, *lib.GENESYS_KEYS), [example])
        # The two ids are known without being named, too.
        self.assertEqual(lib.decode(frame), [example])
        self.assertEqual(lib.encode([example]).hex(), frame.hex())

    def test_defaults_are_those_of_hepjs(self) -> None:
        """What is left out gets the same default from both: node name from the capture id, 127.0.0.1, 0."""
        for rcinfo in ({}, {"captureId": "17", "hepNodeName": ""}, {"srcPort": "5060", "dstIp": "1.2.3.4"},
                       {"payloadType": 35, "proto_type": 35, "correlation_id": "c", "mos": 441}):
            with self.subTest(rcinfo):
                # hep-js leaves the family 0 and calls the node "undefined" without these two.
                message = {"rcinfo": {"protocolFamily": 2, "captureId": 9, **rcinfo}, "payload": "x"}
                self.assertEqual(lib.encode([message]).hex(), self.js_encode(message).hex())

    def test_known_defects_stay_theirs(self) -> None:
        """Where hep-js is wrong, hepcat is right: if a newer hep-js is pinned, this tells what it mended."""
        v6 = lib.message(1, protocolFamily=10, srcIp="2001:db8::1", dstIp="2001:db8::2")
        self.assertNotIn("srcIp", self.js_decode(lib.encode([v6]))["rcinfo"])
        self.assertEqual(lib.decode(lib.encode([v6])), [v6])
        umlaut = lib.message(2, payload="h\u00e9llo")
        self.assertEqual(self.js_decode(lib.encode([umlaut])), umlaut)
        self.assertNotEqual(self.js_encode(umlaut), lib.encode([umlaut]))
        self.assertEqual(lib.decode(lib.encode([umlaut])), [umlaut])

    def test_lock_file_names_no_registry(self) -> None:
        text = (lib.ROOT / "tests" / "peers" / "package-lock.json").read_text()
        self.assertNotIn("resolved", text)
        self.assertNotIn("http", text)
        self.assertFalse((lib.ROOT / "tests" / "peers" / "node_modules").exists())


if __name__ == "__main__":
    lib.main()
