"""The check `selector-too-broad`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from analyzer.check import check
from analyzer.commands import edit, patch, pointer
from analyzer.expect.target_port import declared_ports
from analyzer.language import _, plural
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import OwnerReference, Pod
from analyzer.model.severity import Severity
from analyzer.model.source import ObjectRef
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Problem
from analyzer.service_groups import ServiceGroup, service_groups
from analyzer.snapshot import ClusterView, ServiceView

_Workloads = Mapping[str, Sequence[Pod]]
_MADE_BY_CONTROLLERS = frozenset(
    {"pod-template-hash", "controller-revision-hash", "pod-template-generation"}
)


@dataclass(frozen=True, slots=True)
class _Clash:
    """Two workloads that do not belong behind one Service."""

    meant: str
    foreign: str
    reason: str


@check(
    station=Station.ENDPOINTS,
    severity=Severity.WARNING,
    needs=(Input.SERVICES, Input.PODS),
    references=(
        "https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/",
        "https://kubernetes.io/docs/concepts/services-networking/service/#services-with-selectors",
    ),
)
def selector_too_broad(cluster: ClusterView) -> Iterator[Problem]:
    """
    A selector also matches pods of another program.

    ## Why it matters
    Each connection goes to any of the pods. Those that reach a pod of the other program are refused, or
    answered by something that was not meant.

    ## How to put it right
    Add a label to the selector that only the right pods carry.

    ## Where it is silent
    Several workloads of one image that all declare the target port (canary, blue and green, primaries and
    replicas) belong together, as do the old and new pods of one workload. On headless Services.
    """
    for group in service_groups(cluster):
        if not _are_made_alike(group.views[0].current_pods):
            workloads = _by_workload(group.views[0])
            clash = _clash(group, workloads)
            if clash is not None:
                yield _problem(group, clash, workloads)


def _problem(group: ServiceGroup, clash: _Clash, workloads: _Workloads) -> Problem:
    view = group.views[0]
    meant, foreign = workloads[clash.meant], workloads[clash.foreign]
    return Problem(
        message=_(
            "{names} {select} pods of {meant} and of {foreign}: {reason}",
            names=group.names,
            select=plural("selects", "select", len(group.views)),
            meant=clash.meant,
            foreign=clash.foreign,
            reason=clash.reason,
        ),
        evidence=(
            Evidence(view.service.ref.at("spec", "selector"), _("matches both")),
            Evidence(
                _image(foreign[0]),
                _("pod {foreign} of {workload}", foreign=foreign[0].name, workload=clash.foreign),
            ),
            Evidence(
                _image(meant[0]),
                _("pod {meant} of {workload}", meant=meant[0].name, workload=clash.meant),
            ),
        ),
        remedy=_remedy(view, meant, foreign),
        service=group.service,
        affects=group.affects,
    )


def _image(pod: Pod) -> ObjectRef:
    main = pod.main_container
    index = pod.containers.index(main) if main else 0
    return pod.ref.at("spec", "containers", index, "image")


def _are_made_alike(pods: Sequence[Pod]) -> bool:
    """Tell whether all pods have the same owners and program, as those behind a Service nearly always do."""
    return all(
        pod.metadata.owner_references == pods[0].metadata.owner_references
        and pod.main_container == pods[0].main_container
        for pod in pods[1:]
    )


def _by_workload(view: ServiceView) -> _Workloads:
    by_maker: dict[tuple[str, str], list[Pod]] = defaultdict(list)
    for pod in view.current_pods:
        owner = _owner(pod)
        by_maker[(owner.kind, owner.name) if owner else ("", _program(pod))].append(pod)
    found: dict[str, list[Pod]] = defaultdict(list)
    for pods in by_maker.values():
        found[_workload_of(view.cluster, pods[0])] += pods
    return found


def _workload_of(cluster: ClusterView, pod: Pod) -> str:
    """Return `Deployment web`: what makes pods like this one; for a lone pod, its program."""
    owner = _owner(pod)
    if owner is None:
        return _("pods without a workload ({program})", program=_program(pod))
    if owner.kind == "ReplicaSet":
        for workload in cluster.workloads_by_namespace.get(pod.namespace, ()):
            if (workload.kind, workload.name) == ("ReplicaSet", owner.name):
                made_by = next(iter(workload.metadata.owner_references or ()), None)
                return (
                    f"{made_by.kind} {made_by.name}"
                    if made_by
                    else _("ReplicaSet {owner}", owner=owner.name)
                )
        return _("Deployment {select}", select=owner.name.rpartition("-")[0] or owner.name)
    return f"{owner.kind} {owner.name}"


def _owner(pod: Pod) -> OwnerReference | None:
    for owner in pod.metadata.owner_references or ():
        if owner.controller:
            return owner
    return None


def _program(pod: Pod) -> str:
    main = pod.main_container
    return main.repository if main else ""


def _clash(group: ServiceGroup, workloads: _Workloads) -> _Clash | None:
    by_size = sorted(workloads, key=lambda w: (-len(workloads[w]), w))
    ports = [u.port for t in group.target_ports for u in t.uses if not u.view.service.headless]
    for one, other in combinations(by_size, 2) if ports else ():
        for port in ports:
            target = port.effective_target_port
            has_one, has_other = (_declares(workloads[w], target) for w in (one, other))
            if has_one is not has_other:
                meant, foreign = (one, other) if has_one else (other, one)
                return _Clash(
                    meant, foreign, _("the latter do not declare port {target}", target=target)
                )
        programs = [{_program(p) for p in workloads[w]} for w in (one, other)]
        if programs[0].isdisjoint(programs[1]):
            first, second = (listed(sorted(p)) for p in programs)
            return _Clash(
                one,
                other,
                _("they run different programs, {first} and {second}", first=first, second=second),
            )
    return None


def _declares(pods: Sequence[Pod], target: int | str) -> bool:
    return any(target in {d.number, d.name} for p in pods for d in declared_ports(p))


def _remedy(view: ServiceView, meant: Sequence[Pod], foreign: Sequence[Pod]) -> str:
    service = view.service
    for key, value in sorted(meant[0].labels.items()):
        own = all(p.labels.get(key) == value for p in meant)
        if own and key not in _MADE_BY_CONTROLLERS and key not in (service.spec.selector or {}):
            if any(p.labels.get(key) == value for p in foreign):
                continue
            operation = {"op": "add", "path": pointer("spec", "selector", key), "value": value}
            change = patch(service.namespace, "service", service.name, operation)
            return _(
                "{change}  # if pods like {meant} are meant", change=change, meant=meant[0].name
            )
    return _(
        "Give the right pods a label of their own in their template, and add it to the selector: "
    ) + edit(service.namespace, "service", service.name)
