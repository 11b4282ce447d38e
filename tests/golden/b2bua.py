"""A back-to-back user agent over UDP: each INVITE becomes a call of its own to the next hop. What it passes on of the
first leg besides numbers is `style`: x-call-id, session-id, sdp or nothing. All that it sees is noted, as an agent beside
it would see it."""

from __future__ import annotations

import re
import socket
import threading
import time

from script import Message


def header(text: str, name: str) -> str:
    found = re.search(rf"^{name}:[ \t]*(.*?)\r?$", text, re.M | re.I)
    return found[1] if found else ""


class Leg:
    def __init__(self, remote: tuple[str, int]):
        self.remote = remote
        self.call_id = self.ours = self.theirs = ""  # From and To of requests that we send
        self.target = ""
        self.cseq = 0
        self.waiting: dict[tuple[str, str], str] = {}  # requests that came: (CSeq number, method) -> their head


class B2bua:
    """Leg 0 came in, leg 1 goes out."""

    def __init__(self, style: str, to: tuple[str, int]):
        self.style, self.to = style, to
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.at = self.socket.getsockname()
        self.messages: list[Message] = []
        self.legs: list[Leg] = []
        self.numbers: dict[tuple[int, str], tuple[str, str]] = {}  # our CSeq and method -> those of the other leg
        self.problem: Exception | None = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def note(self, src: tuple[str, int], dst: tuple[str, int], text: str) -> None:
        self.messages.append(Message(time.time(), src, dst, "udp", text))

    def send(self, leg: Leg, lines: list[str], kind: str, body: str) -> None:
        lines += [f"Content-Type: {kind}"] if body else []
        text = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body])
        self.note(self.at, leg.remote, text)
        self.socket.sendto(text.encode(), leg.remote)

    # -------------------------------------------------------------------------------------------------- media

    def sdp(self, body: str) -> str:
        """As it is; else with an address, port and session of our own."""
        if self.style == "sdp" or not body:
            return body
        body = re.sub(r"o=\S+ \S+ \S+", f"o=b2b {self.at[1]}{len(self.messages)} 1", body)
        return re.sub(r"m=audio \d+", f"m=audio {30000 + self.at[1] % 10000 * 2 % 20000}", body)

    # -------------------------------------------------------------------------------------------------- both ways

    def begin(self, text: str, remote: tuple[str, int]) -> None:
        a, b = Leg(remote), Leg(self.to)
        self.legs = [a, b]
        a.call_id = header(text, "Call-ID")
        a.theirs, a.ours = header(text, "From"), header(text, "To") + ";tag=b2b-a"
        b.call_id = f"{a.call_id.split('@')[0][:-1]}2@golden"
        b.ours, b.theirs = re.sub(";tag=.*", ";tag=b2b-b", header(text, "From")), header(text, "To")

    def extra(self, leg: Leg) -> list[str]:
        if leg is not self.legs[1]:
            return []
        if self.style == "x-call-id":
            return [f"X-Call-ID: {self.legs[0].call_id}"]
        return []

    def session(self, text: str) -> list[str]:
        found = header(text, "Session-ID") if self.style == "session-id" else ""
        return [f"Session-ID: {found}"] if found else []

    def pass_request(self, text: str, body: str, leg: Leg, other: Leg) -> None:
        method = text.split(" ")[0]
        number = header(text, "CSeq").split()[0]
        if method in ("ACK", "CANCEL"):
            if method == "CANCEL":
                self.reply(leg, text, "SIP/2.0 200 OK", "")
            ours = next((n for (n, m), v in self.numbers.items() if m == "INVITE" and v[0] == number), other.cseq)
            if method == "ACK" and self.failed:
                return  # each leg acknowledges its own failures
        else:
            leg.waiting[number, method] = text
            other.cseq += 1
            ours = other.cseq
            self.numbers[ours, method] = (number, method)
        if "Contact" in text and header(text, "Contact"):
            leg.target = re.search("<(.*?)>", header(text, "Contact"))[1]
        user = re.search(r"<?(sip:[^>;]*)", other.theirs)[1]
        uri = other.target or f"{user.split('@')[0]}@{other.remote[0]}:{other.remote[1]}"
        branch = f"z9hG4bK-b2b-{self.at[1]}-{ours}-{'INVITE' if method == 'CANCEL' else method}"
        self.send(other, [f"{method} {uri} SIP/2.0", f"Via: SIP/2.0/UDP {self.at[0]}:{self.at[1]};branch={branch}",
                          "Max-Forwards: 70", f"From: {other.ours}", f"To: {other.theirs}", f"Call-ID: {other.call_id}",
                          f"CSeq: {ours} {method}", f"Contact: <sip:b2b@{self.at[0]}:{self.at[1]}>",
                          *(self.extra(other) if method == "INVITE" else []), *self.session(text)],
                  header(text, "Content-Type"), self.sdp(body))

    def reply(self, leg: Leg, asked: str, first: str, body: str, kind: str = "", more: list[str] | None = None) -> None:
        to = header(asked, "To")
        if ";tag=" not in to and " 100 " not in first:
            to = leg.ours if leg is self.legs[0] else to
        vias = re.findall(r"^Via:.*?(?=\r?$)", asked, re.M)
        self.send(leg, [first, *vias, f"From: {header(asked, 'From')}", f"To: {to}", f"Call-ID: {leg.call_id}",
                        f"CSeq: {header(asked, 'CSeq')}", f"Contact: <sip:b2b@{self.at[0]}:{self.at[1]}>", *(more or [])], kind, body)

    def pass_response(self, text: str, body: str, leg: Leg, other: Leg) -> None:
        number, method = header(text, "CSeq").split()
        status = int(text.split(" ")[1])
        if method == "CANCEL" or status == 100:
            return
        if ";tag=" in header(text, "To") and method == "INVITE" and status < 300:
            leg.theirs = header(text, "To") if leg is self.legs[1] else leg.theirs
        if header(text, "Contact"):
            leg.target = re.search("<(.*?)>", header(text, "Contact"))[1]
        if method == "INVITE" and status >= 300:
            self.failed = True
            self.acknowledge(leg, text)
        asked = other.waiting[self.numbers[int(number), method]]
        self.reply(other, asked, text.split("\r\n")[0], self.sdp(body), header(text, "Content-Type"), self.session(text))

    def acknowledge(self, leg: Leg, text: str) -> None:
        via = re.search(r"^Via:.*?(?=\r?$)", text, re.M)[0]
        self.send(leg, [f"ACK sip:callee@{leg.remote[0]}:{leg.remote[1]} SIP/2.0", via, "Max-Forwards: 70",
                        f"From: {header(text, 'From')}", f"To: {header(text, 'To')}", f"Call-ID: {leg.call_id}",
                        f"CSeq: {header(text, 'CSeq').split()[0]} ACK"], "", "")

    failed = False

    def take(self, text: str, remote: tuple[str, int]) -> None:
        head, _, body = text.partition("\r\n\r\n")
        if not self.legs:
            self.begin(head, remote)
        leg = self.legs[0] if header(head, "Call-ID") == self.legs[0].call_id else self.legs[1]
        other = self.legs[1] if leg is self.legs[0] else self.legs[0]
        if head.startswith("SIP/2.0"):
            self.pass_response(head, body, leg, other)
        else:
            self.pass_request(head, body, leg, other)

    def run(self) -> None:
        while True:
            octets, remote = self.socket.recvfrom(65535)
            if not octets:
                return
            text = octets.decode()
            self.note(remote, self.at, text)
            try:
                self.take(text, remote)
            except Exception as e:  # told by the test
                self.problem = e
                return

    def __enter__(self) -> B2bua:
        return self

    def __exit__(self, *exc) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"", self.at)
        self.thread.join(10)
        self.socket.close()
