"""`svcbundle trace`: from what the user writes to where the connection ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from analyzer.bundle.reader import Bundle
from analyzer.errors import UsageError
from analyzer.findings import Quote
from analyzer.language import _
from analyzer.model.source import ObjectRef, Ref
from analyzer.parse.locate import Locator
from analyzer.quotation import quote
from analyzer.report.terminal import Terminal
from analyzer.report.trace_json import TraceEncoder
from analyzer.report.trace_text import render_trace_text
from analyzer.simulate.outcome import Answer, Verdict, settled
from analyzer.snapshot import ClusterView
from analyzer.tracing.naming import traced
from analyzer.tracing.origin import origins
from analyzer.tracing.query import PROTOCOLS, TraceQuery, query_of
from analyzer.tracing.target import Nowhere, target_of

__all__ = ["Renderer", "TraceQuery", "all_delivered", "run_queries", "run_trace"]


def run_trace(cluster: ClusterView, query: TraceQuery) -> Answer:
    """Answer one query.

    Raises `UsageError` where source or destination are not written as they should be, or name a pod or
    node that the bundle does not have.
    """
    if query.problem:
        raise UsageError(query.problem)
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


class Renderer:
    """Writes answers as text for a terminal, or as lines of JSON where there is none."""

    def __init__(self, bundle: Bundle, terminal: Terminal | None) -> None:
        self._bundle = bundle
        self._terminal = terminal
        self._quotes: dict[Ref, Quote] = {}
        self._locators: dict[str, Locator] = {}
        self._encoder = TraceEncoder(self._line_of)

    def render(self, answer: Answer) -> str:
        """Return an answer with a line feed at its end."""
        if self._terminal is None:
            return self._encoder.line(answer)
        steps = (step for outcome in answer.trace.outcomes for step in outcome.path)
        refs = {s.source for s in steps if isinstance(s.source, ObjectRef) and s.source.path}
        self._quotes |= quote(self._bundle, refs - self._quotes.keys())
        return render_trace_text(answer, self._quotes, self._terminal)

    def _line_of(self, place: ObjectRef) -> int | None:
        if place.path not in self._bundle.members:
            return None
        if place.path not in self._locators:
            self._locators[place.path] = Locator(place.path, self._bundle.read(place.path))
        return self._locators[place.path].locate(place).line


def all_delivered(answer: Answer) -> bool:
    """Tell whether every outcome is `delivered`: what exit status 0 stands for."""
    return all(outcome.verdict is Verdict.DELIVERED for outcome in answer.trace.outcomes)
