"""The check `source-ranges-exclude`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.commands import shell
from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.address import network_of
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Family
from analyzer.snapshot import NodeView, ServiceView


@check(
    station=Station.PROXYING,
    severity=Severity.INFO,
    needs=(Input.SERVICES,),
    references=(
        "https://kubernetes.io/docs/tasks/access-application-cluster/configure-cloud-provider-firewall/",
    ),
    advisory=True,
)
def source_ranges_exclude(view: ServiceView) -> Iterator[Problem]:
    """
    loadBalancerSourceRanges keeps clients out: some were dropped, or it holds no address of the cluster.

    ## Why it matters
    Whoever is not in a range is dropped at the load-balancer IP and waits for a time-out. Pods and nodes
    that use that IP are clients like others: kube-proxy handles their packets itself.

    ## How to put it right
    Add the range of the clients that should get in.

    ## Where it is silent
    When the ranges hold the pods' or the nodes' addresses and no packet was dropped.
    """
    service = view.service
    ranges = service.spec.load_balancer_source_ranges
    if service.spec.type != "LoadBalancer" or not ranges or not service.ingress_ips:
        return
    dropped = next(
        (e for n in view.cluster.nodes.values() for e in _dropped(n, service.ingress_ips)), None
    )
    if dropped is None and _holds_cluster(view, ranges):
        return
    told = "clients outside them were dropped" if dropped else "no node or pod address is in them"
    yield Problem(
        message=f"{service.full_name} admits only {', '.join(ranges[:5])} at its load-balancer IP: {told}",
        evidence=(
            Evidence(service.ref.at("spec", "loadBalancerSourceRanges"), "who gets in"),
            *([dropped] if dropped else []),
        ),
        remedy="If clients are missing, add their range to spec.loadBalancerSourceRanges: "
        + shell("kubectl", "-n", service.namespace, "edit", "service", service.name),
    )


def _dropped(node: NodeView, addresses: tuple[str, ...]) -> Iterator[Evidence]:
    """Yield the rules of a node that dropped packets to these addresses, by their counters."""
    for family in Family:
        ruleset = node.ruleset(family)
        for rule in ruleset.rules("filter", "KUBE-PROXY-FIREWALL") if ruleset else ():
            address = (rule.value("-d") or "").partition("/")[0]
            if ruleset and address in addresses and rule.counters and rule.counters[0]:
                yield Evidence(
                    ruleset.ref(rule), f"{rule.counters[0]} packets dropped on {node.name}"
                )


def _holds_cluster(view: ServiceView, ranges: tuple[str, ...]) -> bool:
    networks = [n for n in map(network_of, ranges) if n is not None]
    nodes = [n.api_object for n in view.cluster.nodes.values() if n.api_object]
    inside = [ip for n in nodes for ip in n.ips] + [ip for p in view.cluster.pods for ip in p.ips]
    hosts = [h for h in (network_of(ip) for ip in inside) if h is not None]
    return not hosts or any(
        h.version == n.version and h.network_address in n for h in hosts for n in networks
    )
