"""The check `pods-terminating`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analyzer.check import check
from analyzer.commands import shell
from analyzer.expect.changes import is_settled, parse_time
from analyzer.expect.readiness import is_node_ready
from analyzer.language import _, plural
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Pod
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.service_groups import ServiceGroup, service_groups
from analyzer.snapshot import ClusterView


@check(
    station=Station.PODS,
    severity=Severity.WARNING,
    needs=(Input.SERVICES, Input.PODS),
    consequence_of=("node-not-ready",),
    references=(
        "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination",
        "https://kubernetes.io/docs/tutorials/services/pods-and-endpoint-termination-flow/",
    ),
)
def pods_terminating(cluster: ClusterView) -> Iterator[Outcome]:
    """
    A Service has only pods that are being deleted, or pods whose deletion does not come to an end.

    ## Why it matters
    A terminating pod is no ready endpoint. While no other pod is there, kube-proxy (1.26) uses those that still
    serve, older versions reject connections; once they have ended nothing answers.

    ## How to put it right
    Find out why no new pods are there, or what holds the deletion up: a node that is down, a finalizer, a volume
    that cannot be unmounted. Let programs finish open work on SIGTERM, after a short preStop sleep.

    ## Where it is silent
    On pods within their grace period while other pods are there, as in every rolling update, and on pods of a
    node that is not ready (see node-not-ready).
    """
    for group in service_groups(cluster):
        view = group.views[0]
        leaving = [p for p in view.selected_pods if p.terminating]
        if not view.current_pods:
            yield _only_leaving(group, leaving)
            continue
        overdue = [p for p in leaving if _is_overdue(cluster, p)]
        if overdue and not cluster.has(Input.NODES):
            yield from _untold(group)
            continue
        stuck = [p for p in overdue if not _is_node_down(cluster, p)]
        if stuck:
            yield _problem(
                group,
                stuck,
                _(
                    "the deletion of {pods} of {names} does not come to an end: {stuck}",
                    pods=plural("{count:,} pod", "{count:,} pods", len(stuck)),
                    names=group.names,
                    stuck=listed([p.name for p in stuck]),
                ),
                Severity.WARNING,
            )


def _untold(group: ServiceGroup) -> Iterator[Undecided]:
    for view in group.views:
        yield Undecided(
            reason=_("whether the nodes of its terminating pods are up cannot be told: ")
            + view.cluster.availability(Input.NODES).reason,
            missing=(Input.NODES.path(),),
            command=Input.NODES.command(),
            service=view.key,
        )


def _only_leaving(group: ServiceGroup, leaving: Sequence[Pod]) -> Problem:
    serving = sum(p.ready for p in leaving)
    still = (
        _("{serving} still {serve}", serving=serving, serve=plural("serves", "serve", serving))
        if serving
        else _("none serves")
    )
    has = plural("has", "have", len(group.views))
    are = plural("is", "are", len(leaving))
    return _problem(
        group,
        leaving,
        _(
            "{names} {has} no pods but {count} that {are} being deleted; {still}",
            names=group.names,
            has=has,
            count=len(leaving),
            are=are,
            still=still,
        ),
        Severity.WARNING if serving else Severity.ERROR,
    )


def _is_overdue(cluster: ClusterView, pod: Pod) -> bool:
    """Tell whether the grace period, at the end of which `deletionTimestamp` is, was over for a minute."""
    end, at = parse_time(pod.metadata.deletion_timestamp), cluster.identity.created_at
    return end is not None and at is not None and at > end and is_settled(end, at, 0)


def _is_node_down(cluster: ClusterView, pod: Pod) -> bool:
    node = cluster.nodes.get(pod.spec.node_name)
    return node is not None and node.api_object is not None and not is_node_ready(node.api_object)


def _problem(group: ServiceGroup, pods: Sequence[Pod], message: str, severity: Severity) -> Problem:
    return Problem(
        message=message,
        evidence=tuple(
            Evidence(p.ref.at("metadata", "deletionTimestamp"), _("pod {p} ends by then", p=p.name))
            for p in pods[:3]
        ),
        remedy=shell("kubectl", "-n", pods[0].namespace, "describe", "pod", pods[0].name),
        service=group.service,
        affects=group.affects,
        severity=severity,
    )
