"""The check `dns-search-incomplete`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.expect.resolv_conf import compare_resolv_conf, expected_resolv_conf
from analyzer.findings import Evidence, Outcome, Problem, Severity, Station, Undecided, check
from analyzer.model.inputs import Input
from analyzer.model.source import SourceRef
from analyzer.snapshot import ClusterView, PodResolvConf


@check(
    station=Station.DNS,
    severity=Severity.ERROR,
    needs=(Input.PODS,),
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
    Set clusterDomain of kubelet to the domain that CoreDNS serves, restart kubelet and recreate the pod; take
    a `searches` out of the pod's dnsConfig that replaces them.

    ## Where it is silent
    For pods whose dnsPolicy does not ask for the cluster's DNS.
    """
    domain = _domain(cluster)
    if domain is None:
        yield Undecided(
            reason="neither kubelet's clusterDomain nor CoreDNS' zone is in the bundle",
            missing=(Input.CONFIG_MAPS.path(),),
            command=Input.CONFIG_MAPS.command(),
        )
        return
    if not cluster.pod_resolv_confs:
        yield Undecided(
            reason="no pod's resolv.conf is in the bundle",
            missing=("pods/<namespace>/<pod>/resolv.conf",),
            command=Input.POD_RESOLV_CONF.command(),
        )
    lacking = [(r, m) for r in cluster.pod_resolv_confs if (m := _missing(cluster, r, domain))]
    if not lacking:
        return
    first, missing = lacking[0]
    names = [read.full_name for read, _ in lacking]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""  # noqa: PLR2004
    yield Problem(
        message=f"the search list of {', '.join(names[:3])}{more} lacks {', '.join(missing)}",
        evidence=tuple(Evidence(_line(r), f"resolv.conf of {r.full_name}") for r, _ in lacking[:3]),
        remedy=f"Set clusterDomain in kubelet's configuration to {domain} on the node of {first.full_name}, restart "
        "kubelet, then recreate the pod. Until then use full names such as "
        f"<service>.{first.namespace}.svc.{domain}.",
        pod=names[0] if len(names) == 1 else None,
        partial=True,
    )


def _domain(cluster: ClusterView) -> str | None:
    told = (node.kubelet_dns.cluster_domain for node in cluster.nodes.values())
    return next(filter(None, (*cluster.dns_zones, *told)), None)


def _missing(cluster: ClusterView, read: PodResolvConf, domain: str) -> tuple[str, ...]:
    pod = cluster.pod_by_name.get(read.full_name)
    if pod is None:
        return ()
    expected = expected_resolv_conf(pod, None, domain, None)
    return compare_resolv_conf(expected, read.resolv_conf, pod, ()).missing_search


def _line(read: PodResolvConf) -> SourceRef:
    return read.resolv_conf.search_source or SourceRef(read.resolv_conf.path, 1)
