"""Entries that were worked out for another node: nodes of one cluster have most Services' rules in common.

What becomes of connections to an address depends on nothing but the rules that they can come to. Where these are
the same as on another node, so are the entries, but for the lines in which the rules stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec import structs

from analyzer.model.forwarding import Entry, Frontend, Target
from analyzer.model.source import Ref, SourceRef
from analyzer.observe.dispatch import Entrance
from analyzer.observe.entries import EntryWriter
from analyzer.observe.marks import Marks

_MOST_LINES = 1 << 17
"""Lines of which the entries are remembered: as many as rules are when they are read."""

_Cause = tuple[Frontend, Marks, tuple[object, ...]]
"""All that decides about an entry: the address, how the node marks packets, and the rules."""


@dataclass(slots=True)
class KnownEntries:
    """The entries of one cluster's nodes by what decides about them."""

    _known: dict[_Cause, tuple[tuple[int, ...], tuple[Entry, ...]]] = field(default_factory=dict)
    """The lines on the node for which the entries were worked out, and the entries."""

    _lines: int = 0

    def of(self, entrance: Entrance, writer: EntryWriter) -> Sequence[Entry]:
        """Return the same as `writer.entries(entrance)`."""
        reach = writer.chains.reach(entrance.rules)
        if reach is None:
            return tuple(writer.entries(entrance))
        cause = (entrance.frontend, writer.chains.marks, reach.content)
        known = self._known.get(cause)
        if known is not None:
            lines, entries = known
            places = _Places(writer.ruleset.path, dict(zip(lines, reach.lines, strict=True)))
            return [places.moved(entry) for entry in entries]
        entries = tuple(writer.entries(entrance))
        self._lines += len(reach.lines)
        if self._lines <= _MOST_LINES:
            self._known[cause] = reach.lines, entries
        return entries


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the rules and chains of one node stand on another one."""

    path: str
    lines: dict[int, int]

    def moved(self, entry: Entry) -> Entry:
        return structs.replace(
            entry,
            source=self._ref(entry.source),
            targets=tuple([self._target(t) for t in entry.targets]),
            masquerade_source=entry.masquerade_source and self._ref(entry.masquerade_source),
            chain_source=entry.chain_source and self._ref(entry.chain_source),
        )

    def _target(self, target: Target) -> Target:
        return Target(
            endpoint=target.endpoint,
            share=target.share,
            source=self._ref(target.source),
            chain=target.chain,
            destination=target.destination and self._ref(target.destination),
            hairpin_masquerade=target.hairpin_masquerade,
            written_share=target.written_share,
        )

    def _ref(self, ref: Ref) -> SourceRef:
        assert isinstance(ref, SourceRef)
        return SourceRef(self.path, self.lines[ref.line])
