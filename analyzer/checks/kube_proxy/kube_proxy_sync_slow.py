"""The check `kube-proxy-sync-slow`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.inputs import Input
from analyzer.snapshot import NodeView

_SLOW_SECONDS = 10.0


@check(
    station=Station.KUBE_PROXY,
    severity=Severity.WARNING,
    needs=(Input.PROXY_LOG,),
    consequence_of=("kube-proxy-lock-contention",),
    references=(
        "https://kubernetes.io/docs/reference/networking/virtual-ips/#optimizing-iptables-mode-performance",
        "https://github.com/kubernetes/kubernetes/issues/138073",
    ),
)
def kube_proxy_sync_slow(node: NodeView) -> Iterator[Problem]:
    """
    kube-proxy needs ten seconds or more to write its rules.

    ## Why it matters
    A pod that has gone still gets connections, and a new one none, until the write is done.

    ## How to put it right
    Run kube-proxy in nftables mode (1.33 and later), raise `iptables.minSyncPeriod`, or split the cluster.
    A slow write on a small cluster points at another program that holds the xtables lock.
    """
    log = node.proxy_log_topics
    if log.slowest_sync is None or log.slowest_sync_seconds < _SLOW_SECONDS:
        return
    yield Problem(
        message=f"kube-proxy on {node.name} took {log.slowest_sync_seconds:.1f} s to write its rules",
        evidence=(Evidence(log.slowest_sync.source, "the slowest write in the log"),),
        remedy="Use nftables mode where kernel and version allow it, or raise iptables.minSyncPeriod so that "
        "changes are written together.",
    )
