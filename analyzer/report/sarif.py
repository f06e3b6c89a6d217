"""A report as SARIF 2.1.0 (OASIS), for code scanning and other tools that collect results.

Checks are rules, findings are results, lines of the bundle are locations. What was not evaluated is a
notification: nothing that was not looked at counts as clean.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote as percent_encoded

from analyzer import __version__
from analyzer.check import Check
from analyzer.difference.identity import identities
from analyzer.findings import Finding, Quote, Report
from analyzer.language import _
from analyzer.model.severity import Severity
from analyzer.problems import Evidence
from analyzer.report.json_text import json_text
from analyzer.report.view_gaps import Gap, gaps_of
from analyzer.report.visible import visible
from analyzer.report.wording import sentence

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_BASE = "BUNDLE"
"""Name of the place that all paths are relative to."""

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_CONSEQUENCES = 20
"""Consequences beyond this number are not listed at their cause; each names its cause itself."""

_PLACEHOLDER = re.compile(r"\{(\d+)\}")
_LINK = re.compile(r"\[([^\]]*)\](?=\()")


def render_sarif(report: Report) -> str:
    """Return the report as one SARIF run; the same report gives the same bytes."""
    return json_text({"$schema": _SCHEMA, "version": "2.1.0", "runs": [_Run(report).document()]})


class _Run:
    """One report on its way into a SARIF run."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._checks = _checks(report)
        self._rules = {check.slug: index for index, check in enumerate(self._checks)}
        self._identities = identities(report.findings)
        self._by_id = {finding.id: finding for finding in report.findings}

    def document(self) -> dict[str, Any]:
        identity = self._report.identity
        paths = {q.path: None for f in self._report.findings for q in self._quotes(f)}
        return {
            "tool": {
                "driver": {
                    "name": "svcbundle",
                    "version": __version__,
                    "semanticVersion": __version__,
                    "rules": [_rule(check) for check in self._checks],
                }
            },
            "automationDetails": {"id": f"svcbundle/{visible(identity.cluster)}/"},
            "invocations": [
                {
                    "executionSuccessful": True,
                    "toolExecutionNotifications": [
                        self._notification(gap) for gap in gaps_of(self._report.not_evaluated)
                    ],
                }
            ],
            "originalUriBaseIds": {
                _BASE: {
                    "description": _text(_("the root of the bundle {path}", path=identity.path))
                }
            },
            "artifacts": [{"location": _artifact(path)} for path in sorted(paths)],
            "columnKind": "unicodeCodePoints",
            "results": [self._result(finding) for finding in self._report.findings],
            "properties": {
                "bundle": visible(identity.path),
                "cluster": visible(identity.cluster),
                "kubernetes": visible(self._report.kubernetes),
            },
        }

    def _result(self, finding: Finding) -> dict[str, Any]:
        problem = finding.problem
        first, *others = problem.evidence
        identity = str(self._identities[finding.id])
        return {
            "ruleId": finding.check.slug,
            "ruleIndex": self._rules[finding.check.slug],
            "level": _LEVELS[finding.severity],
            "message": _text(f"{sentence(problem.message)}\n{problem.remedy}"),
            "locations": [self._location(first) | _subjects(finding)],
            "relatedLocations": [
                {"id": number, **location}
                for number, location in enumerate(self._related(finding, others), start=1)
            ],
            # GitHub recognises an alert by the second one only.
            "partialFingerprints": {"svcbundle/v1": identity, "primaryLocationLineHash": identity},
            "properties": {
                "id": finding.id,
                "causedBy": finding.caused_by,
                "remedy": visible(problem.remedy),
                "tags": [finding.check.station.value],
            },
        }

    def _related(self, finding: Finding, evidence: Iterable[Evidence]) -> Iterator[dict[str, Any]]:
        for piece in evidence:
            yield self._location(piece)
        cause = self._by_id.get(finding.caused_by or "")
        if cause is not None:
            yield self._mention(cause, _("caused by: {message}", message=cause.problem.message))
        for other in self._report.consequences(finding)[:_CONSEQUENCES]:
            yield self._mention(other, _("explains: {message}", message=other.problem.message))

    def _mention(self, finding: Finding, words: str) -> dict[str, Any]:
        return self._location(finding.problem.evidence[0]) | {"message": _text(words)}

    def _location(self, evidence: Evidence) -> dict[str, Any]:
        quote = self._report.quote(evidence)
        note = {"message": _text(evidence.note)} if evidence.note else {}
        region = {"startLine": quote.line, "snippet": _text(quote.text)}
        place = {"artifactLocation": _artifact(quote.path), "region": region}
        return note | {"physicalLocation": place | _context(quote)}

    def _quotes(self, finding: Finding) -> Iterator[Quote]:
        return (self._report.quote(evidence) for evidence in finding.problem.evidence)

    def _notification(self, gap: Gap) -> dict[str, Any]:
        told = [
            _("not evaluated: {reason}", reason="; ".join(gap.reasons)),
            _("the command that would tell: {command}", command=gap.command) if gap.command else "",
        ]
        of_one = {"associatedRule": self._reference(gap.checks[0])} if len(gap.checks) == 1 else {}
        return {
            "descriptor": {"id": "not-evaluated"},
            "level": "note",
            "message": _text("; ".join(filter(None, told))),
            **of_one,
            "properties": {
                "checks": gap.checks,
                "subjects": [visible(subject) for subject in gap.subjects],
                "missing": visible(gap.path),
            },
        }

    def _reference(self, slug: str) -> dict[str, Any]:
        return {"id": slug, "index": self._rules[slug]}


