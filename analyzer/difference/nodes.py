"""Nodes that came or went, and nodes whose kube-proxy is another one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from analyzer.difference.change import Blind, NodeChange, Presence
from analyzer.difference.fields import changes
from analyzer.difference.forwarding import NodePair
from analyzer.difference.side import Side, Sides, whole
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import ProxyMode
from analyzer.snapshot import NodeView


def node_changes(sides: Sides, pairs: Iterable[NodePair]) -> Iterator[NodeChange]:
    """Yield the nodes that differ; one that a side's Node objects do not tell of is left out."""
    old, new = sides.old.cluster.nodes, sides.new.cluster.nodes
    for name in sorted({*old, *new}):
        if name not in old and _tells_nodes(sides.old):
            yield NodeChange(name, Presence.ADDED)
        elif name not in new and _tells_nodes(sides.new):
            yield NodeChange(name, Presence.REMOVED)
    for pair in pairs:
        was, is_ = _facts(pair.old), _facts(pair.new)
        known = was.keys() & is_.keys()
        fields = changes(*({k: v for k, v in side.items() if k in known} for side in (was, is_)))
        if fields:
            yield NodeChange(pair.name, Presence.CHANGED, fields)


def blind_nodes(sides: Sides) -> Iterator[Blind]:
    """Yield that it is not known which nodes came or went, where there may be such."""
    lacking = sides.lacking(_("nodes"), Input.NODES)
    if lacking is not None and sides.old.cluster.nodes.keys() != sides.new.cluster.nodes.keys():
        yield lacking


def _tells_nodes(side: Side) -> bool:
    return whole(side.cluster.availability(Input.NODES))


def _facts(node: NodeView) -> dict[str, str]:
    """Return what is known of a node's kube-proxy: what is unknown differs from nothing."""
    proxy = node.kube_proxy
    ruleset = node.ruleset()
    facts = {"kubeProxy": proxy.version.exact or ""}
    if proxy.mode is not ProxyMode.UNKNOWN:
        facts["proxyMode"] = proxy.mode.value
    if ruleset is not None:
        facts["backend"] = ruleset.backend.value
    return {name: value for name, value in facts.items() if value}
