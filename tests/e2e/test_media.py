#!/usr/bin/env python3
"""Media of calls: reports of every form, how they find their call, and what they come to."""

from __future__ import annotations

import json
import struct
import time
from pathlib import Path

import lib
from serve_lib import Server
from test_calls import REQUEST, SDP, Script

CALLER, CALLEE = ("192.0.2.10", 4000), ("192.0.2.20", 5000)


def sdp(host: tuple[str, int], codec: str = "0 PCMU/8000", more: str = "") -> str:
    number, name = codec.split()
    return (f"v=0\r\no=- 1 1 IN IP4 {host[0]}\r\ns=-\r\nc=IN IP4 {host[0]}\r\nt=0 0\r\nm=audio {host[1]} RTP/AVP {number}\r\n"
            f"a=rtpmap:{number} {name}\r\n{more}")


class Call(Script):
    """An answered call whose media goes from CALLER to CALLEE and back."""

    def talks(self, caller: tuple[str, int] = CALLER, callee: tuple[str, int] = CALLEE, codec: str = "0 PCMU/8000",
              more: str = "") -> Call:
        self.add(0, "INVITE sip:bob@example.org SIP/2.0", "1 INVITE", to_tag=False, body=sdp(caller, codec, more))
        self.add(1, "SIP/2.0 180 Ringing", "1 INVITE")
        self.add(2, "SIP/2.0 200 OK", "1 INVITE", body=sdp(callee, codec, more))
        self.add(2.1, "ACK sip:bob@example.org SIP/2.0", "1 ACK")
        return self

    def over(self, at: float, extra: str = "") -> Call:
        self.add(at, "BYE sip:bob@example.org SIP/2.0", "2 BYE", REQUEST, extra=extra)
        self.add(at + 0.1, "SIP/2.0 200 OK", "2 BYE")
        return self


def report(at: float, src: tuple[str, int], dst: tuple[str, int], payload: str, kind: int = 5, **info) -> dict:
    return lib.message(payload=payload, srcIp=src[0], srcPort=src[1], dstIp=dst[0], dstPort=dst[1], payloadType=kind,
                       timeSeconds=int(at), timeUseconds=int(at % 1 * 1e6), **info)


def block(ssrc: int, lost: int, highest: int, jitter: int, fraction: int = 0) -> dict:
    return {"source_ssrc": ssrc, "fraction_lost": fraction, "packets_lost": lost, "highest_seq_no": highest,
            "ia_jitter": jitter, "lsr": 0, "dlsr": 0}


def rtcp(reporter: int, *blocks: dict, sent: int | None = None) -> str:
    info = {} if sent is None else {"sender_information": {"ntp_timestamp_sec": 3900000000, "ntp_timestamp_usec": 1,
                                                           "rtp_timestamp": 1, "packets": sent, "octets": 160 * sent}}
    return json.dumps({**info, "ssrc": reporter, "type": 201 if sent is None else 200, "report_count": len(blocks),
                       "report_blocks": list(blocks)})


def control(host: tuple[str, int]) -> tuple[str, int]:
    return host[0], host[1] + 1


