"""The check `dns-ndots-too-low`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.expect.resolv_conf import DNSOrigin, dns_origin
from analyzer.findings import Evidence, Outcome, Problem, Severity, Station, Undecided, check
from analyzer.model.inputs import Input
from analyzer.model.source import SourceRef
from analyzer.snapshot import ClusterView, PodResolvConf

_ENOUGH = 2
"""`hostnames.default` has one dot: with ndots below 2 it is first asked for as it stands."""


@check(
    station=Station.DNS,
    severity=Severity.WARNING,
    needs=(Input.PODS,),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#does-any-service-work-by-dns-name",
        "https://man7.org/linux/man-pages/man5/resolv.conf.5.html",
    ),
)
def dns_ndots_too_low(cluster: ClusterView) -> Iterator[Outcome]:
    """
    A pod's resolver does not use its search list for names such as `hostnames.default`.

    ## Why it matters
    A name with at least ndots dots is asked for as it stands before the search list is tried (glibc), or
    instead of it (musl). kubelet writes 5; below 2 the form `<service>.<namespace>` suffers.

    ## How to put it right
    Take `ndots` out of the pod's dnsConfig, or set it to 2 or more; use full names where it has to stay.
    """
    if not cluster.pod_resolv_confs:
        yield Undecided(
            reason="no pod's resolv.conf is in the bundle",
            missing=("pods/<namespace>/<pod>/resolv.conf",),
            command=Input.POD_RESOLV_CONF.command(),
        )
    low = [r for r in cluster.pod_resolv_confs if _is_low(cluster, r)]
    if not low:
        return
    names = [r.full_name for r in low]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""  # noqa: PLR2004
    yield Problem(
        message=f"ndots is {low[0].resolv_conf.ndots} in {', '.join(names[:3])}{more}: names such as "
        "<service>.<namespace> are not looked up in the search list first",
        evidence=tuple(
            Evidence(
                r.resolv_conf.options_source or SourceRef(r.resolv_conf.path, 1),
                f"resolv.conf of {r.full_name}",
            )
            for r in low[:3]
        ),
        remedy="Remove ndots from spec.dnsConfig.options of the pod's template (kubelet then writes 5).",
        pod=names[0] if len(names) == 1 else None,
    )


def _is_low(cluster: ClusterView, read: PodResolvConf) -> bool:
    pod = cluster.pod_by_name.get(read.full_name)
    return (
        pod is not None
        and dns_origin(pod, None) is DNSOrigin.CLUSTER
        and read.resolv_conf.ndots < _ENOUGH
    )
