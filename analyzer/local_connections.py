"""Connections that stay on one node: of a pod to itself through its own Service, and to a pod beside it.

They are what hairpin mode, its masquerading and bridge-nf-call-iptables are for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analyzer.connections import Site
from analyzer.model.address import family_of
from analyzer.model.forwarding import Action, FrontendKind, ServicePortName
from analyzer.simulate.query import FromPod, Query


@dataclass(frozen=True, slots=True)
class LocalConnection:
    """A pod as a client of a Service with an endpoint on its node."""

    service_port: ServicePortName
    endpoint: str
    """Address of the endpoint's pod."""

    to_itself: bool
    """True where the client is that pod."""

    query: Query


def local_connections(site: Site) -> Iterator[LocalConnection]:
    """Yield two for each cluster IP and each pod of a node behind it: from that pod, and from another one."""
    pod_of = {address: name for name, addresses in site.pods for address in addresses}
    for entry in site.entries:
        frontend, name = entry.frontend, entry.service_port
        if (
            name is None
            or frontend.kind is not FrontendKind.CLUSTER_IP
            or entry.action is not Action.FORWARD
        ):
            continue
        protocol = frontend.protocol.value.lower()
        for endpoint in entry.endpoints:
            own = pod_of.get(endpoint.address)
            if own is None:
                continue
            for pod in dict.fromkeys((own, _another(site, own, endpoint.address))):
                query = Query(FromPod(pod), frontend.address, frontend.port, protocol)
                yield LocalConnection(name, endpoint.address, pod == own, query)


def _another(site: Site, own: str, address: str) -> str:
    """Return another pod of the node with an address of the same family, or the same one where it is alone."""
    family = family_of(address)
    others = (
        name
        for name, addresses in site.pods
        if name != own and any(family_of(a) is family for a in addresses)
    )
    return next(others, own)
