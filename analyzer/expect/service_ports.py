"""The ports of the Services that kube-proxy serves in one IP family, with everything that no node changes.

Source: `newBaseServiceInfo` in `pkg/proxy/serviceport.go` (1.36) and `pkg/proxy/service.go` (1.14 and later).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from analyzer.expect.backends import is_proxied
from analyzer.expect.categorize import TrafficPolicy
from analyzer.model.address import canonical_ip, family_of, networks_of
from analyzer.model.backend import Backend
from analyzer.model.forwarding import (
    Frontend,
    FrontendKind,
    Protocol,
    ServiceKey,
    ServicePortName,
)
from analyzer.model.kubernetes import Service, ServicePort
from analyzer.model.ruleset import Family
from analyzer.model.source import ObjectRef

DEFAULT_AFFINITY_SECONDS = 10_800
"""`sessionAffinityConfig.clientIP.timeoutSeconds` by default."""

_HINT_ANNOTATIONS = (
    "service.kubernetes.io/topology-aware-hints",
    "service.kubernetes.io/topology-mode",
)


class ProxiedPort(Struct, frozen=True):
    """One port of a Service in one IP family."""

    name: ServicePortName
    source: ObjectRef
    """The port in the Service."""

    cluster_ip: Frontend
    node_port: Frontend | None
    external_ips: tuple[Frontend, ...]
    load_balancer_ips: tuple[Frontend, ...]
    bypassed_ips: tuple[Frontend, ...]
    """Load-balancer IPs with `ipMode: Proxy`, which only kube-proxy before 1.30 serves."""

    backends: tuple[Backend, ...]
    policies: tuple[TrafficPolicy, ...]
    """The policy; two where versions differ on whether it holds for this type of Service, the newer reading first."""

    affinity_seconds: int | None
    source_ranges: tuple[str, ...] | None
    """CIDRs of the family that may use a load-balancer IP; None for no restriction."""

    @property
    def uniform(self) -> bool:
        """True where every node and every version of kube-proxy treats it alike."""
        policy = self.policies[0]
        if policy.internal_local or policy.external_local:
            return False
        if not any(b.ready for b in self.backends):
            return not any(b.serving and b.terminating for b in self.backends)
        return not any(b.zone_hints or b.node_hints for b in self.backends)


def proxied_ports(
    family: Family,
    services: Iterable[Service],
    backends: Mapping[ServiceKey, tuple[Backend, ...]],
) -> Iterator[ProxiedPort]:
    """Yield the ports that kube-proxy serves in the family, in the order of the Services."""
    for service in services:
        cluster_ip = next((ip for ip in service.cluster_ips if family_of(ip) is family), None)
        if cluster_ip is not None and is_proxied(service):
            found = backends.get(service.key, ())
            in_family = tuple([b for b in found if family_of(b.endpoint.address) is family])
            yield from _ports(family, service, canonical_ip(cluster_ip), in_family)


def _ports(
    family: Family, service: Service, cluster_ip: str, backends: tuple[Backend, ...]
) -> Iterator[ProxiedPort]:
    externals = _addresses(family, service.spec.external_ips or ())
    balancers = _addresses(family, service.ingress_ips)
    bypassed = tuple(
        ip for ip in _addresses(family, _all_ingress_ips(service)) if ip not in balancers
    )
    policies = _policies(service)
    affinity = _affinity_seconds(service)
    ranges = _source_ranges(family, service)
    for index, port in enumerate(service.ports):
        protocol = Protocol.parse(port.protocol)
        if protocol is None or not port.port:
            continue
        number = port.port
        yield ProxiedPort(
            name=ServicePortName(service.key, port.name),
            source=service.ref.at("spec", "ports", index),
            cluster_ip=Frontend(FrontendKind.CLUSTER_IP, cluster_ip, protocol, number),
            node_port=_node_port(port, protocol),
            external_ips=_frontends(FrontendKind.EXTERNAL_IP, externals, protocol, number),
            load_balancer_ips=_frontends(
                FrontendKind.LOAD_BALANCER_IP, balancers, protocol, number
            ),
            bypassed_ips=_frontends(FrontendKind.LOAD_BALANCER_IP, bypassed, protocol, number),
            backends=tuple(
                [b for b in backends if b.port_name == port.name and b.protocol is protocol]
            ),
            policies=policies,
            affinity_seconds=affinity,
            source_ranges=ranges,
        )


def _addresses(family: Family, addresses: Iterable[str]) -> tuple[str, ...]:
    in_family = (canonical_ip(ip) for ip in addresses if family_of(ip) is family)
    return tuple(dict.fromkeys(in_family))


def _all_ingress_ips(service: Service) -> Iterator[str]:
    status = service.status.load_balancer
    return (i.ip for i in (status.ingress if status else None) or () if i.ip)


def _frontends(
    kind: FrontendKind, addresses: tuple[str, ...], protocol: Protocol, port: int
) -> tuple[Frontend, ...]:
    return tuple(Frontend(kind, ip, protocol, port) for ip in addresses)


def _node_port(port: ServicePort, protocol: Protocol) -> Frontend | None:
    return (
        Frontend(FrontendKind.NODE_PORT, "", protocol, port.node_port) if port.node_port else None
    )


def _policies(service: Service) -> tuple[TrafficPolicy, ...]:
    spec = service.spec
    local = spec.external_traffic_policy == "Local"
    # A ClusterIP Service has external traffic by its external IPs only; older versions ignore its policy.
    external = (local,) if spec.type in {"NodePort", "LoadBalancer"} else (local, False)
    annotation = next((a for name in _HINT_ANNOTATIONS if (a := service.annotations.get(name))), "")
    return tuple(
        TrafficPolicy(
            internal_local=spec.internal_traffic_policy == "Local",
            external_local=external_local,
            hints_annotated=annotation not in {"", "disabled", "Disabled"},
        )
        for external_local in dict.fromkeys(external)
    )


def _affinity_seconds(service: Service) -> int | None:
    if service.spec.session_affinity != "ClientIP":
        return None
    config = service.spec.session_affinity_config
    client_ip = config.client_ip if config else None
    return (client_ip.timeout_seconds if client_ip else None) or DEFAULT_AFFINITY_SECONDS


def _source_ranges(family: Family, service: Service) -> tuple[str, ...] | None:
    networks = networks_of(service.spec.load_balancer_source_ranges or (), family)
    if not networks or any(n.prefixlen == 0 for n in networks):
        return None
    return tuple(dict.fromkeys(str(n) for n in networks))
