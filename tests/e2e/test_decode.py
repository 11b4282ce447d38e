"""Every link layer, tunnel, reassembly and transport of a capture: the SIP messages that come out, and tshark's."""

from __future__ import annotations

import subprocess

import lib
import packets as p
from lib import ethernet, ip4, ip6, run, udp

ETHERNET, SLL, SLL2, RAW, NULL, LOOP, PPP, PPP_ETHER, MPLS, CHDLC = 1, 113, 276, 101, 0, 108, 9, 51, 219, 104


def sip(number: int, body: str = "") -> bytes:
    return lib.sip(number, body=body).encode()


def sip4(number: int, body: str = "") -> bytes:
    """An IPv4 packet of SIP over UDP."""
    return ip4(udp(sip(number, body), 5060, 5060), 17, "192.0.2.1", "192.0.2.2")


def sip6(number: int) -> bytes:
    return ip6(udp(sip(number), 5060, 5060), 17)


def frame(number: int = 1, vlan: int | None = None) -> bytes:
    return ethernet(sip4(number), vlan)


def over_udp(payload: bytes, port: int, outer6: bool = False) -> bytes:
    datagram = udp(payload, 40001, port)
    return ethernet(ip6(datagram, 17) if outer6 else ip4(datagram, 17))


def over_ip(payload: bytes, protocol: int, outer6: bool = False) -> bytes:
    return ethernet(ip6(payload, protocol) if outer6 else ip4(payload, protocol))


# name: (link type, packets), each with SIP message 1 and, where it is said, more; None: tshark does not read it
LINKS = {
    "ethernet": (ETHERNET, [frame()]),
    "ethernet v6": (ETHERNET, [ethernet(sip6(1))]),
    "802.1q": (ETHERNET, [frame(1, 7)]),
    "qinq": (ETHERNET, [p.tagged(sip4(1), (0x88A8, 5), (0x8100, 6))]),
    "qinq 9100": (ETHERNET, [p.tagged(sip4(1), (0x9100, 5), (0x8100, 6))]),
    "mpls": (ETHERNET, [p.MACS + b"\x88\x47" + p.mpls(sip4(1), 100, 200)]),
    "pseudowire": (ETHERNET, [p.MACS + b"\x88\x47" + p.mpls(bytes(4) + frame(1, 9), 100)]),
    "pppoe": (ETHERNET, [p.MACS + b"\x88\x64" + p.pppoe(sip4(1))]),
    "pppoe v6 in qinq": (ETHERNET, [p.MACS + b"\x88\xa8\x00\x05\x81\x00\x00\x06\x88\x64" + p.pppoe(sip6(1))]),
    "service tag": (ETHERNET, [p.MACS + b"\x88\xe7\x00\x00\x00\x07" + frame()]),
    "sll": (SLL, [p.sll(sip4(1))]),
    "sll2": (SLL2, [p.sll2(sip6(1))]),
    "raw": (RAW, [sip4(1)]),
    "null": (NULL, [p.null(sip6(1))]),
    "loop": (LOOP, [p.loop(sip4(1))]),
    "ppp": (PPP, [p.ppp(sip4(1))]),
    "ppp ether": (PPP_ETHER, [p.pppoe(sip4(1))]),
    "mpls alone": (MPLS, [p.mpls(sip4(1), 5)]),
    "cisco hdlc": (CHDLC, [b"\x0f\x00\x08\x00" + sip4(1)]),
}

