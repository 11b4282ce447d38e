"""Call scenarios as ladders in text files: read here, and made into messages with their headers.

    ### busy: the gateway says why                 a scenario: its name, what happened
    host B 2001:db8::2 5061 tcp                    an address; else 10.N.0.1 port 5060 over UDP for A, .2 for B ...
    host Q 10.9.9.9 is=P                           another address of the same host
    call 2 X-1@pbx from=100 to=200                 Call-ID and numbers of a leg, where they matter; else some of its own
    0.25 A>P INVITE | sdp PCMU | Supported: 100rel second, who to whom, what; behind it more of it
    0.30 P>A 100
    5*3/0.5 2:A>B BYE/2                            leg 2, CSeq 2; three times, every half second; {i}, {i+2} count
    = 1 rejected 486 pdd=300 hangup=callee         record of leg 1: state, final status, and what is not as usual (USUAL)
    = 1#2 ...                                      of the second call with this Call-ID
    R 1 registered 200 binding=new                 an attempt to register
    live=ringing   imported=new                    the state of one that goes on over HEP (-: no row yet); the binding that an
                                                   import, which knows no addresses of record, takes it for
    & 1 2                                          opening one of these shows all of these; else those with legs=
    ! busy retransmissions                         what `hepcat explain` finds
    hep-only                                       not from a capture: it is seen by several agents

What a message has from those before it: Vias, branches and Contact of the request that is passed on or answered, the To
tag of the answer, CSeq 1 for INVITE and what belongs to it. Options behind a message: `sdp [CODEC,CODEC] [sendonly]
[@ADDRESS:PORT] [of=LEG:HOST] [srtp]`, `tag=`, `from-tag=`, `branch=`, `from=`, `to=`, `ruri=` (users), `tap=` (capture
id; 1), `arrives=` (seconds, where that is not the time of capture), `new` (an INVITE of no dialog), `no HEADER`, `body
TYPE TEXT`, and headers. Of a record `*` is any value, and what is not named is not looked at where USUAL has None.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path

START = 1769860800.0  # 2026-01-31T12:00:00Z
PAYLOAD_TYPES = {"PCMU": 0, "GSM": 3, "PCMA": 8, "G722": 9, "G729": 18, "opus": 96, "telephone-event": 101}
RATES = {"opus": "48000/2"}
REASONS = {100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 183: "Session Progress", 200: "OK", 202: "Accepted",
           300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily", 305: "Use Proxy",
           400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
           407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone", 415: "Unsupported Media Type",
           420: "Bad Extension", 422: "Session Interval Too Small", 423: "Interval Too Brief",
           480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops",
           484: "Address Incomplete", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here",
           491: "Request Pending", 500: "Server Internal Error", 503: "Service Unavailable", 504: "Server Time-out",
           600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable", 607: "Unwanted"}

# What a record has unless an expectation says otherwise. None: not looked at.
USUAL = {"hangup": "", "pdd": "-", "ring": "-", "talk": "-", "q850": "-", "sip_cause": "-", "flags": "", "retrans": 0,
         "seen_again": 0, "reinvites": 0, "updates": 0, "refers": 0, "auth": 0, "holds": 0, "resumes": 0, "hops": 1,
         "branches": 1, "legs": 1, "by": "", "probable": "", "live": None, "codec": None, "offer": None, "chosen": None,
         "messages": None, "from": None, "to": None, "reason": None, "to_tags": None, "src": None, "dst": None,
         "signalling": None, "again": None, "caller_media": None, "callee_media": None, "diversion": None, "taps": None,
         "uac": None, "uas": None, "value": None, "ruri": None, "score": None, "refer_to": None, "replaces": None,
         "caller_agent": None, "callee_agent": None}
USUAL_ATTEMPT = {"auth": 0, "retrans": 0, "expires": "-", "expires_asked": "-", "expires_min": "-", "binding": "new",
                 "answer": None, "live": None, "imported": None, "messages": None, "contact": None, "contacts": None, "seen_again": 0}


@dataclass
class Host:
    name: str
    ip: str
    port: int = 5060
    proto: str = "udp"
    of: str = ""  # the name by which it is known; its own

    @property
    def at(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


@dataclass
class Message:
    at: float  # Unix time
    src: tuple[str, int]
    dst: tuple[str, int]
    proto: str
    payload: str
    tap: int = 1
    arrives: float = 0.0


@dataclass
class Expect:
    leg: str
    number: int  # of the calls with its Call-ID
    state: str
    status: str
    values: dict[str, str]


@dataclass
class Leg:
    name: str
    call_id: str
    caller: str
    callee: str
    from_tag: str
    invited: str = ""          # who sent its first request
    to_tag: str = ""           # of the answer
    count: int = 0             # of its messages
    answered: set = field(default_factory=set)     # kinds of responses that brought a To tag: 1, 2
    requests: dict = field(default_factory=dict)   # (cseq, method, src, dst) -> Vias, origin, From, To
    responses: dict = field(default_factory=dict)  # (cseq, method, status, dst) -> To tag, origin
    finals: dict = field(default_factory=dict)     # cseq of an INVITE -> status


def number_of(*words: object) -> int:
    return zlib.crc32(" ".join(str(w) for w in words).encode())


class Scenario:
    def __init__(self, name: str, what: str, number: int):
        self.name, self.what, self.number = name, what, number
        self.hosts: dict[str, Host] = {}
        self.legs: dict[str, Leg] = {}
        self.messages: list[Message] = []
        self.calls: list[Expect] = []
        self.attempts: list[Expect] = []
        self.found: set[str] | None = None
        self.opened: list[str] = []  # legs that opening the first of them shows
        self.hep_only = False
        self.peers: dict[str, list[str]] = {}  # of real programs: who does what (peers.py)
        self.begin = START + number * 0.37  # calls of a capture run side by side

    # ------------------------------------------------------------------------------------------------ who and where

    def host(self, name: str) -> Host:
        if name not in self.hosts:
            self.hosts[name] = Host(name, f"10.{self.number}.0.{ord(name[0]) - 64}", of=name)
        return self.hosts[name]

    def leg(self, name: str) -> Leg:
        if name not in self.legs:
            n = f"{self.number:03d}{len(self.legs):02d}"
            self.legs[name] = Leg(name, f"{self.name}-{name}@golden", f"+4930{n}001", f"+4940{n}002", f"f-{self.name}-{name}")
        return self.legs[name]

    def joined_with(self, leg: str) -> list[str]:
        """Legs that are shown when somebody opens this one."""
        joined = [e.leg for e in self.calls if int(e.values["legs"]) > 1]
        return self.opened or (joined if leg in joined else [leg])

    def asked(self) -> list[str]:
        """Legs to open: all that belong together show the same."""
        return self.opened or [n for n, leg in self.legs.items() if leg.count]

    # ------------------------------------------------------------------------------------------------ lines

    def directive(self, line: str) -> bool:
        word, _, rest = line.partition(" ")
        words = rest.split()
        if word == "host":
            other = words.pop()[3:] if words[-1].startswith("is=") else words[0]
            self.hosts[words[0]] = Host(words[0], words[1], *[int(w) for w in words[2:3]], *words[3:4])
            self.hosts[words[0]].of = other
        elif word == "call":
            leg = self.leg(words[0])
            for w in words[1:]:
                key, eq, value = w.partition("=")
                if eq and key in ("from", "to"):
                    setattr(leg, "caller" if key == "from" else "callee", value)
                else:
                    leg.call_id = w
        elif word == "hep-only":
            self.hep_only = True
        elif word in ("uac", "uas", "uas2", "by", "head", "tcp"):
            self.peers[word] = [*self.peers.get(word, []), rest]
        elif word in ("=", "R"):
            self.expect(word, words)
        elif word == "&":
            self.opened = words
        elif word == "!":
            self.found = set(words)
        else:
            return False
        return True

    def expect(self, kind: str, words: list[str]) -> None:
        leg, _, number = words[0].partition("#")
        values = dict(USUAL if kind == "=" else USUAL_ATTEMPT)
        for word in words[3:]:
            key, eq, value = word.partition("=")
            if not eq or key not in values:
                raise ValueError(f"{self.name}: {word}?")
            values[key] = value
        e = Expect(leg, int(number or 1), words[1].replace("_", " "), words[2], values)
        (self.calls if kind == "=" else self.attempts).append(e)

    def line(self, line: str) -> None:
        if self.directive(line):
            return
        found = re.fullmatch(r"([\d.]+)(?:\*(\d+)/([\d.]+))?\s+(?:([\w{}]+):)?(\w+)>(\w+)\s+(.*)", line)
        if found is None:
            raise ValueError(f"{self.name}: {line}?")
        at, times, step, leg, src, dst, rest = found.groups()
        for i in range(int(times or 1)):
            name = counted(leg or "1", i)
            what, *options = [part.strip() for part in counted(rest, i).split("|")]
            m = Making(self, self.leg(name), self.host(src), self.host(dst), options)
            text = m.response(what) if what[0].isdigit() else m.request(what)
            self.leg(name).count += 1
            when = float(at) + i * float(step or 0)
            self.messages.append(Message(self.begin + when, (m.src.ip, m.src.port), (m.dst.ip, m.dst.port), m.proto, text,
                                         int(m.options.get("tap", 1)), self.begin + float(m.options.get("arrives", when))))


def counted(text: str, i: int) -> str:
    text = text.replace("{filler}", "." * 1400)
    return re.sub(r"\{i(?:\+(\d+))?\}", lambda found: str(i + int(found[1] or 0)), text)


class Making:
    """A message of a scenario."""

    def __init__(self, scenario: Scenario, leg: Leg, src: Host, dst: Host, options: list[str]):
        self.scenario, self.leg, self.src, self.dst = scenario, leg, src, dst
        self.options: dict[str, str] = {}
        self.headers: list[str] = []
        self.without: set[str] = set()
        for option in options:
            key, eq, value = option.partition("=")
            if option.startswith(("sdp", "body ")):
                self.options.update([option.split(" ", 1) if " " in option else (option, "")])
            elif option.startswith("no "):
                self.without.add(option[3:])
            elif re.match(r"[\w-]+: ", option):
                self.headers.append(option)
            else:
                self.options[key] = value if eq else "1"
        self.proto = dst.proto if dst.proto != "udp" else src.proto
        if src.proto == "udp" or dst.proto == "udp":
            self.proto = "udp"

    # ------------------------------------------------------------------------------------------------ requests

    def branch(self, cseq: int, method: str) -> str:
        group = "INVITE" if method == "CANCEL" or (method == "ACK" and self.leg.finals.get(cseq, 0) >= 300) else method
        made = number_of(self.scenario.name, self.leg.name, cseq, group, self.src.name, self.dst.name)
        return self.options.get("branch", f"z9hG4bK{made:08x}")

    def received(self, cseq: int, method: str):
        """What the sender got of this request from somebody else: it passes it on."""
        for (number, name, _, dst), request in self.leg.requests.items():
            if (number, name, dst) == (cseq, method, self.src.of):
                return request
        return None

    def request(self, what: str) -> str:
        method, _, number = what.partition("/")
        leg, cseq = self.leg, int(number or 1)
        before = self.received(cseq, method)
        hop_by_hop = method == "CANCEL" or (method == "ACK" and leg.finals.get(cseq, 0) >= 300)
        vias = [f"SIP/2.0/{self.proto.upper()} {self.src.at};branch={self.branch(cseq, method)}"]
        vias += before[0] if before and not hop_by_hop else []
        origin = before[1] if before else self.src
        leg.invited = leg.invited or origin.name
        from_callee = origin.name != leg.invited and leg.to_tag != "" and not hop_by_hop
        to_tag = self.options.get("tag", self.to_tag_of_request(method, cseq))
        ours, theirs = (leg.caller, leg.from_tag), (leg.callee, to_tag)
        if from_callee:
            ours, theirs = (theirs[0], to_tag or leg.to_tag), (ours[0], leg.from_tag)
        ours = (self.options.get("from", ours[0]), self.options.get("from-tag", ours[1]))
        theirs = (self.options.get("to", theirs[0]), theirs[1])
        if before and not hop_by_hop:
            ours, theirs = before[2:]
        leg.requests[cseq, method, self.src.of, self.dst.of] = (vias, origin, ours, theirs)
        ruri = self.options.get("ruri", theirs[0])
        host = "golden.example" if method == "REGISTER" else f"{ruri}@{self.dst.at}"
        return self.finish(f"{method} sip:{host} SIP/2.0", vias, ours, theirs, cseq, method, origin,
                           ["Max-Forwards: 70"] if not any(h.startswith("Max-Forwards") for h in self.headers) else [])

    def to_tag_of_request(self, method: str, cseq: int) -> str:
        if method in ("CANCEL", "REGISTER", "OPTIONS") or "new" in self.options:
            return ""
        if method == "ACK" and self.leg.finals.get(cseq, 0) >= 300:
            return next((r[0] for (n, m, s, _), r in self.leg.responses.items()
                         if (n, m) == (cseq, "INVITE") and s >= 300), "")
        return self.leg.to_tag

    # ------------------------------------------------------------------------------------------------ responses

    def response(self, what: str) -> str:
        status, *rest = what.split(" ")
        code, leg = int(status), self.leg
        method, cseq = "INVITE", 1
        if rest and re.fullmatch(r"[A-Z]+(/\d+)?", rest[-1]):
            method, _, number = rest.pop().partition("/")
            cseq = int(number or 1)
        reason = " ".join(rest) or REASONS.get(code, "Said")
        unseen = ([f"SIP/2.0/{self.proto.upper()} {self.dst.at};branch=z9hG4bKunseen"], self.dst,
                  (leg.caller, leg.from_tag), (leg.callee, "" if method == "INVITE" else leg.to_tag))
        vias, _, ours, theirs = leg.requests.get((cseq, method, self.dst.of, self.src.of), unseen)
        before = leg.responses.get((cseq, method, code, self.src.of))  # that it passes on
        made, origin = before or (f"t-{leg.name}-{self.src.name}", self.src)
        if "branch" in self.options:
            vias = [re.sub("branch=.*", f"branch={self.options['branch']}", vias[0]), *vias[1:]]
        new_dialog = method == "INVITE" and theirs[1] == ""
        ours = (self.options.get("from", ours[0]), self.options.get("from-tag", ours[1]))
        theirs = (self.options.get("to", theirs[0]), self.options.get("tag", theirs[1] or ("" if code == 100 else made)))
        leg.responses[cseq, method, code, self.dst.of] = (theirs[1], origin)
        if method == "INVITE" and code >= 200:
            leg.finals[cseq] = min(code, leg.finals.get(cseq, code))
        if new_dialog and 100 < code < 300 and (leg.to_tag == "" or (code >= 200 and 2 not in leg.answered)):
            leg.to_tag = theirs[1]
            leg.answered.add(code // 100)
        return self.finish(f"SIP/2.0 {code} {reason}", vias, ours, theirs, cseq, method, origin, [])

    # ------------------------------------------------------------------------------------------------ the rest

    def media_of(self, leg: str, host: Host) -> tuple[tuple[str, int], int]:
        """Address and session id of a host in a leg: each leg has its own."""
        return (host.ip, 4000 + 2 * list(self.scenario.legs).index(leg)), number_of(self.scenario.name, leg, host.of)

    def sdp(self, origin: Host) -> str:
        codecs, direction, srtp = ["PCMU", "PCMA"], "", False
        media, session = self.media_of(self.leg.name, origin)
        for word in self.options["sdp"].split():
            if word.startswith("@"):
                ip, _, port = word[1:].rpartition(":")
                media = (ip.strip("[]"), int(port))
            elif word.startswith("of="):
                leg, _, host = word[3:].partition(":")
                media, session = self.media_of(leg, self.scenario.host(host))
            elif word in ("sendonly", "recvonly", "inactive", "sendrecv"):
                direction = word
            elif word == "srtp":
                srtp = True
            else:
                codecs = word.split(",")
        family = "IP6" if ":" in media[0] else "IP4"
        types = [PAYLOAD_TYPES[c] for c in codecs]
        lines = ["v=0", f"o=- {session} 1 IN {family} {media[0]}", "s=-", f"c=IN {family} {media[0]}", "t=0 0",
                 f"m=audio {media[1]} RTP/{'SAVP' if srtp else 'AVP'} {' '.join(map(str, types))}"]
        lines += [f"a=rtpmap:{t} {c}/{RATES.get(c, 8000)}" for t, c in zip(types, codecs)]
        if srtp:
            lines.append("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40)
        if direction:
            lines.append(f"a={direction}")
        return "".join(line + "\r\n" for line in lines)

    def finish(self, first: str, vias: list[str], ours: tuple[str, str], theirs: tuple[str, str], cseq: int, method: str,
               origin: Host, more: list[str]) -> str:
        body, kind = "", ""
        if "sdp" in self.options:
            body, kind = self.sdp(origin), "application/sdp"
        elif "body" in self.options:
            kind, _, body = self.options["body"].partition(" ")
            body = body.replace("\\n", "\r\n")
        user = ours[0] if not first.startswith("SIP/2.0") else theirs[0]
        headers = [f"Via: {via}" for via in vias] + more
        headers += [f"From: <sip:{ours[0]}@golden.example>;tag={ours[1]}",
                    f"To: <sip:{theirs[0]}@golden.example>" + (f";tag={theirs[1]}" if theirs[1] else ""),
                    f"Call-ID: {self.leg.call_id}", f"CSeq: {cseq} {method}"]
        said = {h.split(":")[0] for h in self.headers}
        if method in ("INVITE", "UPDATE", "SUBSCRIBE", "REFER") and " 100 " not in first and "Contact" not in said:
            headers.append(f"Contact: <sip:{user}@{origin.at}>")
        headers += self.headers
        if kind:
            headers.append(f"Content-Type: {kind}")
        headers.append(f"Content-Length: {len(body)}")
        headers = [h for h in headers if h.split(":")[0] not in self.without]
        return "\r\n".join([first, *headers, "", body])


def read(*paths: Path) -> list[Scenario]:
    """All scenarios of these files."""
    scenarios: list[Scenario] = []
    for path in paths:
        for raw in path.read_text("utf-8").splitlines():
            line = raw.strip()
            if line.startswith("### "):
                name, _, what = line[4:].partition(": ")
                scenarios.append(Scenario(name, what, len(scenarios) + 1))
            elif line and not line.startswith("//"):
                scenarios[-1].line(line)
    names = [s.name for s in scenarios]
    assert len(set(names)) == len(names), names
    return scenarios
