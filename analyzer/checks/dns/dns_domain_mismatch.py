"""The check `dns-domain-mismatch`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.inputs import Input
from analyzer.snapshot import ClusterView


@check(
    station=Station.DNS,
    severity=Severity.ERROR,
    needs=(Input.CONFIG_MAPS,),
    references=("https://kubernetes.io/docs/tasks/administer-cluster/dns-custom-nameservers/",),
)
def dns_domain_mismatch(cluster: ClusterView) -> Iterator[Problem]:
    """
    kubelet and CoreDNS do not use the same cluster domain.

    ## Why it matters
    kubelet puts its domain into the search list of every pod; CoreDNS answers for its own only. Names of
    Services resolve in full, with CoreDNS' domain, or not at all.

    ## How to put it right
    Make clusterDomain of kubelet and the zone of the plugin `kubernetes` in the Corefile the same, restart
    what changed, and recreate the pods.
    """
    zones = cluster.dns_zones
    if not zones:
        return
    told: dict[str, list[str]] = {}
    for node in cluster.nodes.values():
        domain = node.kubelet_dns.cluster_domain
        if domain is not None and domain.lower() not in zones and "." not in zones:
            told.setdefault(domain, []).append(node.name)
    for domain, names in sorted(told.items()):
        source = cluster.nodes[names[0]].kubelet_dns.cluster_domain_source
        evidence = [
            Evidence(ref, f"CoreDNS serves {', '.join(zones)}") for _, ref in cluster.corefiles[:1]
        ]
        if source is not None:
            evidence.insert(0, Evidence(source, f"clusterDomain {domain}"))
        yield Problem(
            message=f"kubelet's cluster domain is {domain}, CoreDNS answers for {', '.join(zones)}",
            evidence=tuple(evidence),
            remedy=f"Set the zone of `kubernetes` in the Corefile (ConfigMap kube-system/coredns) to {domain}, or "
            f"clusterDomain of kubelet to {zones[0]}.",
        )
