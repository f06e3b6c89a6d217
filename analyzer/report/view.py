"""A report put in the order and the words in which it is read, for the terminal and the page alike."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from analyzer.findings import CheckTally, NodeReport, Report, Severity, Verdict
from analyzer.language import _
from analyzer.report.headline import explanation, headline
from analyzer.report.view_causes import Cause, CheckGroup, causes_of, grouped
from analyzer.report.view_gaps import Gap, gaps_of
from analyzer.report.view_services import ServiceRow, service_rows
from analyzer.report.wording import VERDICT_ORDER

_LEADING = 10
_LEADING_OF_A_CHECK = 3


@dataclass(frozen=True, slots=True)
class Fact:
    """Something about the bundle, with its name."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class VerdictCount:
    """How many Services are in one state."""

    verdict: Verdict
    number: int


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One node."""

    name: str
    mode: str
    kube_proxy: str
    """Its version, or what is known about it."""

    signs: tuple[str, ...]
    """What the version was concluded from, where nothing states it."""

    backend: str
    rules: int
    findings: tuple[Cause, ...]
    """Causes that are about this node."""


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
        origin=_origin(report),
        worst=_worst(verdicts, problems),
        facts=_facts(report),
        verdicts=tuple(VerdictCount(verdict, verdicts[verdict]) for verdict in VERDICT_ORDER),
        problems=problems,
        leading=leading,
        further=_others(problems, leading),
        advice=advice,
        groups=grouped(causes),
        services=service_rows(report),
        gaps=gaps_of(report.not_evaluated),
        nodes=tuple(_node(node, problems) for node in report.nodes),
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


def _origin(report: Report) -> str:
    parts = (
        _("cluster {cluster}", cluster=report.identity.cluster) if report.identity.cluster else "",
        _("Kubernetes {kubernetes}", kubernetes=report.kubernetes) if report.kubernetes else "",
        _("collected {collected}", collected=_collected(report)),
    )
    return ", ".join(filter(None, parts))


def _collected(report: Report) -> str:
    created = report.identity.created_at
    return f"{created:%Y-%m-%d %H:%M:%S %Z}".strip() if created else _("at an unknown time")


def _worst(verdicts: Counter[Verdict], problems: tuple[Cause, ...]) -> Verdict:
    found = next((verdict for verdict in VERDICT_ORDER if verdicts[verdict]), Verdict.UNKNOWN)
    if found is Verdict.HEALTHY and problems:
        return Verdict.DEGRADED
    return found


def _facts(report: Report) -> tuple[Fact, ...]:
    identity = report.identity
    return (
        Fact("Bundle", identity.path),
        Fact("Cluster", identity.cluster or _("not named")),
        Fact("Kubernetes", report.kubernetes or _("version unknown")),
        Fact("Nodes", f"{len(report.nodes):,}"),
        Fact("Services", f"{len(report.services):,}"),
        Fact("Collected", _collected(report)),
        Fact(
            "Integrity",
            _("checked against the manifest")
            if identity.verified
            else _("not verified: no manifest to check the files against"),
        ),
        Fact(
            "Redacted", _("yes: names and addresses were replaced") if identity.redacted else "no"
        ),
    )


def _node(node: NodeReport, problems: tuple[Cause, ...]) -> NodeRow:
    version = node.kube_proxy.version
    return NodeRow(
        name=node.name,
        mode=node.kube_proxy.mode.value,
        kube_proxy=str(version),
        signs=() if version.exact else tuple(f"{s.claim}: {s.reason}" for s in version.signs),
        backend=node.backend.value if node.backend else _("no rules read"),
        rules=node.rules,
        findings=tuple(c for c in problems if c.shown.finding.problem.node == node.name),
    )
