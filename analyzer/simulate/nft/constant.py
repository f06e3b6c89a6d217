"""Constants of a ruleset: what stands on the right of a match, and in sets and maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analyzer.simulate.address import Block, block, number
from analyzer.simulate.packet import Ports

Value = int | str | Ports | tuple["Value | None", ...]
"""What an expression comes to: a number (addresses too), a name, a port that may be one of several, or a tuple."""

_PROTOCOLS = {6: "tcp", 17: "udp", 132: "sctp", 1: "icmp", 58: "icmpv6"}
_OTHER_NAMES = {"ipv6-icmp": "icmpv6"}


@dataclass(frozen=True, slots=True)
class Span:
    """A range of numbers, both ends included."""

    low: int
    high: int


Constant = int | str | Block | Span | tuple["Constant | None", ...]
"""One constant; None within a tuple for what is not understood."""


def constant(item: Any) -> Constant | None:  # noqa: ANN401 - JSON
    """Return a constant, or None for what is not understood."""
    match item:
        case bool():
            return int(item)
        case int():
            return item
        case str():
            return _of_text(item)
        case {"elem": {"val": inner}}:
            return constant(inner)
        case {"prefix": {"addr": str(address), "len": int(length)}}:
            return block(f"{address}/{length}")
        case {"range": [first, last]}:
            low, high = constant(first), constant(last)
            return Span(low, high) if isinstance(low, int) and isinstance(high, int) else None
        case {"concat": list(parts)}:
            return tuple(constant(part) for part in parts)
        case _:
            return None


def _of_text(text: str) -> Constant | None:
    if text.startswith("@"):
        return None
    found = number(text)
    if found is not None:
        return found
    return block(text) if "/" in text else _OTHER_NAMES.get(text, text)


def protocol_name(item: Constant | None) -> Constant | None:
    """Return a protocol given as number or name as the simulator spells it."""
    return _PROTOCOLS.get(item, item) if isinstance(item, int) else item


def fits(value: Value | None, wanted: Constant | None) -> bool | None:
    """Tell whether a value is a constant, or one of those it stands for; None where it is not known."""
    if value is None or wanted is None:
        return None
    match wanted:
        case Block():
            return wanted.holds(value) if isinstance(value, int) else None
        case Span(low, high):
            return _between(value, low, high)
        case tuple():
            return _all_fit(value, wanted)
        case int():
            return _between(value, wanted, wanted)
        case _ if isinstance(value, str) and wanted.endswith("*"):
            return value.startswith(wanted[:-1])
        case _:
            # A name that is not resolved may stand for any number.
            return value == wanted if isinstance(value, str) else None


def _between(value: Value, low: int, high: int) -> bool | None:
    if isinstance(value, Ports):
        if low <= value.low and value.high <= high:
            return True
        return False if value.high < low or high < value.low else None
    return low <= value <= high if isinstance(value, int) else None


def _all_fit(value: Value, wanted: Sequence[Constant | None]) -> bool | None:
    if not isinstance(value, tuple) or isinstance(value, Ports) or len(value) != len(wanted):
        return None
    answers = [fits(part, item) for part, item in zip(value, wanted, strict=True)]
    if False in answers:
        return False
    return None if None in answers else True
