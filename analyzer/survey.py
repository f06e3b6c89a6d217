"""The nodes of a bundle, each examined for itself: in this process, in others, or on other machines.

What a worker is given names the bundle and the node, so that any `concurrent.futures.Executor` can carry it. It
sends back what the checks said of the node and a summary of its rules. The rules stay where they were read, and are
given up before the next node: memory does not grow with the nodes. A check that asks about the rules of other nodes
is left to the process that has the summaries of all.

A forked worker has what was read before. Of many nodes the workers have Services and pods from there; the worker of a
single node reads its rules and the Services while this process reads the pods, and is then told of them what the
checks of nodes ask.
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
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Family
from analyzer.node_reports import node_report
from analyzer.snapshot import ClusterView, NodeRecord, NodeSummary, NodeView, PodsLent


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
        futures = _submitted(executor, run, cluster, [node.name for node in nodes])
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


def _submitted(
    executor: Executor, run: Run, cluster: ClusterView, names: Sequence[str]
) -> set[Future[Survey]]:
    """Give each node to a worker. All have the Services and pods that are read before; a single one begins at once."""
    futures: set[Future[Survey]] = set()
    with suppress(BrokenExecutor):
        if len(names) == 1:
            executor.submit(read_rules, run, names[0])
            pods = cluster.lend_pods()
            futures.add(executor.submit(survey_node, run, names[0], pods))
        else:
            cluster.read_services()
            cluster.lend_pods()
            futures.update(executor.submit(survey_node, run, name) for name in names)
    return futures


def _arrived(futures: set[Future[Survey]]) -> Iterator[Survey]:
    """Yield what came, and let go of it."""
    while futures:
        done, _ = wait(futures, return_when=FIRST_COMPLETED)
        futures -= done
        while done:
            # A broken executor ran out of memory, most likely: this process examines the node itself.
            with suppress(BrokenExecutor):
                yield done.pop().result()


def read_rules(run: Run, name: str) -> None:
    """Read a node's rules and what they are held against, before it is examined; what a worker does."""
    with speaking(run.language):
        cluster = _cluster_of(run)
        node = cluster.nodes[name]
        node.document(Input.NFT_RULESET)
        for family in Family:
            node.chain_graph(family)
        cluster.read_services()


def survey_node(run: Run, name: str, pods: PodsLent | None = None) -> Survey:
    """Examine one node; what a worker does. It reads the pods if it is not told of them and has not yet."""
    with speaking(run.language):
        cluster = _cluster_of(run)
        if pods is not None:
            cluster.borrow_pods(pods)
        return _survey(run, cluster, cluster.nodes[name])


def _cluster_of(run: Run) -> ClusterView:
    """Return the views of a run, which a forked process has already."""
    if run.identity not in _clusters:
        _clusters.clear()
        cluster = _clusters[run.identity] = load(open_bundle(run.origin.paths, run.origin.limits))
        cluster.asked_services = run.services
    return _clusters[run.identity]


def _survey(run: Run, cluster: ClusterView, node: NodeView) -> Survey:
    name = node.name
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
