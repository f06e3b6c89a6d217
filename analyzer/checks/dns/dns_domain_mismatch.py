"""The check `dns-domain-mismatch`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.expect.corefile import answers_for
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import ClusterView, NodeView


@check(
    station=Station.DNS,
    severity=Severity.ERROR,
    needs=(Input.CONFIG_MAPS,),
    references=("https://kubernetes.io/docs/tasks/administer-cluster/dns-custom-nameservers/",),
    advisory=True,
)
def dns_domain_mismatch(cluster: ClusterView) -> Iterator[Outcome]:
    """
    kubelet and CoreDNS do not use the same cluster domain.

    ## Why it matters
    kubelet puts its domain into the search list of every pod; CoreDNS answers for its own only. Names of
    Services resolve in full, with CoreDNS' domain, or not at all.

    ## How to put it right
    Make clusterDomain of kubelet and the zone of the plugin `kubernetes` in the Corefile the same, restart
    what changed, and recreate the pods.

    ## Where it is silent
    Where CoreDNS serves several domains, rewrites kubelet's, or has a server block for it.
    """
    zones = cluster.dns_zones
    if not zones:
        yield Undecided(reason=_("no Corefile with the plugin kubernetes is among the ConfigMaps"))
        return
    kubelets = [n for n in cluster.nodes.values() if n.kubelet_dns.cluster_domain]
    if not kubelets:
        yield Undecided(
            reason=_("no kubelet's clusterDomain is in the bundle"),
            missing=(Input.KUBELET_CONFIGZ.path("<node>"),),
            command=Input.KUBELET_CONFIGZ.command(),
        )
    told: dict[str, list[NodeView]] = {}
    for node in kubelets:
        domain = node.kubelet_dns.cluster_domain or ""
        if not any(answers_for(corefile, domain) for corefile, _ in cluster.corefiles):
            told.setdefault(domain, []).append(node)
    for domain, nodes in sorted(told.items()):
        yield _problem(cluster, domain, nodes, zones)


def _problem(
    cluster: ClusterView, domain: str, nodes: list[NodeView], zones: tuple[str, ...]
) -> Problem:
    every = len(nodes) == len(cluster.nodes)
    where = "" if every else _(" on {names}", names=listed([n.name for n in nodes]))
    sources = dict.fromkeys(n.kubelet_dns.cluster_domain_source for n in nodes)
    served = " and ".join(zones)
    return Problem(
        message=_(
            "kubelet's cluster domain{where} is {domain}, but CoreDNS answers for "
            "{served}: names of Services do not resolve by pods' search lists",
            where=where,
            domain=domain,
            served=served,
        ),
        evidence=(
            *(
                Evidence(s, _("clusterDomain {domain}", domain=domain))
                for s in sources
                if s is not None
            ),
            *(
                Evidence(ref, _("CoreDNS serves {served}", served=served))
                for _corefile, ref in cluster.corefiles[:1]
            ),
        )[:4],
        remedy=_(
            "Either set clusterDomain in kubelet's configuration{where} to {zone}, "
            "restart kubelet and recreate the pods, or set the zone of the plugin "
            "kubernetes in the Corefile to {domain}: kubectl -n kube-system edit "
            "configmap coredns",
            where=where,
            zone=zones[0],
            domain=domain,
        ),
        partial=not every,
    )
