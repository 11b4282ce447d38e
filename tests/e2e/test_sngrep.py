"""sngrep 1.6 listens for hepcat's frames and writes what they carry to a pcap.

sngrep takes HEP version 3 over UDP only and, given -O, needs no terminal. Its pcap writer knows IPv4 only: for IPv6
messages it writes 0.0.0.0 on both sides (seen with 1.6.0), so there the ports and payloads are what can be compared.
"""

import subprocess

import lib

PORT_A, PORT_B = 5062, 5070
SDP = ("v=0\r\no=- 1 1 IN IP4 10.1.1.1\r\ns=-\r\nc=IN IP4 10.1.1.1\r\nt=0 0\r\nm=audio 20000 RTP/AVP 0\r\n"
       "a=rtpmap:0 PCMU/8000\r\n")


def call(number: int, a: str, b: str, **rcinfo) -> list[dict]:
    """INVITE, 100, 180, 200, ACK, BYE, 200."""
    steps = [("INVITE", True), (100, False), (180, False), (200, False), ("ACK", True), ("BYE", True), (200, False)]
    messages = []
    for i, (step, forward) in enumerate(steps):
        cseq = "2 BYE" if i >= 5 else "1 ACK" if step == "ACK" else "1 INVITE"
        body = SDP if i in (0, 3) else ""
        first = f"{step} sip:bob@{b} SIP/2.0" if forward else f"SIP/2.0 {step} Word"
        head = (f"{first}\r\nVia: SIP/2.0/UDP host:{PORT_A};branch=z9hG4bK{number}{cseq[0]}\r\n"
                f"From: <sip:alice@example.org>;tag=f{number}\r\nTo: <sip:bob@example.org>{';tag=t' if i else ''}\r\n"
                f"Call-ID: sngrep-{number}@example.org\r\nCSeq: {cseq}\r\nContact: <sip:alice@example.org>\r\n"
                f"{'Content-Type: application/sdp' + chr(13) + chr(10) if body else ''}"
                f"Content-Length: {len(body)}\r\n\r\n")
        src, dst = ((a, PORT_A), (b, PORT_B)) if forward else ((b, PORT_B), (a, PORT_A))
        messages.append(lib.message(i + 10 * number, srcIp=src[0], srcPort=src[1], dstIp=dst[0], dstPort=dst[1],
                                    payload=head + body, **rcinfo))
    return messages


class Sngrep(lib.Case):
    def setUp(self) -> None:
        lib.need("sngrep")
        super().setUp()

    def through_sngrep(self, messages: list[dict]) -> str:
        """Sends messages to sngrep; the path of the pcap with as many packets."""
        port = lib.free_port()
        out = self.tmp / "out.pcap"
        with lib.Process("sngrep", "-N", "-q", "-L", f"udp:127.0.0.1:{port}", "-O", str(out)) as sngrep:
            lib.wait_for(lambda: lib.udp_bound(port) or sngrep.proc.poll() is not None, "sngrep's port")
            done = lib.run("encode", "--to", f"udp://127.0.0.1:{port}", stdin=lib.jsonl(messages))
            self.assertEqual(done.code, 0, done)
            # sngrep flushes after each packet; a pcap packet is 16 + 14 + 20 + 8 octets and the payload.
            want = 24 + sum(58 + len(m["payload"].encode()) for m in messages)
            lib.wait_for(lambda: out.exists() and out.stat().st_size >= want, f"{want} octets of pcap")
            sngrep.stop()
        self.assertEqual(out.stat().st_size, want)
        return str(out)

    def test_ip4_call(self) -> None:
        messages = call(1, "10.1.1.1", "10.1.1.2") + call(2, "192.0.2.1", "198.51.100.200")
        path = self.through_sngrep(messages)
        done = lib.run("encode", "--node", "node1", path)
        self.assertEqual(done.code, 0, done)
        self.assertEqual(lib.decode(done.out), messages)

    def test_tshark_agrees(self) -> None:
        lib.need("tshark")
        messages = call(3, "10.1.1.1", "10.1.1.2")
        names = ["ip.src", "udp.srcport", "ip.dst", "udp.dstport", "sip.Call-ID", "sip.Method", "sip.Status-Code",
                 "frame.time_epoch"]
        done = subprocess.run(["tshark", "-r", self.through_sngrep(messages), "-d", f"udp.port=={PORT_A},sip", "-T",
                               "fields", *[x for n in names for x in ("-e", n)]], capture_output=True, text=True,
                              timeout=lib.TIMEOUT, check=True)
        rows = [line.split("\t") for line in done.stdout.splitlines()]
        want = []
        for m in messages:
            info = m["rcinfo"]
            word = m["payload"].split(" ", 2)
            reply = word[0] == "SIP/2.0"
            want.append([info["srcIp"], str(info["srcPort"]), info["dstIp"], str(info["dstPort"]),
                         "sngrep-3@example.org", "" if reply else word[0], word[1] if reply else "",
                         f"{info['timeSeconds']}.{info['timeUseconds']:06d}000"])
        self.assertEqual(rows, want)

    def test_ip6_call(self) -> None:
        messages = call(4, "2001:db8::1", "2001:db8:1:2:3:4:5:6", protocolFamily=10)
        got = lib.decode(lib.run("encode", self.through_sngrep(messages)).out)
        self.assertEqual([m["payload"] for m in got], [m["payload"] for m in messages])
        ports = lambda ms: [(m["rcinfo"]["srcPort"], m["rcinfo"]["dstPort"], m["rcinfo"]["timeUseconds"]) for m in ms]
        self.assertEqual(ports(got), ports(messages))

    def test_key(self) -> None:
        """Told a password, sngrep takes only frames with that key: ours with it, not the one without."""
        port = lib.free_port()
        out = self.tmp / "out.pcap"
        messages = call(5, "10.1.1.1", "10.1.1.2")
        config = self.file("sngreprc", "set eep.listen.pass s3cret\n")
        with lib.Process("sngrep", "-f", config, "-N", "-q", "-L", f"udp:127.0.0.1:{port}", "-O", str(out)) as sngrep:
            lib.wait_for(lambda: lib.udp_bound(port) or sngrep.proc.poll() is not None, "sngrep's port")
            to = ["--to", f"udp://127.0.0.1:{port}"]
            lib.run("encode", *to, stdin=lib.jsonl([lib.message(99, payload=messages[0]["payload"])]))
            lib.run("encode", *to, "--auth-key", "s3cret", stdin=lib.jsonl(messages))
            want = 24 + sum(58 + len(m["payload"]) for m in messages)
            lib.wait_for(lambda: out.exists() and out.stat().st_size >= want, f"{want} octets of pcap")
            sngrep.stop()
        got = lib.decode(lib.run("encode", str(out)).out)
        self.assertEqual([m["payload"] for m in got], [m["payload"] for m in messages])


if __name__ == "__main__":
    lib.main()
