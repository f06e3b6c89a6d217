"""Packets as bytes: each carries the number of its conversation and of its turn, whatever NAT makes of it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import ip_address
from typing import NamedTuple

ICMP, TCP, UDP, ICMP6, SCTP = 1, 6, 17, 58, 132
NUMBERS = {"icmp": ICMP, "tcp": TCP, "udp": UDP, "icmpv6": ICMP6, "sctp": SCTP}
ETHER_IPV4, ETHER_IPV6 = 0x0800, 0x86DD
SYN, RST, ACK = 0x02, 0x04, 0x10

_ROOM = 16
"""Numbers that a conversation may use: sequence numbers have to fit, or conntrack takes them for invalid."""

_ANSWERS = 5
_INIT, _INIT_ACK = 1, 2
PINGS = {"icmp": (8, 0), "icmpv6": (128, 129)}
"""Types of an echo and of its reply."""

_ERRORS = {ICMP: 3, ICMP6: 1}
_CASTAGNOLI = 0x82F63B78


class Turn(IntEnum):
    """Which packet of a conversation."""

    REQUEST = 0
    REPLY = 1
    DATA = 2
    """The client's next packet (TCP)."""


FLAGS = {Turn.REQUEST: SYN, Turn.REPLY: SYN | ACK, Turn.DATA: ACK}


@dataclass(frozen=True, slots=True)
class Content:
    """What a packet says above IP, addresses aside."""

    protocol: int
    source_port: int
    port: int
    conversation: int
    turn: Turn = Turn.REQUEST
    flags: int = SYN
    """Of TCP."""

    peer_sequence: int | None = None
    """Sequence number that TCP acknowledges, where it is not one of the conversation's own."""


