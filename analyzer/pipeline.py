"""The whole program on one screen: a bundle in, a report out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from analyzer.bundle.reader import Bundle
from analyzer.bundle_files import bundle_files
from analyzer.check import Check
from analyzer.checks import catalogue
from analyzer.diagnosis import diagnose
from analyzer.errors import UsageError
from analyzer.examination import Defect, examine
from analyzer.findings import Report
from analyzer.language import _
from analyzer.load import load
from analyzer.model.forwarding import ServiceKey
from analyzer.node_reports import node_report
from analyzer.quotation import quote
from analyzer.service_paths import service_paths, worth_a_picture
from analyzer.snapshot import ClusterView, NodeView
from analyzer.survey import Surveys, survey_nodes


@dataclass(frozen=True, slots=True)
class Question:
    """What the user asked about."""

    services: tuple[ServiceKey, ...] = ()
    """Only these Services; empty for all."""

    nodes: tuple[str, ...] = ()
    """Only these nodes; empty for all."""

    select: frozenset[str] = frozenset()
    """Only these checks; empty for all."""

    ignore: frozenset[str] = frozenset()
    """Not these checks."""

    paths: bool = False
    """Whether the paths of Services are wanted, which only a picture shows."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """A report, and where svcbundle itself failed."""

    report: Report
    defects: tuple[Defect, ...]


def analyse(
    bundle: Bundle,
    question: Question,
    notify: Callable[[str], None],
    executor: Executor | None = None,
) -> Analysis:
    """Examine a bundle and diagnose its Services; `notify` is told what is being done.

    With an `executor`, the nodes are examined by its workers, and their rules not kept. Raises `UsageError` for a
    node that the bundle does not have.
    """
    return analyse_cluster(bundle, load(bundle), question, notify, executor)


def analyse_cluster(
    bundle: Bundle,
    cluster: ClusterView,
    question: Question,
    notify: Callable[[str], None],
    executor: Executor | None = None,
) -> Analysis:
    """Examine and diagnose a cluster that was loaded from a bundle, as `analyse` does."""
    cluster.asked_services = question.services
    nodes = nodes_named(cluster, question.nodes) if question.nodes else [*cluster.nodes.values()]
    checks = _chosen(question)
    surveys = survey_nodes(bundle, cluster, nodes, checks, executor) if executor else Surveys()
    examination = examine(cluster, checks, nodes, notify, surveys.results)
    diagnosis = diagnose(cluster, examination)
    evidence = (e.source for f in diagnosis.findings for e in f.problem.evidence)
    report = Report(
        identity=cluster.identity,
        kubernetes=cluster.kubernetes,
        nodes=tuple(surveys.reports.get(node.name) or node_report(node) for node in nodes),
        services=diagnosis.services,
        findings=diagnosis.findings,
        not_evaluated=examination.not_evaluated,
        tallies=examination.tallies,
        quotes=quote(bundle, evidence),
        paths=service_paths(cluster, worth_a_picture(diagnosis.services), nodes)
        if question.paths
        else (),
        files=bundle_files(bundle),
    )
    return Analysis(report, examination.defects)


def nodes_named(cluster: ClusterView, names: Sequence[str]) -> list[NodeView]:
    """Return the nodes in the bundle's order. Raises `UsageError` for one that it does not have."""
    unknown = [name for name in names if name not in cluster.nodes]
    if unknown:
        known = ", ".join(cluster.nodes) or "none"
        raise UsageError(
            _(
                "the bundle has no node {names}; it has {known}",
                names=", ".join(unknown),
                known=known,
            )
        )
    return [node for name, node in cluster.nodes.items() if name in names]


def _chosen(question: Question) -> Sequence[Check]:
    return [
        check
        for check in catalogue()
        if check.slug not in question.ignore
        and (not question.select or check.slug in question.select)
    ]
