"""The whole bundle, as checks see it."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cached_property
from typing import TYPE_CHECKING

from analyzer.expect.backends import (
    backends_before_slices,
)
from analyzer.expect.claims import (
    NodePortClaim,
    address_claims,
    node_port_claims,
)
from analyzer.expect.cluster_dns import (
    dns_addresses,
    dns_services,
)
from analyzer.expect.forwarding import ForwardingPlan
from analyzer.expect.readiness import UnreadyCause, UnreadyPod, why_unready
from analyzer.losses import Reachability
from analyzer.model.address import canonical_ip, family_of
from analyzer.model.forwarding import (
    Endpoint,
    Entry,
    Frontend,
    FrontendKind,
    ServiceKey,
)
from analyzer.model.forwarding import Protocol as TransportProtocol
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import KubeProxy, Minor
from analyzer.model.kubernetes import (
    Pod,
    Service,
)
from analyzer.model.ruleset import Family
from analyzer.model.source import ObjectRef, Ref
from analyzer.observe.known_entries import KnownEntries
from analyzer.simulate.address import number
from analyzer.simulate.host import Network
from analyzer.simulate.inventory import (
    host_listeners,
    node_ports,
    pod_ranges,
    pod_sites,
)
from analyzer.snapshot.cluster_objects import ClusterObjects
from analyzer.snapshot.node import NodeView
from analyzer.snapshot.node_pods import PodsLent
from analyzer.snapshot.service import ServiceView
from analyzer.snapshot.sources import (
    Availability,
)

if TYPE_CHECKING:
    from analyzer.simulate.trace import Simulator


class ClusterView(ClusterObjects):
    """The whole bundle: its objects, nodes and Services, and what follows from all of them together."""

    @cached_property
    def runs_kube_proxy(self) -> bool:
        """True when a pod, process or answer of kube-proxy is seen on any node."""
        return any(
            node.proxy_pods or node.proxy_processes or node.proxy_answered
            for node in self.nodes.values()
        )

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
        return dns_addresses(self.dns_services, self.config_maps.values(), self.pods)

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
    def nodes(self) -> dict[str, NodeView]:
        """Every node of the API or with a directory in the bundle, sorted by name."""
        api = {n.name: n for n in self._nodes}
        names = sorted({*api, *self.source.node_names})
        return {name: NodeView(self, name, api.get(name)) for name in names}

    @cached_property
    def worked_out(self) -> KnownEntries | None:
        """What was found in the rules of nodes so far; None where there is only one."""
        return KnownEntries() if len(self.source.node_names) > 1 else None

    def read_services(self) -> None:
        """Read what the rules of every node are held against, so that processes forked from now on share it."""
        for found in (self.service_views, self.backends, self.chain_owners):
            del found

    def lend_pods(self) -> PodsLent:
        """Read the pods; return what a process that has not read them needs to know for its nodes."""
        return PodsLent(self.node_pods, self.availability(Input.PODS))

    def borrow_pods(self, lent: PodsLent) -> None:
        """Take for known what another process found out about the pods; it reads them only if it asks for more."""
        self.node_pods = lent.nodes
        self.source.assume(Input.PODS, lent.state)

    @cached_property
    def reachability(self) -> Reachability:
        """Where connections to Services end, from every node whose rules were read."""
        nodes = [n for n in self.nodes.values() if n.has_rules and not n.rules_unread]
        if all(n.untouched for n in nodes):
            return Reachability({}, {}, 0)
        from analyzer.reachability import follow  # noqa: PLC0415 - as is the simulator

        return follow(self.simulator, [n.site for n in nodes])

    @cached_property
    def simulator(self) -> Simulator:
        """Walks packets through all nodes."""
        from analyzer.simulate.trace import Simulator  # noqa: PLC0415 - few bundles need it: to import it takes 20 ms

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
    def node_addresses(self) -> dict[Family | None, tuple[int, ...]]:
        """The nodes' IP addresses as numbers, by family."""
        found: dict[Family | None, list[int]] = defaultdict(list)
        for ip in self.node_by_ip:
            value = number(ip)
            if value is not None:
                found[family_of(ip)].append(value)
        return {family: tuple(values) for family, values in found.items()}

    @cached_property
    def nodes_by_pod_cidr(self) -> dict[str, tuple[NodeView, ...]]:
        """Nodes by the ranges that they were given for their pods, as these are spelled."""
        found: dict[str, list[NodeView]] = defaultdict(list)
        for node in self.nodes.values():
            for cidr in node.api_object.pod_cidrs if node.api_object else ():
                found[cidr].append(node)
        return {cidr: tuple(nodes) for cidr, nodes in found.items()}

    @cached_property
    def node_port_claims(self) -> dict[tuple[TransportProtocol, int], tuple[NodePortClaim, ...]]:
        """Who claims which node port, health check ports included."""
        return node_port_claims(self.services.values())

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


_CAUSES_OF_NODES = frozenset({UnreadyCause.NODE, UnreadyCause.NETWORK})
