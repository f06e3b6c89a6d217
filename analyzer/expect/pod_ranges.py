"""Where the pods of a node have their addresses, and whether a pod range holds them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from analyzer.model.address import network_of
from analyzer.model.kubernetes import Node, Pod
from analyzer.model.source import ObjectRef


class PodRange(Struct, frozen=True):
    """One pod, or all that a node was given for its pods."""

    cidr: str
    """An address or a CIDR."""

    source: ObjectRef


def ranges_of_pods(pods: Iterable[Pod]) -> Iterator[PodRange]:
    """Yield the addresses of the pods that have a network of their own and are not finished."""
    for pod in pods:
        if not (pod.host_network or pod.finished):
            source = pod.ref.at("status", "podIP")
            for ip in pod.ips:
                yield PodRange(ip, source)


def ranges_of_node(node: Node | None) -> tuple[PodRange, ...]:
    """Return the ranges that a node was given for its pods."""
    if node is None:
        return ()
    return tuple(PodRange(cidr, node.ref.at("spec", "podCIDR")) for cidr in node.pod_cidrs)


def first_outside(ranges: Iterable[PodRange], cidrs: Iterable[str]) -> PodRange | None:
    """Return the first range that is in none of the CIDRs of its IP family; a family without CIDR is not judged."""
    networks = [n for n in map(network_of, cidrs) if n is not None]
    for item in ranges:
        inner = network_of(item.cidr)
        same = [n for n in networks if inner is not None and n.version == inner.version]
        if inner is not None and same and not any(inner.network_address in n for n in same):
            return item
    return None


def all_outside(ranges: Iterable[PodRange], cidrs: Iterable[str]) -> PodRange | None:
    """Return the first range of an IP family of which no range is in the CIDRs, or None.

    Where some pods are inside, a second pool of addresses is more likely than a mistake.
    """
    networks = [n for n in map(network_of, cidrs) if n is not None]
    outside: dict[int, PodRange] = {}
    inside: set[int] = set()
    for item in ranges:
        if inside == {n.version for n in networks}:
            return None
        inner = network_of(item.cidr)
        same = [n for n in networks if inner is not None and n.version == inner.version]
        if inner is None or not same:
            continue
        if any(inner.network_address in n for n in same):
            inside.add(inner.version)
        else:
            outside.setdefault(inner.version, item)
    return next((item for version, item in outside.items() if version not in inside), None)


def first_node_inside(nodes: Iterable[Node], cidrs: Iterable[str]) -> PodRange | None:
    """Return the first address of a node that is in one of the CIDRs, where pods have ranges of their own.

    None where a node has no `spec.podCIDR`: its pods may then share the nodes' network.
    """
    networks = [n for n in map(network_of, cidrs) if n is not None]
    found = None
    for node in nodes:
        if not node.pod_cidrs:
            return None
        for ip in node.internal_ips:
            address = network_of(ip)
            if address is None or found is not None:
                continue
            if any(n.version == address.version and address.network_address in n for n in networks):
                found = PodRange(ip, node.ref.at("status", "addresses"))
    return found
