"""The check `dns-service-missing`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.language import _, plural
from analyzer.model.forwarding import ServiceKey
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.source import SourceRef
from analyzer.model.station import Station
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import ClusterView


@check(
    station=Station.DNS,
    severity=Severity.ERROR,
    needs=(Input.SERVICES, Input.PODS),
    references=("https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/",),
)
def dns_service_missing(cluster: ClusterView) -> Iterator[Outcome]:
    """
    The cluster has no Service that answers DNS.

    ## Why it matters
    Pods ask the address in their resolv.conf. Without a Service there, no name of a Service resolves;
    by their IP addresses the Services still answer.

    ## How to put it right
    Install the DNS add-on, with the cluster IP that kubelet's clusterDNS names (usually the tenth address
    of the Service range).

    ## Where it is silent
    Where NodeLocal DNSCache or the cloud answers on an address of its own. A bundle of single namespaces does
    not tell.
    """
    if cluster.dns_services or cluster.dns_addresses or _answered_elsewhere(cluster):
        return
    namespaces = {key.namespace for key in cluster.services}
    if ServiceKey("default", "kubernetes") not in cluster.services:
        yield Undecided(
            reason=_(
                "the bundle has Services of {namespaces}, default/kubernetes not among them: "
                "whether another answers DNS is not known",
                namespaces=plural("{count:,} namespace", "{count:,} namespaces", len(namespaces)),
            ),
            missing=(Input.SERVICES.path(),),
            command=Input.SERVICES.command(),
        )
        return
    yield _problem(cluster)


def _answered_elsewhere(cluster: ClusterView) -> bool:
    return any(
        node.answers_dns_beside_the_cluster(address)
        for node in cluster.nodes.values()
        for address in cluster.asked_nameservers
    )


def _problem(cluster: ClusterView) -> Problem:
    evidence = [
        Evidence(
            SourceRef(Input.SERVICES.path(), 1), _("no Service of the cluster's DNS in this list")
        )
    ]
    kubelets = [n.kubelet_dns for n in cluster.nodes.values() if n.kubelet_dns.cluster_dns]
    wanted = (kubelets[0].cluster_dns or ()) if kubelets else ()
    if kubelets and kubelets[0].cluster_dns_source is not None:
        evidence.append(Evidence(kubelets[0].cluster_dns_source, _("what kubelet gives to pods")))
    address = _(" (kubelet sends pods to {names})", names=" and ".join(wanted)) if wanted else ""
    return Problem(
        message=_(
            "no Service answers DNS in this cluster{address}: names of Services do not resolve",
            address=address,
        ),
        evidence=tuple(evidence),
        remedy=_("Install CoreDNS with a Service kube-system/kube-dns")
        + (_(" that has clusterIP {wanted}", wanted=wanted[0]) if wanted else "")
        + _("; in a cluster made by kubeadm: kubeadm init phase addon coredns"),
    )
