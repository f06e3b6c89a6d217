"""What is kept of a node's rules once they were examined: what other nodes and Services ask of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

import msgspec

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

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[bytes, dict[str, Any]]]:
        """Go to another process, the many endpoints as MessagePack: a small part of what pickle takes."""
        endpoints = [(f, tuple(e)) for f, e in self.cluster_ip_endpoints.items()]
        others = {n: getattr(self, n) for n in self.__slots__ if n != "cluster_ip_endpoints"}
        return _unpacked, (msgspec.msgpack.encode(endpoints), others)

    def sharing(self, known: dict[object, object]) -> NodeSummary:
        """Return the same, made of what equal summaries brought before: most nodes have the same endpoints."""

        def shared(value: T) -> T:
            return cast("T", known.setdefault(value, value))

        endpoints = {shared(f): shared(e) for f, e in self.cluster_ip_endpoints.items()}
        return replace(self, cluster_ip_endpoints=endpoints)


def _unpacked(packed: bytes, others: dict[str, Any]) -> NodeSummary:
    pairs = msgspec.msgpack.decode(packed, type=list[tuple[Frontend, tuple[Endpoint, ...]]])
    return NodeSummary(cluster_ip_endpoints={f: frozenset(e) for f, e in pairs}, **others)