class Ends(NamedTuple):
    """From where to where a packet goes."""

    source: str
    source_port: int
    destination: str
    port: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A packet that was caught."""

    protocol: int
    source: str
    source_port: int
    destination: str
    destination_port: int
    conversation: int
    turn: int
    icmp: tuple[int, int] | None = None
    """Type and code of an ICMP error about a packet of the conversation."""

    about: Ends | None = None
    """The packet that an error or a reset refuses, as whoever receives it sees it."""


def packet(source: str, destination: str, content: Content) -> bytes:
    """Return an IP packet with right checksums."""
    ends = ip_address(source).packed + ip_address(destination).packed
    body = _BODIES[content.protocol](content, ends)
    return _header(ends, content.protocol, len(body)) + body


def _tcp(content: Content, ends: bytes) -> bytes:
    base = content.conversation * _ROOM
    sequence = {Turn.REQUEST: base, Turn.REPLY: base + _ANSWERS, Turn.DATA: base + 1}[content.turn]
    acknowledged = base if content.turn is Turn.REPLY else base + _ANSWERS
    if content.peer_sequence is not None:
        acknowledged = content.peer_sequence
    following = (acknowledged + 1) & 0xFFFFFFFF if content.flags & ACK else 0
    ports = content.source_port, content.port
    body = struct.pack(
        "!HHIIBBHHH", *ports, sequence, following, 5 << 4, content.flags, 65535, 0, 0
    )
    return _summed(body, 16, ends, TCP)


def _udp(content: Content, ends: bytes) -> bytes:
    body = struct.pack("!HHHHI", content.source_port, content.port, 12, 0, _number(content))
    return _summed(body, 6, ends, UDP)


def _sctp(content: Content, _ends: bytes) -> bytes:
    answers = content.turn is Turn.REPLY
    tag = content.conversation * _ROOM if answers else 0
    chunk = struct.pack(
        "!BBHIIHHI", _INIT_ACK if answers else _INIT, 0, 20, _number(content), 1500, 1, 1, 1
    )
    head = struct.pack("!HHI", content.source_port, content.port, tag)
    return head + struct.pack("<I", _crc32c(head + bytes(4) + chunk)) + chunk


def _icmp(content: Content, _ends: bytes) -> bytes:
    body = _echo(content, *PINGS["icmp"])
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


def _icmp6(content: Content, ends: bytes) -> bytes:
    return _summed(_echo(content, *PINGS["icmpv6"]), 2, ends, ICMP6)


def _echo(content: Content, asks: int, replies: int) -> bytes:
    answers = content.turn is Turn.REPLY
    identity = content.port if answers else content.source_port
    kind = replies if answers else asks
    return struct.pack("!BBHHHI", kind, 0, 0, identity, 1, _number(content))


_BODIES = {TCP: _tcp, UDP: _udp, SCTP: _sctp, ICMP: _icmp, ICMP6: _icmp6}


def _number(content: Content) -> int:
    return content.conversation * _ROOM + content.turn * _ANSWERS


def _summed(body: bytes, at: int, ends: bytes, protocol: int) -> bytes:
    if len(ends) > 8:
        pseudo = ends + struct.pack("!IHBB", len(body), 0, 0, protocol)
    else:
        pseudo = ends + struct.pack("!BBH", 0, protocol, len(body))
    total = checksum(pseudo + body) or 0xFFFF
    return body[:at] + struct.pack("!H", total) + body[at + 2 :]


def _header(ends: bytes, protocol: int, length: int) -> bytes:
    if len(ends) > 8:
        return struct.pack("!IHBB", 6 << 28, length, protocol, 64) + ends
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 1, 0x4000, 64, protocol, 0) + ends
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:]


def headed(body: bytes, source: str, destination: str, protocol: int) -> bytes:
    """Return a payload with the header that a raw IPv6 socket leaves out."""
    ends = ip_address(source.partition("%")[0]).packed + ip_address(destination).packed
    return _header(ends, protocol, len(body)) + body


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _crc32c(data: bytes) -> int:
    """Return the checksum of SCTP (RFC 9260, appendix A)."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (_CASTAGNOLI if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def read(data: bytes) -> Seen | None:
    """Return what an IP packet says, or None for one that has nothing to do with a conversation."""
    if not data:
        return None
    if data[0] >> 4 == 4:
        header, protocol = (data[0] & 15) * 4, data[9]
        source, destination = data[12:16], data[16:20]
    else:
        header, protocol = 40, data[6]
        source, destination = data[8:24], data[24:40]
    ends = str(ip_address(source)), str(ip_address(destination))
    body = data[header:]
    if body[0] == _ERRORS.get(protocol):
        inner = read(body[8:])
        if inner is None:
            return None
        about = Ends(inner.source, inner.source_port, inner.destination, inner.destination_port)
        return Seen(
            protocol,
            ends[0],
            0,
            ends[1],
            0,
            inner.conversation,
            inner.turn,
            icmp=(body[0], body[1]),
            about=about,
        )
    match protocol:
        case _ if protocol == TCP and len(body) >= 8:
            return _read_tcp(body, *ends)
        case _ if protocol == UDP and len(body) >= 12:
            ports = struct.unpack("!HH", body[:4])
            return _read_numbered(UDP, body[8:12], ends, ports)
        case _ if protocol == SCTP and len(body) >= 20:
            ports = struct.unpack("!HH", body[:4])
            return _read_numbered(SCTP, body[16:20], ends, ports)
        case _ if protocol in {ICMP, ICMP6} and len(body) >= 12:
            return _read_numbered(protocol, body[8:12], ends, struct.unpack("!H", body[4:6]) * 2)
        case _:
            return None


def _read_numbered(
    protocol: int, number: bytes, ends: tuple[str, str], ports: tuple[int, ...]
) -> Seen:
    conversation, rest = divmod(int.from_bytes(number, "big"), _ROOM)
    return Seen(protocol, ends[0], ports[0], ends[1], ports[1], conversation, rest // _ANSWERS)


def _read_tcp(body: bytes, source: str, destination: str) -> Seen:
    source_port, port, sequence = struct.unpack("!HHI", body[:8])
    flags, acknowledged = 0, 0
    if len(body) >= 14:
        acknowledged = struct.unpack("!I", body[8:12])[0]
        flags = body[13]
    reset = bool(flags & RST)
    if flags & ACK and flags & (SYN | RST):
        number, turn = acknowledged - 1, Turn.REPLY if flags & SYN else Turn.REQUEST
    elif reset:
        turn = Turn.REPLY if sequence % _ROOM == 1 else Turn.DATA
        number = sequence
    else:
        number = sequence
        turn = {0: Turn.REQUEST, 1: Turn.DATA}.get(sequence % _ROOM, Turn.REPLY)
    about = Ends(destination, port, source, source_port) if reset else None
    return Seen(
        TCP,
        source,
        source_port,
        destination,
        port,
        number // _ROOM,
        turn,
        about=about,
    )
