"""Small API objects and kube-proxies for tests, from the fields that matter to them."""

from __future__ import annotations

from typing import Any

import msgspec

from analyzer.expect.backends import backends_of_slices
from analyzer.expect.forwarding import ForwardingPlan
from analyzer.model.backend import Backend
from analyzer.model.forwarding import Endpoint, ForwardingTable, Protocol
from analyzer.model.kube_proxy import (
    DetectLocal,
    KubeProxy,
    Minor,
    ProxyMode,
    ProxyOptions,
    VersionRange,
)
from analyzer.model.kubernetes import Endpoints, EndpointSlice, Node, Pod, Service, with_ref
from analyzer.model.ruleset import Family
from analyzer.model.source import NOWHERE, ObjectRef

CONFIG = ObjectRef("nodes/a/kube-proxy-configz.json", -1)
HTTP: dict[str, Any] = {"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}


def service(
    name: str = "web",
    *,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    status: dict[str, Any] | None = None,
    namespace: str = "shop",
    **spec: Any,
) -> Service:
    """A Service with cluster IP 10.96.0.5, selector app=web and port http, unless told otherwise."""
    defaults = {"clusterIP": "10.96.0.5", "selector": {"app": "web"}, "ports": [HTTP]}
    made = msgspec.convert(
        {
            "metadata": {
                "namespace": namespace,
                "name": name,
                "labels": labels,
                "annotations": annotations,
            },
            "spec": defaults | spec,
            "status": status or {},
        },
        Service,
    )
    return with_ref(made, ObjectRef("cluster/services.json", 0))


def pod(  # noqa: PLR0913 - a pod has many fields that matter
    name: str = "web-1",
    *ips: str,
    ready: bool = True,
    phase: str = "Running",
    labels: dict[str, str] | None = None,
    node: str = "a",
    deleted: str | None = None,
    namespace: str = "shop",
    **spec: Any,
) -> Pod:
    """A pod of `app: web` on node a, with the addresses given or 10.244.0.1."""
    container = {"name": "web", "ports": [{"containerPort": 8080, "name": "http"}]}
    made = msgspec.convert(
        {
            "metadata": {
                "namespace": namespace,
                "name": name,
                "labels": {"app": "web"} if labels is None else labels,
                "deletionTimestamp": deleted,
            },
            "spec": {"nodeName": node, "containers": [container]} | spec,
            "status": {
                "phase": phase,
                "podIPs": [{"ip": ip} for ip in ips or ("10.244.0.1",)],
                "conditions": [
                    {
                        "type": "Ready",
                        "status": str(ready),
                        "lastTransitionTime": "2026-11-23T02:00:00Z",
                    }
                ],
            },
        },
        Pod,
    )
    return with_ref(made, ObjectRef("cluster/pods.json", 0))


def endpoint(address: str, node: str | None = "a", **fields: Any) -> dict[str, Any]:
    """An endpoint of a slice; `ready`, `serving` and `terminating` are its conditions."""
    kinds = ("ready", "serving", "terminating")
    conditions = {kind: fields.pop(kind) for kind in kinds if kind in fields}
    return {"addresses": [address], "nodeName": node, "conditions": conditions} | fields


def endpoint_slice(
    *endpoints: dict[str, Any],
    of: str = "web",
    ports: list[dict[str, Any]] | None = None,
    family: str = "IPv4",
    manager: str = "endpointslice-controller.k8s.io",
    annotations: dict[str, str] | None = None,
) -> EndpointSlice:
    """A slice of shop/web with port http 8080."""
    port = {"name": "http", "port": 8080, "protocol": "TCP"}
    made = msgspec.convert(
        {
            "metadata": {
                "namespace": "shop",
                "name": f"{of}-x",
                "annotations": annotations,
                "labels": {
                    "kubernetes.io/service-name": of,
                    "endpointslice.kubernetes.io/managed-by": manager,
                },
            },
            "addressType": family,
            "endpoints": list(endpoints),
            "ports": [port] if ports is None else ports,
        },
        EndpointSlice,
    )
    return with_ref(made, ObjectRef("cluster/endpointslices.json", 0))


def endpoints_object(
    *subsets: dict[str, Any], annotations: dict[str, str] | None = None
) -> Endpoints:
    """The Endpoints object of shop/web."""
    metadata = {"namespace": "shop", "name": "web", "annotations": annotations}
    made = msgspec.convert({"metadata": metadata, "subsets": list(subsets)}, Endpoints)
    return with_ref(made, ObjectRef("cluster/endpoints.json", 0))


def node(name: str = "a", zone: str = "z1", ips: tuple[str, ...] = ("192.168.0.1",)) -> Node:
    """A node with a zone and InternalIPs."""
    return msgspec.convert(
        {
            "metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": zone}},
            "spec": {"podCIDRs": ["10.244.0.0/24"]},
            "status": {"addresses": [{"type": "InternalIP", "address": ip} for ip in ips]},
        },
        Node,
    )


def kube_proxy(
    version: str = "1.30", *, mode: ProxyMode = ProxyMode.IPTABLES, **options: Any
) -> KubeProxy:
    """A kube-proxy that tells pods apart by 10.244.0.0/16; version `?` is not known, nor are its options."""
    if version == "?":
        return KubeProxy(mode, None, VersionRange(), ProxyOptions(**options))
    earliest, _, latest = version.partition("-")
    known = VersionRange(Minor.parse(earliest), Minor.parse(latest or earliest))
    defaults: dict[str, Any] = {
        "detect_local": DetectLocal.CLUSTER_CIDR,
        "cluster_cidrs": ("10.244.0.0/16",),
        "source": CONFIG,
    }
    return KubeProxy(mode, None, known, ProxyOptions(**(defaults | options)))


def backend(address: str, node_name: str = "a", **changes: Any) -> Backend:
    """A ready backend of port http."""
    fields: dict[str, Any] = {
        "port_name": "http",
        "protocol": Protocol.TCP,
        "endpoint": Endpoint(address, 8080),
        "ready": True,
        "serving": True,
        "terminating": False,
        "node": node_name,
        "zone_hints": (),
        "node_hints": (),
        "pod": "",
        "source": NOWHERE,
    }
    return Backend(**(fields | changes))


def table(  # noqa: PLR0913 - what a table is made of
    services: tuple[Service, ...],
    slices: tuple[EndpointSlice, ...],
    proxy: KubeProxy,
    *,
    on: Node | None = None,
    name: str = "a",
    family: Family = Family.IPV4,
) -> ForwardingTable:
    """What the kube-proxy should serve on node a."""
    keys = {s.service for s in slices}
    backends = {k: backends_of_slices([s for s in slices if s.service == k]) for k in keys}
    plan = ForwardingPlan(services, backends)
    return plan.table(family=family, node=on, node_name=name, proxy=proxy)
