"""The check `cidr-overlap`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from itertools import combinations

from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.address import network_of
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Node
from analyzer.model.source import ObjectRef
from analyzer.snapshot import ClusterView


@dataclass(frozen=True, slots=True)
class _Range:
    """A range of addresses and whose it is."""

    owner: str
    network: IPv4Network | IPv6Network
    source: ObjectRef


@check(
    station=Station.PROXYING,
    severity=Severity.ERROR,
    needs=(Input.NODES, Input.SERVICES),
    references=("https://kubernetes.io/docs/concepts/cluster-administration/networking/",),
)
def cidr_overlap(cluster: ClusterView) -> Iterator[Problem]:
    """
    Ranges that must be apart overlap: pods of two nodes, pods and Services, pods and nodes.

    ## Why it matters
    The same address then belongs to two: packets for a pod, a cluster IP or a node end at the other one.

    ## How to put it right
    Plan the ranges anew; the pod range of a single node is changed by removing the Node object and letting
    it register again after its range is free.

    ## Where it is silent
    For network plugins that do not use the nodes' podCIDR: only ranges that Node objects name are compared,
    and cluster IPs that Services have.
    """
    nodes = [n.api_object for n in cluster.nodes.values() if n.api_object]
    pods = [r for node in nodes for r in _pod_ranges(node)]
    ordered = sorted(pods, key=lambda r: (r.network.version, int(r.network.network_address)))
    for one, other in combinations(_crowded(ordered), 2):
        if _overlap(one, other) and one.owner != other.owner:
            yield _problem(one, other, "the pods of two nodes share addresses")
    for taken in (*_cluster_ips(cluster), *_node_addresses(nodes)):
        hit = next((r for r in pods if _overlap(r, taken)), None)
        if hit is not None:
            yield _problem(hit, taken, f"{taken.owner} lies in a pod range")
            return


def _pod_ranges(node: Node) -> Iterator[_Range]:
    plural = bool(node.spec.pod_cidrs)
    for position, cidr in enumerate(node.pod_cidrs):
        network = network_of(cidr)
        field = ("spec", "podCIDRs", position) if plural else ("spec", "podCIDR")
        if network is not None:
            yield _Range(f"node {node.name}", network, node.ref.at(*field))


def _crowded(ordered: list[_Range]) -> list[_Range]:
    """Return the ranges that overlap the one before or after them: few, where all is well none."""
    near: dict[int, _Range] = {}
    for position in range(1, len(ordered)):
        if _overlap(ordered[position - 1], ordered[position]):
            near[position - 1] = ordered[position - 1]
            near[position] = ordered[position]
    return list(near.values())


def _cluster_ips(cluster: ClusterView) -> Iterator[_Range]:
    for service in cluster.services.values():
        for ip in service.cluster_ips:
            network = network_of(ip)
            if network is not None:
                source = service.ref.at("spec", "clusterIP")
                yield _Range(f"cluster IP {ip} of {service.full_name}", network, source)


def _node_addresses(nodes: list[Node]) -> Iterator[_Range]:
    for node in nodes:
        for ip in node.internal_ips:
            network = network_of(ip)
            if network is not None:
                source = node.ref.at("status", "addresses")
                yield _Range(f"address {ip} of node {node.name}", network, source)


def _overlap(one: _Range, other: _Range) -> bool:
    return one.network.version == other.network.version and one.network.overlaps(other.network)


def _problem(one: _Range, other: _Range, told: str) -> Problem:
    return Problem(
        message=f"{told}: {one.network} ({one.owner}) and {other.network} ({other.owner})",
        evidence=(Evidence(one.source, one.owner), Evidence(other.source, other.owner)),
        remedy="Choose ranges for pods, Services and nodes that do not overlap; see the controller manager's "
        "--cluster-cidr and the API server's --service-cluster-ip-range.",
    )
