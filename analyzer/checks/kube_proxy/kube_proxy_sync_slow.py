"""The check `kube-proxy-sync-slow`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.language import _, plural
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import NodeView

_FAST_WRITES_THAT_ABSOLVE = 10
"""The first write after a start is a whole one; from 1.27 on the later ones hold only what changed."""


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

    ## Where it is silent
    When ten writes after the last slow one were fast: the first one after a start is the longest. And
    where the log level is below 2, at which kube-proxy does not print how long it took.
    """
    syncs = node.proxy_log_topics.syncs
    if not syncs.slow or syncs.slowest is None:
        return
    if syncs.finished_since_slow >= _FAST_WRITES_THAT_ABSOLVE:
        return
    yield Problem(
        message=_(
            "kube-proxy on {node} took {slowest_seconds:.1f} s to write its rules "
            "({writes} in the log)",
            node=node.name,
            slowest_seconds=syncs.slowest_seconds,
            writes=plural("{count:,} slow write", "{count:,} slow writes", syncs.slow),
        ),
        evidence=(Evidence(syncs.slowest.source, _("the slowest write in the log")),),
        remedy=_(
            "Use nftables mode where kernel and version allow it, or raise "
            "iptables.minSyncPeriod so that changes are written together."
        ),
    )
