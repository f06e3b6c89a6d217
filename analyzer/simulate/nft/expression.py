"""Expressions: what a packet comes to in the words of nft; None for what is not known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from analyzer.model.ruleset import Family
from analyzer.simulate.address_kind import address_kind
from analyzer.simulate.machine import Machine
from analyzer.simulate.nft.constant import Constant, Value, protocol_name
from analyzer.simulate.packet import Connection, Packet, Ports, State
from analyzer.simulate.routing import RouteKind

ABSENT: Final = "\0absent"
"""A header that the packet does not have: no match holds, negated or not."""

Getter = Callable[[Packet], Value | None]

_TRANSPORTS = frozenset({"tcp", "udp", "sctp", "dccp", "udplite"})
_OPERATORS = frozenset({"&", "|", "^", "<<", ">>"})
_ICMP_TYPES = {
    "icmp": {
        0: "echo-reply", 3: "destination-unreachable", 4: "source-quench", 5: "redirect", 8: "echo-request",
        9: "router-advertisement", 10: "router-solicitation", 11: "time-exceeded", 12: "parameter-problem",
        13: "timestamp-request", 14: "timestamp-reply", 15: "info-request", 16: "info-reply",
        17: "address-mask-request", 18: "address-mask-reply",
    },
    "icmpv6": {
        1: "destination-unreachable", 2: "packet-too-big", 3: "time-exceeded", 4: "parameter-problem",
        128: "echo-request", 129: "echo-reply", 130: "mld-listener-query", 131: "mld-listener-report",
        132: "mld-listener-done", 133: "nd-router-solicit", 134: "nd-router-advert", 135: "nd-neighbor-solicit",
        136: "nd-neighbor-advert", 137: "nd-redirect",
    },
}  # fmt: skip
_ICMP_CODES = {
    "icmp": {
        0: "net-unreachable", 1: "host-unreachable", 2: "prot-unreachable", 3: "port-unreachable",
        9: "net-prohibited", 10: "host-prohibited", 13: "admin-prohibited",
    },
    "icmpv6": {
        0: "no-route", 1: "admin-prohibited", 3: "addr-unreachable", 4: "port-unreachable",
        5: "policy-fail", 6: "reject-route",
    },
}  # fmt: skip
"""By number, as nft prints them (nft(8), ICMP TYPE TYPE and ICMP CODE TYPE)."""

_ADDRESS_FIELDS = {("ip", "saddr"), ("ip", "daddr"), ("ip6", "saddr"), ("ip6", "daddr")}


def getter(item: Any, machine: Machine) -> Getter:  # noqa: ANN401 - JSON
    """Return what computes an expression."""
    match item:
        case {"payload": {"protocol": str(protocol), "field": str(field)}}:
            return _payload(protocol, field)
        case {"meta": {"key": str(key)}}:
            return _META.get(key, _unknown)
        case {"ct": {"key": str(key), **rest}}:
            return _of_connection(key, str(rest.get("dir", "")))
        case {"fib": {"result": "type", "flags": flags}}:
            return _kind_of_address(flags if isinstance(flags, list) else [flags], machine)
        case {"concat": list(parts)}:
            return _together([getter(part, machine) for part in parts])
        case dict() if len(item) == 1 and not _OPERATORS.isdisjoint(item):
            ((operator, operands),) = item.items()
            return _computed(operator, [getter(part, machine) for part in operands])
        case bool() | int():
            return lambda _packet: int(item)
        case _:
            return _unknown


def _unknown(_packet: Packet) -> Value | None:
    return None


def _payload(protocol: str, field: str) -> Getter:
    if (protocol, field) in _ADDRESS_FIELDS:
        family = Family.IPV4 if protocol == "ip" else Family.IPV6
        position = 0 if field == "saddr" else 2
        return lambda p: p.flow[position] if p.family is family else ABSENT
    if (protocol, field) in {("ip", "protocol"), ("ip6", "nexthdr")}:
        return lambda packet: packet.protocol
    if field in {"sport", "dport"} and (protocol == "th" or protocol in _TRANSPORTS):
        return _port(protocol, source=field == "sport")
    if protocol in {"icmp", "icmpv6"} and field in {"type", "code"}:
        return _icmp(protocol, 0 if field == "type" else 1)
    return _unknown


def _icmp(protocol: str, position: int) -> Getter:
    names = _ICMP_TYPES.get(protocol, {}) if position == 0 else _ICMP_CODES.get(protocol, {})

    def value(packet: Packet) -> Value | None:
        if packet.icmp is None or packet.protocol != protocol:
            return ABSENT
        found = packet.icmp[position]
        return names.get(found, found)

    return value


def _port(protocol: str, *, source: bool) -> Getter:
    def port(packet: Packet) -> Value | None:
        if protocol == "th" and packet.protocol not in _TRANSPORTS:
            return None  # whatever stands at that place of another header
        if protocol not in {"th", packet.protocol} or packet.protocol not in _TRANSPORTS:
            return ABSENT
        ports = packet.flow.source_ports if source else packet.flow.destination_ports
        return ports.low if ports.exact else ports

    return port


_META: dict[str, Getter] = {
    "l4proto": lambda packet: packet.protocol,
    "mark": lambda packet: packet.mark,
    "iifname": lambda packet: packet.in_interface,
    "iif": lambda packet: packet.in_interface,
    "oifname": lambda packet: packet.out_interface,
    "oif": lambda packet: packet.out_interface,
    "nfproto": lambda packet: "ipv4" if packet.family is Family.IPV4 else "ipv6",
    "protocol": lambda packet: "ip" if packet.family is Family.IPV4 else "ip6",
}


def _of_connection(key: str, direction: str) -> Getter:
    if key == "mark":
        return lambda p: ABSENT if p.connection is None else p.connection.mark
    if key == "direction":
        return _direction
    if key == "state":
        return lambda packet: (packet.state or State.INVALID).value.lower()
    if key == "status":
        return _unknown
    found = _FIELDS.get(key.removeprefix("ip ").removeprefix("ip6 "))
    if found is None or direction not in {"original", "reply"}:
        return _unknown
    reply = direction == "reply"
    return lambda p: ABSENT if p.connection is None else found(p.connection, reply)


def _direction(packet: Packet) -> Value | None:
    if packet.connection is None:
        return ABSENT
    return "reply" if packet.reply else "original"


def _flow_field(position: int) -> Callable[[Connection, bool], Value | None]:
    def field(known: Connection, reply: bool) -> Value | None:
        value = (known.reply if reply else known.original)[position]
        return value.low if isinstance(value, Ports) and value.exact else value

    return field


_FIELDS = {
    "saddr": _flow_field(0),
    "daddr": _flow_field(2),
    "proto-src": _flow_field(1),
    "proto-dst": _flow_field(3),
}


def _kind_of_address(flags: list[Any], machine: Machine) -> Getter:
    known = {"saddr", "daddr", "iif", "oif"}
    if not known.issuperset(flags) or not {"saddr", "daddr"} & set(flags):
        return _unknown

    def kind(packet: Packet) -> Value | None:
        device = None
        if "iif" in flags or "oif" in flags:
            device = packet.in_interface if "iif" in flags else packet.out_interface
            if device is None:
                return None
        address = packet.flow.source if "saddr" in flags else packet.flow.destination
        found = address_kind(machine, packet.family, address, device)
        return None if found is RouteKind.UNKNOWN else found.value

    return kind


def _together(parts: list[Getter]) -> Getter:
    def values(packet: Packet) -> Value | None:
        found = tuple(part(packet) for part in parts)
        return ABSENT if ABSENT in found else found

    return values


def _computed(operator: str, operands: list[Getter]) -> Getter:
    if len(operands) != 2:  # noqa: PLR2004 - all of them are binary
        return _unknown
    left, right = operands

    def value(packet: Packet) -> Value | None:
        first, second = left(packet), right(packet)
        if not isinstance(first, int) or not isinstance(second, int):
            return ABSENT if ABSENT in {first, second} else None
        match operator:
            case "&":
                return first & second
            case "|":
                return first | second
            case "^":
                return first ^ second
            case "<<":
                return first << min(second, 64)
            case _:
                return first >> min(second, 64)

    return value


def as_spelled(item: Any, wanted: Constant | None) -> Constant | None:  # noqa: ANN401 - JSON
    """Return a constant as what an expression comes to is spelled: protocols by name, where nft knew only a number."""
    match item:
        case {"concat": list(parts)} if isinstance(wanted, tuple) and len(parts) == len(wanted):
            return tuple(as_spelled(part, c) for part, c in zip(parts, wanted, strict=True))
        case {"meta": {"key": "l4proto"}} | {"payload": {"field": "protocol" | "nexthdr"}}:
            return protocol_name(wanted)
        case _:
            return wanted


def changes_on_the_way(item: Any) -> bool:  # noqa: ANN401 - JSON
    """Tell whether rules may change what an expression comes to while the packet is in a chain."""
    match item:
        case {"meta": {"key": "mark"}} | {"ct": _}:
            return True
        case dict():
            return any(changes_on_the_way(value) for value in item.values())
        case list():
            return any(changes_on_the_way(value) for value in item)
        case _:
            return False
