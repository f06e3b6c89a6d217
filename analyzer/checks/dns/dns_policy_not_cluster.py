"""The check `dns-policy-not-cluster`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.expect.resolv_conf import DNSOrigin, dns_origin
from analyzer.language import _, plural
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Event, Pod
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import ClusterView

_OF_NODES = (DNSOrigin.NODE_FOR_HOST_NETWORK, DNSOrigin.NODE)


@check(
    station=Station.DNS,
    severity=Severity.WARNING,
    needs=(Input.PODS,),
    references=(
        "https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-s-dns-policy",
        "https://github.com/kubernetes/kubernetes/issues/35761",
    ),
)
def dns_policy_not_cluster(cluster: ClusterView) -> Iterator[Problem]:
    """
    Pods get the node's resolvers instead of the cluster's DNS.

    ## Why it matters
    Names of Services do not resolve there. That is what dnsPolicy Default says; a pod of the host's network
    with ClusterFirst gets it unasked, and so does every pod of a kubelet without clusterDNS (an error).

    ## How to put it right
    For a pod with hostNetwork: dnsPolicy ClusterFirstWithHostNet. For a kubelet: set clusterDNS.

    ## Where it is silent
    For pods of the system's own namespaces, which mostly need no names of Services, and for dnsPolicy None,
    which leaves all to dnsConfig. For others it is only advice, since not every pod uses such names.
    """
    yield from _kubelets_without_dns(cluster)
    by_origin: dict[DNSOrigin, list[Pod]] = {o: [] for o in _OF_NODES}
    for pod in cluster.pods:
        origin = dns_origin(pod, None)
        if origin in _OF_NODES and _concerns(pod):
            by_origin[origin].append(pod)
    for origin, pods in by_origin.items():
        if pods:
            yield _advice(origin, pods)


def _concerns(pod: Pod) -> bool:
    namespace = pod.namespace
    system = namespace.startswith(("kube-", "openshift-")) or namespace.endswith("-system")
    return not system and not pod.finished


def _advice(origin: DNSOrigin, pods: list[Pod]) -> Problem:
    names = [p.full_name for p in pods]
    host = origin is DNSOrigin.NODE_FOR_HOST_NETWORK
    field = ("spec", "hostNetwork") if host else ("spec", "dnsPolicy")
    one = len(names) == 1
    why = (
        _(
            "{verb} in the host's network with dnsPolicy ClusterFirst, which means the "
            "node's resolvers there",
            verb=plural("is", "are", len(names)),
        )
        if host
        else _(
            "{verb} dnsPolicy Default, the node's resolvers",
            verb=plural("has", "have", len(names)),
        )
    )
    return Problem(
        message=_("{names} {why}: names of Services do not resolve", names=listed(names), why=why),
        evidence=tuple(Evidence(p.ref.at(*field), _("pod {pod}", pod=p.name)) for p in pods[:3]),
        remedy=_("If these pods use Services by name, let their template say dnsPolicy ")
        + ("ClusterFirstWithHostNet." if host else "ClusterFirst."),
        severity=Severity.INFO,
        pod=names[0] if one else None,
    )


def _kubelets_without_dns(cluster: ClusterView) -> Iterator[Problem]:
    nodes = [n for n in cluster.nodes.values() if n.kubelet_dns.cluster_dns == ()]
    event = next((e for e in reversed(cluster.events) if _is_current(cluster, e)), None)
    evidence = [
        Evidence(ref, _("no clusterDNS in this configuration"))
        for ref in dict.fromkeys(n.kubelet_dns.cluster_dns_source for n in nodes)
        if ref is not None
    ][:3]
    if event is not None:
        evidence.append(Evidence(event.ref.at("message"), _("kubelet's own words")))
    if not evidence:
        return
    where = _("on {names} ", names=listed([n.name for n in nodes])) if nodes else ""
    address = f" ({cluster.dns_addresses[0]})" if cluster.dns_addresses else ""
    yield Problem(
        message=_(
            "kubelet {where}has no clusterDNS: its pods get the node's resolvers, and "
            "names of Services do not resolve there",
            where=where,
        ),
        evidence=tuple(evidence),
        remedy=_(
            "Set clusterDNS in kubelet's configuration to the cluster IP of the DNS "
            "Service{address}, restart kubelet, recreate the pods.",
            address=address,
        ),
        severity=Severity.ERROR,
        partial=True,
    )


def _is_current(cluster: ClusterView, event: Event) -> bool:
    """Tell whether kubelet misses clusterDNS by an event that no setting of its node contradicts."""
    if event.reason != "MissingClusterDNS":
        return False
    about = event.involved_object
    pod = cluster.pod_by_name.get(f"{about.namespace}/{about.name}")
    node = cluster.nodes.get(pod.spec.node_name) if pod else None
    return node is None or not node.kubelet_dns.cluster_dns
