"""A report put in the order and the words in which it is read, for the terminal and the page alike."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from analyzer.findings import CheckTally, Report
from analyzer.language import _
from analyzer.model.severity import Severity
from analyzer.model.verdict import Verdict
from analyzer.report.headline import explanation, headline
from analyzer.report.view_bundle import Fact, collected_text, facts_of
from analyzer.report.view_causes import Cause, CheckGroup, causes_of, grouped
from analyzer.report.view_gaps import Gap, gaps_of
from analyzer.report.view_nodes import NodeRow, node_rows
from analyzer.report.view_services import ServiceRow, service_rows
from analyzer.report.wording import VERDICT_ORDER

_LEADING = 10
_LEADING_OF_A_CHECK = 3


@dataclass(frozen=True, slots=True)
class VerdictCount:
    """How many Services are in one state."""

    verdict: Verdict
    number: int


@dataclass(frozen=True, slots=True)
class ReportView:
    """Everything that a reader is shown."""

    headline: str
    """What is broken, in one sentence."""

    explanation: str
    """Why, in one sentence; empty where nothing is wrong."""

    origin: str
    """Whose state this is, and when: `cluster lab, Kubernetes v1.30.5, collected 2026-11-23 02:51:33 UTC`."""

    worst: Verdict
    facts: tuple[Fact, ...]
    verdicts: tuple[VerdictCount, ...]
    """Every verdict, gravest first."""

    problems: tuple[Cause, ...]
    """Causes that are errors or warnings."""

    leading: tuple[Cause, ...]
    """The problems to read first: a few of each check, gravest first."""

    further: tuple[Cause, ...]
    """The other problems."""

    advice: tuple[Cause, ...]
    """Causes that only advise."""

    groups: tuple[CheckGroup, ...]
    """All causes by check."""

    services: tuple[ServiceRow, ...]
    gaps: tuple[Gap, ...]
    nodes: tuple[NodeRow, ...]
    tallies: tuple[CheckTally, ...]

    @property
    def silent(self) -> tuple[CheckTally, ...]:
        """Checks that ran and found nothing."""
        return tuple(t for t in self.tallies if t.passed and not t.findings)


def view_of(report: Report) -> ReportView:
    """Return what a reader is shown of a report."""
    causes = causes_of(report)
    problems = tuple(c for c in causes if c.shown.severity is not Severity.INFO)
    advice = tuple(c for c in causes if c.shown.severity is Severity.INFO)
    leading = _leading(problems)
    verdicts = Counter(service.verdict for service in report.services)
    return ReportView(
        headline=headline(report),
        explanation=explanation(problems),
        origin=origin_of(report),
        worst=_worst(verdicts, problems),
        facts=facts_of(report),
        verdicts=tuple(VerdictCount(verdict, verdicts[verdict]) for verdict in VERDICT_ORDER),
        problems=problems,
        leading=leading,
        further=_others(problems, leading),
        advice=advice,
        groups=grouped(causes),
        services=service_rows(report),
        gaps=gaps_of(report.not_evaluated),
        nodes=node_rows(report, problems),
        tallies=report.tallies,
    )


def _leading(problems: tuple[Cause, ...]) -> tuple[Cause, ...]:
    of_check: Counter[str] = Counter()
    leading = []
    for cause in problems:
        of_check[cause.shown.slug] += 1
        if of_check[cause.shown.slug] <= _LEADING_OF_A_CHECK:
            leading.append(cause)
    return tuple(leading[:_LEADING])


def _others(problems: tuple[Cause, ...], leading: tuple[Cause, ...]) -> tuple[Cause, ...]:
    ids = {cause.shown.id for cause in leading}
    return tuple(cause for cause in problems if cause.shown.id not in ids)


def origin_of(report: Report) -> str:
    """Return whose state a report tells, and when it was collected."""
    parts = (
        _("cluster {cluster}", cluster=report.identity.cluster) if report.identity.cluster else "",
        _("Kubernetes {kubernetes}", kubernetes=report.kubernetes) if report.kubernetes else "",
        _("collected {collected}", collected=collected_text(report)),
    )
    return _(", ").join(filter(None, parts))


def _worst(verdicts: Counter[Verdict], problems: tuple[Cause, ...]) -> Verdict:
    found = next((verdict for verdict in VERDICT_ORDER if verdicts[verdict]), Verdict.UNKNOWN)
    if found is Verdict.HEALTHY and problems:
        return Verdict.DEGRADED
    return found
