"""The port of a pod that a Service port's `targetPort` means.

Source: `FindPort` in `staging/src/k8s.io/endpointslice/utils.go` (1.36) and `pkg/api/v1/pod/util.go` (1.2 and later).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum

from msgspec import Struct

from analyzer.model.forwarding import Protocol
from analyzer.model.kubernetes import Container, Pod, ServicePort
from analyzer.model.source import ObjectRef


class PortOutcome(Enum):
    """How the look-up of a target port ended."""

    NUMBER = "a number, taken as it is"
    NAME = "a container port of that name and protocol"
    NAME_MISSING = "no container port of that name"
    OTHER_PROTOCOL = "a container port of that name, but of another protocol"
    QUOTED_NUMBER = "a number in quotes, which is looked up as a name and not found"


class DeclaredPort(Struct, frozen=True):
    """A port that a container of a pod declares."""

    name: str
    """Name of the port; empty where it has none."""

    number: int
    protocol: Protocol | None
    """None for a protocol that Kubernetes does not know."""

    container: str
    sidecar: bool
    """True for an init container that keeps running (`restartPolicy: Always`, Kubernetes 1.28)."""

    source: ObjectRef


class PortResolution(Struct, frozen=True):
    """What one Service port means in one pod."""

    outcome: PortOutcome
    number: int | None
    """The port that the endpoints controllers publish, or None where they leave the pod out."""

    declared: DeclaredPort | None = None
    """The container port of that name, also where its protocol is another one."""

    @property
    def depends_on_version(self) -> bool:
        """True where only a sidecar declares the name: older controllers do not look there (1.28 does not)."""
        return (
            self.outcome is PortOutcome.NAME and self.declared is not None and self.declared.sidecar
        )


def resolve_target_port(port: ServicePort, pod: Pod) -> PortResolution:
    """Return what `targetPort` means in the pod.

    A number is never compared with the declared ports: declaring them is optional.
    """
    target = port.effective_target_port
    if isinstance(target, int):
        return PortResolution(PortOutcome.NUMBER, target)
    named = [declared for declared in declared_ports(pod) if declared.name == target]
    protocol = Protocol.parse(port.protocol)
    for declared in named:
        if declared.protocol is protocol:
            return PortResolution(PortOutcome.NAME, declared.number, declared)
    if named:
        return PortResolution(PortOutcome.OTHER_PROTOCOL, None, named[0])
    quoted = target.isascii() and target.isdigit()
    return PortResolution(PortOutcome.QUOTED_NUMBER if quoted else PortOutcome.NAME_MISSING, None)


def resolve_in_pods(port: ServicePort, pods: Iterable[Pod]) -> Iterator[PortResolution]:
    """Yield what `targetPort` means in each of the pods; of those in a row that are alike, the first is asked.

    A number means the same in every pod, a name what the pod's containers say.
    """
    by_name = isinstance(port.effective_target_port, str)
    asked: Pod | None = None
    for pod in pods:
        if asked is None or (by_name and not _have_same_containers(pod, asked)):
            asked, found = pod, resolve_target_port(port, pod)
        yield found


def _have_same_containers(pod: Pod, other: Pod) -> bool:
    one, two = pod.spec, other.spec
    return one.containers == two.containers and one.init_containers == two.init_containers


def declares(pod: Pod, number: int) -> bool:
    """Tell whether one of `declared_ports` has the number."""
    return any(
        port.container_port == number
        for container in (*pod.containers, *_sidecars(pod).values())
        for port in container.ports or ()
    )


def declared_ports(pod: Pod) -> Iterator[DeclaredPort]:
    """Yield the ports of the containers, then those of the sidecars, in the order of the look-up."""
    for index, container in enumerate(pod.containers):
        yield from _of_container(container, pod.ref.at("spec", "containers", index), sidecar=False)
    for index, container in _sidecars(pod).items():
        ref = pod.ref.at("spec", "initContainers", index)
        yield from _of_container(container, ref, sidecar=True)


def _sidecars(pod: Pod) -> dict[int, Container]:
    """Return the init containers that keep running, by their position."""
    every = enumerate(pod.spec.init_containers or ())
    return {index: c for index, c in every if c.restart_policy == "Always"}


def _of_container(container: Container, ref: ObjectRef, *, sidecar: bool) -> Iterator[DeclaredPort]:
    for index, port in enumerate(container.ports or ()):
        yield DeclaredPort(
            name=port.name,
            number=port.container_port,
            protocol=Protocol.parse(port.protocol),
            container=container.name,
            sidecar=sidecar,
            source=ref.at("ports", index),
        )