TUNNELS = {
    "ipip": over_ip(sip4(1), 4),
    "4in6": over_ip(sip4(1), 4, True),
    "6in4": over_ip(sip6(1), 41),
    "6in6": over_ip(sip6(1), 41, True),
    "gre": over_ip(p.gre(sip4(1), 0x0800), 47),
    "gre v6": over_ip(p.gre(sip6(1), 0x86DD, key=9), 47, True),
    "gre all options": over_ip(p.gre(sip4(1), 0x0800, key=1, seq=2, checksum=True), 47),
    "gre mpls": over_ip(p.gre(p.mpls(sip4(1), 7), 0x8847), 47),
    "nvgre": over_ip(p.gre(frame(), 0x6558, key=0x123456 << 8), 47),
    "pptp": over_ip(p.pptp(sip4(1)), 47),
    "erspan 1": over_ip(p.gre(frame(1, 8), 0x88BE), 47),
    "erspan 2": over_ip(p.erspan2(frame(), vlan=12), 47),
    "erspan 3": over_ip(p.erspan3(frame(1, 9)), 47),
    "erspan 3 with sub-header": over_ip(p.erspan3(frame(), sub=True), 47),
    "etherip": over_ip(p.etherip(frame()), 97),
    "mpls in ip": over_ip(p.mpls(sip4(1), 16), 137),
    "l2tp3": over_ip(p.l2tp3(frame()), 115),
    "l2tp3 cookie": over_ip(p.l2tp3(frame(), cookie=b"\xc0\xff\xee\x00"), 115),
    "vxlan": over_udp(p.vxlan(frame(1, 3)), 4789),
    "vxlan of linux": over_udp(p.vxlan(frame()), 8472),
    "vxlan policy": over_udp(p.vxlan(frame(), policy=100), 4789, True),
    "vxlan gpe": over_udp(p.vxlan_gpe(sip4(1), 1), 4790),
    "geneve": over_udp(p.geneve(frame()), 6081),
    "geneve with options": over_udp(p.geneve(sip6(1), 0x86DD, options=bytes.fromhex("0102800100000000")), 6081),
    "gtp-u": over_udp(p.gtp_u(sip4(1)), 2152),
    "gtp-u numbered": over_udp(p.gtp_u(sip6(1), seq=7), 2152),
    "gtp-u 5g": over_udp(p.gtp_u(sip4(1), extensions=(b"\x10\x01",)), 2152),
    "l2tp2": over_udp(p.l2tp2(sip4(1)), 1701),
    "l2tp2 short": over_udp(p.l2tp2(sip6(1), length=False), 1701),
    "l2tp2 numbered": over_udp(p.l2tp2(sip4(1), seq=True), 1701),
    "l2tp3 over udp": over_udp(p.l2tp3_udp(frame()), 1701),
    "tzsp": over_udp(p.tzsp(frame()), 37008),
    "gre in udp": over_udp(p.gre(sip4(1), 0x0800), 4754),
    "mpls in udp": over_udp(p.mpls(sip4(1), 16), 6635),
    "erspan of vxlan of gtp-u": over_ip(p.erspan2(over_udp(p.vxlan(over_udp(p.gtp_u(sip4(1)), 2152)), 4789)), 47),
}

# tshark 4.0 does not read these: no control word, no dissector of the link type, cookies that it is not told of.
NOT_BY_TSHARK = {"pseudowire", "mpls alone", "l2tp3", "l2tp3 cookie", "l2tp3 over udp"}


class DecodeCase(lib.Case):
    def messages(self, packets: list[bytes], link: int = ETHERNET) -> list[dict]:
        done = run("encode", self.file("a.pcap", lib.pcap(packets, link)))
        self.assertEqual(done.code, 0, done.err)
        self.notes = done.err
        return lib.decode(done.out)

    def check(self, packets: list[bytes], expected: list[bytes], link: int = ETHERNET) -> list[dict]:
        got = self.messages(packets, link)
        self.assertEqual([m["payload"] for m in got], [m.decode() for m in expected])
        return got

    def tshark(self, capture: bytes) -> list[list[str]]:
        """Of each packet the Call-IDs of the SIP messages that tshark finds to end in it."""
        lib.need("tshark")
        path = self.file("b.pcap", capture)
        done = subprocess.run(["tshark", "-n", "-r", path, "-d", "udp.port==8472,vxlan", "-T", "fields", "-E", "aggregator=;", "-e", "sip.Call-ID"],
                              capture_output=True, text=True, timeout=lib.TIMEOUT, check=True)
        return [line.split(";") if line else [] for line in done.stdout.splitlines()]

    def agree(self, packets: list[bytes], expected: list[bytes], link: int = ETHERNET) -> None:
        """hepcat gives the expected messages and tshark finds as many."""
        self.check(packets, expected, link)
        calls = [call for calls in self.tshark(lib.pcap(packets, link)) for call in calls]
        self.assertEqual(calls, [call_id(m) for m in expected])


