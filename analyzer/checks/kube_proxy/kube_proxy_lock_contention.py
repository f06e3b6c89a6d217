"""The check `kube-proxy-lock-contention`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.inputs import Input
from analyzer.observe.proxy_log import Topic
from analyzer.snapshot import NodeView


@check(
    station=Station.KUBE_PROXY,
    severity=Severity.WARNING,
    needs=(Input.PROXY_LOG,),
    references=("https://github.com/kubernetes/kubernetes/issues/57428",),
)
def kube_proxy_lock_contention(node: NodeView) -> Iterator[Problem]:
    """
    kube-proxy does not get the xtables lock: another program holds it, or it cannot be opened.

    ## Why it matters
    Every write to iptables takes that lock. As long as another program keeps it, no change of a Service
    reaches the node.

    ## How to put it right
    Find the program that holds it (`lsof /run/xtables.lock`, or `fuser -v /run/xtables.lock`): often
    another agent that writes rules in a loop. Mount `/run/xtables.lock` from the host into kube-proxy's pod.
    """
    found = node.proxy_log_topics.current(Topic.LOCK)
    if found is None:
        return
    severity = Severity.ERROR if _nothing_synced(node) else Severity.WARNING
    yield Problem(
        message=f"kube-proxy on {node.name} does not get the xtables lock ({found.count} times)",
        evidence=(
            Evidence(found.last.source, "the last failure"),
            Evidence(found.first.source, "the first one"),
        ),
        remedy=f"On {node.name}: fuser -v /run/xtables.lock shows who holds it; stop or slow that program.",
        severity=severity,
    )


def _nothing_synced(node: NodeView) -> bool:
    """Tell whether not one sync is known to have gone well since the first failure."""
    return node.proxy_log_topics.syncs_after_trouble <= 1
