"""The check `dns-service-missing`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.forwarding import ServiceKey
from analyzer.model.inputs import Input
from analyzer.model.source import SourceRef
from analyzer.snapshot import ClusterView


@check(
    station=Station.DNS,
    severity=Severity.ERROR,
    needs=(Input.SERVICES, Input.PODS),
    references=("https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/",),
)
def dns_service_missing(cluster: ClusterView) -> Iterator[Problem]:
    """
    The cluster has no Service that answers DNS.

    ## Why it matters
    Pods ask the address in their resolv.conf. Without a Service there, no name of a Service resolves;
    by their IP addresses the Services still answer.

    ## How to put it right
    Install the DNS add-on, with the cluster IP that kubelet's clusterDNS names (usually the tenth address
    of the Service range).

    ## Where it is silent
    For bundles of single namespaces, and where NodeLocal DNSCache answers on its own address.
    """
    whole = ServiceKey("default", "kubernetes") in cluster.services
    if not whole or cluster.dns_services or cluster.dns_addresses:
        return
    wanted = next(
        (n.kubelet_dns for n in cluster.nodes.values() if n.kubelet_dns.cluster_dns), None
    )
    evidence = [
        Evidence(
            SourceRef(Input.SERVICES.path(), 1), "no Service named kube-dns or with port 53 here"
        )
    ]
    if wanted is not None and wanted.cluster_dns_source is not None:
        evidence.append(Evidence(wanted.cluster_dns_source, "kubelet gives pods this clusterDNS"))
    address = f" at {', '.join(wanted.cluster_dns)}" if wanted and wanted.cluster_dns else ""
    yield Problem(
        message=f"no Service answers DNS in this cluster{address}: names of Services do not resolve",
        evidence=tuple(evidence),
        remedy="Install CoreDNS with a Service kube-system/kube-dns"
        + (f" and clusterIP {wanted.cluster_dns[0]}" if wanted and wanted.cluster_dns else "")
        + " (kubeadm init phase addon coredns).",
    )
