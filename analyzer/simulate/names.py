"""What a host name means to a client: the queries that its resolver asks, and what the cluster's DNS answers.

resolv.conf(5) for the order of queries; the DNS specification of Kubernetes 1.1 for the names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from analyzer.language import _
from analyzer.model.forwarding import ServiceKey
from analyzer.model.kubernetes import Service
from analyzer.model.node import ResolvConf
from analyzer.simulate.address import number

_MOST_ALIASES = 8
_SERVICE_LABELS = 3
"""Labels of `web.shop.svc` before the zone."""


class Reply(Enum):
    """What a query gets."""

    ANSWER = "answer"
    ALIAS = "alias"
    """The name of an ExternalName Service stands for another one (CNAME)."""

    NO_SUCH_NAME = "no such name"
    NO_ADDRESS = "no address"
    """The name exists, but has no address: a headless Service without endpoints."""

    UPSTREAM = "asked upstream"
    """It is not in the cluster's zone: whoever the DNS forwards to knows it, or not."""

    UNHEARD = "no answer of the cluster's DNS"
    """The source does not reach the cluster's DNS, or asks another one."""


@dataclass(frozen=True, slots=True)
class DNSQuery:
    """One query of the resolver, in order."""

    name: str
    """Absolute, with the dot at the end."""

    reply: Reply
    values: tuple[str, ...] = ()
    """Addresses, or the name that an alias stands for."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What became of a host name."""

    queries: tuple[DNSQuery, ...]
    addresses: tuple[str, ...]
    """Empty where the name does not resolve in the cluster."""

    service: ServiceKey | None
    outside: bool
    """True where the name may resolve, but not within the cluster."""

    reason: str
    """Why there is no address; empty where there is one."""

    @property
    def unheard(self) -> Resolution:
        """What comes of it where the first query does not even reach the cluster's DNS."""
        asked = tuple(DNSQuery(query.name, Reply.UNHEARD) for query in self.queries[:1])
        return replace(self, queries=asked, addresses=(), service=None)


@dataclass(frozen=True, slots=True)
class NamedEndpoint:
    """An endpoint of a headless Service with the name that its pod has there."""

    address: str
    hostname: str
    """Empty where it has none: then its address is its name, with dashes."""


@dataclass(frozen=True, slots=True)
class Directory:
    """What the cluster's DNS knows."""

    zones: tuple[str, ...]
    """Such as `cluster.local`, lower case, without dot at the end."""

    services: Mapping[ServiceKey, Service]
    endpoints: Mapping[ServiceKey, tuple[NamedEndpoint, ...]]
    """Ready endpoints of headless Services."""


def resolve(name: str, conf: ResolvConf, directory: Directory) -> Resolution:
    """Resolve a name as a client with this resolv.conf does, glibc or musl."""
    queries: list[DNSQuery] = []
    for candidate in candidates(name, conf):
        answered = _follow(candidate, directory)
        queries += answered
        last = answered[-1]
        if last.reply is Reply.ANSWER:
            service = _service_of(candidate, directory)
            return Resolution(tuple(queries), last.values, service, outside=False, reason="")
        aliased = len(answered) > 1
        if last.reply is Reply.NO_ADDRESS or (last.reply is Reply.UPSTREAM and aliased):
            break
        if last.reply is Reply.UPSTREAM and _is_as_written(name, candidate) and "." in name:
            break
    return _unresolved(name, tuple(queries), directory)


def candidates(name: str, conf: ResolvConf) -> tuple[str, ...]:
    """Return the absolute names that a resolver asks for, in order (`search`, `ndots`)."""
    if name.endswith("."):
        return (name,)
    searched = tuple(f"{name}.{domain.rstrip('.')}." for domain in conf.search if domain != ".")
    absolute = f"{name}."
    first = name.count(".") >= conf.ndots
    return (absolute, *searched) if first else (*searched, absolute)


def _is_as_written(name: str, candidate: str) -> bool:
    return candidate.rstrip(".") == name.rstrip(".")


def _follow(name: str, directory: Directory) -> list[DNSQuery]:
    """Ask for a name, and for what it is an alias of."""
    queries: list[DNSQuery] = []
    while len(queries) < _MOST_ALIASES:
        query = _ask(name, directory)
        queries.append(query)
        if query.reply is not Reply.ALIAS:
            break
        name = f"{query.values[0].rstrip('.')}."
    return queries


