"""What should be there against what is there: two forwarding tables of one node, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from analyzer.model.forwarding import Action, Entry, ForwardingTable


@dataclass(frozen=True, slots=True)
class Pair:
    """An expected entry and the observed one that decides for the same clients of the same frontend."""

    expected: Entry
    observed: Entry


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the tables of one IP family differ."""

    missing: tuple[Entry, ...]
    """Expected entries for whose frontend nothing was observed; those that may be absent are left out."""

    surplus: tuple[Entry, ...]
    """Observed entries whose frontend no Service has."""

    pairs: tuple[Pair, ...]


def compare(
    expected: ForwardingTable, observed: ForwardingTable, known: Callable[[Entry], bool]
) -> Comparison:
    """Pair the entries of both tables by frontend and clients.

    `known`: whether the bundle tells the endpoints of an expected entry; the others are not compared.
    """
    missing: list[Entry] = []
    pairs: list[Pair] = []
    for entry in filter(known, expected.entries):
        found = _decisive(observed.counterparts(entry))
        if found is not None:
            pairs.append(Pair(entry, found))
        elif not entry.optional:
            missing.append(entry)
    return Comparison(tuple(missing), tuple(_surplus(expected, observed)), tuple(pairs))


def _decisive(entries: tuple[Entry, ...]) -> Entry | None:
    """Return the entry that decides: translation comes before filtering, an empty chain translates nothing."""
    forwarding = (e for e in entries if e.action is Action.FORWARD and e.targets)
    refusing = (e for e in entries if e.action is not Action.FORWARD)
    return next(forwarding, None) or next(refusing, None) or (entries[0] if entries else None)


def _surplus(expected: ForwardingTable, observed: ForwardingTable) -> Iterator[Entry]:
    known = expected.by_frontend
    for frontend, entries in observed.by_frontend.items():
        if frontend not in known:
            yield entries[0]
