"""The check `node-address-wrong`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from analyzer.check import check
from analyzer.language import _
from analyzer.model.address import canonical_ip, family_of
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.source import ObjectRef
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import ClusterView, NodeView


@check(
    station=Station.PROXYING,
    severity=Severity.ERROR,
    needs=(Input.NODES,),
    references=(
        "https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/",
        "https://github.com/kubernetes/kubernetes/issues/44702",
    ),
)
def node_address_wrong(cluster: ClusterView) -> Iterator[Outcome]:
    """
    A node's InternalIP is not its own: several nodes share it, or no interface has it.

    ## Why it matters
    Pods of the host network are endpoints under that address, and overlays build their tunnels to it:
    their traffic goes to the wrong machine. Usual with several interfaces (10.0.2.15 under Vagrant).

    ## How to put it right
    Start kubelet with `--node-ip` set to the address that the other nodes reach.

    ## Where it is silent
    For Node objects whose machine is gone (Ready is Unknown) and has left its address to another, for virtual
    nodes, and for ExternalIPs, which clouds translate.
    """
    holders: dict[str, list[_Holder]] = defaultdict(list)
    for node in cluster.nodes.values():
        for holder in _internal_ips(node):
            holders[holder.address].append(holder)
    shared: dict[tuple[str, ...], list[_Holder]] = defaultdict(list)
    for found in holders.values():
        alive = [h for h in found if not _is_gone(h.node)]
        if len(alive) > 1:
            shared[tuple(h.node.name for h in alive)] += alive
        for holder in found if len(found) == 1 else ():
            yield from _foreign(holder)
    for names, found in shared.items():
        yield _shared(names, found)
    unread = [n for n in cluster.nodes.values() if n.api_object and not _is_told(n)]
    if unread:
        yield Undecided(
            reason=_(
                "the interfaces of {names} are not in the bundle",
                names=listed([n.name for n in unread]),
            ),
            missing=tuple(Input.ADDRESSES.path(n.name) for n in unread),
            command=Input.ADDRESSES.command(unread[0].name),
        )


@dataclass(frozen=True, slots=True)
class _Holder:
    """A node with one of its InternalIPs."""

    node: NodeView
    address: str
    """In its canonical spelling."""

    source: ObjectRef


def _internal_ips(node: NodeView) -> Iterator[_Holder]:
    api = node.api_object
    if api is None or api.labels.get("type") == "virtual-kubelet":
        return
    for position, item in enumerate(api.status.addresses or ()):
        address = canonical_ip(item.address)
        if item.type == "InternalIP" and family_of(address) is not None:
            source = api.ref.at("status", "addresses", position, "address")
            yield _Holder(node, address, source)


def _is_gone(node: NodeView) -> bool:
    condition = node.api_object.condition("Ready") if node.api_object else None
    return condition is not None and condition.status == "Unknown"


def _is_told(node: NodeView) -> bool:
    """Tell whether the interfaces that were read decide: all of them, or those that have the InternalIPs."""
    own = {canonical_ip(a.address) for a in node.addresses}
    wanted = [holder.address for holder in _internal_ips(node)]
    return _is_read(node) or (bool(wanted) and own.issuperset(wanted))


def _is_read(node: NodeView) -> bool:
    return node.windows or (node.has(Input.ADDRESSES) and bool(node.addresses))


def _shared(names: tuple[str, ...], holders: list[_Holder]) -> Problem:
    addresses = dict.fromkeys(h.address for h in holders)
    return Problem(
        message=_(
            "{names} all have InternalIP {addresses}",
            names=listed(names, 5),
            addresses=" and ".join(addresses),
        ),
        evidence=tuple(
            Evidence(h.source, _("InternalIP of {node}", node=h.node.name)) for h in holders[:5]
        ),
        remedy=_(
            "Give each kubelet its own --node-ip, an address that the other nodes reach, "
            "and restart it."
        ),
    )


def _foreign(holder: _Holder) -> Iterator[Problem]:
    node = holder.node
    if node.windows or not _is_read(node):
        return
    own = {canonical_ip(a.address): a.interface for a in node.addresses}
    if holder.address in own:
        return
    candidates = [
        f"{address} ({interface})"
        for address, interface in own.items()
        if family_of(address) is family_of(holder.address)
        and interface not in {"lo", "kube-ipvs0", "nodelocaldns", *node.pod_bridges}
    ]
    yield Problem(
        message=_(
            "no interface of {node} has its InternalIP {address}",
            node=node.name,
            address=holder.address,
        ),
        evidence=(
            Evidence(holder.source, _("InternalIP of {node}", node=node.name)),
            *_evidence(node, holder.address),
        ),
        remedy=_(
            "Start kubelet on {node} with --node-ip set to an address of one of its interfaces",
            node=node.name,
        )
        + (f": {listed(candidates, 4)}" if candidates else "."),
        node=node.name,
        severity=Severity.WARNING,
    )


def _evidence(node: NodeView, missing: str) -> Iterator[Evidence]:
    """Yield the addresses that the node has instead."""
    same = [a for a in node.addresses if family_of(a.address) is family_of(missing)]
    for item in [a for a in same or node.addresses if a.interface != "lo"][:2]:
        source = item.source.at("local") if isinstance(item.source, ObjectRef) else item.source
        yield Evidence(source, _("address of {interface}", interface=item.interface))
