"""
SIP as HEP over HTTPS through an API gateway to a function: docs/lambda.md and examples/lambda, run as they are written.

The gateway here is a TLS server that does what AWS API Gateway does: takes a POST, makes an event of it (payload format
1.0 of a REST API or 2.0 of an HTTP API, body in base64), invokes the function and answers with its statusCode. The
function is `hepcat decode -`, alone, behind function.sh, behind the custom runtime's bootstrap, or behind the Node.js
handler; analytics is a file of JSON lines.
"""

import base64
import http.server
import json
import os
import queue
import re
import ssl
import subprocess
import threading

import lib

EXAMPLES = lib.ROOT / "examples" / "lambda"
DOC = lib.ROOT / "docs" / "lambda.md"


def doc_command(name: str) -> str:
    """The fenced block of docs/lambda.md behind the comment <!-- test: NAME -->."""
    found = re.search(rf"<!-- test: {name} -->\n```sh\n(.*?)```", DOC.read_text(), re.S)
    assert found, f"no block '{name}' in {DOC}"
    return found.group(1)


class Gateway:
    """invoke(event) -> {"statusCode": ..., "body": ...} is the function behind it."""

    def __init__(self, cert: str, key: str, invoke, version: str = "2.0", api_key: str | None = None,
                 binary: bool = True):
        gateway = self
        self.invoke, self.version, self.api_key, self.binary = invoke, version, api_key, binary
        self.events: list[dict] = []
        self.fail_next = 0  # answers 503, as API Gateway does when it throttles or the function cannot start

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, text = gateway.handle(self.path, dict(self.headers.items()), body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def handle(self, path: str, headers: dict, body: bytes) -> tuple[int, bytes]:
        lower = {k.lower(): v for k, v in headers.items()}
        if self.api_key is not None and lower.get("x-api-key") != self.api_key:
            return 403, b'{"message":"Forbidden"}'
        if self.fail_next > 0:
            self.fail_next -= 1
            return 503, b'{"message":"Service Unavailable"}'
        event = self.event(path, lower, body)
        self.events.append(event)
        answer = self.invoke(event)
        return answer["statusCode"], answer.get("body", "").encode()

    def event(self, path: str, headers: dict, body: bytes) -> dict:
        encoded = {"body": base64.b64encode(body).decode(), "isBase64Encoded": True} if self.binary else \
            {"body": body.decode("utf-8", "replace"), "isBase64Encoded": False}
        if self.version == "2.0":
            return {
                "version": "2.0", "routeKey": f"POST {path}", "rawPath": path, "rawQueryString": "", "headers": headers,
                "requestContext": {
                    "accountId": "123456789012", "apiId": "api-id", "domainName": "localhost",
                    "http": {"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
                             "userAgent": headers.get("user-agent", "")},
                    "requestId": "id", "routeKey": f"POST {path}", "stage": "$default", "timeEpoch": 1700000000000,
                }, **encoded,
            }
        return {
            "resource": path, "path": path, "httpMethod": "POST", "headers": headers,
            "multiValueHeaders": {k: [v] for k, v in headers.items()}, "queryStringParameters": None,
            "requestContext": {"stage": "prod", "identity": {"sourceIp": "127.0.0.1"}, "requestId": "id"},
            "stageVariables": None, **encoded,
        }

    def __enter__(self) -> "Gateway":
        return self

    def __exit__(self, *exc) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class RuntimeApi:
    """The HTTP interface that a custom runtime's bootstrap talks to; invoke() is one invocation."""

    def __init__(self) -> None:
        api = self
        self.waiting: "queue.Queue[tuple[str, dict]]" = queue.Queue()
        self.answers: dict[str, queue.Queue] = {}
        self.count = 0
        self.lock = threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                id, event = api.waiting.get()  # no id: the test is over
                body = json.dumps(event).encode()
                if not id:
                    self.close_connection = True
                    return
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", id)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                *_, id, what = self.path.split("/")
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                api.answers[id].put(body if what == "response" else {"statusCode": 502, "body": "error"})
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def invoke(self, event: dict) -> dict:
        with self.lock:
            self.count += 1
            id = f"request-{self.count}"
        self.answers[id] = queue.Queue()
        self.waiting.put((id, event))
        return self.answers[id].get(timeout=lib.TIMEOUT)

    def __enter__(self) -> "RuntimeApi":
        return self

    def __exit__(self, *exc) -> None:
        self.waiting.put(("", {}))  # a bootstrap that still asks gets an answer
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Lambda(lib.Case):
    def setUp(self) -> None:
        lib.need("certtool", "curl")
        super().setUp()
        self.ca = lib.make_ca(self.tmp)
        self.cert, self.key = lib.make_cert(self.tmp, "server")
        self.lines = self.tmp / "analytics.jsonl"
        self.lines.touch()
        bin = self.tmp / "bin"
        bin.mkdir()
        (bin / "hepcat").symlink_to(lib.hepcat())
        self.env = {**os.environ, "PATH": f"{bin}:{os.environ['PATH']}", "HEPCAT_OUT": str(self.lines)}
        example = json.loads(lib.GENESYS.read_text("utf-8"))
        self.messages = [example] + [lib.message(i, capturePass="s3cret") for i in range(250)]
        example["rcinfo"]["capturePass"] = "s3cret"
        self.file("messages.jsonl", lib.jsonl(self.messages))

    def gateway(self, invoke, **args) -> Gateway:
        return self.stack.enter_context(Gateway(self.cert, self.key, invoke, **args))

    def script(self, event: dict) -> dict:
        done = subprocess.run([str(EXAMPLES / "function.sh")], input=json.dumps(event).encode(), env=self.env,
                              capture_output=True, timeout=lib.TIMEOUT, check=True)
        return json.loads(done.stdout)

    def analytics(self) -> list[dict]:
        return [json.loads(line) for line in self.lines.read_text().splitlines()]

    def doc_sender(self, port: int) -> lib.Result:
        """The command of docs/lambda.md, but for the port."""
        command = doc_command("sender").replace(":8443", f":{port}")
        return lib.run("-c", command, program="/bin/sh", cwd=self.tmp, env=self.env)

    def test_sender_gateway_function(self) -> None:
        for version in ("2.0", "1.0"):
            with self.subTest(version):
                self.lines.write_text("")
                gateway = self.gateway(self.script, version=version, api_key="123")
                result = self.doc_sender(gateway.port)
                self.assertEqual(result.code, 0, result)
                self.assertEqual(self.analytics(), self.messages)
                self.assertEqual(len(gateway.events), 3, "251 frames in batches of 100")
                self.assertEqual(gateway.events[0]["headers"]["content-type"], "application/octet-stream")

    def test_function_command_of_the_doc(self) -> None:
        gateway = self.gateway(lambda event: {"statusCode": 200})
        self.doc_sender(gateway.port)
        for event in gateway.events:
            self.file("event.json", json.dumps(event))
            with open(self.lines, "ab") as out:
                subprocess.run(["/bin/sh", "-c", doc_command("function")], cwd=self.tmp, env=self.env, stdout=out,
                               timeout=lib.TIMEOUT, check=True)
        self.assertEqual(self.analytics(), self.messages)

    def test_direct_integration(self) -> None:
        """No function: the gateway's place is taken by the collector of the doc itself."""
        argv = doc_command("collector").split()
        self.assertEqual(argv[:4], ["hepcat", "decode", "--https", ":8443"])
        argv = [a.replace(":8443", "127.0.0.1:0") for a in argv[2:]]
        with open(self.cert, "a") as both, open(self.key) as key:  # --cert without --cert-key: the key is in it, too
            both.write(key.read())
        collector = self.listen(*[self.cert if a == "server.pem" else a for a in argv])
        self.assertEqual(self.doc_sender(collector.port).code, 0)
        self.assertEqual(collector.take(len(self.messages)), self.messages)

    def test_custom_runtime(self) -> None:
        api = self.stack.enter_context(RuntimeApi())
        env = {**self.env, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server.server_address[1]}",
               "LAMBDA_TASK_ROOT": str(EXAMPLES), "TMPDIR": str(self.tmp), "HEP_AUTH_KEY": "s3cret"}
        self.stack.enter_context(lib.Process(str(EXAMPLES / "bootstrap"), env=env))
        gateway = self.gateway(api.invoke, api_key="123")
        result = self.doc_sender(gateway.port)
        self.assertEqual(result.code, 0, result)
        self.assertEqual(self.analytics(), self.messages)
        self.assertEqual(api.count, 3)
        # A wrong key: nothing reaches analytics, and the sender is told.
        result = lib.run("encode", "--to", f"https://localhost:{gateway.port}/hep", "--ca", self.ca, "-H",
                         "X-Api-Key: 123", "--retry", "0", "--auth-key", "wrong", stdin=lib.jsonl(self.messages[:1]))
        self.assertEqual(result.code, 1)
        self.assertIn("400", result.err)
        self.assertEqual(len(self.analytics()), len(self.messages))

    def test_node_handler(self) -> None:
        lib.need("node")
        module = json.dumps(str(EXAMPLES / "handler.mjs"))
        runner = self.file("run.mjs", f"import {{ decode, handler }} from {module};\n"
                           "let text = '';\nfor await (const part of process.stdin) text += part;\n"
                           "const event = JSON.parse(text);\n"
                           "if (process.argv[2] === 'decode') console.log(JSON.stringify(await decode(event)));\n"
                           "else console.log(JSON.stringify(await handler(event)));\n")

        def invoke(event: dict) -> dict:
            done = subprocess.run(["node", runner], input=json.dumps(event).encode(), env=self.env,
                                  capture_output=True, timeout=lib.TIMEOUT, check=True)
            *logged, answer = done.stdout.decode().splitlines()
            with open(self.lines, "a") as out:
                out.writelines(line + "\n" for line in logged)
            return json.loads(answer)

        gateway = self.gateway(invoke, api_key="123")
        result = self.doc_sender(gateway.port)
        self.assertEqual(result.code, 0, result)
        self.assertEqual(self.analytics(), self.messages)
        event = {**gateway.events[0], "body": "SEVQMwAAAAA="}
        self.assertEqual(invoke(event)["statusCode"], 400)

    def test_gateway_that_passes_text_only(self) -> None:
        """Binary media types not set: base64 by the sender goes through."""
        gateway = self.gateway(self.script, binary=False)
        result = lib.run("encode", "--to", f"https://localhost:{gateway.port}/hep", "--ca", self.ca, "--base64-body",
                         "--batch", "50", str(self.tmp / "messages.jsonl"))
        self.assertEqual(result.code, 0, result)
        self.assertEqual(self.analytics(), self.messages)
        self.assertFalse(gateway.events[0]["isBase64Encoded"])

    def test_wrong_api_key(self) -> None:
        gateway = self.gateway(self.script, api_key="another")
        result = self.doc_sender(gateway.port)
        self.assertEqual(result.code, 1)
        self.assertIn("403", result.err)
        self.assertEqual(self.analytics(), [])

    def test_unknown_certificate(self) -> None:
        gateway = self.gateway(self.script)
        result = lib.run("encode", "--retry", "0", "--to", f"https://localhost:{gateway.port}/hep",
                         stdin=lib.jsonl(self.messages[:2]))
        self.assertEqual(result.code, 1)
        self.assertEqual((gateway.events, self.analytics()), ([], []))

    def test_throttled_gateway(self) -> None:
        """503 is tried again, and nothing is lost or doubled."""
        gateway = self.gateway(self.script, api_key="123")
        gateway.fail_next = 2
        result = self.doc_sender(gateway.port)
        self.assertEqual(result.code, 0, result)
        self.assertIn("2 retries", result.err)
        self.assertEqual(self.analytics(), self.messages)


if __name__ == "__main__":
    lib.main()
