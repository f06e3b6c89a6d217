"""What a generated cluster consists of: names, addresses and places, all of them by rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network

from analyzer.model.chain_names import endpoint_chain, service_suffix
from analyzer.model.forwarding import Endpoint, Protocol, ServiceKey, ServicePortName

PORT = 80
TARGET_PORT = 8080
POD_RANGE = IPv4Network("10.128.0.0/9")

_SERVICE_BASE = IPv4Address("10.96.0.0")
_NODE_BASE = IPv4Address("192.168.0.0")
_FIRST_NODE_PORT = 30_000
_NODE_PORTS = 2_768
_SERVICES_PER_NAMESPACE = 500


@dataclass(frozen=True)
class Plan:
    """How large the cluster is, and what share of it is special; `every` n-th Service, 0 for none."""

    services: int
    endpoints: int = 10
    """Pods behind each Service, dealt out to the nodes in turn."""

    nodes: int = 1
    node_port_every: int = 0
    affinity_every: int = 0
    local_every: int = 0
    """Of the Services with a node port, those with external traffic policy Local."""

    stale: int = 0
    """Services for which the last node still sends to an address that is no pod's any more."""

    mistyped: int = 0
    """Services whose selector has a mistake, so that no pod matches."""

    settings: int = 0
    """Environment variables of each pod, which are most of a pod's bytes; with 32 it has 8 KB."""

    def __post_init__(self) -> None:
        """Refuse a cluster that has not enough addresses or node ports."""
        assert self.pods_per_node <= self._block - _FIRST_POD, "too many pods for one node"
        assert self.nodes * self._block <= POD_RANGE.num_addresses, "too many nodes"
        ports = self.services // self.node_port_every if self.node_port_every else 0
        assert ports <= _NODE_PORTS, "too many node ports"

    @property
    def pods_per_node(self) -> int:
        """Most pods of Services on one node."""
        return -(-self.services * self.endpoints // self.nodes)

    @property
    def _block(self) -> int:
        """Addresses that a node has for pods; a /24 as far as that will do."""
        return max(256, 1 << (self.pods_per_node + _FIRST_POD).bit_length())

    @property
    def large(self) -> bool:
        """True where kube-proxy leaves comments out of rules about endpoints (more than 1,000, 1.26 and later)."""
        return self.services * self.endpoints > 1_000  # noqa: PLR2004 - largeClusterEndpointsThreshold

    @cached_property
    def node_list(self) -> tuple[PlannedNode, ...]:
        """The nodes."""
        return tuple(
            PlannedNode(
                name=f"node-{index:03}",
                ip=str(_NODE_BASE + 256 + index),
                pod_range=IPv4Network((int(POD_RANGE[0]) + index * self._block, self._prefix)),
            )
            for index in range(self.nodes)
        )

    @property
    def _prefix(self) -> int:
        return 33 - self._block.bit_length()

    @cached_property
    def service_list(self) -> tuple[PlannedService, ...]:
        """The Services with their pods."""
        return tuple(self._service(number) for number in range(self.services))

    def _service(self, number: int) -> PlannedService:
        def chosen(every: int) -> bool:
            return every > 0 and number % every == 0

        node_port = None
        if chosen(self.node_port_every):
            node_port = _FIRST_NODE_PORT + number // self.node_port_every
        return PlannedService(
            name=f"svc-{number:05}",
            namespace=f"team-{number // _SERVICES_PER_NAMESPACE:02}",
            cluster_ip=str(_SERVICE_BASE + 256 + number),
            node_port=node_port,
            affinity=chosen(self.affinity_every),
            local=node_port is not None and chosen(self.local_every),
            stale=number < self.stale,
            mistyped=number < self.mistyped,
            pods=tuple(self._pods(number)),
        )

    def _pods(self, number: int) -> Iterator[PlannedPod]:
        for index in range(self.endpoints):
            turn = number * self.endpoints + index
            node = self.node_list[turn % self.nodes]
            address = node.pod_range[_FIRST_POD + turn // self.nodes]
            yield PlannedPod(f"svc-{number:05}-{index:03}", str(address), node)


_FIRST_POD = 2


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """One node."""

    name: str
    ip: str
    pod_range: IPv4Network


@dataclass(frozen=True, slots=True)
class PlannedPod:
    """One pod; its namespace is the Service's."""

    name: str
    ip: str
    node: PlannedNode


@dataclass(frozen=True)
class PlannedService:
    """One Service with its pods."""

    name: str
    namespace: str
    cluster_ip: str
    node_port: int | None
    affinity: bool
    local: bool
    stale: bool
    mistyped: bool
    pods: tuple[PlannedPod, ...]

    @property
    def port_name(self) -> ServicePortName:
        """Its only port, as kube-proxy calls it."""
        return ServicePortName(ServiceKey(self.namespace, self.name), "http")

    @cached_property
    def suffix(self) -> str:
        """The 16 characters that its chains share."""
        return service_suffix(self.port_name, Protocol.TCP)

    def endpoint_chain(self, ip: str) -> str:
        """Return the name of the chain of an endpoint."""
        return endpoint_chain(self.port_name, Protocol.TCP, Endpoint(ip, TARGET_PORT))
