#!/usr/bin/env python3
"""Makes the seeds of the fuzz targets from the test vectors: seeds.py OUTPUT-DIRECTORY

Each target gets a folder of its own; files are named by the SHA-1 of their content, as libFuzzer names them.
"""
import gzip
import hashlib
import json
import pathlib
import sys
import zlib

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "tests" / "vectors"


def save(folder, data):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def seed_decode(out, frames):
    for frame in frames:
        save(out, frame)


def seed_stream(out, frames):
    """The first octet picks the cutting; several frames in a row."""
    for i, frame in enumerate(frames):
        save(out, bytes([i & 0xFF]) + frame)
    v3 = [f for f in frames if f[:4] == b"HEP3"]
    for i in range(0, len(v3), 4):
        save(out, bytes([(i * 37 | 3) & 0xFF]) + b"".join(v3[i:i + 4]))


def json_of(expect):
    message = {"rcinfo": expect["rcinfo"]}
    if expect.get("payload_b64") is not None:
        message["payload"] = expect["payload_b64"]
        message["payloadEncoding"] = "base64"
    if expect["version"] in (1, 2):
        message["version"] = expect["version"]
    return message


def seed_json(out, vectors):
    for v in vectors:
        if "encode_input" in v:
            save(out, json.dumps(v["encode_input"]).encode())
        if v["expect"]:
            save(out, json.dumps(json_of(v["expect"]), separators=(",", ":")).encode())
    save(out, json.dumps(json.loads((VECTORS / "genesys-example.json").read_text())).encode())
    for text in (
        '{"rcinfo":{"srcIp":"::1","dstIp":"10.0.0.1","srcMac":"00:11:22:33:44:55"},"payload":"x",'
        '"chunks":[3,{"vendor":0,"type":256,"hex":"00ff"},15,20]}',
        '{"rcinfo":{"srcIp":"10.0.0.2","dstIp":"10.0.0.1","srcPort":"5060"},"payload":"x","version":2,'
        '"legacy":{"headerLength":28,"byteOrder":"big","pad":"","trailingNuls":8}}',
        '{"rcinfo":{"ip_family":2,"proto_type":35,"time_sec":1,"time_usec":2,"correlation_id":"\\u00e9\\u0000"}}',
        '{"rcinfo":{"conversationId":"c","edgeId":null,"unknown":[{}]},"payload":null,"meta":{}}',
    ):
        save(out, text.encode())


def seed_zlib(out, vectors):
    texts = [bytes.fromhex(v["hex"]) for v in vectors[:6]] + [b"", b"x" * 5000]
    for i, text in enumerate(texts):
        raw = zlib.compressobj(wbits=-15)
        for packed in (zlib.compress(text), gzip.compress(text, mtime=0), raw.compress(text) + raw.flush(),
                       zlib.compress(text, 0)):
            save(out, bytes([(i | 3) & 7]) + packed)


def seed_filter(out):
    """The first octet picks the rules of phone numbers."""
    for text in (
        'from:+1555* status:486', 'callid:"a b\\"c" AND to:sip:bob@Example.com', 'ip:10.0.0.0/8:5060 method:INVITE',
        'src:[2001:db8::1]:5060 dst:10.0.* port:>=5060', 'sender:2001:db8::/32 type:rtcp', 'ua:*Foo*"Bar "* header:x*',
        'user:<sip:+49@[::1]:5061;transport=tcp> error:*', 'status:4xx cause:<=16 cseq:=1 expires:>0',
        '(from:a OR NOT to:b) (callid:x OR callid:"y")', 'NOT (type:sip OR type:100) corr:a\\*b*c*',
        'form:x', 'from:', 'from:"', '(', 'from:tel:+1;x ruri:urn:service:sos contact:@h*', 'ip:*:5060 ip::1 src:::/0',
        'callid:\u00e4* callid:\uffff* callid:\U0010ffff*', 'from:a AND AND', 'NOT NOT NOT from:a OR to:b to:b',
        'status:486,487,6xx,100..199 method:INVITE,BYE', 'callid:"a","b" OR callid:c,d* pai:? cseq:1..5,7..',
        'ua:/^Foo (a|b)+\\/\\d$/i from:/\u00e4/,bob', 'header.X-Foo:bar,? header.s:/l+/ body:"v=0" payload:a*b,/^v=/',
        'num:"+49 (30) 12-34",030*,*34 NOT num:?', 'ts:>-1h,2026-01-01..2026-02-01 time:<=1.5', 'ip:10.0.0.1,10.0.0.0/8,::1',
        'ua:/(/', 'ua:/(a+)+$/', 'status:5..1', 'header.:x', 'num:bob', 'ts:x', 'from:a,', 'ua:/x', 'payload:/((((a{99}){99}){99})/',
    ):
        for grammar in (b"0", b"1"):
            save(out, grammar + text.encode())


