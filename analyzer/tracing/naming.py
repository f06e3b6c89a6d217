"""Names as a source resolves them: its resolv.conf, the cluster's Services, and whether the DNS answers it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from analyzer.language import _
from analyzer.model.forwarding import ServiceKey
from analyzer.model.node import ResolvConf
from analyzer.simulate.address import number
from analyzer.simulate.names import Directory, NamedEndpoint, Resolution, resolve
from analyzer.simulate.outcome import Trace, Verdict, combined
from analyzer.simulate.trace import Query
from analyzer.snapshot import ClusterView
from analyzer.tracing.origin import from_host, origins, pod_named

_DEFAULT_ZONE = "cluster.local"
_DNS_PORT = 53


@dataclass(frozen=True, slots=True)
class Resolved:
    """A name resolved with a resolv.conf."""

    conf: ResolvConf
    resolution: Resolution


def resolved(cluster: ClusterView, source: str, name: str) -> Resolved | str:
    """Resolve a name for a source; return what is missing where that cannot be done. Raises `UsageError`."""
    conf, place = _resolv_conf(cluster, source)
    if conf is None:
        return _("the bundle has no {place}", place=place)
    return Resolved(conf, resolve(name, conf, _directory(cluster, conf)))


def _resolv_conf(cluster: ClusterView, source: str) -> tuple[ResolvConf | None, str]:
    """Return the resolv.conf of a source, and where it should be in the bundle."""
    kind, _colon, name = source.partition(":")
    match kind:
        case "pod":
            pod = pod_named(cluster, name)
            found = (c.resolv_conf for c in cluster.pod_resolv_confs if c.full_name == name)
            return next(found, None), f"pods/{pod.namespace}/{pod.name}/resolv.conf"
        case "node":
            from_host(cluster, name)
            return cluster.nodes[name].resolv_conf, f"nodes/{name}/resolv.conf"
        case _:
            origins(cluster, source, "")
            return None, _("resolv.conf of a client outside of the cluster: give an address")


def _directory(cluster: ClusterView, conf: ResolvConf) -> Directory:
    searched = (d.removeprefix("svc.") for d in conf.search if d.startswith("svc."))
    headless = {
        key: tuple(
            NamedEndpoint(b.endpoint.address, _hostname(cluster, b.pod, key))
            for b in cluster.backends.get(key, ())
            if b.ready
        )
        for key, service in cluster.services.items()
        if service.headless
    }
    zones = cluster.dns_zones or tuple(searched) or (_DEFAULT_ZONE,)
    return Directory(zones, cluster.services, headless)


def _hostname(cluster: ClusterView, name: str, service: ServiceKey) -> str:
    """Return the name of an endpoint: that of a pod whose `subdomain` is the Service, else none (Kubernetes 1.3)."""
    pod = cluster.pod_by_name.get(name)
    if pod is None or (pod.namespace, pod.spec.subdomain) != (service.namespace, service.name):
        return ""
    return pod.spec.hostname or ""


def answering_dns(cluster: ClusterView, source: str, found: Resolved) -> str:
    """Return why the cluster's DNS does not answer a source; empty where it does, or where it is not asked."""
    if not found.conf.nameservers:
        return _("{path} names no nameserver", path=found.conf.path)
    nameserver, _ref = found.conf.nameservers[0]
    known = cluster.dns_addresses
    if known and nameserver not in known:
        if found.resolution.outside:
            return ""
        dns = ", ".join(known)
        return _(
            "nameserver {nameserver} ({path}) is not the cluster's DNS ({dns})",
            nameserver=nameserver,
            path=found.conf.path,
            dns=dns,
        )
    if number(nameserver) is None:
        return ""
    trace = traced(cluster, source, (nameserver,), _DNS_PORT, "UDP")
    if not trace.conclusive or trace.probability(Verdict.DELIVERED):
        return ""
    return _(
        "nameserver {nameserver} does not answer: {reason}",
        nameserver=nameserver,
        reason=trace.outcomes[0].reason,
    )


def traced(
    cluster: ClusterView, source: str, addresses: Iterable[str], port: int, protocol: str
) -> Trace:
    """Trace from a source to addresses that are as likely as each other."""
    lower = protocol.lower()
    traces = [
        cluster.simulator.trace(Query(origin, address, port, lower))
        for address in addresses
        for origin in origins(cluster, source, address)
    ]
    if len(traces) == 1:
        return traces[0]
    share = Fraction(1, len(traces))
    return combined([(share, trace) for trace in traces])
