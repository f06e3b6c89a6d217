"""What checks are given: the cluster, a node and a Service, with what should be and what is there.

Views are read-only and lazy: nothing is parsed before a check asks for it. They know no file format;
`analyzer.load` hands them sources that do.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Protocol, TypeVar

from analyzer.comparison import Comparison, compare
from analyzer.expect.backends import (
    backends_before_slices,
    backends_of_endpoints,
    backends_of_slices,
    is_proxied,
)
from analyzer.expect.changes import is_settled, last_change
from analyzer.expect.claims import (
    NodePortClaim,
    address_claims,
    hides_addresses,
    node_port_claims,
)
from analyzer.expect.cluster_dns import (
    KubeletDNS,
    answers_beside_the_cluster,
    dns_addresses,
    dns_services,
    kubelet_dns,
)
from analyzer.expect.corefile import Corefile, cluster_zones, read_corefile
from analyzer.expect.endpoints import expected_backends
from analyzer.expect.forwarding import ForwardingPlan
from analyzer.expect.publication import (
    LEADER_ANNOTATION,
    SKIP_MIRROR_LABEL,
    Difference,
    differences_from_endpoints,
    differences_from_slices,
)
from analyzer.expect.readiness import UnreadyCause, UnreadyPod, why_unready
from analyzer.expect.service_cidr import ServiceCIDRs, service_cidrs
from analyzer.model.address import canonical_ip, family_of, network_of
from analyzer.model.backend import Backend
from analyzer.model.bundle import BundleIdentity, EntryProblem, EntryTrouble
from analyzer.model.chain_names import service_suffix
from analyzer.model.conntrack import ConntrackEntry
from analyzer.model.forwarding import (
    Endpoint,
    Entry,
    ForwardingTable,
    Frontend,
    FrontendKind,
    ServiceKey,
    ServicePortName,
)
from analyzer.model.forwarding import Protocol as TransportProtocol
from analyzer.model.inputs import Input, Scope
from analyzer.model.ip_set import IPSet
from analyzer.model.kube_proxy import KubeProxy, Minor, ProxyMode, Sign
from analyzer.model.kubernetes import (
    ConfigMap,
    Endpoints,
    EndpointSlice,
    Event,
    Namespace,
    Node,
    Pod,
    Resource,
    Service,
    Version,
    Workload,
)
from analyzer.model.log import LogEntry
from analyzer.model.node import (
    BridgePort,
    Document,
    InterfaceAddress,
    Link,
    Process,
    ResolvConf,
    Route,
    RoutePolicyRule,
    Socket,
    Sysctl,
)
from analyzer.model.ruleset import Family, Ruleset
from analyzer.model.source import ObjectRef, Ref, SourceRef
from analyzer.observe.chains import ChainGraph, chain_graph
from analyzer.observe.iptables import observe_iptables
from analyzer.observe.kube_proxy import ProxyEvidence, identify_kube_proxy
from analyzer.observe.proxy_log import ProxyLog, read_proxy_log
from analyzer.observe.residue import other_mode_state
from analyzer.observe.userspace import observe_userspace
from analyzer.reachability import Loss, Reachability, Site, follow
from analyzer.simulate.address import number
from analyzer.simulate.host import Host, Network
from analyzer.simulate.inventory import (
    assumed_routes,
    dumps_in_force,
    empty_by_nft,
    foreign_tables,
    host_listeners,
    node_ports,
    order_is_known,
    pod_ranges,
    pod_sites,
)
from analyzer.simulate.routing import RouteAnswer, RouteKey, Routes
from analyzer.simulate.trace import Simulator

R = TypeVar("R", bound=Resource)


class NodeSource(Protocol):
    """Reads the files of one node; every method returns None (or nothing) where the file is absent."""

    def rulesets(self, source: Input) -> tuple[Ruleset, ...]:
        """Return the dumps in an iptables-save file, oldest first; one empty ruleset for an empty file."""

    def log(self, source: Input) -> tuple[LogEntry, ...]:
        """Return the entries of a log in file order."""

    def document(self, source: Input) -> Document | None:
        """Return a JSON or YAML document."""

    def text(self, source: Input) -> str | None:
        """Return a short text file, stripped."""

    def sysctls(self) -> dict[str, Sysctl]:
        """Return sysctl.txt by name."""

    def bridge_ports(self) -> tuple[BridgePort, ...]:
        """Return hairpin.txt."""

    def addresses(self) -> tuple[InterfaceAddress, ...]:
        """Return ip-addr.json or its text form."""

    def links(self) -> tuple[Link, ...]:
        """Return ip-link.json or its text form."""

    def routes(self) -> tuple[Route, ...]:
        """Return ip-route.json or its text form, all tables."""

    def route_rules(self) -> tuple[RoutePolicyRule, ...]:
        """Return ip-rule.txt."""

    def processes(self) -> tuple[Process, ...]:
        """Return processes.txt."""

    def sockets(self) -> tuple[Socket, ...]:
        """Return sockets.txt."""

    def ip_sets(self) -> dict[str, IPSet]:
        """Return ipset-save.txt by name."""

    def connections(self) -> tuple[ConntrackEntry, ...]:
        """Return conntrack.txt."""

    def resolv_conf(self) -> ResolvConf | None:
        """Return the node's resolv.conf."""


