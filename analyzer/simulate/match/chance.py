"""Matches that are decided by chance or by earlier connections: `statistic` and `recent`."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from analyzer.model.ruleset import Match
from analyzer.simulate.address import number
from analyzer.simulate.machine import Machine
from analyzer.simulate.match.condition import Condition, always, never
from analyzer.simulate.packet import Listed, Packet

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


class RecentList(NamedTuple):
    """A list of `-m recent`."""

    name: str
    of_destinations: bool
    """True with `--rdest`: it has destinations on it, not clients."""

    mask: int = -1
    """What it keeps of addresses (`--mask`)."""

    def entry(self, host: str, packet: Packet) -> Listed:
        """Return what a packet has on the list, or would have."""
        flow = packet.flow
        address = flow.destination if self.of_destinations else flow.source
        return Listed(host, self.name, address & self.mask)


def list_of(match: Match) -> RecentList:
    """Return the list that a `-m recent` uses; the kernel's default is DEFAULT."""
    option = match.option("--name")
    name = option.values[0] if option is not None and option.values else "DEFAULT"
    masked = match.option("--mask")
    mask = number(masked.values[0]) if masked is not None and masked.values else None
    return RecentList(name, match.option("--rdest") is not None, -1 if mask is None else mask)


def puts_on_list(match: Match) -> bool:
    """Tell whether a `-m recent` adds an address."""
    return match.option("--set") is not None


def recent(match: Match, machine: Machine) -> tuple[Condition, ...]:
    """`-m recent` for a client that no list knows yet, except where this very connection was put on one."""
    listed, negated = list_of(match), any(o.negated for o in match.options)
    if puts_on_list(match):
        return (never if negated else always,)
    hits = match.option("--hitcount")
    several = hits is not None and bool(hits.values) and hits.values[0] not in {"0", "1"}
    uncounted = several or match.option("--remove") is not None

    def seen(packet: Packet) -> bool | None:
        known = listed.entry(machine.name, packet) in packet.recent
        if (known and uncounted) or (listed.of_destinations and not known):
            return None
        return known is not negated

    return (seen,)
