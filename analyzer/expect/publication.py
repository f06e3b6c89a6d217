"""How the endpoints that were published for a Service differ from those that its pods call for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from analyzer.expect.backends import (
    backends_of_endpoints,
    backends_of_slices,
    numbered_ports,
)
from analyzer.expect.endpoints import (
    PodPort,
    backends_of_pod_port,
    is_published_ready,
    port_resolutions,
    service_families,
)
from analyzer.expect.target_port import resolve_in_pods
from analyzer.model.address import family_of
from analyzer.model.backend import Backend
from analyzer.model.forwarding import Protocol
from analyzer.model.kubernetes import EndpointPort, Endpoints, EndpointSlice, Pod, Service
from analyzer.model.ruleset import Family

SLICE_CONTROLLER = "endpointslice-controller.k8s.io"
MIRRORING_CONTROLLER = "endpointslicemirroring-controller.k8s.io"
SKIP_MIRROR_LABEL = "endpointslice.kubernetes.io/skip-mirror"
OVER_CAPACITY_ANNOTATION = "endpoints.kubernetes.io/over-capacity"
LEADER_ANNOTATION = "control-plane.alpha.kubernetes.io/leader"

ENDPOINTS_CAPACITY = 1000
"""Addresses that an Endpoints object holds at most (`maxCapacity`, Kubernetes 1.22 and later)."""

_Key = tuple[str, Protocol, str, int]
"""Name and protocol of the endpoint port, address and number."""

_Port = tuple[str, Protocol, int]
"""Name, protocol and number of the endpoint port."""

_Readiness = dict[str, bool]
"""Whether an address, as it is spelt, is published as ready."""


class DifferenceKind(Enum):
    """In which way pods and published endpoints differ."""

    MISSING = "a pod qualifies and is not published"
    EXTRA = "published, and no pod calls for it"
    READINESS = "published as ready although the pod is not, or the other way round"


@dataclass(frozen=True, slots=True)
class Difference:
    """One backend on which pods and published endpoints disagree."""

    kind: DifferenceKind
    expected: Backend | None
    """What the pod calls for; None for EXTRA."""

    published: Backend | None
    """What was published; None for MISSING."""


@dataclass(frozen=True, eq=False)
class CalledPorts:
    """What the pods of a Service call for."""

    service: Service
    pods: Sequence[Pod]
    """The pods that it selects, finished ones included."""

    @cached_property
    def by_key(self) -> dict[_Key, PodPort]:
        """The ports of pods by what is published of them; of two pods with one address, the one that stays."""
        found: dict[_Key, PodPort] = {}
        for pod_port in port_resolutions(self.service, self.pods):
            number = pod_port.resolution.number
            if number is None:
                continue
            for address in pod_port.addresses:
                key = (pod_port.port.name, pod_port.protocol, address, number)
                if key not in found or not pod_port.pod.terminating:
                    found[key] = pod_port
        return found

    @cached_property
    def staying(self) -> dict[_Key, PodPort]:
        """Those of pods that are not being deleted."""
        if not any(pod.terminating for pod in self.pods):
            return self.by_key
        return {key: found for key, found in self.by_key.items() if not found.pod.terminating}

    def readiness(
        self, families: Collection[Family], *, leaving: bool
    ) -> dict[_Port, _Readiness] | None:
        """Return what is published of addresses of these IP versions; None where pods give a name different numbers.

        `leaving`: whether pods that are being deleted are published, too.
        """
        addresses: _Readiness = {}
        for ips, ready, terminating in self._pods:
            if leaving or not terminating:
                for ip in ips if len(ips) == 1 else [a for a in ips if family_of(a) in families]:
                    if ip not in addresses or not terminating:
                        addresses[ip] = ready
        if not addresses:
            return {}
        return None if self._ports is None else dict.fromkeys(self._ports, addresses)

    @cached_property
    def _pods(self) -> list[tuple[tuple[str, ...], bool, bool]]:
        """Of the pods that are not finished: the addresses, whether published as ready, and whether being deleted."""
        return [
            (pod.ips, is_published_ready(self.service, pod), pod.terminating)
            for pod in self.pods
            if not pod.finished
        ]

    @cached_property
    def _ports(self) -> Collection[_Port] | None:
        """The ports, where they mean the same in all pods."""
        found: list[_Port] = []
        for port in self.service.ports:
            protocol = Protocol.parse(port.protocol)
            if protocol is not None:
                numbers = {r.number for r in resolve_in_pods(port, self.pods)}
                if len(numbers) > 1:
                    return None
                found += [(port.name, protocol, n) for n in numbers if n is not None]
        return found

    def backend(self, key: _Key) -> Backend:
        """Return what the controller would publish."""
        made = backends_of_pod_port(self.service, self.by_key[key])
        return next(b for b in made if b.endpoint.address == key[2])


def differences_from_slices(
    called: CalledPorts,
    slices: Sequence[EndpointSlice],
    known_nodes: Collection[str] | None = None,
) -> tuple[Difference, ...]:
    """Compare with the EndpointSlices of the Service; nothing for a Service without selector.

    Slices of other writers (mirrored, custom) may hold a pod's address, but are never called wrong.
    `known_nodes`: names of the Node objects, without which the controller leaves a pod out; None if not known.
    """
    families = service_families(called.service)
    own = [s for s in slices if s.managed_by == SLICE_CONTROLLER]
    if _readiness_in_slices(own) == called.readiness(families, leaving=True):
        return ()
    by_others = [s for s in slices if s.managed_by != SLICE_CONTROLLER]
    owned = _by_key(backends_of_slices(own))
    anywhere = owned | _by_key(backends_of_slices(by_others)) if by_others else owned
    return (
        *_missing(called, called.by_key, anywhere, families, known_nodes),
        *_readiness(called, called.by_key, owned),
        *_extra(called, called.by_key, owned),
    )


def differences_from_endpoints(
    called: CalledPorts, item: Endpoints | None
) -> tuple[Difference, ...]:
    """Compare with the Endpoints object (None: there is none); nothing for a Service without selector.

    Endpoints know only the primary IP version, no terminating pods, and no more than 1,000 addresses.
    """
    if item is not None and LEADER_ANNOTATION in item.annotations:
        return ()
    primary = service_families(called.service)[:1]
    leaving = _publishes_not_ready(called.service)
    if _readiness_in(item) == called.readiness(primary, leaving=leaving):
        return ()
    wanted = called.by_key if leaving else called.staying
    published = _by_key(backends_of_endpoints(item)) if item is not None else {}
    return (
        *(() if _truncated(item) else _missing(called, wanted, published, primary, None)),
        *_readiness(called, wanted, published),
        *_extra(called, wanted, published),
    )


def _readiness_in_slices(slices: Iterable[EndpointSlice]) -> dict[_Port, _Readiness]:
    """Return what slices publish as ready: where that is what is called for, as nearly always, all is well."""
    published: dict[_Port, _Readiness] = {}
    for item in slices:
        if item.address_type != "FQDN":
            found = [(e.addresses[0], e.ready) for e in item.endpoints or () if e.addresses]
            _publish(published, item.ports, found)
    return published


def _readiness_in(item: Endpoints | None) -> dict[_Port, _Readiness]:
    """Return what an Endpoints object publishes as ready."""
    published: dict[_Port, _Readiness] = {}
    for subset in (item.subsets if item is not None else None) or ():
        _publish(published, subset.ports, [(a.ip, True) for a in subset.addresses or ()])
        _publish(published, subset.ports, [(a.ip, False) for a in subset.not_ready_addresses or ()])
    return published


def _publish(
    published: dict[_Port, _Readiness],
    ports: Sequence[EndpointPort] | None,
    endpoints: Sequence[tuple[str, bool]],
) -> None:
    """Add addresses at ports; of an address that is there already, the one that is ready counts."""
    if endpoints:
        for port in numbered_ports(ports):
            known = published.setdefault(port, {})
            for address, ready in endpoints:
                known[address] = ready or known.get(address, False)


def _is_certain(service: Service, found: PodPort, known_nodes: Collection[str] | None) -> bool:
    node_known = known_nodes is None or found.pod.spec.node_name in known_nodes
    return (
        not found.pod.terminating
        and not found.resolution.depends_on_version
        and (node_known or _publishes_not_ready(service))
    )


def _publishes_not_ready(service: Service) -> bool:
    return service.spec.publish_not_ready_addresses is True


def _missing(
    called: CalledPorts,
    wanted: Mapping[_Key, PodPort],
    published: Mapping[_Key, Backend],
    families: Collection[Family],
    known_nodes: Collection[str] | None,
) -> Iterator[Difference]:
    """Yield what every version of the controller publishes, and was not."""
    for key, pod_port in wanted.items():
        if (
            key not in published
            and family_of(key[2]) in families
            and _is_certain(called.service, pod_port, known_nodes)
        ):
            yield Difference(DifferenceKind.MISSING, called.backend(key), None)


def _readiness(
    called: CalledPorts, wanted: Mapping[_Key, PodPort], published: Mapping[_Key, Backend]
) -> Iterator[Difference]:
    for key, pod_port in wanted.items():
        found = published.get(key)
        if found is not None and found.ready is not is_published_ready(
            called.service, pod_port.pod
        ):
            yield Difference(DifferenceKind.READINESS, called.backend(key), found)


def _extra(
    called: CalledPorts, wanted: Mapping[_Key, PodPort], published: Mapping[_Key, Backend]
) -> Iterator[Difference]:
    service = called.service
    if not service.spec.selector or service.spec.type == "ExternalName":
        return
    unasked = [backend for key, backend in published.items() if key not in wanted]
    finished = {p.full_name for p in called.pods if p.finished} if unasked else frozenset()
    for backend in unasked:
        # Up to 1.21 the controllers keep a failed pod that will be restarted, as not ready.
        kept = not backend.ready and backend.pod in finished
        if family_of(backend.endpoint.address) and not kept:
            yield Difference(DifferenceKind.EXTRA, None, backend)


def _truncated(item: Endpoints | None) -> bool:
    if item is None:
        return False
    addresses = sum(
        len(s.addresses or ()) + len(s.not_ready_addresses or ()) for s in item.subsets or ()
    )
    return OVER_CAPACITY_ANNOTATION in item.annotations or addresses >= ENDPOINTS_CAPACITY


def _by_key(backends: Sequence[Backend]) -> dict[_Key, Backend]:
    return {(b.port_name, b.protocol, b.endpoint.address, b.endpoint.port): b for b in backends}
