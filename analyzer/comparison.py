"""What should be there against what is there: two forwarding tables of one node, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from analyzer.model.address import network_of
from analyzer.model.forwarding import Action, Entry, ForwardingTable
from analyzer.observe.userspace import USERSPACE_CHAINS


@dataclass(frozen=True, slots=True)
class Pair:
    """An expected entry and the observed one that decides for the same clients of the same frontend."""

    expected: Entry
    observed: Entry

    @property
    def agrees(self) -> bool:
        """True where the rules do what they should, as far as these entries tell: no check need look closer."""
        expected, observed = self.expected, self.observed
        return (
            expected.action is observed.action
            and expected.service_port == observed.service_port
            and expected.endpoints == observed.endpoints
            and expected.affinity_seconds == observed.affinity_seconds
            and expected.source_ranges == observed.source_ranges
            and (expected.masquerade is None or expected.masquerade is observed.masquerade)
        )

    @property
    def tells_endpoints(self) -> bool:
        """True where the rules say which endpoints are used; those of the userspace mode do not."""
        observed = self.observed
        return observed.action is Action.FORWARD and observed.chain not in USERSPACE_CHAINS

    @property
    def shut_out(self) -> tuple[str, ...]:
        """CIDRs of clients that the Service admits and the rules do not."""
        return self._beyond(self.expected, self.observed)

    @property
    def let_in(self) -> tuple[str, ...]:
        """CIDRs of clients that the rules admit and the Service does not."""
        return self._beyond(self.observed, self.expected)

    def _beyond(self, one: Entry, other: Entry) -> tuple[str, ...]:
        if (
            not one.action is other.action is Action.FORWARD
            or one.source_ranges == other.source_ranges
        ):
            return ()
        everywhere = "::/0" if ":" in self.expected.frontend.address else "0.0.0.0/0"
        mine, theirs = (
            {str(network_of(r) or r): None for r in e.source_ranges or (everywhere,)}
            for e in (one, other)
        )
        return tuple(r for r in mine if r not in theirs and everywhere not in theirs)


@dataclass(frozen=True)
class Comparison:
    """How the tables of one IP family differ."""

    missing: tuple[Entry, ...]
    """Expected entries for whose frontend nothing was observed; those that may be absent are left out."""

    surplus: tuple[Entry, ...]
    """Observed entries whose frontend no Service has."""

    pairs: tuple[Pair, ...]

    @cached_property
    def differing(self) -> tuple[Pair, ...]:
        """The pairs that do not agree: few, or most where kube-proxy has stopped."""
        return tuple(pair for pair in self.pairs if not pair.agrees)


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
        if entry.optional and found is not None and found.action is not Action.FORWARD:
            continue  # what need not be served may be refused
        if found is not None and not _is_for_strangers(found, entry):
            pairs.append(Pair(entry, found))
        elif not entry.optional:
            missing.append(entry)
    return Comparison(tuple(missing), tuple(_surplus(expected, observed)), tuple(pairs))


def _decisive(entries: tuple[Entry, ...]) -> Entry | None:
    """Return the entry that decides: translation comes before filtering, an empty chain translates nothing."""
    forwarding = (e for e in entries if e.action is Action.FORWARD and e.targets)
    refusing = (e for e in entries if e.action is not Action.FORWARD)
    return next(forwarding, None) or next(refusing, None) or (entries[0] if entries else None)


def _is_for_strangers(found: Entry, entry: Entry) -> bool:
    """Tell whether a drop is the one that belongs to source ranges: it says nothing of the clients within them."""
    return (
        entry.source_ranges is not None
        and found.action is Action.DROP
        and Action.DROP not in entry.allowed_actions
    )


def _surplus(expected: ForwardingTable, observed: ForwardingTable) -> Iterator[Entry]:
    known = expected.by_frontend
    for frontend, entries in observed.by_frontend.items():
        if frontend not in known:
            yield entries[0]
