"""API objects, reduced to the fields that decide how a Service is served.

Decoded in bulk by msgspec; every field has a default because dumps come from many versions, and `null`
is what the API server writes for an empty list. Field meanings: Kubernetes API reference, v1.36.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from analyzer.model.forwarding import ServiceKey
from analyzer.model.source import NOWHERE, ObjectRef

Labels = dict[str, str]
Port = Annotated[int, Meta(ge=0, le=65535)]


class OwnerReference(Struct, frozen=True, rename="camel"):
    """The object that created this one."""

    kind: str = ""
    name: str = ""
    controller: bool | None = None


class ManagedFields(Struct, frozen=True, rename="camel"):
    """Who last wrote the object, and when (RFC 3339)."""

    manager: str = ""
    operation: str = ""
    time: str | None = None


class Metadata(Struct, frozen=True, rename="camel"):
    """What every object has."""

    name: str = ""
    namespace: str = ""
    labels: Labels | None = None
    annotations: Labels | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    owner_references: tuple[OwnerReference, ...] | None = None
    managed_fields: tuple[ManagedFields, ...] | None = None


class Resource(Struct, frozen=True, rename="camel", kw_only=True):
    """An API object with its place in the bundle."""

    metadata: Metadata = Metadata()
    ref: ObjectRef = field(default=NOWHERE, name="(place in the bundle)")
    """Where the object was read; set by the loader, never by the dump."""

    @property
    def name(self) -> str:
        """`metadata.name`."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """`metadata.namespace`; empty for cluster-scoped kinds."""
        return self.metadata.namespace

    @property
    def labels(self) -> Labels:
        """`metadata.labels`; empty where absent."""
        return self.metadata.labels or {}

    @property
    def annotations(self) -> Labels:
        """`metadata.annotations`; empty where absent."""
        return self.metadata.annotations or {}

    @property
    def full_name(self) -> str:
        """`namespace/name`, or the name alone for cluster-scoped kinds."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


R = TypeVar("R", bound=Resource)


def with_ref(resource: R, ref: ObjectRef) -> R:
    """Return the object, now knowing where it was read."""
    msgspec.structs.force_setattr(resource, "ref", ref)
    return resource


class Condition(Struct, frozen=True, rename="camel"):
    """A `status.conditions` entry; `status` is `True`, `False` or `Unknown`."""

    type: str = ""
    status: str = ""
    reason: str | None = None
    message: str | None = None
    last_transition_time: str | None = None


# --- Service -----------------------------------------------------------------------------------


class ServicePort(Struct, frozen=True, rename="camel"):
    """One port of a Service."""

    port: Port = 0
    name: str = ""
    protocol: str = "TCP"
    target_port: Port | str | None = None
    node_port: Port | None = None

    @property
    def effective_target_port(self) -> int | str:
        """`targetPort`, or the port itself where it is not set (service defaulting)."""
        return self.port if self.target_port is None else self.target_port

    @property
    def label(self) -> str:
        """Name of the port, or its number where it has none."""
        return self.name or str(self.port)


class ClientIPConfig(Struct, frozen=True, rename="camel"):
    """`sessionAffinityConfig.clientIP`."""

    timeout_seconds: int | None = None


class SessionAffinityConfig(Struct, frozen=True, rename="camel"):
    """`sessionAffinityConfig`."""

    client_ip: ClientIPConfig | None = field(default=None, name="clientIP")


class ServiceSpec(Struct, frozen=True, rename="camel"):
    """`spec` of a Service."""

    type: str = "ClusterIP"
    cluster_ip: str = field(default="", name="clusterIP")
    cluster_ips: tuple[str, ...] | None = field(default=None, name="clusterIPs")
    ip_families: tuple[str, ...] | None = None
    ip_family_policy: str | None = None
    ports: tuple[ServicePort, ...] | None = None
    selector: Labels | None = None
    external_ips: tuple[str, ...] | None = field(default=None, name="externalIPs")
    external_name: str | None = None
    external_traffic_policy: str | None = None
    internal_traffic_policy: str | None = None
    health_check_node_port: Port | None = None
    load_balancer_source_ranges: tuple[str, ...] | None = None
    load_balancer_class: str | None = None
    load_balancer_ip: str | None = field(default=None, name="loadBalancerIP")
    publish_not_ready_addresses: bool | None = None
    session_affinity: str | None = None
    session_affinity_config: SessionAffinityConfig | None = None
    traffic_distribution: str | None = None


