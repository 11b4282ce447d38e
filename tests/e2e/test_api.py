"""docs/api.yaml against the server: every operation called with its examples, every answer validated, random calls."""

from __future__ import annotations

import json
import os
import random
import re
import socket
import string
import sys
import urllib.parse
from pathlib import Path
from typing import Any

try:
    import jsonschema
    import yaml
except ImportError:  # another Python than the one that the packages were installed for
    if sys.executable == "/usr/bin/python3":
        raise
    os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])

sys.path.insert(0, str(Path(__file__).parent))

import lib  # noqa: E402
from serve_lib import Answer, Server, http  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
RANDOM_CALLS = 1200
BUSY = {429, 503}  # a server may be busy; nothing else may fail on its side
SERVER_ENV = {**os.environ, "HEPCAT_HEP_CLOCK_WINDOW": "36500d", "HEPCAT_QUERY_SQL": "true",
              "HEPCAT_SEAL_INTERVAL": "2s"}
METHODS = ("get", "post", "put", "delete")


def resolve(doc: dict, node: Any) -> Any:
    while isinstance(node, dict) and set(node) == {"$ref"}:
        parts = node["$ref"].removeprefix("#/").split("/")
        node = doc
        for part in parts:
            node = node[part]
    return node


class Api:
    """The description, with what tests want to know of it."""

    def __init__(self) -> None:
        self.text = (ROOT / "docs" / "api.yaml").read_text()
        self.doc = yaml.safe_load(self.text)

    def operations(self):
        for path, item in self.doc["paths"].items():
            for method in METHODS:
                if method in item:
                    yield path, method, item[method]

    def parameters(self, operation: dict, where: str = "query") -> list[dict]:
        found = [resolve(self.doc, p) for p in operation.get("parameters", [])]
        return [p for p in found if p["in"] == where]

    def schema_of(self, parameter: dict) -> dict:
        return resolve(self.doc, parameter["schema"])

    def response(self, operation: dict, status: int) -> dict | None:
        responses = operation["responses"]
        return resolve(self.doc, responses.get(str(status), responses.get("default")))

    def check(self, schema: dict, value: Any) -> None:
        jsonschema.Draft202012Validator({**schema, "components": self.doc["components"]}).validate(value)

    def check_answer(self, operation: dict, answer: Answer) -> None:
        """Status, media type and body are as described."""
        response = self.response(operation, answer.status)
        if "content" not in response:
            assert answer.body == b"", answer
            return
        kind = answer.headers.get("Content-Type", "").split(";")[0]
        assert kind in response["content"], f"{kind} is not described: {answer}"
        schema = response["content"][kind].get("schema")
        if schema is None:
            return
        if kind == "application/x-ndjson":
            for line in answer.body.splitlines():
                self.check(schema, json.loads(line))
        else:
            self.check(schema, answer.json)


class Description(lib.Case):
    def test_every_reference_leads_somewhere(self) -> None:
        api = Api()
        for ref in set(re.findall(r'\$ref: "?(#[^"\s}]+)', api.text)):
            resolve(api.doc, {"$ref": ref})

    def test_every_schema_is_one(self) -> None:
        api = Api()
        for schema in api.doc["components"]["schemas"].values():
            jsonschema.Draft202012Validator.check_schema(schema)

    def test_every_operation_is_whole(self) -> None:
        api = Api()
        names = set()
        for path, method, operation in api.operations():
            where = f"{method} {path}"
            self.assertNotIn(operation["operationId"], names)
            names.add(operation["operationId"])
            self.assertTrue(operation["summary"].endswith("."), where)
            self.assertIn("default", operation["responses"], where)
            for kind, media in resolve(api.doc, operation["responses"]["200"])["content"].items():
                if kind == "application/json":
                    self.assertIn("example", media, f"{where} has no example")
            for parameter in api.parameters(operation):
                self.assertIn("description", parameter, where)

    def test_examples_are_what_they_exemplify(self) -> None:
        api = Api()
        for path, method, operation in api.operations():
            for response in operation["responses"].values():
                for media in resolve(api.doc, response).get("content", {}).values():
                    if "example" in media and "schema" in media:
                        api.check(media["schema"], media["example"])
            for parameter in api.parameters(operation):
                if "example" in parameter:
                    api.check(parameter["schema"], parameter["example"])

    def test_routes_are_described(self) -> None:
        """The server's table of routes and the description name the same ones; so do their parameters."""
        api = Api()
        source = (ROOT / "src" / "api" / "routes.c").read_text()
        lists = {name: set(re.findall(r'"([a-z_]+)"', words)) for name, words in
                 re.findall(r"char \*const (\w+)\[\] = \{(.*?)\}", source, re.S)}
        routes = {}
        for row in re.findall(r"\{ \.path = (.*?)\}", source, re.S):
            path = re.search(r'"([^"]+)"', row).group(1)
            method = re.search(r'\.method = "([A-Z]+)"', row).group(1).lower()
            params = re.search(r"\.params = (\w+)", row)
            routes[path, method] = lists[params.group(1)] if params else set()
        for page in ("/", "/page.js", "/page.css"):  # for browsers
            del routes[page, "get"]
        described = {(path, method): {p["name"] for p in api.parameters(operation)}
                     for path, method, operation in api.operations()}
        self.assertEqual(described, routes)


