"""From what a bundle holds to what the simulator is given: the dumps that are in force, the places of pods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from analyzer.model.backend import Backend
from analyzer.model.kubernetes import Node, Pod, Service
from analyzer.model.node import Document, Route
from analyzer.model.ruleset import Backend as Flavour
from analyzer.model.ruleset import Family, Ruleset
from analyzer.model.source import NOWHERE
from analyzer.simulate.address import family_of
from analyzer.simulate.host import HostListener, PodSite

_IPTABLES_TABLES = frozenset({"raw", "mangle", "nat", "filter", "security"})
_BELOW_IP = frozenset({"bridge", "netdev"})
_ANYWHERE = {Family.IPV4: "0.0.0.0/0", Family.IPV6: "::/0"}


def dumps_in_force(files: Sequence[Sequence[Ruleset]]) -> tuple[Ruleset, ...]:
    """Return the newest dump of each backend; of two files with the same backend the first one counts.

    `files`: the dumps of each file, oldest first; the file of the backend in use comes first.
    """
    found: dict[Flavour, Ruleset] = {}
    for dumps in files:
        for flavour, dump in {dump.backend: dump for dump in dumps}.items():
            found.setdefault(flavour, dump)
    named = [dump for flavour, dump in found.items() if flavour is not Flavour.UNKNOWN]
    chosen = named or list(found.values())
    return tuple(dump for dump in chosen if not dump.empty) or tuple(chosen[:1])


def empty_by_nft(nft: Document | None, family: Family, iptables_version: str) -> Ruleset | None:
    """Return an empty ruleset where `nft list ruleset` shows that iptables, being nf_tables, has none."""
    items = nft.find("nftables") if nft is not None else None
    if nft is None or not isinstance(items, list) or "nf_tables" not in iptables_version:
        return None
    kind = "ip" if family is Family.IPV4 else "ip6"
    if any((kind, name) in set(_tables(items, "chain", "name")) for name in _IPTABLES_TABLES):
        return None
    return Ruleset(nft.ref.path, family, Flavour.NFT, "nft")


def unexecuted_tables(nft: Document | None) -> tuple[str, ...]:
    """Return the nftables tables with rules on hooks below IP, which no walk executes (`nft -j list ruleset`)."""
    items = nft.find("nftables") if nft is not None else None
    if not isinstance(items, list):
        return ()
    filled = set(_tables(items, "chain", "hook")) & set(_tables(items, "rule", "expr"))
    return tuple(
        f"nftables table {kind} {name}" for kind, name in sorted(filled) if kind in _BELOW_IP
    )


def _tables(items: list[object], kind: str, needed: str) -> Iterator[tuple[str, str]]:
    for item in items:
        found = item.get(kind) if isinstance(item, dict) else None
        if isinstance(found, dict) and needed in found:
            yield str(found.get("family", "")), str(found.get("table", ""))


def pod_sites(pods: Iterable[Pod]) -> tuple[PodSite, ...]:
    """Return the pods with a network of their own that are not finished."""
    return tuple(
        PodSite(pod.full_name, pod.spec.node_name, pod.ips, _runs(pod))
        for pod in pods
        if pod.ips and not pod.host_network and not pod.finished
    )


def _runs(pod: Pod) -> bool:
    """Tell whether a container runs, or whether that is not known."""
    statuses = pod.status.container_statuses or ()
    states = [s.state for s in statuses if s.state is not None]
    return not states or any(state.running for state in states)


def host_listeners(
    pods: Iterable[Pod], backends: Iterable[Backend], node_addresses: frozenset[str]
) -> tuple[HostListener, ...]:
    """Return who listens in the network of a node, by declared ports and by published endpoints."""
    declared = [
        HostListener(pod.full_name, address, port.container_port, port.protocol.lower())
        for pod in pods
        if pod.host_network and not pod.finished
        for container in pod.containers
        for port in container.ports or ()
        for address in pod.ips
    ]
    published = [
        HostListener(b.pod, b.endpoint.address, b.endpoint.port, b.protocol.value.lower())
        for b in backends
        if b.pod and b.endpoint.address in node_addresses
    ]
    return (*declared, *published)


def assumed_routes(pods: Iterable[Pod]) -> tuple[Route, ...]:
    """Return what stands in for the routes of a node that were not read: its pods, and everybody else.

    Interfaces have no name then, so that matches on them are unknown.
    """
    own = [ip for pod in pods if not pod.host_network and not pod.finished for ip in pod.ips]
    hosts = (f"{ip}/{32 if family_of(ip) is Family.IPV4 else 128}" for ip in own)
    return tuple(
        Route("unicast", destination, "", "", "main", 0, NOWHERE)
        for destination in (*hosts, *_ANYWHERE.values())
    )


def pod_ranges(nodes: Iterable[Node]) -> tuple[str, ...]:
    """Return the CIDRs that nodes give their pods addresses from."""
    return tuple(dict.fromkeys(cidr for node in nodes for cidr in node.pod_cidrs))


def node_ports(services: Iterable[Service]) -> frozenset[int]:
    """Return the node ports of all Services."""
    return frozenset(p.node_port for s in services for p in s.ports if p.node_port)
