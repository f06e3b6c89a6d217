"""Causes as a reader meets them: gravest first, with their consequences folded in, grouped by check."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from analyzer.check import Check
from analyzer.findings import Finding, Report
from analyzer.language import _
from analyzer.report.markdown import Block, blocks_of
from analyzer.report.view_findings import Shown


@dataclass(frozen=True, slots=True)
class Cause:
    """A finding that no other explains, with what follows from it."""

    shown: Shown
    consequences: tuple[Shown, ...]
    services: tuple[str, ...]
    """Services that it concerns, sorted: those whose cause it is, its own and its consequences'."""


@dataclass(frozen=True, slots=True)
class CheckGroup:
    """All causes that one check found, with what the check's page says."""

    check: Check
    causes: tuple[Cause, ...]

    @property
    def documentation(self) -> tuple[Block, ...]:
        """The check's page without its first sentence."""
        return blocks_of(_(self.check.documentation))[1:]

    @property
    def references(self) -> tuple[str, ...]:
        """The check's references that a reader may follow: web pages only."""
        return tuple(url for url in self.check.references if url.startswith("https://"))


def causes_of(report: Report) -> tuple[Cause, ...]:
    """Return the causes, gravest first, those that concern many Services before those of few."""
    by_id = {finding.id: finding for finding in report.findings}
    following: dict[str, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        root = _root(finding, by_id)
        if root is not finding:
            following[root.id].append(finding)
    concerned: dict[str, set[str]] = defaultdict(set)
    for service in report.services:
        if service.cause is not None:
            concerned[service.cause].add(str(service.service.key))
    causes = [
        _cause(report, finding, following[finding.id], concerned[finding.id])
        for finding in report.findings
        if _root(finding, by_id) is finding
    ]
    return tuple(sorted(causes, key=lambda c: (c.shown.severity.order, -len(c.services))))


def _root(finding: Finding, by_id: Mapping[str, Finding]) -> Finding:
    """Return the finding that explains this one in the end; itself for a root, and where causes run in a circle."""
    seen: set[str | None] = {finding.id}
    root = finding
    while (cause := by_id.get(root.caused_by or "")) is not None:
        if cause.id in seen:
            return finding
        seen.add(cause.id)
        root = cause
    return root


def _cause(
    report: Report, root: Finding, following: Iterable[Finding], concerned: set[str]
) -> Cause:
    consequences = tuple(Shown(finding, report) for finding in following)
    problems = [finding.problem for finding in (root, *(c.finding for c in consequences))]
    named = {str(problem.service) for problem in problems if problem.service is not None}
    affected = {str(service) for problem in problems for service in problem.affects}
    return Cause(Shown(root, report), consequences, tuple(sorted(concerned | named | affected)))


def grouped(causes: Iterable[Cause]) -> tuple[CheckGroup, ...]:
    """Return the causes by check, the check of the gravest cause first."""
    by_slug: dict[str, list[Cause]] = defaultdict(list)
    for cause in causes:
        by_slug[cause.shown.slug].append(cause)
    return tuple(
        CheckGroup(found[0].shown.finding.check, tuple(found)) for found in by_slug.values()
    )
