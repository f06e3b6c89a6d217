"""DST: `service:NAMESPACE/NAME[:PORT]`, `ADDRESS:PORT`, or a host name as the source would write it, `[:PORT]`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from analyzer.errors import UsageError
from analyzer.language import _
from analyzer.model.forwarding import ServiceKey
from analyzer.model.kubernetes import Service, ServicePort
from analyzer.simulate.address import number
from analyzer.simulate.names import Resolution
from analyzer.simulate.outcome import Trace, Verdict, settled
from analyzer.snapshot import ClusterView
from analyzer.tracing.naming import answering_dns, resolved
from analyzer.tracing.query import TraceQuery

_HIGHEST_PORT = 65535
_BRACKETED = re.compile(r"\[(?P<host>[^\]]*)\](?::(?P<port>.*))?")


@dataclass(frozen=True, slots=True)
class Target:
    """What to connect to."""

    addresses: tuple[str, ...]
    """More than one for a headless Service: each is as likely."""

    port: int
    protocol: str
    """Upper case."""

    resolution: Resolution | None = None
    """How the host name was resolved, where it was one."""


@dataclass(frozen=True, slots=True)
class Nowhere:
    """A destination that leads to no address, and the trace that says so."""

    trace: Trace
    resolution: Resolution | None = None


def target_of(cluster: ClusterView, query: TraceQuery, protocol: str) -> Target | Nowhere:
    """Return what DST means to the source; `protocol` is empty where none is asked for. Raises `UsageError`."""
    text = query.destination
    if text.startswith("service:"):
        return _of_service(cluster, text.removeprefix("service:"), protocol)
    host, port = _split(text)
    if number(host) is None:
        return _of_name(cluster, query, host, port, protocol)
    if port is None:
        raise UsageError(_("destination {text!r}: expected ADDRESS:PORT", text=text))
    return Target((host,), port, protocol or "TCP")


# --- a Service ---


def _of_service(cluster: ClusterView, text: str, protocol: str) -> Target | Nowhere:
    name, _colon, port_text = text.partition(":")
    namespace, slash, service_name = name.partition("/")
    if not slash:
        raise UsageError(_("service:{text}: expected service:NAMESPACE/NAME[:PORT]", text=text))
    service = cluster.services.get(ServiceKey(namespace, service_name))
    if service is None:
        return Nowhere(settled(Verdict.UNRESOLVED, _no_service(cluster, namespace, service_name)))
    if service.spec.type == "ExternalName":
        reason = _(
            "{name} is an alias for {external_name}",
            name=name,
            external_name=service.spec.external_name,
        )
        return Nowhere(settled(Verdict.EXTERNAL, reason))
    port = _port_of(service, port_text, protocol)
    if service.headless:
        return _of_headless(cluster, service, port)
    if not service.cluster_ips:
        return Nowhere(settled(Verdict.UNRESOLVED, _("{name} has no cluster IP", name=name)))
    return Target(service.cluster_ips[:1], port.port, port.protocol.upper())


def _no_service(cluster: ClusterView, namespace: str, name: str) -> str:
    elsewhere = sorted(k.namespace for k in cluster.services if k.name == name)
    hint = _("; there is one in namespace {names}", names=", ".join(elsewhere)) if elsewhere else ""
    return _(
        "there is no Service {namespace}/{name}{hint}", namespace=namespace, name=name, hint=hint
    )


def _of_headless(cluster: ClusterView, service: Service, port: ServicePort) -> Target | Nowhere:
    published = cluster.backends.get(service.key, ())
    ends = {
        b.endpoint.address: b.endpoint.port
        for b in published
        if b.ready and b.port_name == port.name and b.protocol.value == port.protocol.upper()
    }
    if not ends:
        reason = _("{service} is headless and has no ready endpoints", service=service.full_name)
        return Nowhere(settled(Verdict.UNRESOLVED, reason))
    return Target(tuple(ends), next(iter(ends.values())), port.protocol.upper())


def _port_of(service: Service, text: str, protocol: str) -> ServicePort:
    """Return the port of a Service by number or name, or its only (or first) one."""
    fitting = [p for p in service.ports if protocol in {"", p.protocol.upper()}]
    wanted = [p for p in fitting if text in {"", str(p.port), p.name}]
    if wanted:
        return wanted[0]
    known = ", ".join(
        f"{p.port}/{p.protocol}" + (f" ({p.name})" if p.name else "") for p in service.ports
    )
    asked = text or protocol or _("at all")
    raise UsageError(
        _(
            "Service {service} has no port {asked} (it has: {known})",
            service=service.full_name,
            asked=asked,
            known=known or "none",
        )
    )


# --- a host name ---


def _of_name(
    cluster: ClusterView, query: TraceQuery, host: str, port: int | None, protocol: str
) -> Target | Nowhere:
    conf = resolved(cluster, query.source, host)
    if isinstance(conf, str):
        return Nowhere(settled(Verdict.INCONCLUSIVE, conf))
    resolution = conf.resolution
    refused = answering_dns(cluster, query.source, conf)
    if refused:
        return Nowhere(settled(Verdict.UNRESOLVED, refused), resolution.unheard)
    if not resolution.addresses:
        verdict = Verdict.EXTERNAL if resolution.outside else Verdict.UNRESOLVED
        return Nowhere(settled(verdict, resolution.reason), resolution)
    service = cluster.services.get(resolution.service) if resolution.service else None
    if service is None:
        if port is None:
            raise UsageError(_("{host}: which port? write {host}:PORT", host=host))
        return Target(resolution.addresses, port, protocol or "TCP", resolution)
    if port is None:
        chosen = _port_of(service, "", protocol)
        port, protocol = chosen.port, chosen.protocol.upper()
    same = (p.protocol.upper() for p in service.ports if p.port == port)
    addresses = resolution.addresses if service.headless else resolution.addresses[:1]
    return Target(addresses, port, protocol or next(same, "TCP"), resolution)


def _split(text: str) -> tuple[str, int | None]:
    """Separate host and port. Raises `UsageError` for a port that is none."""
    bracketed = _BRACKETED.fullmatch(text)
    if bracketed:
        return bracketed["host"], _port(text, bracketed["port"])
    is_path = "/" in text  # a URL, or NAMESPACE/NAME
    if text.count(":") > 1 and not is_path:
        return text, None
    host, _colon, port = text.partition(":")
    if not host or is_path:
        raise UsageError(
            _(
                "destination {text!r}: expected service:NAMESPACE/NAME[:PORT], ADDRESS:PORT "
                "or a host name",
                text=text,
            )
        )
    return host, _port(text, port)


def _port(text: str, port: str | None) -> int | None:
    if not port:
        return None
    if not (port.isascii() and port.isdecimal() and 0 < int(port[:6]) <= _HIGHEST_PORT):
        raise UsageError(_("destination {text!r}: {port!r} is no port", text=text, port=port))
    return int(port)
