"""How the endpoints that were published for a Service differ from those that its pods call for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from analyzer.expect.backends import backends_of_endpoints, backends_of_slices
from analyzer.expect.endpoints import (
    PodPort,
    backends_of_pod_port,
    port_resolutions,
    service_families,
)
from analyzer.model.address import family_of
from analyzer.model.backend import Backend
from analyzer.model.forwarding import Endpoint, Protocol
from analyzer.model.kubernetes import Endpoints, EndpointSlice, Pod, Service

SLICE_CONTROLLER = "endpointslice-controller.k8s.io"
MIRRORING_CONTROLLER = "endpointslicemirroring-controller.k8s.io"
SKIP_MIRROR_LABEL = "endpointslice.kubernetes.io/skip-mirror"
OVER_CAPACITY_ANNOTATION = "endpoints.kubernetes.io/over-capacity"
LEADER_ANNOTATION = "control-plane.alpha.kubernetes.io/leader"

ENDPOINTS_CAPACITY = 1000
"""Addresses that an Endpoints object holds at most (`maxCapacity`, Kubernetes 1.22 and later)."""

_Key = tuple[str, Protocol, Endpoint]


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


@dataclass(frozen=True, slots=True)
class _Called:
    """What the pods call for."""

    backends: dict[_Key, Backend]
    certain: frozenset[_Key]
    """Those that every version of the controller publishes."""


def differences_from_slices(
    service: Service,
    pods: Sequence[Pod],
    slices: Sequence[EndpointSlice],
    known_nodes: Collection[str] | None = None,
) -> tuple[Difference, ...]:
    """Compare with the EndpointSlices of the Service; nothing for a Service without selector.

    Slices of other writers (mirrored, custom) may hold a pod's address, but are never called wrong.
    `known_nodes`: names of the Node objects, without which the controller leaves a pod out; None if not known.
    """
    called = _called(service, pods, known_nodes, with_terminating=True)
    by_controller = tuple(s for s in slices if s.managed_by == SLICE_CONTROLLER)
    by_others = tuple(s for s in slices if s.managed_by != SLICE_CONTROLLER)
    owned = _by_key(backends_of_slices(by_controller))
    return (
        *_missing(called, owned | _by_key(backends_of_slices(by_others))),
        *_readiness(called, owned),
        *_extra(service, pods, called, owned),
    )


def differences_from_endpoints(
    service: Service, pods: Sequence[Pod], item: Endpoints | None
) -> tuple[Difference, ...]:
    """Compare with the Endpoints object (None: there is none); nothing for a Service without selector.

    Endpoints know only the primary IP version, no terminating pods, and no more than 1,000 addresses.
    """
    if item is not None and LEADER_ANNOTATION in item.annotations:
        return ()
    everything = _called(service, pods, None, with_terminating=_publishes_not_ready(service))
    primary = service_families(service)[0]
    called = _Called(
        everything.backends,
        frozenset(k for k in everything.certain if family_of(k[2].address) is primary),
    )
    published = _by_key(backends_of_endpoints(item)) if item is not None else {}
    return (
        *(() if _truncated(item) else _missing(called, published)),
        *_readiness(called, published),
        *_extra(service, pods, called, published),
    )


def _called(
    service: Service,
    pods: Sequence[Pod],
    known_nodes: Collection[str] | None,
    *,
    with_terminating: bool,
) -> _Called:
    families = service_families(service)
    backends: dict[_Key, Backend] = {}
    certain: set[_Key] = set()
    for found in port_resolutions(service, pods):
        if found.pod.terminating and not with_terminating:
            continue
        sure = _is_certain(service, found, known_nodes)
        for backend in backends_of_pod_port(service, found):
            key = _key(backend)
            if key not in backends or not backend.terminating:
                backends[key] = backend
            if sure and family_of(backend.endpoint.address) in families:
                certain.add(key)
    return _Called(backends, frozenset(certain))


def _is_certain(service: Service, found: PodPort, known_nodes: Collection[str] | None) -> bool:
    node_known = known_nodes is None or found.pod.spec.node_name in known_nodes
    return (
        not found.pod.terminating
        and not found.resolution.depends_on_version
        and (node_known or _publishes_not_ready(service))
    )


def _publishes_not_ready(service: Service) -> bool:
    return service.spec.publish_not_ready_addresses is True


def _missing(called: _Called, published: dict[_Key, Backend]) -> Iterator[Difference]:
    for key, backend in called.backends.items():
        if key in called.certain and key not in published:
            yield Difference(DifferenceKind.MISSING, backend, None)


def _readiness(called: _Called, published: dict[_Key, Backend]) -> Iterator[Difference]:
    for key, backend in called.backends.items():
        found = published.get(key)
        if found is not None and found.ready is not backend.ready:
            yield Difference(DifferenceKind.READINESS, backend, found)


def _extra(
    service: Service, pods: Sequence[Pod], called: _Called, published: dict[_Key, Backend]
) -> Iterator[Difference]:
    if not service.spec.selector or service.spec.type == "ExternalName":
        return
    finished = {p.full_name for p in pods if p.finished}
    for key, backend in published.items():
        # Up to 1.21 the controllers keep a failed pod that will be restarted, as not ready.
        kept = not backend.ready and backend.pod in finished
        if key not in called.backends and family_of(backend.endpoint.address) and not kept:
            yield Difference(DifferenceKind.EXTRA, None, backend)


def _truncated(item: Endpoints | None) -> bool:
    if item is None:
        return False
    addresses = sum(
        len(s.addresses or ()) + len(s.not_ready_addresses or ()) for s in item.subsets or ()
    )
    return OVER_CAPACITY_ANNOTATION in item.annotations or addresses >= ENDPOINTS_CAPACITY


def _by_key(backends: Sequence[Backend]) -> dict[_Key, Backend]:
    return {_key(b): b for b in backends}


def _key(backend: Backend) -> _Key:
    return backend.port_name, backend.protocol, backend.endpoint
