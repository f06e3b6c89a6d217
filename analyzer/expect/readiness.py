"""Why a pod is not ready, and so not published as ready: as its status, its node and its events say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from analyzer.expect.changes import is_settled, parse_time
from analyzer.language import _, plural
from analyzer.model.kubernetes import ContainerStateDetail, ContainerStatus, Event, Node, Pod
from analyzer.model.source import Ref
from analyzer.phrases import listed, shortened

_NETWORK = re.compile(r"network|\bcni\b", re.IGNORECASE)
_SANDBOX_EVENTS = frozenset({"FailedCreatePodSandBox", "NetworkNotReady"})
_ON_THE_WAY = frozenset({"", "ContainerCreating", "PodInitializing"})
"""Reasons for waiting that say nothing: the kubelet has not come to the container yet."""


class UnreadyCause(Enum):
    """What keeps a pod from being ready."""

    NODE = "its node is not ready"
    NETWORK = "the network plugin does not set up its network"
    GATE = "a readiness gate is not met"
    STARTING = "it was created a moment ago"
    OWN = "its own containers, image, volumes, probes or scheduling"


@dataclass(frozen=True, slots=True)
class UnreadyPod:
    """A pod that is not ready, with the line that says why."""

    pod: Pod
    cause: UnreadyCause
    reason: str
    """In words: `container web is in CrashLoopBackOff (14 restarts, last exit code 1)`."""

    source: Ref


@dataclass(frozen=True, slots=True)
class _Explanation:
    reason: str
    source: Ref
    certain: bool = True
    """False where the container merely was not started yet."""


def why_unready(
    pod: Pod, node: Node | None, events: Sequence[Event], at: datetime | None
) -> UnreadyPod:
    """Explain why a pod is not ready at a time; `events` are those about the pod, `node` is where it runs.

    Its own trouble comes before that of its node, which would hide it.
    """
    own = next(_own_reasons(pod, events), None)
    if own is not None and own.certain:
        return UnreadyPod(pod, UnreadyCause.OWN, own.reason, own.source)
    gate = _gate_reason(pod)
    if gate is not None:
        return UnreadyPod(pod, UnreadyCause.GATE, gate.reason, gate.source)
    if node is not None and not is_node_ready(node):
        reason = _("its node {node} is not ready", node=node.name)
        return UnreadyPod(pod, UnreadyCause.NODE, reason, condition_ref(node, "Ready"))
    network = _network_event(pod, events)
    if network is not None:
        reason = shortened(network.message or "")
        return UnreadyPod(pod, UnreadyCause.NETWORK, reason, network.ref.at("message"))
    found = own or _probe_reason(pod, events) or _unknown_reason(pod)
    created = parse_time(pod.metadata.creation_timestamp)
    young = at is not None and created is not None and not is_settled(created, at, 0)
    cause = UnreadyCause.STARTING if young else UnreadyCause.OWN
    return UnreadyPod(pod, cause, found.reason, found.source)


def is_node_ready(node: Node) -> bool:
    """Tell whether the node says that it is ready; True where it says nothing about it."""
    condition = node.condition("Ready")
    return condition is None or condition.status == "True"


def condition_ref(resource: Pod | Node, kind: str, field: str = "status") -> Ref:
    """Return the place of a condition's field, or of the phase where there is no condition of that type."""
    for index, condition in enumerate(resource.status.conditions or ()):
        if condition.type == kind:
            return resource.ref.at("status", "conditions", index, field)
    return resource.ref.at("status", "phase")


def _own_reasons(pod: Pod, events: Sequence[Event]) -> Iterator[_Explanation]:
    scheduled = pod.condition("PodScheduled")
    if scheduled is not None and scheduled.status == "False":
        reason = shortened(scheduled.message or scheduled.reason or _("no node takes it"))
        field = "message" if scheduled.message else "status"
        ref = condition_ref(pod, "PodScheduled", field)
        yield _Explanation(_("it is not scheduled: {reason}", reason=reason), ref)
    yield from sorted(_container_reasons(pod), key=lambda e: not e.certain)
    if not pod.spec.node_name:
        failed = next((e for e in reversed(events) if e.reason == "FailedScheduling"), None)
        if failed is not None:
            reason = shortened(failed.message or "")
            yield _Explanation(
                _("it is not scheduled: {reason}", reason=reason), failed.ref.at("message")
            )
        else:
            yield _Explanation(
                _("no node was chosen for it"), pod.ref.at("status", "phase"), certain=False
            )


