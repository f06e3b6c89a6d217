"""The check `dns-nameserver-wrong`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.expect.resolv_conf import compare_resolv_conf, expected_resolv_conf
from analyzer.findings import Evidence, Outcome, Problem, Severity, Station, Undecided, check
from analyzer.model.inputs import Input
from analyzer.model.source import SourceRef
from analyzer.snapshot import ClusterView, NodeView


@check(
    station=Station.DNS,
    severity=Severity.ERROR,
    needs=(Input.SERVICES, Input.PODS),
    consequence_of=("dns-service-missing",),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#does-any-service-work-by-dns-name",
        "https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/",
    ),
)
def dns_nameserver_wrong(cluster: ClusterView) -> Iterator[Outcome]:
    """
    Pods ask a nameserver that is not the cluster's DNS.

    ## Why it matters
    Names of Services do not resolve in these pods; the Services answer by IP address.

    ## How to put it right
    Set clusterDNS of kubelet to the cluster IP of the DNS Service, restart kubelet, and recreate the pods:
    a pod keeps the resolv.conf of its start.

    ## Where it is silent
    For pods whose dnsPolicy asks for the node's resolvers, for nameservers of their own dnsConfig, and for
    NodeLocal DNSCache.
    """
    if not cluster.dns_addresses:
        return
    if not cluster.pod_resolv_confs:
        yield Undecided(
            reason="no pod's resolv.conf is in the bundle",
            missing=("pods/<namespace>/<pod>/resolv.conf",),
            command=Input.POD_RESOLV_CONF.command(),
        )
    wrong = _wrong_pods(cluster)
    settings = _wrong_kubelets(cluster)
    for address in sorted({*wrong, *settings}):
        yield _problem(cluster, address, wrong.get(address, []), settings.get(address, []))


def _wrong_pods(cluster: ClusterView) -> dict[str, list[tuple[str, SourceRef]]]:
    """Return, by wrong nameserver, the pods that ask it with the line that says so."""
    found: dict[str, list[tuple[str, SourceRef]]] = defaultdict(list)
    for read in cluster.pod_resolv_confs:
        pod = cluster.pod_by_name.get(read.full_name)
        if pod is None:
            continue
        expected = expected_resolv_conf(pod, None, "", None)
        difference = compare_resolv_conf(expected, read.resolv_conf, pod, cluster.dns_addresses)
        for address, ref in difference.wrong_nameservers:
            found[address].append((read.full_name, ref))
    return found


def _wrong_kubelets(cluster: ClusterView) -> dict[str, list[NodeView]]:
    """Return, by wrong clusterDNS, the nodes whose kubelet is set to it."""
    found: dict[str, list[NodeView]] = defaultdict(list)
    for node in cluster.nodes.values():
        told = node.kubelet_dns.cluster_dns or ()
        if told and not set(told) & set(cluster.dns_addresses):
            found[told[0]].append(node)
    return found


def _problem(
    cluster: ClusterView, address: str, pods: list[tuple[str, SourceRef]], nodes: list[NodeView]
) -> Problem:
    right = ", ".join(cluster.dns_addresses)
    who = []
    if pods:
        names = [name for name, _ in pods]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""  # noqa: PLR2004
        who.append(f"{', '.join(names[:3])}{more} {'asks' if len(names) == 1 else 'ask'} {address}")
    if nodes:
        who.append(f"kubelet's clusterDNS on {', '.join(n.name for n in nodes[:3])} is {address}")
    evidence = [Evidence(ref, f"resolv.conf of {name}") for name, ref in pods[:3]]
    sources = dict.fromkeys(n.kubelet_dns.cluster_dns_source for n in nodes)
    evidence += [Evidence(ref, "kubelet's clusterDNS") for ref in sources if ref is not None]
    evidence += [
        Evidence(s.ref.at("spec", "clusterIP"), f"cluster IP of {s.full_name}")
        for s in cluster.dns_services[:1]
    ]
    return Problem(
        message=f"{'; '.join(who)}, but the cluster's DNS is {right}",
        evidence=tuple(evidence),
        remedy=f"Set clusterDNS in kubelet's configuration to {cluster.dns_addresses[0]} on the nodes of these "
        "pods, restart kubelet there, then recreate the pods.",
        pod=pods[0][0] if len(pods) == 1 and not nodes else None,
        partial=True,
    )
