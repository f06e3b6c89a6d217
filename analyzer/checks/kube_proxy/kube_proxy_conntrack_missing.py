"""The check `kube-proxy-conntrack-missing`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import shell
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.observe.proxy_log import Topic
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import NodeView


@check(
    station=Station.KUBE_PROXY,
    severity=Severity.WARNING,
    needs=(Input.PROXY_LOG,),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#is-kube-proxy-running",
    ),
)
def kube_proxy_conntrack_missing(node: NodeView) -> Iterator[Problem]:
    """
    kube-proxy does not find the `conntrack` program that it needs to forget old UDP connections.

    ## Why it matters
    Up to 1.30, kube-proxy deletes conntrack entries of removed UDP endpoints with that program. Without
    it, UDP clients (DNS above all) go on sending to pods that are gone, until they pause for the UDP
    time-out.

    ## How to put it right
    Install conntrack-tools on the node or in the image, or upgrade kube-proxy to 1.32 or later, which
    talks to the kernel itself.

    ## Where it is silent
    kube-proxy looks for the program only when a UDP endpoint goes: without such a line in the log the
    program may still be missing. 1.32 and later never look.
    """
    found = node.proxy_log_topics.occurrences.get(Topic.CONNTRACK_MISSING)
    if found is None:
        return
    yield Problem(
        message=_(
            "kube-proxy on {node} finds no conntrack program: stale UDP connections stay",
            node=node.name,
        ),
        evidence=(Evidence(found.last.source, found.note),),
        remedy=_(
            "Install the package conntrack (conntrack-tools) where kube-proxy runs on "
            "{node}, in its image if it is a pod, and restart it.\nUntil then clear a UDP "
            "Service's stale entries on the node; for that of DNS: ",
            node=node.name,
        )
        + shell("conntrack", "-D", "-p", "udp", "--orig-dst", _dns_address(node)),
    )


def _dns_address(node: NodeView) -> str:
    return next(iter(node.cluster.dns_addresses), "CLUSTER-IP")
