"""The addresses and node ports that Services ask for as their own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from msgspec import Struct

from analyzer.language import _
from analyzer.model.address import canonical_ip, family_of
from analyzer.model.forwarding import FrontendKind, Protocol
from analyzer.model.kubernetes import Service
from analyzer.model.source import ObjectRef


class AddressClaim(Struct, frozen=True):
    """One address of one Service, at all of its ports."""

    service: Service
    kind: FrontendKind
    """Cluster IP, external IP or load-balancer IP."""

    address: str
    """In its canonical spelling."""

    source: ObjectRef


@dataclass(frozen=True, slots=True)
class NodePortClaim:
    """One port on every node for one Service."""

    service: Service
    health_check: bool
    """True for the port on which kube-proxy itself answers the load balancer (`healthCheckNodePort`)."""

    source: ObjectRef

    @property
    def what(self) -> str:
        """`node port` or `health check port`."""
        return _("health check port") if self.health_check else _("node port")


def address_claims(service: Service) -> Iterator[AddressClaim]:
    """Yield the addresses at which kube-proxy serves the Service; nothing for ExternalName.

    Load-balancer IPs that kube-proxy leaves to the load balancer (`ipMode: Proxy`) are left out, as is what is
    no address (a redacted one).
    """
    for kind, address, source in _listed(service):
        if family_of(canonical_ip(address)) is not None:
            yield AddressClaim(service, kind, canonical_ip(address), source)


def hides_addresses(services: Iterable[Service], *kinds: FrontendKind) -> bool:
    """Tell whether addresses of these kinds cannot be compared, because they were redacted."""
    return any(
        kind in kinds and family_of(canonical_ip(address)) is None
        for service in services
        for kind, address, _ in _listed(service)
    )


def _listed(service: Service) -> Iterator[tuple[FrontendKind, str, ObjectRef]]:
    spec = service.spec
    if spec.type == "ExternalName":
        return
    for index, address in enumerate(service.cluster_ips):
        field = ("clusterIPs", index) if spec.cluster_ips else ("clusterIP",)
        yield FrontendKind.CLUSTER_IP, address, service.ref.at("spec", *field)
    for index, address in enumerate(spec.external_ips or ()):
        yield FrontendKind.EXTERNAL_IP, address, service.ref.at("spec", "externalIPs", index)
    status = service.status.load_balancer
    for index, ingress in enumerate((status.ingress if status else None) or ()):
        if ingress.ip and ingress.ip in service.ingress_ips:
            ref = service.ref.at("status", "loadBalancer", "ingress", index, "ip")
            yield FrontendKind.LOAD_BALANCER_IP, ingress.ip, ref


def node_port_claims(
    services: Iterable[Service],
) -> dict[tuple[Protocol, int], tuple[NodePortClaim, ...]]:
    """Return who claims which node port, in the order of the Services."""
    claims: dict[tuple[Protocol, int], list[NodePortClaim]] = defaultdict(list)
    for service in services:
        if service.spec.type == "ExternalName":
            continue
        for index, port in enumerate(service.ports):
            protocol = Protocol.parse(port.protocol)
            if port.node_port and protocol is not None:
                ref = service.ref.at("spec", "ports", index, "nodePort")
                claims[protocol, port.node_port].append(NodePortClaim(service, False, ref))
        check_port = service.spec.health_check_node_port
        if check_port:
            ref = service.ref.at("spec", "healthCheckNodePort")
            claims[Protocol.TCP, check_port].append(NodePortClaim(service, True, ref))
    return {key: tuple(found) for key, found in claims.items()}
