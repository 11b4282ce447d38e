"""The page at /, in Chromium: what somebody sees who opens it."""

from __future__ import annotations

import html
import re
import sys
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import lib  # noqa: E402
from serve_lib import Server, http  # noqa: E402

BROWSER = "chromium"


class Page(lib.Case):
    def setUp(self) -> None:
        super().setUp()
        self.server = self.stack.enter_context(Server(self.tmp / "data"))
        frames = lib.run("demo", "--fast", "--raw", "--count", "30", "--seed", "5").out
        answer = http(f"{self.server.url}/api/v1/import", "POST", frames, {"Content-Type": "application/x-hep"})
        self.assertEqual(answer.status, 200, answer)
        self.count = answer.json["stored"]

    def open(self, **params: str) -> str:
        """The page as it stands when it has settled."""
        url = f"{self.server.url}/?{urllib.parse.urlencode(params)}"
        done = lib.run("--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={self.tmp / 'profile'}",
                       "--virtual-time-budget=20000", "--dump-dom", url, program=BROWSER, timeout=180)
        self.assertEqual(done.code, 0, done)
        return html.unescape(done.out.decode())

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
        page = self.open(span="", q="callid:*onerror*", call=evil)
        self.assertEqual(len(self.rows(page)), 1)
        self.assertNotIn("<title>1</title>", page)
        self.assertIn("<title>hepcat</title>", page)


if __name__ == "__main__":
    lib.main()
