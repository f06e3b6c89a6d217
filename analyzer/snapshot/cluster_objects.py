"""The API objects of the bundle, by name, namespace, node and label, and what the controllers published."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter

from analyzer.expect.backends import (
    backends_of_endpoints,
    backends_of_slices,
)
from analyzer.expect.claims import (
    hides_addresses,
)
from analyzer.expect.corefile import Corefile, cluster_zones, read_corefile
from analyzer.expect.service_cidr import ServiceCIDRs, service_cidrs
from analyzer.model.address import family_of
from analyzer.model.backend import Backend
from analyzer.model.bundle import BundleIdentity, EntryProblem, EntryTrouble
from analyzer.model.chain_names import service_suffix
from analyzer.model.forwarding import (
    FrontendKind,
    ServiceKey,
    ServicePortName,
)
from analyzer.model.forwarding import Protocol as TransportProtocol
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import Minor
from analyzer.model.kubernetes import (
    ConfigMap,
    Endpoints,
    EndpointSlice,
    Event,
    Namespace,
    Node,
    Pod,
    Service,
    Workload,
)
from analyzer.model.node import (
    Document,
)
from analyzer.model.source import ObjectRef
from analyzer.snapshot.node_pods import NodePods, is_kube_proxy, node_pods
from analyzer.snapshot.sources import (
    Availability,
    ClusterSource,
    FileState,
    PodResolvConf,
)


@dataclass(eq=False)
class ClusterObjects:
    """What the cluster-wide files say."""

    source: ClusterSource

    asked_services: tuple[ServiceKey, ...] = ()
    """The Services that the user asked about; empty for all."""

    def is_asked(self, name: ServicePortName | None) -> bool:
        """Tell whether the user wants to know about a Service port."""
        return not self.asked_services or (name is not None and name.service in self.asked_services)

    @property
    def identity(self) -> BundleIdentity:
        """What the bundle says about itself."""
        return self.source.identity

    def availability(self, needed: Input) -> FileState:
        """Tell whether a cluster-wide input is there and whole."""
        return self.source.availability(needed)

    def has(self, needed: Input) -> bool:
        """Tell whether a cluster-wide input is there and whole."""
        return self.availability(needed).availability is Availability.PRESENT

    @cached_property
    def kubernetes(self) -> str:
        """Version of the API server (`v1.30.5`), else of the newest kubelet; empty where unknown."""
        version = self.source.version()
        if version is not None and version.git_version:
            return version.git_version
        kubelets = [n.status.node_info.kubelet_version for n in self._nodes if n.status.node_info]
        return max(kubelets, key=lambda v: Minor.parse(v) or Minor(0, 0), default="")

    @cached_property
    def services(self) -> dict[ServiceKey, Service]:
        """Services by name, sorted."""
        found = self.source.objects(Input.SERVICES, Service)
        return {s.key: s for s in sorted(found, key=lambda s: s.key)}

    @cached_property
    def endpoints(self) -> dict[ServiceKey, Endpoints]:
        """Endpoints objects by name."""
        return {e.key: e for e in self.source.objects(Input.ENDPOINTS, Endpoints)}

    @cached_property
    def slices(self) -> dict[ServiceKey, tuple[EndpointSlice, ...]]:
        """EndpointSlices by the Service they belong to."""
        found: dict[ServiceKey, list[EndpointSlice]] = defaultdict(list)
        for item in self.source.objects(Input.ENDPOINT_SLICES, EndpointSlice):
            if item.service.name:
                found[item.service].append(item)
        return {key: tuple(sorted(items, key=lambda s: s.name)) for key, items in found.items()}

    @cached_property
    def pods(self) -> tuple[Pod, ...]:
        """All pods, sorted by namespace and name."""
        found = self.source.objects(Input.PODS, Pod)
        return tuple(sorted(found, key=attrgetter("metadata.namespace", "metadata.name")))

    @cached_property
    def pods_by_namespace(self) -> dict[str, tuple[Pod, ...]]:
        """Pods of each namespace."""
        found: dict[str, list[Pod]] = defaultdict(list)
        for pod in self.pods:
            found[pod.namespace].append(pod)
        return {namespace: tuple(pods) for namespace, pods in found.items()}

    @cached_property
    def pods_by_label(self) -> dict[tuple[str, str, str], tuple[Pod, ...]]:
        """Pods by namespace, key and value of each of their labels whose key a selector in the namespace has."""
        keys: dict[str, set[str]] = defaultdict(set)
        for service in self.services.values():
            keys[service.namespace].update(service.spec.selector or ())
        found: dict[tuple[str, str, str], list[Pod]] = defaultdict(list)
        for pod in self.pods:
            namespace = pod.namespace
            asked = keys[namespace]
            for key, value in pod.labels.items():
                if key in asked:
                    found[namespace, key, value].append(pod)
        return {label: tuple(pods) for label, pods in found.items()}

    @cached_property
    def pods_by_node(self) -> dict[str, tuple[Pod, ...]]:
        """Pods of each node."""
        found: dict[str, list[Pod]] = defaultdict(list)
        for pod in self.pods:
            found[pod.spec.node_name].append(pod)
        return {node: tuple(pods) for node, pods in found.items()}

    @cached_property
    def node_pods(self) -> dict[str, NodePods]:
        """What the checks of nodes ask of the pods of each."""
        return {node: node_pods(pods) for node, pods in self.pods_by_node.items()}

    @cached_property
    def pod_by_ip(self) -> dict[str, Pod]:
        """Pods with a network of their own, by address; a running one wins over a finished one."""
        found: dict[str, Pod] = {}
        for pod in sorted(self.pods, key=lambda p: p.finished, reverse=True):
            if not pod.host_network:
                found.update(dict.fromkeys(pod.ips, pod))
        return found

    @cached_property
    def pod_by_name(self) -> dict[str, Pod]:
        """Pods by `namespace/name`."""
        return {p.full_name: p for p in self.pods}

    @cached_property
    def workloads(self) -> tuple[Workload, ...]:
        """Deployments, DaemonSets, StatefulSets and ReplicaSets."""
        kinds = (Input.DEPLOYMENTS, Input.DAEMON_SETS, Input.STATEFUL_SETS, Input.REPLICA_SETS)
        return tuple(w for kind in kinds for w in self.source.objects(kind, Workload))

    @cached_property
    def workloads_by_namespace(self) -> dict[str, tuple[Workload, ...]]:
        """Workloads of each namespace."""
        found: dict[str, list[Workload]] = defaultdict(list)
        for workload in self.workloads:
            found[workload.namespace].append(workload)
        return {namespace: tuple(workloads) for namespace, workloads in found.items()}

    @cached_property
    def daemon_sets(self) -> tuple[Workload, ...]:
        """DaemonSets."""
        return self.source.objects(Input.DAEMON_SETS, Workload)

    @cached_property
    def namespaces(self) -> tuple[Namespace, ...]:
        """Namespaces."""
        return self.source.objects(Input.NAMESPACES, Namespace)

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """Events in file order."""
        return self.source.objects(Input.EVENTS, Event)

    def events_about(self, kind: str, namespace: str, name: str) -> tuple[Event, ...]:
        """Return the events about one object, in file order; cluster-scoped objects have no namespace."""
        return tuple(self._events_by_object.get((kind, namespace, name), ()))

    @cached_property
    def _events_by_object(self) -> dict[tuple[str, str, str], list[Event]]:
        found: dict[tuple[str, str, str], list[Event]] = defaultdict(list)
        for event in self.events:
            about = event.involved_object
            found[about.kind, about.namespace, about.name].append(event)
        return found

    @cached_property
    def config_maps(self) -> dict[str, ConfigMap]:
        """ConfigMaps of kube-system by name."""
        return {c.name: c for c in self.source.objects(Input.CONFIG_MAPS, ConfigMap)}

    def entry_problems(self, trouble: EntryTrouble) -> tuple[EntryProblem, ...]:
        """Return the entries with this trouble, in the order of their paths."""
        return tuple(e for e in self.source.entry_problems() if e.trouble is trouble)

    @cached_property
    def proxy_daemon_set(self) -> Workload | None:
        """The DaemonSet that runs kube-proxy, or None where there is none of a known name or label."""
        return next((w for w in self.daemon_sets if is_kube_proxy(w)), None)

    def config_document(self, config_map: str, key: str) -> Document | None:
        """Return the YAML or JSON document in a ConfigMap's value, or None where there is none."""
        found = self.config_maps.get(config_map)
        text = (found.data or {}).get(key) if found else None
        if found is None or text is None:
            return None
        return self.source.document_of(text, found.ref.at("data", key))

    @cached_property
    def service_cidrs(self) -> ServiceCIDRs | None:
        """The ranges of cluster IPs, or None where nothing in the bundle says."""
        kubeadm = self.config_document("kubeadm-config", "ClusterConfiguration")
        return service_cidrs(self.pods_by_namespace.get("kube-system", ()), kubeadm)

    @cached_property
    def kubelet_config(self) -> Document | None:
        """The KubeletConfiguration of kubeadm: `kubelet-config`, up to 1.23 `kubelet-config-1.23`.

        An upgrade leaves the older ones behind.
        """
        versions = {
            name: Minor.parse(f"v{name.removeprefix('kubelet-config-')}") or Minor(0, 0)
            for name in self.config_maps
            if name.startswith("kubelet-config-")
        }
        newest = max(versions, key=lambda name: versions[name], default="")
        return self.config_document("kubelet-config", "kubelet") or self.config_document(
            newest, "kubelet"
        )

    @cached_property
    def pod_resolv_confs(self) -> tuple[PodResolvConf, ...]:
        """The resolv.conf of every pod that was asked."""
        return self.source.pod_resolv_confs()

    @cached_property
    def _nodes(self) -> tuple[Node, ...]:
        return self.source.objects(Input.NODES, Node)

    @cached_property
    def corefiles(self) -> tuple[tuple[Corefile, ObjectRef], ...]:
        """CoreDNS' configuration with where it stands; empty where its ConfigMap is not in the bundle."""
        return tuple(
            (read_corefile(found.data["Corefile"]), found.ref.at("data", "Corefile"))
            for found in self.config_maps.values()
            if found.data and "Corefile" in found.data and "coredns" in found.name
        )

    @cached_property
    def dns_zones(self) -> tuple[str, ...]:
        """Zones in which CoreDNS answers for Services, lower case; empty where its configuration was not read."""
        return tuple(
            dict.fromkeys(z for corefile, _ in self.corefiles for z in cluster_zones(corefile))
        )

    @cached_property
    def chain_owners(self) -> dict[str, ServicePortName]:
        """Service port by the 16 characters of its chains, in both spellings of an unnamed port."""
        owners: dict[str, ServicePortName] = {}
        for service in self.services.values():
            for port in service.ports:
                name = ServicePortName(service.key, port.name)
                protocol = TransportProtocol.parse(port.protocol)
                if protocol is not None:
                    for colon in (False,) if name.port else (True, False):
                        owners[service_suffix(name, protocol, colon=colon)] = name
        return owners

    @cached_property
    def endpoints_input(self) -> Input:
        """Where published endpoints are read: EndpointSlices where the cluster has any, else Endpoints."""
        return Input.ENDPOINT_SLICES if self.slices or not self.endpoints else Input.ENDPOINTS

    @cached_property
    def lacks_slices(self) -> bool:
        """True where EndpointSlices were not collected, although kube-proxy may read them (1.19 and later)."""
        minor = Minor.parse(self.kubernetes)
        state = self.availability(Input.ENDPOINT_SLICES)
        # Endpoints stand in for slices that were not collected.
        absent = state.availability is Availability.ABSENT or "endpointslices" not in state.path
        return absent and (minor is None or minor >= Minor(1, 19))

    @cached_property
    def known_nodes(self) -> frozenset[str] | None:
        """Names of the Node objects, or None where their dump is missing or cut off."""
        return frozenset(n.name for n in self._nodes) if self.has(Input.NODES) else None

    @cached_property
    def backends(self) -> dict[ServiceKey, tuple[Backend, ...]]:
        """What the endpoint controllers published for each Service, as kube-proxy reads it."""
        from_slices = self.endpoints_input is Input.ENDPOINT_SLICES
        return {
            key: self.published(key) for key in (self.slices if from_slices else self.endpoints)
        }

    def published(self, key: ServiceKey) -> tuple[Backend, ...]:
        """Return what they published for one Service, without a look at the others.

        From EndpointSlices where the cluster has any, else from Endpoints.
        """
        if self.endpoints_input is Input.ENDPOINT_SLICES:
            return backends_of_slices(self.slices.get(key, ()))
        item = self.endpoints.get(key)
        return backends_of_endpoints(item) if item is not None else ()

    @cached_property
    def hides_addresses(self) -> bool:
        """True where a cluster IP or an endpoint is no address, because it was redacted."""
        published = (b.endpoint.address for found in self.backends.values() for b in found)
        return hides_addresses(self.services.values(), FrontendKind.CLUSTER_IP) or any(
            family_of(address) is None for address in published
        )
