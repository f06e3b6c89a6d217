"""A difference with what its readers need besides: both reports, and the lines behind the rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from analyzer.difference.change import Difference
from analyzer.findings import Quote, Report
from analyzer.model.source import Ref


@dataclass(frozen=True, slots=True)
class DiffSide:
    """One side as it is shown."""

    name: str
    """The bundle as the user named it, or the node."""

    report: Report
    quotes: Mapping[Ref, Quote]
    """The line behind each place of a rule that is told."""


@dataclass(frozen=True, slots=True)
class DiffReport:
    """Everything that `svcbundle diff` shows."""

    old: DiffSide
    new: DiffSide
    of_nodes: bool
    """True where two nodes of one bundle are compared."""

    difference: Difference


def places(difference: Difference) -> Iterator[tuple[Ref | None, Ref | None]]:
    """Yield the old and the new place of every observed and expected change."""
    for change in difference.forwarding:
        for place in (*change.observed, *change.expected):
            yield place.old_source, place.new_source