class Media(lib.Case):
    def serve(self, *args: str, data: Path | None = None) -> Server:
        return self.stack.enter_context(Server(data or self.tmp / "data", *args))

    def call(self, server: Server, call_id: str) -> dict:
        rows = server.get("/api/v1/calls", q=f"callid:{call_id}").json["rows"]
        self.assertEqual(len(rows), 1, rows)
        return rows[0]

    def reports(self, server: Server, call_id: str) -> list[dict]:
        answer = server.get("/api/v1/flow", call_id=call_id, media=1, legs=1).json
        self.assertTrue(answer["exact"], answer)
        return [row for row in answer["rows"] if row["table"] == "quality"]

    def wait_reports(self, server: Server, call_id: str, count: int) -> list[dict]:
        lib.wait_for(lambda: len(self.reports(server, call_id)) == count, f"{count} reports on {call_id}")
        return self.reports(server, call_id)

    def test_figures(self) -> None:
        """Loss 4 %, 20 ms; the other direction without loss: by hand, from call to flow, diagnosis and filters."""
        server, begin = self.serve(), time.time() - 100
        good = Call("good", begin).talks(("192.0.2.11", 4000), ("192.0.2.21", 5000)).messages
        messages = Call("bad", begin).talks().messages + good
        for n, (lost, highest, jitter) in enumerate(((0, 1000, 80), (10, 1250, 160), (20, 1500, 160))):
            messages.append(report(begin + 10 + 5 * n, control(CALLER), control(CALLEE),
                                   rtcp(11, block(22, lost, highest, jitter)), correlation_id="bad"))
            messages.append(report(begin + 10 + 5 * n, control(CALLEE), control(CALLER),
                                   rtcp(22, block(11, 0, 1000 + 250 * n, 8)), correlation_id="bad"))
        server.send(messages)
        rows = self.wait_reports(server, "bad", 6)
        heard = [row for row in rows if row["heard_by"] == "caller"]
        self.assertEqual([row.get("loss") for row in heard], [0, 4, 4])
        self.assertEqual([row.get("jitter_ms") for row in heard], [10, 20, 20])
        self.assertEqual((heard[1]["expected"], heard[1]["lost"], heard[1]["seconds"]), (250, 10, 5))
        self.assertEqual((heard[1]["scale"], heard[1]["rated_loss"], heard[1]["burst_ratio"]), ("narrow", 4, 1))
        self.assertAlmostEqual(heard[1]["loss_impairment"], 95 * 4 / (4 + 25.1), delta=0.01)
        self.assertAlmostEqual(heard[1]["mos"], 4.03, delta=0.01)
        self.assertEqual({row["matched_by"] for row in rows}, {"call-id"})
        call = self.call(server, "bad")
        for key, value in {"reports": 6, "loss": 4, "loss_max": 4, "caller_loss": 4, "callee_loss": 0,
                           "jitter_max_ms": 20, "callee_jitter_ms": 1, "callee_mos": 4.41}.items():
            self.assertEqual(call[key], value, key)
        self.assertAlmostEqual(call["caller_mos_min"], 4.03, delta=0.01)
        self.assertEqual(call["call_flags"], "packet-loss")
        self.assertNotIn("mos", self.call(server, "good"))
        for q, found in (("mos:<4.2", 1), ("mosmin:4..4.1", 1), ("mos:>4.4", 0), ("loss:>2%", 1), ("loss:>4%", 0),
                         ("jitter:>15ms", 1), ("jittermax:20", 1), ("flag:packet-loss", 1), ("reports:6", 1),
                         ("NOT reports:>0", 1), ("mos:*", 1)):
            self.assertEqual(server.get("/api/v1/calls", q=q, total=1).json["total"], found, q)
        flow = lib.run("flow", "--server", server.url, "--ascii", "bad").out.decode()
        self.assertIn("rtcp 192.0.2.10:4001: caller hears MOS 4.03, 4 % lost, 20 ms jitter", flow)
        self.assertRegex(lib.run("calls", "--server", server.url, "-f", "table", "mos:<4.4").out.decode(), r"PCMU +4\.\d\d +packet-loss")
        findings = server.get("/api/v1/calls/bad/diagnosis").json["findings"]
        loss = [f for f in findings if f["id"] == "packet-loss"]
        self.assertIn("4.0 % from 192.0.2.20:5001 to 192.0.2.10:4001", loss[0]["text"])

    def test_sealed(self) -> None:
        """The same answers from files, and from a state that a restart brought back."""
        data, begin = self.tmp / "data", time.time() - 100
        first = self.serve(data=data)
        messages = Call("runs", begin).talks().messages
        messages.append(report(begin + 10, control(CALLER), control(CALLEE), rtcp(11, block(22, 0, 1000, 80)),
                               correlation_id="runs"))
        first.send(messages)
        self.wait_reports(first, "runs", 1)
        first.stop()
        second = self.serve(data=data)
        self.assertEqual(len(self.reports(second, "runs")), 1)
        second.send([report(begin + 15, control(CALLER), control(CALLEE), rtcp(11, block(22, 10, 1250, 160)),
                            correlation_id="runs")])
        rows = self.wait_reports(second, "runs", 2)
        self.assertEqual(rows[1]["loss"], 4)  # of the interval: the report before the restart is known
        self.assertEqual(self.call(second, "runs")["reports"], 2)
        second.stop()
        rows = lib.run("sql", "--data", str(data), "select call_id, loss from quality order by ts").out
        self.assertEqual(json.loads(rows)["rows"], [["runs", 0], ["runs", 4]])

    def test_matching(self) -> None:
        """By SDP whatever comes first, behind a NAT, by SSRC; what belongs to none is kept as well."""
        server, begin = self.serve(), time.time() - 60
        server.send([report(begin + 5, control(CALLER), control(CALLEE), rtcp(11, block(22, 0, 100, 8)))])
        server.send(Call("late", begin).talks().messages)
        rows = self.wait_reports(server, "late", 1)
        self.assertEqual((rows[0]["matched_by"], rows[0]["heard_by"]), ("sdp", "caller"))
        nat = ("198.51.100.7", 1234)
        server.send([report(begin + 10, nat, control(CALLEE), rtcp(33, block(44, 0, 100, 8))),
                     report(begin + 15, ("198.51.100.9", 9), nat, rtcp(22, block(11, 0, 100, 8))),
                     report(begin + 15, ("198.51.100.9", 9), nat, rtcp(77, block(78, 0, 100, 8)))])
        rows = self.wait_reports(server, "late", 3)
        self.assertEqual([row["matched_by"] for row in rows], ["sdp", "sdp", "ssrc"])
        self.assertEqual(rows[1]["heard_by"], "caller")
        lib.wait_for(lambda: server.metric("hepcat_media_messages_alone_total") == 1, "the one that is nobody's")
        self.assertEqual(server.metric("hepcat_media_messages_waiting"), 0)

    def test_forms(self) -> None:
        """RTP statistics with strings for numbers, binary RTCP, X-RTP-Stat, vq-rtcpxr in PUBLISH; what is broken."""
        server, begin = self.serve(), time.time() - 60
        binary = struct.pack(">BBHIIBBHIIII", 0x81, 201, 7, 11, 22, 26, 0, 10, 1250, 160, 0, 0)
        vq = ("VQSessionReport: CallTerm\r\nCallID: vq\r\nLocalID: <sip:a@example.org>\r\nRemoteID: <sip:b@example.org>\r\n"
              "LocalAddr: IP=192.0.2.10 PORT=4000 SSRC=0x11\r\nRemoteAddr: IP=192.0.2.20 PORT=5000 SSRC=0x22\r\n"
              "LocalMetrics:\r\nPacketLoss: NLR=2.5 JDR=0.5\r\nDelay: RTD=120\r\nQualityEst: MOSLQ=3.9 MOSCQ=3.8\r\n")
        publish = ("PUBLISH sip:collector@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK-p\r\n"
                   "From: <sip:a@example.org>;tag=p\r\nTo: <sip:a@example.org>\r\nCall-ID: publish\r\nCSeq: 1 PUBLISH\r\n"
                   f"Event: vq-rtcpxr\r\nContent-Type: application/vq-rtcpxr\r\nContent-Length: {len(vq)}\r\n\r\n{vq}")
        messages = [m for name in ("stat", "rtp", "bin", "vq") for m in Call(name, begin).talks().messages]
        messages += Call("stat", begin).over(30, extra="X-RTP-Stat: PS=1000,OS=160000,PR=980,OR=1,PL=20,JI=3\r\n").messages
        messages.append(report(begin + 20, CALLEE, CALLER, json.dumps(
            {"CORRELATION_ID": "rtp", "RTP_SIP_CALL_ID": "rtp", "JITTER": "12.5", "PACKET_LOSS": "50",
             "TOTAL_PK": "950", "EXPECTED_PK": "1000", "MOS": "3.2", "SRC_IP": CALLEE[0], "SRC_PORT": CALLEE[1],
             "DST_IP": CALLER[0], "DST_PORT": CALLER[1], "CODEC_NAME": "PCMA", "TYPE": "PERIODIC"}), 34))
        server.send(messages + [lib.message(payload=publish, timeSeconds=int(begin + 40))])
        frame = lib.encode([report(begin + 20, control(CALLER), control(CALLEE), "X" * len(binary), correlation_id="bin")])
        with lib.udp_socket() as sock:
            sock.sendto(frame.replace(b"X" * len(binary), binary), (server.host, server.ports["udp"]))
        server.send([report(begin + 20, CALLER, CALLEE, '{"ssrc":', correlation_id="bin")])
        stat, rtp = self.wait_reports(server, "stat", 1)[0], self.wait_reports(server, "rtp", 1)[0]
        self.assertEqual((stat["report"], stat["heard_by"], stat["loss"]), ("header", "caller", 2))
        self.assertEqual((rtp["report"], rtp["heard_by"], rtp["loss"], rtp["codec"]), ("rtp", "caller", 5, "PCMA"))
        self.assertEqual(rtp["mos_reported"], 3.2)
        row = self.wait_reports(server, "bin", 1)[0]
        self.assertEqual((row["report"], row["ssrc"], row["jitter_ms"]), ("rtcp", 22, 20))
        quality = self.wait_reports(server, "vq", 1)[0]
        self.assertEqual((quality["report"], quality["heard_by"], quality["loss"]), ("vq", "caller", 2.5))
        self.assertEqual((quality["rated_loss"], quality["delay_ms"], quality["mos_reported"]), (3, 60, 3.8))
        lib.wait_for(lambda: server.metric("hepcat_media_messages_bad_total") == 1, "the broken one is counted")

    def test_one_way(self) -> None:
        """The caller sends and gets no stream to report on; the called side hears it."""
        server, begin = self.serve(), time.time() - 60
        messages = Call("mute", begin).talks().messages
        for n in range(3):
            at = begin + 10 + 5 * n
            messages.append(report(at, control(CALLER), control(CALLEE), rtcp(11, sent=250 * n), correlation_id="mute"))
            messages.append(report(at, control(CALLEE), control(CALLER), rtcp(22, block(11, 0, 250 * n, 8), sent=250 * n),
                                   correlation_id="mute"))
        server.send(messages)
        self.wait_reports(server, "mute", 3)
        lib.wait_for(lambda: "one-way-audio" in self.call(server, "mute").get("call_flags", ""), "the flag")
        self.assertEqual(server.get("/api/v1/calls", q="flag:one-way-audio").json["rows"][0]["call_id"], "mute")
        findings = server.get("/api/v1/calls/mute/diagnosis").json["findings"]
        self.assertIn("one-way-audio", {f["id"] for f in findings})

    def test_second_medium(self) -> None:
        """Loss of the video is told of, and is not that of the audio."""
        server, begin = self.serve(), time.time() - 60
        more = "m=video {} RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
        call = Call("video", begin)
        call.add(0, "INVITE sip:bob@example.org SIP/2.0", "1 INVITE", to_tag=False, body=sdp(CALLER, more=more.format(4002)))
        call.add(2, "SIP/2.0 200 OK", "1 INVITE", body=sdp(CALLEE, more=more.format(5002)))
        server.send(call.messages)
        for at, lost, highest in ((10, 0, 1000), (15, 100, 2000)):
            server.send([report(begin + at, (CALLER[0], 4003), (CALLEE[0], 5003), rtcp(1011, block(1022, lost, highest, 900)),
                                correlation_id="video"),
                         report(begin + at, control(CALLER), control(CALLEE), rtcp(11, block(22, 0, highest, 8)),
                                correlation_id="video")])
        rows = self.wait_reports(server, "video", 4)
        self.assertEqual({row["loss"] for row in rows if row["ssrc"] == 1022 and row.get("expected")}, {10})
        self.assertEqual(self.call(server, "video")["loss"], 0)


if __name__ == "__main__":
    lib.main()
