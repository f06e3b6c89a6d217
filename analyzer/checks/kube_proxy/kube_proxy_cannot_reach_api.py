"""The check `kube-proxy-cannot-reach-api`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.inputs import Input
from analyzer.observe.proxy_log import Topic
from analyzer.snapshot import NodeView


@check(
    station=Station.KUBE_PROXY,
    severity=Severity.ERROR,
    needs=(Input.PROXY_LOG,),
    consequence_of=("kube-proxy-not-running",),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#is-kube-proxy-running",
    ),
)
def kube_proxy_cannot_reach_api(node: NodeView) -> Iterator[Problem]:
    """
    kube-proxy gets no Services and endpoints from the API server.

    ## Why it matters
    It goes on with what it knew last, or, after a start, writes no rule at all.

    ## How to put it right
    From the node, connect to the address in the log line: a refused connection means a wrong port or a
    stopped API server, a time-out means a route or firewall, an unknown host means the node's DNS. The
    address comes from the kubeconfig that kube-proxy's configuration names.

    ## Where it is silent
    When a list came after the last such error, or the errors ended ten minutes before the log.
    """
    log = node.proxy_log_topics
    found = log.current(Topic.API_UNREACHABLE)
    if found is not None:
        reason = _reason(found.last.text)
        waiting = log.last(Topic.WAITING_FOR_API)
        evidence = [Evidence(found.last.source, f"the last of {found.count} such lines")]
        if waiting is not None and log.last(Topic.API_ANSWERED) is None:
            evidence.append(Evidence(waiting.source, "no rule is written before the lists came"))
        yield Problem(
            message=f"kube-proxy on {node.name} cannot reach the API server: {reason}",
            evidence=tuple(evidence),
            remedy=f"Put right the server address or the way to it ({reason}), then restart kube-proxy on "
            f"{node.name}. The address stands in the kubeconfig that clientConnection.kubeconfig names.",
        )
    gone = log.current(Topic.API_VERSION_GONE)
    if gone is not None:
        yield Problem(
            message=f"kube-proxy on {node.name} asks the API server for a resource version that it no "
            "longer serves, and so never learns the endpoints",
            evidence=(Evidence(gone.last.source, f"the last of {gone.count} such lines"),),
            remedy="Upgrade kube-proxy to a version within the skew that the API server supports "
            "(https://kubernetes.io/releases/version-skew-policy/).",
        )


_DIAL = re.compile(r"(dial (?:tcp|udp) \S+: .*|lookup \S+.*|Get .*)", re.DOTALL)


def _reason(text: str) -> str:
    found = _DIAL.search(text)
    told = found[1] if found else text
    return told.strip().strip('"').splitlines()[0][:200]