def _checks(report: Report) -> Sequence[Check]:
    """Return the checks that ran, and those that are spoken of, in the catalogue's order."""
    found = {tally.check.slug: tally.check for tally in report.tallies}
    spoken_of = [f.check for f in report.findings] + [n.check for n in report.not_evaluated]
    for check in spoken_of:
        found.setdefault(check.slug, check)
    return tuple(found.values())


def _rule(check: Check) -> dict[str, Any]:
    links = [url for url in check.references if url.startswith("https://")]
    return {
        "id": check.slug,
        "name": check.slug.title().replace("-", ""),
        "shortDescription": _text(_(check.summary)),
        "fullDescription": _text(_(check.summary)),
        "help": {"text": _(check.documentation), "markdown": _(check.documentation)},
        **({"helpUri": links[0]} if links else {}),
        "defaultConfiguration": {"level": _LEVELS[check.severity]},
        "properties": {"tags": ["kubernetes", "service", check.station.value]},
    }


def _subjects(finding: Finding) -> dict[str, Any]:
    problem = finding.problem
    named = {
        "service": str(problem.service or ""),
        "node": problem.node or "",
        "pod": problem.pod or "",
    }
    logical = [
        {
            "name": visible(name.rpartition("/")[2]),
            "fullyQualifiedName": visible(name),
            "kind": kind,
        }
        for kind, name in named.items()
        if name
    ]
    return {"logicalLocations": logical} if logical else {}


def _context(quote: Quote) -> dict[str, Any]:
    before = quote.before[: quote.line - 1]
    if not before and not quote.after:
        return {}
    lines = (*before, quote.text, *quote.after)
    first = quote.line - len(before)
    return {
        "contextRegion": {
            "startLine": first,
            "endLine": first + len(lines) - 1,
            "snippet": {"text": "\n".join(map(visible, lines))},
        }
    }


def _artifact(path: str) -> dict[str, str]:
    encoded = percent_encoded(path.encode("utf-8", "surrogatepass"), safe="/")
    return {"uri": encoded, "uriBaseId": _BASE}


def _text(text: str) -> dict[str, str]:
    """Return a message whose every line is visible, with nothing that a consumer would take for a link or a hole."""
    shown = "\n".join(map(visible, text.split("\n")))
    plain = _PLACEHOLDER.sub(r"{{\1}}", shown)
    return {"text": _LINK.sub(r"\\[\1\\]", plain)}
