"""The check `dns-policy-not-cluster`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.expect.resolv_conf import DNSOrigin, dns_origin
from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Pod
from analyzer.snapshot import ClusterView


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
    with ClusterFirst gets it unasked, and so does every pod of a kubelet without clusterDNS.

    ## How to put it right
    For a pod with hostNetwork: dnsPolicy ClusterFirstWithHostNet. For a kubelet: set clusterDNS.

    ## Where it is silent
    For pods of the system's own namespaces, which mostly need no names of Services; for others it is only
    advice, since not every pod uses such names.
    """
    unset = _kubelets_without_dns(cluster)
    if unset is not None:
        yield unset
    for origin in (DNSOrigin.NODE_FOR_HOST_NETWORK, DNSOrigin.NODE):
        pods = [p for p in cluster.pods if _concerns(p) and dns_origin(p, None) is origin]
        if pods:
            yield _advice(origin, pods)


def _concerns(pod: Pod) -> bool:
    namespace = pod.namespace
    system = namespace.startswith(("kube-", "openshift-")) or namespace.endswith("-system")
    return not system and not pod.finished


def _advice(origin: DNSOrigin, pods: list[Pod]) -> Problem:
    names = [p.full_name for p in pods]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""  # noqa: PLR2004
    host = origin is DNSOrigin.NODE_FOR_HOST_NETWORK
    field = ("spec", "hostNetwork") if host else ("spec", "dnsPolicy")
    return Problem(
        message=f"{', '.join(names[:3])}{more}: {origin.value}, so names of Services do not resolve there",
        evidence=tuple(Evidence(p.ref.at(*field), f"pod {p.name}") for p in pods[:3]),
        remedy="If these pods use Services by name, set dnsPolicy: "
        + ("ClusterFirstWithHostNet" if host else "ClusterFirst")
        + " in their template.",
        severity=Severity.INFO,
        pod=names[0] if len(names) == 1 else None,
    )


def _kubelets_without_dns(cluster: ClusterView) -> Problem | None:
    nodes = [n for n in cluster.nodes.values() if n.kubelet_dns.cluster_dns == ()]
    event = next((e for e in reversed(cluster.events) if e.reason == "MissingClusterDNS"), None)
    evidence = [
        Evidence(ref, "clusterDNS is not set here")
        for ref in dict.fromkeys(n.kubelet_dns.cluster_dns_source for n in nodes)
        if ref is not None
    ]
    if event is not None:
        evidence.append(Evidence(event.ref.at("message"), "kubelet's own words"))
    if not evidence:
        return None
    named = ", ".join(n.name for n in nodes[:3]) or "a node"
    return Problem(
        message=f"kubelet on {named} has no clusterDNS: its pods get the node's resolvers",
        evidence=tuple(evidence[:4]),
        remedy="Set clusterDNS in kubelet's configuration to the cluster IP of the DNS Service"
        + (f" ({cluster.dns_addresses[0]})" if cluster.dns_addresses else "")
        + ", restart kubelet, recreate the pods.",
        severity=Severity.ERROR,
        partial=True,
    )