def seed_report(out):
    """The first octet is the form: told by the octets (0), or one of the headers (4, 5)."""
    sender = ('"sender_information":{"ntp_timestamp_sec":3758096385,"ntp_timestamp_usec":"2147483648",'
              '"rtp_timestamp":4096,"packets":100,"octets":16000}')
    block = ('{"source_ssrc":%d,"fraction_lost":64,"packets_lost":%s,"highest_seq_no":66051,"ia_jitter":55,'
             '"lsr":"2864434397","dlsr":65536}')
    for text in (
        '{%s,"ssrc":-7,"type":200,"report_count":2,"report_blocks":[%s,%s],"sdes_information":[{"type":1,'
        '"text":"a\\u00e9@\\/"}]}' % (sender, block % (1, "16777213"), block % (-2, '"-3"')),
        '{"ssrc":1,"type":201,"sender_information":null,"report_blocks":[%s],"report_blocks_xr":{"type":0}}'
        % (block % (3, "4294967293")),
        '{"report_blocks_xr":{"type":7,"id":3,"fraction_lost":64,"round_trip_delay":80}}',
        '{"voip_metrics":{"ssrc":3,"loss_rate":128,"signal_level":-20,"noise_level":127,"r_factor":93,"mos_lq":41,'
        '"mos_cq":4.2}}',
        '{"Extended_report_information":{"identifier":3,"R_fact":88,"MOS_CQ":39,"RX_conf":[{"PLC":3}],"JB_nom":40}}',
        '{"RTP_SIP_CALL_ID":"i@x","JITTER":0.25,"TOTAL_PK":970,"EXPECTED_PK":1000,"PACKET_LOSS":30,"MOS":4.39e0,'
        '"CODEC_NAME":"pcma","SRC_IP":"10.0.0.1","SRC_PORT":21122,"ONE_WAY_RTP":true,"SKEW":NaN}',
        '{"INC_MOS":420,"INC_RVAL":8500,"INC_RTP_PK":10,"INC_RTP_PK_LOSS":3,"OUT_REALM":"c","OUT_MOS":"410",'
        '"CALLER_SRC_IP":"10.0.0.1"}',
        'VQSessionReport: CallTerm\r\nCallID: x\r\nLocalAddr: IP=1.2.3.4 PORT=5 SSRC=0x12\r\nRemoteAddr:IP=::1\r\n'
        'LocalMetrics:\r\nSessionDesc:PT=18 PD="G.729 A"\r\nPacketLoss:NLR=5.0 JDR=2\r\nRemoteMetrics:\r\n'
        'QualityEst:RLQ=90 MOSLQ=3.4\r\n',
    ):
        save(out, b"\0" + text.encode())
    for text in ('PS=207;OS=49680;;PR=314;OR=50240;PL=0;JI=600;LA=40;', 'PR=1236,PL=1,DE=G711U,MOS=4.0,DE=8,LA=1'):
        save(out, b"\4" + text.encode())
        save(out, b"\5" + text.encode())
    sr = ("82c80012 11111111 e0000001 80000000 00001000 00000064 00003e80 "
          "22222222 40fffffd 00010203 00000037 aabbccdd 00010000 33333333 01000005 00000009 00000001 00000000 00000000")
    sdes = "81ca0003 11111111 01036122 40000000"
    xr = "80cf000a 11111111 07000008 22222222 01020304 006403e8 00c80014 ecc47f10 5d7f2a29 b0000028 005000a0"
    save(out, b"\0" + bytes.fromhex(sr + sdes + xr))


