"""What a check says, and what a finding is: the words shared by checks, diagnosis and reports."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from analyzer.language import _
from analyzer.model.bundle import BundleFile, BundleIdentity
from analyzer.model.forwarding import ServiceKey
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import KubeProxy
from analyzer.model.kubernetes import Service
from analyzer.model.ruleset import Backend, Family
from analyzer.model.service_path import ServicePath
from analyzer.model.source import Ref


class Station(Enum):
    """What a request passes, in the order of the "Debug Services" document."""

    __hash__ = object.__hash__  # each member is one object; Enum would hash its name, in Python

    EXISTS = "exists"
    DNS = "dns"
    IP = "ip"
    DEFINITION = "definition"
    ENDPOINTS = "endpoints"
    PODS = "pods"
    KUBE_PROXY = "kube-proxy"
    RULES = "rules"
    PROXYING = "proxying"
    HAIRPIN = "hairpin"
    BUNDLE = "bundle"

    @property
    def order(self) -> int:
        """Position in the document, from 0."""
        return list(Station).index(self)


class Severity(Enum):
    """How much a finding matters."""

    ERROR = "error"
    """A Service or a node does not work."""

    WARNING = "warning"
    """It works partly, sometimes, or from some places only."""

    INFO = "info"
    """Advice."""

    @property
    def order(self) -> int:
        """0 for the gravest."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A line of the bundle that shows what a finding claims."""

    source: Ref
    note: str = ""
    """What the line shows, in a few words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What a probe found wrong. The subject of the check fills in service or node where they are not given."""

    message: str
    """One sentence: what is wrong, with the names and values that matter."""

    evidence: tuple[Evidence, ...]
    """At least one line that shows it."""

    remedy: str
    """What to do or type, for this very case."""

    service: ServiceKey | None = None
    affects: frozenset[ServiceKey] = frozenset()
    """The Services that it concerns, where it has no single one: two of one address, those of a node's pods."""

    port: str | None = None
    """Name or number of the Service port, where only one port is meant."""

    node: str | None = None
    pod: str | None = None
    """`namespace/name`."""

    severity: Severity | None = None
    """Where it differs from the check's own."""

    partial: bool = False
    """True when some clients of the subject still get an answer although the severity is error."""

    def __post_init__(self) -> None:
        """Refuse a claim without proof."""
        if not self.evidence:
            raise ValueError(f"a finding needs evidence: {self.message}")


@dataclass(frozen=True, slots=True)
class Part:
    """What one finding about several Services says of one of them."""

    service: ServiceKey | None
    """None where it is not known whose it is."""

    text: str
    evidence: tuple[Evidence, ...]


def gathered(
    lead: str, parts: Sequence[Part], remedy: str, severity: Severity | None = None
) -> Problem:
    """Make one problem of what is wrong with several Services for one reason; `parts` is not empty."""
    named = frozenset(part.service for part in parts if part.service is not None)
    told = _("; ").join(dict.fromkeys(part.text for part in parts[:_TOLD]))
    more = _("; and {count} more", count=len(parts) - _TOLD) if len(parts) > _TOLD else ""
    return Problem(
        message=_("{what}: {told}", what=lead, told=f"{told}{more}"),
        evidence=tuple(e for part in parts[:_SHOWN] for e in part.evidence),
        remedy=remedy,
        service=next(iter(named)) if len(named) == 1 else None,
        affects=named,
        severity=severity,
    )


_TOLD = 3
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """What a probe could not decide, and the file that would decide it."""

    reason: str
    missing: tuple[str, ...] = ()
    """Paths in the bundle."""

    command: str = ""
    """Command that produces the (first) file."""

    service: ServiceKey | None = None
    node: str | None = None
    pod: str | None = None


Outcome = Problem | Undecided
Probe = Callable[[Any], Iterator[Outcome]]


@dataclass(frozen=True, slots=True)
class Check:
    """A probe with all that the catalogue says about it."""

    slug: str
    station: Station
    severity: Severity
    needs: tuple[Input, ...]
    """Inputs without which the probe is not run: the check ends as not evaluated."""

    consequence_of: tuple[str, ...]
    """Slugs of checks whose finding on the same subject explains a finding of this one."""

    references: tuple[str, ...]
    advisory: bool
    """True where its station may pass without it: what it needs is seldom collected, or it only advises."""

    subject: str
    """Class name of what the probe is given: `ClusterView`, `NodeView` or `ServiceView`."""

    summary: str
    """First sentence of the probe's docstring."""

    documentation: str
    """The whole docstring, dedented: what `svcbundle explain` prints."""

    probe: Probe

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
        """Go to another process as the name that the file gives it."""
        return _defined, (self.probe.__module__, self.probe.__name__)


def _defined(module: str, name: str) -> Check:
    found = getattr(importlib.import_module(module), name)
    assert isinstance(found, Check)
    return found


def check(  # noqa: PLR0913 - each is one column of the catalogue
    *,
    station: Station,
    severity: Severity,
    needs: tuple[Input, ...] = (),
    consequence_of: tuple[str, ...] = (),
    references: tuple[str, ...] = (),
    advisory: bool = False,
) -> Callable[[Probe], Check]:
    """Make a probe a check; its slug is the function's name with dashes, its page the docstring.

    The annotation of the probe's only parameter says what it is called with, once each:
    `ClusterView` (the whole), `NodeView` (each Linux node) or `ServiceView` (each Service).
    Raises `TypeError` for a probe without docstring or annotation.
    """

    def decorate(probe: Probe) -> Check:
        documentation = inspect.getdoc(probe)
        parameters = list(inspect.signature(probe).parameters.values())
        subject = parameters[0].annotation if len(parameters) == 1 else None
        if not documentation or not isinstance(subject, str):
            raise TypeError(
                f"{probe.__name__}: a probe takes one annotated view and has a docstring"
            )
        return Check(
            slug=probe.__name__.replace("_", "-"),
            station=station,
            severity=severity,
            needs=needs,
            consequence_of=consequence_of,
            references=references,
            advisory=advisory,
            subject=subject.rpartition(".")[2],
            summary=documentation.split("\n\n")[0].replace("\n", " "),
            documentation=documentation,
            probe=probe,
        )

    return decorate


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


class Status(Enum):
    """Result of a station for one Service."""

    PASS = "pass"  # noqa: S105 - a result
    FAIL = "fail"
    WARN = "warn"
    NOT_EVALUATED = "not-evaluated"
    NOT_APPLICABLE = "not-applicable"


class Verdict(Enum):
    """What a client of the Service sees."""

    BROKEN = "broken"
    """No client gets an answer."""

    DEGRADED = "degraded"
    """Some do, or sometimes."""

    HEALTHY = "healthy"
    UNKNOWN = "unknown"


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
