"""The files of one node: rulesets, logs, addresses, routes, processes, and what they say by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING

from analyzer.expect.pod_ranges import PodRange, ranges_of_node
from analyzer.model.address import family_of, network_of
from analyzer.model.conntrack import ConntrackEntry
from analyzer.model.forwarding import Protocol as TransportProtocol
from analyzer.model.inputs import Input, Scope
from analyzer.model.ip_set import IPSet
from analyzer.model.kubernetes import (
    Node,
    Pod,
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
from analyzer.observe.chains import ChainGraph, chain_graph
from analyzer.observe.proxy_log import ProxyLog, read_proxy_log
from analyzer.observe.replacement import is_openshift_sdn
from analyzer.simulate.address import number
from analyzer.simulate.routing import RouteAnswer, RouteKey, Routes
from analyzer.snapshot.node_pods import NodePods
from analyzer.snapshot.sources import (
    Availability,
    FileState,
    NodeSource,
)

if TYPE_CHECKING:
    from analyzer.snapshot.cluster import ClusterView


@dataclass(eq=False)
class NodeFacts:
    """What the files of one node say."""

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

    def chain_graph(self, family: Family = Family.IPV4) -> ChainGraph | None:
        """Return how the chains of the family's ruleset hang together, or None without a ruleset."""
        ruleset = self.ruleset(family)
        if ruleset is not None and family not in self._graphs:
            self._graphs[family] = chain_graph(ruleset)
        return self._graphs.get(family)

    @cached_property
    def _graphs(self) -> dict[Family, ChainGraph]:
        return {}

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
        if not bridges:
            return frozenset()
        texts = dict.fromkeys(self._pod_networks())
        networks = [n for n in map(network_of, texts) if n is not None]
        found = {
            a.interface
            for a in self.addresses
            if a.interface in bridges and any(_contains(n, a.address) for n in networks)
        }
        return frozenset(found) if self.addresses else frozenset(bridges - _OTHER_BRIDGES)

    def _pod_networks(self) -> Iterator[str]:
        yield from self.api_object.pod_cidrs if self.api_object else ()
        for item in self.pods.ranges:
            ip = item.cidr
            yield f"{ip.rpartition('.')[0]}.0/24" if "." in ip else f"{ip}/64"

    @property
    def pods(self) -> NodePods:
        """What checks of nodes ask of the pods on it."""
        return self.cluster.node_pods.get(self.name, _NO_PODS)

    @property
    def pod_ranges(self) -> tuple[PodRange, ...]:
        """The addresses of the node's pods; without pods, the ranges that it was given for them.

        A network plugin with address management of its own may leave `spec.podCIDR` unused.
        """
        return self.pods.ranges or ranges_of_node(self.api_object)

    @property
    def proxy_pods(self) -> tuple[Pod, ...]:
        """Pods of kube-proxy on the node: of its DaemonSet, or static ones."""
        return self.pods.proxies

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
            or any(map(is_openshift_sdn, self.pods.programs))
        )

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


_NO_PODS = NodePods()

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