class ClusterSource(Protocol):
    """Reads the cluster-wide files and lists what the bundle holds."""

    @property
    def identity(self) -> BundleIdentity:
        """What the manifest says of the bundle."""

    @property
    def node_names(self) -> tuple[str, ...]:
        """Names of the directories below `nodes/`."""

    def objects(self, source: Input, kind: type[R]) -> tuple[R, ...]:
        """Return the objects of a dump in file order; empty where the file is absent."""

    def version(self) -> Version | None:
        """Return cluster/version.json."""

    def pod_resolv_confs(self) -> tuple[PodResolvConf, ...]:
        """Return every pods/<namespace>/<pod>/resolv.conf."""

    def node(self, name: str) -> NodeSource:
        """Return the reader of one node's files."""

    def availability(self, source: Input, node: str = "") -> FileState:
        """Tell whether an input is there and whole."""

    def document_of(self, text: str, ref: ObjectRef) -> Document | None:
        """Parse YAML or JSON that stands inside another document (a ConfigMap's value)."""

    def entry_problems(self) -> tuple[EntryProblem, ...]:
        """Return what is wrong with entries of the bundle, after parsing all of them."""


class Availability(Enum):
    """Whether an input can be relied on."""

    PRESENT = "present"
    PARTIAL = "partial"
    """Cut off, or objects of it could not be read: what is absent from it may have been lost."""

    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class FileState:
    """Availability of one input for one subject, and why."""

    availability: Availability
    path: str
    reason: str = ""
    """Why it is absent or partial, in the user's words."""

    namespaces: frozenset[str] = frozenset()
    """Where nothing but objects of certain namespaces is lost, these namespaces."""


@dataclass(frozen=True, slots=True)
class PodResolvConf:
    """The resolv.conf that was read inside a pod."""

    namespace: str
    pod: str
    resolv_conf: ResolvConf

    @property
    def full_name(self) -> str:
        """`namespace/name` of the pod."""
        return f"{self.namespace}/{self.pod}"


