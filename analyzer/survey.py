"""The nodes of a bundle, each examined for itself: in this process, in others, or on other machines.

What a worker is given names the bundle and the node, so that any `concurrent.futures.Executor` can carry it. It
sends back what the checks said of the node and a summary of its rules. The rules stay where they were read, and are
given up before the next node: memory does not grow with the nodes. A check that asks about the rules of other nodes
is left to the process that has the summaries of all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import uuid4

from analyzer.bundle.reader import Bundle, Origin, open_bundle
from analyzer.check import Check
from analyzer.examination import Result, Results, examine_in_part
from analyzer.findings import NodeReport
from analyzer.language import speaking, spoken
from analyzer.load import load
from analyzer.model.forwarding import ServiceKey
from analyzer.node_reports import node_report
from analyzer.snapshot import ClusterView, NodeRecord, NodeSummary, NodeView


@dataclass(frozen=True, slots=True)
class Run:
    """One analysis of a bundle, as every worker needs to know it."""

    identity: str
    """Differs from that of any other run: a bundle of the same name may hold something else by then."""

    origin: Origin
    services: tuple[ServiceKey, ...]
    """The Services that the user asked about; empty for all."""

    checks: tuple[Check, ...]
    language: str


@dataclass(frozen=True, slots=True)
class Survey:
    """What a worker found out about a node."""

    node: str
    results: Mapping[tuple[str, str], Result]
    """Of the checks that need not know of other nodes' rules."""

    summary: NodeSummary
    record: NodeRecord
    report: NodeReport


@dataclass(frozen=True, slots=True)
class Surveys:
    """What all workers found out."""

    results: Results = field(default_factory=dict)
    reports: Mapping[str, NodeReport] = field(default_factory=dict)
    """By the name of the node."""


_clusters: dict[str, ClusterView] = {}
"""The views of the one run that this process works for, by its identity; a forked process has its parent's."""


def survey_nodes(
    bundle: Bundle,
    cluster: ClusterView,
    nodes: Sequence[NodeView],
    checks: Sequence[Check],
    executor: Executor,
) -> Surveys:
    """Have each node examined; meanwhile, run the checks that need no node's rules.

    The nodes' views have the summaries then. A node whose worker died is left out.
    """
    run = Run(uuid4().hex, bundle.origin, cluster.asked_services, tuple(checks), spoken())
    _clusters[run.identity] = cluster
    results: dict[tuple[str, str], Result] = {}
    reports: dict[str, NodeReport] = {}
    try:
        cluster.read_objects()
        futures = {executor.submit(survey_node, run, node.name) for node in nodes}
        cluster.source.limit_to(())
        results.update(examine_in_part(cluster, checks, ()))
        known: dict[object, object] = {}
        for found in _arrived(futures):
            cluster.source.adopt(found.node, found.record)
            cluster.nodes[found.node].adopt(found.summary.sharing(known))
            results.update(found.results)
            reports[found.node] = found.report
    finally:
        cluster.source.limit_to(None)
        del _clusters[run.identity]
    return Surveys(results, reports)


def _arrived(futures: set[Future[Survey]]) -> Iterator[Survey]:
    """Yield what came, and let go of it."""
    while futures:
        done, _ = wait(futures, return_when=FIRST_COMPLETED)
        futures -= done
        while done:
            # A broken executor ran out of memory, most likely: this process examines the node itself.
            with suppress(BrokenExecutor):
                yield done.pop().result()


def survey_node(run: Run, name: str) -> Survey:
    """Examine one node; what a worker does."""
    if run.identity in _clusters:
        return _survey(run, name)
    with speaking(run.language):
        _clusters.clear()
        cluster = _clusters[run.identity] = load(open_bundle(run.origin.paths, run.origin.limits))
        cluster.asked_services = run.services
        return _survey(run, name)


def _survey(run: Run, name: str) -> Survey:
    cluster = _clusters[run.identity]
    node = cluster.nodes[name]
    cluster.source.limit_to((name,))
    found = Survey(
        node=name,
        results={} if node.windows else examine_in_part(cluster, run.checks, (node,)),
        summary=node.summary(),
        record=cluster.source.record(name),
        report=node_report(node),
    )
    node.forget()
    cluster.source.forget(name)
    return found
