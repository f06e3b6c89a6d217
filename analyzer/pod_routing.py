"""How nodes reach each other's pods: by routes of their own, or by the network between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from analyzer.model.address import family_of
from analyzer.model.inputs import Input
from analyzer.model.node import Route
from analyzer.model.ruleset import Family
from analyzer.model.source import Ref
from analyzer.simulate.address import block
from analyzer.simulate.routing import RouteAnswer, RouteKind
from analyzer.snapshot import NodeView

_USUAL_TABLES = frozenset({"main", "local", "default", "254", "255", "253", ""})
_DEFAULT = frozenset({"0.0.0.0/0", "::/0"})
_SAMPLED = 8
"""Nodes that are asked how pods are routed here."""


@dataclass(frozen=True, slots=True)
class PodAddress:
    """An address of a pod on a node."""

    address: str
    source: Ref


@dataclass(frozen=True, slots=True)
class Way:
    """Where a node sends packets to a pod on another one."""

    pod: PodAddress
    answer: RouteAnswer


def way_to_pods(start: NodeView, end: NodeView, family: Family) -> Way | None:
    """Return the way from one node to the pods of another, or None where routes or pods are not known.

    `ip route` without a table prints routes of IPv4 only: without any of a family nothing is known of it.
    """
    read = any((":" in r.destination) is (family is Family.IPV6) for r in start.routes)
    pod = pod_address(end, family) if read else None
    answer = start.route_to(pod.address) if pod and not depends_on_rules(start) else None
    return Way(pod, answer) if pod and answer else None


def pod_address(node: NodeView, family: Family) -> PodAddress | None:
    """Return the address of a pod that runs on the node, or of its pod CIDR where no pods are known."""
    for pod in node.cluster.pods_by_node.get(node.name, ()):
        if pod.ready and not (pod.host_network or pod.finished or pod.terminating):
            for position, ip in enumerate(pod.ips):
                if family_of(ip) is family:
                    plural = ("status", "podIPs", position, "ip")
                    field = plural if pod.status.pod_ips else ("status", "podIP")
                    return PodAddress(ip, pod.ref.at(*field))
    api = node.api_object
    for cidr in api.pod_cidrs if api and not node.cluster.pods else ():
        start = cidr.partition("/")[0]
        if api is not None and family_of(start) is family:
            return PodAddress(start, api.ref.at("spec", "podCIDR"))
    return None


def depends_on_rules(node: NodeView) -> bool:
    """Tell whether policy rules that are not in the bundle choose among routing tables."""
    if node.route_rules or node.has(Input.ROUTE_RULES):
        return False
    return any(r.table not in _USUAL_TABLES and r.kind in {"", "unicast"} for r in node.routes)


def is_routed_by_nodes(node: NodeView, other: NodeView, family: Family) -> bool:
    """Tell whether nodes have routes for each other's pods, so that this one should have one for the other's.

    Most of its routes to pods of further nodes, or most of the routes of others to its own pods, are such. Routes
    straight to a node tell nothing about a node in another subnet, where a router takes over.
    """
    thirds = [n for n in node.cluster.nodes.values() if n not in {node, other} and not n.windows]
    away = ((node, n) for n in thirds[:_SAMPLED])
    back = ((n, node) for n in (other, *thirds[:_SAMPLED]))
    near = is_neighbour(node, other, family)
    return _most(_ways(away, family, near=near)) or _most(_ways(back, family, near=near))


def is_for_pods(node: NodeView, route: Route) -> bool:
    """Tell whether a route is made for pods: no default route, and none by which nodes are reached as well."""
    covered = block(route.destination)
    if covered is None or is_default(route):
        return False
    family = family_of(route.destination.partition("/")[0])
    return not any(map(covered.holds, node.cluster.node_addresses.get(family, ())))


def is_default(route: Route) -> bool:
    """Tell whether it is a default route."""
    return route.destination in _DEFAULT


def is_direct(node: NodeView, route: Route) -> bool:
    """Tell whether a route names a node of the same subnet as next hop, and no tunnel."""
    answer = node.route_to(route.gateway) if route.gateway in node.cluster.node_by_ip else None
    return answer is not None and answer.route is not None and answer.route.device == route.device


def is_neighbour(node: NodeView, other: NodeView, family: Family) -> bool:
    """Tell whether the other node is in a subnet of this one."""
    ips = other.api_object.internal_ips if other.api_object else ()
    answers = [node.route_to(ip) for ip in ips if family_of(ip) is family]
    return any(a is not None and a.route is not None and not a.route.gateway for a in answers)


def owners(node: NodeView, route: Route) -> tuple[NodeView, ...]:
    """Return the nodes to which a route leads: by their addresses, or by those of their tunnels.

    A tunnel of flannel has the first address of its node's pod CIDR, and the route is for just such a CIDR.
    """
    cluster = node.cluster
    gateways = {route.gateway, *(gateway for gateway, _ in route.nexthops)} - {""}
    found = {cluster.node_by_ip[g] for g in gateways if g in cluster.node_by_ip}
    if route.destination in cluster.nodes_by_pod_cidr:
        for cidr, nodes in cluster.nodes_by_pod_cidr.items():
            if cidr.partition("/")[0] in gateways:
                found.update(nodes)
    return tuple(sorted(found, key=lambda n: n.name))


def _ways(
    ways: Iterable[tuple[NodeView, NodeView]], family: Family, *, near: bool
) -> Iterator[bool]:
    """Yield for each way that is known whether it is such a one as is there between all nodes."""
    for start, end in ways:
        way = way_to_pods(start, end, family)
        if way is not None:
            route = way.answer.route if way.answer.kind is RouteKind.UNICAST else None
            yield bool(
                route and is_for_pods(start, route) and (near or not is_direct(start, route))
            )


def _most(answers: Iterator[bool]) -> bool:
    known = list(answers)
    return bool(known) and 2 * sum(known) >= len(known)