def _container_reasons(pod: Pod) -> Iterator[_Explanation]:
    for field, statuses in (
        ("initContainerStatuses", pod.status.init_container_statuses),
        ("containerStatuses", pod.status.container_statuses),
    ):
        for index, status in enumerate(statuses or ()):
            ref = pod.ref.at("status", field, index)
            state = status.state
            if status.ready or state is None:
                continue
            if state.waiting is not None:
                reason = state.waiting.reason or ""
                yield _Explanation(
                    _(
                        "container {status} is in {state}{history}",
                        status=status.name,
                        state=reason or "state waiting",
                        history=_history(status),
                    ),
                    ref.at("state", "waiting", "reason"),
                    certain=reason not in _ON_THE_WAY,
                )
            elif state.terminated is not None and (
                field == "containerStatuses" or state.terminated.exit_code != 0
            ):
                yield _Explanation(
                    _(
                        "container {status} has ended {ending}",
                        status=status.name,
                        ending=_ending(state.terminated),
                    ),
                    ref.at("state", "terminated", "exitCode"),
                )


def _history(status: ContainerStatus) -> str:
    last = status.last_state.terminated if status.last_state else None
    parts = []
    if status.restart_count:
        parts.append(plural("{count:,} restart", "{count:,} restarts", status.restart_count))
    if last is not None:
        parts.append(_("last ended {ending}", ending=_ending(last)))
    return f" ({', '.join(parts)})" if parts else ""


def _ending(ended: ContainerStateDetail) -> str:
    told = ended.reason if ended.reason not in {None, "", "Error", "Completed"} else ""
    code = (
        ""
        if ended.exit_code is None
        else _("with exit code {exit_code}", exit_code=ended.exit_code)
    )
    return " ".join(filter(None, (code, f"({told})" if told else ""))) or _("for a reason not told")


def _gate_reason(pod: Pod) -> _Explanation | None:
    gates = [g.condition_type for g in pod.spec.readiness_gates or ()]
    containers = pod.condition("ContainersReady")
    if not gates or containers is None or containers.status != "True":
        return None
    unset = [g for g in gates if pod.condition(g) is None]
    unmet = [g for g in gates if not _is_true(pod, g)]
    if not unmet:
        return None
    verb = _("was never set") if unmet == unset else _("is not True")
    shown = unmet[0] if pod.condition(unmet[0]) is not None else "Ready"
    return _Explanation(
        _("readiness gate {unmet} {verb}", unmet=listed(unmet), verb=verb),
        condition_ref(pod, shown),
    )


def _is_true(pod: Pod, kind: str) -> bool:
    condition = pod.condition(kind)
    return condition is not None and condition.status == "True"


def _network_event(pod: Pod, events: Sequence[Event]) -> Event | None:
    if pod.ips or not pod.spec.node_name:
        return None
    return next(
        (
            e
            for e in reversed(events)
            if e.reason in _SANDBOX_EVENTS and _NETWORK.search(e.message or "")
        ),
        None,
    )


def _probe_reason(pod: Pod, events: Sequence[Event]) -> _Explanation | None:
    running = [s for s in pod.status.container_statuses or () if not s.ready]
    if not running:
        return None
    name = running[0].name
    failed = next(
        (e for e in reversed(events) if (e.message or "").startswith("Readiness probe")), None
    )
    if failed is not None:
        reason = _(
            "container {name} runs, but: {text}", name=name, text=shortened(failed.message or "")
        )
        return _Explanation(reason, failed.ref.at("message"))
    index = (pod.status.container_statuses or ()).index(running[0])
    return _Explanation(
        _("container {name} runs, but does not pass its readiness probe", name=name),
        pod.ref.at("status", "containerStatuses", index, "ready"),
    )


def _unknown_reason(pod: Pod) -> _Explanation:
    condition = pod.condition("Ready")
    told = shortened((condition.message or condition.reason or "") if condition else "")
    return _Explanation(
        told
        or _(
            "its phase is {state}, without a condition Ready that is True",
            state=pod.status.phase or "not told",
        ),
        condition_ref(pod, "Ready"),
    )
