"""Every check on every subject: what was found, what was not evaluated, how often each passed."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from analyzer.check import Check
from analyzer.findings import CheckTally, NotEvaluated
from analyzer.language import _
from analyzer.model.inputs import Input, Scope
from analyzer.model.station import Station
from analyzer.problems import Problem, Undecided
from analyzer.snapshot import (
    Availability,
    ClusterView,
    ElsewhereError,
    FileState,
    NodeView,
    ServiceView,
)

_ALWAYS_CUT = frozenset({Input.PROXY_LOG, Input.KUBELET_LOG, Input.EVENTS, Input.CONNTRACK})
"""Inputs that are windows into something longer: that one is cut off takes nothing from what it shows."""


@dataclass(frozen=True, slots=True)
class Defect:
    """A probe that failed: an error of svcbundle, not of the cluster."""

    check: Check
    subject: str
    trace: str


@dataclass(frozen=True, slots=True)
class Result:
    """What one check said of one subject, or of all Services."""

    passed: int = 0
    outcomes: tuple[Problem | NotEvaluated, ...] = ()
    """Problems with service and node filled in from the subject."""

    defects: tuple[Defect, ...] = ()


Results = Mapping[tuple[str, str], Result]
"""Results by the slug of the check and the name of the node; that is empty for checks of Services and the cluster."""


@dataclass(frozen=True, slots=True)
class Examination:
    """Everything the checks said."""

    problems: tuple[tuple[Check, Problem], ...]
    not_evaluated: tuple[NotEvaluated, ...]
    tallies: tuple[CheckTally, ...]
    defects: tuple[Defect, ...]


def examine(
    cluster: ClusterView,
    checks: Sequence[Check],
    nodes: Iterable[NodeView],
    notify: Callable[[str], None],
    known: Results = MappingProxyType({}),
) -> Examination:
    """Run the checks on the cluster, on each of the nodes and on each Service.

    `notify` is told of every check before it runs; `known` is not worked out again.
    """
    linux = [n for n in nodes if not n.windows]
    problems: list[tuple[Check, Problem]] = []
    not_evaluated: list[NotEvaluated] = []
    tallies: list[CheckTally] = []
    defects: list[Defect] = []
    for number, check in enumerate(checks, start=1):
        notify(
            _(
                "check {number} of {count}: {check}",
                number=number,
                count=len(checks),
                check=check.slug,
            )
        )
        results = [
            known.get((check.slug, name)) or _judge(check, subjects)
            for name, subjects in _subjects(check, cluster, linux)
        ]
        unknown = _unknown_subjects(check, cluster)
        outcomes = [o for result in results for o in result.outcomes]
        own = [(check, o) for o in outcomes if isinstance(o, Problem)]
        open_ = [*unknown, *(o for o in outcomes if isinstance(o, NotEvaluated))]
        problems.extend(own)
        not_evaluated.extend(open_)
        defects.extend(d for result in results for d in result.defects)
        tallies.append(CheckTally(check, sum(r.passed for r in results), len(own), len(open_)))
    return Examination(tuple(problems), tuple(not_evaluated), tuple(tallies), tuple(defects))


def examine_in_part(
    cluster: ClusterView, checks: Sequence[Check], nodes: Sequence[NodeView]
) -> Results:
    """Run the checks of the nodes, or without any those of the cluster and of Services.

    A check that asks for what another process knows is left out.
    """
    results: dict[tuple[str, str], Result] = {}
    for check in checks:
        if (check.subject == "NodeView") is bool(nodes):
            for name, subjects in _subjects(check, cluster, nodes):
                with suppress(ElsewhereError):
                    results[check.slug, name] = _judge(check, subjects)
    return results


def _subjects(
    check: Check, cluster: ClusterView, nodes: Sequence[NodeView]
) -> list[tuple[str, Sequence[Any]]]:
    """Return what a check runs on: each node for itself, with its name, or all Services together."""
    match check.subject:
        case "NodeView":
            return [(node.name, (node,)) for node in nodes]
        case "ServiceView":
            return [("", cluster.asked_views)]
        case _:
            return [("", (cluster,))]


def _judge(check: Check, subjects: Sequence[Any]) -> Result:
    outcomes: list[Problem | NotEvaluated] = []
    defects: list[Defect] = []
    passed = 0
    run = _ran if _has_all(check, subjects) else _run
    for subject in subjects:
        try:
            found = list(run(check, subject))
        except ElsewhereError:
            raise
        except Exception:  # noqa: BLE001 - one failing probe must not cost the other findings
            trace = traceback.format_exc()
            defects.append(Defect(check, _name(subject), trace))
            told = trace.strip().rpartition("\n")[2]
            found = [_open(check, subject, _("svcbundle failed here: {told}", told=told))]
        passed += not found
        outcomes += found
    return Result(passed, tuple(outcomes), tuple(defects))


def _has_all(check: Check, subjects: Sequence[Any]) -> bool:
    """Tell whether all that a check of Services needs is there, for whichever of them."""
    return check.subject == "ServiceView" and all(
        subject.cluster.has(needed) for subject in subjects[:1] for needed in check.needs
    )


def _unknown_subjects(check: Check, cluster: ClusterView) -> list[NotEvaluated]:
    """Return the check as not evaluated where the dump that names its subjects is not there."""
    naming = {"ServiceView": Input.SERVICES}.get(check.subject)
    lacking = _lacking(cluster, naming) if naming else None
    return [_not_evaluated(check, cluster, [lacking])] if lacking else []


def _run(check: Check, subject: Any) -> Iterator[Problem | NotEvaluated]:  # noqa: ANN401 - a view
    unread = _rules_unread(check, subject)
    if unread:
        yield _open(check, subject, unread)
        return
    lacking = [s for s in (_lacking(subject, needed) for needed in check.needs) if s]
    if lacking:
        yield _not_evaluated(check, subject, lacking)
        yield from _despite(check, subject, [state for state, _ in lacking])
        return
    yield from _ran(check, subject)


def _ran(check: Check, subject: Any) -> Iterator[Problem | NotEvaluated]:  # noqa: ANN401 - a view
    for outcome in check.probe(subject):
        match outcome:
            case Problem():
                yield _placed(outcome, subject)
            case Undecided():
                yield NotEvaluated(
                    check=check,
                    subject=_undecided_subject(outcome, subject),
                    reason=outcome.reason,
                    missing=outcome.missing,
                    command=outcome.command,
                    service=outcome.service or _service(subject),
                    node=outcome.node or _node(subject),
                )


def _despite(check: Check, subject: Any, lacking: Sequence[FileState]) -> Iterator[Problem]:  # noqa: ANN401 - a view
    """Yield what is found although objects of certain namespaces are lost: problems of Services in others."""
    if not all(state.namespaces for state in lacking):
        return
    lost = frozenset[str]().union(*(state.namespaces for state in lacking))
    for outcome in check.probe(subject):
        if isinstance(outcome, Problem):
            problem = _placed(outcome, subject)
            concerned = {s.namespace for s in (problem.service, *problem.affects) if s}
            if concerned and not concerned & lost:
                yield problem


def _lacking(subject: Any, needed: Input) -> tuple[FileState, str] | None:  # noqa: ANN401 - a view
    view = subject.cluster if isinstance(subject, ServiceView) else subject
    state: FileState = view.availability(needed)
    if state.availability is Availability.PRESENT:
        return None
    if isinstance(subject, ServiceView) and subject.key.namespace not in (
        state.namespaces or {subject.key.namespace}
    ):
        return None
    if state.availability is Availability.PARTIAL and needed in _ALWAYS_CUT:
        return None
    node = _node(subject) or "" if needed.value.scope is Scope.NODE else ""
    return state, needed.command(node)


def _not_evaluated(
    check: Check,
    subject: Any,  # noqa: ANN401 - a view
    lacking: list[tuple[FileState, str]],
) -> NotEvaluated:
    return NotEvaluated(
        check=check,
        subject=_name(subject),
        reason="; ".join(state.reason for state, _ in lacking),
        missing=tuple(state.path for state, _ in lacking),
        command=lacking[0][1],
        service=_service(subject),
        node=_node(subject),
    )


def _rules_unread(check: Check, subject: Any) -> str:  # noqa: ANN401 - a view
    """Return why the rules of a node say nothing to a check of them, or an empty string."""
    if check.station is not Station.RULES or not isinstance(subject, NodeView):
        return ""
    compares = Input.SERVICES in check.needs
    return subject.rules_unread or (subject.incomparable if compares else "")


def _open(check: Check, subject: Any, reason: str) -> NotEvaluated:  # noqa: ANN401 - a view
    """Return a check that no file of the bundle would decide."""
    return NotEvaluated(
        check=check,
        subject=_name(subject),
        reason=reason,
        missing=(),
        command="",
        service=_service(subject),
        node=_node(subject),
    )


def _placed(problem: Problem, subject: Any) -> Problem:  # noqa: ANN401 - a view
    return replace(
        problem,
        service=problem.service or _service(subject),
        node=problem.node or _node(subject),
    )


def _undecided_subject(outcome: Undecided, subject: Any) -> str:  # noqa: ANN401 - a view
    named = outcome.pod or outcome.node or (str(outcome.service) if outcome.service else None)
    return named or _name(subject)


def _name(subject: Any) -> str:  # noqa: ANN401 - a view
    service, node = _service(subject), _node(subject)
    return str(service) if service else node or "cluster"


def _service(subject: Any) -> Any:  # noqa: ANN401 - a view
    return subject.key if isinstance(subject, ServiceView) else None


def _node(subject: Any) -> str | None:  # noqa: ANN401 - a view
    return subject.name if isinstance(subject, NodeView) else None
