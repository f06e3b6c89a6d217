"""The check `selector-matches-no-pods`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from analyzer.check import check
from analyzer.commands import edit, patch, pointer, shell
from analyzer.expect.label_distance import Deviation, LabelStep, steps_to_labels
from analyzer.language import _, plural
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Event, Labels, Pod, Service, Workload
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import listed, shortened
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import ClusterView, ServiceView


@check(
    station=Station.ENDPOINTS,
    severity=Severity.ERROR,
    needs=(Input.SERVICES, Input.PODS),
    consequence_of=("endpoints-not-written",),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#does-the-service-have-any-endpoints",
        "https://kubernetes.io/docs/concepts/services-networking/service/#services-with-selectors",
    ),
)
def selector_matches_no_pods(cluster: ClusterView) -> Iterator[Outcome]:
    """
    No pod of the namespace carries the labels that a Service selects.

    ## Why it matters
    A Service forwards to the pods that its selector matches. Without one it has no endpoints, and
    kube-proxy rejects every connection to it.

    ## How to put it right
    Make the selector and the labels of the pods agree: correct the Service, or the labels in the
    pod template of the Deployment. Where the pods are to come from a workload that has none, find out
    why it makes none.

    ## Where it is silent
    A Service without selector has its endpoints from elsewhere. A workload scaled to 0 on purpose needs
    nothing: then this is only advice.
    """
    groups: dict[tuple[str, frozenset[tuple[str, str]]], list[ServiceView]] = defaultdict(list)
    for view in cluster.asked_views:
        selector = view.service.spec.selector
        if selector and view.service.spec.type != "ExternalName" and not view.selected_pods:
            groups[view.key.namespace, frozenset(selector.items())].append(view)
    for views in groups.values():
        problem = _problem(views[0])
        yield _of_all(problem, views)
        if problem.severity is Severity.INFO and not views[0].workloads:
            yield from _untold(views)


def _of_all(problem: Problem, views: Sequence[ServiceView]) -> Problem:
    """Return the problem, placed at all Services with this selector."""
    if len(views) == 1:
        return replace(problem, service=views[0].key)
    others = listed([str(v.key) for v in views[1:]])
    return replace(
        problem,
        message=_(
            "{message} (selected by {others} as well)", message=problem.message, others=others
        ),
        affects=frozenset(v.key for v in views),
    )


def _untold(views: Sequence[ServiceView]) -> Iterator[Undecided]:
    for view in views:
        yield Undecided(
            reason=_("whether its pods are scaled to 0 on purpose cannot be told: ")
            + view.cluster.availability(Input.DEPLOYMENTS).reason,
            missing=(Input.DEPLOYMENTS.path(),),
            command=Input.DEPLOYMENTS.command(),
            service=view.key,
        )


def _problem(view: ServiceView) -> Problem:
    idle = next((w for w in view.workloads if w.spec.replicas == 0), None)
    wanting = next((w for w in view.workloads if w.spec.replicas != 0), None)
    if wanting is not None:
        return _not_created(view, wanting)
    if idle is not None:
        return _scaled_to_zero(view, idle)
    return _finished(view) if view.matching_pods else _differing(view, _nearest(view))


# --- the pods are known, but not there ---


def _not_created(view: ServiceView, workload: Workload) -> Problem:
    event = _failure(view, workload)
    wanted = (
        ""
        if workload.spec.replicas is None
        else _(" ({replicas} wanted)", replicas=workload.spec.replicas)
    )
    told = f": {shortened(event.message or '')}" if event else ""
    kind = workload.kind.lower()
    evidence = [
        Evidence(workload.ref.at(*_number_wanted(workload)), _("pods wanted")),
        _selector(view.service),
        *([Evidence(event.ref.at("message"), _("why none was made"))] if event else ()),
    ]
    return Problem(
        message=_(
            "{kind} {workload}, whose pods {view} selects, has no pods{wanted}{told}",
            kind=workload.kind,
            workload=workload.full_name,
            view=view.key,
            wanted=wanted,
            told=told,
        ),
        evidence=tuple(evidence),
        remedy=_("Find out why it makes none: ")
        + shell("kubectl", "-n", workload.namespace, "describe", kind, workload.name),
    )


def _number_wanted(workload: Workload) -> tuple[str, str]:
    daemon_set = workload.kind == "DaemonSet"
    return ("status", "desiredNumberScheduled") if daemon_set else ("spec", "replicas")


def _failure(view: ServiceView, workload: Workload) -> Event | None:
    """Return the event that says why a workload, or a ReplicaSet of it, makes no pods."""
    namespace = workload.namespace
    replica_sets = (
        w
        for w in view.cluster.workloads_by_namespace.get(namespace, ())
        if w.kind == "ReplicaSet"
        and any(o.name == workload.name for o in w.metadata.owner_references or ())
    )
    about = [
        event
        for w in (workload, *replica_sets)
        for event in view.cluster.events_about(w.kind, namespace, w.name)
    ]
    return next((e for e in reversed(about) if e.reason == "FailedCreate"), None)


def _scaled_to_zero(view: ServiceView, idle: Workload) -> Problem:
    service = view.service
    kind = idle.kind.lower()
    return Problem(
        message=_(
            "{kind} {idle}, whose pods {service} selects, is scaled to 0",
            kind=idle.kind,
            idle=idle.name,
            service=service.full_name,
        ),
        evidence=(
            Evidence(idle.ref.at("spec", "replicas"), _("replicas wanted")),
            _selector(service),
        ),
        remedy=shell("kubectl", "-n", service.namespace, "scale", kind, idle.name, "--replicas=1"),
        severity=Severity.INFO,
    )


def _finished(view: ServiceView) -> Problem:
    pods = view.matching_pods
    names = listed([p.name for p in pods])
    return Problem(
        message=_(
            "all pods that {view} selects have finished: {names}", view=view.key, names=names
        ),
        evidence=(
            Evidence(
                pods[0].ref.at("status", "phase"),
                _("pod {pod} does not run any more", pod=pods[0].name),
            ),
            _selector(view.service),
        ),
        remedy=_("Start pods that go on running, and find out why these ended: ")
        + shell("kubectl", "-n", view.key.namespace, "describe", "pod", pods[0].name),
    )


# --- other pods come close to the selector ---


@dataclass(frozen=True, slots=True)
class _Near:
    """Pods that come closest to the selector."""

    pods: tuple[Pod, ...]
    steps: tuple[LabelStep, ...]


def _nearest(view: ServiceView) -> _Near | None:
    selector = view.service.spec.selector or {}
    best: _Near | None = None
    least = float("inf")
    known: dict[frozenset[tuple[str, str]], tuple[LabelStep, ...] | None] = {}
    for pod in view.cluster.pods_by_namespace.get(view.service.namespace, ()):
        labels = frozenset(pod.labels.items())
        if labels not in known:
            known[labels] = steps_to_labels(selector, pod.labels)
        steps = None if pod.finished else known[labels]
        if steps is None:
            continue
        length = sum(s.length for s in steps)
        if length < least:
            least, best = length, _Near((pod,), steps)
        elif best is not None and _has_same_labels(pod, best):
            best = _Near((*best.pods, pod), best.steps)
    return best


def _has_same_labels(pod: Pod, near: _Near) -> bool:
    first = near.pods[0].labels
    return all(pod.labels.get(s.actual_key) == first.get(s.actual_key) for s in near.steps)


def _differing(view: ServiceView, near: _Near | None) -> Problem:
    service = view.service
    selector = service.spec.selector or {}
    head = _(
        "selector {text} matches no pod in namespace {namespace}",
        text=_text(selector),
        namespace=service.namespace,
    )
    if near is None:
        return _unlike(view, head)
    first = near.pods[0]
    actual = [
        f"{s.actual_key}={first.labels[s.actual_key]}"
        for s in near.steps
        if s.deviation is not Deviation.LACKING
    ]
    lacking = [s.key for s in near.steps if s.deviation is Deviation.LACKING]
    what = listed(actual) if actual else _("all of it but {lacking}", lacking=listed(lacking))
    shown = near.steps[0]
    label = ("labels",) if shown.deviation is Deviation.LACKING else ("labels", shown.actual_key)
    return Problem(
        message=head
        + plural(
            "; {count:,} pod carries {what}",
            "; {count:,} pods carry {what}",
            len(near.pods),
            what=what,
        ),
        evidence=(
            Evidence(service.ref.at("spec", "selector", shown.key), _("selected label")),
            Evidence(
                first.ref.at("metadata", *label), _("labels of pod {first}", first=first.name)
            ),
        ),
        remedy=_correction(view, near),
    )


def _correction(view: ServiceView, near: _Near) -> str:
    service = view.service
    selector = service.spec.selector or {}
    lacking = [s.key for s in near.steps if s.deviation is Deviation.LACKING]
    if lacking:
        wanted = listed([f"{key}={selector[key]}" for key in lacking])
        return _(
            "Add {wanted} to the labels of the pod template, or take it out of the selector: ",
            wanted=wanted,
        ) + edit(service.namespace, "service", service.name)
    labels = near.pods[0].labels
    operations = []
    for step in near.steps:
        if step.actual_key != step.key:
            operations.append({"op": "remove", "path": pointer("spec", "selector", step.key)})
        path = pointer("spec", "selector", step.actual_key)
        operations.append({"op": "add", "path": path, "value": labels[step.actual_key]})
    return patch(service.namespace, "service", service.name, *operations)


def _unlike(view: ServiceView, head: str) -> Problem:
    """No pod comes close: say which label nobody carries, or where else there are such pods."""
    service = view.service
    pairs = (service.spec.selector or {}).items()
    by_label = view.cluster.pods_by_label
    absent = [(k, v) for k, v in sorted(pairs) if (service.namespace, k, v) not in by_label]
    nobody = [f"{key}={value}" for key, value in absent]
    elsewhere = next((p for p in view.cluster.pods if pairs <= p.labels.items()), None)
    told = (
        _("; no pod there carries {nobody}", nobody=listed(nobody))
        if nobody
        else _("; no pod there carries all of it")
    )
    evidence = [_selector(service, *(key for key, _value in absent[:1]))]
    if elsewhere is not None:
        told += _(", but {elsewhere} in another namespace does", elsewhere=elsewhere.full_name)
        evidence.append(Evidence(elsewhere.ref.at("metadata", "namespace"), _("the pods are here")))
    return Problem(
        message=head + told,
        evidence=tuple(evidence),
        remedy=_(
            "Create the pods that {service} is meant for, or correct its selector: ",
            service=service.full_name,
        )
        + edit(service.namespace, "service", service.name),
        severity=None if view.cluster.has(Input.DEPLOYMENTS) else Severity.INFO,
    )


def _selector(service: Service, *labels: str) -> Evidence:
    """Return the line of a label of the selector, the first one unless it is named."""
    key = next(iter((*labels, *sorted(service.spec.selector or {}))))
    return Evidence(service.ref.at("spec", "selector", key), _("selector"))


def _text(labels: Labels) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