class LoadBalancerIngress(Struct, frozen=True, rename="camel"):
    """One address that a load balancer gave."""

    ip: str | None = None
    hostname: str | None = None
    ip_mode: str | None = None


class LoadBalancerStatus(Struct, frozen=True, rename="camel"):
    """`status.loadBalancer`."""

    ingress: tuple[LoadBalancerIngress, ...] | None = None


class ServiceStatus(Struct, frozen=True, rename="camel"):
    """`status` of a Service."""

    load_balancer: LoadBalancerStatus | None = None


class Service(Resource, frozen=True, rename="camel", kw_only=True):
    """A v1 Service."""

    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()

    @property
    def key(self) -> ServiceKey:
        """Namespace and name."""
        return ServiceKey(self.namespace, self.name)

    @property
    def ports(self) -> tuple[ServicePort, ...]:
        """`spec.ports`; empty where absent (a headless Service may have none)."""
        return self.spec.ports or ()

    def target_port_ref(self, index: int) -> ObjectRef:
        """Return where the target port of a port stands: in `port` where `targetPort` is not set."""
        field = "port" if self.ports[index].target_port is None else "targetPort"
        return self.ref.at("spec", "ports", index, field)

    @property
    def cluster_ips(self) -> tuple[str, ...]:
        """The cluster IPs, without `None` and empty strings; `clusterIP` alone before Kubernetes 1.20."""
        listed = self.spec.cluster_ips or (self.spec.cluster_ip,)
        return tuple([ip for ip in listed if ip and ip != "None"])

    @property
    def headless(self) -> bool:
        """True for `clusterIP: None`."""
        return self.spec.cluster_ip == "None"

    @property
    def ingress_ips(self) -> tuple[str, ...]:
        """Load-balancer IPs that kube-proxy serves (`ipMode: Proxy` and host names are left out)."""
        status = self.status.load_balancer
        ingress = (status.ingress if status else None) or ()
        return tuple(i.ip for i in ingress if i.ip and i.ip_mode in {None, "", "VIP"})


# --- Endpoints and EndpointSlices ------------------------------------------------------------------


class TargetRef(Struct, frozen=True, rename="camel"):
    """The pod behind an endpoint."""

    kind: str = ""
    name: str = ""
    namespace: str = ""


class EndpointAddress(Struct, frozen=True, rename="camel"):
    """One address of an Endpoints subset."""

    ip: str = ""
    hostname: str | None = None
    node_name: str | None = None
    target_ref: TargetRef | None = None


class EndpointPort(Struct, frozen=True, rename="camel"):
    """A port of a subset or slice; `port: null` stands for "all ports" and serves nothing."""

    port: Port | None = None
    name: str | None = None
    protocol: str | None = None


class EndpointSubset(Struct, frozen=True, rename="camel"):
    """Addresses that share a set of ports."""

    addresses: tuple[EndpointAddress, ...] | None = None
    not_ready_addresses: tuple[EndpointAddress, ...] | None = None
    ports: tuple[EndpointPort, ...] | None = None


class Endpoints(Resource, frozen=True, rename="camel", kw_only=True):
    """A v1 Endpoints object."""

    subsets: tuple[EndpointSubset, ...] | None = None

    @property
    def key(self) -> ServiceKey:
        """Namespace and name of the Service it belongs to."""
        return ServiceKey(self.namespace, self.name)