def call_id(message: bytes) -> str:
    return next(line[9:].decode() for line in message.split(b"\r\n") if line.startswith(b"Call-ID: "))


class Layers(DecodeCase):
    def test_links(self) -> None:
        for name, (link, packets) in LINKS.items():
            with self.subTest(name):
                self.check(packets, [sip(1)], link)

    def test_tunnels(self) -> None:
        for name, packet in TUNNELS.items():
            with self.subTest(name):
                got = self.check([packet], [sip(1)])
                self.assertIn(got[0]["rcinfo"]["srcIp"], ("192.0.2.1", "2001:db8::1"))

    def test_tshark_agrees(self) -> None:
        cases = {name: (link, packet) for name, (link, (packet,)) in LINKS.items()}
        cases |= {name: (ETHERNET, packet) for name, packet in TUNNELS.items()}
        found = dict(zip(cases, self.tshark(p.pcapng(list(cases.values())))))
        wrong = {name for name, calls in found.items() if calls != [call_id(sip(1))]}
        self.assertEqual(wrong, NOT_BY_TSHARK)

    def test_all_in_one_capture(self) -> None:
        packets = [packet for link, (packet,) in LINKS.values() if link == ETHERNET] + list(TUNNELS.values())
        self.check(packets, [sip(1)] * len(packets))

    def test_vlan_is_that_of_the_inner_frame(self) -> None:
        cases = [(p.tagged(sip4(1), (0x88A8, 5), (0x8100, 6)), 6), (over_udp(p.vxlan(frame(1, 3)), 4789), 3),
                 (over_ip(p.erspan2(frame(), vlan=12), 47), 12), (over_ip(p.erspan2(frame(1, 4), vlan=12), 47), 4),
                 (ethernet(ip4(sip4(1), 4), 8), 8), (ethernet(ip4(udp(p.vxlan(frame()), 1, 4789), 17), 8), None)]
        for packet, vlan in cases:
            (message,) = self.messages([packet])
            self.assertEqual(message["rcinfo"].get("vlan"), vlan)

    def test_depth(self) -> None:
        packet, packets = sip4(1), []
        for _ in range(9):
            packet = ip4(packet, 4)
            packets.append(packet)
        self.check(packets, [sip(1)] * 8, RAW)
        self.assertIn("tunnel_too_deep 1", self.notes)

    def test_what_is_no_tunnel(self) -> None:
        """The ports belong to nobody: SIP on them is SIP."""
        packets = [over_udp(sip(i), port) for i, port in enumerate((4789, 8472, 4790, 6081, 2152, 1701, 37008, 4754, 6635))]
        self.check(packets, [sip(i) for i in range(len(packets))])

    def test_cut_anywhere(self) -> None:
        """A tunnel that ends early is counted and costs nothing else."""
        for name, packet in TUNNELS.items():
            short = [packet[:at] for at in range(14, len(packet) - len(sip(1)), 5)]
            with self.subTest(name):
                got = [m["payload"] for m in self.messages([*short, packet])]
                self.assertEqual(got[-1:], [sip(1).decode()])


