"""The check `pods-readiness-gate`."""

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
from analyzer.snapshot import ClusterView


@check(
    station=Station.PODS,
    severity=Severity.ERROR,
    needs=(Input.SERVICES, Input.PODS),
    references=(
        "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-readiness-gate",
    ),
)
def pods_readiness_gate(cluster: ClusterView) -> Iterator[Problem]:
    """
    The containers of pods are ready, but a readiness gate of them is not met.

    ## Why it matters
    A pod with a readiness gate is ready only when somebody else, such as the controller of a load balancer, has
    set that condition to True. Until then the Service does not forward to it.

    ## How to put it right
    Find out who should set the condition, and why it does not: does the controller run, may it patch the status
    of pods? Without such a controller, take the gate out of the pod template.

    ## Where it is silent
    While containers are not ready themselves (see pods-not-ready). Where some pods are ready, it is a warning.
    """
    for group in service_groups(cluster):
        held = [u for u in group.views[0].unready_pods if u.cause is UnreadyCause.GATE]
        if held:
            yield _problem(group, held)


def _problem(group: ServiceGroup, held: Sequence[UnreadyPod]) -> Problem:
    view, pod = group.views[0], held[0].pod
    gates = enumerate(pod.spec.readiness_gates or ())
    gate = next(index for index, g in gates if g.condition_type in held[0].reason)
    return Problem(
        message=_(
            "{count} of {pods} of {names} {are} not ready although the containers are: {reason}",
            count=len(held),
            pods=plural("{count:,} pod", "{count:,} pods", len(view.current_pods)),
            names=group.names,
            are=plural("is", "are", len(held)),
            reason=held[0].reason,
        ),
        evidence=(
            Evidence(pod.ref.at("spec", "readinessGates", gate, "conditionType"), _("the gate")),
            *(Evidence(u.source, _("condition of pod {pod}", pod=u.pod.name)) for u in held[:2]),
        ),
        remedy=_("Find out who should set the condition: ")
        + shell("kubectl", "-n", pod.namespace, "get", "pod", pod.name, "-o", "yaml"),
        service=group.service,
        affects=group.affects,
        severity=Severity.WARNING if any(p.ready for p in view.selected_pods) else None,
    )