class EndpointConditions(Struct, frozen=True, rename="camel"):
    """`conditions` of an endpoint; None means what the API says it means for each."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class ZoneHint(Struct, frozen=True, rename="camel"):
    """A zone or node that should use the endpoint."""

    name: str = ""


class EndpointHints(Struct, frozen=True, rename="camel"):
    """`hints` of an endpoint."""

    for_zones: tuple[ZoneHint, ...] | None = None
    for_nodes: tuple[ZoneHint, ...] | None = None


class SliceEndpoint(Struct, frozen=True, rename="camel"):
    """One endpoint of a slice."""

    addresses: tuple[str, ...] | None = None
    conditions: EndpointConditions | None = None
    node_name: str | None = None
    zone: str | None = None
    target_ref: TargetRef | None = None
    hints: EndpointHints | None = None
    topology: Labels | None = None
    """Where `discovery.k8s.io/v1beta1` (Kubernetes 1.17 to 1.20) says node and zone."""

    @property
    def node(self) -> str:
        """Name of the node it runs on; empty where not published."""
        return self.node_name or (self.topology or {}).get("kubernetes.io/hostname", "")

    @property
    def ready(self) -> bool:
        """`conditions.ready`; unset counts as true (API reference)."""
        return self.conditions is None or self.conditions.ready is not False

    @property
    def serving(self) -> bool:
        """`conditions.serving`; unset counts as the value of ready (API reference)."""
        if self.conditions is None or self.conditions.serving is None:
            return self.ready
        return self.conditions.serving

    @property
    def terminating(self) -> bool:
        """`conditions.terminating`; unset counts as false."""
        return self.conditions is not None and self.conditions.terminating is True


class EndpointSlice(Resource, frozen=True, rename="camel", kw_only=True):
    """A discovery.k8s.io EndpointSlice."""

    address_type: str = ""
    endpoints: tuple[SliceEndpoint, ...] | None = None
    ports: tuple[EndpointPort, ...] | None = None

    @property
    def service(self) -> ServiceKey:
        """The Service that the label `kubernetes.io/service-name` names."""
        return ServiceKey(self.namespace, self.labels.get("kubernetes.io/service-name", ""))

    @property
    def managed_by(self) -> str:
        """Value of the label `endpointslice.kubernetes.io/managed-by`; empty where absent."""
        return self.labels.get("endpointslice.kubernetes.io/managed-by", "")


# --- Pods and what creates them ------------------------------------------------------------------


class ContainerPort(Struct, frozen=True, rename="camel"):
    """A declared port of a container."""

    container_port: Port = 0
    name: str = ""
    protocol: str = "TCP"


class Container(Struct, frozen=True, rename="camel"):
    """A container of a pod; environment values are never decoded."""

    name: str = ""
    image: str = ""
    ports: tuple[ContainerPort, ...] | None = None
    command: tuple[str, ...] | None = None
    args: tuple[str, ...] | None = None
    restart_policy: str | None = None

    @property
    def repository(self) -> str:
        """The image without tag and digest."""
        name = self.image.partition("@")[0]
        path, colon, tag = name.rpartition(":")
        return path if colon and "/" not in tag else name


class DNSOption(Struct, frozen=True, rename="camel"):
    """An option of `dnsConfig`."""

    name: str = ""
    value: str | None = None


class DNSConfig(Struct, frozen=True, rename="camel"):
    """`spec.dnsConfig`."""

    nameservers: tuple[str, ...] | None = None
    searches: tuple[str, ...] | None = None
    options: tuple[DNSOption, ...] | None = None


class ReadinessGate(Struct, frozen=True, rename="camel"):
    """A condition that must be true for the pod to be ready."""

    condition_type: str = ""


class Toleration(Struct, frozen=True, rename="camel"):
    """A toleration of a pod."""

    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""


class NodeSelectorRequirement(Struct, frozen=True, rename="camel"):
    """`operator` is In, NotIn, Exists, DoesNotExist, Gt or Lt."""

    key: str = ""
    operator: str = ""
    values: tuple[str, ...] | None = None


class NodeSelectorTerm(Struct, frozen=True, rename="camel"):
    """Matches a node that meets all requirements."""

    match_expressions: tuple[NodeSelectorRequirement, ...] | None = None
    match_fields: tuple[NodeSelectorRequirement, ...] | None = None


class NodeSelector(Struct, frozen=True, rename="camel"):
    """Matches a node that any of the terms matches."""

    node_selector_terms: tuple[NodeSelectorTerm, ...] | None = None


class NodeAffinity(Struct, frozen=True, rename="camel"):
    """`affinity.nodeAffinity`, as far as a scheduler must obey it."""

    required: NodeSelector | None = field(
        default=None, name="requiredDuringSchedulingIgnoredDuringExecution"
    )


class Affinity(Struct, frozen=True, rename="camel"):
    """`affinity` of a pod."""

    node_affinity: NodeAffinity | None = None


class PodSpec(Struct, frozen=True, rename="camel"):
    """`spec` of a pod or pod template."""

    node_name: str = ""
    host_network: bool | None = None
    dns_policy: str = "ClusterFirst"
    dns_config: DNSConfig | None = None
    containers: tuple[Container, ...] | None = None
    init_containers: tuple[Container, ...] | None = None
    readiness_gates: tuple[ReadinessGate, ...] | None = None
    tolerations: tuple[Toleration, ...] | None = None
    node_selector: Labels | None = None
    affinity: Affinity | None = None
    subdomain: str | None = None
    hostname: str | None = None


class PodIP(Struct, frozen=True, rename="camel"):
    """One address of a pod."""

    ip: str = ""


class ContainerStateDetail(Struct, frozen=True, rename="camel"):
    """Why a container waits or ended; nothing of one that runs."""

    reason: str | None = None
    message: str | None = None
    exit_code: int | None = None
    finished_at: str | None = None


class ContainerState(Struct, frozen=True, rename="camel"):
    """Exactly one of the three is set."""

    waiting: ContainerStateDetail | None = None
    running: ContainerStateDetail | None = None
    terminated: ContainerStateDetail | None = None


class ContainerStatus(Struct, frozen=True, rename="camel"):
    """`status.containerStatuses` entry."""

    name: str = ""
    ready: bool = False
    restart_count: int = 0
    state: ContainerState | None = None
    last_state: ContainerState | None = None


class PodStatus(Struct, frozen=True, rename="camel"):
    """`status` of a pod."""

    phase: str = ""
    reason: str | None = None
    pod_ip: str | None = field(default=None, name="podIP")
    pod_ips: tuple[PodIP, ...] | None = field(default=None, name="podIPs")
    conditions: tuple[Condition, ...] | None = None
    container_statuses: tuple[ContainerStatus, ...] | None = None
    init_container_statuses: tuple[ContainerStatus, ...] | None = None


class Pod(Resource, frozen=True, rename="camel", kw_only=True):
    """A v1 Pod."""

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def ips(self) -> tuple[str, ...]:
        """All addresses; `podIP` alone before Kubernetes 1.16."""
        status = self.status
        listed = tuple([p.ip for p in status.pod_ips or () if p.ip])
        return listed or ((status.pod_ip,) if status.pod_ip else ())

    @property
    def host_network(self) -> bool:
        """True when the pod uses its node's network."""
        return self.spec.host_network is True

    @property
    def containers(self) -> tuple[Container, ...]:
        """`spec.containers`."""
        return self.spec.containers or ()

    @property
    def main_container(self) -> Container | None:
        """The container that kubectl takes for the pod's own: the one its annotation names, else the first."""
        containers = self.containers
        if len(containers) > 1:
            name = self.annotations.get("kubectl.kubernetes.io/default-container")
            containers = tuple([c for c in containers if c.name == name]) or containers
        return containers[0] if containers else None

    @property
    def terminating(self) -> bool:
        """True when `deletionTimestamp` is set."""
        return self.metadata.deletion_timestamp is not None

    @property
    def finished(self) -> bool:
        """True for phase Succeeded or Failed: never an endpoint."""
        return self.status.phase in {"Succeeded", "Failed"}

    def condition(self, kind: str) -> Condition | None:
        """Return the condition of that type, or None."""
        for condition in self.status.conditions or ():
            if condition.type == kind:
                return condition
        return None

    @property
    def ready(self) -> bool:
        """True when the condition Ready is `True` (containers and readiness gates)."""
        condition = self.condition("Ready")
        return condition is not None and condition.status == "True"


