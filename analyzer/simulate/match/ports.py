"""Matches on ports, TCP flags and ICMP types."""

from __future__ import annotations

from analyzer.model.ruleset import Option
from analyzer.simulate.match.condition import (
    Condition,
    by_option,
    either,
    unknown,
    value_of,
    within,
)
from analyzer.simulate.packet import Packet, Ports, TcpFlags

_LAST_PORT = "65535"
_SYN_MASK = TcpFlags.FIN | TcpFlags.SYN | TcpFlags.RST | TcpFlags.ACK
_ICMP_NAMES = {"echo-reply": "0", "destination-unreachable": "3", "echo-request": "8"}


def port_range(text: str) -> Ports | None:
    """Return `80`, `1000:2000`, `:1023` or `1024:` as a range, or None for anything else."""
    first, colon, last = text.partition(":")
    low, high = first or "0", (last or _LAST_PORT) if colon else first
    if not (low.isdecimal() and high.isdecimal()):
        return None
    return Ports(int(low), int(high))


def _source_port(option: Option) -> Condition:
    found = port_range(value_of(option))
    if found is None:
        return unknown
    low, high = found
    return lambda packet: within(packet.flow[1], low, high)


def _destination_port(option: Option) -> Condition:
    found = port_range(value_of(option))
    if found is None:
        return unknown
    low, high = found
    return lambda packet: within(packet.flow[3], low, high)


def _tcp_flags(option: Option) -> Condition:
    if len(option.values) != 2:  # noqa: PLR2004 - which are looked at, and which of them are set
        return unknown
    mask, wanted = (_flags(text) for text in option.values)
    if mask is None or wanted is None:
        return unknown
    return lambda packet: packet.flags & mask == wanted


def _syn(_option: Option) -> Condition:
    return lambda packet: packet.flags & _SYN_MASK == TcpFlags.SYN


def _flags(text: str) -> TcpFlags | None:
    flags = TcpFlags.NONE
    for name in text.upper().split(","):
        if name not in TcpFlags.__members__:
            return None
        flags |= TcpFlags[name]
    return flags


tcp = by_option(
    {
        "--sport": _source_port, "--source-port": _source_port,
        "--dport": _destination_port, "--destination-port": _destination_port,
        "--tcp-flags": _tcp_flags, "--syn": _syn,
    }
)  # fmt: skip
"""`-m tcp`, `-m udp`, `-m sctp` and others with ports."""


def _icmp_type(option: Option) -> Condition:
    text = value_of(option)
    if text in {"any", "255"}:
        return lambda packet: packet.icmp is not None
    kind, _, code = _ICMP_NAMES.get(text, text).partition("/")
    if not kind.isdecimal() or (code and not code.isdecimal()):
        return unknown
    wanted, subtype = int(kind), int(code) if code else None

    def of_type(packet: Packet) -> bool | None:
        if packet.icmp is None:
            return False
        return packet.icmp[0] == wanted and subtype in {None, packet.icmp[1]}

    return of_type


icmp = by_option({"--icmp-type": _icmp_type, "--icmpv6-type": _icmp_type})
"""`-m icmp` and `-m icmp6`."""


def _source_ports(option: Option) -> Condition:
    listed = _port_list(option)
    return unknown if listed is None else lambda packet: _among(packet.flow[1], listed)


def _destination_ports(option: Option) -> Condition:
    listed = _port_list(option)
    return unknown if listed is None else lambda packet: _among(packet.flow[3], listed)


def _either_ports(option: Option) -> Condition:
    listed = _port_list(option)
    if listed is None:
        return unknown
    return lambda p: either(_among(p.flow[1], listed), _among(p.flow[3], listed))


def _port_list(option: Option) -> tuple[Ports, ...] | None:
    found = tuple(port_range(item) for item in value_of(option).split(","))
    known = tuple(r for r in found if r is not None)
    return known if len(known) == len(found) else None


def _among(ports: Ports, listed: tuple[Ports, ...]) -> bool | None:
    answer: bool | None = False
    for low, high in listed:
        answer = either(answer, within(ports, low, high))
    return answer


multiport = by_option(
    {
        "--sports": _source_ports, "--source-ports": _source_ports,
        "--dports": _destination_ports, "--destination-ports": _destination_ports,
        "--ports": _either_ports,
    }
)  # fmt: skip
"""`-m multiport`."""