@dataclass(eq=False)
class ClusterView:
    """The whole bundle."""

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

    # --- objects ---

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
        return tuple(sorted(found, key=lambda p: (p.namespace, p.name)))

    @cached_property
    def pods_by_namespace(self) -> dict[str, tuple[Pod, ...]]:
        """Pods of each namespace."""
        found: dict[str, list[Pod]] = defaultdict(list)
        for pod in self.pods:
            found[pod.namespace].append(pod)
        return {namespace: tuple(pods) for namespace, pods in found.items()}

    @cached_property
    def pods_by_label(self) -> dict[tuple[str, str, str], tuple[Pod, ...]]:
        """Pods by namespace, key and value of each of their labels."""
        found: dict[tuple[str, str, str], list[Pod]] = defaultdict(list)
        for pod in self.pods:
            for key, value in pod.labels.items():
                found[pod.namespace, key, value].append(pod)
        return {label: tuple(pods) for label, pods in found.items()}

    @cached_property
    def pods_by_node(self) -> dict[str, tuple[Pod, ...]]:
        """Pods of each node."""
        found: dict[str, list[Pod]] = defaultdict(list)
        for pod in self.pods:
            found[pod.spec.node_name].append(pod)
        return {node: tuple(pods) for node, pods in found.items()}

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
        return next((w for w in self.daemon_sets if _is_kube_proxy(w)), None)

    @cached_property
    def runs_kube_proxy(self) -> bool:
        """True when a pod, process or answer of kube-proxy is seen on any node."""
        return any(
            node.proxy_pods or node.proxy_processes or node.proxy_answered
            for node in self.nodes.values()
        )

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

    def why_unready(self, pod: Pod) -> UnreadyPod:
        """Explain why a pod is not ready, by its own status, its node and the events about it."""
        node = self.nodes.get(pod.spec.node_name)
        return why_unready(
            pod,
            node.api_object if node else None,
            self.events_about("Pod", pod.namespace, pod.name),
            self.identity.created_at,
        )

    @cached_property
    def services_stopped_by_nodes(self) -> dict[str, frozenset[ServiceKey]]:
        """By node: the Services of which pods are not ready, all of them for the sake of nodes, one of this."""
        found: dict[str, set[ServiceKey]] = defaultdict(set)
        for key, view in self.service_views.items():
            unready = view.unready_pods
            if unready and all(u.cause in _CAUSES_OF_NODES for u in unready):
                for item in unready:
                    found[item.pod.spec.node_name].add(key)
        return {node: frozenset(keys) for node, keys in found.items()}

    @cached_property
    def common_endpoints(self) -> dict[Frontend, frozenset[Endpoint]]:
        """Endpoints behind each cluster IP on most of the nodes; without a majority there is no entry."""
        votes: dict[Frontend, Counter[frozenset[Endpoint]]] = defaultdict(Counter)
        for node in self.nodes.values():
            for frontend, endpoints in node.cluster_ip_endpoints.items():
                votes[frontend][endpoints] += 1
        leaders = ((f, counts.most_common(1)[0], counts.total()) for f, counts in votes.items())
        return {f: endpoints for f, (endpoints, count), total in leaders if 2 * count > total}

    # --- DNS ---

    @cached_property
    def asked_nameservers(self) -> frozenset[str]:
        """The nameservers that kubelets hand out, and those in the resolv.conf of pods that were read."""
        told = (a for n in self.nodes.values() for a in n.kubelet_dns.cluster_dns or ())
        read = (a for r in self.pod_resolv_confs for a, _ in r.resolv_conf.nameservers)
        return frozenset(map(canonical_ip, (*told, *read)))

    @cached_property
    def dns_services(self) -> tuple[Service, ...]:
        """The Services that answer DNS for the cluster."""
        return dns_services(self.services.values(), self.pods, self.asked_nameservers)

    @cached_property
    def dns_addresses(self) -> tuple[str, ...]:
        """Every address at which a pod may ask the cluster's DNS; empty where no DNS Service is known."""
        config_maps = self.config_maps.values()
        return dns_addresses(
            self.services.values(), config_maps, self.pods, self.asked_nameservers
        )

    @cached_property
    def dns_pods(self) -> tuple[Pod, ...]:
        """Pods behind the DNS Services that should answer: neither finished nor on their way out."""
        found = {
            pod.full_name: pod
            for service in self.dns_services
            for pod in self.service_views[service.key].selected_pods
            if not pod.terminating
        }
        return tuple(found.values())

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

    # --- views ---

    @cached_property
    def nodes(self) -> dict[str, NodeView]:
        """Every node of the API or with a directory in the bundle, sorted by name."""
        api = {n.name: n for n in self._nodes}
        names = sorted({*api, *self.source.node_names})
        return {name: NodeView(self, name, api.get(name)) for name in names}

    @cached_property
    def reachability(self) -> Reachability:
        """Where connections to Services end, from every node whose rules were read."""
        sites = [n.site for n in self.nodes.values() if n.ruleset() and not n.rules_unread]
        return follow(self.simulator, sites)

    @cached_property
    def simulator(self) -> Simulator:
        """Walks packets through all nodes."""
        return Simulator(self.network)

    @cached_property
    def network(self) -> Network:
        """What the simulator is told of the cluster."""
        own = frozenset(a.address for node in self.nodes.values() for a in node.addresses)
        addresses = own | {ip for node in self._nodes for ip in node.ips}
        backends = (b for published in self.backends.values() for b in published)
        return Network(
            hosts={name: node.host for name, node in self.nodes.items() if not node.windows},
            pods=pod_sites(self.pods),
            pods_known=self.availability(Input.PODS).availability is not Availability.ABSENT,
            pod_ranges=pod_ranges(self._nodes),
            listeners=host_listeners(self.pods, backends, addresses),
            node_ports=node_ports(self.services.values()),
        )

    @cached_property
    def service_views(self) -> dict[ServiceKey, ServiceView]:
        """Every Service, sorted by name."""
        return {key: ServiceView(self, service) for key, service in self.services.items()}

    @cached_property
    def asked_views(self) -> tuple[ServiceView, ...]:
        """The Services that the user asked about, or all of them, sorted by name."""
        asked = self.asked_services
        return tuple(v for key, v in self.service_views.items() if not asked or key in asked)

    @cached_property
    def node_by_ip(self) -> dict[str, NodeView]:
        """Nodes by their internal and external IP addresses."""
        return {
            canonical_ip(ip): node
            for node in self.nodes.values()
            for ip in (node.api_object.ips if node.api_object else ())
        }

    @cached_property
    def node_port_claims(self) -> dict[tuple[TransportProtocol, int], tuple[NodePortClaim, ...]]:
        """Who claims which node port, health check ports included."""
        return node_port_claims(self.services.values())

    @cached_property
    def chain_owners(self) -> dict[str, ServicePortName]:
        """Service port by the 16 characters of its chains, in both spellings of an unnamed port."""
        owners: dict[str, ServicePortName] = {}
        for service in self.services.values():
            for port in service.ports:
                name = ServicePortName(service.key, port.name)
                protocol = TransportProtocol.parse(port.protocol)
                if protocol is not None:
                    for colon in (True, False):
                        owners[service_suffix(name, protocol, colon=colon)] = name
        return owners

    @cached_property
    def endpoints_input(self) -> Input:
        """Where published endpoints are read: EndpointSlices where the cluster has any, else Endpoints."""
        return Input.ENDPOINT_SLICES if self.slices or not self.endpoints else Input.ENDPOINTS

    @property
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
        """What the endpoint controllers published for each Service, as kube-proxy reads it.

        From EndpointSlices where the cluster has any, else from Endpoints.
        """
        if self.endpoints_input is Input.ENDPOINT_SLICES:
            return {key: backends_of_slices(items) for key, items in self.slices.items()}
        return {key: backends_of_endpoints(item) for key, item in self.endpoints.items()}

    @cached_property
    def hides_addresses(self) -> bool:
        """True where a cluster IP or an endpoint is no address, because it was redacted."""
        published = (b.endpoint.address for found in self.backends.values() for b in found)
        return hides_addresses(self.services.values(), FrontendKind.CLUSTER_IP) or any(
            family_of(address) is None for address in published
        )

    def declaration(self, entry: Entry) -> Ref:
        """Return where the API objects name the address of an expected entry, or its node port."""
        source, frontend = entry.source, entry.frontend
        if isinstance(source, ObjectRef) and frontend.kind is FrontendKind.NODE_PORT:
            return source.at("nodePort")
        service = entry.service_port and self.services.get(entry.service_port.service)
        claims = address_claims(service) if service else ()
        named = (
            c.source for c in claims if (c.kind, c.address) == (frontend.kind, frontend.address)
        )
        return next(named, source)

    def forwarding_plan(self, proxy: KubeProxy) -> ForwardingPlan:
        """Return what a kube-proxy should serve, from the sort of endpoints that its version reads."""
        before_slices = proxy.version.at_least(Minor(1, 19)) is False
        return self._endpoints_plan if before_slices and self.has(Input.ENDPOINTS) else self._plan

    @cached_property
    def _plan(self) -> ForwardingPlan:
        return ForwardingPlan(tuple(self.services.values()), self.backends)

    @cached_property
    def _endpoints_plan(self) -> ForwardingPlan:
        published = {
            key: backends_before_slices(item, self.slices.get(key, ()))
            for key, item in self.endpoints.items()
        }
        return ForwardingPlan(tuple(self.services.values()), published)