class LabelSelectorRequirement(Struct, frozen=True, rename="camel"):
    """One `matchExpressions` entry."""

    key: str = ""
    operator: str = ""
    values: tuple[str, ...] | None = None


class LabelSelector(Struct, frozen=True, rename="camel"):
    """`matchLabels` and `matchExpressions`."""

    match_labels: Labels | None = None
    match_expressions: tuple[LabelSelectorRequirement, ...] | None = None


class PodTemplate(Struct, frozen=True, rename="camel"):
    """`spec.template`."""

    metadata: Metadata = Metadata()
    spec: PodSpec = PodSpec()


class WorkloadSpec(Struct, frozen=True, rename="camel"):
    """`spec` of a Deployment, StatefulSet, ReplicaSet or DaemonSet."""

    replicas: int | None = None
    selector: LabelSelector | None = None
    template: PodTemplate = PodTemplate()


class WorkloadStatus(Struct, frozen=True, rename="camel"):
    """`status` of a workload; a DaemonSet has the number fields, the others replicas."""

    replicas: int | None = None
    ready_replicas: int | None = None
    desired_number_scheduled: int | None = None
    current_number_scheduled: int | None = None
    number_ready: int | None = None


class Workload(Resource, frozen=True, rename="camel", kw_only=True):
    """A Deployment, StatefulSet, ReplicaSet or DaemonSet; `kind` tells which."""

    kind: str = ""
    spec: WorkloadSpec = WorkloadSpec()
    status: WorkloadStatus = WorkloadStatus()


