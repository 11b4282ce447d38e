"""Calls of real programs: SIPp calls by way of Kamailio, whose siptrace sends HEP, or of a B2BUA of ours.

real.txt says who does what, in steps of SIPp scenarios; they are made into XML here. What comes over HEP is noted on the
way, and is a capture file as well.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
import threading
from pathlib import Path

import lib
from script import Message, number_of

KAMAILIO = """#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=2
tcp_children=1
auto_aliases=no
dns=no
rev_dns=no
listen=udp:127.0.0.1:{port}
listen=tcp:127.0.0.1:{port}
loadmodule "pv.so"
loadmodule "corex.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "rr.so"
loadmodule "maxfwd.so"
loadmodule "auth.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "siptrace.so"
modparam("tm", "fr_timer", 30000)
modparam("tm", "retr_timer1", 20000)
modparam("tm", "retr_timer2", 20000)
modparam("usrloc", "db_mode", 0)
modparam("siptrace", "trace_on", 1)
modparam("siptrace", "trace_to_database", 0)
modparam("siptrace", "trace_mode", 1)
modparam("siptrace", "hep_mode_on", 1)
modparam("siptrace", "hep_version", 3)
modparam("siptrace", "hep_capture_id", 2001)
modparam("siptrace", "duplicate_uri", "sip:127.0.0.1:{collector}")
request_route {{
  if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
  if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
  if (has_totag()) {{
    if (loose_route()) {{ t_relay(); exit; }}
    if (is_method("ACK") && t_check_trans()) t_relay();
    exit;
  }}
  if ($hdr(X-Auth) == "1" && !pv_proxy_authenticate("golden", "secret", "0")) {{ proxy_challenge("golden", "0"); exit; }}
  if (is_method("REGISTER")) {{ save("location"); exit; }}
  if ($hdr(X-Moved) != $null) {{
    append_to_reply("Contact: <sip:mobile@127.0.0.1:{port}>\\r\\n");
    sl_send_reply("302", "Moved Temporarily");
    exit;
  }}
  record_route();
  $ru = "sip:callee@" + $hdr(X-Next);
  if ($hdr(X-Also) != $null) append_branch("sip:callee@$hdr(X-Also)");
  if ($hdr(X-Then) != $null) t_on_failure("THEN");
  if ($hdr(X-Timer) != $null) {{ t_set_fr(0, 2000); t_set_retr(500, 4000); }}
  t_relay();
}}
failure_route[THEN] {{
  if (t_is_canceled()) exit;
  if (t_check_status("486")) {{ $ru = "sip:callee@" + $hdr(X-Then); t_relay(); }}
}}
"""


def hep_message(frame: bytes) -> Message:
    """What a HEP version 3 frame holds."""
    assert frame[:4] == b"HEP3", frame[:16]
    chunks, at = {}, 6
    while at + 6 <= len(frame):
        _, kind, length = struct.unpack_from(">HHH", frame, at)
        chunks[kind] = frame[at + 6 : at + length]
        at += length
    number = {k: int.from_bytes(v, "big") for k, v in chunks.items() if len(v) <= 4}
    family = socket.AF_INET6 if 5 in chunks else socket.AF_INET
    src, dst = (chunks[5], chunks[6]) if family == socket.AF_INET6 else (chunks[3], chunks[4])
    return Message(number[9] + number[10] / 1e6, (socket.inet_ntop(family, src), number[7]),
                   (socket.inet_ntop(family, dst), number[8]), "tcp" if number[2] == 6 else "udp", chunks[15].decode())


class Tee:
    """Takes frames over UDP, notes them and passes them on to a server over TCP, which loses none."""

    def __init__(self, to: tuple[str, int]):
        self.messages: list[Message] = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.port = self.socket.getsockname()[1]
        self.out = socket.create_connection(to)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        while frame := self.socket.recv(65535):
            self.out.sendall(frame)
            self.messages.append(hep_message(frame))

    def __enter__(self) -> Tee:
        return self

    def __exit__(self, *exc) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"", ("127.0.0.1", self.port))
        self.thread.join(10)
        self.out.close()
        self.socket.close()


class Kamailio(lib.Process):
    def __init__(self, tmp: Path, collector: int):
        self.port = lib.free_port()
        path = tmp / "kamailio.cfg"
        path.write_text(KAMAILIO.format(port=self.port, collector=collector))
        super().__init__("kamailio", "-f", str(path), "-DD", "-E", "-w", str(tmp), "-Y", str(tmp), "-m", "32", "-M", "8",
                         cwd=tmp, env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        lib.wait_for(lambda: lib.udp_bound(self.port) or self.proc.poll() is not None, "Kamailio's port")
        if self.proc.poll() is not None:
            raise AssertionError(f"Kamailio ended:\n{self.err}")

    def __exit__(self, *exc) -> None:
        if self.proc.poll() is None:
            self.proc.terminate()  # the main process takes its children along
            try:
                self.proc.wait(5)
            except subprocess.TimeoutExpired:
                pass
        super().__exit__(*exc)


# ---------------------------------------------------------------------------------------------------------- SIPp

SDP = ("v=0\no=- {session} 1 IN IP[local_ip_type] [local_ip]\ns=-\nc=IN IP[media_ip_type] [media_ip]\nt=0 0\n"
       "m=audio {port} RTP/AVP {types}\n{maps}{more}")
CODECS = {"PCMU": "0", "PCMA": "8", "G729": "18"}
REASONS = {"100": "Trying", "180": "Ringing", "183": "Session Progress", "200": "OK", "404": "Not Found", "480": "Temporarily Unavailable",
           "486": "Busy Here", "487": "Request Terminated", "488": "Not Acceptable Here", "415": "Unsupported Media Type",
           "500": "Server Internal Error", "603": "Decline", "202": "Accepted"}


class Steps:
    """One side of a call as a SIPp scenario: `>INVITE sdp; <100?; <180; <200; >ACK; wait 300; >BYE; <200`."""

    def __init__(self, name: str, side: str, steps: str, headers: list[str], call_id: str):
        self.name, self.side, self.headers, self.call_id = name, side, headers, call_id
        self.callee = side != "uac"
        self.number = 0      # CSeq of its own requests
        self.last = ""       # method of what came last
        self.out: list[str] = []
        self.failed = False  # an INVITE of its own
        for step in steps.split(";"):
            self.step(step.strip())

    def body(self, words: list[str]) -> str:
        if "sdp" not in words:
            return "Content-Length: 0\n\n"
        codecs = next((w.split(",") for w in words if w.split(",")[0] in CODECS), ["PCMU", "PCMA"])
        more = "".join(f"a={w}\n" for w in words if w in ("sendonly", "recvonly", "inactive"))
        sdp = SDP.format(session=number_of(self.call_id, self.side), port=20000 + number_of(self.call_id, self.side) % 20000 * 2,
                         types=" ".join(CODECS[c] for c in codecs), maps="".join(f"a=rtpmap:{CODECS[c]} {c}/8000\n" for c in codecs),
                         more=more)
        return f"Content-Type: application/sdp\nContent-Length: [len]\n\n{sdp}"

    def step(self, step: str) -> None:
        what, *words = step.split(" ")
        if what == "wait":
            self.out.append(f'<pause milliseconds="{words[0]}"/>')
        elif what.startswith("<"):
            self.receive(what[1:], words)
        elif what[1:].isdigit():
            self.answer(what[1:], words)
        else:
            self.ask(what[1:], words)

    def receive(self, what: str, words: list[str]) -> None:
        optional = ' optional="true"' if what.endswith("?") else ""
        what = what.rstrip("?")
        if what.isdigit():
            self.failed = int(what) >= 300 if self.last == "INVITE" else self.failed
            auth = ' auth="true"' if what in ("401", "407") else ""
            routes = ' rrs="true"' if what.startswith("2") else ""  # SIPp keeps the first ones: not those of a 180
            self.out.append(f'<recv response="{what}"{routes}{auth}{optional}/>')
            return
        self.last = what
        if what == "INVITE" and self.number == 0 and not any("assign_to" in o for o in self.out):
            saved = "".join(f'<ereg regexp=".*" search_in="hdr" header="{h}:" occurrence="{n}" assign_to="{v}"/>'
                            for h, n, v in (("Via", 1, "via1"), ("Via", 2, "via2"), ("From", 1, "from"), ("CSeq", 1, "cseq")))
            use = '<log message="[$via1][$via2][$from][$cseq]"/>'  # SIPp minds what nobody uses
            self.out.append(f'<recv request="INVITE" rrs="true"><action>{saved}{use}</action></recv>')
        else:
            self.out.append(f'<recv request="{what}"{optional} rrs="true"/>')

    def send(self, text: str) -> None:
        self.out.append("<send><![CDATA[\n" + text + "\n]]></send>")

    def answer(self, status: str, words: list[str]) -> None:
        new = "INVITE" == self.last and self.number == 0 and "again" not in words
        tag = f";tag=t-{self.name}-{self.side}" if new and status != "100" else ""
        if "invite" in words:  # the 487, behind the 200 to the CANCEL
            head = "Via:[$via1]\nVia:[$via2]\nFrom:[$from]\n[last_To:]" + f";tag=t-{self.name}-{self.side}" + \
                   "\n[last_Call-ID:]\nCSeq:[$cseq]\n"
        else:
            head = f"[last_Via:]\n[last_From:]\n[last_To:]{tag}\n[last_Call-ID:]\n[last_CSeq:]\n[last_Record-Route:]\n"
        more = "".join(f"{h}\n" for h in self.headers if self.callee)
        self.send(f"SIP/2.0 {status} {REASONS[status]}\n{head}Contact: <sip:callee@[local_ip]:[local_port];transport=[transport]>\n{more}"
                  + self.body(words))

    def ask(self, method: str, words: list[str]) -> None:
        if method not in ("ACK", "CANCEL"):
            self.number += 1
            self.last = method
        invite = f"z9hG4bK-{self.name}-{self.side}-{self.number}-INVITE"
        branch = invite if method == "CANCEL" or (method == "ACK" and self.failed) else \
            f"z9hG4bK-{self.name}-{self.side}-{self.number}-{method}"
        first = self.side == "uac" and (method in ("INVITE", "REGISTER") and "re" not in words or method == "CANCEL" or
                                        (method == "ACK" and self.failed))
        if first:
            uri = "sip:golden" if method == "REGISTER" else "sip:callee@[remote_ip]:[remote_port]"
        else:
            uri = "[next_url]"
        user = "callee" if method == "REGISTER" else "caller"
        ours, theirs = (f"From: <sip:{user}@golden>;tag=f-{self.name}", "To: <sip:callee@golden>" +
                        ("" if first and method != "ACK" else "[peer_tag_param]"))
        if self.callee:
            ours, theirs = f"From: <sip:callee@golden>;tag=t-{self.name}-{self.side}", "To:[$from]"
        number = self.number
        more = "".join(f"{h}\n" for h in self.headers if first and method in ("INVITE", "REGISTER"))
        auth = "".join(f"[authentication username=alice password={w[5:]}]\n" for w in words if w.startswith("auth="))
        limit = next((w[3:] for w in words if w.startswith("mf=")), "70")
        more += "".join(f"{w.replace('~', ' ')}\n" for w in words if ":" in w)
        routes = "" if first else "[routes]\n"
        self.send(f"{method} {uri} SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch}\nMax-Forwards: {limit}\n"
                  f"{ours}\n{theirs}\nCall-ID: [call_id]\nCSeq: {number} {method}\n"
                  f"Contact: <sip:{'callee' if self.callee else user}@[local_ip]:[local_port];transport=[transport]>\n{routes}{more}{auth}"
                  + self.body(words))

    def xml(self) -> str:
        return '<?xml version="1.0" encoding="ISO-8859-1"?>\n<scenario name="x">\n' + "\n".join(self.out) + "\n</scenario>\n"


class Sipp(lib.Process):
    def __init__(self, tmp: Path, name: str, side: str, steps: str, headers: list[str], to: str, tcp: bool, call_id: str):
        path = tmp / f"{name}-{side}.xml"
        path.write_text(Steps(name, side, steps, headers, call_id).xml())
        self.port = lib.free_port(socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
        args = ["sipp", "-sf", str(path), "-i", "127.0.0.1", "-p", str(self.port), "-m", "1", "-nostdin", "-nr", "-nd",
                "-t", "t1" if tcp else "u1", "-timeout", "20s", "-timeout_error", "-aa", "-cid_str", call_id]
        super().__init__(*args, *([to] if to else []), cwd=tmp, env={**os.environ, "TERM": "dumb"})
        self.name = f"{name} {side}"

    def done(self) -> None:
        code = self.wait(40)
        if code != 0:
            raise AssertionError(f"SIPp, {self.name}: exit {code}\n{self.err[-3000:]}")
