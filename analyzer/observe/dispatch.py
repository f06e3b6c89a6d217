"""Which rules of kube-proxy's chains stand for one address: the entrances to the Service chains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from msgspec import Struct

from analyzer.model.forwarding import Frontend, FrontendKind, Protocol
from analyzer.model.ruleset import Rule
from analyzer.observe.conditions import ConditionReader, host_of, number_of, protocol_of
from analyzer.observe.marks import Marks
from analyzer.observe.owners import owner_of


class Address(Struct, frozen=True):
    """What a connection is made to, whatever sort of address it is."""

    host: str
    """IP address; empty for a node port."""

    protocol: Protocol
    port: int


@dataclass(frozen=True, slots=True)
class Entrance:
    """The rules that send connections for one address into one chain."""

    frontend: Frontend
    rule: Rule
    """The first rule that does so."""

    rules: tuple[Rule, ...]
    """All rules that such a connection meets, in order, those for another Service at the same address left out."""


DeclaredKinds = Mapping[Address, tuple[FrontendKind, ...]]
"""What sorts of address an address is known to be."""


def declared_kinds(frontends: Iterable[Frontend]) -> DeclaredKinds:
    """Return the kinds of frontends by address."""
    found: dict[Address, tuple[FrontendKind, ...]] = {}
    for frontend in frontends:
        address = Address(frontend.address, frontend.protocol, frontend.port)
        known = found.get(address, ())
        if frontend.kind not in known:
            found[address] = (*known, frontend.kind)
    return found


def address_of(rule: Rule, conditions: ConditionReader) -> Address | None:
    """Return what a rule is for: `-d HOST -p PROTOCOL --dport PORT`, or without `-d` a port of the node.

    None for a rule that is for anything else, such as a network or any port.
    """
    found = conditions[rule.shape]
    negated = found.destination_negated or found.protocol_negated or found.port_negated
    if negated or found.protocol is None or found.port is None:
        return None
    protocol = protocol_of(rule.values[found.protocol])
    port = number_of(rule.values[found.port])
    host = "" if found.destination is None else host_of(rule.values[found.destination])
    return (
        None if protocol is None or port is None or host is None else Address(host, protocol, port)
    )


def entrances(
    rules: Iterable[Rule],
    conditions: ConditionReader,
    marks: Marks,
    declared: DeclaredKinds,
    *,
    node_ports: bool,
) -> Iterator[Entrance]:
    """Yield the entrances among the rules of KUBE-SERVICES or (`node_ports`) KUBE-NODEPORTS, in order.

    Rules for one address that lead into the same chain are one entrance: the marking rule before the jump (1.2 to
    1.21), the two rules of an external IP (1.2 to 1.20), the rule for 127.0.0.0/8 that only counts (1.31 and later).
    """
    groups: dict[Address, list[Rule]] = {}
    for rule in rules:
        address = address_of(rule, conditions)
        if address is not None and (not address.host) == node_ports:
            groups.setdefault(address, []).append(rule)
    for address, group in groups.items():
        leading = {r.target: r for r in reversed(group) if _leads_on(r, marks)}
        for target in dict.fromkeys(r.target for r in group if r.target in leading):
            met = tuple(r for r in group if r.target == target or r.target not in leading)
            kind = _kind_of(leading[target], declared.get(address, ()), node_ports=node_ports)
            frontend = Frontend(kind, address.host, address.protocol, address.port)
            yield Entrance(frontend, leading[target], met)


def _kind_of(rule: Rule, declared: tuple[FrontendKind, ...], *, node_ports: bool) -> FrontendKind:
    """Return what sort of address a rule of KUBE-SERVICES or KUBE-NODEPORTS is for.

    By the comment, else by the chain that it leads to. KUBE-EXT and KUBE-XLB serve external and load-balancer IPs
    alike: without a comment the address is what it is declared to be, else taken for an external IP.
    """
    if node_ports:
        return FrontendKind.NODE_PORT
    owner = owner_of(rule.comment)
    if owner is not None and owner.kind is not None:
        return owner.kind
    target = rule.target or ""
    if target.startswith("KUBE-FW-"):
        return FrontendKind.LOAD_BALANCER_IP
    if target.startswith(("KUBE-EXT-", "KUBE-XLB-")):
        return next((k for k in declared if k in _OUTSIDE), FrontendKind.EXTERNAL_IP)
    return next(iter(declared), FrontendKind.CLUSTER_IP)


def _leads_on(rule: Rule, marks: Marks) -> bool:
    return rule.target not in _PASSING and not marks.masquerades(rule)


_OUTSIDE = {FrontendKind.EXTERNAL_IP, FrontendKind.LOAD_BALANCER_IP}
_PASSING = {
    None,
    *("KUBE-MARK-MASQ", "KUBE-MARK-DROP", "RETURN", "ACCEPT"),
    *("CONNMARK", "LOG", "MARK", "NFLOG", "SET", "TRACE"),
}
"""Targets after which a connection is not on its way to an endpoint."""
