"""Statements of nft that do something: verdicts, marks, translations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from analyzer.language import _
from analyzer.simulate.machine import Machine
from analyzer.simulate.nft.constant import Constant, Span, constant
from analyzer.simulate.nft.expression import getter
from analyzer.simulate.packet import Packet, Ports, State
from analyzer.simulate.target import Effect, Kind
from analyzer.simulate.translation import Change, Translation

_ALL_BITS = 0xFFFFFFFF
_VERDICTS = {
    "accept": Effect(Kind.ACCEPT, "accept"),
    "drop": Effect(Kind.DROP, "drop"),
    "return": Effect(Kind.RETURN, "return"),
    "continue": Effect(Kind.CONTINUE, ""),
}
_WITHOUT_EFFECT = frozenset(
    {
        "counter",
        "log",
        "comment",
        "nftrace",
        "flow",
        "set",
        "map",
        "ct timeout",
        "ct helper",
        "secmark",
    }
)
_CHANGES = {
    "dnat": Change.DNAT,
    "snat": Change.SNAT,
    "masquerade": Change.MASQUERADE,
    "redirect": Change.REDIRECT,
}

Alteration = Callable[[Packet], Packet]

replace = msgspec.structs.replace


def verdict_of(item: Any) -> Effect | None:  # noqa: ANN401 - JSON
    """Return the effect of a verdict, or None for what is none."""
    match item:
        case {"jump": {"target": str(name)}}:
            return Effect(Kind.JUMP, f"jump {name}", chain=name)
        case {"goto": {"target": str(name)}}:
            return Effect(Kind.GOTO, f"goto {name}", chain=name)
        case {"reject": rejection}:
            return Effect(Kind.REJECT, _("reject with {answer}", answer=_rejection(rejection)))
        case {"queue": _} | {"tproxy": _} | {"synproxy": _} | {"fwd": _}:
            (name,) = item
            return Effect(Kind.UNKNOWN, _("{name}, which is not modelled", name=name))
        case dict() if len(item) == 1:
            (name,) = item
            return _VERDICTS.get(name)
        case _:
            return None


def _rejection(item: Any) -> str:  # noqa: ANN401 - JSON
    if not isinstance(item, dict):
        return "icmp port-unreachable"
    kind = str(item.get("type", "icmp"))
    return "tcp-reset" if kind == "tcp reset" else f"{kind} {item.get('expr', 'port-unreachable')}"


def is_silent(statement: dict[str, Any]) -> bool:
    """Tell whether a statement changes nothing of a packet's way."""
    return bool(statement.keys() & _WITHOUT_EFFECT)


def alteration_of(item: Any, machine: Machine) -> Alteration | None:  # noqa: ANN401 - JSON
    """Return what a `mangle` or `notrack` does, or None for what is not modelled."""
    match item:
        case {"notrack": _}:
            return _untracked
        case {"mangle": {"key": {"meta": {"key": "mark"}}, "value": value}}:
            return _marked(getter(value, machine))
        case {"mangle": {"key": {"ct": {"key": "mark"}}, "value": value}}:
            return _connection_marked(getter(value, machine))
        case {"mangle": {"key": {"payload": {"field": "dscp" | "ecn" | "ttl" | "hoplimit"}}}}:
            return lambda packet: packet
        case {"mangle": {"key": {"meta": {"key": "nftrace" | "priority" | "pkttype"}}}}:
            return lambda packet: packet
        case _:
            return None


def _untracked(packet: Packet) -> Packet:
    if not packet.trackable:
        return packet
    return replace(packet, state=State.UNTRACKED)


def _marked(value: Callable[[Packet], Any]) -> Alteration:
    def alter(packet: Packet) -> Packet:
        found = value(packet)
        mark = found & _ALL_BITS if isinstance(found, int) else packet.mark
        return replace(packet, mark=mark)

    return alter


def _connection_marked(value: Callable[[Packet], Any]) -> Alteration:
    def alter(packet: Packet) -> Packet:
        found = value(packet)
        if packet.connection is None or not isinstance(found, int):
            return packet
        marked = replace(packet.connection, mark=found & _ALL_BITS)
        return replace(packet, connection=marked)

    return alter


def translation_effect(name: str, item: Any) -> Effect | None:  # noqa: ANN401 - JSON
    """Return the effect of `dnat`, `snat`, `masquerade` or `redirect` to constants; None for any other form."""
    change = _CHANGES.get(name)
    if change is None:
        return None
    options = item if isinstance(item, dict) else {}
    flags = options.get("flags", [])
    random = bool({"random", "fully-random"} & set(flags if isinstance(flags, list) else [flags]))
    plain = Translation(change, random=random)
    to = translated_to(plain, constant(options["addr"]) if "addr" in options else None)
    if "addr" in options and to is None:
        return None
    to = to or plain
    if "port" in options:
        ports = _ports(constant(options["port"]))
        if ports is None:
            return None
        to = replace(to, ports=ports)
    return Effect(Kind.TRANSLATE, change.value, translation=to)


def translated_to(plain: Translation, end: Constant | None) -> Translation | None:
    """Return the translation to an address, or to an address and port; None for anything else."""
    match end:
        case int():
            return replace(plain, low=end, high=end)
        case Span(low, high):
            return replace(plain, low=low, high=high)
        case (int() as address, int() | Span() as port):
            return replace(plain, low=address, high=address, ports=_ports(port))
        case _:
            return None


def _ports(item: Constant | None) -> Ports | None:
    match item:
        case int():
            return Ports(item, item)
        case Span(low, high):
            return Ports(low, high)
        case _:
            return None
