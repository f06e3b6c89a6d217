"""`svcbundle show`: the rebuilt chains of each node, expected beside observed."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.errors import UsageError
from analyzer.language import _
from analyzer.model.forwarding import ForwardingTable, ServiceKey
from analyzer.model.ruleset import Family
from analyzer.report.show import render_forwarding
from analyzer.snapshot import ClusterView, NodeView


def shown(cluster: ClusterView, service: ServiceKey | None, node: str | None) -> Iterator[str]:
    """Yield the text of each node and IP family.

    Raises `UsageError` for a node or Service that the bundle does not have.
    """
    if node is not None and node not in cluster.nodes:
        raise UsageError(
            _(
                "the bundle has no node {node}; it has {known}",
                node=node,
                known=", ".join(cluster.nodes) or "none",
            )
        )
    if service is not None and service not in cluster.services:
        raise UsageError(_("the bundle has no Service {service}", service=service))
    for view in cluster.nodes.values():
        if node in {None, view.name} and not view.windows:
            yield from _of_node(view, service)


def _of_node(view: NodeView, service: ServiceKey | None) -> Iterator[str]:
    for family in Family:
        expected, observed = view.expected(family), view.observed(family)
        if family is Family.IPV6 and not expected.entries and not (observed and observed.entries):
            continue
        yield render_forwarding(
            node_name=view.name,
            observed=_only(observed, service),
            expected=_only(expected, service) or ForwardingTable(family),
            reason=_why_not(view, family) if observed is None else "",
        )


def _only(table: ForwardingTable | None, service: ServiceKey | None) -> ForwardingTable | None:
    if table is None or service is None:
        return table
    return ForwardingTable(table.family, table.by_service.get(service, ()))


def _why_not(view: NodeView, family: Family) -> str:
    if view.ruleset(family) is None:
        return _("no iptables-save of this node and family is in the bundle")
    return _(
        "kube-proxy's mode here is {mode}, whose rules are not read",
        mode=view.kube_proxy.mode.value,
    )
