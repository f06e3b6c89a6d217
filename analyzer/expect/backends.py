"""Published endpoints, as kube-proxy reads them from EndpointSlices or Endpoints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from analyzer.model.address import canonical_ip, family_of
from analyzer.model.backend import Backend
from analyzer.model.forwarding import Endpoint, Protocol
from analyzer.model.kubernetes import (
    EndpointPort,
    Endpoints,
    EndpointSlice,
    EndpointSubset,
    Service,
    SliceEndpoint,
    TargetRef,
)
from analyzer.model.source import ObjectRef

OTHER_PROXY_LABEL = "service.kubernetes.io/service-proxy-name"
HEADLESS_LABEL = "service.kubernetes.io/headless"


def backends_of_slices(items: Sequence[EndpointSlice]) -> tuple[Backend, ...]:
    """Return the backends that the slices of one Service publish.

    Only the first address of an endpoint counts, a port without a number serves nothing, and an address
    in two slices is one backend (`endpointslicecache.go`, Kubernetes 1.17 to 1.36).
    """
    return _merged(chain.from_iterable(_of_slice(s) for s in items if s.address_type != "FQDN"))


def backends_of_endpoints(item: Endpoints) -> tuple[Backend, ...]:
    """Return the backends that an Endpoints object publishes; terminating ones cannot be told from it."""
    return _merged(
        chain.from_iterable(
            _of_subset(item, subset, item.ref.at("subsets", index))
            for index, subset in enumerate(item.subsets or ())
        )
    )


def backends_before_slices(
    item: Endpoints | None, slices: Sequence[EndpointSlice]
) -> tuple[Backend, ...]:
    """Return the backends that a kube-proxy up to 1.18 reads: Endpoints, which know one IP version.

    Where it serves the other one, too (IPv6DualStack, 1.16), it reads that from the slices.
    """
    published = backends_of_endpoints(item) if item is not None else ()
    families = {family_of(b.endpoint.address) for b in published}
    others = backends_of_slices(slices) if published else ()
    return (*published, *(b for b in others if family_of(b.endpoint.address) not in families))


def is_proxied(service: Service) -> bool:
    """Tell whether kube-proxy serves the Service.

    Source: `ShouldSkipService` and the label selector of its informers (1.14, 1.16 and later).
    """
    return (
        service.spec.type != "ExternalName"
        and service.spec.cluster_ip not in {"", "None"}
        and OTHER_PROXY_LABEL not in service.labels
        and HEADLESS_LABEL not in service.labels
    )


def _of_slice(item: EndpointSlice) -> Iterator[Backend]:
    ports = numbered_ports(item.ports)
    for index, endpoint in enumerate(item.endpoints or ()):
        if not endpoint.addresses or not ports:
            continue
        address = canonical_ip(endpoint.addresses[0])
        node, pod = endpoint.node, _pod(endpoint.target_ref, item.namespace)
        zone_hints, node_hints = _hints(endpoint)
        source = item.ref.at("endpoints", index, "addresses", 0)
        for name, protocol, number in ports:
            yield Backend(
                port_name=name,
                protocol=protocol,
                endpoint=Endpoint(address, number),
                ready=endpoint.ready,
                serving=endpoint.serving,
                terminating=endpoint.terminating,
                node=node,
                zone_hints=zone_hints,
                node_hints=node_hints,
                pod=pod,
                source=source,
            )


def numbered_ports(ports: Sequence[EndpointPort] | None) -> tuple[tuple[str, Protocol, int], ...]:
    """Return name, protocol and number of the ports that serve anything: a port without a number does not."""
    found = ((p.name or "", Protocol.parse(p.protocol), p.port) for p in ports or ())
    return tuple(
        (name, protocol, number) for name, protocol, number in found if protocol and number
    )


def _hints(endpoint: SliceEndpoint) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if endpoint.hints is None:
        return (), ()
    zones, nodes = endpoint.hints.for_zones or (), endpoint.hints.for_nodes or ()
    return tuple(z.name for z in zones), tuple(n.name for n in nodes)


def _of_subset(item: Endpoints, subset: EndpointSubset, ref: ObjectRef) -> Iterator[Backend]:
    ports = numbered_ports(subset.ports)
    for ready, field, addresses in (
        (True, "addresses", subset.addresses),
        (False, "notReadyAddresses", subset.not_ready_addresses),
    ):
        for index, address in enumerate(addresses or ()):
            source = ref.at(field, index, "ip")
            for name, protocol, number in ports:
                yield Backend(
                    port_name=name,
                    protocol=protocol,
                    endpoint=Endpoint(canonical_ip(address.ip), number),
                    ready=ready,
                    serving=ready,
                    terminating=False,
                    node=address.node_name or "",
                    zone_hints=(),
                    node_hints=(),
                    pod=_pod(address.target_ref, item.namespace),
                    source=source,
                )


def _pod(target: TargetRef | None, namespace: str) -> str:
    if target is None or target.kind != "Pod":
        return ""
    return f"{target.namespace or namespace}/{target.name}"


def _merged(backends: Iterator[Backend]) -> tuple[Backend, ...]:
    merged: dict[tuple[str, Protocol, Endpoint], Backend] = {}
    for backend in backends:
        key = (backend.port_name, backend.protocol, backend.endpoint)
        known = merged.get(key)
        if known is None or _rank(backend) > _rank(known):
            merged[key] = backend
    return tuple(merged.values())


def _rank(backend: Backend) -> tuple[bool, bool, bool]:
    return backend.ready, not backend.terminating, backend.serving
