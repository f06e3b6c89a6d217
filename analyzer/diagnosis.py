"""From what the checks said to causes, consequences and the state of each Service."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from analyzer.check import Check
from analyzer.examination import Examination
from analyzer.findings import Finding, NotEvaluated, ServiceReport, StationResult
from analyzer.language import _, plural
from analyzer.model.forwarding import ServiceKey
from analyzer.model.severity import Severity
from analyzer.model.station import Station, Status
from analyzer.model.verdict import Verdict
from analyzer.problems import Problem
from analyzer.snapshot import ClusterView, ServiceView

_NODE_STATIONS = frozenset({Station.KUBE_PROXY, Station.RULES, Station.PROXYING, Station.HAIRPIN})
"""Stations in which a finding about a whole node concerns every Service that kube-proxy serves there."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Findings tied to their causes, and every Service with its stations."""

    findings: tuple[Finding, ...]
    services: tuple[ServiceReport, ...]


def diagnose(cluster: ClusterView, examination: Examination) -> Diagnosis:
    """Order the problems, tie consequences to their causes and judge each Service."""
    findings = _tied(_ordered(p for p in examination.problems if _is_asked(cluster, p[1])))
    views = [
        view
        for key, view in cluster.service_views.items()
        if not cluster.asked_services or key in cluster.asked_services
    ]
    judge = _Judge(cluster, findings, examination.not_evaluated)
    return Diagnosis(findings, tuple(judge.report(view) for view in views))


def _is_asked(cluster: ClusterView, problem: Problem) -> bool:
    """Tell whether the problem concerns a Service that the user asked about, or none in particular."""
    named = problem.affects | ({problem.service} if problem.service else frozenset())
    return not cluster.asked_services or not named or not named.isdisjoint(cluster.asked_services)


def _ordered(problems: Iterable[tuple[Check, Problem]]) -> list[Finding]:
    ordered = sorted(
        problems,
        key=lambda p: (
            p[0].station.order,
            (p[1].severity or p[0].severity).order,
            p[0].slug,
            str(p[1].service or ""),
            p[1].port or "",
            p[1].node or "",
            p[1].pod or "",
            p[1].message,
        ),
    )
    return [
        Finding(id=f"f{n}", check=c, severity=p.severity or c.severity, problem=p)
        for n, (c, p) in enumerate(ordered, start=1)
    ]


# --- causes ---


