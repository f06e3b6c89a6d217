"""The check `kube-proxy-lock-contention`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import restart_kube_proxy
from analyzer.language import _, plural
from analyzer.model.inputs import Input
from analyzer.model.log import LogEntry
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.observe.proxy_log import Occurrences, Topic
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import NodeView

_PERSISTENT = 3
"""Failures without one good write from which on it is no passing quarrel."""


@check(
    station=Station.KUBE_PROXY,
    severity=Severity.WARNING,
    needs=(Input.PROXY_LOG,),
    references=(
        "https://github.com/kubernetes/kubernetes/issues/57428",
        "https://man7.org/linux/man-pages/man8/iptables.8.html",
    ),
)
def kube_proxy_lock_contention(node: NodeView) -> Iterator[Problem]:
    """
    kube-proxy does not get the xtables lock: another program holds it, or it cannot be opened.

    ## Why it matters
    Every write to iptables takes that lock. As long as another program keeps it, no change of a Service
    reaches the node. Where not one write went well since, this is an error.

    ## How to put it right
    Find the program that holds it (`fuser -v /run/xtables.lock`): often another agent that writes rules in
    a loop. Where the file cannot be opened, mount `/run/xtables.lock` from the host into kube-proxy's pod
    (hostPath of type FileOrCreate: without it, a directory may have been made in its place).

    ## Where it is silent
    When several writes went well after the last failure.
    """
    found = node.proxy_log_topics.current(Topic.LOCK)
    if found is None:
        return
    lasting = found.count >= _PERSISTENT or _cannot_be_opened(found.last)
    good = node.proxy_log_topics.syncs.good_since_first_failure
    yield Problem(
        message=_message(node, found),
        evidence=_evidence(found),
        remedy=_remedy(node, found.last),
        severity=Severity.ERROR if lasting and not good else None,
    )


def _cannot_be_opened(entry: LogEntry) -> bool:
    return "open" in entry.text and "lock" in entry.text and "holding" not in entry.text


def _message(node: NodeView, found: Occurrences) -> str:
    times = plural("{count:,} time", "{count:,} times", found.count)
    if _cannot_be_opened(found.last):
        return _(
            "kube-proxy on {node} cannot open the xtables lock ({times})",
            node=node.name,
            times=times,
        )
    return _(
        "kube-proxy on {node} does not get the xtables lock, another program holds it ({times})",
        node=node.name,
        times=times,
    )


def _evidence(found: Occurrences) -> tuple[Evidence, ...]:
    last = Evidence(found.last.source, _("the last failure"))
    return (last,) if found.count == 1 else (last, Evidence(found.first.source, _("the first one")))


def _remedy(node: NodeView, entry: LogEntry) -> str:
    if _cannot_be_opened(entry):
        return _(
            "Make /run/xtables.lock of {node} a file that kube-proxy can write: mount it "
            "from the host (hostPath, type FileOrCreate), remove a directory of that "
            "name, and restart kube-proxy: ",
            node=node.name,
        ) + restart_kube_proxy(node.proxy_pods, node.proxy_processes)
    return _(
        "See on {node} who holds the lock, then stop that program or make it slower: "
        "fuser -v /run/xtables.lock",
        node=node.name,
    )
