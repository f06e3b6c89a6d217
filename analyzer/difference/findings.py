"""Findings that are new, gone or the same; one that a side could not be examined for is neither."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from analyzer.difference.change import FindingChange, FindingState
from analyzer.difference.identity import FindingIdentity, identities
from analyzer.findings import Finding, NotEvaluated, Report


def finding_changes(old: Report, new: Report) -> tuple[FindingChange, ...]:
    """Return every finding with its fate: first those of the new report in its order, then those that are gone."""
    return _compared(old, new, old.findings, new.findings, lambda identity: identity)


def node_finding_changes(report: Report, old: str, new: str) -> tuple[FindingChange, ...]:
    """Return the findings about two nodes: what is found on both is the same."""
    of_old, of_new = (
        tuple(f for f in report.findings if f.problem.node == name) for name in (old, new)
    )
    return _compared(report, report, of_old, of_new, _without_node)


def _compared(
    old: Report,
    new: Report,
    old_findings: tuple[Finding, ...],
    new_findings: tuple[Finding, ...],
    key: Callable[[FindingIdentity], FindingIdentity],
) -> tuple[FindingChange, ...]:
    was = {key(i): f for f, i in _identified(old_findings)}
    is_ = {key(i): f for f, i in _identified(new_findings)}
    told = [_of_new(identity, was.get(identity), f, old) for identity, f in is_.items()]
    told += [_of_old(identity, f, new) for identity, f in was.items() if identity not in is_]
    return tuple(told)


def _identified(findings: tuple[Finding, ...]) -> Iterator[tuple[Finding, FindingIdentity]]:
    ids = identities(findings)
    return ((finding, ids[finding.id]) for finding in findings)


def _without_node(identity: FindingIdentity) -> FindingIdentity:
    return FindingIdentity(identity.slug, identity.service, identity.port, "", "", identity.number)


def _of_new(
    identity: FindingIdentity, was: Finding | None, finding: Finding, old: Report
) -> FindingChange:
    if was is not None:
        return FindingChange(FindingState.SAME, identity, was, finding)
    reason = _why_unseen(finding, old)
    state = FindingState.UNSEEN_IN_OLD if reason else FindingState.NEW
    return FindingChange(state, identity, None, finding, reason)


def _of_old(identity: FindingIdentity, finding: Finding, new: Report) -> FindingChange:
    reason = _why_unseen(finding, new)
    state = FindingState.UNSEEN_IN_NEW if reason else FindingState.GONE
    return FindingChange(state, identity, finding, None, reason)


def _why_unseen(finding: Finding, report: Report) -> str:
    """Return why a report could not have the finding; empty where its check ran on the subject."""
    open_ = (n for n in report.not_evaluated if n.check.slug == finding.check.slug)
    return next((n.reason for n in open_ if _concerns(n, finding)), "")


def _concerns(item: NotEvaluated, finding: Finding) -> bool:
    problem = finding.problem
    about_service = item.service is None or item.service in {problem.service, *problem.affects}
    about_node = item.node is None or problem.node in {None, item.node}
    return about_service and about_node
