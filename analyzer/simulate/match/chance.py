"""Matches that are decided by chance or by earlier connections: `statistic` and `recent`."""

from __future__ import annotations

from fractions import Fraction

from analyzer.model.ruleset import Match
from analyzer.simulate.machine import Machine
from analyzer.simulate.match.condition import Condition, always, never
from analyzer.simulate.packet import Packet

_STEPS = 1 << 31
"""The kernel keeps a probability as a multiple of 2^-31 (`xt_statistic`)."""


def chance_of(match: Match) -> Fraction | None:
    """Return the exact share of packets that a `-m statistic` lets through, or None where it does not say.

    `nth` counts packets of all clients: for one of them it is a chance of one in `--every`.
    """
    values = {o.flag: o.values[0] for o in match.options if o.values}
    mode = values.get("--mode")
    try:
        if mode == "random":
            share = Fraction(round(float(values["--probability"]) * _STEPS), _STEPS)
        elif mode == "nth":
            share = Fraction(1, int(values["--every"]))
        else:
            return None
    except (KeyError, ValueError, OverflowError, ZeroDivisionError):
        return None
    turned = any(o.negated and o.flag in {"--probability", "--every"} for o in match.options)
    share = min(max(share, Fraction(0)), Fraction(1))
    return 1 - share if turned else share


def list_of(match: Match) -> str:
    """Return the list that a `-m recent` uses; the kernel's default is DEFAULT."""
    option = match.option("--name")
    return option.values[0] if option is not None and option.values else "DEFAULT"


def puts_on_list(match: Match) -> bool:
    """Tell whether a `-m recent` adds the client."""
    return match.option("--set") is not None


def recent(match: Match, _machine: Machine) -> tuple[Condition, ...]:
    """`-m recent` for a client that no list knows yet, except where this very connection was put on one."""
    name = list_of(match)
    negated = any(o.negated for o in match.options)
    if puts_on_list(match):
        return (never if negated else always,)
    hits = match.option("--hitcount")
    wanted = hits.values[0] if hits is not None and hits.values else "1"

    def seen(packet: Packet) -> bool | None:
        known = name in packet.recent and wanted in {"0", "1"}
        return known is not negated

    return (seen,)
