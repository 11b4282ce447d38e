"""The page at /, in Chromium: what somebody sees who opens it."""

from __future__ import annotations

import html
import re
import sys
import threading
import time
import urllib.parse
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import lib  # noqa: E402
from serve_lib import Server, http  # noqa: E402

BROWSER = "chromium"

# Chooses one message, and another one while the first is on its way. Observers, not timers: the browser's virtual time
# stands still while an answer is awaited.
TWO_CHOICES = """
const rows = () => document.querySelectorAll("#rows tbody tr");
const steps = [
  () => rows().length === 2 && rows()[0].click() === undefined,
  () => document.querySelectorAll("#ladder g").length > 0 && rows()[1].click() === undefined,
];
new MutationObserver(() => { if (steps.length > 0 && steps[0]()) steps.shift(); })
  .observe(document.body, { childList: true, subtree: true });
"""


class Elements(HTMLParser):
    """What a page consists of."""

    def __init__(self, page: str):
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs


class Between(ThreadingHTTPServer):
    """Stands between browser and server: keeps the answer about one message back, and adds a script to the page."""

    def __init__(self, server: Server, slow_seq: int, script: str):
        between = self
        self.passed: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/test.js":
                    return self.give(200, "text/javascript", script.encode())
                if self.path.startswith("/api/v1/message?") and f"seq={slow_seq}&" in self.path:
                    time.sleep(2)
                answer = http(server.url + self.path)
                between.passed.append(self.path)
                body = answer.body
                if self.path.partition("?")[0] == "/":
                    body = body.replace(b"</header>", b'</header><script src="/test.js" defer></script>', 1)
                return self.give(answer.status, answer.headers["Content-Type"], body)

            def give(self, status: int, kind: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)

    def __enter__(self) -> "Between":
        self.thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.shutdown()
        self.thread.join(lib.TIMEOUT)
        self.server_close()


class Page(lib.Case):
    def setUp(self) -> None:
        super().setUp()
        self.server = self.stack.enter_context(Server(self.tmp / "data"))
        frames = lib.run("demo", "--fast", "--raw", "--count", "30", "--seed", "5").out
        answer = http(f"{self.server.url}/api/v1/import", "POST", frames, {"Content-Type": "application/x-hep"})
        self.assertEqual(answer.status, 200, answer)
        self.count = answer.json["stored"]

    def dump(self, base: str = "", **params: str) -> str:
        """The page as it stands when it has settled, as markup."""
        url = f"{base or self.server.url}/?{urllib.parse.urlencode(params)}"
        done = lib.run("--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={self.tmp / 'profile'}",
                       "--virtual-time-budget=20000", "--dump-dom", url, program=BROWSER, timeout=180)
        self.assertEqual(done.code, 0, done)
        return done.out.decode()

    def open(self, **params: str) -> str:
        return html.unescape(self.dump(**params))

    def rows(self, page: str) -> list[str]:
        return re.findall(r"<tr[^>]*tabindex.*?</tr>", page, re.S)

    def test_newest_messages(self) -> None:
        page = self.open(span="")
        self.assertEqual(len(self.rows(page)), min(200, self.count))
        self.assertIn(f"of {self.count:,} messages", page)
        self.assertIn("● ", page)

    def test_search(self) -> None:
        wanted = self.server.search("method:INVITE NOT status:?", limit=100000)["count"]
        page = self.open(span="", q="method:INVITE NOT status:?")
        rows = self.rows(page)
        self.assertEqual(len(rows), min(200, wanted))
        self.assertTrue(all('class="request">INVITE<' in row for row in rows), rows[:3])

    def test_mistake_is_shown_where_it_is(self) -> None:
        page = self.open(span="", q="from:a form:b")
        self.assertIn("from:a form:b\n       ^ unknown field 'form', did you mean 'from'?", page)

    def test_call(self) -> None:
        row = self.server.search("method:BYE status:200", limit=1)["rows"][0]
        flow = self.server.get("/api/v1/flow", call_id=row["call_id"]).json["rows"]
        page = self.open(span="", call=row["call_id"])
        arrows = re.findall(r'<g class="arrow[^"]*"', page)
        self.assertEqual(len(arrows), len(flow))
        self.assertIn("INVITE (SDP)", page)
        self.assertIn("<b>Call-ID:</b> " + row["call_id"], page)
        self.assertIn("/api/v1/export?call_id=", page)

    def test_nothing_of_a_message_is_markup(self) -> None:
        evil = '<img src=x onerror="document.title=1">'
        message = lib.message(1)
        message["payload"] = (f"INVITE sip:x SIP/2.0\r\nCall-ID: {evil}\r\nFrom: <sip:{evil}@x>;tag=1\r\n"
                              f"To: <sip:x>\r\nVia: SIP/2.0/UDP h\r\nCSeq: 1 INVITE\r\nX: {evil}\r\n\r\n{evil}")
        self.server.send([message])
        self.server.wait_total(1, "callid:*onerror*")
        page = self.dump(span="", q="callid:*onerror*", call=evil)
        self.assertIn("onerror", page)
        self.assertEqual(len(self.rows(page)), 1)
        self.assertIn("<title>hepcat</title>", page)
        elements = Elements(page)
        self.assertNotIn("img", elements.names)
        self.assertEqual(elements.names.count("script"), 1)
        self.assertEqual([name for name, _ in elements.attributes if name.startswith("on")], [])

    def test_a_time_that_is_not_in_the_list(self) -> None:
        page = self.open(span="30000h")
        self.assertIn(f"of {self.count:,} messages", page)
        self.assertIn('<option value="30000h">30000h</option>', page)
        self.assertIn("'-soon' is not a time", self.open(span="soon"))

    def test_a_late_answer_does_not_win(self) -> None:
        self.server.send([lib.message(1, payload=f"OPTIONS sip:{n} SIP/2.0\r\nCall-ID: late-{n}\r\n\r\n",
                                      timeSeconds=int(time.time()) - n) for n in (1, 2)])
        self.server.wait_total(2, "callid:late-*")
        slow = self.server.search("callid:late-1", limit=1)["rows"][0]
        with Between(self.server, slow["seq"], TWO_CHOICES) as between:
            page = html.unescape(self.dump(f"http://127.0.0.1:{between.server_address[1]}", span="", q="callid:late-*"))
        asked = [path for path in between.passed if path.startswith("/api/v1/message?")]
        self.assertEqual(len(asked), 2, between.passed)
        self.assertIn(f"seq={slow['seq']}&", asked[1])  # it came last
        self.assertIn("<b>Call-ID:</b> late-2", page)


if __name__ == "__main__":
    lib.main()