class Fragments(DecodeCase):
    def big(self, number: int = 1) -> bytes:
        return sip(number, "x" * 3000)

    def datagram(self, number: int = 1) -> bytes:
        return udp(self.big(number), 5060, 5060)

    def test_orders(self) -> None:
        for name, parts in (("v4", p.fragments4(self.datagram(), 17, 1000)),
                            ("v6", p.fragments6(self.datagram(), 17, 1000))):
            for order in (parts, parts[::-1], parts[1:] + parts[:1], parts + parts):
                with self.subTest(name):
                    self.check(order, [self.big()], RAW)
            self.agree(parts[::-1], [self.big()], RAW)

    def test_inside_tunnels(self) -> None:
        """Fragments in a tunnel, and the fragments of a tunnel's own packets, and both."""
        inner = [ethernet(f) for f in p.fragments4(self.datagram(), 17, 1000)]
        both = []
        for i, fragment in enumerate(inner):
            both += p.fragments4(udp(p.vxlan(fragment), 40000, 4789), 17, 400, ident=i)
        cases = {
            "in vxlan": [over_udp(p.vxlan(f), 4789) for f in inner],
            "in gre": [over_ip(p.gre(f, 0x0800), 47) for f in p.fragments4(self.datagram(), 17, 1000)],
            "of vxlan": [ethernet(f) for f in p.fragments4(udp(p.vxlan(ethernet(ip4(self.datagram(), 17))), 1, 4789),
                                                           17, 1400)],
            "of and in vxlan": [ethernet(f) for f in both],
        }
        for name, packets in cases.items():
            with self.subTest(name):
                self.agree(packets, [self.big()])

    def test_networks_do_not_mix(self) -> None:
        """Two tenants use the same addresses and identification."""
        one, two = (p.fragments4(self.datagram(i), 17, 1000) for i in (1, 2))
        packets = [over_udp(p.vxlan(ethernet(f), network), 4789) for pair in zip(one, two)
                   for network, f in zip((1, 2), pair)]
        self.check(packets, [self.big(1), self.big(2)])

    def test_lost_and_overlapping(self) -> None:
        parts = p.fragments4(self.datagram(), 17, 1000)
        self.check(parts[:1] + parts[2:] + [sip4(2)], [sip(2)], RAW)
        self.assertIn("lack a fragment", self.notes)
        evil = p.fragments4(b"\x00" * 3100, 17, 1000)
        self.check([parts[0], evil[0], *parts[1:], sip4(2)], [sip(2)], RAW)
        self.assertIn("fragment_dropped", self.notes)


