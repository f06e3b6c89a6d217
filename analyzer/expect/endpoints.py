"""What the endpoints controllers ought to publish for a Service, re-derived from its pods.

Source: `staging/src/k8s.io/endpointslice/{utils,reconciler}.go` and `pkg/controller/endpoint` (1.36).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from msgspec import Struct

from analyzer.expect.target_port import PortResolution, resolve_in_pods
from analyzer.model.address import canonical_ip, family_of
from analyzer.model.backend import Backend
from analyzer.model.forwarding import Endpoint, Protocol
from analyzer.model.kubernetes import Pod, Service, ServicePort
from analyzer.model.ruleset import Family


class PodPort(Struct, frozen=True):
    """One Service port in one selected pod."""

    port: ServicePort
    protocol: Protocol
    pod: Pod
    addresses: tuple[str, ...]
    """Those of the pod, of either IP version, in their canonical spelling; at least one."""

    resolution: PortResolution


def expected_backends(service: Service, pods: Sequence[Pod]) -> tuple[Backend, ...]:
    """Return the backends that the EndpointSlice controller derives from the pods that the Service selects.

    Nothing for ExternalName and for a Service without selector, whose endpoints others write.
    """
    families = service_families(service)
    return tuple(
        backend
        for found in port_resolutions(service, pods)
        for backend in backends_of_pod_port(service, found)
        if family_of(backend.endpoint.address) in families
    )


def port_resolutions(service: Service, pods: Sequence[Pod]) -> Iterator[PodPort]:
    """Yield every Service port in every selected pod that may be an endpoint, be the port found there or not.

    That is one that has an address and is not finished; one that is being deleted is an endpoint still: slices
    publish it as terminating (1.20 and later). Ports of unknown protocols are left out.
    """
    if not service.spec.selector or service.spec.type == "ExternalName":
        return
    protocols = ((port, Protocol.parse(port.protocol)) for port in service.ports)
    ports = [(port, protocol) for port, protocol in protocols if protocol is not None]
    resolutions = [resolve_in_pods(port, pods) for port, _ in ports]
    for pod, *found in zip(pods, *resolutions, strict=True):
        addresses = tuple(map(canonical_ip, pod.ips))
        if addresses and not pod.finished:
            for (port, protocol), resolution in zip(ports, found, strict=True):
                yield PodPort(port, protocol, pod, addresses, resolution)


def selects(service: Service, pod: Pod) -> bool:
    """Tell whether the Service's selector matches the pod's labels; an empty selector matches nothing."""
    selector = service.spec.selector
    if not selector or service.spec.type == "ExternalName":
        return False
    metadata = pod.metadata
    return metadata.namespace == service.namespace and selector.items() <= pod.labels.items()


def service_families(service: Service) -> tuple[Family, ...]:
    """Return the IP versions that the Service is published for, the primary one first.

    From `ipFamilies`; before Kubernetes 1.20 that of the cluster IP, and both for a headless Service.
    """
    listed = _families_named(service.spec.ip_families or ())
    if listed:
        return listed
    families = (family_of(ip) for ip in service.cluster_ips)
    return tuple(dict.fromkeys(f for f in families if f is not None)) or tuple(Family)


@lru_cache(maxsize=64)
def _families_named(names: tuple[str, ...]) -> tuple[Family, ...]:
    listed = (family for family in Family if family.value in names)
    return tuple(sorted(listed, key=lambda family: family.value != names[0]))


def backends_of_pod_port(service: Service, found: PodPort) -> Iterator[Backend]:
    """Yield a backend for each address of the pod, of either IP version; none where the port was not found."""
    pod = found.pod
    if found.resolution.number is None:
        return
    ready = pod.ready
    for address in found.addresses:
        yield Backend(
            port_name=found.port.name,
            protocol=found.protocol,
            endpoint=Endpoint(address, found.resolution.number),
            ready=is_published_ready(service, pod),
            serving=ready,
            terminating=pod.terminating,
            node=pod.spec.node_name,
            zone_hints=(),
            node_hints=(),
            pod=pod.full_name,
            source=pod.ref,
        )


def is_published_ready(service: Service, pod: Pod) -> bool:
    """Tell whether the addresses of the pod are published as ready."""
    if service.spec.publish_not_ready_addresses is True:
        return True
    return pod.ready and not pod.terminating