def _tied(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    by_slug: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_slug[finding.check.slug].append(finding)
    return tuple(replace(f, caused_by=_cause_of(f, by_slug)) for f in findings)


def _cause_of(finding: Finding, by_slug: Mapping[str, Sequence[Finding]]) -> str | None:
    for slug in finding.check.consequence_of:
        for candidate in by_slug.get(slug, ()):
            advice = candidate.severity is Severity.INFO and finding.severity is not Severity.INFO
            if candidate is finding or advice:
                continue
            if _covers(candidate.problem, finding.problem):
                return candidate.id
    return None


def _covers(cause: Problem, effect: Problem) -> bool:
    """Tell whether the cause speaks about the effect's subject or about a larger one."""
    return (
        _covers_services(cause, effect)
        and (cause.node in {None, effect.node} or (effect.node is None and bool(cause.affects)))
        and cause.pod in {None, effect.pod}
        and cause.port in {None, effect.port}
    )


def _covers_services(cause: Problem, effect: Problem) -> bool:
    """Compare the Services of both: a finding that names none speaks about its node, or about all of them."""
    about, concerned = _services(cause), _services(effect)
    if not about:
        return True
    if not concerned:
        return cause.service is None and cause.node is not None
    # What several Services share is explained by what is said of one of them.
    return concerned <= about or cause.service in effect.affects


def _services(problem: Problem) -> frozenset[ServiceKey]:
    return problem.affects if problem.service is None else frozenset({problem.service})


# --- Services ---


class _Kind(NamedTuple):
    """What decides which stations say something about a Service."""

    external_name: bool
    selects: bool
    headless: bool
    proxied: bool
    has_ip: bool

    @classmethod
    def of(cls, view: ServiceView) -> _Kind:
        service = view.service
        return cls(
            external_name=service.spec.type == "ExternalName",
            selects=bool(service.spec.selector),
            headless=service.headless,
            proxied=view.proxied,
            has_ip=bool(service.cluster_ips),
        )


class _Open(NamedTuple):
    """A station that a check left open, and why."""

    station: Station
    reason: str


class _Judge:
    """Decides the stations, the verdict and the cause of one Service after the other."""

    def __init__(
        self,
        cluster: ClusterView,
        findings: Sequence[Finding],
        not_evaluated: Sequence[NotEvaluated],
    ) -> None:
        self._by_id = {f.id: f for f in findings}
        self._nodes = frozenset(n.name for n in cluster.nodes.values() if not n.windows)
        self._of_service: dict[ServiceKey, list[Finding]] = defaultdict(list)
        self._of_nodes: list[Finding] = []
        self._of_cluster: list[Finding] = []
        for finding in findings:
            problem = finding.problem
            concerned = _services(problem)
            of_all_nodes = problem.node is None and finding.check.station in _NODE_STATIONS
            if problem.service is None and finding.check.station is Station.DNS:
                self._of_cluster.append(finding)
            elif concerned:
                for key in concerned:
                    self._of_service[key].append(finding)
            elif of_all_nodes:
                self._of_cluster.append(finding)
            elif finding.check.station in _NODE_STATIONS:
                self._of_nodes.append(finding)
        self._open_of_service: dict[ServiceKey, list[_Open]] = defaultdict(list)
        self._open_everywhere: list[_Open] = []
        self._examined: dict[object, tuple[StationResult, ...]] = {}
        self._shown: dict[object, tuple[StationResult, ...]] = {}
        for item in not_evaluated:
            if item.check.advisory:
                continue
            open_ = _Open(item.check.station, item.reason)
            if item.service is not None:
                self._open_of_service[item.service].append(open_)
            else:
                self._open_everywhere.append(open_)

    def report(self, view: ServiceView) -> ServiceReport:
        """Return the diagnosis of one Service; Services of which the same is known share their stations."""
        findings = [*self._of_service.get(view.key, ()), *self._of_cluster]
        if view.proxied:
            findings.extend(self._of_nodes)
        kind = _Kind.of(view)
        open_ = tuple(self._open_of_service.get(view.key, ()))
        known = (kind, tuple([f.id for f in findings]), open_)
        if known not in self._examined:
            self._examined[known] = self._stations(kind, findings, open_)
        examined = self._examined[known]
        verdict = self._verdict(view, findings, examined)
        if (known, verdict) not in self._shown:
            self._shown[known, verdict] = _with_ip(kind, examined, verdict)
        cause = self._cause(view, findings) if verdict in _NEEDS_CAUSE else None
        return ServiceReport(view.service, verdict, self._shown[known, verdict], cause)

    def _stations(
        self, kind: _Kind, findings: Sequence[Finding], open_: Sequence[_Open]
    ) -> tuple[StationResult, ...]:
        """Return all stations but `ip`."""
        every = [*open_, *self._open_everywhere]
        return tuple(
            self._station(station, _not_applicable(kind, station), findings, every)
            for station in _EXAMINED
        )

    @staticmethod
    def _station(
        station: Station,
        reason: str,
        findings: Sequence[Finding],
        open_: Sequence[_Open],
    ) -> StationResult:
        if reason:
            return StationResult(station, Status.NOT_APPLICABLE, reason=reason)
        own = sorted(
            (f for f in findings if f.check.station is station), key=lambda f: f.severity.order
        )
        ids = tuple(f.id for f in own)
        if any(f.severity is Severity.ERROR and f.problem.pod is None for f in own):
            return StationResult(station, Status.FAIL, ids)
        if any(f.severity is not Severity.INFO for f in own):
            return StationResult(station, Status.WARN, ids)
        missing = sorted({o.reason for o in open_ if o.station is station})
        if missing:
            return StationResult(station, Status.NOT_EVALUATED, ids, _first(missing))
        return StationResult(station, Status.PASS, ids)

    def _verdict(
        self, view: ServiceView, findings: Sequence[Finding], stations: Sequence[StationResult]
    ) -> Verdict:
        felt = [f for f in findings if f.severity is not Severity.INFO]
        errors = [f for f in felt if f.severity is Severity.ERROR]
        if any(_stops_all(f, view) for f in errors):
            return Verdict.BROKEN
        stopped = {
            f.problem.node
            for f in errors
            if f.check.station in _NODE_STATIONS and not f.problem.partial
        }
        if self._nodes and self._nodes <= stopped:
            return Verdict.BROKEN
        if felt:
            return Verdict.DEGRADED
        if any(s.status is Status.NOT_EVALUATED for s in stations):
            return Verdict.UNKNOWN
        return Verdict.HEALTHY

    def _cause(self, view: ServiceView, findings: Sequence[Finding]) -> str | None:
        felt = [f for f in findings if f.severity is not Severity.INFO]
        ranked = sorted(
            felt,
            key=lambda f: (f.severity.order, not _stops_all(f, view), f.check.station.order),
        )
        return self._root(ranked[0]).id if ranked else None

    def _root(self, finding: Finding) -> Finding:
        seen = {finding.id}
        while finding.caused_by is not None and finding.caused_by not in seen:
            finding = self._by_id[finding.caused_by]
            seen.add(finding.id)
        return finding


_EXAMINED = tuple(s for s in Station if s not in {Station.BUNDLE, Station.IP})
_NEEDS_CAUSE = frozenset({Verdict.BROKEN, Verdict.DEGRADED})
_MOST_REASONS = 5
"""Reasons that a station of a Service shows; `notEvaluated` has all of them."""


def _stops_all(finding: Finding, view: ServiceView) -> bool:
    problem = finding.problem
    one_of_several_ports = problem.port is not None and len(view.service.ports) > 1
    return (
        finding.severity is Severity.ERROR
        and (problem.service == view.key or view.key in problem.affects)
        and problem.node is None
        and problem.pod is None
        and not problem.partial
        and not one_of_several_ports
    )


def _not_applicable(kind: _Kind, station: Station) -> str:
    """Return why a station says nothing about a Service, or an empty string."""
    if kind.external_name and station not in {
        Station.EXISTS,
        Station.DNS,
        Station.DEFINITION,
    }:
        return _("an ExternalName Service is a DNS alias: nothing is forwarded")
    if station is Station.PODS and not kind.selects:
        return _("the Service has no selector: its endpoints are not pods that it chose")
    if station in _NODE_STATIONS and kind.headless:
        return _("a headless Service has no cluster IP: clients connect to its pods directly")
    if station in _NODE_STATIONS and not kind.proxied:
        return _("the Service is served by another proxy than kube-proxy")
    return ""


def _with_ip(
    kind: _Kind, stations: tuple[StationResult, ...], verdict: Verdict
) -> tuple[StationResult, ...]:
    """Insert the station `ip`: whether the Service's own addresses answer follows from all the others."""
    return (*stations[:2], _ip(kind, stations, verdict), *stations[2:])


def _ip(kind: _Kind, stations: tuple[StationResult, ...], verdict: Verdict) -> StationResult:
    if not kind.has_ip or kind.external_name:
        return StationResult(
            Station.IP, Status.NOT_APPLICABLE, reason=_("the Service has no cluster IP")
        )
    decisive = [s for s in stations if s.station not in {Station.EXISTS, Station.DNS}]
    ids = tuple(f for s in decisive if s.status in {Status.FAIL, Status.WARN} for f in s.findings)
    if verdict is Verdict.BROKEN:
        return StationResult(Station.IP, Status.FAIL, ids)
    if ids:
        return StationResult(Station.IP, Status.WARN, ids)
    missing = [s for s in decisive if s.status is Status.NOT_EVALUATED]
    if missing:
        reason = _("follows from ") + ", ".join(s.station.value for s in missing)
        return StationResult(Station.IP, Status.NOT_EVALUATED, reason=reason)
    return StationResult(Station.IP, Status.PASS)


def _first(reasons: Sequence[str]) -> str:
    """Return the reasons of a station, or the first ones: there may be one for each node and file."""
    if len(reasons) <= _MOST_REASONS:
        return "; ".join(reasons)
    told, left = "; ".join(reasons[:_MOST_REASONS]), len(reasons) - _MOST_REASONS
    return plural(
        "{reasons}; and {count} other reason",
        "{reasons}; and {count:,} other reasons",
        left,
        reasons=told,
    )
