"""The forwarding table of kube-proxy's userspace mode (to 1.25), as far as the rules show it.

A rule only hands a connection to a port on which kube-proxy itself listens; which endpoint kube-proxy then connects
to is not in the rules. So an entry has no targets, and `chain` names the chain of the rule.
KUBE-PORTALS-CONTAINER and KUBE-NODEPORT-CONTAINER take what comes into the node (from pods and from outside),
KUBE-PORTALS-HOST and KUBE-NODEPORT-HOST what the node itself sends (`pkg/proxy/userspace/proxier.go`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from analyzer.model.forwarding import (
    Action,
    Clients,
    Entry,
    ForwardingTable,
    Frontend,
    FrontendKind,
)
from analyzer.model.ruleset import Chain, Rule, Ruleset, Table
from analyzer.observe.conditions import ConditionReader
from analyzer.observe.dispatch import Address, DeclaredKinds, address_of, declared_kinds
from analyzer.observe.endpoint_chain import translates
from analyzer.observe.owners import owner_of

_INCOMING = ("KUBE-PORTALS-CONTAINER", "KUBE-NODEPORT-CONTAINER")
_OUTGOING = ("KUBE-PORTALS-HOST", "KUBE-NODEPORT-HOST")

USERSPACE_CHAINS = frozenset(_INCOMING + _OUTGOING)
"""Chains of the nat table that only the userspace mode makes."""


@dataclass(frozen=True, slots=True)
class _Handover:
    """A rule that hands connections to kube-proxy."""

    chain: Chain
    rule: Rule


def observe_userspace(ruleset: Ruleset, declared: Iterable[Frontend] = ()) -> ForwardingTable:
    """Return what is handed to kube-proxy according to one dump.

    An address that is taken on one side only has an entry for external (incoming) or internal (outgoing) clients.
    `declared`: frontends of the API objects; tell what sort of address an address is, which the rules do not.
    """
    nat = ruleset.tables.get("nat") or ruleset.tables.get("")
    if nat is None:
        return ForwardingTable(ruleset.family)
    incoming, outgoing = _handovers(nat, _INCOMING), _handovers(nat, _OUTGOING)
    kinds = declared_kinds(declared)
    entries = (
        _entry(ruleset, address, kinds, incoming.get(address), outgoing.get(address))
        for address in {**incoming, **outgoing}
    )
    return ForwardingTable(ruleset.family, tuple(e for e in entries if e is not None))


def _handovers(nat: Table, chains: tuple[str, ...]) -> dict[Address, _Handover]:
    """Return the first rule for each address."""
    conditions = ConditionReader()
    found: dict[Address, _Handover] = {}
    for chain in (nat.chains[name] for name in chains if name in nat.chains):
        for rule in chain.rules:
            address = address_of(rule, conditions)
            if address is not None and translates(rule):
                found.setdefault(address, _Handover(chain, rule))
    return found


def _entry(
    ruleset: Ruleset,
    address: Address,
    kinds: DeclaredKinds,
    incoming: _Handover | None,
    outgoing: _Handover | None,
) -> Entry | None:
    handover = incoming or outgoing
    if handover is None:
        return None
    clients = Clients.ALL
    if incoming is None or outgoing is None:
        clients = Clients.EXTERNAL if outgoing is None else Clients.INTERNAL
    owner = owner_of(handover.rule.comment)
    default = FrontendKind.CLUSTER_IP if address.host else FrontendKind.NODE_PORT
    kind = next(iter(kinds.get(address, ())), default)
    return Entry(
        frontend=Frontend(kind, address.host, address.protocol, address.port),
        service_port=None if owner is None else owner.service_port,
        action=Action.FORWARD,
        source=ruleset.ref(handover.rule),
        clients=clients,
        chain=handover.chain.name,
        chain_source=ruleset.ref(handover.chain) if handover.chain.line else None,
    )
