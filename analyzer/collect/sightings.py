"""What is remembered of the objects that passed by: which nodes there are, and by which pods to look into them.

A few words for each node and candidate, not the objects: a cluster may have 100,000 pods.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

import msgspec

from analyzer.collect.options import ObjectName, Options
from analyzer.collect.resources import SYSTEM, Listing
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Endpoints, EndpointSlice, Metadata, Pod, Service

_CANDIDATES: Final = 3
"""Pods that are remembered for a node and dnsPolicy: the first may have no `cat`."""

_ADDRESSES: Final = 2000
"""Addresses to which entries of conntrack are cut, at most."""

_SAFE_NAME = re.compile(r"[A-Za-z0-9]([\w.-]{0,251}[\w])?")
_PROXY_NAME = re.compile(r"kube-proxy(-.*)?")


@dataclass(frozen=True, slots=True)
class SeenPod:
    """A pod that files may be read in."""

    namespace: str
    name: str
    node: str
    container: str
    image: str
    restarts: int = 0


@dataclass(slots=True)
class SeenNode:
    """A node, and what leads into it."""

    name: str
    listed: bool = False
    """The list of nodes has it; a pod may name a node that is gone."""

    windows: bool = False
    ready: bool = True
    control_plane: bool = False
    address: str = ""
    """Its internal address, for ssh."""

    images: tuple[str, ...] = ()
    """Images of kube-proxy that it has."""

    proxy: SeenPod | None = None


class _Image(msgspec.Struct):
    names: list[str] | None = None


class _NodeInfo(msgspec.Struct, rename="camel"):
    operating_system: str = ""


class _Address(msgspec.Struct):
    type: str = ""
    address: str = ""


class _Condition(msgspec.Struct):
    type: str = ""
    status: str = ""


class _NodeStatus(msgspec.Struct, rename="camel"):
    addresses: list[_Address] | None = None
    conditions: list[_Condition] | None = None
    node_info: _NodeInfo = msgspec.field(default_factory=_NodeInfo)
    images: list[_Image] | None = None


class _Node(msgspec.Struct):
    metadata: Metadata = msgspec.field(default_factory=Metadata)
    status: _NodeStatus = msgspec.field(default_factory=_NodeStatus)


@dataclass(slots=True)
class Sightings:
    """Filled by the lists as they pass; asked afterwards."""

    options: Options
    nodes: dict[str, SeenNode] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    """Names that would be no directory of a bundle."""

    samples: dict[tuple[str, str], list[SeenPod]] = field(default_factory=dict)
    """By node and dnsPolicy: running pods whose resolv.conf stands for it."""

    named: dict[ObjectName, SeenPod] = field(default_factory=dict)
    """The pods that the user named."""

    endpoint_nodes: set[str] = field(default_factory=set)
    """Nodes with endpoints of the Services that the user named."""

    selectors: dict[ObjectName, dict[str, str]] = field(default_factory=dict)
    """Of the Services that the user named; their pods may be no endpoints, which is why they are named."""

    neighbours: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    """Namespace, labels and node of the pods in these Services' namespaces."""

    dns_nodes: set[str] = field(default_factory=set)
    found_services: set[ObjectName] = field(default_factory=set)
    addresses: dict[str, None] = field(default_factory=dict)
    node_ports: dict[int, None] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def service_nodes(self) -> set[str]:
        """Nodes with endpoints, or with pods that a selector matches, of the Services that the user named."""
        selected = {
            node
            for name, selector in self.selectors.items()
            for namespace, labels, node in self.neighbours
            if selector and namespace == name.namespace and selector.items() <= labels.items()
        }
        return self.endpoint_nodes | selected

    def look(self, listing: Listing, item: bytes) -> None:
        """Remember what matters of an object; one that is not as the API has it is passed over."""
        self.counts[listing.resource] = self.counts.get(listing.resource, 0) + 1
        try:
            match listing.input:
                case Input.NODES:
                    self._node(msgspec.json.decode(item, type=_Node))
                case Input.SERVICES:
                    self._service(msgspec.json.decode(item, type=Service))
                case Input.ENDPOINT_SLICES:
                    self._slice(msgspec.json.decode(item, type=EndpointSlice))
                case Input.ENDPOINTS:
                    self._endpoints(msgspec.json.decode(item, type=Endpoints))
                case Input.PODS:
                    self._pod(msgspec.json.decode(item, type=Pod))
        except (msgspec.DecodeError, RecursionError):
            return

    def _node(self, node: _Node) -> None:
        name = node.metadata.name
        if not is_safe(name):
            self.refused.append(name)
            return
        status = node.status
        images = [n for i in status.images or () for n in i.names or () if "kube-proxy" in n]
        conditions = {c.type: c.status for c in status.conditions or ()}
        addresses = {a.type: a.address for a in reversed(status.addresses or [])}
        labels = node.metadata.labels or {}
        seen = self._seen(name)
        seen.listed = True
        seen.windows = "windows" in {
            status.node_info.operating_system,
            labels.get("kubernetes.io/os"),
        }
        seen.ready = conditions.get("Ready") == "True"
        seen.control_plane = any(
            f"node-role.kubernetes.io/{role}" in labels for role in ("control-plane", "master")
        )
        seen.address = addresses.get("InternalIP") or addresses.get("Hostname") or name
        seen.images = tuple(sorted(images, key=lambda image: ("@" in image, image)))

    def _service(self, service: Service) -> None:
        name = ObjectName(service.metadata.namespace, service.metadata.name)
        wanted = name in self.options.services
        if wanted:
            self.found_services.add(name)
            self.selectors[name] = dict(service.spec.selector or {})
        if self.options.services and not wanted:
            return
        spec = service.spec
        for address in (spec.cluster_ip, *(spec.cluster_ips or ())):
            self._address(address)
        for port in spec.ports or ():
            if port.node_port and len(self.node_ports) < _ADDRESSES:
                self.node_ports[port.node_port] = None

    def _slice(self, item: EndpointSlice) -> None:
        labels = item.metadata.labels or {}
        name = ObjectName(item.metadata.namespace, labels.get("kubernetes.io/service-name", ""))
        dns = name.namespace == SYSTEM and "dns" in name.name
        wanted = name in self.options.services
        for endpoint in item.endpoints or ():
            node = endpoint.node_name or (endpoint.topology or {}).get("kubernetes.io/hostname")
            if wanted and node:
                self.endpoint_nodes.add(node)
            if dns and node:
                self.dns_nodes.add(node)
            if wanted or not self.options.services:
                for address in endpoint.addresses or ():
                    self._address(address)

    def _endpoints(self, item: Endpoints) -> None:
        """Take the nodes of a Service's addresses, which are all there is before EndpointSlices."""
        name = ObjectName(item.metadata.namespace, item.metadata.name)
        dns = name.namespace == SYSTEM and "dns" in name.name
        if not dns and name not in self.options.services:
            return
        nodes = self.dns_nodes if dns else self.endpoint_nodes
        for subset in item.subsets or ():
            for address in (*(subset.addresses or ()), *(subset.not_ready_addresses or ())):
                if address.node_name:
                    nodes.add(address.node_name)

    def _address(self, address: str) -> None:
        if address and address != "None" and len(self.addresses) < _ADDRESSES:
            self.addresses[address] = None

    def _pod(self, pod: Pod) -> None:
        node = pod.spec.node_name
        containers = pod.spec.containers or ()
        if not containers or not is_safe(node) or not is_safe(pod.metadata.name):
            return
        if not is_safe(pod.metadata.namespace):
            return
        self._seen(node)
        main = next((c for c in containers if _PROXY_NAME.fullmatch(c.name)), containers[0])
        statuses = {s.name: s for s in pod.status.container_statuses or ()}
        restarts = statuses[main.name].restart_count if main.name in statuses else 0
        seen = SeenPod(
            pod.metadata.namespace, pod.metadata.name, node, main.name, main.image, restarts
        )
        if _is_proxy(pod):
            self._proxy(seen, running=pod.status.phase == "Running")
        if any(seen.namespace == service.namespace for service in self.options.services):
            self.neighbours.append((seen.namespace, dict(pod.metadata.labels or {}), node))
        name = ObjectName(seen.namespace, seen.name)
        if name in self.options.pods:
            self.named[name] = seen
        running = pod.status.phase == "Running" and not pod.metadata.deletion_timestamp
        ready = main.name in statuses and statuses[main.name].ready
        policy = f"{pod.spec.dns_policy}{'+host' if pod.spec.host_network else ''}"
        candidates = self.samples.setdefault((node, policy), [])
        if running and ready and len(candidates) < _CANDIDATES:
            candidates.append(seen)

    def _proxy(self, seen: SeenPod, *, running: bool) -> None:
        node = self._seen(seen.node)
        if running or node.proxy is None:
            node.proxy = seen

    def _seen(self, name: str) -> SeenNode:
        return self.nodes.setdefault(name, SeenNode(name))


def is_safe(name: str) -> bool:
    """Tell whether a name from the API may be a directory of the bundle and an argument of a command."""
    return _SAFE_NAME.fullmatch(name) is not None and ".." not in name


def _is_proxy(pod: Pod) -> bool:
    labels = pod.metadata.labels or {}
    marked = "kube-proxy" in {labels.get("k8s-app"), labels.get("component"), labels.get("app")}
    named = any(_PROXY_NAME.fullmatch(c.name) for c in pod.spec.containers or ())
    return pod.metadata.namespace == SYSTEM and (marked or named)
