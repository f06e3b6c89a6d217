"""The check `cidr-overlap`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from analyzer.check import check
from analyzer.language import _, plural
from analyzer.model.address import family_of
from analyzer.model.forwarding import FrontendKind, ServiceKey
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Family
from analyzer.model.severity import Severity
from analyzer.model.source import ObjectRef
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Problem
from analyzer.simulate.address import Block, block, number
from analyzer.snapshot import ClusterView, NodeView


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
    For network plugins that do not use the nodes' podCIDR: it counts only where pods of the node are in it, or
    where no pods are known. What is compared with it are cluster IPs that Services have and addresses of nodes.
    """
    ranges = [r for node in cluster.nodes.values() for r in _pod_ranges(node)]
    for group in _overlapping(ranges):
        yield _shared(group)
    index = _Index(ranges)
    services = [(ip, index.holder(ip.address)) for ip in _cluster_ips(cluster)]
    hits = [(ip, r) for ip, r in services if r]
    taken = plural("{count:,} cluster IP", "{count:,} cluster IPs", len(hits))
    yield from _taken(hits, _("cluster IP"), taken)
    nodes = [(ip, index.holder(ip.address)) for ip in _node_ips(cluster)]
    hits = [(ip, r) for ip, r in nodes if r]
    taken = plural("{count:,} node address", "{count:,} node addresses", len(hits))
    yield from _taken(hits, _("node address"), taken)


@dataclass(frozen=True, slots=True)
class _Range:
    """The pod range of a node in one IP family."""

    node: str
    cidr: str
    family: Family
    block: Block
    source: ObjectRef

    @property
    def last(self) -> int:
        """The highest address."""
        width = 32 if self.family is Family.IPV4 else 128
        return self.block.value | (~self.block.mask & ((1 << width) - 1))


@dataclass(frozen=True, slots=True)
class _Address:
    """An address that must be in no pod range, and whose it is."""

    address: str
    owner: str
    source: ObjectRef
    service: ServiceKey | None = None


def _pod_ranges(node: NodeView) -> Iterator[_Range]:
    """Yield the node's pod ranges that its pods are in."""
    api = node.api_object
    for position, cidr in enumerate(api.pod_cidrs if api else ()):
        covered, family = block(cidr), family_of(cidr.partition("/")[0])
        if api is None or covered is None or family is None or not _is_used(node, covered, family):
            continue
        field = ("podCIDRs", position) if api.spec.pod_cidrs else ("podCIDR",)
        yield _Range(node.name, cidr, family, covered, api.ref.at("spec", *field))


def _is_used(node: NodeView, covered: Block, family: Family) -> bool:
    known = False
    for item in node.pods.ranges:
        if family_of(item.cidr) is family:
            known = True
            value = number(item.cidr)
            if value is not None and covered.holds(value):
                return True
    return not known


def _overlapping(ranges: Iterable[_Range]) -> Iterator[list[_Range]]:
    """Yield the groups of ranges of several nodes that share addresses."""
    group: list[_Range] = []
    for item in sorted(ranges, key=lambda r: (r.family.value, r.block.value, r.node)):
        same = group and item.family is group[0].family
        if not same or item.block.value > max(r.last for r in group):
            yield from _of_several(group)
            group = []
        group.append(item)
    yield from _of_several(group)


def _of_several(group: list[_Range]) -> Iterator[list[_Range]]:
    if len({r.node for r in group}) > 1:
        yield group


def _shared(group: list[_Range]) -> Problem:
    told = listed([_("{cidr} of {node}", cidr=r.cidr, node=r.node) for r in group], 4)
    return Problem(
        message=_(
            "the pods of {nodes} share addresses: {told}",
            nodes=plural("{count:,} node", "{count:,} nodes", len({r.node for r in group})),
            told=told,
        ),
        evidence=tuple(
            Evidence(r.source, _("pod range of {node}", node=r.node)) for r in group[:4]
        ),
        remedy=_(
            "Give each node a pod range of its own: drain one of them, delete its Node "
            "object and let kubelet register it again, so that the controller manager "
            "assigns a free range."
        ),
    )


class _Index:
    """Pod ranges by prefix, to find the one that holds an address."""

    def __init__(self, ranges: Iterable[_Range]) -> None:
        self._by_mask: dict[tuple[Family, int], dict[int, _Range]] = defaultdict(dict)
        for item in ranges:
            self._by_mask[item.family, item.block.mask].setdefault(item.block.value, item)

    def holder(self, address: str) -> _Range | None:
        """Return a range that holds an address, or None."""
        value, family = number(address), family_of(address)
        found = (
            by_value.get(value & mask)
            for (of, mask), by_value in self._by_mask.items()
            if value is not None and of is family
        )
        return next(filter(None, found), None)


def _cluster_ips(cluster: ClusterView) -> Iterator[_Address]:
    for key, view in cluster.service_views.items():
        for claim in view.address_claims:
            if claim.kind is FrontendKind.CLUSTER_IP:
                yield _Address(claim.address, view.service.full_name, claim.source, key)


def _node_ips(cluster: ClusterView) -> Iterator[_Address]:
    for node in cluster.nodes.values():
        api = node.api_object
        for position, item in enumerate((api.status.addresses if api else None) or ()):
            if api is not None and item.type == "InternalIP":
                source = api.ref.at("status", "addresses", position, "address")
                yield _Address(item.address, node.name, source)


def _taken(hits: list[tuple[_Address, _Range]], what: str, taken: str) -> Iterator[Problem]:
    if not hits:
        return
    told = listed(
        [
            _(
                "{address} of {owner} in {cidr} of {node}",
                address=a.address,
                owner=a.owner,
                cidr=r.cidr,
                node=r.node,
            )
            for a, r in hits
        ]
    )
    first, range_ = hits[0]
    yield Problem(
        message=_("{taken} in the pod range of a node: {told}", taken=taken, told=told),
        evidence=(
            *(
                Evidence(a.source, _("{what} of {owner}", what=what, owner=a.owner))
                for a, _range in hits[:3]
            ),
            Evidence(range_.source, _("pod range of {node}", node=range_.node)),
        ),
        remedy=_(
            "A pod may get {address} as well. Choose ranges for pods, Services and nodes "
            "that do not overlap; see the controller manager's --cluster-cidr and the "
            "API server's --service-cluster-ip-range.",
            address=first.address,
        ),
        affects=frozenset(a.service for a, _ in hits if a.service is not None),
    )