@dataclass(eq=False)
class ServiceView:
    """One Service with everything that hangs on it."""

    cluster: ClusterView
    service: Service

    @property
    def key(self) -> ServiceKey:
        """Namespace and name."""
        return self.service.key

    @cached_property
    def matching_pods(self) -> tuple[Pod, ...]:
        """Pods of the namespace whose labels match the selector, finished ones included."""
        selector = self.service.spec.selector
        if not selector:
            return ()
        pairs = selector.items()
        candidates = (self.cluster.pods_by_label.get((self.key.namespace, *p), ()) for p in pairs)
        fewest = min(candidates, key=len)
        return tuple(p for p in fewest if pairs <= p.labels.items())

    @cached_property
    def selected_pods(self) -> tuple[Pod, ...]:
        """Pods of the namespace whose labels match the selector, finished ones left out."""
        return tuple(p for p in self.matching_pods if not p.finished)

    @cached_property
    def workloads(self) -> tuple[Workload, ...]:
        """Deployments, StatefulSets, DaemonSets and lone ReplicaSets whose pods the selector matches."""
        pairs = (self.service.spec.selector or {}).items()
        found = self.cluster.workloads_by_namespace.get(self.key.namespace, ())
        return tuple(
            w
            for w in found
            if pairs
            and pairs <= (w.spec.template.metadata.labels or {}).items()
            and not (w.kind == "ReplicaSet" and w.metadata.owner_references)
        )

    @cached_property
    def current_pods(self) -> tuple[Pod, ...]:
        """The selected pods that are not being deleted."""
        return tuple(p for p in self.selected_pods if not p.terminating)

    @cached_property
    def unready_pods(self) -> tuple[UnreadyPod, ...]:
        """The current pods that are not ready, and why."""
        return tuple(self.cluster.why_unready(p) for p in self.current_pods if not p.ready)

    @cached_property
    def expected_backends(self) -> tuple[Backend, ...]:
        """What the endpoint controllers ought to have published, re-derived from the pods."""
        return expected_backends(self.service, self.selected_pods)

    @property
    def backends(self) -> tuple[Backend, ...]:
        """What they published, as kube-proxy reads it."""
        return self.cluster.backends.get(self.key, ())

    @property
    def slices(self) -> tuple[EndpointSlice, ...]:
        """EndpointSlices of the Service."""
        return self.cluster.slices.get(self.key, ())

    @property
    def endpoints(self) -> Endpoints | None:
        """The Endpoints object of the same name."""
        return self.cluster.endpoints.get(self.key)

    @cached_property
    def last_change(self) -> datetime | None:
        """When the Service, its pods or its endpoints changed last, or None where no object tells."""
        return last_change(self.service, self.selected_pods, self.slices, self.endpoints)

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        """How the endpoints that kube-proxy reads differ from those that the pods call for.

        Nothing while a change is younger than 60 seconds, and where the dumps to compare are missing or cut off.
        """
        cluster = self.cluster
        if not is_settled(self.last_change, cluster.identity.created_at, 0):
            return ()
        if not cluster.has(Input.PODS) or not cluster.has(cluster.endpoints_input):
            return ()
        if cluster.endpoints_input is Input.ENDPOINT_SLICES:
            return differences_from_slices(
                self.service, self.matching_pods, self.slices, cluster.known_nodes
            )
        return differences_from_endpoints(self.service, self.matching_pods, self.endpoints)

    @cached_property
    def unwritten(self) -> bool:
        """True where a controller should have written endpoints, and wrote none.

        Even a Service without pods gets an (empty) Endpoints and EndpointSlice, so none at all is telling; so is
        an empty one while pods are ready. Without a selector, Endpoints are mirrored from Kubernetes 1.19 on.
        """
        cluster, service = self.cluster, self.service
        from_slices = cluster.endpoints_input is Input.ENDPOINT_SLICES
        if service.spec.type == "ExternalName" or not cluster.has(cluster.endpoints_input):
            return False
        if not service.spec.selector:
            return from_slices and not self.slices and self._to_be_mirrored
        if not (self.slices if from_slices else self.endpoints):
            return True
        return not self.backends and any(d.expected and d.expected.ready for d in self.differences)

    @property
    def _to_be_mirrored(self) -> bool:
        item = self.endpoints
        minor = Minor.parse(self.cluster.kubernetes)
        return (
            item is not None
            and any(s.addresses for s in item.subsets or ())
            and item.labels.get(SKIP_MIRROR_LABEL) != "true"
            and LEADER_ANNOTATION not in item.annotations
            and (minor is None or minor >= Minor(1, 19))
        )

    @property
    def proxied(self) -> bool:
        """True when kube-proxy should serve it (`ShouldSkipService`, labels of other proxies)."""
        return is_proxied(self.service)