def send_mix(server: Server, tmp: Path, calls: int) -> int:
    """Calls, registrations, RTCP and logs as `hepcat demo` makes them. Returns how many messages there are."""
    frames = tmp / "mix.hep"
    done = lib.run("demo", "--fast", "--raw", "--count", str(calls), "--seed", "7", "--start", "1769860800")
    if done.code != 0:
        raise AssertionError(done)
    frames.write_bytes(done.out)
    answer = http(f"{server.url}/api/v1/import", "POST", done.out, {"Content-Type": "application/x-hep"})
    if answer.status != 200:
        raise AssertionError(answer)
    return answer.json["stored"]


class ServerAnswers(lib.Case):
    def setUp(self) -> None:
        super().setUp()
        self.api = Api()
        self.server = self.stack.enter_context(Server(self.tmp / "data", env=SERVER_ENV))
        self.count = send_mix(self.server, self.tmp, 60)
        self.server.send([lib.message(i) for i in range(20)], "udp")
        self.server.wait_total(self.count + 20)

    def known(self) -> dict[str, Any]:
        """Values of parameters that only the data knows."""
        row = self.server.search("type:sip method:INVITE", limit=1)["rows"][0]
        return {"seq": row["seq"], "ts": row["ts"], "call_id": row["call_id"]}

    def call(self, path: str, method: str, params: dict[str, Any], body: bytes | None = None,
             headers: dict | None = None) -> Answer:
        query = urllib.parse.urlencode(params)
        return http(f"{self.server.url}{path}{'?' + query if query else ''}", method.upper(), body, headers)

    def body_of(self, operation: dict) -> tuple[bytes | None, dict]:
        if "requestBody" not in operation:
            return None, {}
        content = operation["requestBody"]["content"]
        for kind, media in content.items():
            if "example" in media:
                example = media["example"]
                body = example.encode() if isinstance(example, str) else json.dumps(example).encode()
                return body, {"Content-Type": kind}
        frames = lib.encode([lib.message(1)])
        return frames, {"Content-Type": next(iter(content))}

    def test_every_operation_answers_as_described(self) -> None:
        known = self.known()
        for path, method, operation in self.api.operations():
            if "x-endless" in operation:
                continue  # has tests of its own
            parameters = self.api.parameters(operation)
            needed = {p["name"]: known.get(p["name"], p.get("example")) for p in parameters if p.get("required")}
            body, headers = self.body_of(operation)
            calls = [needed]
            calls += [{**needed, p["name"]: p["example"]} for p in parameters
                      if "example" in p and p["name"] not in needed]
            for parameter in parameters:
                for value in self.api.schema_of(parameter).get("enum", []):
                    calls.append({**needed, parameter["name"]: value})
            for params in calls:
                with self.subTest(f"{method} {path} {params}"):
                    answer = self.call(path, method, params, body, headers)
                    self.assertEqual(answer.status, operation.get("x-status", 200), answer)
                    self.api.check_answer(operation, answer)

    def test_fields_are_what_filters_know(self) -> None:
        for field in self.server.get("/api/v1/fields").json["fields"]:
            answer = self.server.get("/api/v1/search", q=field["example"], limit=1)
            self.assertEqual(answer.status, 200, answer)
            if field["values"]:
                answer = self.server.get("/api/v1/values", field=field["name"], limit=1)
                self.assertEqual(answer.status, 200, answer)

    def test_mistakes_are_problems(self) -> None:
        for path, method, operation in self.api.operations():
            for params in ({"nonsense": 1}, {"q": "from:", "form": "x"}):
                answer = self.call(path, method, params, *self.body_of(operation))
                with self.subTest(f"{method} {path} {params}"):
                    self.assertGreaterEqual(answer.status, 400)
                    self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
                    self.api.check_answer(operation, answer)
        answer = self.server.get("/api/v1/search", fomat="json")
        self.assertIn("did you mean 'format'", answer.json["detail"])

    def test_pages_by_cursor(self) -> None:
        seen: list[int] = []
        params: dict[str, Any] = {"limit": 37}
        while True:
            answer = self.server.get("/api/v1/search", **params).json
            seen += [row["seq"] for row in answer["rows"]]
            if answer["next"] is None:
                break
            params["after"] = answer["next"]
        self.assertEqual(len(seen), self.count + 20)
        self.assertEqual(len(set(seen)), len(seen))

    def test_random_calls(self) -> None:
        """Values that fit and values that do not, of every operation: never an error of the server."""
        seed = random.randrange(1 << 32)
        rng = random.Random(seed)
        known = self.known()
        operations = [o for o in self.api.operations() if "x-endless" not in o[2]]
        for _ in range(RANDOM_CALLS):
            path, method, operation = rng.choice(operations)
            params = {}
            for parameter in self.api.parameters(operation):
                if rng.random() < (0.9 if parameter.get("required") else 0.3):
                    params[parameter["name"]] = random_value(rng, self.api.schema_of(parameter), parameter, known)
            body, headers = self.body_of(operation)
            if body is not None:
                body = mangled(rng, body)
            answer = self.call(path, method, params, body, headers)
            told = f"seed {seed}: {method} {path} {params} {body!r}: {answer}"
            self.assertTrue(answer.status < 500 or answer.status in BUSY, told)
            try:
                self.api.check_answer(operation, answer)
            except (AssertionError, jsonschema.ValidationError, ValueError) as error:
                raise AssertionError(f"{told}: {error}") from None
        self.assertEqual(self.server.get("/health").status, 200)

    def test_hostile_requests(self) -> None:
        """Octets that are no good request end in an answer or an end, and the server lives on."""
        rng = random.Random(11)
        port = self.server.http_port
        for _ in range(150):
            line = bytes(rng.choice(b"GETPOS /?&=%\x00\xff:{}\"abc") for _ in range(rng.randrange(1, 200)))
            raw = rng.choice([
                line, b"GET /api/v1/search?q=" + line + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                b"GET /api/v1/search?" + line + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                b"POST /api/v1/import HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n" + line,
                b"POST /api/v1/import HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + line])
            with socket.create_connection(("127.0.0.1", port), timeout=lib.TIMEOUT) as s:
                try:
                    s.sendall(raw)
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(65536):
                        pass
                except OSError:
                    pass
        self.assertEqual(self.server.get("/health").status, 200)


def random_value(rng: random.Random, schema: dict, parameter: dict, known: dict) -> Any:
    choice = rng.random()
    if choice < 0.25 and parameter["name"] in known:
        return known[parameter["name"]]
    if choice < 0.5 and "example" in parameter:
        return parameter["example"]
    if choice < 0.75 and "enum" in schema:
        return rng.choice(schema["enum"])
    if choice < 0.75 and schema.get("type") == "integer":
        low, high = schema.get("minimum", -5), min(schema.get("maximum", 1000), 2000)
        return rng.randint(low, max(low, high))
    if parameter["name"] == "q":
        return random_filter(rng)
    alphabet = rng.choice([string.ascii_letters, string.printable, "0123456789-:.TZ", "äß漢\x01\U0001f600%&=+ "])
    return "".join(rng.choice(alphabet) for _ in range(rng.choice([0, 1, 3, 12, 80, 2000])))


def random_filter(rng: random.Random) -> str:
    words = ["from:+1555*", "method:INVITE", "status:>=400", "status:4xx", "NOT", "OR", "AND", "(", ")", "ip:10.0.0.0/8",
             "ua:*", "callid:\"a b\"", "x:y", "from:", "src:[::1]:5060", "type:rtcp", "error:*", "*", "\"", "/a+/",
             "user:/^(a+)+$/", "body:\"v=0\"", "header.X-Foo:bar", "ts:>-1h", "status:400..499", "pai:?",
             "method:INVITE,BYE", "num:+49301234"]
    return " ".join(rng.choice(words) for _ in range(rng.randrange(8)))


def mangled(rng: random.Random, body: bytes) -> bytes:
    octets = bytearray(body)
    for _ in range(rng.randrange(4)):
        if octets:
            octets[rng.randrange(len(octets))] = rng.randrange(256)
    return bytes(octets[:rng.randrange(len(octets) + 1)]) if rng.random() < 0.3 else bytes(octets)


if __name__ == "__main__":
    lib.main()
