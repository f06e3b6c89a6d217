"""One node, as checks see it: what should be there beside what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from functools import cached_property
from itertools import islice

from analyzer.comparison import Comparison, compare
from analyzer.connections import Site
from analyzer.expect.changes import is_settled, last_change
from analyzer.expect.cluster_dns import (
    KubeletDNS,
    answers_beside_the_cluster,
    kubelet_dns,
)
from analyzer.language import _
from analyzer.local_connections import LocalConnection, local_connections
from analyzer.losses import Loss
from analyzer.model.address import canonical_ip, family_of
from analyzer.model.forwarding import (
    Endpoint,
    Entry,
    ForwardingTable,
    Frontend,
    FrontendKind,
    ServiceKey,
    ServicePortName,
)
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import KubeProxy, ProxyMode, Sign
from analyzer.model.ruleset import Family, Ruleset
from analyzer.model.source import SourceRef
from analyzer.observe.iptables import observe_iptables
from analyzer.observe.kube_proxy import ProxyEvidence, identify_kube_proxy
from analyzer.observe.node_ports import NodePortScope, node_port_scopes
from analyzer.observe.proxy_options import options_of
from analyzer.observe.refused_clients import RefusedClients, refused_clients
from analyzer.observe.residue import other_mode_state
from analyzer.observe.userspace import observe_userspace
from analyzer.simulate.address import number
from analyzer.simulate.host import Host
from analyzer.simulate.inventory import (
    assumed_routes,
    dumps_in_force,
    empty_by_nft,
    unexecuted_tables,
)
from analyzer.simulate.outcome import Outcome
from analyzer.simulate.query import Query
from analyzer.snapshot.node_facts import NodeFacts
from analyzer.snapshot.node_summary import NodeSummary
from analyzer.snapshot.sources import (
    Availability,
)

_TO_FOLLOW = (
    Input.SERVICES,
    Input.ENDPOINT_SLICES,
    Input.PODS,
    Input.ROUTES,
)
_MOST_ALIKE = 8
"""Connections that are followed to tell what becomes of all that are alike."""


class NodeView(NodeFacts):
    """One node with its files, its kube-proxy and its forwarding."""

    @cached_property
    def kube_proxy(self) -> KubeProxy:
        """Mode, version and options of the node's kube-proxy."""
        return identify_kube_proxy(
            replace(
                self._proxy_evidence,
                rulesets=self._all_rulesets,
                nft_ruleset=self.document(Input.NFT_RULESET),
            )
        )

    @cached_property
    def configured_cluster_cidrs(self) -> tuple[str, ...]:
        """The ranges of pods in kube-proxy's configuration, which tells them without a look at rules."""
        return options_of(self._proxy_evidence, ProxyMode.UNKNOWN).cluster_cidrs

    @property
    def _proxy_evidence(self) -> ProxyEvidence:
        """Everything that tells of kube-proxy but the rules."""
        return ProxyEvidence(
            node=self.api_object,
            rulesets=(),
            mode_file=self._source.text(Input.PROXY_MODE),
            mode_file_ref=SourceRef(Input.PROXY_MODE.path(self.name), 1),
            log=self.proxy_log,
            configz=self.document(Input.PROXY_CONFIGZ),
            config_file=self.document(Input.PROXY_CONFIG),
            config_map=self.cluster.config_document("kube-proxy", "config.conf"),
            other_config_maps=tuple(self.cluster.config_maps.values()),
            processes=self.processes,
            pods=self.pods.programs,
            nft_ruleset=None,
        )

    @property
    def rules_unread(self) -> str:
        """Why no iptables ruleset can show this node's Services; empty where one can."""
        match self.kube_proxy.mode:
            case ProxyMode.NFTABLES | ProxyMode.IPVS as mode:
                return _(
                    "kube-proxy on {node} runs in {mode} mode, whose rules are not read yet",
                    node=self.name,
                    mode=mode.value,
                )
            case ProxyMode.REPLACED:
                return _(
                    "another program serves Services on {node} in kube-proxy's place",
                    node=self.name,
                )
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
                cluster = self.cluster
                return observe_iptables(ruleset, cluster.chain_owners, declared, cluster.worked_out)
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

    @cached_property
    def has_rules(self) -> bool:
        """True where a ruleset of IPv4 was read."""
        return self.ruleset() is not None

    @cached_property
    def missing_node_ports(self) -> tuple[Entry, ...] | None:
        """Expected entries of IPv4 for node ports that have no rule; None where no rules were compared."""
        comparison = self.comparison()
        if comparison is None:
            return None
        kind = FrontendKind.NODE_PORT
        return tuple(e for e in comparison.missing if e.frontend.kind is kind)

    @cached_property
    def node_port_scopes(self) -> tuple[NodePortScope, ...]:
        """For which addresses the rules of IPv4 serve node ports; empty where they serve none."""
        ruleset = self.ruleset()
        return node_port_scopes(ruleset) if ruleset is not None else ()

    @cached_property
    def refused_clients(self) -> tuple[RefusedClients, ...]:
        """Where the rules dropped clients outside of a Service's source ranges, by the counters."""
        read = [r for r in map(self.ruleset, Family) if r is not None]
        return tuple(found for ruleset in read for found in refused_clients(ruleset))

    def summary(self) -> NodeSummary:
        """Return what others ask of the node's rules."""
        return NodeSummary(**{name: getattr(self, name) for name in NodeSummary.__slots__})

    def adopt(self, summary: NodeSummary) -> None:
        """Take for known what another process found in the rules."""
        for name in NodeSummary.__slots__:
            self.__dict__[name] = getattr(summary, name)

    def forget(self) -> None:
        """Give up all that was read and worked out; it is read again where it is asked for."""
        kept = {field.name for field in fields(self)}
        for name in vars(self).keys() - kept:
            delattr(self, name)

    @property
    def incomparable(self) -> str:
        """Why the node's rules cannot be held against the API objects; empty where they can."""
        hidden = self.cluster.hides_addresses
        return _("addresses in the bundle are redacted: rules cannot be compared") if hidden else ""

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
        """Endpoints behind each cluster IP on this node, of all families; empty where it is refused.

        Nothing where there is no other node whose endpoints they could be compared with.
        """
        if len(self.cluster.nodes) == 1:
            return {}
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
            nft=self.document(Input.NFT_RULESET),
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
            unexecuted=dict.fromkeys(Family, self._unexecuted),
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

    @property
    def _unexecuted(self) -> tuple[str, ...]:
        """What else decides about packets here, and is not executed."""
        nft = self.document(Input.NFT_RULESET)
        match self.kube_proxy.mode:
            case ProxyMode.REPLACED:
                return (self.rules_unread,)
            case ProxyMode.NFTABLES if nft is None:
                return (
                    _(
                        "kube-proxy's nftables rules (no {file})",
                        file=Input.NFT_RULESET.value.name,
                    ),
                )
            case _:
                return unexecuted_tables(nft)

    @property
    def losses(self) -> tuple[Loss, ...]:
        """Connections to Services, from anywhere, that this node's rules or settings lose."""
        return self.cluster.reachability.losses.get(self.name, ())

    @property
    def unreachability(self) -> str:
        """Why not all can be said of where connections from this node end; empty where it can."""
        found = self.cluster.reachability
        if found.left_out:
            return _(
                "{left_out} connections of the cluster were not followed, there are too "
                "many: ask about single Services with --service",
                left_out=found.left_out,
            )
        return found.inconclusive.get(self.name, "")

    @cached_property
    def untouched(self) -> bool:
        """True where nobody but kube-proxy and kubelet decides over packets: no connection need be followed."""
        return Site(self.name, (), (), (), self._all_rulesets).untouched

    @property
    def _all_rulesets(self) -> tuple[Ruleset, ...]:
        return (*self.rulesets(Family.IPV4), *self.rulesets(Family.IPV6))

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
            rulesets=self._all_rulesets,
        )

    @property
    def shows_connections(self) -> bool:
        """True where the bundle has all that is needed to follow a connection from a pod of the node.

        A list of addresses that is not whole does: what is the host's own, its routes say too.
        """
        rules = self.has(Input.RULESET) or self.has(Input.NFT_RULESET)
        return rules and bool(self.addresses) and all(self.has(item) for item in _TO_FOLLOW)

    @cached_property
    def local_connections(self) -> tuple[LocalConnection, ...]:
        """Connections of pods of the node to Services with an endpoint on it."""
        return tuple(local_connections(self.site))

    def connections_on(self, bridge: str) -> tuple[LocalConnection, ...]:
        """Return the local connections to endpoints that hang on a bridge, or may do so."""
        return tuple(
            c for c in self.local_connections if self._device_of(c.endpoint) in {bridge, None}
        )

    def _device_of(self, address: str) -> str | None:
        """Return the interface behind which a pod of the node is, or None where no route says so."""
        atlas = self.cluster.simulator.atlas
        value, family = number(address), family_of(address)
        if value is None or family is None or self.name not in atlas.machines:
            return None
        return atlas.device_towards(self.name, family, value)

    def may_lose(self, queries: Iterable[Query], is_loss: Callable[[Outcome], bool]) -> bool:
        """Tell whether one of some connections that are alike is lost, or whether nobody knows.

        No more of them are followed than are enough to tell.
        """
        for query in islice(queries, _MOST_ALIKE):
            trace = self.cluster.simulator.trace(query)
            if not trace.conclusive or any(is_loss(outcome) for outcome in trace.outcomes):
                return True
        return False

    @cached_property
    def other_mode_state(self) -> tuple[Sign, ...]:
        """State of another proxy mode that the kernel still follows."""
        return other_mode_state(
            self.kube_proxy.mode,
            self._all_rulesets,
            self.document(Input.NFT_RULESET),
            self.addresses,
        )


_HOST_INPUTS = {
    Input.ADDRESSES: "addresses as the Node object has them (no ip-addr.json)",
    Input.HAIRPIN: "",
    Input.LINKS: "no bridges but those of hairpin.txt (no ip-link.json)",
    Input.ROUTES: "routes as the API's pods and nodes suggest (no ip-route.json)",
    Input.SOCKETS: "",
    Input.SYSCTLS: "default settings (no sysctl.txt)",
}
"""Inputs of a node that decide about packets, and what is taken for granted without them."""


_RULESET_INPUTS = {
    Family.IPV4: (Input.RULESET, Input.RULESET_NFT, Input.RULESET_LEGACY),
    Family.IPV6: (Input.RULESET_V6, Input.RULESET_V6_NFT, Input.RULESET_V6_LEGACY),
}