def seed_diagnosis(out):
    """Calls as fuzz_diagnosis.c takes them: hosts, what, CSeq, branch, tags and Call-ID, time, options, tap, text."""
    a_b, b_a = 0b010_000, 0b000_010
    invite, ack, bye = 0, 1, 2

    def status(index, method=invite):
        """The two octets of a response, by its place in the list of statuses; CSeq 1."""
        return (index + 8 & 15) << 4 | method, 1 | (index + 8 & 16) << 3

    def call(*messages):
        return b"".join(bytes((hops, *what, branch, tags, step, options, tap, len(text))) + text
                        for hops, what, branch, tags, step, options, tap, text in messages)

    ring, ok, busy = status(1), status(3), status(15)
    first = (a_b, (invite, 1), 1, 0, 10, 8, 0, b"")
    save(out, call(first, (b_a, ring, 1, 4, 40, 0, 0, b""), (b_a, ok, 1, 4, 80, 8, 0, b""),
                   (a_b, (ack, 1), 2, 4, 9, 0, 0, b""), (a_b, (bye, 2), 3, 4, 90, 1, 0, b"")))
    save(out, call(first, (a_b, (invite, 1), 1, 0, 46, 8, 0, b""), (a_b, (invite, 1), 1, 0, 58, 8, 4, b"")))
    save(out, call(first, (b_a, busy, 1, 4, 40, 1, 0, b"X: \xff\r\n"), (a_b, (ack, 1), 1, 4, 9, 0, 0, b"")))
    save(out, call(first, (b_a, ok, 1, 4, 80, 16, 4, b""), (b_a, ok, 1, 4, 46, 16, 4, b"")))


def piece(what, step, octets):
    return bytes((what, step)) + len(octets).to_bytes(2, "little") + octets


def seed_tap(out):
    """Calls with media as fuzz_tap.c takes them: 10.0.0.0:4000 speaks to 10.0.0.1:4001, and back."""
    def sip(first, cseq, ip, port, more=""):
        body = (f"v=0\r\nc=IN IP4 10.0.0.{ip}\r\nm=audio {port} RTP/AVP 8 101 111\r\na=rtpmap:101 telephone-event/8000\r\n"
                f"a=rtpmap:111 opus/48000/2\r\na=ptime:20\r\na=rtcp-mux\r\n{more}")
        return (f"{first}\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@x>;tag=b\r\nCall-ID: c@x\r\nCSeq: {cseq}\r\n"
                f"Content-Type: application/sdp\r\n\r\n{body}").encode()

    def rtp(n, kind, ssrc, payload):
        return (bytes((0x80, kind)) + n.to_bytes(2, "big") + (n * 160).to_bytes(4, "big") + ssrc.to_bytes(4, "big") + payload)

    there, back = 0 << 1 | 1 << 3 | 0 << 5 | 1 << 6, 1 << 1 | 0 << 3 | 1 << 5 | 0 << 6
    call = piece(1, 0, sip("INVITE sip:b@x SIP/2.0", "1 INVITE", 0, 4000)) + \
        piece(1, 1, sip("SIP/2.0 200 OK", "1 INVITE", 1, 4001, "a=ssrc:11 cname:b@x\r\n"))
    bye = piece(1, 5, b"BYE sip:b@x SIP/2.0\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@x>;tag=b\r\nCall-ID: c@x\r\nCSeq: 2 BYE\r\n\r\n")
    talk = b"".join(piece(there, 2, rtp(n, 8, 10, b"abcd")) + piece(back, 1, rtp(n + 7, 111, 11, b"efgh"))
                    for n in range(12) if n not in (5, 6))
    digits = b"".join(piece(there, 2, rtp(20 + n, 101, 10, bytes((5, 0x8a if n == 3 else 10, 0, 160 * n & 255))))
                      for n in range(4))
    sr = bytes.fromhex("81c8000c 0000000b e0000001 80000000 00001000 00000064 00003e80 0000000a 40fffffd 00010203"
                       "00000037 aabbccdd 00010000 81ca0003 0000000b 01036240 78000000")
    rr = bytes.fromhex("81c90007 0000000a 0000000b 40fffffd 00010203 00000037 00018000 00010000")
    for options, octets in ((0, call + talk + digits + talk + bye), (0, talk + call + talk), (1, talk), (8, call + digits),
                            (0, call + piece(back, 1, sr) + piece(there, 1, rr) + piece(there, 1, rr + bytes(14))),
                            (0, call + talk + piece(there, 6, b"") + piece(there, 6, rtp(40, 8, 10, b"")) + piece(0, 7, b""))):
        save(out, bytes((options,)) + octets)


