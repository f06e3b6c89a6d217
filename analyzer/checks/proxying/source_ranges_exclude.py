"""The check `source-ranges-exclude`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from analyzer.check import check
from analyzer.commands import edit
from analyzer.language import _
from analyzer.model.address import network_of
from analyzer.model.chain_names import service_suffix
from analyzer.model.forwarding import Protocol, ServicePortName
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Service
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.observe.refused_clients import RefusedClients
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import ClusterView, NodeView, ServiceView

_SAMPLED = 1_000
"""Pods whose addresses are looked at where no node has a pod CIDR."""


@check(
    station=Station.PROXYING,
    severity=Severity.INFO,
    needs=(Input.SERVICES,),
    references=(
        "https://kubernetes.io/docs/tasks/access-application-cluster/configure-cloud-provider-firewall/",
    ),
    advisory=True,
)
def source_ranges_exclude(view: ServiceView) -> Iterator[Outcome]:
    """
    loadBalancerSourceRanges keeps clients out: some were dropped, or it holds no address of the cluster.

    ## Why it matters
    Whoever is not in a range is dropped at the load-balancer IP and waits for a time-out. Pods and nodes
    that use that IP are clients like others: kube-proxy handles their packets itself.

    ## How to put it right
    Add the range of the clients that should get in.

    ## Where it is silent
    When the ranges hold the pods' or the nodes' addresses and no packet was dropped, and where kube-proxy has no
    rule for the load balancer (a host name, ipMode Proxy).
    """
    service = view.service
    ranges = service.spec.load_balancer_source_ranges
    if service.spec.type != "LoadBalancer" or not ranges or not service.ingress_ips:
        return
    nodes = view.cluster.nodes.values()
    dropped = next((e for n in nodes for e in _dropped(n, service)), None)
    if dropped is None and _holds_cluster(view.cluster, ranges):
        yield from _uncounted(nodes, service)
        return
    told = (
        _("clients outside them were dropped")
        if dropped
        else _("no node or pod address is in them")
    )
    yield Problem(
        message=_(
            "{service} admits only {names} at its load-balancer IP: {told}",
            service=service.full_name,
            names=", ".join(ranges[:5]),
            told=told,
        ),
        evidence=(
            Evidence(service.ref.at("spec", "loadBalancerSourceRanges"), _("who gets in")),
            *([dropped] if dropped else []),
        ),
        remedy=_("If clients are missing, add their range to spec.loadBalancerSourceRanges: ")
        + edit(service.namespace, "service", service.name),
    )


def _dropped(node: NodeView, service: Service) -> Iterator[Evidence]:
    """Yield the rules of a node that dropped packets to the Service, by their counters."""
    for found in _refused(node, service):
        if found.packets is not None:
            text = _("{counter} packets dropped on {node}", counter=found.packets, node=node.name)
            yield Evidence(found.source, text)


def _uncounted(nodes: Iterable[NodeView], service: Service) -> Iterator[Undecided]:
    """Yield that it is not known whether clients were dropped, where the rules are there without counters."""
    for node in nodes:
        if any(found.packets is None for found in _refused(node, service)):
            yield Undecided(
                reason=_("the dump of {node} has no counters", node=node.name),
                missing=(Input.RULESET.path(node.name),),
                command=Input.RULESET.command(node.name),
            )


def _refused(node: NodeView, service: Service) -> Iterator[RefusedClients]:
    yield from (r for r in node.refused_clients if r.address in service.ingress_ips)
    yield from (r for s in _suffixes(service) for r in node.refused_clients if r.suffix == s)


def _suffixes(service: Service) -> Iterator[str]:
    """Yield the 16 characters of its chains."""
    for port in service.ports:
        name, protocol = ServicePortName(service.key, port.name), Protocol.parse(port.protocol)
        if protocol is not None:
            yield from (service_suffix(name, protocol, colon=colon) for colon in (True, False))


def _holds_cluster(cluster: ClusterView, ranges: tuple[str, ...]) -> bool:
    """Tell whether a range holds addresses of nodes or pods; so it does where none of them is known."""
    nodes = [n.api_object for n in cluster.nodes.values() if n.api_object]
    cidrs = [c for n in nodes for c in n.pod_cidrs]
    pods = (ip for p in cluster.pods if not p.host_network for ip in p.ips)
    inside = [ip for n in nodes for ip in n.ips] + (cidrs or list(islice(pods, _SAMPLED)))
    networks = [n for n in map(network_of, ranges) if n is not None]
    known = [h for h in map(network_of, inside) if h is not None]
    return not known or any(
        h.version == n.version and h.overlaps(n) for h in known for n in networks
    )