def _ask(name: str, directory: Directory) -> DNSQuery:
    labels = _in_zone(name, directory)
    if labels is None:
        return DNSQuery(name, Reply.UPSTREAM)
    match labels:
        case [dashed, namespace, "pod"]:
            return _ask_for_pod(name, dashed, namespace)
        case [*_, service, namespace, "svc"]:
            host = labels[:-_SERVICE_LABELS]
            key = ServiceKey(namespace, service)
            found = directory.services.get(key)
            if found is None or len(host) > 1:
                return DNSQuery(name, Reply.NO_SUCH_NAME)
            return _ask_for_service(name, found, host[0] if host else "", directory)
        case _:
            return DNSQuery(name, Reply.NO_SUCH_NAME)


def _in_zone(name: str, directory: Directory) -> list[str] | None:
    """Return the labels before the cluster's zone, or None for a name outside of it."""
    bare = name.lower().rstrip(".")
    for zone in directory.zones:
        if bare == zone:
            return []
        if bare.endswith(f".{zone}"):
            return bare[: -len(zone) - 1].split(".")
    return None


def _ask_for_pod(name: str, dashed: str, _namespace: str) -> DNSQuery:
    """Answer `10-244-0-5.default.pod`, which CoreDNS does unseen (`pods insecure`)."""
    address = dashed.replace("-", "." if dashed.count("-") == 3 else ":")  # noqa: PLR2004 - IPv4
    if number(address) is None:
        return DNSQuery(name, Reply.NO_SUCH_NAME)
    return DNSQuery(name, Reply.ANSWER, (address,))


def _ask_for_service(name: str, service: Service, host: str, directory: Directory) -> DNSQuery:
    if service.spec.type == "ExternalName":
        target = service.spec.external_name or ""
        reply = Reply.ALIAS if target and not host else Reply.NO_SUCH_NAME
        return DNSQuery(name, reply, (target,) if target else ())
    if not service.headless:
        addresses = () if host else service.cluster_ips
        return DNSQuery(name, Reply.ANSWER if addresses else Reply.NO_SUCH_NAME, addresses)
    listed = directory.endpoints.get(service.key, ())
    if host:
        named = tuple(e.address for e in listed if host == (e.hostname or _dashed(e.address)))
        return DNSQuery(name, Reply.ANSWER if named else Reply.NO_SUCH_NAME, named)
    addresses = tuple(dict.fromkeys(e.address for e in listed))
    return DNSQuery(name, Reply.ANSWER if addresses else Reply.NO_ADDRESS, addresses)


def _dashed(address: str) -> str:
    return address.replace(".", "-").replace(":", "-")


def _service_of(name: str, directory: Directory) -> ServiceKey | None:
    labels = _in_zone(name, directory) or []
    if len(labels) < _SERVICE_LABELS or labels[-1] != "svc":
        return None
    key = ServiceKey(labels[-2], labels[-3])
    return key if key in directory.services else None


def _unresolved(name: str, queries: tuple[DNSQuery, ...], directory: Directory) -> Resolution:
    last = queries[-1] if queries else None
    outside = (
        last is not None
        and last.reply is Reply.UPSTREAM
        and "." in last.name.rstrip(".")
        and not (_is_as_written(name, last.name) and _means_the_cluster(name, directory))
    )
    if outside and last is not None:
        reason = _("{last} is not in the cluster's zone: the DNS asks upstream", last=last.name)
    elif last is not None and last.reply is Reply.NO_ADDRESS:
        reason = _(
            "{last} exists, but has no address: a headless Service without ready endpoints",
            last=last.name,
        )
    else:
        reason = _(
            "no query for {name} is answered{elsewhere}",
            name=name,
            elsewhere=_elsewhere(name, directory),
        )
    return Resolution(queries, (), None, outside=outside, reason=reason)


def _means_the_cluster(name: str, directory: Directory) -> bool:
    """Tell whether a part of a name is a Service or namespace: nobody upstream is meant to know it."""
    labels = set(name.lower().rstrip(".").split("."))
    return any({key.name, key.namespace} & labels for key in directory.services)


def _elsewhere(name: str, directory: Directory) -> str:
    """Say where a Service of that name is, if it is anywhere."""
    wanted = name.lower().rstrip(".").split(".")[0]
    found = sorted(key for key in directory.services if key.name == wanted)
    if not found:
        return ""
    namespaces = ", ".join(key.namespace for key in found)
    return _(
        "; {wanted} exists in namespace {namespaces}: ask for {wanted}.{namespace}",
        wanted=wanted,
        namespaces=namespaces,
        namespace=found[0].namespace,
    )
