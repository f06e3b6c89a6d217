"""The check `pods-not-ready`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analyzer.check import check
from analyzer.commands import shell
from analyzer.expect.readiness import UnreadyCause, UnreadyPod
from analyzer.language import _, plural
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.problems import Evidence, Problem
from analyzer.service_groups import ServiceGroup, service_groups
from analyzer.snapshot import ClusterView, ServiceView

_SHOWN = 3


@check(
    station=Station.PODS,
    severity=Severity.ERROR,
    needs=(Input.SERVICES, Input.PODS),
    consequence_of=(
        "dns-forward-loop",
        "dns-pods-not-ready",
        "network-plugin-not-ready",
        "node-not-ready",
    ),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#are-the-pods-working",
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-pods/",
    ),
)
def pods_not_ready(cluster: ClusterView) -> Iterator[Problem]:
    """
    Pods of a Service are not ready.

    ## Why it matters
    A Service forwards only to ready pods. Where none is ready it has no usable endpoint, and connections are
    rejected; where some are not, the others carry their load.

    ## How to put it right
    Find out why: a container that ends again and again (`kubectl logs --previous`), a readiness probe that
    fails, an image that cannot be pulled, no node with room for the pod (`kubectl describe pod`).

    ## Where it is silent
    On pods that are being deleted or have finished, and on pods younger than a minute while others serve.
    A readiness gate that is not met is told by pods-readiness-gate. Where some pods are ready, or old ones still
    serve while they end, it is a warning.
    """
    for group in service_groups(cluster):
        unready = _to_be_told(group.views[0])
        if unready:
            yield _problem(group, unready)


def _problem(group: ServiceGroup, unready: Sequence[UnreadyPod]) -> Problem:
    view = group.views[0]
    published = view.service.spec.publish_not_ready_addresses is True
    return Problem(
        message=f"{_who(group, len(unready))}: {_reasons(unready)}",
        evidence=tuple(
            Evidence(u.source, _("pod {pod}", pod=u.pod.name)) for u in unready[:_SHOWN]
        ),
        remedy=_remedy(unready[0]),
        service=group.service,
        affects=group.affects,
        severity=Severity.WARNING if _any_serves(view) or published else None,
    )


def _who(group: ServiceGroup, count: int) -> str:
    all_of_them = len(group.views[0].current_pods)
    if count < all_of_them:
        verb = plural("is", "are", count)
        return _(
            "{count} of {pods} of {names} {verb} not ready",
            count=count,
            pods=plural("{count:,} pod", "{count:,} pods", all_of_them),
            names=group.names,
            verb=verb,
        )
    if count == 1:
        return _("the only pod of {names} is not ready", names=group.names)
    return _(
        "none of the {pods} of {names} is ready",
        pods=plural("{count:,} pod", "{count:,} pods", count),
        names=group.names,
    )


def _any_serves(view: ServiceView) -> bool:
    return any(p.ready for p in view.selected_pods)


def _to_be_told(view: ServiceView) -> Sequence[UnreadyPod]:
    """Return the pods with trouble of their own, else those that their nodes stop, else those that start."""
    if not view.unready_pods:
        return ()
    by_cause = {cause: [u for u in view.unready_pods if u.cause is cause] for cause in UnreadyCause}
    stopped = [*by_cause[UnreadyCause.NODE], *by_cause[UnreadyCause.NETWORK]]
    own = by_cause[UnreadyCause.OWN]
    if own or stopped:
        return own or stopped
    return (
        () if _any_serves(view) or by_cause[UnreadyCause.GATE] else by_cause[UnreadyCause.STARTING]
    )


def _reasons(unready: Sequence[UnreadyPod]) -> str:
    reasons = list(dict.fromkeys(u.reason for u in unready))
    if len(reasons) == 1:
        return reasons[0]
    told = "; ".join(f"{u.pod.name}: {u.reason}" for u in unready[:_SHOWN])
    return (
        told
        if len(unready) <= _SHOWN
        else _("{told}; and {count:,} more", told=told, count=len(unready) - _SHOWN)
    )


def _remedy(unready: UnreadyPod) -> str:
    pod = unready.pod
    statuses = (*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ()))
    restarted = [s for s in statuses if s.restart_count and not s.ready]
    if unready.cause is UnreadyCause.OWN and restarted:
        return shell(
            *("kubectl", "-n", pod.namespace, "logs", pod.name, "-c", restarted[0].name),
            "--previous",
        )
    return shell("kubectl", "-n", pod.namespace, "describe", "pod", pod.name)
