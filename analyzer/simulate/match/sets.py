"""`-m set`: membership in an IP set, where its members were collected (ipset(8))."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from analyzer.model.ip_set import IPSet, SetMember
from analyzer.model.ruleset import Family, Match, Option
from analyzer.simulate.address import Block, block, number
from analyzer.simulate.machine import Machine
from analyzer.simulate.match.condition import Condition, either, unknown, with_sign, within
from analyzer.simulate.match.header import same_interface
from analyzer.simulate.packet import Packet, Ports

_MODIFIERS = {"--return-nomatch", "--update-counters", "--update-subcounters"}
_PORTLESS = {"icmp", "icmpv6"}
_DEPTH = 8
"""Sets may hold sets; deeper nesting is taken for unknown."""

Part = Callable[[Packet, bool], bool | None]
"""Whether one part of a member fits the packet's source (True) or destination side."""


def set_match(match: Match, machine: Machine) -> tuple[Condition, ...]:
    """`-m set --match-set NAME src,dst`; a set that was not collected is unknown."""
    options = [o for o in match.options if o.flag not in _MODIFIERS]
    modified = "--return-nomatch" in {o.flag for o in match.options}
    return tuple(with_sign(o, _option(o, machine, modified)) for o in options)


def _option(option: Option, machine: Machine, returns_nomatch: bool) -> Condition:
    if option.flag != "--match-set" or len(option.values) != 2:  # noqa: PLR2004 - name and sides
        return unknown
    name, sides = option.values
    known = machine.host.sets.get(name)
    if known is None or returns_nomatch:
        return unknown
    inside = membership(known, sides.split(","), machine, _DEPTH)
    return lambda packet: None if name in packet.changed_sets else inside(packet)


def membership(found: IPSet, sides: list[str], machine: Machine, depth: int) -> Condition:
    """Return the condition that a packet's sides (`src`, `dst`, …) are in a set."""
    method, _, dimensions = found.kind.partition(":")
    kinds = dimensions.split(",")
    if method == "list" and depth:
        inner = (machine.host.sets.get(m.element) for m in found.members)
        return _any(
            [unknown if s is None else membership(s, sides, machine, depth - 1) for s in inner]
        )
    known = {"ip", "net", "port", "iface", "mark"}
    masked = (found.netmask and kinds != ["ip"]) or found.markmask
    if method not in {"hash", "bitmap"} or not known.issuperset(kinds) or masked:
        return unknown
    if len(kinds) > len(sides):
        return unknown
    listed = (_member(m, kinds, found.netmask) for m in found.members)
    members = sorted(listed, key=lambda m: m.bits, reverse=True)
    sources = [side == "src" for side in sides[: len(kinds)]]
    held = _holds(members, sources)
    return held if kinds == ["port"] else _of_family(found.family, held)


def _of_family(name: str, held: Condition) -> Condition:
    """Return the condition for packets of the set's family; no other is ever in it (`ip_set_test`)."""
    family = Family.IPV6 if name == "inet6" else Family.IPV4
    return lambda packet: held(packet) if packet.family is family else False


def _any(conditions: list[Condition]) -> Condition:
    def any_of(packet: Packet) -> bool | None:
        answer: bool | None = False
        for condition in conditions:
            answer = either(answer, condition(packet))
        return answer

    return any_of


class Member(NamedTuple):
    """One element, taken apart."""

    parts: tuple[Part, ...] | None
    """None for an element that is not understood: it may be anything."""

    bits: tuple[int, ...]
    """How many bits of each address it fixes: the most specific element decides, the first address before others."""

    nomatch: bool


def _holds(members: list[Member], sources: list[bool]) -> Condition:
    def holds(packet: Packet) -> bool | None:
        unsure = False
        for parts, _, nomatch in members:
            fits = None if parts is None else _all(parts, sources, packet)
            if fits:
                return None if unsure else not nomatch
            unsure |= fits is None
        return None if unsure else False

    return holds


def _all(parts: tuple[Part, ...], sources: list[bool], packet: Packet) -> bool | None:
    answer: bool | None = True
    for part, source in zip(parts, sources, strict=True):
        fits = part(packet, source)
        if fits is False:
            return False
        if fits is None:
            answer = None
    return answer


def _member(member: SetMember, kinds: list[str], netmask: str) -> Member:
    texts = member.element.split(",")
    if netmask:
        texts = [f"{text}/{netmask}" for text in texts]
    found = [_part(kind, text) for kind, text in zip(kinds, texts, strict=False)]
    parts = tuple(p for p in found if p is not None)
    covered = (block(text) for text in texts)
    bits = tuple(b.mask.bit_count() for b in covered if b is not None)
    return Member(parts if len(parts) == len(kinds) else None, bits, member.nomatch)


def _part(kind: str, text: str) -> Part | None:
    match kind:
        case "ip" | "net":
            return _addresses(text)
        case "port":
            return _ports(text)
        case "iface":
            return None if text.startswith("physdev:") else _interface(text)
        case _:
            return _mark(text)


def _interface(name: str) -> Part:
    return lambda p, source: same_interface(name, p.in_interface if source else p.out_interface)


def _addresses(text: str) -> Part | None:
    first, dash, last = text.partition("-")
    low, high = number(first), number(last)
    if dash and low is not None and high is not None:
        return lambda p, source: low <= (p.flow[0] if source else p.flow[2]) <= high
    covered = block(text)
    return None if covered is None else _in_block(covered)


def _in_block(covered: Block) -> Part:
    return lambda p, source: covered.holds(p.flow[0] if source else p.flow[2])


def _ports(text: str) -> Part | None:
    protocol, colon, numbers = text.rpartition(":")
    first, _, last = numbers.partition("-")
    if not first.isdecimal() or (last and not last.isdecimal()):
        return None
    low, high = int(first), int(last or first)
    wanted = protocol.lower() if colon else ""

    def fits(packet: Packet, source: bool) -> bool | None:
        if packet.protocol in _PORTLESS or wanted not in {"", packet.protocol}:
            return False
        ports: Ports = packet.flow.source_ports if source else packet.flow.destination_ports
        return within(ports, low, high)

    return fits


def _mark(text: str) -> Part | None:
    try:
        value = int(text, 0)
    except ValueError:
        return None
    return lambda packet, _source: packet.mark == value
