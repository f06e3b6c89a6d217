"""Matches of nft as three-valued conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analyzer.simulate.machine import Machine
from analyzer.simulate.match.condition import Condition, either, unknown
from analyzer.simulate.nft.constant import Constant, Span, constant, fits
from analyzer.simulate.nft.expression import ABSENT, as_spelled, getter
from analyzer.simulate.packet import Connection, Packet, State

Elements = Mapping[str, Sequence[Any]]
"""Elements of each named set (or keys of each named map) of a table."""

_COMPARISONS: Mapping[str, Callable[[int, int], bool]] = {
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}


def compile_match(item: Any, machine: Machine, sets: Elements) -> Condition:  # noqa: ANN401 - JSON
    """Return the condition of a `match` statement."""
    if not isinstance(item, dict):
        return unknown
    operator, left, right = item.get("op"), item.get("left"), item.get("right")
    negated = operator == "!="
    match left:
        case {"ct": {"key": "state"}}:
            return _signed(_state(right), negated=negated)
        case {"ct": {"key": "status"}}:
            return _status(right, negated=negated)
    comparison = _COMPARISONS.get(str(operator))
    if comparison is not None:
        return _compared(comparison, left, right, machine)
    if operator not in {"==", "!=", "in"}:
        return unknown
    return is_one_of(left, _constants(right, sets), machine, negated)


def is_one_of(
    left: Any,  # noqa: ANN401 - JSON
    wanted: Sequence[Constant | None],
    machine: Machine,
    negated: bool = False,
) -> Condition:
    """Return the condition that an expression comes to one of some constants; without the header it never does."""
    value_of = getter(left, machine)
    wanted = [as_spelled(left, c) for c in wanted]
    exact = frozenset(c for c in wanted if isinstance(c, int | str) and not str(c).endswith("*"))
    others = [c for c in wanted if c not in exact]
    named = any(isinstance(c, str) for c in exact)

    def among(packet: Packet) -> bool | None:
        value = value_of(packet)
        if value == ABSENT:
            return False
        answer: bool | None = isinstance(value, int | str) and value in exact
        if not answer and (not isinstance(value, int | str) or named):
            answer = _any_fits(value, tuple(exact))
        answer = either(answer, _any_fits(value, others))
        return answer if not negated or answer is None else not answer

    return among


def _any_fits(value: Any, wanted: Sequence[Constant | None]) -> bool | None:  # noqa: ANN401 - a Value
    answer: bool | None = False
    for item in wanted:
        answer = either(answer, fits(value, item))
        if answer:
            return True
    return answer


def _constants(right: Any, sets: Elements) -> list[Constant | None]:  # noqa: ANN401 - JSON
    match right:
        case str(name) if name.startswith("@"):
            found = sets.get(name[1:])
            return [None] if found is None else [constant(element) for element in found]
        case {"set": list(elements)}:
            return [constant(element) for element in elements]
        case {"set": element}:
            return [constant(element)]
        case list():
            return [constant(element) for element in right]
        case _:
            return [constant(right)]


def _names(right: Any) -> set[str] | None:  # noqa: ANN401 - JSON
    items = right.get("set") if isinstance(right, dict) else right
    listed = items if isinstance(items, list) else [items]
    names = {i.upper() for i in listed if isinstance(i, str)}
    return names if len(names) == len(listed) else None


def _state(right: Any) -> Condition:  # noqa: ANN401 - JSON
    names = _names(right)
    if names is None or not names <= State.__members__.keys():
        return unknown
    states = frozenset(State[name] for name in names)
    return lambda packet: (packet.state or State.INVALID) in states


def _status(right: Any, *, negated: bool) -> Condition:  # noqa: ANN401 - JSON
    """Return whether a connection has one of some bits, or with `!=` other bits than just these.

    Without a connection neither holds. The kernel also sets bits once it has looked for translations.
    """
    names = _names(right)
    known = {"SNAT", "DNAT", "SEEN-REPLY", "ASSURED", "CONFIRMED", "EXPECTED", "DYING"}
    if names is None or not names <= known:
        return unknown

    def has_status(packet: Packet) -> bool | None:
        if packet.connection is None:
            return False
        bits = _bits(packet.connection)
        if not negated:
            return not bits.isdisjoint(names)
        return None if bits == names else True

    return has_status


def _bits(known: Connection) -> set[str]:
    bits = {
        "SNAT": known.snat,
        "DNAT": known.dnat,
        "SEEN-REPLY": known.seen_reply,
        "ASSURED": known.assured,
        "CONFIRMED": known.confirmed,
    }
    return {name for name, there in bits.items() if there}


def _signed(condition: Condition, *, negated: bool) -> Condition:
    if not negated or condition is unknown:
        return condition
    return lambda packet: not condition(packet)


def _compared(
    holds: Callable[[int, int], bool],
    left: Any,  # noqa: ANN401 - JSON
    right: Any,  # noqa: ANN401 - JSON
    machine: Machine,
) -> Condition:
    value_of, wanted = getter(left, machine), constant(right)
    if not isinstance(wanted, int) or isinstance(wanted, Span):
        return unknown

    def compare(packet: Packet) -> bool | None:
        value = value_of(packet)
        if value == ABSENT:
            return False
        return holds(value, wanted) if isinstance(value, int) else None

    return compare