def seed_quality(out):
    """Reports as fuzz_quality.c takes them; the forms of seed_report()."""
    block = ('{"source_ssrc":%d,"fraction_lost":64,"packets_lost":%d,"highest_seq_no":%d,"ia_jitter":55,"lsr":1,"dlsr":2}')
    rr = [('{"ssrc":1,"type":201,"report_blocks":[%s]}' % (block % (7, n * 3, 1000 + n * 250))).encode() for n in range(5)]
    rtp = (b'{"RTP_SIP_CALL_ID":"a@x","JITTER":0.25,"TOTAL_PK":970,"EXPECTED_PK":1000,"PACKET_LOSS":30,"MOS":4.39,'
           b'"CODEC_NAME":"pcma","SSRC":9,"TYPE":"HANGUP"}')
    save(out, b"\1" + b"".join(piece(0, 4, r) for r in rr))
    save(out, b"\1" + b"".join(piece(n % 3, 0x80 | 0x40 | 4, r) for n, r in enumerate(rr)) + piece(2, 0xc0, rr[0]))
    save(out, b"\1" + piece(1, 4, rtp) + piece(0, 1, rtp) + piece(16, 0, b"PS=207;PR=314;PL=9;JI=600;LA=40;"))


def seed_ws(out):
    """Streams of one direction as fuzz_ws.c takes them."""
    head = b"GET / HTTP/1.1\r\nUpgrade: WebSocket\r\n\r\n"
    sip = b"OPTIONS sip:x SIP/2.0\r\nCall-ID: c\r\n\r\n"
    mask = b"\x01\x02\x03\x04"

    def frame(data, first=0x81, masked=True):
        length = bytes((len(data) | 0x80 * masked,)) if len(data) < 126 else bytes((126 | 0x80 * masked,)) + len(data).to_bytes(2, "big")
        return bytes((first,)) + length + (mask + bytes(o ^ mask[i % 4] for i, o in enumerate(data)) if masked else data)

    z = zlib.compressobj(wbits=-15)
    zipped = [(z.compress(sip) + z.flush(zlib.Z_SYNC_FLUSH))[:-4] for _ in range(3)]
    for cut in (0, 8, 22):
        for stream in (head + frame(sip) + frame(b"p", 0x89) + frame(sip * 5),
                       b"HTTP/1.1 101 x\r\nupgrade:websocket\r\n\r\n" + frame(sip, masked=False) + frame(b"", 0x88, False),
                       head + frame(sip[:9], 0x01) + frame(sip[9:20], 0) + frame(b"", 0x8a) + frame(sip[20:], 0x80),
                       head + b"".join(frame(data, 0xc1) for data in zipped),
                       head + frame(zipped[0][:7], 0x41) + frame(zipped[0][7:], 0x80) + frame(b"\xff\xff", 0xc1),
                       head + b"\x82\xff\0\0\0\0\0\x03\0\0" + mask + sip, head + frame(sip, 0x91) + frame(sip)):
            save(out, bytes((cut,)) + stream)
    save(out, b"\x01" + frame(sip) + frame(sip))


def main():
    out = pathlib.Path(sys.argv[1])
    vectors = json.loads((VECTORS / "hep-vectors.json").read_text())
    frames = [bytes.fromhex(v["hex"]) for v in vectors]
    seed_decode(out / "decode", frames)
    seed_stream(out / "stream", frames)
    seed_json(out / "json", vectors)
    seed_zlib(out / "zlib", vectors)
    seed_filter(out / "filter")
    seed_report(out / "report")
    seed_diagnosis(out / "diagnosis")
    seed_tap(out / "tap")
    seed_ws(out / "ws")
    seed_quality(out / "quality")


if __name__ == "__main__":
    main()
