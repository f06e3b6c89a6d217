"""Packets as bytes: TCP SYNs and UDP datagrams that carry a number to know them by, whatever NAT makes of them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import ip_address

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
ETHER_IPV4, ETHER_IPV6 = 0x0800, 0x86DD
SYN, RST, ACK = 0x02, 0x04, 0x10


@dataclass(frozen=True, slots=True)
class Seen:
    """A packet that was caught."""

    protocol: int
    source: str
    source_port: int
    destination: str
    destination_port: int
    cookie: int
    """Number of the probe that it is, or that it answers."""

    reset: bool = False
    icmp: tuple[int, int] | None = None
    """Type and code of an ICMP error about the probe."""


def packet(  # noqa: PLR0913, PLR0917 - the fields of a packet
    source: str,
    source_port: int,
    destination: str,
    port: int,
    protocol: int,
    cookie: int,
    flags: int = SYN,
) -> bytes:
    """Return an IP packet with right checksums."""
    ends = ip_address(source).packed + ip_address(destination).packed
    if protocol == TCP:
        body = struct.pack("!HHIIBBHHH", source_port, port, cookie, 0, 5 << 4, flags, 65535, 0, 0)
        at = 16
    else:
        body = struct.pack("!HHHHI", source_port, port, 12, 0, cookie)
        at = 6
    if len(ends) > 8:
        pseudo = ends + struct.pack("!IHBB", len(body), 0, 0, protocol)
    else:
        pseudo = ends + struct.pack("!BBH", 0, protocol, len(body))
    total = checksum(pseudo + body) or 0xFFFF
    body = body[:at] + struct.pack("!H", total) + body[at + 2 :]
    return _header(ends, protocol, len(body)) + body


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


def read(data: bytes) -> Seen | None:
    """Return what an IP packet says, or None for one that has nothing to do with a probe."""
    if not data:
        return None
    if data[0] >> 4 == 4:
        header, protocol = (data[0] & 15) * 4, data[9]
        source, destination = data[12:16], data[16:20]
    else:
        header, protocol = 40, data[6]
        source, destination = data[8:24], data[24:40]
    body = data[header:]
    if protocol in {ICMP, ICMP6}:
        inner = read(body[8:]) if body[0] in {1, 3} else None
        if inner is None:
            return None
        return Seen(
            protocol, _text(source), 0, _text(destination), 0, inner.cookie, icmp=(body[0], body[1])
        )
    if protocol not in {TCP, UDP} or len(body) < 8:
        return None
    source_port, port = struct.unpack("!HH", body[:4])
    reset = False
    if protocol == TCP:
        cookie = struct.unpack("!I", body[4:8])[0]
        if len(body) >= 14 and body[13] & RST:
            reset, cookie = True, (struct.unpack("!I", body[8:12])[0] - 1) & 0xFFFFFFFF
    else:
        cookie = struct.unpack("!I", body[8:12])[0] if len(body) >= 12 else 0
    return Seen(protocol, _text(source), source_port, _text(destination), port, cookie, reset)


def _text(address: bytes) -> str:
    return str(ip_address(address))
