"""The check `node-port-address-excluded`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from analyzer.check import check
from analyzer.language import _
from analyzer.model.address import network_of
from analyzer.model.forwarding import ServiceKey
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import ProxyMode
from analyzer.model.severity import Severity
from analyzer.model.source import ObjectRef, Ref
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import ClusterView, NodeView

_WITHOUT = frozenset({ProxyMode.REPLACED, ProxyMode.WINDOWS, ProxyMode.USERSPACE})


@check(
    station=Station.PROXYING,
    severity=Severity.WARNING,
    needs=(Input.SERVICES, Input.NODES),
    references=(
        "https://kubernetes.io/docs/concepts/services-networking/service/#service-nodeport-custom-listen-address",
    ),
    advisory=True,
)
def node_port_address_excluded(cluster: ClusterView) -> Iterator[Outcome]:
    """
    nodePortAddresses leaves out the node's own address: node ports do not answer on it.

    ## Why it matters
    kube-proxy serves node ports only on addresses in these ranges. Clients and load balancers that use
    the node's InternalIP are refused.

    ## How to put it right
    Add the range of the nodes' addresses to nodePortAddresses (or use `primary`, 1.31 and later), and
    restart kube-proxy.

    ## Where it is silent
    Where the ranges hold the InternalIP, and for IP families of which they name no range. Where they hold
    another address of the node, or the loopback alone, someone has chosen so: that is only advice.
    """
    ported = frozenset(
        key
        for key, view in cluster.service_views.items()
        if view.proxied and any(p.node_port for p in view.service.ports)
    )
    if not ported:
        return
    groups: dict[tuple[tuple[str, ...], bool], list[_Excluded]] = defaultdict(list)
    for node in cluster.nodes.values():
        if node.api_object is None or node.windows or node.kube_proxy.mode in _WITHOUT:
            continue
        accepted = _accepted(node)
        if accepted is None:
            yield Undecided(
                reason=_(
                    "neither the configuration nor the rules of kube-proxy on {node} are in the "
                    "bundle",
                    node=node.name,
                ),
                missing=(Input.PROXY_CONFIGZ.path(node.name),),
                command=Input.PROXY_CONFIGZ.command(node.name),
                node=node.name,
            )
            continue
        found = _excluded(node, accepted)
        if found is not None:
            groups[accepted.ranges, found.chosen].append(found)
    for (ranges, chosen), nodes in sorted(groups.items(), key=lambda g: g[0]):
        yield _problem(ranges, nodes, ported, chosen=chosen)


@dataclass(frozen=True, slots=True)
class _Accepted:
    """On which addresses a kube-proxy serves node ports."""

    ranges: tuple[str, ...]
    """Empty for all."""

    source: Ref


@dataclass(frozen=True, slots=True)
class _Excluded:
    """A node of which no InternalIP of an IP family serves node ports."""

    node: NodeView
    addresses: tuple[tuple[str, ObjectRef], ...]
    source: Ref
    chosen: bool
    """True where node ports answer on another address of the node, or were closed to others on purpose."""


def _accepted(node: NodeView) -> _Accepted | None:
    """Return what the configuration says, else the rules; None where neither is there."""
    options = node.kube_proxy.options
    if options.source is not None:
        source = options.source
        below = source.at("nodePortAddresses") if isinstance(source, ObjectRef) else source
        return _Accepted(options.node_port_addresses, below)
    scopes = node.node_port_scopes
    if not scopes:
        return None
    ranges = tuple(scope.cidr for scope in scopes)
    return _Accepted(ranges if all(ranges) else (), scopes[0].source)


def _excluded(node: NodeView, accepted: _Accepted) -> _Excluded | None:
    networks = [n for n in map(network_of, accepted.ranges) if n is not None]
    if "primary" in accepted.ranges or not networks:
        return None
    versions = {n.version for n in networks}
    own = [(ip, ref) for ip, ref in _internal_ips(node) if _version(ip) in versions]
    for version in sorted(versions):
        out = tuple((ip, ref) for ip, ref in own if _version(ip) == version)
        if out and not any(_holds(networks, ip) for ip, _ in out):
            others = [a.address for a in node.addresses] + list(
                node.api_object.ips if node.api_object else ()
            )
            chosen = any(_holds(networks, ip) for ip in others) or all(
                n.is_loopback for n in networks
            )
            return _Excluded(node, out, accepted.source, chosen)
    return None


def _internal_ips(node: NodeView) -> Iterator[tuple[str, ObjectRef]]:
    api = node.api_object
    for position, item in enumerate((api.status.addresses if api else None) or ()):
        if api is not None and item.type == "InternalIP":
            yield item.address, api.ref.at("status", "addresses", position, "address")


def _version(ip: str) -> int:
    return 6 if ":" in ip else 4


def _holds(networks: list[IPv4Network | IPv6Network], ip: str) -> bool:
    host = network_of(ip)
    return host is not None and any(
        host.version == n.version and host.network_address in n for n in networks
    )


def _problem(
    ranges: tuple[str, ...], nodes: list[_Excluded], ported: frozenset[ServiceKey], *, chosen: bool
) -> Problem:
    first = nodes[0]
    sources = dict.fromkeys(e.source for e in nodes)
    address, place = first.addresses[0]
    return Problem(
        message=_(
            "node ports do not answer on the InternalIP of {names} ({addresses}): they are "
            "served on {ranges} only",
            names=listed([e.node.name for e in nodes], 5),
            addresses=listed([ip for e in nodes for ip, _ in e.addresses], 4),
            ranges=listed(ranges, 4),
        ),
        evidence=(
            *(Evidence(source, _("where node ports are served")) for source in list(sources)[:3]),
            Evidence(place, _("InternalIP of {node}", node=first.node.name)),
        ),
        remedy=_(
            "Let nodePortAddresses in kube-proxy's configuration hold the nodes' "
            "addresses, such as {address}, and restart kube-proxy; or use the addresses "
            "that it names.",
            address=address,
        ),
        node=first.node.name if len(nodes) == 1 else None,
        affects=ported,
        severity=Severity.INFO if chosen else None,
    )
