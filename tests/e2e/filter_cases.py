"""A small lake and filters on it, each with the messages that it must find.

What a filter must find is said twice: by the filter, and by a predicate in Python on what the messages were made of. A
message is a dict of what it was made of; absent keys are what it does not have.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Callable

START = 1767225600  # 2026-01-01T00:00:00Z; message i is i seconds later

SDP = ("v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 101\r\n"
       "a=rtpmap:101 telephone-event/8000\r\n")


# ---------------------------------------------------------------------------------------------------- messages

def uri(user: str | None, host: str) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"sip:{user}@{shown}" if user is not None else f"sip:{shown}"


def sip_text(m: dict) -> str:
    lines = []
    if "status" in m:
        lines.append(f"SIP/2.0 {m['status']} {m['reason']}")
    else:
        lines.append(f"{m['method']} {uri(m.get('ruri_user'), m['ruri_host'])} SIP/2.0")
    lines.append(f"Via: SIP/2.0/{m['proto'].upper()} {m['via']};branch={m['branch']}")
    name = f'"{m["name"]}" ' if "name" in m else ""
    lines.append(f"From: {name}<{uri(m.get('from_user'), m['from_host'])}>;tag={m['from_tag']}")
    to_tag = f";tag={m['to_tag']}" if "to_tag" in m else ""
    lines.append(f"{m.get('to_header', 'To')}: <{uri(m.get('to_user'), m['to_host'])}>{to_tag}")
    if "callid" in m:
        lines.append(f"{m.get('callid_header', 'Call-ID')}: {m['callid']}")
    lines.append(f"CSeq: {m['cseq']} {m['method']}")
    for key, form in (("contact", "Contact: <{}>"), ("pai", "P-Asserted-Identity: <{}>"),
                      ("rpid", "Remote-Party-ID: <{}>;party=calling"), ("diversion", "Diversion: <{}>;reason=unconditional"),
                      ("referto", "Refer-To: {}"), ("ua", "User-Agent: {}"), ("expires", "Expires: {}"),
                      ("event", "Event: {}"), ("session", "Session-ID: {}"),
                      ("icid", 'P-Charging-Vector: icid-value="{}"'), ("replaces", "Replaces: {};to-tag=1;from-tag=2"),
                      ("auth", 'Authorization: Digest username="{}", realm="r"'), ("cause", "Reason: Q.850;cause={}")):
        if key in m:
            lines.append(form.format(m[key]))
    lines += [f"{k}: {v}" for k, v in m.get("headers", {}).items()]
    body = m.get("body", "")
    if body:
        lines.append(f"Content-Type: {m['content_type']}")
    lines.append(f"Content-Length: {len(body.encode())}")
    return "\r\n".join(lines) + "\r\n\r\n" + body


def sip(**made: Any) -> dict:
    return {"kind": "sip", "proto": "udp", "type": 1, "via": made.get("src", "10.0.0.1"), "src": "10.0.0.1",
            "dst": "10.0.0.2", "sport": 5060, "dport": 5060, "node": "sbc1", "captureid": 7, "cseq": 1,
            "from_host": "example.org", "to_host": "example.org", "from_tag": "ft1", "branch": "z9hG4bKa",
            "ruri_host": "example.org", **made}


def other(kind: str, number: int, payload: str, **made: Any) -> dict:
    return {"kind": kind, "proto": "udp", "type": number, "src": "10.0.0.1", "dst": "10.0.0.2", "sport": 4001,
            "dport": 4101, "node": "media1", "captureid": 9, "payload": payload, **made}


def answered() -> list[dict]:
    """+15550001 calls bob."""
    call = {"callid": "answered@10.0.0.1", "from_user": "+15550001", "to_user": "bob", "name": "Alice Ä",
            "session": "ab30317f1a784dc48ff824d0d3715d86", "icid": "icid-1"}
    back = {"src": "10.0.0.2", "dst": "10.0.0.1", "to_tag": "tt1", "via": "10.0.0.1"}
    sdp = {"body": SDP, "content_type": "application/sdp"}
    request = {"ruri_user": "bob", "ua": "Asterisk PBX 20.5"}
    return [sip(method="INVITE", contact="sip:+15550001@10.0.0.1:5060", pai="sip:+15550001@example.org",
                headers={"X-Foo": "bar", "X-Account": "42", "Supported": "timer"}, **request, **call, **sdp),
            sip(method="INVITE", status=100, reason="Trying", **call, **{**back, "to_tag": "tt0"}),
            sip(method="INVITE", status=180, reason="Ringing", ua="Yealink SIP-T46U", **call, **back),
            sip(method="INVITE", status=200, reason="OK", ua="Yealink SIP-T46U", contact="sip:bob@10.0.0.2",
                **call, **back, **sdp),
            sip(method="ACK", branch="z9hG4bKb", **request, **call, to_tag="tt1"),
            sip(method="BYE", cseq=2, branch="z9hG4bKc", cause=16, **request, **call, to_tag="tt1"),
            sip(method="BYE", cseq=2, branch="z9hG4bKc", status=200, reason="OK", **call, **back)]


def busy() -> list[dict]:
    """A German number calls another one, over IPv6 and TCP."""
    call = {"callid": "busy@[2001:db8::1]", "from_user": "+49301234567", "to_user": "0049309876543", "proto": "tcp",
            "from_tag": "ft2", "branch": "z9hG4bKd", "from_host": "tk.example.com", "node": "sbc2", "captureid": 8}
    there = {"src": "2001:db8::1", "dst": "2001:db8::2"}
    back = {"src": "2001:db8::2", "dst": "2001:db8::1", "via": "[2001:db8::1]", "to_tag": "tt2"}
    there["via"] = "[2001:db8::1]"
    return [sip(method="INVITE", ruri_user="0049309876543", diversion="sip:+49305550000@example.org",
                rpid="sip:030/1234567@example.org", ua='say "hi", 100%', **call, **there),
            sip(method="INVITE", status=486, reason="Busy Here", cause=17, **call, **back),
            sip(method="ACK", ruri_user="0049309876543", to_tag="tt2", **call, **there)]


def failures() -> list[dict]:
    out = []
    for i, (status, reason, cause) in enumerate(((404, "Not Found", 1), (480, "Temporarily Unavailable", None),
                                                (503, "Service Unavailable", 42), (603, "Decline", 21),
                                                (302, "Moved Temporarily", None))):
        call = {"callid": f"failed-{i}", "from_user": f"1{i}", "to_user": f"*2{i}", "from_tag": f"ff{i}",
                "branch": f"z9hG4bKf{i}", "src": f"192.168.1.{i}", "dst": "192.168.2.1"}
        out.append(sip(method="INVITE", ruri_user=f"*2{i}", **call))
        more = {"cause": cause} if cause is not None else {}
        out.append(sip(method="INVITE", status=status, reason=reason, **more,
                       **{**call, "src": "192.168.2.1", "dst": f"192.168.1.{i}", "to_tag": f"fx{i}"}))
    return out


def registrations() -> list[dict]:
    call = {"callid": "REG-1", "from_user": "alice", "to_user": "alice", "from_tag": "fr", "branch": "z9hG4bKr",
            "src": "172.16.0.9", "dst": "10.0.0.2", "sport": 40001}
    back = {**call, "src": "10.0.0.2", "dst": "172.16.0.9", "sport": 5060, "dport": 40001, "to_tag": "tr"}
    return [sip(method="REGISTER", ua="yealink SIP-T31P", expires=3600, contact="sip:alice@172.16.0.9:40001", **call),
            sip(method="REGISTER", status=401, reason="Unauthorized", **back),
            sip(method="REGISTER", cseq=2, auth="alice", ua="yealink SIP-T31P", expires=3600,
                contact="sip:alice@172.16.0.9:40001", **call),
            sip(method="REGISTER", cseq=2, status=403, reason="Forbidden", **back),
            sip(method="REGISTER", cseq=3, expires=0, callid="REG-2", from_user="Bob", to_user="Bob",
                **{k: v for k, v in call.items() if k not in ("callid", "from_user", "to_user")})]


def rest() -> list[dict]:
    plain = {"content_type": "text/plain"}
    return [sip(method="OPTIONS", callid="ping", from_host="10.9.9.9", ruri_host="10.0.0.2", ua="kamailio (5.6.3)",
                headers={"Max-Forwards": "0"}),
            sip(method="MESSAGE", callid="msg", from_user="carol", to_user="dave", ruri_user="dave",
                body="Hello, World", **plain),
            sip(method="SUBSCRIBE", callid="sub", from_user="carol", to_user="dave", event="presence", expires=600,
                ruri_user="dave"),
            sip(method="NOTIFY", callid="sub", from_user="dave", to_user="carol", event="message-summary",
                ruri_user="carol", body="Messages-Waiting: yes\r\n", content_type="application/simple-message-summary"),
            sip(method="REFER", callid="refer", from_user="carol", to_user="dave", referto="sip:erin@example.net",
                ruri_user="dave", replaces="other-call", callid_header="i", to_header="t"),
            sip(method="OPTIONS", from_user="nobody", error=["no_call_id"]),
            sip(method="INVITE", callid="sp ace(1),2/3", from_user="a*b", to_user="c\\d", ruri_user="x"),
            sip(method="PUBLISH", callid="pub", from_user="ünï", to_user="x", event="dialog", expires=0, proto="sctp"),
            other("rtcp", 5, '{"type":200,"ssrc":1}', corr="answered@10.0.0.1"),
            other("rtcp", 5, '{"type":201,"ssrc":2}', corr="busy@[2001:db8::1]"),
            other("log", 100, "routing decision: carrier-1", corr="answered@10.0.0.1", proto="udp"),
            other("dns", 53, "query example.org", node="ns1")]


def messages() -> list[dict]:
    all_of_them = answered() + busy() + failures() + registrations() + rest()
    for i, m in enumerate(all_of_them):
        m["id"], m["ts"] = i, START + i
        m["text"] = sip_text(m) if m["kind"] == "sip" else m["payload"]
    return all_of_them


PROTOCOLS = {"udp": 17, "tcp": 6, "sctp": 132}


def as_json(m: dict) -> dict:
    """For `hepcat encode`."""
    info = {"protocolFamily": 10 if ":" in m["src"] else 2, "protocol": PROTOCOLS[m["proto"]], "srcIp": m["src"],
            "dstIp": m["dst"], "srcPort": m["sport"], "dstPort": m["dport"], "timeSeconds": m["ts"],
            "timeUseconds": m["id"], "payloadType": m["type"], "captureId": m["captureid"], "hepNodeName": m["node"]}
    if "corr" in m:
        info["correlation_id"] = m["corr"]
    return {"rcinfo": info, "payload": m["text"]}


# ---------------------------------------------------------------------------------------------------- predicates

def glob(pattern: str, fold: bool = False) -> Callable[[Any], bool]:
    expression = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.I | re.S if fold else re.S)
    return lambda value: value is not None and expression.fullmatch(str(value)) is not None


def parts(m: dict, key: str) -> tuple[str | None, str | None]:
    """User and host of a URI that the message has."""
    if key in ("from", "to"):
        return (m.get(f"{key}_user"), m.get(f"{key}_host")) if m["kind"] == "sip" else (None, None)
    if key == "ruri":
        return (m.get("ruri_user"), m["ruri_host"]) if m["kind"] == "sip" and "status" not in m else (None, None)
    if key not in m:
        return None, None
    found = re.fullmatch(r"sips?:(?:([^@]*)@)?(\[[^]]*\]|[^:;]*)(:\d+)?", m[key])
    return found.group(1), found.group(2).strip("[]")


def user(key: str, pattern: str) -> Callable[[dict], bool]:
    want = glob(pattern)
    return lambda m: want(parts(m, key)[0])


def host(key: str, pattern: str) -> Callable[[dict], bool]:
    want = glob(pattern, True)
    return lambda m: want(parts(m, key)[1])


def any_user(pattern: str) -> Callable[[dict], bool]:
    return lambda m: any(user(key, pattern)(m) for key in ("from", "to", "ruri", "contact", "pai"))


def has(key: str) -> Callable[[dict], bool]:
    return lambda m: key in m


def is_(key: str, *values: Any) -> Callable[[dict], bool]:
    return lambda m: m.get(key) in values


def like(key: str, pattern: str, fold: bool = True) -> Callable[[dict], bool]:
    return lambda m: glob(pattern, fold)(m.get(key))


def within(key: str, low: int, high: int) -> Callable[[dict], bool]:
    return lambda m: key in m and low <= m[key] <= high


def net(keys: tuple[str, ...], network: str) -> Callable[[dict], bool]:
    wanted = ipaddress.ip_network(network)
    return lambda m: any(ipaddress.ip_address(m[k]) in wanted for k in keys)


def both(*tests: Callable[[dict], bool]) -> Callable[[dict], bool]:
    return lambda m: all(t(m) for t in tests)


def either(*tests: Callable[[dict], bool]) -> Callable[[dict], bool]:
    return lambda m: any(t(m) for t in tests)


def no(test: Callable[[dict], bool]) -> Callable[[dict], bool]:
    return lambda m: not test(m)


def header(name: str, pattern: str, fold: bool = True) -> Callable[[dict], bool]:
    return lambda m: glob(pattern, fold)(m.get("headers", {}).get(name))


def body_has(text: str, fold: bool = True) -> Callable[[dict], bool]:
    def test(m: dict) -> bool:
        body = m.get("body", "") if m["kind"] == "sip" else m["text"]
        return text.lower() in body.lower() if fold else text in body
    return test


SIP = is_("kind", "sip")
ALL = lambda m: True  # noqa: E731
NONE = lambda m: False  # noqa: E731
INVITE = is_("method", "INVITE")
SRC, DST, SIDES = ("src",), ("dst",), ("src", "dst")

CASES: list[tuple[str, Callable[[dict], bool]]] = [
    ("", ALL),
    ("   ", ALL),
    # Call-ID and other texts
    ("callid:answered@10.0.0.1", is_("callid", "answered@10.0.0.1")),
    ("callid:\"answered@10.0.0.1\"", is_("callid", "answered@10.0.0.1")),
    ("call-id:answered*", like("callid", "answered*", False)),
    ("cid:*@10.0.0.1", like("callid", "*@10.0.0.1", False)),
    ("callid:Answered@10.0.0.1", NONE),
    ("callid:busy@[2001:db8::1]", is_("callid", "busy@[2001:db8::1]")),
    ("callid:\"sp ace(1),2/3\"", is_("callid", "sp ace(1),2/3")),
    ("callid:\"sp \"*", like("callid", "sp *", False)),
    ("callid:REG-1", is_("callid", "REG-1")),
    ("callid:reg-1", NONE),
    ("callid:REG-*", like("callid", "REG-*", False)),
    ("callid:failed-0,failed-2", is_("callid", "failed-0", "failed-2")),
    ("callid:failed-0,nothing,\"failed-4\"", is_("callid", "failed-0", "failed-4")),
    ("callid:failed-0,answered*", either(is_("callid", "failed-0"), like("callid", "answered*", False))),
    ("callid:*", has("callid")),
    ("callid:?", has("callid")),
    ("NOT callid:?", no(has("callid"))),
    ("type:sip NOT callid:*", both(SIP, no(has("callid")))),
    ("callid:/^failed-[02]$/", is_("callid", "failed-0", "failed-2")),
    ("callid:/FAILED-[02]/i", is_("callid", "failed-0", "failed-2")),
    ("callid:/FAILED/", NONE),
    ("callid:/ed-\\d$/", like("callid", "failed-*", False)),
    # users and hosts
    ("from:+15550001", user("from", "+15550001")),
    ("from:+1555*", user("from", "+1555*")),
    ("caller:+1555*", user("from", "+1555*")),
    ("from:*0001", user("from", "*0001")),
    ("from:*1234*", user("from", "*1234*")),
    ("from:+15550001@example.org", both(user("from", "+15550001"), host("from", "example.org"))),
    ("from:@tk.example.com", host("from", "tk.example.com")),
    ("from:@TK.Example.COM", host("from", "tk.example.com")),
    ("from:+49*@*.example.com", both(user("from", "+49*"), host("from", "*.example.com"))),
    ("from:alice", user("from", "alice")),
    ("from:Alice", NONE),
    ("from:bob", NONE),
    ("from:Bob", user("from", "Bob")),
    ("from:<sip:alice@example.org;transport=tcp>", both(user("from", "alice"), host("from", "example.org"))),
    ("from:\"a*b\"", lambda m: m.get("from_user") == "a*b"),
    ("from:a\\*b", lambda m: m.get("from_user") == "a*b"),
    ("from:a*b", user("from", "a*b")),
    ("to:\"c\\\\d\"", lambda m: m.get("to_user") == "c\\d"),
    ("from:ünï", user("from", "ünï")),
    ("from:ü*", user("from", "ü*")),
    ("to:bob", user("to", "bob")),
    ("to:0049309876543", user("to", "0049309876543")),
    ("to:\"*20\"", lambda m: m.get("to_user") == "*20"),
    ("to:bob from:+15550001 method:BYE", both(user("to", "bob"), user("from", "+15550001"), is_("method", "BYE"))),
    ("ruri:bob", user("ruri", "bob")),
    ("ruri:@10.0.0.2", host("ruri", "10.0.0.2")),
    ("contact:alice", user("contact", "alice")),
    ("contact:@10.0.0.*", host("contact", "10.0.0.*")),
    ("contact:bob@10.0.0.2", both(user("contact", "bob"), host("contact", "10.0.0.2"))),
    ("pai:+15550001", user("pai", "+15550001")),
    ("pai:?", has("pai")),
    ("method:INVITE NOT pai:?", both(INVITE, no(has("pai")))),
    ("user:bob", any_user("bob")),
    ("user:alice", any_user("alice")),
    ("user:*9876543", any_user("*9876543")),
    ("user:dave method:NOTIFY", both(any_user("dave"), is_("method", "NOTIFY"))),
    ("rpid:030/1234567", has("rpid")),
    ("diversion:+4930*", has("diversion")),
    ("name:\"Alice Ä\"", is_("name", "Alice Ä")),
    ("name:alice*", like("name", "Alice*")),
    ("auth:alice", has("auth")),
    ("from:/^\\+?\\d{8,}$/", lambda m: re.search(r"^\+?\d{8,}$", m.get("from_user") or "") is not None),
    # phone numbers
    ("num:+49301234567", lambda m: m.get("from_user") == "+49301234567" or "rpid" in m),
    ("num:\"+49 30 1234567\"", lambda m: m.get("from_user") == "+49301234567" or "rpid" in m),
    ("num:0049301234567", lambda m: m.get("from_user") == "+49301234567" or "rpid" in m),
    ("num:+49309876543", lambda m: m.get("to_user") == "0049309876543"),
    ("num:+15550001", any_user("+15550001")),
    # requests and responses
    ("method:INVITE", INVITE),
    ("method:invite", INVITE),
    ("method:INVITE,BYE", is_("method", "INVITE", "BYE")),
    ("method:INV*", INVITE),
    ("NOT method:OPTIONS", no(is_("method", "OPTIONS"))),
    ("method:INVITE NOT status:?", both(INVITE, no(has("status")))),
    ("status:200", is_("status", 200)),
    ("status:2xx", within("status", 200, 299)),
    ("status:4*", within("status", 400, 499)),
    ("status:48x", within("status", 480, 489)),
    ("status:>=400", within("status", 400, 999)),
    ("status:>400", within("status", 401, 999)),
    ("status:<200", within("status", 100, 199)),
    ("status:<=180", within("status", 100, 180)),
    ("status:400..499", within("status", 400, 499)),
    ("status:486,480,6xx", either(is_("status", 486, 480), within("status", 600, 699))),
    ("code:503", is_("status", 503)),
    ("status:?", has("status")),
    ("NOT status:?", no(has("status"))),
    ("NOT status:486", no(is_("status", 486))),
    ("status:4xx OR status:5xx", within("status", 400, 599)),
    ("status:>=300 NOT status:>=400", within("status", 300, 399)),
    ("reason:Ringing", is_("reason", "Ringing")),
    ("reason:\"busy here\"", is_("reason", "Busy Here")),
    ("reason:*unavailable", like("reason", "*unavailable")),
    ("cause:16", is_("cause", 16)),
    ("cause:?", has("cause")),
    ("cause:>16", within("cause", 17, 1000)),
    ("q850:1,17,42", is_("cause", 1, 17, 42)),
    ("cause:* status:4xx", both(has("cause"), within("status", 400, 499))),
    ("cseq:2", is_("cseq", 2)),
    ("cseq:2..3", within("cseq", 2, 3)),
    ("cseq:..1", within("cseq", 0, 1)),
    ("ua:*Asterisk*", like("ua", "*Asterisk*")),
    ("ua:*yealink*", like("ua", "*yealink*")),
    ("ua:/t\\d\\d[up]/i", lambda m: re.search(r"t\d\d[up]", m.get("ua", ""), re.I) is not None),
    ("ua:\"say \\\"hi\\\", 100%\"", like("ua", "say \"hi\", 100%")),
    ("ua:kamailio*,asterisk*", either(like("ua", "kamailio*"), like("ua", "asterisk*"))),
    ("ua:\"kamailio (5.6.3)\"", like("ua", "kamailio (5.6.3)")),
    ("tag:tt1", is_("to_tag", "tt1")),
    ("tag:ft2", is_("from_tag", "ft2")),
    ("tag:FT2", NONE),
    ("branch:z9hG4bKd", is_("branch", "z9hG4bKd")),
    ("branch:z9hG4bKf*", like("branch", "z9hG4bKf*", False)),
    ("via:10.0.0.1", is_("via", "10.0.0.1")),
    ("via:2001:db8::1", is_("via", "[2001:db8::1]")),
    ("expires:3600", is_("expires", 3600)),
    ("expires:0", is_("expires", 0)),
    ("expires:>0", within("expires", 1, 10 ** 9)),
    ("event:presence", is_("event", "presence")),
    ("event:*", has("event")),
    ("session:ab30317f1a784dc48ff824d0d3715d86", has("session")),
    ("icid:icid-1", has("icid")),
    ("replaces:other-call", has("replaces")),
    ("referto:*erin*", has("referto")),
    ("sdp:10.0.0.1", is_("body", SDP)),
    ("sdp:*PCMA*", is_("body", SDP)),
    ("sdp:?", is_("body", SDP)),
    ("error:no_call_id", has("error")),
    ("error:*", has("error")),
    ("error:? type:sip", has("error")),
    # headers and bodies
    ("header.X-Foo:bar", header("X-Foo", "bar")),
    ("header.x-foo:bar", header("X-Foo", "bar")),
    ("header.X-Foo:b*", header("X-Foo", "b*")),
    ("header.X-Foo:baz", NONE),
    ("header.X-Foo:?", header("X-Foo", "*")),
    ("header.X-Account:/^4\\d$/", header("X-Account", "42")),
    ("header.Call-ID:refer", is_("callid", "refer")),
    ("header.Max-Forwards:0", header("Max-Forwards", "0")),
    ("body:hello", body_has("hello")),
    ("body:\"Hello, World\"", body_has("hello, world")),
    ("body:telephone-event", body_has("telephone-event")),
    ("body:/waiting:\\s+yes/i", body_has("Messages-Waiting: yes")),
    ("body:carrier-1", body_has("carrier-1")),
    ("payload:\"Digest username\"", has("auth")),
    # addresses
    ("src:10.0.0.1", is_("src", "10.0.0.1")),
    ("dst:10.0.0.1", is_("dst", "10.0.0.1")),
    ("ip:10.0.0.1", either(is_("src", "10.0.0.1"), is_("dst", "10.0.0.1"))),
    ("ip:10.0.0.1,172.16.0.9", either(*(is_(k, "10.0.0.1", "172.16.0.9") for k in SIDES))),
    ("src:10.0.0.0/8", net(SRC, "10.0.0.0/8")),
    ("ip:192.168.0.0/16", net(SIDES, "192.168.0.0/16")),
    ("ip:192.168.1.2/31", net(SIDES, "192.168.1.2/31")),
    ("NOT ip:10.0.0.0/8", no(net(SIDES, "10.0.0.0/8"))),
    ("src:192.168.1.*", net(SRC, "192.168.1.0/24")),
    ("src:2001:db8::1", is_("src", "2001:db8::1")),
    ("src:2001:0DB8:0:0::1", is_("src", "2001:db8::1")),
    ("dst:2001:db8::/32", lambda m: m["dst"].startswith("2001:db8")),
    ("src:172.16.0.9:40001", both(is_("src", "172.16.0.9"), is_("sport", 40001))),
    ("src::40001", is_("sport", 40001)),
    ("dst::40001", is_("dport", 40001)),
    ("port:40001", either(is_("sport", 40001), is_("dport", 40001))),
    ("ip:10.0.0.2:5060", either(both(is_("src", "10.0.0.2"), is_("sport", 5060)),
                                both(is_("dst", "10.0.0.2"), is_("dport", 5060)))),
    ("src:[2001:db8::1]:5060", is_("src", "2001:db8::1")),
    ("proto:tcp", is_("proto", "tcp")),
    ("proto:sctp", is_("proto", "sctp")),
    # what and who
    ("type:sip", SIP),
    ("type:1", SIP),
    ("type:rtcp", is_("kind", "rtcp")),
    ("type:media", is_("kind", "rtcp")),
    ("type:log", is_("kind", "log")),
    ("type:dns", is_("kind", "dns")),
    ("type:other", is_("kind", "dns")),
    ("type:rtcp,log", is_("kind", "rtcp", "log")),
    ("NOT type:sip", no(SIP)),
    ("corr:answered@10.0.0.1", is_("corr", "answered@10.0.0.1")),
    ("corr:*", has("corr")),
    ("node:sbc2", is_("node", "sbc2")),
    ("node:SBC2", is_("node", "sbc2")),
    ("node:sbc*", like("node", "sbc*")),
    ("captureid:7", is_("captureid", 7)),
    ("captureid:8..9", within("captureid", 8, 9)),
    ("sender:127.0.0.1", ALL),
    ("sender:10.0.0.1", NONE),
    ("transport:tcp", ALL),
    # times
    ("ts:>2026-01-01T00:00:10Z", lambda m: m["id"] >= 10),  # its microseconds are behind the second
    ("ts:<2026-01-01T00:00:10Z", lambda m: m["id"] < 10),
    ("ts:2026-01-01T00:00:05Z..2026-01-01T00:00:08Z", lambda m: 5 <= m["id"] < 8),
    ("ts:>-1h", NONE),
    # together
    ("(method:INVITE OR method:BYE) status:200", both(is_("method", "INVITE", "BYE"), is_("status", 200))),
    ("method:INVITE AND status:200 OR method:REGISTER", either(both(INVITE, is_("status", 200)),
                                                             is_("method", "REGISTER"))),
    ("method:INVITE (status:486 OR status:603)", both(INVITE, is_("status", 486, 603))),
    ("NOT (method:INVITE OR type:rtcp)", no(either(INVITE, is_("kind", "rtcp")))),
    ("NOT NOT method:ACK", is_("method", "ACK")),
    ("NOT (status:? AND method:INVITE) type:sip", both(SIP, no(both(has("status"), INVITE)))),
    ("((((method:ACK))))", is_("method", "ACK")),
    ("from:1* status:>=400 NOT status:503", both(user("from", "1*"), within("status", 400, 999), no(is_("status", 503)))),
    ("from:1* OR from:+49* OR from:carol", either(user("from", "1*"), user("from", "+49*"), user("from", "carol"))),
    ("callid:answered@10.0.0.1 OR corr:answered@10.0.0.1",
     either(is_("callid", "answered@10.0.0.1"), is_("corr", "answered@10.0.0.1"))),
    ("proto:tcp ip:2001:db8::1 status:4xx,5xx", both(is_("proto", "tcp"), within("status", 400, 599))),
    ("method:REGISTER status:403,401 OR ua:*asterisk* method:INVITE",
     either(both(is_("method", "REGISTER"), is_("status", 401, 403)), both(INVITE, like("ua", "*asterisk*")))),
    ("header.X-Foo:bar OR body:hello OR cause:16", either(header("X-Foo", "bar"), body_has("hello"), is_("cause", 16))),
    ("NOT body:/./ type:sip", both(SIP, no(has("body")))),
]
