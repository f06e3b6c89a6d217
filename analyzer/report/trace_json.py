"""Traces as JSON Lines: one object a query, as other tools build on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from json.encoder import encode_basestring_ascii
from typing import Any, NamedTuple

from analyzer.model.source import ObjectRef, SourceRef
from analyzer.simulate.branch import Step
from analyzer.simulate.names import Resolution
from analyzer.simulate.outcome import Answer, Backend, Case, Outcome

LineOf = Callable[[ObjectRef], int | None]
"""Tells the line of a place in an API dump; None where it is not known."""


class TraceEncoder:
    """Encodes answers; what they share, cases and steps, is encoded once."""

    def __init__(self, line_of: LineOf) -> None:
        self._line_of = line_of
        self._steps: dict[tuple[object, ...], str] = {}
        self._cases: dict[Case, _Encoded] = {}

    def line(self, answer: Answer) -> str:
        """Return one line of JSON in ASCII."""
        trace = answer.trace
        quoted = encode_basestring_ascii
        conclusive = "true" if trace.conclusive and trace.exact else "false"
        text = f'{{"from": {quoted(answer.source)}, "to": {quoted(answer.destination)}, '
        text += f'"protocol": {quoted(answer.protocol)}, "conclusive": {conclusive}'
        if trace.reason:
            text += f', "reason": {quoted(trace.reason)}'
        if answer.resolution is not None:
            text += f', "resolution": {json.dumps(_resolution(answer.resolution))}'
        if trace.case is None:
            outcomes = "".join(piece or "" for piece in self._outcomes(trace.outcomes, None))
        else:
            outcomes = self._encoded(trace.case).told_for(trace.client)
        return f'{text}, "outcomes": [{outcomes}]}}\n'

    def _encoded(self, case: Case) -> _Encoded:
        found = self._cases.get(case)
        if found is None:
            pieces = list(self._outcomes(case.trace.outcomes, case))
            clients = tuple(n for n, piece in enumerate(pieces) if piece is None)
            found = _Encoded(tuple(piece or "" for piece in pieces), clients)
            self._cases[case] = found
        return found

    def _outcomes(self, outcomes: tuple[Outcome, ...], case: Case | None) -> Iterator[str | None]:
        """Yield the text of outcomes in pieces; None stands for the address of the client of a case."""
        for position, outcome in enumerate(outcomes):
            yield ", " if position else ""
            yield f'{{"verdict": "{outcome.verdict.value}", "probability": {float(outcome.probability)!r}'
            if outcome.backend is not None:
                yield f', "backend": {json.dumps(_backend(outcome.backend))}'
            if outcome.source:
                own = case is not None and outcome.source == case.client
                yield ', "source": {"address": "'
                yield None if own else outcome.source
                yield '"}'
            more: dict[str, Any] = {}
            if outcome.reason:
                more["reason"] = outcome.reason
            if outcome.assumed:
                more["assumed"] = outcome.assumed
            yield f", {json.dumps(more)[1:-1]}" if more else ""
            yield ', "path": ['
            yield from self._path(outcome.path, case)
            yield "]}"

    def _path(self, path: tuple[Step, ...], case: Case | None) -> Iterator[str | None]:
        client = "" if case is None else case.client
        for position, step in enumerate(path):
            yield ", " if position else ""
            if case is not None and client and step.effect == case.back:
                before, after = self._step(step).rsplit(client, 1)
                yield from (before, None, after)
            else:
                yield self._step(step)

    def _step(self, step: Step) -> str:
        subject = step.subject if isinstance(step.subject, str) else id(step.subject)
        key = (step.host, step.leg, step.hook, step.table, step.chain, subject, step.effect)
        found = self._steps.get(key)
        if found is None:
            found = self._steps[key] = self._encoded_step(step)
        return found

    def _encoded_step(self, step: Step) -> str:
        place = step.source
        line = None
        if place is not None:
            line = place.line if isinstance(place, SourceRef) else self._line_of(place)
        return (
            f'{{"node": {encode_basestring_ascii(step.host)}, "packet": "{step.leg.value}", '
            f'"hook": {_or_null(step.hook.value if step.hook else "")}, '
            f'"table": {_or_null(step.table)}, "chain": {_or_null(step.chain)}, '
            f'"file": {_or_null("" if place is None else place.path)}, '
            f'"line": {"null" if line is None else line}, '
            f'"rule": {encode_basestring_ascii(step.text)}, '
            f'"effect": {encode_basestring_ascii(step.effect)}}}'
        )


def _or_null(text: str) -> str:
    return encode_basestring_ascii(text) if text else "null"


class _Encoded(NamedTuple):
    """The text of a case's outcomes, in pieces."""

    pieces: tuple[str, ...]
    clients: tuple[int, ...]
    """Which pieces are the client's address, and empty here."""

    def told_for(self, client: str) -> str:
        """Return the text for one client."""
        pieces = list(self.pieces)
        for position in self.clients:
            pieces[position] = client
        return "".join(pieces)


def _resolution(found: Resolution) -> dict[str, Any]:
    return {
        "queries": [
            {"name": q.name, "reply": q.reply.value, "values": list(q.values)}
            for q in found.queries
        ],
        "addresses": list(found.addresses),
        "service": str(found.service) if found.service else None,
    }


def _backend(backend: Backend) -> dict[str, Any]:
    return {
        "address": backend.address,
        "port": backend.port,
        "pod": backend.pod or None,
        "node": backend.node or None,
    }
