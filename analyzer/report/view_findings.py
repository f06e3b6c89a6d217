"""A finding as a reader meets it: its subject, its lines of evidence, what to read and what to type."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from analyzer.findings import Finding, Quote, Report
from analyzer.language import _
from analyzer.model.severity import Severity
from analyzer.phrases import listed
from analyzer.problems import Evidence
from analyzer.report.emphasis import Segment, decisive_parts, segments
from analyzer.report.markdown import Block
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
            _("Service {service}", service=problem.service) if problem.service else "",
            _("Services {affected}", affected=affected) if affected and not problem.service else "",
            _("port {port}", port=problem.port) if problem.port else "",
            _("pod {pod}", pod=problem.pod) if problem.pod else "",
            _("node {node}", node=problem.node) if problem.node else "",
        )
        return _(", ").join(filter(None, parts)) or _("cluster")

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
