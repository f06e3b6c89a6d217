"""What checks are given: the cluster, a node and a Service, with what should be and what is there.

Views are read-only and lazy: nothing is parsed before a check asks for it. They know no file format;
`analyzer.load` hands them sources that do.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Protocol, TypeVar

from analyzer.expect.backends import backends_of_endpoints, backends_of_slices, is_proxied
from analyzer.expect.endpoints import expected_backends
from analyzer.expect.forwarding import expected_forwarding
from analyzer.model.backend import Backend
from analyzer.model.bundle import BundleIdentity
from analyzer.model.chain_names import service_suffix
from analyzer.model.forwarding import ForwardingTable, ServiceKey, ServicePortName
from analyzer.model.forwarding import Protocol as TransportProtocol
from analyzer.model.inputs import Input, Scope
from analyzer.model.kube_proxy import KubeProxy, Minor, ProxyMode
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
from analyzer.model.source import ObjectRef, ParseProblem, SourceRef
from analyzer.observe.iptables import observe_iptables
from analyzer.observe.kube_proxy import ProxyEvidence, identify_kube_proxy
from analyzer.observe.userspace import observe_userspace

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

    def resolv_conf(self) -> ResolvConf | None:
        """Return the node's resolv.conf."""


class ClusterSource(Protocol):
    """Reads the cluster-wide files and lists what the bundle holds."""

    identity: BundleIdentity
    node_names: tuple[str, ...]
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

    def parse_problems(self) -> tuple[ParseProblem, ...]:
        """Return the problems of all files parsed so far."""


class Availability(Enum):
    """Whether an input can be relied on."""

    PRESENT = "present"
    PARTIAL = "partial"
    """Cut off: what is absent from it may have been lost."""

    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class FileState:
    """Availability of one input for one subject, and why."""

    availability: Availability
    path: str
    reason: str = ""
    """Why it is absent or partial, in the user's words."""


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

    @cached_property
    def config_maps(self) -> dict[str, ConfigMap]:
        """ConfigMaps of kube-system by name."""
        return {c.name: c for c in self.source.objects(Input.CONFIG_MAPS, ConfigMap)}

    def config_document(self, config_map: str, key: str) -> Document | None:
        """Return the YAML or JSON document in a ConfigMap's value, or None where there is none."""
        found = self.config_maps.get(config_map)
        text = (found.data or {}).get(key) if found else None
        if found is None or text is None:
            return None
        return self.source.document_of(text, found.ref.at("data", key))

    @cached_property
    def pod_resolv_confs(self) -> tuple[PodResolvConf, ...]:
        """The resolv.conf of every pod that was asked."""
        return self.source.pod_resolv_confs()

    @cached_property
    def _nodes(self) -> tuple[Node, ...]:
        return self.source.objects(Input.NODES, Node)

    # --- views ---

    @cached_property
    def nodes(self) -> dict[str, NodeView]:
        """Every node of the API or with a directory in the bundle, sorted by name."""
        api = {n.name: n for n in self._nodes}
        names = sorted({*api, *self.source.node_names})
        return {name: NodeView(self, name, api.get(name)) for name in names}

    @cached_property
    def service_views(self) -> dict[ServiceKey, ServiceView]:
        """Every Service, sorted by name."""
        return {key: ServiceView(self, service) for key, service in self.services.items()}

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
    def backends(self) -> dict[ServiceKey, tuple[Backend, ...]]:
        """What the endpoint controllers published for each Service, as kube-proxy reads it.

        From EndpointSlices where the bundle has them, else from Endpoints.
        """
        if self.availability(Input.ENDPOINT_SLICES).availability is not Availability.ABSENT:
            return {key: backends_of_slices(items) for key, items in self.slices.items()}
        return {key: backends_of_endpoints(item) for key, item in self.endpoints.items()}


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
    def selected_pods(self) -> tuple[Pod, ...]:
        """Pods of the namespace whose labels match the selector, finished ones left out."""
        selector = self.service.spec.selector
        if not selector:
            return ()
        pods = self.cluster.pods_by_namespace.get(self.service.namespace, ())
        return tuple(p for p in pods if not p.finished and selector.items() <= p.labels.items())

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

    def observed(self, family: Family = Family.IPV4) -> ForwardingTable | None:
        """Return what the node's rules do, or None where they were not read (mode, missing file)."""
        if family not in self._observed:
            self._observed[family] = self._observe(family)
        return self._observed[family]

    def _observe(self, family: Family) -> ForwardingTable | None:
        ruleset = self.ruleset(family)
        if ruleset is None:
            return None
        match self.kube_proxy.mode:
            case ProxyMode.IPTABLES:
                return observe_iptables(ruleset, self.cluster.chain_owners)
            case ProxyMode.USERSPACE:
                return observe_userspace(ruleset)
            case _:
                return None

    @cached_property
    def _observed(self) -> dict[Family, ForwardingTable | None]:
        return {}

    def expected(self, family: Family = Family.IPV4) -> ForwardingTable:
        """Return what kube-proxy should serve on this node, from the API objects."""
        if family not in self._expected:
            self._expected[family] = expected_forwarding(
                family=family,
                services=tuple(self.cluster.services.values()),
                backends=self.cluster.backends,
                node=self.api_object,
                node_name=self.name,
                proxy=self.kube_proxy,
            )
        return self._expected[family]

    @cached_property
    def _expected(self) -> dict[Family, ForwardingTable]:
        return {}

    # --- files ---

    @cached_property
    def proxy_log(self) -> tuple[LogEntry, ...]:
        """kube-proxy.log."""
        return self._source.log(Input.PROXY_LOG)

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
    def resolv_conf(self) -> ResolvConf | None:
        """The node's own resolv.conf."""
        return self._source.resolv_conf()

    def document(self, source: Input) -> Document | None:
        """Return a JSON or YAML file of the node."""
        return self._source.document(source)


_RULESET_INPUTS = {
    Family.IPV4: (Input.RULESET, Input.RULESET_NFT, Input.RULESET_LEGACY),
    Family.IPV6: (Input.RULESET_V6, Input.RULESET_V6_NFT, Input.RULESET_V6_LEGACY),
}