@dataclass(eq=False)
class NodeView:
    """One node with its files."""

    cluster: ClusterView
    name: str
    api_object: Node | None
    """The Node object, or None where only a directory of that name is in the bundle."""

    def availability(self, needed: Input) -> FileState:
        """Tell whether an input of the node (or of the cluster) is there and whole."""
        if needed.value.scope is Scope.CLUSTER:
            return self.cluster.availability(needed)
        return self.cluster.source.availability(needed, self.name)

    def has(self, needed: Input) -> bool:
        """Tell whether an input is there and whole."""
        return self.availability(needed).availability is Availability.PRESENT

    @property
    def collected(self) -> bool:
        """True when the bundle has any file of the node."""
        return self.name in self.cluster.source.node_names

    @property
    def windows(self) -> bool:
        """True for a Windows node, which has no iptables."""
        return self.api_object is not None and self.api_object.windows

    @property
    def provider_id(self) -> str:
        """`spec.providerID`, such as `gce://project/zone/name`; empty where the node is in no known cloud."""
        return (self.api_object.spec.provider_id if self.api_object else None) or ""

    @cached_property
    def _source(self) -> NodeSource:
        return self.cluster.source.node(self.name)

    # --- rulesets and forwarding ---

    @cached_property
    def _rulesets(self) -> dict[Family, tuple[Ruleset, ...]]:
        return {
            family: tuple(r for source in sources for r in self._source.rulesets(source)[-2:])
            for family, sources in _RULESET_INPUTS.items()
        }

    def rulesets(self, family: Family = Family.IPV4) -> tuple[Ruleset, ...]:
        """Return every dump of the family, the one of the backend in use first."""
        return self._rulesets[family]

    def ruleset(self, family: Family = Family.IPV4) -> Ruleset | None:
        """Return the dump that holds kube-proxy's rules, else the first one, or None without any."""
        dumps = self._rulesets[family]
        with_proxy = (r for r in dumps if r.chain("nat", "KUBE-SERVICES") is not None)
        return next(with_proxy, dumps[0] if dumps else None)

    @cached_property
    def kube_proxy(self) -> KubeProxy:
        """Mode, version and options of the node's kube-proxy."""
        return identify_kube_proxy(
            ProxyEvidence(
                node=self.api_object,
                rulesets=(*self.rulesets(Family.IPV4), *self.rulesets(Family.IPV6)),
                mode_file=self._source.text(Input.PROXY_MODE),
                mode_file_ref=SourceRef(Input.PROXY_MODE.path(self.name), 1),
                log=self.proxy_log,
                configz=self.document(Input.PROXY_CONFIGZ),
                config_file=self.document(Input.PROXY_CONFIG),
                config_map=self.cluster.config_document("kube-proxy", "config.conf"),
                other_config_maps=tuple(self.cluster.config_maps.values()),
                processes=self.processes,
                pods=self.cluster.pods_by_node.get(self.name, ()),
                nft_ruleset=self.document(Input.NFT_RULESET),
            )
        )

    @property
    def rules_unread(self) -> str:
        """Why no iptables ruleset can show this node's Services; empty where one can."""
        match self.kube_proxy.mode:
            case ProxyMode.NFTABLES | ProxyMode.IPVS as mode:
                return f"kube-proxy on {self.name} runs in {mode.value} mode, whose rules are not read yet"
            case ProxyMode.REPLACED:
                return f"another program serves Services on {self.name} in kube-proxy's place"
            case _:
                return ""

    def observed(self, family: Family = Family.IPV4) -> ForwardingTable | None:
        """Return what the node's rules do, or None where they were not read (mode, missing file)."""
        if family not in self._observed:
            self._observed[family] = self._observe(family)
        return self._observed[family]

    def _observe(self, family: Family) -> ForwardingTable | None:
        ruleset = self.ruleset(family)
        if ruleset is None:
            return None
        declared = tuple(entry.frontend for entry in self.expected(family).entries)
        match self.kube_proxy.mode:
            case ProxyMode.IPTABLES:
                return observe_iptables(ruleset, self.cluster.chain_owners, declared)
            case ProxyMode.USERSPACE:
                return observe_userspace(ruleset, declared)
            case _:
                return None

    @cached_property
    def _observed(self) -> dict[Family, ForwardingTable | None]:
        return {}

    def expected(self, family: Family = Family.IPV4) -> ForwardingTable:
        """Return what kube-proxy should serve on this node, from the API objects."""
        if family not in self._expected:
            plan = self.cluster.forwarding_plan(self.kube_proxy)
            self._expected[family] = plan.table(
                family=family, node=self.api_object, node_name=self.name, proxy=self.kube_proxy
            )
        return self._expected[family]

    @cached_property
    def _expected(self) -> dict[Family, ForwardingTable]:
        return {}

    def chain_graph(self, family: Family = Family.IPV4) -> ChainGraph | None:
        """Return how the chains of the family's ruleset hang together, or None without a ruleset."""
        ruleset = self.ruleset(family)
        if ruleset is not None and family not in self._graphs:
            self._graphs[family] = chain_graph(ruleset)
        return self._graphs.get(family)

    @cached_property
    def _graphs(self) -> dict[Family, ChainGraph]:
        return {}

    def chain_owners(self, family: Family = Family.IPV4) -> dict[str, ServicePortName]:
        """Return the Service port of each chain of a Service or endpoint, as far as the rules tell."""
        table = self.observed(family)
        owners: dict[str, ServicePortName] = {}
        for entry in table.entries if table else ():
            if entry.service_port is not None:
                owners[entry.chain] = entry.service_port
                owners.update((t.chain, entry.service_port) for t in entry.targets)
        owners.pop("", None)
        return owners

    def comparison(self, family: Family = Family.IPV4) -> Comparison | None:
        """Return how expected and observed forwarding differ, or None where none was observed."""
        if family not in self._comparisons:
            observed = self.observed(family)
            self._comparisons[family] = (
                None
                if observed is None
                else compare(self.expected(family), observed, self._knows_endpoints)
            )
        return self._comparisons[family]

    @property
    def incomparable(self) -> str:
        """Why the node's rules cannot be held against the API objects; empty where they can."""
        hidden = self.cluster.hides_addresses
        return "addresses in the bundle are redacted: rules cannot be compared" if hidden else ""

    def _knows_endpoints(self, entry: Entry) -> bool:
        """Tell whether the bundle has the endpoints of an entry: Endpoints hold a Service's first family only."""
        service = entry.service_port and self.cluster.services.get(entry.service_port.service)
        if self.cluster.slices or not service or not service.cluster_ips:
            return True
        address = entry.frontend.address or service.cluster_ips[0]
        return family_of(address) is family_of(service.cluster_ips[0])

    @cached_property
    def _comparisons(self) -> dict[Family, Comparison | None]:
        return {}

    @cached_property
    def cluster_ip_endpoints(self) -> dict[Frontend, frozenset[Endpoint]]:
        """Endpoints behind each cluster IP on this node, of all families; empty where it is refused."""
        return {
            frontend: frozenset().union(*(e.endpoints for e in entries))
            for family in Family
            for table in [self.observed(family)]
            if table is not None
            for frontend, entries in table.by_frontend.items()
            if frontend.kind is FrontendKind.CLUSTER_IP
        }

    def settled(self, key: ServiceKey) -> bool:
        """Tell whether the Service last changed long enough before the node's rules were dumped (F5)."""
        cluster = self.cluster
        view = cluster.service_views.get(key)
        if view is not None:
            changed = view.last_change
        else:
            published = cluster.slices.get(key, ()), cluster.endpoints.get(key)
            changed = last_change(None, (), *published)
        period = self.kube_proxy.options.sync_period_seconds
        return is_settled(changed, cluster.identity.created_at, period)

    @cached_property
    def kubelet_dns(self) -> KubeletDNS:
        """What the node's kubelet tells its pods about DNS."""
        return kubelet_dns(
            configz=self.document(Input.KUBELET_CONFIGZ),
            processes=self.processes,
            config=self.cluster.kubelet_config,
        )

    def answers_dns_beside_the_cluster(self, address: str) -> bool | None:
        """Tell whether a link-local nameserver answers on the node or in its cloud; None where unknown."""
        own = {canonical_ip(a.address) for a in self.addresses} or None
        return answers_beside_the_cluster(address, own, self.provider_id)

    # --- the way of packets ---

    @cached_property
    def host(self) -> Host:
        """What the simulator is told of the node."""
        rulesets = {f: dumps for f in Family if (dumps := self._dumps_in_force(f))}
        absent = frozenset(
            i for i in _HOST_INPUTS if self.availability(i).availability is Availability.ABSENT
        )
        pods = self.cluster.pods_by_node.get(self.name, ())
        return Host(
            name=self.name,
            rulesets=rulesets,
            order_known=all(order_is_known(dumps) for dumps in rulesets.values()),
            addresses=self.addresses,
            links=self.links,
            routes=self.routes or assumed_routes(pods),
            route_rules=self.route_rules,
            bridge_ports=self.bridge_ports,
            sysctls=self.sysctls,
            sockets=None if Input.SOCKETS in absent else self.sockets,
            sets=self.ip_sets,
            connections=self.connections,
            absent=absent,
            unexecuted={family: self._unexecuted(family) for family in Family},
            ipvs=self.kube_proxy.mode is ProxyMode.IPVS,
            assumptions=tuple(
                f"{self.name}: {_HOST_INPUTS[i]}"
                for i in sorted(absent, key=lambda i: i.name)
                if _HOST_INPUTS[i]
            ),
            internal_addresses=self.api_object.ips if self.api_object else (),
        )

    def _dumps_in_force(self, family: Family) -> tuple[Ruleset, ...]:
        files = [self._source.rulesets(source) for source in _RULESET_INPUTS[family]]
        dumps = dumps_in_force(files)
        read = tuple(d for d in dumps if not (d.empty and d.problems))
        if read:
            return read
        version = self._source.text(Input.IPTABLES_VERSION) or ""
        empty = empty_by_nft(self.document(Input.NFT_RULESET), family, version)
        return () if empty is None else (empty,)

    def _unexecuted(self, family: Family) -> tuple[str, ...]:
        """Return what else decides about packets here, and is not executed."""
        found = foreign_tables(self.document(Input.NFT_RULESET), family)
        match self.kube_proxy.mode:
            case ProxyMode.REPLACED | ProxyMode.NFTABLES if not found:
                return (self.rules_unread,)
            case _:
                return found

    @property
    def losses(self) -> tuple[Loss, ...]:
        """Connections to Services, from anywhere, that this node's rules or settings lose."""
        return self.cluster.reachability.losses.get(self.name, ())

    @property
    def unreachability(self) -> str:
        """Why not all can be said of where connections from this node end; empty where it can."""
        found = self.cluster.reachability
        if found.left_out:
            return (
                f"{found.left_out} connections of the cluster were not followed, there are too many: "
                "ask about single Services with --service"
            )
        return found.inconclusive.get(self.name, "")

    @property
    def site(self) -> Site:
        """The node as a place from which connections start."""
        pods = self.cluster.pods_by_node.get(self.name, ())
        return Site(
            name=self.name,
            pods=tuple(
                (p.full_name, p.ips)
                for p in pods
                if p.ready and p.ips and not (p.host_network or p.terminating or p.finished)
            ),
            addresses=self.api_object.internal_ips if self.api_object else (),
            entries=tuple(
                entry
                for family in Family
                for entry in self.expected(family).entries
                if self.cluster.is_asked(entry.service_port)
            ),
            rulesets=(*self.rulesets(Family.IPV4), *self.rulesets(Family.IPV6)),
        )

    # --- pod network ---

    def route_to(self, address: str) -> RouteAnswer | None:
        """Return where the node sends packets to an address, or None where its routes were not read in full."""
        family, value = family_of(address), number(address)
        if family is None or value is None or not self.routes:
            return None
        if self.availability(Input.ROUTE_RULES).availability is Availability.PARTIAL:
            return None
        if family not in self._routing:
            self._routing[family] = Routes(family, self.routes, self.route_rules)
        return self._routing[family].lookup(RouteKey(value))

    @cached_property
    def _routing(self) -> dict[Family, Routes]:
        return {}

    @cached_property
    def pod_bridges(self) -> frozenset[str]:
        """Linux bridges that pods of the node hang on, by the addresses and routes of the node."""
        ports = {p.bridge for p in self.bridge_ports} | {k.master for k in self.links}
        bridges = {k.name for k in self.links if k.kind == "bridge"} | ports - {""}
        networks = [n for n in map(network_of, self._pod_networks()) if n is not None]
        found = {
            a.interface
            for a in self.addresses
            if a.interface in bridges and any(_contains(n, a.address) for n in networks)
        }
        return frozenset(found) if self.addresses else frozenset(bridges - _OTHER_BRIDGES)

    def _pod_networks(self) -> Iterator[str]:
        yield from self.api_object.pod_cidrs if self.api_object else ()
        for pod in self.cluster.pods_by_node.get(self.name, ()):
            if not pod.host_network and not pod.finished:
                yield from (f"{ip}/24" if "." in ip else f"{ip}/64" for ip in pod.ips)

    # --- kube-proxy as a program ---

    @cached_property
    def proxy_pods(self) -> tuple[Pod, ...]:
        """Pods of kube-proxy on the node: of its DaemonSet, or static ones."""
        return tuple(p for p in self.cluster.pods_by_node.get(self.name, ()) if _is_kube_proxy(p))

    @cached_property
    def proxy_processes(self) -> tuple[Process, ...]:
        """Processes of kube-proxy, those inside other programs included."""
        return tuple(p for p in self.processes if p.program == "kube-proxy")

    @property
    def proxy_answered(self) -> bool:
        """True when a kube-proxy answered on the node while the bundle was made."""
        documents = (Input.PROXY_HEALTHZ, Input.PROXY_CONFIGZ)
        mode = self._source.text(Input.PROXY_MODE) or ""
        return mode.isalpha() or any(map(self.document, documents))

    @cached_property
    def other_mode_state(self) -> tuple[Sign, ...]:
        """State of another proxy mode that the kernel still follows."""
        return other_mode_state(
            self.kube_proxy.mode,
            (*self.rulesets(Family.IPV4), *self.rulesets(Family.IPV6)),
            self.document(Input.NFT_RULESET),
            self.addresses,
        )

    @property
    def embeds_kube_proxy(self) -> bool:
        """True where kube-proxy is known to be part of another program (facts F16), or of none.

        k3s, MicroK8s and OpenShift's SDN run it inside themselves, AWS Fargate outside of the node's sight; a
        virtual kubelet has no network of its own.
        """
        info = self.api_object.status.node_info if self.api_object else None
        version = info.kubelet_version if info else ""
        labels = self.api_object.labels if self.api_object else {}
        return (
            "+k3s" in version
            or "microk8s.io/cluster" in labels
            or labels.get("eks.amazonaws.com/compute-type") == "fargate"
            or labels.get("type") == "virtual-kubelet"
            or any(p.host for p in self.proxy_processes)
            or any(
                p.namespace == "openshift-sdn" and p.name.startswith("sdn-")
                for p in self.cluster.pods_by_node.get(self.name, ())
            )
        )

    # --- files ---

    @cached_property
    def proxy_log(self) -> tuple[LogEntry, ...]:
        """kube-proxy.log."""
        return self._source.log(Input.PROXY_LOG)

    @cached_property
    def proxy_log_topics(self) -> ProxyLog:
        """kube-proxy.log by topic."""
        return read_proxy_log(self.proxy_log, self.cluster.identity.created_at)

    @cached_property
    def kubelet_log(self) -> tuple[LogEntry, ...]:
        """kubelet.log."""
        return self._source.log(Input.KUBELET_LOG)

    @cached_property
    def sysctls(self) -> dict[str, Sysctl]:
        """sysctl.txt by name."""
        return self._source.sysctls()

    @cached_property
    def bridge_ports(self) -> tuple[BridgePort, ...]:
        """hairpin.txt."""
        return self._source.bridge_ports()

    @cached_property
    def addresses(self) -> tuple[InterfaceAddress, ...]:
        """Addresses of the node's interfaces."""
        return self._source.addresses()

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """The node's interfaces."""
        return self._source.links()

    @cached_property
    def routes(self) -> tuple[Route, ...]:
        """The node's routes, all tables and families."""
        return self._source.routes()

    @cached_property
    def route_rules(self) -> tuple[RoutePolicyRule, ...]:
        """ip-rule.txt."""
        return self._source.route_rules()

    @cached_property
    def processes(self) -> tuple[Process, ...]:
        """processes.txt."""
        return self._source.processes()

    @cached_property
    def sockets(self) -> tuple[Socket, ...]:
        """sockets.txt."""
        return self._source.sockets()

    @cached_property
    def ip_sets(self) -> dict[str, IPSet]:
        """ipset-save.txt by name."""
        return self._source.ip_sets()

    @cached_property
    def connections(self) -> tuple[ConntrackEntry, ...]:
        """conntrack.txt."""
        return self._source.connections()

    def listeners(self, protocol: TransportProtocol, port: int) -> tuple[Socket, ...]:
        """Return the sockets on which the node answers others: those on a loopback address are left out."""
        return tuple(
            s
            for s in self.sockets
            if s.protocol == protocol.value
            and s.port == port
            and not s.address.startswith("127.")
            and s.address != "::1"
        )

    @cached_property
    def resolv_conf(self) -> ResolvConf | None:
        """The node's own resolv.conf."""
        return self._source.resolv_conf()

    def document(self, source: Input) -> Document | None:
        """Return a JSON or YAML file of the node."""
        return self._source.document(source)


