"""The check `pods-restarting`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from analyzer.check import check
from analyzer.commands import shell
from analyzer.expect.changes import parse_time
from analyzer.language import _, plural
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import ContainerStateDetail, ContainerStatus, Pod
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Problem
from analyzer.service_groups import ServiceGroup, service_groups
from analyzer.snapshot import ClusterView

_OFTEN = 3
"""Restarts from which on it is no accident, where the last one is recent."""

_RECENT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Restarting:
    """A container that runs now, but ended a short time ago."""

    pod: Pod
    index: int
    status: ContainerStatus
    ended: ContainerStateDetail


@check(
    station=Station.PODS,
    severity=Severity.WARNING,
    needs=(Input.SERVICES, Input.PODS),
    consequence_of=("pods-not-ready", "node-not-ready"),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#are-the-pods-working",
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-running-pod/",
    ),
)
def pods_restarting(cluster: ClusterView) -> Iterator[Problem]:
    """
    Containers of ready pods end and are started again, time after time.

    ## Why it matters
    The pod counts as ready between two ends, so connections go to it and break off when it ends.

    ## How to put it right
    Read what the container said before it ended (`kubectl logs --previous`), and why it did: exit code 137 with
    OOMKilled is its memory limit, a failing liveness probe makes the kubelet kill it.

    ## Where it is silent
    On restarts that are more than an hour old or fewer than three, and on pods that are not ready at the moment:
    those are told by pods-not-ready.
    """
    at = cluster.identity.created_at
    for group in service_groups(cluster):
        pods = group.views[0].current_pods
        found = [r for p in pods for r in _restarting(p, at) if p.ready]
        if found:
            yield _problem(group, found)


def _problem(group: ServiceGroup, found: Sequence[_Restarting]) -> Problem:
    told = [
        plural(
            "{pod} ({count:,} restart{why})",
            "{pod} ({count:,} restarts{why})",
            r.status.restart_count,
            pod=r.pod.name,
            why=_why(r.ended),
        )
        for r in found
    ]
    first = found[0]
    ref = first.pod.ref.at("status", "containerStatuses", first.index)
    return Problem(
        message=_(
            "{containers} of {names} {keep} restarting: {told}",
            containers=plural("{count:,} container", "{count:,} containers", len(found)),
            names=group.names,
            keep=plural("keeps", "keep", len(found)),
            told=listed(told),
        ),
        evidence=(
            Evidence(
                ref.at("restartCount"),
                _("restarts of container {status}", status=first.status.name),
            ),
            Evidence(ref.at("lastState", "terminated", "finishedAt"), _("when it ended last")),
        ),
        remedy=shell(
            *("kubectl", "-n", first.pod.namespace, "logs", first.pod.name),
            *("-c", first.status.name, "--previous"),
        ),
        service=group.service,
        affects=group.affects,
    )


def _restarting(pod: Pod, at: datetime | None) -> Iterator[_Restarting]:
    for index, status in enumerate(pod.status.container_statuses or ()):
        if status.restart_count < _OFTEN:
            continue
        ended = status.last_state.terminated if status.last_state else None
        if ended is None:
            continue
        finished = parse_time(ended.finished_at)
        if at is None or finished is None or at - finished <= _RECENT:
            yield _Restarting(pod, index, status, ended)


def _why(ended: ContainerStateDetail) -> str:
    if ended.reason not in {None, "", "Error", "Completed"}:
        return _(", last {reason}", reason=ended.reason)
    return (
        ""
        if ended.exit_code is None
        else _(", last exit code {exit_code}", exit_code=ended.exit_code)
    )
