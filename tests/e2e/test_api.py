"""docs/api.yaml against the server: every operation called with its examples, every answer validated, random calls."""

from __future__ import annotations

import contextlib
import http.client as http_client
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
FORM = "application/x-www-form-urlencoded"


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

    def form(self, operation: dict) -> dict:
        """The properties of its form; none if it takes none."""
        content = operation.get("requestBody", {}).get("content", {})
        return content[FORM]["schema"]["properties"] if FORM in content else {}

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
        routes, forms = {}, {}
        for row in re.findall(r"\{ \.path = (.*?) \}", source, re.S):
            path = re.search(r'"([^"]+)"', row).group(1)
            method = re.search(r'\.method = "([A-Z]+)"', row).group(1).lower()
            params = re.search(r"\.params = (\w+)", row)
            form = re.search(r"\.form = (\w+)", row)
            forms[path, method] = lists[form.group(1)] if form else set()
            routes[path, method] = lists[params.group(1)] if params else set()
        for page in ("/", "/app.js", "/app.css", "/live.js", "/shared.js", "/icon.svg"):  # for browsers
            del routes[page, "get"], forms[page, "get"]
        described = {(path, method): {p["name"] for p in api.parameters(operation)}
                     for path, method, operation in api.operations()}
        self.assertEqual(described, routes)
        self.assertEqual({(path, method): set(api.form(operation)) for path, method, operation in api.operations()},
                         forms)


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

    def filled(self, path: str) -> str:
        """The path with a value for each {name}: one that the data has."""
        known = self.known() if "{" in path else {}
        return re.sub(r"\{(\w+)\}", lambda m: urllib.parse.quote(str(known[m.group(1)]), safe=""), path)

    def call(self, path: str, method: str, params: dict[str, Any], body: bytes | None = None,
             headers: dict | None = None) -> Answer:
        path = self.filled(path)
        query = urllib.parse.urlencode(params)
        return http(f"{self.server.url}{path}{'?' + query if query else ''}", method.upper(), body, headers)

    def call_endless(self, path: str, method: str, params: dict[str, Any], body: bytes | None = None,
                     headers: dict | None = None) -> Answer:
        """An answer that has no end: its first line is enough."""
        connection = http_client.HTTPConnection("127.0.0.1", self.server.http_port, timeout=lib.TIMEOUT)
        with contextlib.closing(connection):
            connection.request(method.upper(), f"{path}?{urllib.parse.urlencode(params)}", body, headers or {})
            reply = connection.getresponse()
            return Answer(reply.status, reply.headers, reply.readline() if reply.status == 200 else reply.read())

    def body_of(self, operation: dict) -> tuple[bytes | None, dict]:
        if "requestBody" not in operation:
            return None, {}
        content = operation["requestBody"]["content"]
        for kind, media in content.items():
            if "example" in media:
                example = urllib.parse.urlencode(media["example"]) if kind == FORM else media["example"]
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
                    calls.append({**needed, **parameter.get("x-with", {}), parameter["name"]: value})
            for params in calls:
                with self.subTest(f"{method} {path} {params}"):
                    answer = self.call(path, method, params, body, headers)
                    self.assertEqual(answer.status, operation.get("x-status", 200), answer)
                    self.api.check_answer(operation, answer)

    def test_fields_are_what_filters_know(self) -> None:
        for field in self.server.get("/api/v1/fields").json["fields"]:
            for of, path in (("messages", "search"), ("calls", "calls")):
                answer = self.server.get(f"/api/v1/{path}", q=field["example"].split("@")[0], limit=1)
                self.assertEqual(answer.status, 200 if of in field["of"] else 400, (field, answer))
                if field["values"] and of in field["of"]:
                    answer = self.server.get("/api/v1/values", field=field["name"], limit=1, of=of)
                    self.assertEqual(answer.status, 200, (field, answer))

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
        operations = list(self.api.operations())
        for _ in range(RANDOM_CALLS):
            path, method, operation = rng.choice(operations)
            params: dict[str, Any] = {}
            for parameter in self.api.parameters(operation):
                if rng.random() < (0.9 if parameter.get("required") else 0.3):
                    params[parameter["name"]] = random_value(rng, self.api.schema_of(parameter), parameter, known)
            body, headers = self.body_of(operation)
            if form := self.api.form(operation):
                body = urllib.parse.urlencode(
                    {name: random_value(rng, resolve(self.api.doc, schema), {"name": name}, known)
                     for name, schema in form.items() if rng.random() < 0.3}).encode()
            if body is not None and rng.random() < 0.5:
                body = mangled(rng, body)
            for parameter in self.api.parameters(operation, "header"):
                if rng.random() < 0.3:
                    headers[parameter["name"]] = random_header(rng)
            call = self.call_endless if "x-endless" in operation else self.call
            answer = call(path, method, params, body, headers)
            told = f"seed {seed}: {method} {path} {params} {body!r}: {answer}"
            self.assertTrue(answer.status < 500 or answer.status in BUSY, told)
            try:
                self.api.check_answer(operation, answer)
            except (AssertionError, jsonschema.ValidationError, ValueError) as error:
                raise AssertionError(f"{told}: {error}") from None
        self.assertEqual(self.server.get("/health").status, 200)

    def post(self, path: str, body: bytes, **headers: str) -> Answer:
        return http(f"{self.server.url}{path}", "POST", body, {"Content-Type": FORM, **headers})

    def test_forms_are_query_strings(self) -> None:
        """The same parameters as the body of a POST give the same answer."""
        ts = self.known()["ts"]
        for path, params in (("/api/v1/search", {"q": "method:INVITE OR from:+49*", "limit": 7, "total": 1, "to": ts}),
                             ("/api/v1/search", {"q": "ua:\"ä & b=c%\"", "format": "jsonl"}),
                             ("/api/v1/search", {"q": "method:INVITE form:x"}),
                             ("/api/v1/counts", {"q": "type:sip", "by": "method", "to": ts}),
                             ("/api/v1/export", {"q": "method:BYE", "format": "csv"})):
            with self.subTest(path=path, params=params):
                answers = [self.call(path, "get", params), self.post(path, urllib.parse.urlencode(params).encode())]
                for answer in answers:
                    if answer.headers["Content-Type"].endswith("json"):
                        answer.body = re.sub(rb'"octets_read":\d+', b"", answer.body)
                self.assertEqual(answers[0].status, answers[1].status)
                self.assertEqual(answers[0].body, answers[1].body)

    def test_forms_that_are_none(self) -> None:
        cases = [(b"q=a&q=b", 400, "more than once"), (b"fomat=json", 400, "did you mean 'format'"),
                 (b"q=%4", 400, "hexadecimal"), (b"q=%zz", 400, "hexadecimal"), (b"q=%", 400, "hexadecimal"),
                 (b"q=a%00b", 400, "NUL"), (b"q%00=a", 400, "unknown parameter"), (b"=", 400, "unknown parameter"),
                 (b"&".join(b"q%d=1" % i for i in range(40)), 400, "too many parameters"),
                 (b"q=" + b"a" * 300000, 413, "octets"), (b"q=" + b"a" * 100000, 400, "octets")]
        for body, status, text in cases:
            with self.subTest(body=body[:40]):
                answer = self.post("/api/v1/search", body)
                self.assertEqual(answer.status, status, answer)
                self.assertIn(text, answer.json["detail"])
        for body in (b"", b"&&", b"q=&&", b"limit=200"):
            self.assertEqual(self.post("/api/v1/search", body).json["count"], min(200, self.count + 20), body)
        answer = self.post("/api/v1/search", b"{}", **{"Content-Type": "application/json"})
        self.assertEqual(answer.status, 415, answer)
        answer = self.post("/api/v1/search?limit=5", b"q=method:INVITE")
        self.assertEqual(answer.status, 400, answer)
        answer = self.call("/api/v1/search", "delete", {})
        self.assertEqual((answer.status, answer.headers["Allow"]), (405, "GET, HEAD, POST"))

    def test_ten_thousand_terms(self) -> None:
        """Longer than any request line: by a form, and by the command line, which makes one of it."""
        call_id = self.known()["call_id"]
        wanted = self.server.search(f"callid:\"{call_id}\"")["count"]
        q = "callid:" + ",".join([f"\"{call_id}\"", *(f"a{i}" for i in range(9999))])
        answer = self.post("/api/v1/search", urllib.parse.urlencode({"q": q}).encode())
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json["count"], wanted)
        done = lib.run("search", "--server", self.server.url, "--from", "1970-01-01", "--format", "json", q)
        self.assertEqual((done.code, len(done.messages)), (0, wanted), done)
        done = lib.run("count", "--server", self.server.url, "--from", "1970-01-01", "--format", "json", q)
        self.assertEqual((done.code, done.messages[0]["total"]), (0, wanted), done)
        done = lib.run("export", "--server", self.server.url, "--from", "1970-01-01", "--format", "jsonl", q)
        self.assertEqual((done.code, len(done.messages)), (0, wanted), done)
        done = lib.run("search", "--server", self.server.url, q + " form:b")
        self.assertEqual(done.code, 2, done)
        self.assertIn("did you mean 'from'", done.err)

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


def random_header(rng: random.Random) -> str:
    alphabet = rng.choice(["0123456789abcdef.-", string.ascii_letters + string.digits + ".-_ ~!"])
    return "".join(rng.choice(alphabet) for _ in range(rng.choice([0, 1, 12, 300])))


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
