"""The page at /, in Chromium: what somebody sees who opens it."""

from __future__ import annotations

import html
import re
import sys
import urllib.parse
from html.parser import HTMLParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import lib  # noqa: E402
from serve_lib import Server, http  # noqa: E402

BROWSER = "chromium"

class Elements(HTMLParser):
    """What a page consists of."""

    def __init__(self, page: str):
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.images: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs
        if tag == "img":
            self.images.append((tag, dict(attrs)))


class Page(lib.Case):
    def setUp(self) -> None:
        super().setUp()
        self.server = self.stack.enter_context(Server(self.tmp / "data"))
        frames = lib.run("demo", "--fast", "--raw", "--count", "30", "--seed", "5").out
        answer = http(f"{self.server.url}/api/v1/import", "POST", frames, {"Content-Type": "application/x-hep"})
        self.assertEqual(answer.status, 200, answer)
        self.count = answer.json["stored"]

    def dump(self, where: str) -> str:
        """The page as it stands when it has settled, as markup."""
        done = lib.run("--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={self.tmp / 'profile'}",
                       "--virtual-time-budget=20000", "--dump-dom", f"{self.server.url}/{where}", program=BROWSER, timeout=180)
        self.assertEqual(done.code, 0, done)
        return done.out.decode()

    def open(self, where: str) -> str:
        return html.unescape(self.dump(where))

    def rows(self, page: str) -> list[str]:
        """Those of the table in the part that is in sight."""
        return re.findall(r'<div id="row-\d+".*?(?=<div id="row-|</main>)', page, re.S)

    def test_start(self) -> None:
        total = self.server.get("/api/v1/calls", total="only").json["total"]
        page = self.open("#/calls?from=all")
        self.assertGreater(total, 5)
        self.assertGreater(len(self.rows(page)), 5)
        self.assertIn(f"<b>{total:,} </b>calls", page)

    def test_newest_messages(self) -> None:
        page = self.open("#/messages?from=all")
        self.assertGreater(len(self.rows(page)), 20)
        self.assertIn(f"<b>{self.count:,} </b>messages", page)

    def test_search_of_an_old_link(self) -> None:
        wanted = self.server.search("method:INVITE NOT status:?", limit=100000)["count"]
        page = self.open(f"?{urllib.parse.urlencode({'span': '', 'q': 'method:INVITE NOT status:?'})}")
        rows = self.rows(page)
        self.assertIn(f"<b>{wanted:,} </b>messages", page)
        self.assertTrue(rows)
        self.assertTrue(all('class="what request">INVITE<' in row for row in rows), rows[:3])

    def test_mistake_is_shown_where_it_is(self) -> None:
        page = self.open("#/messages?q=from:a+form:b")
        self.assertIn("from:a form:b\n       ^ unknown field 'form', did you mean 'from'?", page)
        page = self.open("#/calls?from=-soon")
        self.assertIn("'-soon' is not a time", page)

    def test_call(self) -> None:
        row = self.server.search("method:BYE status:200", limit=1)["rows"][0]
        flow = self.server.get("/api/v1/flow", call_id=row["call_id"], legs=1).json["rows"]
        page = self.open(f"#/call?{urllib.parse.urlencode({'id': row['call_id']})}")
        self.assertEqual(len(re.findall(r'id="step-\d+"', page)), min(len(flow), 40))
        self.assertIn(">offer", page)
        self.assertIn(row["call_id"], page)

    def test_nothing_of_a_message_is_markup(self) -> None:
        evil = '<img src=x onerror="document.title=1">'
        message = lib.message(1)
        message["payload"] = (f"INVITE sip:x SIP/2.0\r\nCall-ID: {evil}\r\nFrom: <sip:{evil}@x>;tag=1\r\n"
                              f"To: <sip:x>\r\nVia: SIP/2.0/UDP h\r\nCSeq: 1 INVITE\r\nX: {evil}\r\n\r\n{evil}")
        self.server.send([message])
        self.server.wait_total(1, "callid:*onerror*")
        row = self.server.search("callid:*onerror*")["rows"][0]
        chosen = urllib.parse.urlencode({"id": evil, "m": f"{row['seq']}@{row['ts']}"})
        for where in ("#/messages?q=callid:*onerror*&from=all", f"#/call?{chosen}"):
            page = self.dump(where)
            self.assertIn("onerror", page)
            elements = Elements(page)
            self.assertEqual([(n, a) for n, a in elements.images if a.get("src") != "./icon.svg"], [])
            self.assertEqual(elements.names.count("script"), 1)
            self.assertEqual([name for name, _ in elements.attributes if name.startswith("on")], [])


if __name__ == "__main__":
    lib.main()
