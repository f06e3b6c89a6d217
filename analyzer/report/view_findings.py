"""Findings as a reader meets them: causes with their consequences folded in, grouped by check."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from analyzer.findings import Check, Evidence, Finding, Quote, Report, Severity
from analyzer.phrases import listed
from analyzer.report.emphasis import Segment, decisive_parts, segments
from analyzer.report.markdown import Block, blocks_of
from analyzer.report.remedy import remedy_blocks


@dataclass(frozen=True, slots=True)
class QuotedLine:
    """One line of an excerpt."""

    number: int
    segments: tuple[Segment, ...]
    decides: bool
    """True for the line that the evidence points at."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A piece of evidence with the line that it points at."""

    path: str
    line: int
    note: str
    text: str
    """The deciding line, tabs expanded."""

    decisive: tuple[int, int]
    """From and to which character of the text its first decisive part goes; (0, 0) where none is known."""

    lines: tuple[QuotedLine, ...]
    """The deciding line between its neighbours, without their common indentation."""

    @property
    def place(self) -> str:
        """`file:line`."""
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class Shown:
    """One finding."""

    finding: Finding
    report: Report

    @property
    def id(self) -> str:
        """Its id, which is its anchor too."""
        return self.finding.id

    @property
    def slug(self) -> str:
        """Slug of its check."""
        return self.finding.check.slug

    @property
    def severity(self) -> Severity:
        """How much it matters."""
        return self.finding.severity

    @property
    def message(self) -> str:
        """What is wrong."""
        return self.finding.problem.message

    @property
    def subject(self) -> str:
        """What it is about: `Service shop/web, port http, node node-b`; `cluster` for the whole."""
        problem = self.finding.problem
        affected = listed([str(service) for service in sorted(problem.affects)])
        parts = (
            f"Service {problem.service}" if problem.service else "",
            f"Services {affected}" if affected and not problem.service else "",
            f"port {problem.port}" if problem.port else "",
            f"pod {problem.pod}" if problem.pod else "",
            f"node {problem.node}" if problem.node else "",
        )
        return ", ".join(filter(None, parts)) or "cluster"

    @cached_property
    def remedy(self) -> tuple[Block, ...]:
        """What to do, and what to type."""
        return remedy_blocks(self.finding.problem.remedy)

    @cached_property
    def excerpts(self) -> tuple[Excerpt, ...]:
        """Its evidence."""
        return tuple(self._excerpt(evidence) for evidence in self.finding.problem.evidence)

    @property
    def first_place(self) -> str:
        """`file:line` of its first evidence."""
        quote = self.report.quote(self.finding.problem.evidence[0])
        return f"{quote.path}:{quote.line}"

    def _excerpt(self, evidence: Evidence) -> Excerpt:
        quote = self.report.quote(evidence)
        claim = f"{self.message} {evidence.note}"
        text = quote.text.expandtabs(4)
        parts = decisive_parts(text, claim)
        return Excerpt(
            quote.path,
            quote.line,
            evidence.note,
            text,
            parts[0] if parts else (0, 0),
            _quoted_lines(quote, claim),
        )


def _quoted_lines(quote: Quote, claim: str) -> tuple[QuotedLine, ...]:
    """Return the excerpt's lines, without the blanks that all of them begin with."""
    lines = [line.expandtabs(4) for line in (*quote.before, quote.text, *quote.after)]
    indent = min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), default=0)
    first = quote.line - len(quote.before)
    return tuple(
        QuotedLine(
            number,
            segments(line[indent:], claim) if number == quote.line else (Segment(line[indent:]),),
            decides=number == quote.line,
        )
        for number, line in enumerate(lines, start=first)
    )


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
        return blocks_of(self.check.documentation)[1:]

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
