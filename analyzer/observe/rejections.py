"""What kube-proxy's filter chains refuse: Services without (local) endpoints, clients outside the source ranges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from analyzer.model.forwarding import (
    Action,
    Clients,
    Entry,
    Frontend,
    FrontendKind,
    ServicePortName,
)
from analyzer.model.ruleset import Rule, Ruleset, Table
from analyzer.observe.conditions import ConditionReader
from analyzer.observe.dispatch import DeclaredKinds, address_of
from analyzer.observe.owners import service_port_of

_CHAINS = {
    "KUBE-SERVICES": (
        FrontendKind.CLUSTER_IP,
        FrontendKind.EXTERNAL_IP,
        FrontendKind.LOAD_BALANCER_IP,
    ),
    "KUBE-EXTERNAL-SERVICES": (FrontendKind.EXTERNAL_IP, FrontendKind.LOAD_BALANCER_IP),
    "KUBE-PROXY-FIREWALL": (FrontendKind.LOAD_BALANCER_IP,),
}
"""Sorts of addresses that a chain refuses, the likeliest first; 1.2 to 1.9 refused all of them in KUBE-SERVICES."""

_ACTIONS = {"REJECT": Action.REJECT, "DROP": Action.DROP}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule that refuses connections to one frontend."""

    frontend: Frontend
    action: Action
    rule: Rule
    service_port: ServicePortName | None


def refusals(
    filter_table: Table, known: Mapping[str, ServicePortName], declared: DeclaredKinds
) -> Iterator[Refusal]:
    """Yield what is refused, each frontend once per chain, in the order of the rules.

    The rules do not tell an external from a load-balancer IP; `declared` does where it knows the address.
    """
    conditions = ConditionReader()
    for name, kinds in _CHAINS.items():
        chain = filter_table.chains.get(name)
        seen: set[Frontend] = set()
        for rule in chain.rules if chain is not None else ():
            action = _ACTIONS.get(rule.target or "")
            address = address_of(rule, conditions) if action is not None else None
            if action is None or address is None:
                continue
            owner = service_port_of(rule.comment, _firewall_of(rule.comment), known)
            possible = kinds if address.host else (FrontendKind.NODE_PORT,)
            told = tuple(k for k in declared.get(address, ()) if k in possible)
            for kind in told or possible[:1]:
                frontend = Frontend(kind, address.host, address.protocol, address.port)
                if frontend not in seen:
                    seen.add(frontend)
                    yield Refusal(frontend, action, rule, owner)


def refusal_entry(ruleset: Ruleset, refusal: Refusal, before: tuple[Entry, ...]) -> Entry:
    """Return a refusal as an entry behind those of the nat table for the same frontend.

    It is for the clients outside the cluster where nat has taken the others (traffic policy Local), else for all.
    """
    external = any(e.clients is Clients.INTERNAL for e in before) and not any(
        e.clients is not Clients.INTERNAL for e in before
    )
    return Entry(
        frontend=refusal.frontend,
        service_port=refusal.service_port,
        action=refusal.action,
        source=ruleset.ref(refusal.rule),
        clients=Clients.EXTERNAL if external else Clients.ALL,
    )


def _firewall_of(comment: str) -> tuple[str, ...]:
    """Return the chain that `traffic not accepted by KUBE-FW-…` names (1.25 and later)."""
    last = comment.rpartition(" ")[2]
    return (last,) if last.startswith("KUBE-FW-") else ()
