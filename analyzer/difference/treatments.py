"""How one node treats connections, in terms that no proxy mode, backend or version of kube-proxy changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from analyzer.difference.change import FieldChange
from analyzer.difference.fields import changes
from analyzer.model.forwarding import (
    Action,
    Clients,
    Endpoint,
    Entry,
    ForwardingTable,
    Frontend,
    ServicePortName,
)
from analyzer.observe.userspace import USERSPACE_CHAINS

_UNEVEN = 0.01
"""Shares that differ by less are what rounding leaves (five digits up to Kubernetes 1.18)."""

_SEEN = ("masquerade", "shares")
"""Terms that are compared only where both sides tell them."""

EVEN = "even"
"""What is said of shares that are the same."""

GROUPS = (Clients.INTERNAL, Clients.EXTERNAL)


def deciding(table: ForwardingTable, frontend: Frontend, clients: Clients) -> Entry | None:
    """Return the entry that decides for these clients: nat translates before filter refuses."""
    found = [e for e in table.by_frontend.get(frontend, ()) if e.clients.overlaps(clients)]
    translating = (e for e in found if e.action is Action.FORWARD and e.targets)
    refusing = (e for e in found if e.action is not Action.FORWARD)
    return next(chain(translating, refusing, found), None)


def owners(*tables: ForwardingTable) -> dict[Frontend, ServicePortName]:
    """Return whose each frontend is, as far as any of the tables says."""
    return {
        entry.frontend: entry.service_port
        for table in tables
        for entry in table.entries
        if entry.service_port is not None
    }


def treatment_changes(old: Entry, new: Entry) -> tuple[FieldChange, ...]:
    """Return what differs apart from the endpoints; what a side leaves open differs from nothing."""
    was, is_ = dict(_terms(old)), dict(_terms(new))
    for name in _SEEN:
        if name not in was or name not in is_:
            was.pop(name, None)
            is_.pop(name, None)
    if old.action in new.allowed_actions or new.action in old.allowed_actions:
        was.pop("action")
        is_.pop("action")
    elif Action.FORWARD not in {old.action, new.action} or old.action is not new.action:
        keep = {"action"}
        was, is_ = ({k: v for k, v in side.items() if k in keep} for side in (was, is_))
    return changes(was, is_)


def lost_and_gained(
    old: Entry, new: Entry, successors: Mapping[Endpoint, Endpoint]
) -> tuple[tuple[Endpoint, ...], tuple[Endpoint, ...]]:
    """Return the endpoints that get no connections any more, and those that get them now.

    An endpoint and its successor are left out together. What is right as well, because a version is not known, is
    no difference.
    """
    if not (_tells_endpoints(old) and _tells_endpoints(new)):
        return (), ()
    lost = old.endpoints - new.allowed_endpoints
    gained = new.endpoints - old.allowed_endpoints
    moved = {e for e in lost if successors.get(e) in gained}
    lost, gained = lost - moved, gained - {successors[e] for e in moved}
    return tuple(sorted(lost)), tuple(sorted(gained))


def _terms(entry: Entry) -> Iterator[tuple[str, str]]:
    yield "action", entry.action.value
    if entry.action is not Action.FORWARD:
        return
    if entry.masquerade is not None:
        yield "masquerade", entry.masquerade.value
    yield "affinity", "" if entry.affinity_seconds is None else f"{entry.affinity_seconds} s"
    yield "source ranges", ", ".join(sorted(entry.source_ranges or ()))
    if entry.targets:
        yield "shares", _shares(entry)


def _shares(entry: Entry) -> str:
    """Return the shares where they are uneven; the number of endpoints alone changes even ones."""
    shares = sorted((t.share for t in entry.targets), reverse=True)
    if shares[0] - shares[-1] < _UNEVEN:
        return EVEN
    return ", ".join(f"{share:.0%}" for share in shares)


def _tells_endpoints(entry: Entry) -> bool:
    return entry.action is not Action.FORWARD or entry.chain not in USERSPACE_CHAINS
