"""The check `dns-search-incomplete`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import shell
from analyzer.expect.resolv_conf import compare_resolv_conf, expected_resolv_conf
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.source import SourceRef
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import ClusterView, PodResolvConf


@check(
    station=Station.DNS,
    severity=Severity.ERROR,
    needs=(Input.PODS,),
    consequence_of=("dns-domain-mismatch",),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#does-any-service-work-by-dns-name",
        "https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#namespaces-of-services",
    ),
)
def dns_search_incomplete(cluster: ClusterView) -> Iterator[Outcome]:
    """
    A pod's search list lacks the domains in which Services are.

    ## Why it matters
    Short names (`hostnames`, `hostnames.default`) are looked up in the search list. Without
    `<namespace>.svc.<domain>` and `svc.<domain>` there, only full names resolve.

    ## How to put it right
    Set clusterDomain of kubelet to the domain that CoreDNS serves, restart kubelet and recreate the pod. If
    kubelet is set right, something in the pod has written another file.

    ## Where it is silent
    For pods whose dnsPolicy does not ask for the cluster's DNS, and for any of several domains that CoreDNS
    serves.
    """
    if not cluster.pod_resolv_confs:
        yield Undecided(
            reason=_("no pod's resolv.conf is in the bundle"),
            missing=("pods/<namespace>/<pod>/resolv.conf",),
            command=Input.POD_RESOLV_CONF.command(),
        )
    domains = {r.full_name: _domains(cluster, r) for r in cluster.pod_resolv_confs}
    if not cluster.dns_zones and not all(domains.values()):
        yield Undecided(
            reason=_("neither kubelet's clusterDomain nor CoreDNS' zone is in the bundle"),
            missing=(Input.CONFIG_MAPS.path(),),
            command=Input.CONFIG_MAPS.command(),
        )
    lacking = [
        (r, missing)
        for r in cluster.pod_resolv_confs
        if (missing := _missing(cluster, r, domains[r.full_name]))
    ]
    if lacking:
        yield _problem(cluster, lacking, domains)


def _domains(cluster: ClusterView, read: PodResolvConf) -> tuple[str, ...]:
    """Return the domains of Services: CoreDNS' zones, else the domain of the kubelet that started the pod."""
    pod = cluster.pod_by_name.get(read.full_name)
    node = cluster.nodes.get(pod.spec.node_name) if pod else None
    told = node.kubelet_dns.cluster_domain if node else None
    return cluster.dns_zones or ((told,) if told else ())


def _missing(
    cluster: ClusterView, read: PodResolvConf, domains: tuple[str, ...]
) -> tuple[str, ...]:
    """Return what lacks for the domain of which least does."""
    pod = cluster.pod_by_name.get(read.full_name)
    if pod is None:
        return ()
    node = cluster.nodes.get(pod.spec.node_name)
    told = node.kubelet_dns.cluster_dns if node else None
    expected = (
        expected_resolv_conf(pod, () if told == () else None, domain, None) for domain in domains
    )
    found = (compare_resolv_conf(e, read.resolv_conf, pod, ()).missing_search for e in expected)
    return min(found, key=len, default=())


def _problem(
    cluster: ClusterView,
    lacking: list[tuple[PodResolvConf, tuple[str, ...]]],
    domains: dict[str, tuple[str, ...]],
) -> Problem:
    first, missing = lacking[0]
    names = [read.full_name for read, _ in lacking]
    return Problem(
        message=_(
            "the search list of {names} lacks {missing}: short names of Services do not "
            "resolve there",
            names=listed(names),
            missing=", ".join(missing),
        ),
        evidence=tuple(_evidence(r) for r, _ in lacking[:3]),
        remedy=_remedy(cluster, first, domains[first.full_name][0]),
        pod=names[0] if len(names) == 1 else None,
        partial=True,
    )


def _remedy(cluster: ClusterView, first: PodResolvConf, domain: str) -> str:
    node = cluster.nodes.get(cluster.pod_by_name[first.full_name].spec.node_name)
    again = shell("kubectl", "-n", first.namespace, "delete", "pod", first.pod)
    if node is not None and node.kubelet_dns.cluster_domain == domain:
        done = _(
            "kubelet on {node} is set to {domain}, but has not written this file, or before that",
            node=node.name,
            domain=domain,
        )
    else:
        where = _(" on {node}", node=node.name) if node else ""
        done = _(
            "Set clusterDomain in kubelet's configuration{where} to {domain} and restart kubelet",
            where=where,
            domain=domain,
        )
    return _(
        "{done}. Recreate the pod: {again}\nUntil then use full names such as "
        "<service>.<namespace>.svc.{domain}.",
        done=done,
        again=again,
        domain=domain,
    )


def _evidence(read: PodResolvConf) -> Evidence:
    source = read.resolv_conf.search_source
    if source is None:
        return Evidence(
            SourceRef(read.resolv_conf.path, 1),
            _("{read} has no search line at all", read=read.full_name),
        )
    return Evidence(source, _("resolv.conf of {read}", read=read.full_name))
