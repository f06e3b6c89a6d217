"""The check `pod-route-missing`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analyzer.commands import shell
from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Node
from analyzer.model.node import Route
from analyzer.model.source import SourceRef
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
def pod_route_missing(node: NodeView) -> Iterator[Problem]:
    """
    A node has no route to the pods of another node, or one that leads elsewhere.

    ## Why it matters
    The rules choose an endpoint there, and the packet leaves by the default route or to the wrong node:
    connections to a Service time out for the share of its endpoints that are on that node.

    ## How to put it right
    Let the network plugin write the route again (restart its agent on the node), or the cloud's route
    controller; at once: `ip route add <pod CIDR> via <node address>`.

    ## Where it is silent
    Where no node has routes of its own for pods (the cloud's network routes them), and for overlays, whose
    next hop is not a node's address.
    """
    for other in node.cluster.nodes.values():
        if other is node or other.api_object is None or other.windows:
            continue
        address = _pod_address(other)
        answer = node.route_to(address) if address else None
        if answer is None:
            continue
        fault = _fault(node, other, address, answer)
        if fault is not None:
            yield _problem(node, other, other.api_object, address, fault)


@dataclass(frozen=True, slots=True)
class _Fault:
    """What is wrong with the way to another node's pods."""

    told: str
    route: Route | None
    """The route that decides, or None where there is none at all."""


def _pod_address(other: NodeView) -> str:
    """Return the address of a pod that runs on the node, or of its pod CIDR where none is known."""
    for pod in other.cluster.pods_by_node.get(other.name, ()):
        if not pod.host_network and not pod.finished and pod.ips and pod.ready:
            return pod.ips[0]
    cidrs = other.api_object.pod_cidrs if other.api_object else ()
    return cidrs[0].partition("/")[0] if cidrs and not other.cluster.pods else ""


def _fault(node: NodeView, other: NodeView, address: str, answer: RouteAnswer) -> _Fault | None:
    if answer.kind in _DEAD_ENDS:
        return _Fault(f"its route is {answer.kind.value}", answer.route)
    if answer.kind is RouteKind.NONE:
        return _Fault("it has no route for them", None)
    if answer.kind is not RouteKind.UNICAST or answer.route is None:
        return None
    if _is_default(answer.route):
        return (
            _Fault("only the default route is left", answer.route)
            if _routed(node, other, address)
            else None
        )
    gateways = {route_gateway for route_gateway in _gateways(answer.route) if route_gateway}
    owner = next((n for n in node.cluster.nodes.values() if gateways & _addresses(n)), None)
    if owner is not None and owner is not other:
        return _Fault(f"its route leads to {owner.name}", answer.route)
    return None


def _routed(node: NodeView, other: NodeView, address: str) -> bool:
    """Tell whether pods are routed by the nodes here: this one to a third, or a third one to the other."""
    cluster = node.cluster
    thirds = [n for n in cluster.nodes.values() if n is not node and n is not other]
    return any(
        _has_own_route(node, _pod_address(third)) or _has_own_route(third, address)
        for third in thirds
    ) or _has_own_route(other, _pod_address(node))


def _has_own_route(node: NodeView, address: str) -> bool:
    answer = node.route_to(address) if address else None
    return (
        answer is not None
        and answer.kind is RouteKind.UNICAST
        and answer.route is not None
        and not _is_default(answer.route)
    )


def _is_default(route: Route) -> bool:
    return route.destination in {"0.0.0.0/0", "::/0"}


def _gateways(route: Route) -> Iterator[str]:
    yield route.gateway
    for gateway, _ in route.nexthops:
        yield gateway


def _addresses(node: NodeView) -> set[str]:
    return set(node.api_object.ips) if node.api_object else set()


def _problem(node: NodeView, other: NodeView, api: Node, address: str, fault: _Fault) -> Problem:
    cidr = api.pod_cidrs[0] if api.pod_cidrs else f"{address}/32"
    via = api.internal_ips[0] if api.internal_ips else "<address of the node>"
    source = fault.route.source if fault.route else SourceRef(Input.ROUTES.path(node.name), 1)
    shown = api.ref.at("spec", "podCIDR") if api.pod_cidrs else api.ref.at("metadata", "name")
    return Problem(
        message=f"{node.name} has no way to the pods of {other.name} ({cidr}, for example {address}): "
        f"{fault.told}",
        evidence=(
            Evidence(source, "the route that decides" if fault.route else "no route covers them"),
            Evidence(shown, f"pods of {other.name}"),
        ),
        remedy=f"On {node.name}, at once: {shell('ip', 'route', 'replace', cidr, 'via', via)}\n"
        f"For good: restart the network plugin's agent on {node.name}, which should write it.",
    )
