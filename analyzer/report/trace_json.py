"""Traces as JSON Lines: one object a query, as other tools build on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from analyzer.findings import Quote
from analyzer.model.source import Ref, SourceRef
from analyzer.simulate.branch import Step
from analyzer.simulate.names import Resolution
from analyzer.simulate.outcome import Answer, Backend, Outcome


def render_trace_json(answer: Answer, quotes: Mapping[Ref, Quote]) -> str:
    """Return one line of JSON in ASCII.

    `quotes`: the lines behind references into API dumps; others have their line number themselves.
    """
    trace = answer.trace
    document: dict[str, Any] = {
        "from": answer.source,
        "to": answer.destination,
        "protocol": answer.protocol,
        "conclusive": trace.conclusive and trace.exact,
    }
    if trace.reason:
        document["reason"] = trace.reason
    if answer.resolution is not None:
        document["resolution"] = _resolution(answer.resolution)
    document["outcomes"] = [_outcome(outcome, quotes) for outcome in trace.outcomes]
    return json.dumps(document) + "\n"


def _resolution(found: Resolution) -> dict[str, Any]:
    return {
        "queries": [
            {"name": q.name, "reply": q.reply.value, "values": list(q.values)}
            for q in found.queries
        ],
        "addresses": list(found.addresses),
        "service": str(found.service) if found.service else None,
    }


def _outcome(outcome: Outcome, quotes: Mapping[Ref, Quote]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "verdict": outcome.verdict.value,
        "probability": float(outcome.probability),
    }
    if outcome.backend is not None:
        found["backend"] = _backend(outcome.backend)
    if outcome.source:
        found["source"] = {"address": outcome.source}
    if outcome.reason:
        found["reason"] = outcome.reason
    if outcome.assumed:
        found["assumed"] = list(outcome.assumed)
    found["path"] = [_step(step, quotes) for step in outcome.path]
    return found


def _backend(backend: Backend) -> dict[str, Any]:
    return {
        "address": backend.address,
        "port": backend.port,
        "pod": backend.pod or None,
        "node": backend.node or None,
    }


def _step(step: Step, quotes: Mapping[Ref, Quote]) -> dict[str, Any]:
    place = step.source
    file, line = (None, None) if place is None else (place.path or None, None)
    if isinstance(place, SourceRef):
        line = place.line
    elif place is not None and place in quotes:
        line = quotes[place].line
    return {
        "node": step.host,
        "packet": step.leg.value,
        "hook": step.hook.value if step.hook else None,
        "table": step.table or None,
        "chain": step.chain or None,
        "file": file,
        "line": line,
        "rule": step.text,
        "effect": step.effect,
    }
