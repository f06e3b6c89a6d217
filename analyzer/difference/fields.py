"""Records as named texts, so that any two can be held against each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from analyzer.difference.change import FieldChange
from analyzer.model.kubernetes import Service, ServicePort

_NO_AFFINITY = "None"
_DEFAULT_TIMEOUT = 10800
"""Seconds of ClientIP affinity where none are given (API default)."""


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[FieldChange, ...]:
    """Return the fields whose texts differ, in the order of the old and then the new ones."""
    names = dict.fromkeys((*old, *new))
    return tuple(
        FieldChange(name, old.get(name, ""), new.get(name, ""))
        for name in names
        if old.get(name, "") != new.get(name, "")
    )


def service_fields(service: Service) -> dict[str, str]:
    """Return what a client, an endpoints controller or kube-proxy reads of a Service, with the API's defaults.

    What a version of the API does not know is said as it behaves, so that an upgrade is no difference.
    """
    return {name: value for name, value in _fields(service) if value}


def _fields(service: Service) -> Iterator[tuple[str, str]]:
    spec = service.spec
    yield "type", spec.type
    yield "clusterIP", "None" if service.headless else ", ".join(service.cluster_ips)
    for port in service.ports:
        yield _port_name(port), _port(port)
    yield (
        "selector",
        ",".join(f"{key}={value}" for key, value in sorted((spec.selector or {}).items())),
    )
    yield "externalName", spec.external_name or ""
    yield "externalIPs", ", ".join(spec.external_ips or ())
    yield "loadBalancer", ", ".join(_ingress(service))
    yield "loadBalancerSourceRanges", ", ".join(spec.load_balancer_source_ranges or ())
    if spec.type in {"NodePort", "LoadBalancer"} or spec.external_ips:
        yield "externalTrafficPolicy", spec.external_traffic_policy or "Cluster"
    if spec.type != "ExternalName":
        yield "internalTrafficPolicy", spec.internal_traffic_policy or "Cluster"
        yield "sessionAffinity", _affinity(service)
    yield "publishNotReadyAddresses", "true" if spec.publish_not_ready_addresses else ""
    yield "healthCheckNodePort", str(spec.health_check_node_port or "")
    yield "trafficDistribution", spec.traffic_distribution or ""


def _port_name(port: ServicePort) -> str:
    return f"ports[{port.name or f'{port.port}/{port.protocol}'}]"


def _port(port: ServicePort) -> str:
    target = port.port if port.target_port is None else port.target_port
    node_port = f", nodePort {port.node_port}" if port.node_port else ""
    return f"{port.port}/{port.protocol} to {target}{node_port}"


def _ingress(service: Service) -> Iterator[str]:
    status = service.status.load_balancer
    for item in (status.ingress if status else None) or ():
        yield item.ip or item.hostname or ""


def _affinity(service: Service) -> str:
    kind = service.spec.session_affinity or _NO_AFFINITY
    if kind == _NO_AFFINITY:
        return kind
    config = service.spec.session_affinity_config
    seconds = config.client_ip.timeout_seconds if config and config.client_ip else None
    return f"{kind}, {_DEFAULT_TIMEOUT if seconds is None else seconds} s"