_CAUSES_OF_NODES = frozenset({UnreadyCause.NODE, UnreadyCause.NETWORK})
_HOST_INPUTS = {
    Input.ADDRESSES: "addresses as the Node object has them (no ip-addr.json)",
    Input.HAIRPIN: "",
    Input.LINKS: "",
    Input.ROUTES: "routes as the API's pods and nodes suggest (no ip-route.json)",
    Input.SOCKETS: "",
    Input.SYSCTLS: "default settings (no sysctl.txt)",
}
"""Inputs of a node that decide about packets, and what is taken for granted without them."""

_RULESET_INPUTS = {
    Family.IPV4: (Input.RULESET, Input.RULESET_NFT, Input.RULESET_LEGACY),
    Family.IPV6: (Input.RULESET_V6, Input.RULESET_V6_NFT, Input.RULESET_V6_LEGACY),
}

_OTHER_BRIDGES = frozenset({"docker0", "virbr0", "lxcbr0", "podman0"})
"""Bridges of other programs; used only where the node's addresses are not in the bundle."""


def _contains(network: IPv4Network | IPv6Network, address: str) -> bool:
    try:
        return ip_address(address) in network
    except ValueError:
        return False


def _is_kube_proxy(item: Pod | Workload) -> bool:
    """Tell by label, then by name and image, whether a pod or DaemonSet is kube-proxy."""
    if "kube-proxy" in {item.labels.get("k8s-app"), item.labels.get("component")}:
        return True
    spec = item.spec if isinstance(item, Pod) else item.spec.template.spec
    images = (c.image.rpartition("/")[2] for c in spec.containers or ())
    return item.name.startswith("kube-proxy") and any("kube-proxy" in image for image in images)
