"""What one line of iptables-save says, as records that know nothing of the grammar."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from analyzer.model.ruleset import Backend, Family, Shape

Counters = tuple[int, int]
"""Packets and bytes."""

_ZERO: Counters = (0, 0)


@dataclass(frozen=True, slots=True)
class Generated:
    """The comment above each table of a dump."""

    generator: str
    """Program and version: `iptables-save v1.8.9`."""

    backend: Backend
    family: Family | None
    """None where the program's name does not tell."""


class Remark(Enum):
    """A line that needs no further telling."""

    COMMIT = "COMMIT"
    WARNING = "iptables says that something is not shown here"
    IGNORED = "a comment, or what a terminal leaves around a dump"


@dataclass(frozen=True, slots=True)
class TableLine:
    """`*nat`."""

    name: str


@dataclass(frozen=True, slots=True)
class Slot:
    """A part of a line that differs between lines of one shape."""

    terminal: str
    """The grammar's name for what may stand here."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ChainLine:
    """`:INPUT ACCEPT [0:0]`, `-P INPUT ACCEPT` or `-N NAME`."""

    name: str
    policy: str | None
    counters: Counters | None
    table: str | None = None
    """The table that the line itself names (`-t nat`)."""

    listed: bool = False
    """True for the forms of `iptables -S`."""

    slots: tuple[Slot, ...] = ()
    """Where name, policy and counters stand; empty for the forms that have not all three."""


@dataclass(frozen=True, slots=True)
class ChainRemoval:
    """`-X NAME` or `-F NAME`, which iptables-restore is fed with."""

    name: str | None
    """None for all chains of the table."""

    rules_only: bool
    """True for `-F`, which leaves the chain."""

    table: str | None


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A rule and the place where it goes."""

    shape: Shape
    values: tuple[str, ...]
    counters: Counters | None
    table: str | None
    """The table that the line itself names (`-t nat`)."""

    position: int | None
    """Place in the chain from 1 for `-I`, None for `-A`."""

    slots: tuple[Slot, ...]
    """Where the values stand, first the counters where the line begins with them. Empty for a rule that the
    values alone do not tell: it has `-I`, `-t` or `-c`."""


@dataclass(frozen=True, slots=True)
class NotALine:
    """Where a line stops being one of iptables-save."""

    column: int
    """From 1."""

    expected: str


Line = Generated | Remark | TableLine | ChainLine | ChainRemoval | RuleLine | NotALine


def counters_of(text: str) -> Counters:
    """Return the numbers of `[12:720]`."""
    if text == "[0:0]":
        return _ZERO
    packets, _, octets = text[1:-1].partition(":")
    return int(packets), int(octets)


def policy_of(text: str) -> str | None:
    """Return the policy, or None for a user-defined chain (`-`, or nothing as in `-N NAME`)."""
    return None if text in {"", "-"} else text
