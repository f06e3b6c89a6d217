"""`svcbundle trace`: from what the user writes to where the connection ends.

SRC: `pod:NAMESPACE/NAME`, `node:NAME`, `external:ADDRESS[@NODE]`.
DST: `service:NAMESPACE/NAME[:PORT]`, `ADDRESS:PORT`, or a host name as the source would write it, `[:PORT]`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from analyzer.bundle.reader import Bundle
from analyzer.errors import UsageError
from analyzer.findings import Quote
from analyzer.model.forwarding import ServiceKey
from analyzer.model.kubernetes import Pod, Service, ServicePort
from analyzer.model.node import ResolvConf
from analyzer.model.source import ObjectRef, Ref
from analyzer.quotation import quote
from analyzer.report.terminal import Terminal
from analyzer.report.trace_json import render_trace_json
from analyzer.report.trace_text import render_trace_text
from analyzer.simulate.address import number
from analyzer.simulate.names import Directory, NamedEndpoint, Resolution, resolve
from analyzer.simulate.outcome import Answer, Trace, Verdict, combined, settled
from analyzer.simulate.trace import FromHost, FromOutside, FromPod, Origin, Query
from analyzer.snapshot import ClusterView

PROTOCOLS = ("TCP", "UDP", "SCTP")
_HIGHEST_PORT = 65535
_DEFAULT_ZONE = "cluster.local"
_BRACKETED = re.compile(r"\[(?P<host>[^\]]*)\](?::(?P<port>\d+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class TraceQuery:
    """One question, in the user's words."""

    source: str
    destination: str
    protocol: str = ""
    """Empty for the one of the Service's port, else TCP."""


@dataclass(frozen=True, slots=True)
class _Target:
    """An address and port to connect to; the port is 0 where none is known."""

    addresses: tuple[str, ...]
    port: int
    protocol: str
    resolution: Resolution | None = None


class _NoTargetError(Exception):
    """The destination leads to no address: the trace that says so."""

    def __init__(self, trace: Trace, resolution: Resolution | None = None) -> None:
        super().__init__(trace.reason)
        self.trace = trace
        self.resolution = resolution


def run_trace(cluster: ClusterView, query: TraceQuery) -> Answer:
    """Answer one query.

    Raises `UsageError` where source or destination are not written as they should be, or name a pod or
    node that the bundle does not have.
    """
    return Tracer(cluster).answer(query)


def run_queries(cluster: ClusterView, lines: Iterable[str]) -> Iterator[Answer]:
    """Answer JSON Lines `{"from": SRC, "to": DST, "protocol": "TCP"}`, one answer a line, in order.

    A line that is no query, or names what is not there, gets an inconclusive answer that says why.
    """
    tracer = Tracer(cluster)
    for line in lines:
        if line.strip():
            query = _query(line)
            try:
                yield tracer.answer(query)
            except UsageError as error:
                trace = settled(Verdict.INCONCLUSIVE, str(error))
                yield Answer(query.source, query.destination, query.protocol or "TCP", trace)


def render_answers(
    bundle: Bundle, answers: Iterable[Answer], terminal: Terminal | None
) -> Iterator[str]:
    """Yield each answer as text for a terminal, or as a line of JSON where there is none."""
    quotes: dict[Ref, Quote] = {}
    for answer in answers:
        steps = (step for outcome in answer.trace.outcomes for step in outcome.path)
        refs = {s.source for s in steps if isinstance(s.source, ObjectRef) and s.source.path}
        quotes |= quote(bundle, refs - quotes.keys())
        if terminal is None:
            yield render_trace_json(answer, quotes)
        else:
            yield render_trace_text(answer, quotes, terminal)


def all_delivered(answer: Answer) -> bool:
    """Tell whether every outcome is `delivered`: what exit status 0 stands for."""
    return all(outcome.verdict is Verdict.DELIVERED for outcome in answer.trace.outcomes)


def _query(line: str) -> TraceQuery:
    try:
        found: Any = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return TraceQuery(line.strip(), "")
    values = (found.get(key) for key in ("from", "to", "protocol"))
    source, destination, protocol = (v if isinstance(v, str) else "" for v in values)
    return TraceQuery(source, destination, protocol)


