"""The check `pod-route-missing`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analyzer.check import check
from analyzer.commands import shell
from analyzer.language import _
from analyzer.model.forwarding import ServiceKey
from analyzer.model.inputs import Input
from analyzer.model.node import Route
from analyzer.model.ruleset import Family
from analyzer.model.severity import Severity
from analyzer.model.source import ObjectRef, SourceRef
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.pod_routing import (
    PodAddress,
    depends_on_rules,
    is_default,
    is_direct,
    is_for_pods,
    is_neighbour,
    is_routed_by_nodes,
    owners,
    way_to_pods,
)
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.simulate.address import block, family_of, number
from analyzer.simulate.branch import route_text
from analyzer.simulate.routing import RouteAnswer, RouteKind
from analyzer.snapshot import NodeView

_DEAD_ENDS = frozenset({RouteKind.BLACKHOLE, RouteKind.UNREACHABLE, RouteKind.PROHIBIT})


@check(
    station=Station.PROXYING,
    severity=Severity.ERROR,
    needs=(Input.ROUTES, Input.NODES),
    consequence_of=("network-plugin-not-ready", "node-not-ready"),
    references=(
        "https://kubernetes.io/docs/concepts/cluster-administration/networking/",
        "https://kubernetes.io/docs/concepts/architecture/cloud-controller/#route-controller",
    ),
)
def pod_route_missing(node: NodeView) -> Iterator[Outcome]:
    """
    A node has no route to the pods of another node, or one that leads elsewhere.

    ## Why it matters
    The rules choose an endpoint there, and the packet leaves by the default route or to the wrong node:
    connections to a Service time out for the share of its endpoints that are on that node.

    ## How to put it right
    Let the network plugin write the route again (restart its agent on the node), or the cloud's route
    controller; at once: `ip route add <pod CIDR> via <node address>`.

    ## Where it is silent
    Where the network between the nodes routes pods, so that nodes have no routes for them: clouds (GKE,
    AWS VPC CNI, Azure), BGP to the routers, nodes in another subnet where routes are direct.
    """
    if depends_on_rules(node):
        yield Undecided(
            reason=_(
                "{node} has routes outside of the main table, and its policy rules are not "
                "in the bundle",
                node=node.name,
            ),
            missing=(Input.ROUTE_RULES.path(node.name),),
            command=Input.ROUTE_RULES.command(node.name),
        )
        return
    others = [n for n in node.cluster.nodes.values() if n is not node and n.api_object]
    faults = [f for n in others if not n.windows for f in _faults(node, n)]
    if faults:
        yield _problem(node, faults, len(others))


@dataclass(frozen=True, slots=True)
class _Fault:
    """What is wrong with the way to another node's pods, in one IP family."""

    other: NodeView
    family: Family
    pod: PodAddress
    told: str
    route: Route | None
    """The route that decides, or None where there is none at all."""

    @property
    def cidr(self) -> str:
        """The pod CIDR of the node that holds the pod; empty where none does."""
        found = self._position
        return "" if found is None else self._cidrs[found]

    @property
    def cidr_source(self) -> ObjectRef | None:
        """Where that pod CIDR stands."""
        found, api = self._position, self.other.api_object
        if found is None or api is None:
            return None
        return api.ref.at("spec", *(("podCIDRs", found) if api.spec.pod_cidrs else ("podCIDR",)))

    @property
    def _cidrs(self) -> tuple[str, ...]:
        return self.other.api_object.pod_cidrs if self.other.api_object else ()

    @property
    def _position(self) -> int | None:
        address = number(self.pod.address) or 0
        blocks = ((n, c, block(c)) for n, c in enumerate(self._cidrs))
        own = (n for n, c, b in blocks if b and family_of(c) is self.family and b.holds(address))
        return next(own, None)


def _faults(node: NodeView, other: NodeView) -> Iterator[_Fault]:
    for family in Family:
        way = way_to_pods(node, other, family)
        told = _told(node, other, family, way.answer) if way else ""
        if way and told:
            yield _Fault(other, family, way.pod, told, way.answer.route)


