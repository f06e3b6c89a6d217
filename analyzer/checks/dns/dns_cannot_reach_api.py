"""The check `dns-cannot-reach-api`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import shell
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Pod
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import ClusterView

_UNREACHED = re.compile(
    r"dial tcp \S+: (?:i/o timeout|connect: (?:no route to host|connection refused|network is unreachable))"
    r"|plugin/(?:ready|kubernetes).*[Ww]aiting (?:on|for)|Unauthorized|is forbidden: User"
)
"""What CoreDNS itself writes when it ends; events about its pod use the same words of registries and probes."""

_REFUSED = re.compile("Unauthorized|is forbidden: User")


@check(
    station=Station.DNS,
    severity=Severity.ERROR,
    needs=(Input.PODS, Input.SERVICES),
    consequence_of=(
        "kubernetes-service-broken",
        "kube-proxy-not-running",
        "rules-absent",
        "rules-hook-missing",
        "rules-service-missing",
        "ip-forward-disabled",
        "traffic-blocked",
        "forward-policy-drop",
        "pod-route-missing",
    ),
    references=("https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/",),
    advisory=True,
)
def dns_cannot_reach_api(cluster: ClusterView) -> Iterator[Problem]:
    """
    CoreDNS does not get Services from the API server.

    ## Why it matters
    It stays not ready, or answers with what it knew when it last reached the API server.

    ## How to put it right
    CoreDNS uses the Service default/kubernetes like any pod: look at what this report says of that Service
    on the node of the pod, at firewalls (firewalld's REJECT shows as "no route to host"), and at CoreDNS'
    ClusterRole system:coredns.

    ## Where it is silent
    Without CoreDNS' own words: its log is not part of a bundle, only what a container that ended left behind.
    """
    for pod in cluster.dns_pods:
        said = None if pod.ready else _said(pod)
        if said is not None:
            evidence, words = said
            yield Problem(
                message=_(
                    "CoreDNS (pod {pod}) does not get Services from the API server",
                    pod=pod.full_name,
                ),
                evidence=(evidence,),
                remedy=_remedy(pod, words),
                node=pod.spec.node_name or None,
            )
            return


def _remedy(pod: Pod, words: str) -> str:
    if _REFUSED.search(words):
        return _(
            "See what the API server lets CoreDNS do: kubectl describe clusterrole system:coredns"
        )
    again = shell("kubectl", "-n", pod.namespace, "delete", "pod", pod.name)
    return (
        _(
            "See what blocks port 443 of default/kubernetes on node {node_name}, then "
            "restart the pod: ",
            node_name=pod.spec.node_name,
        )
        + again
    )


def _said(pod: Pod) -> tuple[Evidence, str] | None:
    """Return CoreDNS' last words and where they stand, where they tell of the API server."""
    for position, status in enumerate(pod.status.container_statuses or ()):
        for field, state in (("state", status.state), ("lastState", status.last_state)):
            ended = state.terminated if state else None
            if ended and ended.message and _UNREACHED.search(ended.message):
                place = ("status", "containerStatuses", position, field, "terminated", "message")
                return Evidence(pod.ref.at(*place), _("CoreDNS' last words")), ended.message
    return None
