"""Packets of every link layer and tunnel that capture/link.c and capture/tunnel.c know, octet by octet.

What is here is written from the RFCs and not from hepcat's decoders; test_decode.py has tshark confirm it.
"""

from __future__ import annotations

import struct
import zlib

from lib import ip4, ip6, tcp

MACS = bytes.fromhex("020000000012020000000011")


def u16(v: int) -> bytes:
    return struct.pack(">H", v)


def u24(v: int) -> bytes:
    return struct.pack(">I", v)[1:]


def u32(v: int) -> bytes:
    return struct.pack(">I", v)


def ethertype(packet: bytes) -> bytes:
    return b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"


# ------------------------------------------------------------------------------------------------ link layers


def tagged(packet: bytes, *tags: tuple[int, int]) -> bytes:
    """tags: (ethertype, VLAN) from the outside."""
    return MACS + b"".join(u16(kind) + u16(vlan) for kind, vlan in tags) + ethertype(packet) + packet


def mpls(packet: bytes, *labels: int) -> bytes:
    stack = [label << 12 | (0x100 if i == len(labels) - 1 else 0) | 64 for i, label in enumerate(labels)]
    return b"".join(u32(entry) for entry in stack) + packet


def ppp(packet: bytes) -> bytes:
    return b"\xff\x03" + (b"\x00\x57" if packet[0] >> 4 == 6 else b"\x00\x21") + packet


def pppoe(packet: bytes, session: int = 1) -> bytes:
    inner = ppp(packet)[2:]
    return b"\x11\x00" + u16(session) + u16(len(inner)) + inner


def sll(packet: bytes) -> bytes:
    return bytes.fromhex("0000 0001 0006 020000000011 0000") + ethertype(packet) + packet


def sll2(packet: bytes) -> bytes:
    return ethertype(packet) + bytes.fromhex("0000 00000002 0001 00 06 020000000011 0000") + packet


def null(packet: bytes) -> bytes:
    return struct.pack("<I", 30 if packet[0] >> 4 == 6 else 2) + packet


def loop(packet: bytes) -> bytes:
    return u32(24 if packet[0] >> 4 == 6 else 2) + packet


def pcapng(packets: list[tuple[int, bytes]]) -> bytes:
    """A capture of packets of several link types: (link type, packet), each on an interface of its own."""

    def block(kind: int, body: bytes) -> bytes:
        length = struct.pack("<I", 12 + len(body))
        return struct.pack("<I", kind) + length + body + length

    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    for link, _ in packets:
        out += block(1, struct.pack("<HHI", link, 0, 0))
    for i, (_, packet) in enumerate(packets):
        head = struct.pack("<IIIII", i, 0x60A24, i, len(packet), len(packet))
        out += block(6, head + packet + bytes(-len(packet) % 4))
    return out


# ------------------------------------------------------------------------------------------------ tunnels: IP payloads


def gre(payload: bytes, kind: int, key: int | None = None, seq: int | None = None, checksum: bool = False) -> bytes:
    flags = (0x8000 if checksum else 0) | (0x2000 if key is not None else 0) | (0x1000 if seq is not None else 0)
    options = (bytes(4) if checksum else b"") + (b"" if key is None else u32(key)) + (b"" if seq is None else u32(seq))
    header = u16(flags) + u16(kind) + options
    if checksum:
        total = sum(struct.unpack(f">{(len(header + payload) + 1) // 2}H", header + payload + bytes(len(payload) % 2)))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        header = header[:4] + u16(~total & 0xFFFF) + header[6:]
    return header + payload


def pptp(packet: bytes, seq: int = 1) -> bytes:
    inner = ppp(packet)
    return u16(0x3001) + u16(0x880B) + u16(len(inner)) + u16(7) + u32(seq) + inner


def erspan2(frame: bytes, vlan: int = 0, session: int = 5) -> bytes:
    return gre(u16(0x1000 | vlan) + u16(session) + u32(9) + frame, 0x88BE, seq=1)


def erspan3(frame: bytes, vlan: int = 0, session: int = 5, sub: bool = False, kind: int = 0) -> bytes:
    """kind: 0 an Ethernet frame, 2 an IP packet."""
    header = u16(0x2000 | vlan) + u16(session) + u32(123456) + u16(0) + u16(kind << 10 | (1 if sub else 0))
    return gre(header + (bytes(8) if sub else b"") + frame, 0x22EB, seq=1)


def etherip(frame: bytes) -> bytes:
    return b"\x30\x00" + frame


def l2tp3(frame: bytes, cookie: bytes = b"", session: int = 77) -> bytes:
    return u32(session) + cookie + frame


# ------------------------------------------------------------------------------------------------ tunnels: UDP payloads


def vxlan(frame: bytes, network: int = 42, policy: int | None = None) -> bytes:
    return (b"\x08" + u24(0) if policy is None else b"\x88\x00" + u16(policy)) + u24(network) + b"\x00" + frame


def vxlan_gpe(payload: bytes, following: int, network: int = 42) -> bytes:
    return b"\x0c\x00\x00" + bytes([following]) + u24(network) + b"\x00" + payload


