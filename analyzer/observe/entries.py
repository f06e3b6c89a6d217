"""Entries of the forwarding table for one entrance: how each class of clients is treated there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from msgspec import structs

from analyzer.model.forwarding import (
    Action,
    Clients,
    Endpoint,
    Entry,
    Frontend,
    Masquerade,
    ServicePortName,
    Target,
)
from analyzer.model.ruleset import Ruleset
from analyzer.observe.conditions import CLIENTS, Client
from analyzer.observe.dispatch import Entrance
from analyzer.observe.endpoint_chain import SAME_PORT
from analyzer.observe.owners import service_port_of
from analyzer.observe.service_chain import ServiceChains
from analyzer.observe.treatment import Treatment

_Treatments = Mapping[Client, Treatment]

_MEMBERS = {
    Clients.ALL: CLIENTS,
    Clients.INTERNAL: (Client.POD, Client.NODE),
    Clients.EXTERNAL: (Client.EXTERNAL,),
}


@dataclass(frozen=True, slots=True)
class EntryWriter:
    """Turns entrances of one nat table into entries."""

    ruleset: Ruleset
    chains: ServiceChains
    known: Mapping[str, ServicePortName]
    """Service ports by the 16 characters of their chains."""

    def entries(self, entrance: Entrance) -> Iterator[Entry]:
        """Yield one entry if all clients are treated alike, else one for internal and one for external ones.

        Behind them stands one for the clients that a KUBE-FW chain drops (1.4 to 1.24).
        """
        frontend = entrance.frontend
        treatments = self.chains.follow(entrance.rules, frontend)
        for clients, treatment in _by_clients(treatments).items():
            concerned = {c: treatments[c] for c in _MEMBERS[clients]}
            yield self._entry(entrance, clients, treatment, concerned)
        dropping = next(
            (t.others_dropped_by for t in treatments.values() if t.others_dropped_by), None
        )
        if dropping is not None:
            yield Entry(
                frontend, self._owner(entrance, ""), Action.DROP, self.ruleset.ref(dropping)
            )

    def _entry(
        self, entrance: Entrance, clients: Clients, treatment: Treatment, concerned: _Treatments
    ) -> Entry:
        refer = self.ruleset.ref
        forwarded = {c: t for c, t in concerned.items() if t.action is Action.FORWARD}
        masquerading = next(
            (t.masqueraded_by for t in forwarded.values() if t.masqueraded_by), None
        )
        declaration = self.chains.nat.chains.get(treatment.chain)
        return Entry(
            frontend=entrance.frontend,
            service_port=self._owner(entrance, treatment.chain),
            action=treatment.action,
            source=refer(treatment.decided_by or entrance.rule),
            clients=clients,
            targets=_with_ports(treatment.targets, entrance.frontend),
            masquerade=_masquerade(forwarded),
            masquerade_source=None if masquerading is None else refer(masquerading),
            affinity_seconds=treatment.affinity_seconds,
            source_ranges=treatment.source_ranges,
            chain=treatment.chain,
            chain_source=refer(declaration)
            if declaration is not None and declaration.line
            else None,
        )

    def _owner(self, entrance: Entrance, chain: str) -> ServicePortName | None:
        rule = entrance.rule
        return service_port_of(rule.comment, (rule.target or "", chain), self.known)


def _by_clients(treatments: _Treatments) -> dict[Clients, Treatment]:
    """Return the treatment of all clients if they are treated alike, else of internal and external ones.

    Where pods and the node are treated differently, the internal entry shows the one that is not treated as clients
    outside are: 1.4 to 1.14 have a way around traffic policy Local for pods only, rules without a pod network for
    the node only.
    """
    pod, node, external = [treatments[c] for c in CLIENTS]
    internal = pod if pod.differs(external) else node
    if not internal.differs(external):
        return {Clients.ALL: external}
    return {Clients.INTERNAL: internal, Clients.EXTERNAL: external}


def _masquerade(forwarded: _Treatments) -> Masquerade | None:
    """Return whose address is replaced, of the clients whose connections are forwarded."""
    if not forwarded or any(t.masquerade_unknown for t in forwarded.values()):
        return None
    masqueraded = {client for client, t in forwarded.items() if t.masqueraded_by is not None}
    if not masqueraded:
        return Masquerade.NEVER
    if masqueraded == set(forwarded):
        return Masquerade.ALWAYS
    return None if Client.POD in masqueraded else Masquerade.OFF_CLUSTER


def _with_ports(targets: tuple[Target, ...], frontend: Frontend) -> tuple[Target, ...]:
    """Return the targets, with the frontend's port where their DNAT names none."""
    endpoints = [t.endpoint for t in targets if t.endpoint is not None]
    if SAME_PORT not in [e.port for e in endpoints]:
        return targets
    return tuple(_with_port(t, frontend) for t in targets)


def _with_port(target: Target, frontend: Frontend) -> Target:
    endpoint = target.endpoint
    if endpoint is None or endpoint.port != SAME_PORT:
        return target
    return structs.replace(target, endpoint=Endpoint(endpoint.address, frontend.port))
