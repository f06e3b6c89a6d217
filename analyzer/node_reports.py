"""What a report says about a node as such: its kube-proxy, its rules, and how fresh both are."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from analyzer.findings import NodeReport, TableCount
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Family
from analyzer.snapshot import NodeView

_GO_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.\d+)? ?(?:\+0000 UTC|Z)", re.ASCII
)
"""`time.Time.String()` in UTC, as kube-proxy's healthz prints it, and RFC 3339."""


def node_report(node: NodeView) -> NodeReport:
    """Return what is known about a node."""
    ruleset = node.ruleset()
    tables = tuple(_tables(node))
    info = node.api_object.status.node_info if node.api_object else None
    log = node.proxy_log
    return NodeReport(
        name=node.name,
        kube_proxy=node.kube_proxy,
        backend=ruleset.backend if ruleset else None,
        rules=sum(table.rules for table in tables),
        tables=tables,
        kubelet=info.kubelet_version if info else "",
        last_sync=_last_sync(node),
        last_log=log[-1].time if log else None,
    )


def _tables(node: NodeView) -> list[TableCount]:
    return [
        TableCount(
            family,
            table.name,
            len(table.chains),
            sum(len(chain.rules) for chain in table.chains.values()),
        )
        for family in Family
        for found in [node.ruleset(family)]
        if found is not None
        for table in found.tables.values()
    ]


def _last_sync(node: NodeView) -> datetime | None:
    """Return when kube-proxy wrote its rules last, as it says itself (`lastUpdated` of healthz)."""
    healthz = node.document(Input.PROXY_HEALTHZ)
    told = str(healthz.find("lastUpdated") if healthz else "")
    found = _GO_TIME.match(told)
    if found is None:
        return None
    try:
        return datetime.fromisoformat(f"{found[1]}T{found[2]}").replace(tzinfo=UTC)
    except ValueError:
        return None
