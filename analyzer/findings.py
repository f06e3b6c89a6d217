"""What a finding is, and the report of all findings: the words shared by diagnosis and reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from analyzer.check import Check
from analyzer.model.bundle import BundleFile, BundleIdentity
from analyzer.model.forwarding import ServiceKey
from analyzer.model.kube_proxy import KubeProxy
from analyzer.model.kubernetes import Service
from analyzer.model.ruleset import Backend, Family
from analyzer.model.service_path import ServicePath
from analyzer.model.severity import Severity
from analyzer.model.source import Ref
from analyzer.model.station import Station, Status
from analyzer.model.verdict import Verdict
from analyzer.problems import Evidence, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem with its place in the diagnosis."""

    id: str
    """`f1`, `f2`, … in the order of the report."""

    check: Check
    severity: Severity
    problem: Problem
    """With service, node and pod filled in."""

    caused_by: str | None = None
    """Id of the finding that explains this one, or None for a root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotEvaluated:
    """A check that did not run on a subject, and what would let it run."""

    check: Check
    subject: str
    """`cluster`, a node's name, or `namespace/name` of a Service or pod."""

    reason: str
    missing: tuple[str, ...]
    command: str
    service: ServiceKey | None = None
    node: str | None = None


@dataclass(frozen=True, slots=True)
class StationResult:
    """One cell of the matrix Services x stations."""

    station: Station
    status: Status
    findings: tuple[str, ...] = ()
    """Ids of the findings that decided it, gravest first."""

    reason: str = ""
    """Why it is not evaluated or not applicable."""


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """The diagnosis of one Service."""

    service: Service
    verdict: Verdict
    stations: tuple[StationResult, ...]
    """One for each station but `bundle`, in the document's order."""

    cause: str | None
    """Id of the finding that, put right, makes it work."""


@dataclass(frozen=True, slots=True)
class TableCount:
    """How large a table of iptables is."""

    family: Family
    name: str
    chains: int
    rules: int


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What is known about one node."""

    name: str
    kube_proxy: KubeProxy
    backend: Backend | None
    """Which iptables backend its rules were read from; None where no ruleset was read."""

    rules: int
    """Number of rules read, all tables and families."""

    tables: tuple[TableCount, ...] = ()
    """The tables that were read."""

    kubelet: str = ""
    """Version of the kubelet; empty where unknown."""

    last_sync: datetime | None = None
    """When kube-proxy wrote its rules last, by its own word; None where it was not asked."""

    last_log: datetime | None = None
    """Time of the last line of kube-proxy's log; None without one."""


@dataclass(frozen=True, slots=True)
class CheckTally:
    """How often a check came to which result, over all its subjects."""

    check: Check
    passed: int
    findings: int
    not_evaluated: int


@dataclass(frozen=True, slots=True)
class Quote:
    """The bundle line that a piece of evidence points at, with its neighbours."""

    path: str
    line: int
    """Line number from 1."""

    text: str
    """The line, cut to what matters where it is very long; control characters as they are."""

    before: tuple[str, ...] = ()
    """Up to two lines before it."""

    after: tuple[str, ...] = ()
    """Up to two lines after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole diagnosis of a bundle: everything that a renderer shows."""

    identity: BundleIdentity
    kubernetes: str
    """Version of the cluster; empty where unknown."""

    nodes: tuple[NodeReport, ...]
    services: tuple[ServiceReport, ...]
    """The Services asked for, or all; sorted by name."""

    findings: tuple[Finding, ...]
    """Roots and consequences, in the order of the stations, gravest first within one."""

    not_evaluated: tuple[NotEvaluated, ...]
    tallies: tuple[CheckTally, ...]
    quotes: Mapping[Ref, Quote]
    """The line behind every piece of evidence."""

    paths: tuple[ServicePath, ...] = ()
    """What is drawn of Services; empty where no picture is wanted."""

    files: tuple[BundleFile, ...] = ()
    """What the bundle holds, and what it was meant to hold; sorted by path."""

    def count(self, severity: Severity) -> int:
        """Return how many findings have the severity, consequences included."""
        return sum(f.severity is severity for f in self.findings)

    def quote(self, evidence: Evidence) -> Quote:
        """Return the line behind a piece of evidence."""
        return self.quotes[evidence.source]

    def consequences(self, finding: Finding) -> tuple[Finding, ...]:
        """Return the findings that this one explains."""
        return tuple(f for f in self.findings if f.caused_by == finding.id)