# --- Nodes, namespaces, events, configuration --------------------------------------------------------


class NodeAddress(Struct, frozen=True, rename="camel"):
    """`type` is InternalIP, ExternalIP, Hostname, InternalDNS or ExternalDNS."""

    type: str = ""
    address: str = ""


class Taint(Struct, frozen=True, rename="camel"):
    """A taint of a node."""

    key: str = ""
    value: str = ""
    effect: str = ""


class NodeSpec(Struct, frozen=True, rename="camel"):
    """`spec` of a Node."""

    pod_cidr: str | None = field(default=None, name="podCIDR")
    pod_cidrs: tuple[str, ...] | None = field(default=None, name="podCIDRs")
    taints: tuple[Taint, ...] | None = None
    provider_id: str | None = field(default=None, name="providerID")


class NodeSystemInfo(Struct, frozen=True, rename="camel"):
    """`status.nodeInfo`."""

    kubelet_version: str = ""
    kube_proxy_version: str = ""
    os_image: str = ""
    kernel_version: str = ""
    container_runtime_version: str = ""
    operating_system: str = ""


class NodeStatus(Struct, frozen=True, rename="camel"):
    """`status` of a Node."""

    addresses: tuple[NodeAddress, ...] | None = None
    conditions: tuple[Condition, ...] | None = None
    node_info: NodeSystemInfo | None = None


class Node(Resource, frozen=True, rename="camel", kw_only=True):
    """A v1 Node."""

    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()

    @property
    def internal_ips(self) -> tuple[str, ...]:
        """Addresses of type InternalIP."""
        return tuple(a.address for a in self.status.addresses or () if a.type == "InternalIP")

    @property
    def ips(self) -> tuple[str, ...]:
        """Addresses of type InternalIP and ExternalIP."""
        kinds = {"InternalIP", "ExternalIP"}
        return tuple(a.address for a in self.status.addresses or () if a.type in kinds)

    @property
    def pod_cidrs(self) -> tuple[str, ...]:
        """`spec.podCIDRs`, or `podCIDR` alone before Kubernetes 1.16; empty where the CNI assigns its own."""
        listed = self.spec.pod_cidrs or ((self.spec.pod_cidr,) if self.spec.pod_cidr else ())
        return tuple(c for c in listed if c)

    @property
    def windows(self) -> bool:
        """True for a Windows node, which has no iptables."""
        label = self.labels.get("kubernetes.io/os", "")
        info = self.status.node_info
        return "windows" in {label, info.operating_system if info else ""}

    @property
    def zone(self) -> str:
        """Label `topology.kubernetes.io/zone`; empty where absent."""
        return self.labels.get("topology.kubernetes.io/zone", "")

    def condition(self, kind: str) -> Condition | None:
        """Return the condition of that type, or None."""
        return next((c for c in self.status.conditions or () if c.type == kind), None)


class Namespace(Resource, frozen=True, rename="camel", kw_only=True):
    """A v1 Namespace."""


class ConfigMap(Resource, frozen=True, rename="camel", kw_only=True):
    """A v1 ConfigMap of the network configuration."""

    data: Labels | None = None


class ObjectReference(Struct, frozen=True, rename="camel"):
    """What an event is about."""

    kind: str = ""
    name: str = ""
    namespace: str = ""
    field_path: str | None = None


class EventSeries(Struct, frozen=True, rename="camel"):
    """Repetitions of an event."""

    count: int | None = None
    last_observed_time: str | None = None


class Event(Resource, frozen=True, rename="camel", kw_only=True):
    """A v1 Event."""

    involved_object: ObjectReference = ObjectReference()
    reason: str | None = None
    message: str | None = None
    type: str | None = None
    count: int | None = None
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    event_time: str | None = None
    series: EventSeries | None = None


class NetworkPolicy(Resource, frozen=True, rename="camel", kw_only=True):
    """A NetworkPolicy; its rules are not read yet."""


class Ingress(Resource, frozen=True, rename="camel", kw_only=True):
    """An Ingress; its backends are not read yet."""


class Version(Struct, frozen=True, rename="camel"):
    """Answer of `/version`."""

    git_version: str = ""
