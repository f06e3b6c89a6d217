"""What is kept of a node's rules once they were examined: what other nodes and Services ask of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar, cast

from analyzer.model.forwarding import Endpoint, Entry, Frontend
from analyzer.model.kube_proxy import KubeProxy
from analyzer.observe.node_ports import NodePortScope
from analyzer.observe.refused_clients import RefusedClients

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSummary:
    """Properties of a `NodeView` that are read from its rules, under their names there."""

    kube_proxy: KubeProxy
    has_rules: bool
    untouched: bool
    cluster_ip_endpoints: Mapping[Frontend, frozenset[Endpoint]]
    missing_node_ports: tuple[Entry, ...] | None
    node_port_scopes: tuple[NodePortScope, ...]
    refused_clients: tuple[RefusedClients, ...]

    def sharing(self, known: dict[object, object]) -> NodeSummary:
        """Return the same, made of what equal summaries brought before: most nodes have the same endpoints."""

        def shared(value: T) -> T:
            return cast("T", known.setdefault(value, value))

        endpoints = {shared(f): shared(e) for f, e in self.cluster_ip_endpoints.items()}
        return replace(self, cluster_ip_endpoints=endpoints)
