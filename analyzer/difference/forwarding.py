"""Forwarding of nodes that differs: observed and expected tables, frontend by frontend, nodes alike told once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from analyzer.difference.change import Blind, FieldChange, ForwardingChange, Lack, Place, Presence
from analyzer.difference.side import Sides, whole
from analyzer.difference.treatments import (
    GROUPS,
    deciding,
    lost_and_gained,
    owners,
    treatment_changes,
)
from analyzer.language import _
from analyzer.model.forwarding import (
    Clients,
    Endpoint,
    Entry,
    ForwardingTable,
    Frontend,
    ServiceKey,
    ServicePortName,
)
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Family
from analyzer.snapshot import NodeView

Successors = Mapping[ServiceKey, Mapping[Endpoint, Endpoint]]


@dataclass(frozen=True, slots=True)
class NodePair:
    """The same node on both sides, or two nodes of one side."""

    old: NodeView
    new: NodeView

    @property
    def name(self) -> str:
        """The name of both, or `a, b`."""
        names = dict.fromkeys((self.old.name, self.new.name))
        return ", ".join(names)


@dataclass(frozen=True, slots=True)
class _Tables:
    """The tables of one family, before and after."""

    old: ForwardingTable
    new: ForwardingTable
    owner: Mapping[Frontend, ServicePortName]
    successors: Successors
    followed_by: ForwardingTable | None = None
    """The new observed table beside an expected one: where it still has the old pods, it has not followed."""

    def replacements(self, frontend: Frontend, clients: Clients) -> Mapping[Endpoint, Endpoint]:
        """Return which endpoints took whose place there in a rollout that needs no mention."""
        name = self.owner.get(frontend)
        found = self.successors.get(name.service, {}) if name else {}
        entry = deciding(self.followed_by, frontend, clients) if self.followed_by else None
        if entry is None:
            return found
        return {old: new for old, new in found.items() if old not in entry.endpoints}


@dataclass(frozen=True, slots=True)
class _Change:
    """A change as one node shows it; equal changes of several nodes are one."""

    service_port: ServicePortName | None
    frontend: Frontend
    clients: Clients
    presence: Presence
    fields: tuple[FieldChange, ...]
    lost: tuple[Endpoint, ...]
    gained: tuple[Endpoint, ...]


@dataclass(slots=True)
class _Places:
    observed: list[Place] = field(default_factory=list)
    expected: list[Place] = field(default_factory=list)


def forwarding_changes(
    pairs: Iterable[NodePair], successors: Successors, sides: Sides
) -> Iterator[ForwardingChange]:
    """Yield what nodes do differently; `successors` took the place of other endpoints in a rollout."""
    found: dict[_Change, _Places] = defaultdict(_Places)
    comparable = _knows_api_objects(sides)
    for pair in pairs:
        for family in Family:
            expected = pair.old.expected(family), pair.new.expected(family)
            observed = pair.old.observed(family), pair.new.observed(family)
            owner = owners(*(t for t in (*observed, *expected) if t is not None))
            if observed[0] is not None and observed[1] is not None:
                tables = _Tables(observed[0], observed[1], owner, successors)
                for change, place in _changes(tables, pair):
                    found[change].observed.append(place)
            if comparable:
                tables = _Tables(*expected, owner, successors, observed[1])
                for change, place in _changes(tables, pair):
                    found[change].expected.append(place)
    for change in sorted(found, key=_order):
        places = found[change]
        yield ForwardingChange(
            service_port=change.service_port,
            frontend=change.frontend,
            clients=change.clients,
            presence=change.presence,
            fields=change.fields,
            gained=change.gained,
            lost=change.lost,
            observed=tuple(places.observed),
            expected=tuple(places.expected),
        )


def blind_forwarding(pairs: Iterable[NodePair]) -> Iterator[Blind]:
    """Yield the rules that could not be compared, and why."""
    for pair in pairs:
        for family, needed in ((Family.IPV4, Input.RULESET), (Family.IPV6, Input.RULESET_V6)):
            tables = [view.observed(family) for view in (pair.old, pair.new)]
            wanted = any(v.expected(family).entries for v in (pair.old, pair.new))
            if all(t is not None for t in tables) or not (
                wanted or any(t and t.entries for t in tables)
            ):
                continue
            unread = pair.old if tables[0] is None else pair.new
            lack = Lack.NEW if tables[0] is not None else Lack.OLD
            if tables[0] is None and tables[1] is None:
                lack = Lack.BOTH
            reason = unread.rules_unread or unread.availability(needed).reason
            command = "" if unread.rules_unread else needed.command(unread.name)
            subject = _("rules of {node}, {family}", node=unread.name, family=family.value)
            yield Blind(subject, lack, reason, command, pair.name)


def _knows_api_objects(sides: Sides) -> bool:
    return all(
        whole(side.cluster.availability(needed))
        for side in (sides.old, sides.new)
        for needed in (Input.SERVICES, side.cluster.endpoints_input)
    )


# --- one node, one table ---


def _changes(tables: _Tables, pair: NodePair) -> Iterator[tuple[_Change, Place]]:
    for old, new in _frontends(tables):
        told: list[tuple[_Change, Place]] = []
        for clients in GROUPS:
            was = deciding(tables.old, old, clients)
            is_ = deciding(tables.new, new, clients)
            change = _change(tables, clients, old, new, was, is_)
            if change is not None:
                told.append((change, _place(pair, was, is_)))
        if len(told) == len(GROUPS) and _equal(told[0][0], told[1][0]):
            change, place = told[0]
            yield replace(change, clients=Clients.ALL), place
        else:
            yield from told


def _equal(one: _Change, other: _Change) -> bool:
    return replace(one, clients=other.clients) == other


def _frontends(tables: _Tables) -> Iterator[tuple[Frontend, Frontend]]:
    """Yield the frontends of both tables in pairs: the same, or what took its place at the same Service port."""
    old, new = tables.old.by_frontend, tables.new.by_frontend
    yield from ((frontend, frontend) for frontend in old if frontend in new)
    rest: dict[object, list[Frontend]] = defaultdict(list)
    for frontend in new:
        if frontend not in old:
            rest[_role(frontend, tables)].append(frontend)
    for frontend in old:
        if frontend not in new:
            heirs = rest[_role(frontend, tables)] if frontend in tables.owner else []
            yield frontend, heirs.pop(0) if heirs else frontend
    yield from ((frontend, frontend) for found in rest.values() for frontend in found)


def _role(frontend: Frontend, tables: _Tables) -> object:
    return tables.owner.get(frontend), frontend.kind, frontend.protocol


def _change(  # noqa: PLR0913, PLR0917 - both sides of one comparison
    tables: _Tables,
    clients: Clients,
    old: Frontend,
    new: Frontend,
    was: Entry | None,
    is_: Entry | None,
) -> _Change | None:
    name = tables.owner.get(new)
    if was is None or is_ is None:
        entry = was or is_
        if entry is None or entry.optional:
            return None
        presence = Presence.ADDED if was is None else Presence.REMOVED
        endpoints = tuple(sorted(entry.endpoints))
        lost, gained = ((), endpoints) if was is None else (endpoints, ())
        return _Change(name, new, clients, presence, (), lost, gained)
    fields = treatment_changes(was, is_)
    if old != new:
        fields = (FieldChange("address", _address(old), _address(new)), *fields)
    lost, gained = lost_and_gained(was, is_, tables.replacements(new, clients))
    if not fields and not lost and not gained:
        return None
    return _Change(name, new, clients, Presence.CHANGED, fields, lost, gained)


def _address(frontend: Frontend) -> str:
    host = f"[{frontend.address}]" if ":" in frontend.address else frontend.address
    return f"{host}:{frontend.port}/{frontend.protocol.value}"


def _place(pair: NodePair, was: Entry | None, is_: Entry | None) -> Place:
    return Place(
        node=pair.name,
        old_chain=was.chain if was else "",
        new_chain=is_.chain if is_ else "",
        old_source=was.source if was else None,
        new_source=is_.source if is_ else None,
    )


def _order(change: _Change) -> tuple[object, ...]:
    name = change.service_port
    frontend = change.frontend
    return (
        name is None,
        str(name),
        frontend.kind.value,
        frontend.address,
        frontend.port,
        frontend.protocol.value,
        change.clients.value,
        change.presence.value,
        tuple((f.field, f.old, f.new) for f in change.fields),
        change.lost,
        change.gained,
    )
