"""The forwarding table that the rules of kube-proxy's iptables mode make, for every version from 1.2 to 1.36.

What an entry says is read from what the rules do; comments and chain names only tell whose it is and, for an
address, of what sort. Known limits: a rule that another program put into kube-proxy's own chains counts only where
it is for one address and port; the external IPs of 1.2 to 1.20 are shown as served for all clients although those
versions leave out the node itself and pods on a bridge unless the address is the node's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from analyzer.model.forwarding import (
    Action,
    Entry,
    ForwardingTable,
    Frontend,
    ServicePortName,
)
from analyzer.model.ruleset import Ruleset, Table
from analyzer.observe.conditions import ConditionReader
from analyzer.observe.dispatch import DeclaredKinds, declared_kinds, entrances
from analyzer.observe.entries import EntryWriter
from analyzer.observe.known_entries import KnownEntries
from analyzer.observe.rejections import Refusal, refusal_entry, refusals
from analyzer.observe.service_chain import ServiceChains


def observe_iptables(
    ruleset: Ruleset,
    known: Mapping[str, ServicePortName],
    declared: Iterable[Frontend] = (),
    worked_out: KnownEntries | None = None,
) -> ForwardingTable:
    """Return who is served by which endpoints according to one dump.

    `known`: Service ports by the 16 characters of their chains; names the owner of rules without a comment.
    `declared`: frontends of the API objects; tell a load-balancer IP from an external IP where rules do not.
    `worked_out`: entries of other nodes of the cluster, which most are equal to; None for a dump that is alone.
    Entries for one frontend stand in the order in which they are tried: nat before filter.
    """
    frontends = tuple(declared)
    found: dict[Frontend, list[Entry]] = {}
    for entry in _forwarded(ruleset, known, declared_kinds(frontends), worked_out):
        found.setdefault(entry.frontend, []).append(entry)
    filter_table = ruleset.tables.get("filter")
    if filter_table is not None:
        for refusal in refusals(filter_table, known, declared_kinds((*frontends, *found))):
            _refuse(found.setdefault(refusal.frontend, []), ruleset, refusal)
    return ForwardingTable(ruleset.family, tuple(e for group in found.values() for e in group))


def _forwarded(
    ruleset: Ruleset,
    known: Mapping[str, ServicePortName],
    declared: DeclaredKinds,
    worked_out: KnownEntries | None,
) -> Iterator[Entry]:
    """Yield what the nat table does; a table without a name is taken for it (excerpts)."""
    nat = ruleset.tables.get("nat") or ruleset.tables.get("")
    if nat is None:
        return
    chains = ServiceChains(ruleset, nat)
    writer = EntryWriter(ruleset, chains, known)
    conditions = ConditionReader()
    for name in ("KUBE-SERVICES", "KUBE-NODEPORTS"):
        chain = nat.chains.get(name)
        node_ports = name == "KUBE-NODEPORTS"
        if chain is None or (node_ports and not _reaches_node_ports(nat)):
            continue
        for entrance in entrances(
            chain.rules, conditions, chains.marks, declared, node_ports=node_ports
        ):
            if worked_out is None:
                yield from writer.entries(entrance)
            else:
                yield from worked_out.of(entrance, writer)


def _reaches_node_ports(nat: Table) -> bool:
    """Tell whether KUBE-SERVICES leads to KUBE-NODEPORTS; in a table that is cut off it is taken to."""
    services = nat.chains.get("KUBE-SERVICES")
    rules = services.rules if services is not None else ()
    return not nat.complete or any(r.target == "KUBE-NODEPORTS" for r in rules)


def _refuse(entries: list[Entry], ruleset: Ruleset, refusal: Refusal) -> None:
    """Add a refusal behind the entries for its frontend.

    A connection that the nat table takes and sends nowhere (a Service without endpoints in 1.2 to 1.9, an external
    client of traffic policy Local) comes to the filter table untouched: the refusal stands for it.
    """
    effective = [e for e in entries if e.targets or e.action is not Action.FORWARD]
    entries[:] = [*effective, refusal_entry(ruleset, refusal, tuple(effective))]
