"""What differs between two bundles of a cluster, or between two nodes of one, in terms of Services.

Two neutral tables are compared, so that another proxy mode, backend or version of kube-proxy is no difference
in itself, nor are counters, the order of rules or the names of chains. What one side lacks is said, and never
taken for removed.
"""

from __future__ import annotations

from analyzer.difference.change import Difference
from analyzer.difference.endpoints import blind_endpoints, compare_endpoints
from analyzer.difference.findings import finding_changes, node_finding_changes
from analyzer.difference.forwarding import NodePair, blind_forwarding, forwarding_changes
from analyzer.difference.nodes import blind_nodes, node_changes
from analyzer.difference.services import blind_services, service_changes
from analyzer.difference.side import Side, Sides
from analyzer.snapshot import NodeView


def compare(sides: Sides) -> Difference:
    """Compare two bundles."""
    old, new = sides.old.cluster.nodes, sides.new.cluster.nodes
    pairs = [NodePair(old[name], new[name]) for name in old if name in new]
    linux = [pair for pair in pairs if not (pair.old.windows or pair.new.windows)]
    endpoints = compare_endpoints(sides)
    return Difference(
        nodes=tuple(node_changes(sides, linux)),
        services=tuple(service_changes(sides)),
        endpoints=endpoints.changes,
        forwarding=tuple(forwarding_changes(linux, endpoints.successors, sides)),
        findings=finding_changes(sides.old.report, sides.new.report),
        blind=(
            *blind_nodes(sides),
            *blind_services(sides),
            *blind_endpoints(sides),
            *blind_forwarding(linux),
        ),
    )


def compare_nodes(side: Side, old: NodeView, new: NodeView) -> Difference:
    """Compare two nodes of one bundle: they have the Services and endpoints in common."""
    sides = Sides(side, side)
    pairs = [NodePair(old, new)]
    return Difference(
        nodes=tuple(node_changes(sides, pairs)),
        services=(),
        endpoints=(),
        forwarding=tuple(forwarding_changes(pairs, {}, sides)),
        findings=node_finding_changes(side.report, old.name, new.name),
        blind=tuple(blind_forwarding(pairs)),
    )


__all__ = ["Difference", "Side", "Sides", "compare", "compare_nodes"]