def geneve(payload: bytes, kind: int = 0x6558, network: int = 42, options: bytes = b"") -> bytes:
    return bytes([len(options) // 4, 0x40 if options else 0]) + u16(kind) + u24(network) + b"\x00" + options + payload


def gtp_u(packet: bytes, teid: int = 0x11223344, seq: int | None = None, extensions: tuple[bytes, ...] = ()) -> bytes:
    """extensions: contents of PDU session containers, two octets each."""
    options = b""
    flags = 0x30
    if seq is not None or extensions:
        flags |= (2 if seq is not None else 0) | (4 if extensions else 0)
        options = u16(seq or 0) + b"\x00" + (b"\x85" if extensions else b"\x00")
        for i, content in enumerate(extensions):
            options += b"\x01" + content + (b"\x00" if i == len(extensions) - 1 else b"\x85")
    body = options + packet
    return bytes([flags, 255]) + u16(len(body)) + u32(teid) + body


def l2tp2(packet: bytes, length: bool = True, seq: bool = False) -> bytes:
    inner = ppp(packet)
    flags = 2 | (0x4000 if length else 0) | (0x0800 if seq else 0)
    rest = u16(3) + u16(4) + (u16(1) + u16(0) if seq else b"") + inner
    return u16(flags) + (u16(len(rest) + 4) if length else b"") + rest


def l2tp3_udp(frame: bytes, cookie: bytes = b"") -> bytes:
    return u16(0x0003) + u16(0) + l2tp3(frame, cookie)


def tzsp(frame: bytes, tags: bytes = b"\x00\x0a\x01\xc0") -> bytes:
    """tags: padding and RSSI by default."""
    return b"\x01\x00" + u16(1) + tags + b"\x01" + frame


# ------------------------------------------------------------------------------------------------ fragments


def fragments4(payload: bytes, protocol: int, size: int, ident: int = 99) -> list[bytes]:
    cuts = range(0, len(payload), size)
    return [ip4(payload[at:at + size], protocol, ident=ident, offset=at, more=at + size < len(payload)) for at in cuts]


def fragments6(payload: bytes, protocol: int, size: int, ident: int = 99) -> list[bytes]:
    out = []
    for at in range(0, len(payload), size):
        more = 1 if at + size < len(payload) else 0
        out.append(ip6(bytes([protocol, 0]) + u16(at | more) + u32(ident) + payload[at:at + size], 44))
    return out


# ------------------------------------------------------------------------------------------------ SCTP


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for octet in data:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def sctp_data(data: bytes, tsn: int, flags: int = 3, stream: int = 1, ssn: int = 0) -> bytes:
    """A DATA chunk; flags: 2 begins a message, 1 ends it, 4 unordered."""
    length = 16 + len(data)
    return bytes([0, flags]) + u16(length) + u32(tsn) + u16(stream) + u16(ssn) + u32(0) + data + bytes(-length % 4)


def sctp(*chunks: bytes, src_port: int = 5060, dst_port: int = 5060, tag: int = 0x1234) -> bytes:
    body = u16(src_port) + u16(dst_port) + u32(tag) + bytes(4) + b"".join(chunks)
    return body[:8] + struct.pack("<I", crc32c(body)) + body[12:]


# ------------------------------------------------------------------------------------------------ WebSocket


UPGRADE = (b"GET /ws HTTP/1.1\r\nHost: sip.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
UPGRADED = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: sip\r\n%s\r\n")
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"


def ws_frame(data: bytes, opcode: int = 1, fin: bool = True, mask: bytes | None = None, compressed: bool = False) -> bytes:
    first = (0x80 if fin else 0) | (0x40 if compressed else 0) | opcode
    bit = 0 if mask is None else 0x80
    if len(data) < 126:
        header = bytes([first, bit | len(data)])
    elif len(data) < 65536:
        header = bytes([first, bit | 126]) + u16(len(data))
    else:
        header = bytes([first, bit | 127]) + struct.pack(">Q", len(data))
    if mask is None:
        return header + data
    return header + mask + bytes(octet ^ mask[i % 4] for i, octet in enumerate(data))


class Deflater:
    """Compresses messages with the context taken over (RFC 7692)."""

    def __init__(self) -> None:
        self.z = zlib.compressobj(wbits=-15)

    def __call__(self, data: bytes) -> bytes:
        out = self.z.compress(data) + self.z.flush(zlib.Z_SYNC_FLUSH)
        assert out.endswith(b"\x00\x00\xff\xff")
        return out[:-4]


# ------------------------------------------------------------------------------------------------ TCP


class Stream:
    """One direction of a connection, cut into segments by hand."""

    def __init__(self, src_port: int = 40000, dst_port: int = 5060, isn: int = 1000, syn: bool = True,
                 src: str = "10.1.0.1", dst: str = "10.1.0.2") -> None:
        self.ports = {"src_port": src_port, "dst_port": dst_port}
        self.addrs = {"src": src, "dst": dst}
        self.first = isn + 1
        self.at = 0
        self.begin = [self.raw(b"", isn, flags=2)] if syn else []

    def raw(self, data: bytes, seq: int, flags: int = 0x18) -> bytes:
        return ip4(tcp(data, seq, flags=flags, **self.ports), 6, **self.addrs)

    def segment(self, data: bytes) -> bytes:
        self.at += len(data)
        return self.raw(data, self.first + self.at - len(data))

    def cut(self, data: bytes, size: int) -> list[bytes]:
        return [self.segment(data[at:at + size]) for at in range(0, len(data), size)]


