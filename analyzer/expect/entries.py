"""Forwarding table entries of one Service port, made from what was decided about its traffic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from msgspec import Struct, structs

from analyzer.expect.categorize import Backends, Decision, Outcome
from analyzer.expect.node_traits import NodeTraits
from analyzer.expect.service_ports import ProxiedPort
from analyzer.model.forwarding import (
    Action,
    Alternative,
    Clients,
    Endpoint,
    Entry,
    Frontend,
    Masquerade,
    Target,
)


class Case(Struct, frozen=True):
    """A decision, and when it is the right one."""

    decision: Decision
    reason: str
    """Such as `with kube-proxy as of 1.24`; empty where it always is."""

    external_ip_policy: bool
    """Whether a Local policy holds for external IPs, too."""

    node_is_internal: bool
    """Whether the node's own connections to external addresses are told apart from others'."""


_Choice = Callable[[Case], Outcome]


def entries_of(port: ProxiedPort, traits: NodeTraits, cases: tuple[Case, ...]) -> Iterator[Entry]:
    """Yield an entry for each address of the port; `cases` has the likeliest first and is not empty."""
    maker = _EntryMaker(port, traits, cases)
    yield maker.entry(port.cluster_ip, _internal, traits.cluster_ip_masquerade)
    if port.node_port is not None:
        for entry in maker.external(port.node_port):
            yield entry if traits.node_ports_served else structs.replace(entry, optional=True)
    for frontend in port.external_ips:
        yield from maker.external_ip(frontend)
    for frontend in port.load_balancer_ips:
        yield from maker.load_balancer_ip(frontend)
    if traits.serves_bypassed_ips:
        for frontend in port.bypassed_ips:
            for entry in maker.load_balancer_ip(frontend):
                yield structs.replace(entry, optional=True)


def _internal(case: Case) -> Outcome:
    return case.decision.internal


def _cluster(case: Case) -> Outcome:
    return case.decision.cluster


def _external(case: Case) -> Outcome:
    return case.decision.external


def _external_ip(case: Case) -> Outcome:
    return case.decision.external if case.external_ip_policy else case.decision.cluster


def _restricts(case: Case) -> bool:
    """Tell whether a Local policy decides: where nothing is forwarded, none shows."""
    return case.decision.split or case.decision.external.action is not Action.FORWARD


@dataclass(frozen=True, slots=True)
class _EntryMaker:
    port: ProxiedPort
    traits: NodeTraits
    cases: tuple[Case, ...]
    _targets: dict[int, tuple[Target, ...]] = field(default_factory=dict)
    """By identity of the backends, which `cases` keep alive: hashing them would take longer than all else."""

    def entry(
        self,
        frontend: Frontend,
        choose: _Choice,
        masquerade: Masquerade | None,
        clients: Clients = Clients.ALL,
    ) -> Entry:
        """Return the entry of the likeliest case, with what the others make of it."""
        outcome = choose(self.cases[0])
        forwards = outcome.action is Action.FORWARD
        return Entry(
            frontend=frontend,
            service_port=self.port.name,
            action=outcome.action,
            source=self.port.source,
            clients=clients,
            targets=self._targets_of(outcome.backends),
            masquerade=masquerade if forwards else None,
            affinity_seconds=self.port.affinity_seconds if forwards else None,
            alternatives=_alternatives(self.cases, choose) if len(self.cases) > 1 else (),
            optional=self.traits.family_optional,
        )

    def external(self, frontend: Frontend) -> Iterator[Entry]:
        """Yield one entry; under a Local policy one for pods and the node, and one for clients outside."""
        if not self.cases[0].decision.split:
            yield self.entry(frontend, _external, Masquerade.ALWAYS)
            return
        outside = Masquerade.NEVER if all(map(_restricts, self.cases)) else None
        # Up to 1.14 only pods take the short cut, and only where kube-proxy tells them from others.
        short_cut = self.cases[0].node_is_internal or self.traits.pods_are_told_apart
        if short_cut is False:
            yield self.entry(frontend, _external, outside)
            return
        inside = Masquerade.OFF_CLUSTER if all(c.node_is_internal for c in self.cases) else None
        internal = self.entry(frontend, _cluster, inside, Clients.INTERNAL)
        yield internal if short_cut else structs.replace(internal, optional=True)
        yield self.entry(frontend, _external, outside, Clients.EXTERNAL)

    def external_ip(self, frontend: Frontend) -> Iterator[Entry]:
        """Yield the entries of an external IP, to which up to 1.17 no Local policy applies."""
        likeliest = self.cases[0]
        if not (likeliest.decision.split and likeliest.external_ip_policy):
            yield self.entry(frontend, _external_ip, self.traits.external_ip_masquerade)
            return
        honoured = all(c.external_ip_policy for c in self.cases)
        for entry in self.external(frontend):
            yield entry if honoured else structs.replace(entry, masquerade=None)

    def load_balancer_ip(self, frontend: Frontend) -> Iterator[Entry]:
        """Yield the entries of a load-balancer IP, with the CIDRs that may use it."""
        for entry in self.external(frontend):
            restricted = self.port.source_ranges is not None and entry.action is Action.FORWARD
            yield (
                structs.replace(entry, source_ranges=self.port.source_ranges)
                if restricted
                else entry
            )

    def _targets_of(self, backends: Backends) -> tuple[Target, ...]:
        key = id(backends)
        if key not in self._targets:
            share = 1 / len(backends) if backends else 0.0
            self._targets[key] = tuple([Target(b.endpoint, share, b.source) for b in backends])
        return self._targets[key]


def _alternatives(cases: tuple[Case, ...], choose: _Choice) -> tuple[Alternative, ...]:
    found: dict[tuple[Action, frozenset[Endpoint]], str] = {}
    for case in cases:
        outcome = choose(case)
        endpoints = frozenset(b.endpoint for b in outcome.backends)
        found.setdefault((outcome.action, endpoints), case.reason)
    others = tuple(found.items())[1:]
    return tuple(Alternative(action, endpoints, reason) for (action, endpoints), reason in others)