class Tcp(DecodeCase):
    def test_segmentations(self) -> None:
        text = sip(1) + sip(2, "v" * 300) + b"\r\n\r\n" + sip(3)
        for size in (1, 7, 100, 536, 1460, len(text)):
            stream = p.Stream()
            packets = stream.begin + stream.cut(text, size)
            with self.subTest(size=size):
                self.check(packets, [sip(1), sip(2, "v" * 300), sip(3)], RAW)
        stream = p.Stream()
        text = sip(1) + sip(2, "v" * 300) + sip(3)
        self.agree(stream.begin + stream.cut(text, 536), [sip(1), sip(2, "v" * 300), sip(3)], RAW)

    def test_order_retransmission_overlap(self) -> None:
        text = sip(1) + sip(2) + sip(3)
        stream = p.Stream()
        parts = stream.cut(text, 100)
        first = stream.first
        overlap = [stream.raw(b"\x00" * 50 + text[150:400], first + 100), *stream.cut(b"", 1)]
        cases = {"reversed pairs": [x for i in range(0, len(parts), 2) for x in parts[i:i + 2][::-1]],
                 "reversed": parts[:1] + parts[:0:-1],
                 "twice": [x for part in parts for x in (part, part)],
                 "late copies": parts + parts[:5],
                 "bigger retransmission": parts[:3] + [stream.raw(text[:500], first)] + parts[3:],
                 "first octet wins": parts[:2] + overlap + parts[2:]}
        for name, packets in cases.items():
            with self.subTest(name):
                self.check(stream.begin + packets, [sip(1), sip(2), sip(3)], RAW)

    def test_mid_stream_and_loss(self) -> None:
        text = sip(1) + sip(2) + sip(3)
        stream = p.Stream(syn=False)
        self.check(stream.cut(text[40:], 90), [sip(2), sip(3)], RAW)
        stream = p.Stream()
        parts = stream.cut(text, len(sip(1)) // 2)
        self.check(stream.begin + parts[:2] + parts[3:], [sip(1), sip(3)], RAW)

    def test_inside_tunnels(self) -> None:
        text = sip(1) + sip(2)
        stream = p.Stream()
        packets = [over_udp(p.geneve(ethernet(s)), 6081) for s in stream.begin + stream.cut(text, 70)]
        self.agree(packets, [sip(1), sip(2)])
        one, two = p.Stream(), p.Stream()
        mixed = [over_udp(p.vxlan(ethernet(s), network), 4789) for pair in
                 zip(one.begin + one.cut(sip(1), 50), two.begin + two.cut(sip(2), 50))
                 for network, s in zip((1, 2), pair)]
        self.check(mixed, [sip(1), sip(2)])


class WebSocket(DecodeCase):
    """SIP over WebSocket (RFC 7118), as browsers and their servers send it."""

    MASK = b"\x37\xfa\x21\x3d"

    def both(self, up: bytes, down: bytes, size: int) -> list[bytes]:
        """A connection: what goes to the server and back, cut into segments."""
        there, back = p.Stream(dst_port=80), p.Stream(80, 40000, 5000, src="10.1.0.2", dst="10.1.0.1")
        return (there.begin + back.begin + there.cut(p.UPGRADE, size) + back.cut(p.UPGRADED % p.DEFLATE, size)
                + there.cut(up, size) + back.cut(down, size))

    def test_segmentations(self) -> None:
        up = p.ws_frame(sip(1), mask=self.MASK) + p.ws_frame(b"ping", 9, mask=self.MASK) + p.ws_frame(sip(2, "v" * 60000), 2, mask=self.MASK)
        down = p.ws_frame(sip(3)) + p.ws_frame(b"", 10) + p.ws_frame(sip(4)) + p.ws_frame(b"\x03\xe8", 8)
        for size in (300, 1460, 60000):
            with self.subTest(size=size):
                got = self.messages(self.both(up, down, size), RAW)
                self.assertEqual([m["payload"].encode() for m in got], [sip(1), sip(2, "v" * 60000), sip(3), sip(4)])

    def apart(self, frames: list[bytes]) -> list[bytes]:
        """A segment each: of several frames in one tshark does not show all."""
        there, back = p.Stream(dst_port=80), p.Stream(80, 40000, 5000, src="10.1.0.2", dst="10.1.0.1")
        return (there.begin + back.begin + [there.segment(p.UPGRADE), back.segment(p.UPGRADED % p.DEFLATE)]
                + [there.segment(f) for f in frames])

    def bad(self, packets: list[bytes], expected: list[bytes], text: str) -> None:
        """The expected messages, and a complaint about something else."""
        done = run("encode", self.file("a.pcap", lib.pcap(packets, RAW)))
        self.assertEqual(done.code, 1, done)
        self.assertEqual([m["payload"].encode() for m in lib.decode(done.out)], expected)
        self.assertIn(text, done.err)

    def test_fragments(self) -> None:
        parts = [sip(1)[:40], sip(1)[40:100], sip(1)[100:]]
        up = (p.ws_frame(parts[0], 1, False, self.MASK) + p.ws_frame(parts[1], 0, False, self.MASK) + p.ws_frame(b"x", 9, mask=self.MASK)
              + p.ws_frame(parts[2], 0, True, self.MASK) + p.ws_frame(sip(2), mask=self.MASK))
        for size in (1, 30, 1460):
            with self.subTest(size=size):
                self.check(self.both(up, b"", size), [sip(1), sip(2)], RAW)
        self.agree(self.apart([p.ws_frame(parts[0], 1, False, self.MASK), p.ws_frame(parts[1] + parts[2], 0, True, self.MASK),
                               p.ws_frame(sip(2), mask=self.MASK)]), [sip(1), sip(2)], RAW)

    def test_deflate(self) -> None:
        """With the context taken over, in fragments, beside what is not compressed."""
        zip_up, zip_down = p.Deflater(), p.Deflater()
        one, two, three = (zip_up(sip(n)) for n in (1, 2, 3))
        up = (p.ws_frame(one, mask=self.MASK, compressed=True) + p.ws_frame(sip(7), mask=self.MASK)
              + p.ws_frame(two[:20], 1, False, self.MASK, True) + p.ws_frame(two[20:], 0, True, self.MASK)
              + p.ws_frame(three, mask=self.MASK, compressed=True))
        down = b"".join(p.ws_frame(zip_down(sip(n)), compressed=True) for n in (4, 5, 6))
        self.assertLess(len(two), len(one) / 2)  # it does refer to what was before
        for size in (1, 50, 1460):
            with self.subTest(size=size):
                self.check(self.both(up, down, size), [sip(n) for n in (1, 7, 2, 3, 4, 5, 6)], RAW)
        zip_up = p.Deflater()
        self.agree(self.apart([p.ws_frame(zip_up(sip(n)), mask=self.MASK, compressed=True) for n in (1, 2, 3)]),
                   [sip(1), sip(2), sip(3)], RAW)

    def test_mid_stream_and_loss(self) -> None:
        frames = [p.ws_frame(sip(n), mask=self.MASK) for n in (1, 2, 3, 4)]
        stream = p.Stream(dst_port=80, syn=False)
        self.check([stream.segment(f) for f in [b"\x99" * 50] + frames], [sip(n) for n in (1, 2, 3, 4)], RAW)
        stream = p.Stream(dst_port=80)
        packets = stream.begin + [stream.segment(p.UPGRADE)] + [stream.segment(f) for f in frames]
        self.check(packets[:3] + packets[4:], [sip(1), sip(3), sip(4)], RAW)
        # Compressed ones that refer to what is missing are told of; those with a context of their own are read.
        shared, stream = p.Deflater(), p.Stream(dst_port=80)
        zipped = [p.ws_frame(shared(sip(n)), mask=self.MASK, compressed=True) for n in (1, 2, 3)]
        alone = p.ws_frame(p.Deflater()(sip(4)), mask=self.MASK, compressed=True)
        packets = stream.begin + [stream.segment(p.UPGRADE)] + [stream.segment(f) for f in [*zipped, frames[3], alone]]
        self.check(packets[:3] + packets[4:], [sip(1), sip(4), sip(4)], RAW)

    def test_what_is_none(self) -> None:
        plain = b"GET /index.html HTTP/1.1\r\nHost: x\r\n\r\n"
        stream = p.Stream(dst_port=80)
        self.check(stream.begin + stream.cut(plain + plain, 20), [], RAW)
        for name, frame in {"reserved bit": b"\x91\x03abc", "reserved operation": b"\x83\x03abc", "long ping": p.ws_frame(b"x" * 126, 9),
                            "continuation of nothing": p.ws_frame(b"x", 0), "length": b"\x81\xff" + b"\xff" * 12,
                            "no deflate": p.ws_frame(b"\xff\xff\xff", compressed=True)}.items():
            with self.subTest(name):
                self.bad(self.both(frame, p.ws_frame(sip(1)), 1460), [sip(1)], "WebSocket")
        long = p.ws_frame(b"v" * 140000) + p.ws_frame(sip(2))
        self.bad(self.both(b"", long, 1460), [sip(2)], "131072")
        bomb = p.ws_frame(p.Deflater()(b"v" * 50_000_000), compressed=True) + p.ws_frame(sip(2))
        self.bad(self.both(b"", bomb, 1460), [sip(2)], "does not expand")
        self.check(self.both(p.ws_frame(b'{"jsonrpc":"2.0"}'), p.ws_frame(sip(1)), 1460), [sip(1)], RAW)


class Sctp(DecodeCase):
    """SIP over SCTP (RFC 4168)."""

    def packet(self, *chunks: bytes) -> bytes:
        return ip4(p.sctp(*chunks), 132)

    def test_bundled(self) -> None:
        self.agree([self.packet(p.sctp_data(sip(1), 1), p.sctp_data(sip(2), 2, ssn=1))], [sip(1), sip(2)], RAW)

    def test_fragmented(self) -> None:
        """In any order, again, beside another stream, over the end of the numbers; what is not whole is no message."""
        a, b = sip(1, "v" * 2000), sip(2)
        last = 0xFFFFFFFF
        pieces = [p.sctp_data(a[:700], last - 1, 2), p.sctp_data(a[700:1400], last, 0), p.sctp_data(b, 10, 3, 2), p.sctp_data(a[1400:], 0, 1)]
        self.check([self.packet(c) for c in pieces], [b, a], RAW)
        self.check([self.packet(pieces[i]) for i in (1, 3, 1, 0, 0)], [a], RAW)
        self.check([self.packet(pieces[0], pieces[1]), self.packet(pieces[3])], [a], RAW)
        self.check([self.packet(pieces[i]) for i in (0, 2, 3)], [b], RAW)
        two = [p.sctp_data(sip(3)[:100], 1, 2), p.sctp_data(sip(3)[100:], 2, 1), p.sctp_data(sip(4)[:100], 3, 2, ssn=1), p.sctp_data(sip(4)[100:], 4, 1, ssn=1)]
        self.agree([self.packet(c) for c in two], [sip(3), sip(4)], RAW)


if __name__ == "__main__":
    lib.main()
