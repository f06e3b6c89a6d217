"""The check `selector-matches-no-pods`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analyzer.commands import patch, pointer, shell
from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Labels, Pod, Service, Workload
from analyzer.snapshot import ServiceView


@check(
    station=Station.ENDPOINTS,
    severity=Severity.ERROR,
    needs=(Input.SERVICES, Input.PODS),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#does-the-service-have-any-endpoints",
        "https://kubernetes.io/docs/concepts/services-networking/service/#services-with-selectors",
    ),
)
def selector_matches_no_pods(view: ServiceView) -> Iterator[Problem]:
    """
    No pod of the namespace carries the labels that the Service selects.

    ## Why it matters
    A Service forwards to the pods that its selector matches. Without one it has no endpoints, and
    kube-proxy rejects every connection to it.

    ## How to put it right
    Make the selector and the labels of the pods agree: correct the Service, or the labels in the
    pod template of the Deployment. A Service whose workload is scaled to 0 on purpose needs nothing.
    """
    service = view.service
    if not service.spec.selector or service.spec.type == "ExternalName" or view.selected_pods:
        return
    idle = _scaled_to_zero(view)
    if idle is not None:
        yield Problem(
            message=f"{idle.kind} {idle.name}, whose pods {service.full_name} selects, is scaled to 0",
            evidence=(
                Evidence(idle.ref.at("spec", "replicas"), "replicas wanted"),
                Evidence(service.ref.at("spec", "selector"), "selector"),
            ),
            remedy=shell(
                "kubectl",
                "-n",
                service.namespace,
                "scale",
                idle.kind.lower(),
                idle.name,
                "--replicas=1",
            ),
            severity=Severity.INFO,
        )
        return
    near = _nearest(view)
    if near is None:
        yield Problem(
            message=f"selector {_text(service.spec.selector)} matches no pod in namespace "
            f"{service.namespace}, and none there carries any of these labels",
            evidence=(Evidence(service.ref.at("spec", "selector"), "selector"),),
            remedy=f"Create the pods that {service.full_name} is meant for, or correct its selector: "
            + shell("kubectl", "-n", service.namespace, "edit", "service", service.name),
        )
        return
    yield _differing(service, near)


@dataclass(frozen=True, slots=True)
class _Near:
    """The pods that come closest to the selector."""

    pods: tuple[Pod, ...]
    key: str
    """Key of the selector that they lack or carry with another value."""

    actual_key: str
    """Key under which they carry the value, or the selector's own key; empty where nothing compares."""


def _nearest(view: ServiceView) -> _Near | None:
    selector = view.service.spec.selector or {}
    pods = view.cluster.pods_by_namespace.get(view.service.namespace, ())
    rated = [(_likeness(selector, p.labels), p) for p in pods if not p.finished]
    best = max((likeness for likeness, _ in rated), default=0.0)
    if best <= 0:
        return None
    first = next(p for likeness, p in rated if likeness == best)
    wrong = next(k for k, v in sorted(selector.items()) if first.labels.get(k) != v)
    same_value = (k for k, v in first.labels.items() if v == selector[wrong])
    actual = wrong if wrong in first.labels else next(same_value, "")
    alike = tuple(
        p for _, p in rated if actual and p.labels.get(actual) == first.labels.get(actual)
    )
    return _Near(alike or (first,), wrong, actual)


def _likeness(selector: Labels, labels: Labels) -> float:
    """Count equal pairs, values under another key, and equal keys, in this order of weight."""
    score = 0.0
    for key, value in selector.items():
        if labels.get(key) == value:
            score += 1
        elif value in labels.values():
            score += 0.9
        elif key in labels and _alike(labels[key], value):
            score += 0.5
    return score


def _alike(one: str, other: str) -> bool:
    """Tell whether two values differ like a spelling mistake: one contains the other's beginning."""
    one, other = one.lower(), other.lower()
    return one.startswith(other[:4]) or other.startswith(one[:4])


def _differing(service: Service, near: _Near) -> Problem:
    selector = service.spec.selector or {}
    pod = near.pods[0]
    wanted = f"{near.key}={selector[near.key]}"
    count = len(near.pods)
    pods = "1 pod carries" if count == 1 else f"{count} pods carry"
    if near.actual_key:
        actual = f"{near.actual_key}={pod.labels[near.actual_key]}"
        told = f"{pods} {actual}"
        shown = pod.ref.at("metadata", "labels", near.actual_key)
    else:
        actual = ""
        told = f"{pods} all of it but {near.key}"
        shown = pod.ref.at("metadata", "labels")
    remedy = (
        _patch(service, near.key, near.actual_key, pod.labels[near.actual_key])
        if actual
        else f"Add the label {wanted} to the pod template, or take it out of the selector: "
        + shell("kubectl", "-n", service.namespace, "edit", "service", service.name)
    )
    return Problem(
        message=f"selector {_text(selector)} matches no pod in namespace {service.namespace}; {told}",
        evidence=(
            Evidence(service.ref.at("spec", "selector", near.key), "selected label"),
            Evidence(shown, f"label of pod {pod.name}"),
        ),
        remedy=remedy,
    )


def _patch(service: Service, wrong: str, actual: str, value: str) -> str:
    add = {"op": "add", "path": pointer("spec", "selector", actual), "value": value}
    remove = {"op": "remove", "path": pointer("spec", "selector", wrong)}
    operations = (add,) if wrong == actual else (remove, add)
    return patch(service.namespace, "service", service.name, *operations)


def _scaled_to_zero(view: ServiceView) -> Workload | None:
    """Return the workload that would make matching pods but is scaled to 0, if there is one."""
    selector = view.service.spec.selector or {}
    for workload in view.cluster.workloads:
        template = workload.spec.template.metadata.labels or {}
        if (
            workload.namespace == view.service.namespace
            and workload.spec.replicas == 0
            and workload.kind in {"Deployment", "StatefulSet"}
            and selector.items() <= template.items()
        ):
            return workload
    return None


def _text(labels: Labels) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
