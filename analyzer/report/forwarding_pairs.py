"""What is there and what should be there, side by side, by the Service port that it belongs to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from analyzer.language import _
from analyzer.model.forwarding import (
    Action,
    Clients,
    Entry,
    ForwardingTable,
    Frontend,
    FrontendKind,
    ServicePortName,
)
from analyzer.report.visible import visible

_KINDS = tuple(FrontendKind)


@dataclass(frozen=True, slots=True)
class Pair:
    """What some clients of a frontend get, and what they should get; at least one is there."""

    frontend: Frontend
    clients: Clients
    observed: Entry | None
    expected: Entry | None

    @property
    def owner(self) -> ServicePortName | None:
        """Whose frontend it is; None where neither side knows."""
        sides = (self.expected, self.observed)
        return next((e.service_port for e in sides if e and e.service_port), None)


def pairs_by_owner(observed: ForwardingTable, expected: ForwardingTable) -> dict[str, list[Pair]]:
    """Return the pairs by `namespace/name:port`, sorted; those of no known Service come last."""
    groups: dict[ServicePortName | None, list[Pair]] = defaultdict(list)
    for frontend in sorted({**expected.by_frontend, **observed.by_frontend}, key=_frontend_order):
        there = observed.by_frontend.get(frontend, ())
        for pair in _pairs(frontend, there, expected.by_frontend.get(frontend, ())):
            groups[pair.owner].append(pair)
    unknown = groups.pop(None, [])
    known = {visible(str(owner)): groups[owner] for owner in sorted(filter(None, groups))}
    return {**known, _("of no known Service"): unknown} if unknown else known


def _frontend_order(frontend: Frontend) -> tuple[int, str, int, str]:
    kind = _KINDS.index(frontend.kind)
    return (kind, frontend.address, frontend.port, frontend.protocol.value)


def _pairs(
    frontend: Frontend, observed: tuple[Entry, ...], expected: tuple[Entry, ...]
) -> Iterator[Pair]:
    split = any(e.clients is not Clients.ALL for e in (*observed, *expected))
    for clients in (Clients.INTERNAL, Clients.EXTERNAL) if split else (Clients.ALL,):
        found = tuple(e for e in observed if e.clients.overlaps(clients))
        wanted = next((e for e in expected if e.clients.overlaps(clients)), None)
        if wanted is not None:
            yield Pair(frontend, clients, _deciding(found), wanted)
        else:
            yield from (Pair(frontend, clients, entry, None) for entry in found)


def _deciding(found: tuple[Entry, ...]) -> Entry | None:
    """Return the entry that decides: nat translates before filter refuses, and an empty chain translates nothing."""
    translating = (e for e in found if e.action is Action.FORWARD and e.targets)
    refusing = (e for e in found if e.action is not Action.FORWARD)
    return next(chain(translating, refusing, found), None)
