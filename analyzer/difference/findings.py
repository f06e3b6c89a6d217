"""Findings that are new, gone or the same; one that a side could not be examined for is neither."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analyzer.difference.change import FindingChange, FindingState
from analyzer.difference.identity import FindingIdentity, identities
from analyzer.findings import Finding, NotEvaluated, Report
from analyzer.language import _
from analyzer.model.bundle import Standing

_ABSENT = frozenset({Standing.MISSING, Standing.UNREADABLE, Standing.REFUSED})


@dataclass(frozen=True, slots=True)
class _Side:
    """A report with those of its findings that are compared."""

    report: Report
    findings: tuple[Finding, ...]
    node: str | None = None
    """Name of the node where nodes of one report are compared; None where reports are."""


def finding_changes(old: Report, new: Report) -> tuple[FindingChange, ...]:
    """Return every finding with its fate: first those of the new report in its order, then those that are gone."""
    return _compared(_Side(old, old.findings), _Side(new, new.findings))


def node_finding_changes(report: Report, old: str, new: str) -> tuple[FindingChange, ...]:
    """Return the findings about two nodes: what is found on both is the same."""
    of_old, of_new = (
        _Side(report, tuple(f for f in report.findings if f.problem.node == name), name)
        for name in (old, new)
    )
    return _compared(of_old, of_new)


def _compared(old: _Side, new: _Side) -> tuple[FindingChange, ...]:
    was, is_ = (dict(_identified(side)) for side in (old, new))
    told = [_of_new(identity, was.get(identity), f, old) for identity, f in is_.items()]
    told += [_of_old(identity, f, new) for identity, f in was.items() if identity not in is_]
    return tuple(told)


def _identified(side: _Side) -> Iterator[tuple[FindingIdentity, Finding]]:
    ids = identities(side.findings)
    for finding in side.findings:
        identity = ids[finding.id]
        yield (identity if side.node is None else _without_node(identity)), finding


def _without_node(identity: FindingIdentity) -> FindingIdentity:
    return FindingIdentity(identity.slug, identity.service, identity.port, "", "", identity.number)


def _of_new(
    identity: FindingIdentity, was: Finding | None, finding: Finding, old: _Side
) -> FindingChange:
    if was is not None:
        return FindingChange(FindingState.SAME, identity, was, finding)
    reason = _why_unseen(finding, old)
    state = FindingState.UNSEEN_IN_OLD if reason else FindingState.NEW
    return FindingChange(state, identity, None, finding, reason)


def _of_old(identity: FindingIdentity, finding: Finding, new: _Side) -> FindingChange:
    reason = _why_unseen(finding, new)
    state = FindingState.UNSEEN_IN_NEW if reason else FindingState.GONE
    return FindingChange(state, identity, finding, None, reason)


def _why_unseen(finding: Finding, side: _Side) -> str:
    """Return why a side could not have the finding; empty where its check ran on the subject with what it read."""
    open_ = (n for n in side.report.not_evaluated if n.check.slug == finding.check.slug)
    reasons = (n.reason for n in open_ if _concerns(n, finding, side.node))
    return next(reasons, "") or next(_without_evidence(finding, side), "")


def _concerns(item: NotEvaluated, finding: Finding, node: str | None) -> bool:
    problem = finding.problem
    about_service = item.service is None or item.service in {problem.service, *problem.affects}
    about_node = item.node is None or (node or problem.node) in {None, item.node}
    return about_service and about_node


def _without_evidence(finding: Finding, side: _Side) -> Iterator[str]:
    """Yield what a side lacks of the files that prove a finding: a check may do without some, and then finds less.

    Those of a node that is no more, and those of pods, which get other names, are not missed.
    """
    there = {file.path for file in side.report.files if file.standing not in _ABSENT}
    nodes = {node.name for node in side.report.nodes}
    for evidence in finding.problem.evidence:
        folder, _slash, rest = evidence.source.path.partition("/")
        node, _slash, file = rest.partition("/")
        node = side.node or node
        path = f"nodes/{node}/{file}" if folder == "nodes" else evidence.source.path
        missed = folder == "cluster" or (folder == "nodes" and node in nodes)
        if missed and path not in there:
            yield _("{path} is not in the bundle", path=path)
