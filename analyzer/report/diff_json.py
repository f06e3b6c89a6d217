"""A difference as JSON, `svcbundle/diff/v1`."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from analyzer.difference.change import (
    EndpointChange,
    FieldChange,
    FindingChange,
    FindingState,
    ForwardingChange,
    Place,
    Published,
    PublishedPair,
    ServiceChange,
)
from analyzer.difference.report import DiffReport, DiffSide
from analyzer.model.source import Ref
from analyzer.model.verdict import Verdict
from analyzer.report.json import rfc3339
from analyzer.report.json_text import json_text

SCHEMA = "svcbundle/diff/v1"


def render_diff_json(diff: DiffReport) -> str:
    """Return the difference as JSON text in ASCII, valid against `diff.schema.json`."""
    found = diff.difference
    document = {
        "schema": SCHEMA,
        "of": "nodes" if diff.of_nodes else "bundles",
        "old": _side(diff, diff.old),
        "new": _side(diff, diff.new),
        "different": found.different,
        "nodes": [
            {"name": n.name, "change": n.presence.value, "fields": _fields(n.fields)}
            for n in found.nodes
        ],
        "services": [_service(change) for change in found.services],
        "endpoints": [_endpoints(change) for change in found.endpoints],
        "forwarding": [_forwarding(diff, change) for change in found.forwarding],
        "findings": [_finding(diff, change) for change in found.findings],
        "notCompared": [
            {
                "subject": blind.subject,
                "lacking": blind.lack.value,
                "reason": blind.reason,
                "command": blind.command,
            }
            for blind in found.blind
        ],
        "summary": _summary(diff),
    }
    return json_text(document)


def diff_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the document."""
    text = resources.files(__package__).joinpath("diff.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def _side(diff: DiffReport, side: DiffSide) -> dict[str, Any]:
    identity = side.report.identity
    return {
        "path": identity.path,
        "node": side.name if diff.of_nodes else None,
        "cluster": identity.cluster,
        "createdAt": rfc3339(identity.created_at) if identity.created_at else None,
        "kubernetes": side.report.kubernetes,
    }


def _fields(fields: tuple[FieldChange, ...]) -> list[dict[str, str]]:
    return [{"field": f.field, "old": f.old, "new": f.new} for f in fields]


def _service(change: ServiceChange) -> dict[str, Any]:
    return {
        "service": str(change.service),
        "change": change.presence.value,
        "fields": _fields(change.fields),
        "oldVerdict": _verdict(change.old_verdict),
        "newVerdict": _verdict(change.new_verdict),
    }


def _verdict(verdict: Verdict | None) -> str | None:
    return verdict.value if verdict else None


def _endpoints(change: EndpointChange) -> dict[str, Any]:
    return {
        "service": str(change.service),
        "ready": {"old": change.old_ready, "new": change.new_ready},
        "added": [_published(p) for p in change.added],
        "removed": [_published(p) for p in change.removed],
        "changed": [_pair(p) for p in change.changed],
        "replaced": [_pair(p) for p in change.replaced],
    }


def _pair(pair: PublishedPair) -> dict[str, Any]:
    return {"old": _published(pair.old), "new": _published(pair.new)}


def _published(item: Published) -> dict[str, Any]:
    return {
        "address": item.address,
        "ports": item.ports,
        "state": item.state,
        "node": item.node or None,
        "pod": item.pod or None,
    }


def _forwarding(diff: DiffReport, change: ForwardingChange) -> dict[str, Any]:
    name, frontend = change.service_port, change.frontend
    return {
        "service": str(name.service) if name else None,
        "port": name.port if name else None,
        "frontend": {
            "kind": frontend.kind.value,
            "address": frontend.address or None,
            "port": frontend.port,
            "protocol": frontend.protocol.value,
        },
        "clients": change.clients.value,
        "change": change.presence.value,
        "fields": _fields(change.fields),
        "gained": [str(endpoint) for endpoint in change.gained],
        "lost": [str(endpoint) for endpoint in change.lost],
        "observed": [_place(diff, place) for place in change.observed],
        "expected": [_place(diff, place) for place in change.expected],
    }


def _place(diff: DiffReport, place: Place) -> dict[str, Any]:
    return {
        "node": place.node,
        "old": _rule(diff.old, place.old_source, place.old_chain),
        "new": _rule(diff.new, place.new_source, place.new_chain),
    }


def _rule(side: DiffSide, source: Ref | None, chain: str) -> dict[str, Any] | None:
    if source is None:
        return None
    quote = side.quotes[source]
    return {"file": quote.path, "line": quote.line, "chain": chain or None}


def _finding(diff: DiffReport, change: FindingChange) -> dict[str, Any]:
    finding, report = (change.new, diff.new.report) if change.new else (change.old, diff.old.report)
    assert finding is not None
    problem = finding.problem
    quote = report.quote(problem.evidence[0])
    return {
        "state": change.state.value,
        "check": finding.check.slug,
        "severity": finding.severity.value,
        "service": str(problem.service) if problem.service else None,
        "port": problem.port,
        "node": problem.node,
        "pod": problem.pod,
        "fingerprint": str(change.identity),
        "message": problem.message,
        "file": quote.path,
        "line": quote.line,
        "old": change.old.id if change.old else None,
        "new": change.new.id if change.new else None,
        "causedBy": finding.caused_by,
        "reason": change.reason or None,
    }


def _summary(diff: DiffReport) -> dict[str, Any]:
    found = diff.difference
    states = [change.state for change in found.findings]
    return {
        "nodes": len(found.nodes),
        "services": len(found.services),
        "endpoints": len(found.endpoints),
        "forwarding": len(found.forwarding),
        "findings": {state.value: states.count(state) for state in FindingState},
        "notCompared": len(found.blind),
    }
