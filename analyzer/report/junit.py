"""A report as JUnit XML, for CI: a Service is a suite, each of its stations a test case.

A station that fails is a failure, one that was not evaluated is skipped: neither counts as passed. The form is
that of Jenkins' xUnit plugin (junit-10.xsd), which GitLab and others read as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from xml.etree import ElementTree as ET

from analyzer.findings import Finding, Report, ServiceReport, StationResult
from analyzer.language import _
from analyzer.model.severity import Severity
from analyzer.model.station import Station, Status
from analyzer.report.view_findings import Shown
from analyzer.report.view_gaps import Gap, gaps_of
from analyzer.report.visible import visible

_SKIPPED = frozenset({Status.NOT_EVALUATED, Status.NOT_APPLICABLE})


def render_junit(report: Report) -> str:
    """Return the report as JUnit XML; the same report gives the same bytes."""
    root = ET.Element("testsuites", name="svcbundle")
    shown = {finding.id: Shown(finding, report) for finding in report.findings}
    for service in report.services:
        root.append(_suite(str(service.service.key), _of_service(service, shown), report))
    others = (*_of_no_service(report, shown), *map(_gap, gaps_of(report.not_evaluated)))
    if others:
        root.append(_suite(_("nodes, cluster and bundle"), others, report))
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, 0)) for suite in root)))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(name: str, cases: Sequence[ET.Element], report: Report) -> ET.Element:
    created = report.identity.created_at
    suite = ET.Element("testsuite", name=visible(name), package="svcbundle", time="0")
    if created is not None:
        moment = created.astimezone(UTC) if created.tzinfo else created
        suite.set("timestamp", f"{moment:%Y-%m-%dT%H:%M:%S}")
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    suite.set("errors", "0")
    suite.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    suite.extend(cases)
    return suite


# --- the stations of a Service ---


def _of_service(service: ServiceReport, shown: Mapping[str, Shown]) -> tuple[ET.Element, ...]:
    key = service.service.key
    return tuple(
        _station(f"{key.namespace}.{key.name}", result, shown) for result in service.stations
    )


def _station(place: str, result: StationResult, shown: Mapping[str, Shown]) -> ET.Element:
    case = _case(place, result.station.value)
    found = [shown[id_] for id_ in result.findings if id_ in shown]
    if result.status is Status.FAIL:
        case.append(_failure(found))
    elif result.status in _SKIPPED:
        reason = {
            Status.NOT_EVALUATED: _("not evaluated: {reason}", reason=result.reason),
            Status.NOT_APPLICABLE: _("not applicable: {reason}", reason=result.reason),
        }[result.status]
        ET.SubElement(case, "skipped", message=visible(reason.removesuffix(": ")))
    elif found:
        _element(case, "system-out", _told(found))
    return case


# --- what belongs to no station of a Service ---


def _of_no_service(report: Report, shown: Mapping[str, Shown]) -> Iterator[ET.Element]:
    told = {i for s in report.services for result in s.stations for i in result.findings}
    for finding in report.findings:
        if finding.id not in told:
            yield _single(finding, shown[finding.id])


def _single(finding: Finding, shown: Shown) -> ET.Element:
    station = finding.check.station
    case = _case("bundle" if station is Station.BUNDLE else "cluster", finding.check.slug)
    case.set("name", visible(f"{finding.check.slug} ({shown.subject})"))
    if finding.severity is Severity.ERROR:
        case.append(_failure([shown]))
    else:
        _element(case, "system-out", _told([shown]))
    return case


def _gap(gap: Gap) -> ET.Element:
    """Return what was not evaluated for lack of a file: where no Service is known, nothing else would tell of it."""
    case = _case("not-evaluated", gap.path or gap.reasons[0])
    told = (*gap.reasons, gap.command, ", ".join(gap.checks))
    ET.SubElement(case, "skipped", message=visible("; ".join(filter(None, told))))
    return case


# --- elements ---


def _case(place: str, name: str) -> ET.Element:
    return ET.Element("testcase", classname=visible(place), name=visible(name), time="0")


def _failure(found: Sequence[Shown]) -> ET.Element:
    failure = ET.Element("failure")
    if found:
        failure.set("type", found[0].slug)
        failure.set("message", visible(found[0].message))
        failure.text = _told(found)
    return failure


def _element(parent: ET.Element, tag: str, text: str) -> None:
    ET.SubElement(parent, tag).text = text


def _told(found: Sequence[Shown]) -> str:
    """Return the findings in full; every line is visible, for XML has no control characters."""
    return "\n\n".join("\n".join(map(visible, _lines(shown))) for shown in found)


def _lines(shown: Shown) -> Iterator[str]:
    yield f"{shown.severity.value}: {shown.message} [{shown.slug}]"
    for excerpt in shown.excerpts:
        note = f"  ({excerpt.note})" if excerpt.note else ""
        yield f"  {excerpt.place}  {excerpt.text.strip()}{note}"
    for block in shown.remedy:
        yield from (f"  -> {line}" for line in block.text.split("\n"))
    if shown.finding.caused_by:
        yield "  " + _("caused by {finding}", finding=shown.finding.caused_by)