class Tracer:
    """Answers queries about one cluster."""

    def __init__(self, cluster: ClusterView) -> None:
        self._cluster = cluster

    def answer(self, query: TraceQuery) -> Answer:
        """Answer one query; see `run_trace`."""
        protocol = query.protocol.upper()
        if protocol and protocol not in PROTOCOLS:
            raise UsageError(f"protocol {query.protocol}: expected {', '.join(PROTOCOLS)}")
        try:
            target = self._target(query, protocol)
        except _NoTargetError as nowhere:
            trace, resolution = nowhere.trace, nowhere.resolution
            self._origins(query.source, "")
            return Answer(query.source, query.destination, protocol or "TCP", trace, resolution)
        trace = self._trace(query.source, target)
        return Answer(query.source, query.destination, target.protocol, trace, target.resolution)

    def _trace(self, source: str, target: _Target) -> Trace:
        parts = [
            (origin, address)
            for address in target.addresses
            for origin in self._origins(source, address)
        ]
        share = Fraction(1, len(parts))
        traces = [
            self._cluster.simulator.trace(
                Query(origin, address, target.port, target.protocol.lower())
            )
            for origin, address in parts
        ]
        return traces[0] if len(traces) == 1 else combined([(share, t) for t in traces])

    # --- source ---

    def _origins(self, text: str, destination: str) -> list[Origin]:
        """Return whom SRC means: several where it comes from outside and no node is named."""
        kind, colon, rest = text.partition(":")
        match kind:
            case "pod" if colon:
                return [self._pod_origin(rest)]
            case "node" if colon:
                return [self._host_origin(rest)]
            case "external" if colon:
                return self._outside(rest, destination)
            case _:
                raise UsageError(
                    f"source {text!r}: expected pod:NAMESPACE/NAME, node:NAME or external:ADDRESS[@NODE]"
                )

    def _pod_origin(self, name: str) -> Origin:
        pod = self._pod(name)
        if pod.host_network:
            return self._host_origin(pod.spec.node_name)
        if not pod.ips:
            raise UsageError(f"pod {name} has no address yet")
        if pod.finished:
            raise UsageError(f"pod {name} has finished")
        return FromPod(name)

    def _pod(self, name: str) -> Pod:
        pod = self._cluster.pod_by_name.get(name)
        if pod is None:
            raise UsageError(f"no pod {name} in the bundle (expected NAMESPACE/NAME)")
        return pod

    def _host_origin(self, name: str) -> Origin:
        if name not in self._cluster.network.hosts:
            known = ", ".join(sorted(self._cluster.network.hosts)[:5])
            raise UsageError(f"no node {name!r} in the bundle (there are: {known or 'none'})")
        return FromHost(name)

    def _outside(self, text: str, destination: str) -> list[Origin]:
        address, _, host = text.partition("@")
        if number(address) is None:
            raise UsageError(f"external:{text}: expected external:ADDRESS or external:ADDRESS@NODE")
        if host:
            self._host_origin(host)
            return [FromOutside(address, host)]
        owner = self._cluster.simulator.atlas.owner_of.get(number(destination) or -1)
        hosts = [owner] if owner else sorted(self._cluster.network.hosts)
        return [FromOutside(address, name) for name in hosts]

    # --- destination ---

    def _target(self, query: TraceQuery, protocol: str) -> _Target:
        text = query.destination
        if text.startswith("service:"):
            return self._service_target(text.removeprefix("service:"), protocol)
        host, port = _split(text)
        if number(host) is not None:
            if port is None:
                raise UsageError(f"destination {text!r}: expected ADDRESS:PORT")
            return _Target((host,), port, protocol or "TCP")
        return self._named_target(query.source, host, port, protocol)

    def _service_target(self, text: str, protocol: str) -> _Target:
        name, _, port_text = text.partition(":")
        namespace, slash, service_name = name.partition("/")
        if not slash:
            raise UsageError(f"service:{text}: expected service:NAMESPACE/NAME[:PORT]")
        service = self._cluster.services.get(ServiceKey(namespace, service_name))
        if service is None:
            raise _NoTargetError(
                settled(Verdict.UNRESOLVED, self._no_service(namespace, service_name))
            )
        if service.spec.type == "ExternalName":
            reason = f"{name} is an alias for {service.spec.external_name}"
            raise _NoTargetError(settled(Verdict.EXTERNAL, reason))
        port = _port_of(service, port_text, protocol)
        if service.headless:
            return self._headless_target(service, port)
        if not service.cluster_ips:
            raise _NoTargetError(settled(Verdict.UNRESOLVED, f"{name} has no cluster IP"))
        return _Target(service.cluster_ips[:1], port.port, port.protocol.upper())

    def _no_service(self, namespace: str, name: str) -> str:
        elsewhere = sorted(k.namespace for k in self._cluster.services if k.name == name)
        hint = f"; there is one in namespace {', '.join(elsewhere)}" if elsewhere else ""
        return f"there is no Service {namespace}/{name}{hint}"

    def _headless_target(self, service: Service, port: ServicePort) -> _Target:
        published = self._cluster.backends.get(service.key, ())
        ends = {
            b.endpoint.address: b.endpoint.port
            for b in published
            if b.ready and b.port_name == port.name and b.protocol.value == port.protocol.upper()
        }
        if not ends:
            reason = f"{service.full_name} is headless and has no ready endpoints"
            raise _NoTargetError(settled(Verdict.UNRESOLVED, reason))
        return _Target(tuple(ends), next(iter(ends.values())), port.protocol.upper())

    # --- names ---

    def _named_target(self, source: str, host: str, port: int | None, protocol: str) -> _Target:
        conf, place = self._resolv_conf(source)
        if conf is None:
            raise _NoTargetError(settled(Verdict.INCONCLUSIVE, f"the bundle has no {place}"))
        resolution = resolve(host, conf, self._directory(conf))
        refused = self._dns_failure(source, conf, resolution)
        if refused is not None:
            raise _NoTargetError(refused, resolution)
        if not resolution.addresses:
            verdict = Verdict.EXTERNAL if resolution.outside else Verdict.UNRESOLVED
            raise _NoTargetError(settled(verdict, resolution.reason), resolution)
        service = self._cluster.services.get(resolution.service) if resolution.service else None
        if port is None:
            if service is None:
                raise UsageError(f"{host}: which port? write {host}:PORT")
            chosen = _port_of(service, "", protocol)
            port, protocol = chosen.port, protocol or chosen.protocol.upper()
        elif service is not None and not protocol:
            protocol = next((p.protocol.upper() for p in service.ports if p.port == port), "TCP")
        addresses = (
            resolution.addresses
            if service is None or service.headless
            else resolution.addresses[:1]
        )
        return _Target(addresses, port, protocol or "TCP", resolution)

    def _resolv_conf(self, source: str) -> tuple[ResolvConf | None, str]:
        """Return the resolv.conf that the source uses, and where it should be in the bundle."""
        kind, _, name = source.partition(":")
        if kind == "pod":
            pod = self._pod(name)
            found = [c.resolv_conf for c in self._cluster.pod_resolv_confs if c.full_name == name]
            return next(iter(found), None), f"pods/{pod.namespace}/{pod.name}/resolv.conf"
        if kind == "node":
            self._host_origin(name)
            return self._cluster.nodes[name].resolv_conf, f"nodes/{name}/resolv.conf"
        self._origins(source, "")
        return None, "resolv.conf of a client outside of the cluster: give an address"

    def _directory(self, conf: ResolvConf) -> Directory:
        from_search = (d.partition("svc.")[2] for d in conf.search if d.startswith("svc."))
        zones = self._cluster.dns_zones or tuple(from_search) or (_DEFAULT_ZONE,)
        headless = {
            key: tuple(
                NamedEndpoint(b.endpoint.address, self._hostname(b.pod))
                for b in self._cluster.backends.get(key, ())
                if b.ready
            )
            for key, service in self._cluster.services.items()
            if service.headless
        }
        return Directory(zones, self._cluster.services, headless)

    def _hostname(self, name: str) -> str:
        pod = self._cluster.pod_by_name.get(name)
        return (pod.spec.hostname or pod.name) if pod is not None else ""

    def _dns_failure(self, source: str, conf: ResolvConf, resolution: Resolution) -> Trace | None:
        """Return why the DNS does not answer this client, or None where it does."""
        if not conf.nameservers:
            return settled(Verdict.UNRESOLVED, f"{conf.path} names no nameserver")
        nameserver, _ = conf.nameservers[0]
        known = self._cluster.dns_addresses
        if known and nameserver not in known:
            if resolution.outside:
                return None
            reason = f"nameserver {nameserver} ({conf.path}) is not the cluster's DNS ({', '.join(known)})"
            return settled(Verdict.UNRESOLVED, reason)
        if number(nameserver) is None:
            return None
        trace = self._trace(source, _Target((nameserver,), 53, "UDP"))
        if not trace.conclusive or trace.probability(Verdict.DELIVERED):
            return None
        reason = f"nameserver {nameserver} does not answer: {trace.outcomes[0].reason}"
        return Trace(settled(Verdict.UNRESOLVED, reason).outcomes, conclusive=True, reason="")


