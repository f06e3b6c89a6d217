"""`svcbundle trace`: from what the user writes to where the connection ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from analyzer.bundle.reader import Bundle
from analyzer.errors import UsageError
from analyzer.findings import Quote
from analyzer.language import _
from analyzer.model.source import ObjectRef, Ref
from analyzer.quotation import quote
from analyzer.report.terminal import Terminal
from analyzer.report.trace_json import render_trace_json
from analyzer.report.trace_text import render_trace_text
from analyzer.simulate.outcome import Answer, Verdict, settled
from analyzer.snapshot import ClusterView
from analyzer.tracing.naming import traced
from analyzer.tracing.origin import origins
from analyzer.tracing.query import PROTOCOLS, TraceQuery, query_of
from analyzer.tracing.target import Nowhere, target_of

__all__ = ["TraceQuery", "all_delivered", "render_answers", "run_queries", "run_trace"]


def run_trace(cluster: ClusterView, query: TraceQuery) -> Answer:
    """Answer one query.

    Raises `UsageError` where source or destination are not written as they should be, or name a pod or
    node that the bundle does not have.
    """
    protocol = query.protocol.upper()
    if protocol and protocol not in PROTOCOLS:
        raise UsageError(
            _(
                "protocol {protocol}: expected {names}",
                protocol=query.protocol,
                names=", ".join(PROTOCOLS),
            )
        )
    target = target_of(cluster, query, protocol)
    if isinstance(target, Nowhere):
        origins(cluster, query.source, "")
        asked = protocol or "TCP"
        return Answer(query.source, query.destination, asked, target.trace, target.resolution)
    trace = traced(cluster, query.source, target.addresses, target.port, target.protocol)
    return Answer(query.source, query.destination, target.protocol, trace, target.resolution)


def run_queries(cluster: ClusterView, lines: Iterable[str]) -> Iterator[Answer]:
    """Answer JSON Lines `{"from": SRC, "to": DST, "protocol": "TCP"}`, one answer a line, in order.

    A line that is no query, or names what is not there, gets an inconclusive answer that says why.
    """
    for line in lines:
        if line.strip():
            query = query_of(line)
            try:
                yield run_trace(cluster, query)
            except UsageError as error:
                trace = settled(Verdict.INCONCLUSIVE, str(error))
                yield Answer(query.source, query.destination, query.protocol or "TCP", trace)


def render_answers(
    bundle: Bundle, answers: Iterable[Answer], terminal: Terminal | None
) -> Iterator[str]:
    """Yield each answer as text for a terminal, or as a line of JSON where there is none."""
    quotes: dict[Ref, Quote] = {}
    for answer in answers:
        steps = (step for outcome in answer.trace.outcomes for step in outcome.path)
        refs = {s.source for s in steps if isinstance(s.source, ObjectRef) and s.source.path}
        quotes |= quote(bundle, refs - quotes.keys())
        if terminal is None:
            yield render_trace_json(answer, quotes)
        else:
            yield render_trace_text(answer, quotes, terminal)


def all_delivered(answer: Answer) -> bool:
    """Tell whether every outcome is `delivered`: what exit status 0 stands for."""
    return all(outcome.verdict is Verdict.DELIVERED for outcome in answer.trace.outcomes)
