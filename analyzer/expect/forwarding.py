"""What kube-proxy should serve on a node: the forwarding table re-derived from Services and endpoints.

Sources: `syncProxyRules` in `pkg/proxy/iptables/proxier.go` of 1.14 to 1.36; the other modes decide alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from analyzer.expect.behaviour import Possibility, possibilities
from analyzer.expect.categorize import CLUSTER_POLICY, Decision, Locality, Outcome, decide
from analyzer.expect.entries import Case, entries_of
from analyzer.expect.node_traits import NodeTraits, node_traits
from analyzer.expect.service_ports import ProxiedPort, proxied_ports
from analyzer.language import _
from analyzer.model.backend import Backend
from analyzer.model.forwarding import Action, Entry, ForwardingTable, ServiceKey
from analyzer.model.kube_proxy import KubeProxy, ProxyMode
from analyzer.model.kubernetes import Node, Service
from analyzer.model.ruleset import Family


@dataclass(eq=False)
class ForwardingPlan:
    """The Services of a cluster with their endpoints: what all nodes share is worked out once."""

    services: tuple[Service, ...]
    backends: Mapping[ServiceKey, tuple[Backend, ...]]
    """As the kube-proxy in question reads them: from EndpointSlices, up to 1.18 from Endpoints."""

    _ports: dict[Family, _Ports] = field(default_factory=dict)
    _uniform: dict[tuple[Family, NodeTraits], tuple[Entry, ...]] = field(default_factory=dict)

    def table(
        self, *, family: Family, node: Node | None, node_name: str, proxy: KubeProxy
    ) -> ForwardingTable:
        """Return what the kube-proxy of one node should serve; `node` is None where its object is not known.

        Where neither version nor zone is known, entries name what else would be right (`Entry.alternatives`).
        """
        traits = node_traits(family, node, proxy)
        decider = _Decider(possibilities(proxy), node, node_name, proxy.mode)
        special = (
            entry
            for port in self._ports_of(family).special
            for entry in entries_of(port, traits, decider.cases(port))
        )
        return ForwardingTable(family, (*self._uniform_entries(family, traits), *special))

    def _uniform_entries(self, family: Family, traits: NodeTraits) -> tuple[Entry, ...]:
        key = (family, traits)
        if key not in self._uniform:
            self._uniform[key] = tuple(
                entry
                for port in self._ports_of(family).uniform
                for entry in entries_of(port, traits, (_everywhere(port),))
            )
        return self._uniform[key]

    def _ports_of(self, family: Family) -> _Ports:
        if family not in self._ports:
            ports = _Ports([], [])
            for port in proxied_ports(family, self.services, self.backends):
                (ports.uniform if port.uniform else ports.special).append(port)
            self._ports[family] = ports
        return self._ports[family]


@dataclass(frozen=True, slots=True)
class _Ports:
    uniform: list[ProxiedPort]
    special: list[ProxiedPort]
    """Those whose endpoints depend on the node or on the version of kube-proxy."""


def _everywhere(port: ProxiedPort) -> Case:
    ready = tuple([b for b in port.backends if b.ready])
    outcome = Outcome(Action.FORWARD, ready) if ready else Outcome(Action.REJECT)
    decision = Decision(outcome, outcome, outcome, split=False)
    return Case(decision, "", external_ip_policy=True, node_is_internal=True)


@dataclass(frozen=True, slots=True)
class _Decider:
    """Decides for one node, in each way that what is known of it leaves open."""

    possibilities: tuple[Possibility, ...]
    node: Node | None
    node_name: str
    mode: ProxyMode

    def cases(self, port: ProxiedPort) -> tuple[Case, ...]:
        """Return the cases for one port, the likeliest first."""
        # The userspace proxy balances over all endpoints and knows no policy.
        userspace = self.mode is ProxyMode.USERSPACE
        policies = (CLUSTER_POLICY,) if userspace else port.policies
        return tuple(
            Case(
                decision=decide(
                    port.backends, policy, Locality(self.node_name, zone), possible.behaviour
                ),
                reason=_("with kube-proxy as of {since}", since=possible.since)
                + (_(" in zone {zone}", zone=zone) if zone else ""),
                external_ip_policy=possible.behaviour.external_ip_policy,
                node_is_internal=possible.behaviour.node_is_internal,
            )
            for zone in self._zones(port)
            for possible in self.possibilities
            for policy in policies
        )

    def _zones(self, port: ProxiedPort) -> tuple[str, ...]:
        if self.node is not None:
            return (self.node.zone,)
        return ("", *sorted({zone for b in port.backends for zone in b.zone_hints}))