def _split(text: str) -> tuple[str, int | None]:
    """Separate host and port; raise `UsageError` for a port that is none."""
    bracketed = _BRACKETED.fullmatch(text)
    if bracketed:
        return bracketed["host"], _port(text, bracketed["port"])
    if text.count(":") > 1:
        return text, None
    host, _, port = text.partition(":")
    if not host:
        raise UsageError(
            f"destination {text!r}: expected service:NAMESPACE/NAME[:PORT], ADDRESS:PORT or a host name"
        )
    return host, _port(text, port)


def _port(text: str, port: str | None) -> int | None:
    if not port:
        return None
    if not (port.isascii() and port.isdecimal() and 0 < int(port) <= _HIGHEST_PORT):
        raise UsageError(f"destination {text!r}: {port!r} is no port")
    return int(port)


def _port_of(service: Service, text: str, protocol: str) -> ServicePort:
    """Return the port of a Service by number or name, or its only (or first) one."""
    fitting = [p for p in service.ports if protocol in {"", p.protocol.upper()}]
    if text:
        named = [p for p in fitting if text in {str(p.port), p.name}]
        if named:
            return named[0]
    elif fitting:
        return fitting[0]
    known = ", ".join(
        f"{p.port}/{p.protocol}" + (f" ({p.name})" if p.name else "") for p in service.ports
    )
    raise UsageError(
        f"Service {service.full_name} has no port {text or protocol} (it has: {known or 'none'})"
    )
