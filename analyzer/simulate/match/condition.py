"""Three-valued conditions: true, false, or None for "not known"; unknown is never taken for either."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from analyzer.model.ruleset import Match, Option
from analyzer.simulate.machine import Machine
from analyzer.simulate.packet import Packet, Ports

Condition = Callable[[Packet], bool | None]
"""Whether a packet meets something; None where that cannot be known."""

OptionCompiler = Callable[[Option], Condition]
"""Makes the condition that an option states; its negation is added by the caller."""

MatchCompiler = Callable[[Match, Machine], tuple[Condition, ...]]
"""Makes the conditions of one match, all of which have to hold."""


def always(_packet: Packet) -> bool | None:
    """Hold for every packet."""
    return True


def never(_packet: Packet) -> bool | None:
    """Hold for no packet."""
    return False


def unknown(_packet: Packet) -> bool | None:
    """Hold or not, nobody knows."""
    return None


def negated(condition: Condition) -> Condition:
    """Turn a condition round; unknown stays unknown."""
    if condition is unknown:
        return unknown

    def opposite(packet: Packet) -> bool | None:
        answer = condition(packet)
        return None if answer is None else not answer

    return opposite


def either(first: bool | None, second: bool | None) -> bool | None:
    """Three-valued or."""
    if first or second:
        return True
    return None if first is None or second is None else False


def within(ports: Ports, low: int, high: int) -> bool | None:
    """Tell whether a port is in a range; None where it is one of several and only some of them are."""
    if low <= ports[0] and ports[1] <= high:
        return True
    return False if ports[1] < low or high < ports[0] else None


def by_option(compilers: Mapping[str, OptionCompiler]) -> MatchCompiler:
    """Return the compiler of a match whose options are independent; one that is not listed is unknown."""

    def compile_match(match: Match, _machine: Machine) -> tuple[Condition, ...]:
        return tuple(with_sign(o, compilers.get(o.flag, _unlisted)(o)) for o in match.options)

    return compile_match


def with_sign(option: Option, condition: Condition) -> Condition:
    """Return the condition, turned round where `!` stands before the option."""
    return negated(condition) if option.negated else condition


def value_of(option: Option) -> str:
    """Return the first value of an option; empty where it has none."""
    return option.values[0] if option.values else ""


def _unlisted(_option: Option) -> Condition:
    return unknown
