"""Matches on what conntrack knows of a connection, and on marks."""

from __future__ import annotations

from collections.abc import Callable

from analyzer.model.ruleset import Match, Option
from analyzer.simulate.address import block
from analyzer.simulate.machine import Machine
from analyzer.simulate.match.condition import (
    Condition,
    by_option,
    unknown,
    value_of,
    with_sign,
    within,
)
from analyzer.simulate.match.ports import port_range
from analyzer.simulate.packet import Connection, Packet, Ports, State

_ALL_BITS = 0xFFFFFFFF
_STATE_FLAGS = {"--ctstate", "--state"}


def conntrack(match: Match, _machine: Machine) -> tuple[Condition, ...]:
    """`-m conntrack` and `-m state`.

    Of a packet without connection only the state is looked at, and no other option can match
    (`conntrack_mt`, Linux 6.1).
    """
    states = [o for o in match.options if o.flag in _STATE_FLAGS]
    others = [o for o in match.options if o.flag not in _STATE_FLAGS]
    conditions = [with_sign(o, _state(o)) for o in states]
    tests = [with_sign(o, _of_connection(o)) for o in others]
    conditions += (_if_tracked(test, matches_untracked=bool(states)) for test in tests)
    return tuple(conditions)


def _if_tracked(condition: Condition, *, matches_untracked: bool) -> Condition:
    return lambda p: condition(p) if p.connection is not None else matches_untracked


def _state(option: Option) -> Condition:
    names = {name.upper() for name in value_of(option).split(",")}
    states = tuple(State[n] for n in sorted(names & State.__members__.keys()))
    if names - State.__members__.keys() - {"DNAT", "SNAT"}:
        return unknown
    snat, dnat = "SNAT" in names, "DNAT" in names

    def in_state(packet: Packet) -> bool | None:
        if (packet.state or State.INVALID) in states:
            return True
        known = packet.connection
        return known is not None and ((snat and known.snat) or (dnat and known.dnat))

    return in_state


def _of_connection(option: Option) -> Condition:
    if option.flag in _ADDRESSES:
        return _address(option)
    if option.flag in _PORTS:
        return _port(option)
    match option.flag:
        case "--ctstatus":
            return _status(option)
        case "--ctdir":
            wanted = value_of(option).upper() == "REPLY"
            return lambda packet: packet.reply is wanted
        case "--ctproto":
            names = {"6": "tcp", "17": "udp", "132": "sctp", "1": "icmp", "58": "icmpv6"}
            protocol = names.get(value_of(option), value_of(option).lower())
            return lambda packet: _protocol(packet) == protocol
        case _:
            return unknown


def _protocol(packet: Packet) -> str:
    return "" if packet.connection is None else packet.connection.protocol


_ADDRESSES: dict[str, Callable[[Connection], int]] = {
    "--ctorigsrc": lambda known: known.original.source,
    "--ctorigdst": lambda known: known.original.destination,
    "--ctreplsrc": lambda known: known.reply.source,
    "--ctrepldst": lambda known: known.reply.destination,
}
_PORTS: dict[str, Callable[[Connection], Ports]] = {
    "--ctorigsrcport": lambda known: known.original.source_ports,
    "--ctorigdstport": lambda known: known.original.destination_ports,
    "--ctreplsrcport": lambda known: known.reply.source_ports,
    "--ctrepldstport": lambda known: known.reply.destination_ports,
}


def _address(option: Option) -> Condition:
    covered = block(value_of(option))
    if covered is None:
        return unknown
    value, mask = covered
    field = _ADDRESSES[option.flag]
    return lambda p: p.connection is not None and field(p.connection) & mask == value


def _port(option: Option) -> Condition:
    found = port_range(value_of(option))
    if found is None:
        return unknown
    low, high = found
    field = _PORTS[option.flag]
    return lambda p: p.connection is not None and within(field(p.connection), low, high)


def _status(option: Option) -> Condition:
    names = {name.upper() for name in value_of(option).split(",")}
    if names - {"NONE", "EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED"}:
        return unknown

    def has_status(packet: Packet) -> bool | None:
        known = packet.connection
        return known is not None and not names.isdisjoint(_statuses(known))

    return has_status


def _statuses(known: Connection) -> set[str]:
    found = {"SEEN_REPLY"} if known.seen_reply else set()
    found |= {"ASSURED"} if known.assured else set()
    return found | {"CONFIRMED"} if known.confirmed else found


def _mark(option: Option) -> Condition:
    found = mark_and_mask(value_of(option))
    if found is None:
        return unknown
    value, mask = found
    return lambda packet: packet.mark & mask == value


def mark_and_mask(text: str) -> tuple[int, int] | None:
    """Return value and mask of `0x4000/0x4000`, or None for what is neither; the mask defaults to all bits."""
    value, _, mask = text.partition("/")
    try:
        return int(value, 0), int(mask, 0) if mask else _ALL_BITS
    except ValueError:
        return None


mark = by_option({"--mark": _mark})
"""`-m mark`."""


def connmark(match: Match, _machine: Machine) -> tuple[Condition, ...]:
    """`-m connmark`; a packet without connection never matches, negated or not (Linux 6.1)."""
    return tuple(_connection_mark(option) for option in match.options)


def _connection_mark(option: Option) -> Condition:
    found = mark_and_mask(value_of(option))
    if option.flag != "--mark" or found is None:
        return unknown
    value, mask = found
    same = not option.negated
    return lambda p: p.connection is not None and (p.connection.mark & mask == value) is same
