"""A report as JSON, `svcbundle/report/v1`: what scripts, tickets and other tools build on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib import resources
from itertools import groupby
from typing import Any

from analyzer.findings import (
    CheckTally,
    Finding,
    NodeReport,
    NotEvaluated,
    Report,
    ServiceReport,
    StationResult,
)
from analyzer.model.kubernetes import Service, ServicePort
from analyzer.model.severity import Severity
from analyzer.model.verdict import Verdict
from analyzer.report.json_text import json_text

SCHEMA = "svcbundle/report/v1"


def render_json(report: Report) -> str:
    """Return the report as JSON text in ASCII, valid against `report.schema.json`."""
    document = {
        "schema": SCHEMA,
        "bundle": _bundle(report),
        "nodes": [_node(node) for node in report.nodes],
        "services": [*_services(report.services)],
        "findings": [_finding(report, finding) for finding in report.findings],
        "notEvaluated": [_not_evaluated(item) for item in report.not_evaluated],
        "checks": [_tally(tally) for tally in report.tallies],
        "summary": _summary(report),
    }
    return json_text(document)


def report_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the report."""
    text = resources.files(__package__).joinpath("report.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def _bundle(report: Report) -> dict[str, Any]:
    identity = report.identity
    return {
        "path": identity.path,
        "cluster": identity.cluster,
        "createdAt": rfc3339(identity.created_at) if identity.created_at else None,
        "kubernetes": report.kubernetes,
        "nodes": len(report.nodes),
        "services": len(report.services),
        "redacted": identity.redacted,
        "verified": identity.verified,
    }


def rfc3339(moment: datetime) -> str:
    """RFC 3339 in UTC; a moment without zone is taken as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _node(node: NodeReport) -> dict[str, Any]:
    return {
        "name": node.name,
        "proxyMode": node.kube_proxy.mode.value,
        "kubeProxy": str(node.kube_proxy.version),
        "backend": node.backend.value if node.backend else None,
        "rules": node.rules,
    }


def _services(diagnoses: Iterable[ServiceReport]) -> Iterator[dict[str, Any]]:
    """Yield each Service; those in a row whose stations are equal, as nearly all are, share them."""
    for results, alike in groupby(diagnoses, key=lambda diagnosis: diagnosis.stations):
        stations = [_station(result) for result in results]
        for diagnosis in alike:
            yield _service(diagnosis, stations)


def _service(diagnosis: ServiceReport, stations: list[dict[str, Any]]) -> dict[str, Any]:
    service = diagnosis.service
    return {
        "namespace": service.namespace,
        "name": service.name,
        "type": service.spec.type,
        "verdict": diagnosis.verdict.value,
        "ports": [_port(service, port) for port in service.ports],
        "stations": stations,
        "cause": diagnosis.cause,
    }


def _port(service: Service, port: ServicePort) -> dict[str, Any]:
    return {
        "name": port.name,
        "port": port.port,
        "protocol": port.protocol,
        "clusterIPs": service.cluster_ips,
        "nodePort": port.node_port or None,
    }


def _station(result: StationResult) -> dict[str, Any]:
    station = {
        "station": result.station.value,
        "status": result.status.value,
        "findings": result.findings,
    }
    return {**station, "reason": result.reason} if result.reason else station


def _finding(report: Report, finding: Finding) -> dict[str, Any]:
    problem = finding.problem
    return {
        "id": finding.id,
        "check": finding.check.slug,
        "severity": finding.severity.value,
        "station": finding.check.station.value,
        "service": str(problem.service) if problem.service else None,
        "port": problem.port,
        "node": problem.node,
        "pod": problem.pod,
        "affects": [str(service) for service in sorted(problem.affects)],
        "message": problem.message,
        "evidence": [
            {"file": quote.path, "line": quote.line, "text": quote.text, "note": evidence.note}
            for evidence in problem.evidence
            for quote in [report.quote(evidence)]
        ],
        "remedy": problem.remedy,
        "verified": None,
        "causedBy": finding.caused_by,
        "references": finding.check.references,
    }


def _not_evaluated(item: NotEvaluated) -> dict[str, Any]:
    return {
        "check": item.check.slug,
        "subject": item.subject,
        "reason": item.reason,
        "missing": item.missing,
        "command": item.command,
    }


def _tally(tally: CheckTally) -> dict[str, Any]:
    return {
        "check": tally.check.slug,
        "station": tally.check.station.value,
        "severity": tally.check.severity.value,
        "passed": tally.passed,
        "findings": tally.findings,
        "notEvaluated": tally.not_evaluated,
    }


def _summary(report: Report) -> dict[str, Any]:
    verdicts = [service.verdict for service in report.services]
    return {
        **{severity.value: report.count(severity) for severity in Severity},
        "notEvaluated": len(report.not_evaluated),
        "services": {verdict.value: verdicts.count(verdict) for verdict in Verdict},
    }
