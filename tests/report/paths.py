"""Paths of Services made by hand: what a node should do and what it does, without a bundle."""

from __future__ import annotations

from msgspec import structs

from analyzer.model.forwarding import (
    Action,
    Endpoint,
    Entry,
    ForwardingTable,
    Frontend,
    FrontendKind,
    Masquerade,
    Protocol,
    ServiceKey,
    ServicePortName,
    Target,
)
from analyzer.model.kube_proxy import ProxyMode
from analyzer.model.ruleset import Family
from analyzer.model.service_path import EndpointSite, NodePath, Readiness, ServicePath, Sides
from analyzer.model.source import ObjectRef, SourceRef

HOSTNAMES = ServicePortName(ServiceKey("default", "hostnames"), "http")
CLUSTER_IP = Frontend(FrontendKind.CLUSTER_IP, "10.96.0.7", Protocol.TCP, 80)
NODE_PORT = Frontend(FrontendKind.NODE_PORT, "", Protocol.TCP, 30080)
A, B, C = (Endpoint(f"10.244.{n}.5", 9376) for n in range(3))


def wanted(*endpoints: Endpoint, frontend: Frontend = CLUSTER_IP) -> Entry:
    """What should be there; a refusal without endpoints."""
    return Entry(
        frontend,
        HOSTNAMES,
        Action.FORWARD if endpoints else Action.REJECT,
        ObjectRef("cluster/services.json", 3, ("spec", "ports", 0)),
        targets=tuple(
            Target(e, 1 / len(endpoints), ObjectRef("cluster/endpointslices.json", 0))
            for e in endpoints
        ),
        masquerade=Masquerade.OFF_CLUSTER if endpoints else None,
    )


def found(*endpoints: Endpoint, node: str = "node-a", frontend: Frontend = CLUSTER_IP) -> Entry:
    """What is there."""
    save = f"nodes/{node}/iptables-save.txt"
    entry = wanted(*endpoints, frontend=frontend)
    return structs.replace(
        entry,
        source=SourceRef(save, 100),
        chain="KUBE-SVC-ODX2UBAZM7RQWOIU" if endpoints else "",
        chain_source=SourceRef(save, 10) if endpoints else None,
        targets=tuple(
            Target(
                e,
                1 / len(endpoints),
                SourceRef(save, 200 + n),
                chain=f"KUBE-SEP-{e.address.replace('.', '-')}",
                destination=SourceRef(save, 300 + n),
            )
            for n, e in enumerate(endpoints)
        ),
    )


def node_path(
    name: str, expected: tuple[Entry, ...], observed: tuple[Entry, ...] | None
) -> NodePath:
    """One node in iptables mode; `observed` is None where its rules were not read."""
    sides = Sides(
        ForwardingTable(Family.IPV4, expected),
        None if observed is None else ForwardingTable(Family.IPV4, observed),
    )
    return NodePath(name, ProxyMode.IPTABLES, (sides,), "no rules" if observed is None else "")


def site(
    endpoint: Endpoint, pod: str, node: str, readiness: Readiness = Readiness.READY
) -> EndpointSite:
    """A pod of default/hostnames at an address."""
    return EndpointSite(endpoint, "http", f"default/{pod}", node, readiness)


SITES = (site(A, "hostnames-a", "node-a"), site(B, "hostnames-b", "node-b"))


def path(*nodes: NodePath, sites: tuple[EndpointSite, ...] = SITES) -> ServicePath:
    """The path of default/hostnames."""
    return ServicePath(HOSTNAMES.service, nodes, sites)
