"""What is kept of a node's rules once they were examined: what other nodes and Services ask of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analyzer.model.forwarding import Endpoint, Entry, Frontend
from analyzer.model.kube_proxy import KubeProxy
from analyzer.observe.node_ports import NodePortScope
from analyzer.observe.refused_clients import RefusedClients


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