def _told(node: NodeView, other: NodeView, family: Family, answer: RouteAnswer) -> str:
    """Return what is wrong with the way to a pod, or an empty string."""
    route = answer.route
    if answer.kind in _DEAD_ENDS:
        return _("its route is {kind}", kind=answer.kind.value)
    if answer.kind is RouteKind.NONE:
        return _("it has no route for them")
    if answer.kind is not RouteKind.UNICAST or route is None:
        return ""
    if not is_for_pods(node, route):
        left = (
            _("the default route")
            if is_default(route)
            else _("the route to {destination}", destination=route.destination)
        )
        return (
            _("only {left} is left", left=left) if is_routed_by_nodes(node, other, family) else ""
        )
    led = owners(node, route)
    wrong = led and other not in led
    return _("its route leads to {names}", names=listed([n.name for n in led])) if wrong else ""


def _problem(node: NodeView, faults: list[_Fault], others: int) -> Problem:
    first = faults[0]
    names = list(dict.fromkeys(f.other.name for f in faults))
    where = (
        _("{cidr}, for example {address}", cidr=first.cidr, address=first.pod.address)
        if first.cidr
        else first.pod.address
    )
    told = " and ".join(dict.fromkeys(f.told for f in faults[:3]))
    return Problem(
        message=_(
            "{node} has no way to the pods of {names} ({where}): {told}",
            node=node.name,
            names=listed(names),
            where=where,
            told=told,
        ),
        evidence=tuple(_evidence(node, faults)),
        remedy=_remedy(node, faults),
        affects=_served_there(node, set(names)),
        partial=len(names) < others,
    )


def _evidence(node: NodeView, faults: list[_Fault]) -> Iterator[Evidence]:
    routes = dict.fromkeys(f.route for f in faults)
    for route in list(routes)[:3]:
        if route is None:
            yield Evidence(
                SourceRef(Input.ROUTES.path(node.name), 1), _("no route here covers them")
            )
        else:
            field = route.source.at("dst") if isinstance(route.source, ObjectRef) else route.source
            yield Evidence(
                field, _("the route that decides: {route_text}", route_text=route_text(route))
            )
    for fault in faults[:3]:
        yield Evidence(fault.pod.source, _("a pod on {other}", other=fault.other.name))
        if fault.cidr_source is not None:
            yield Evidence(fault.cidr_source, _("the pod CIDR of that node"))


def _remedy(node: NodeView, faults: list[_Fault]) -> str:
    lines = []
    for fault in faults[:3]:
        ips = fault.other.api_object.internal_ips if fault.other.api_object else ()
        via = next((ip for ip in ips if (":" in ip) == (":" in fault.pod.address)), "")
        if fault.cidr and via and _is_routed_directly(node, fault):
            ip = ["ip", "-6"] if ":" in via else ["ip"]
            command = shell(*ip, "route", "replace", fault.cidr, "via", via)
            lines.append(_("On {node}, at once: {command}", node=node.name, command=command))
    pods = ["kubectl", "get", "pods", "--all-namespaces", "--field-selector"]
    lines.append(
        _(
            "For good: restart the network plugin's agent on {node}, which should write "
            "the route. To find its pod: ",
            node=node.name,
        )
        + shell(*pods, f"spec.nodeName={node.name}")
    )
    return "\n".join(lines)


def _is_routed_directly(node: NodeView, fault: _Fault) -> bool:
    """Tell whether the other node has a route straight to this one's pods, so that one back will do."""
    way = way_to_pods(fault.other, node, fault.family)
    near = is_neighbour(node, fault.other, fault.family)
    return (
        near
        and way is not None
        and way.answer.route is not None
        and is_direct(fault.other, way.answer.route)
    )


def _served_there(node: NodeView, names: set[str]) -> frozenset[ServiceKey]:
    """Return the Services that have ready endpoints on the nodes."""
    backends = node.cluster.backends
    return frozenset(
        key
        for key in node.cluster.services
        if any(b.node in names and b.ready for b in backends.get(key, ()))
    )
