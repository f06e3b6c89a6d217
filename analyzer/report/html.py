"""A report as one HTML file that needs nothing else, and that nothing in it can make run.

Whoever writes no HTML does not import this module, and so does not wait for jinja2.
"""

from __future__ import annotations

from itertools import groupby

from markupsafe import Markup

from analyzer.findings import Finding, Report
from analyzer.language import _, spoken
from analyzer.model.station import Status
from analyzer.model.verdict import Verdict
from analyzer.report.finding_anchors import anchors_of
from analyzer.report.page import content_policy, page_environment
from analyzer.report.path_parts import TONE_SIGNS, TONE_WORDS
from analyzer.report.path_tall import tall
from analyzer.report.path_wide import wide
from analyzer.report.view import ReportView, view_of
from analyzer.report.view_bundle import file_rows
from analyzer.report.view_paths import path_views
from analyzer.report.view_reasoning import reasoning
from analyzer.report.view_service_nodes import nodes_table
from analyzer.report.view_services import STATIONS, ServiceRow
from analyzer.resources import resource_text

_ROWS_SHOWN = 200
"""Services beyond this number are folded; a browser lays out what is folded only when it is opened."""

_FULL_FINDINGS = 20
"""Findings of one check beyond this number are folded."""

_STATUS_CLASS = {
    Status.PASS: "",
    Status.FAIL: "f",
    Status.WARN: "w",
    Status.NOT_EVALUATED: "q",
    Status.NOT_APPLICABLE: "n",
}
"""Short, for they stand in every cell; a cell without class passes."""


def render_html(report: Report) -> str:
    """Return the report as an HTML page; the same report gives the same bytes."""
    view = view_of(report)
    paths = path_views(report)
    drawn = {path.name for path in paths}
    ill = [row for row in view.services if row.verdict in {Verdict.BROKEN, Verdict.DEGRADED}]
    style = resource_text("templates", "style.css") + _names_below_marks()
    script = resource_text("templates", "script.js")
    shown, folded = _split(view)
    tallies = {tally.check.slug: tally for tally in report.tallies}

    def reasons(finding: Finding) -> tuple[str, ...]:
        return reasoning(report, finding, tallies)

    return (
        page_environment()
        .get_template("report.html.j2")
        .render(
            view=view,
            language=spoken(),
            policy=content_policy(style, script),
            style=Markup(style),  # noqa: S704 - the project's own file
            script=Markup(script),  # noqa: S704 - the project's own file
            anchors=anchors_of(report.findings),
            namespaces=sorted({row.namespace for row in view.services}),
            slugs=sorted({finding.check.slug for finding in report.findings}),
            shown=shown,
            folded=[(v, tuple(rows)) for v, rows in groupby(folded, key=lambda row: row.verdict)],
            full_findings=_FULL_FINDINGS,
            stations=STATIONS,
            status_class=_STATUS_CLASS,
            by_node=nodes_table(report, view.services),
            paths=paths,
            drawn=drawn,
            unpainted=sum(row.name not in drawn for row in ill) if paths else 0,
            wide=wide,
            tall=tall,
            tone_signs=TONE_SIGNS,
            tone_words=TONE_WORDS,
            reasons=reasons,
            files=file_rows(report.files),
        )
    )


def _names_below_marks() -> str:
    """Return the style that names the stations on narrow screens, where the table has no heads."""
    names = (
        f'  .stations td:nth-child({number})::after {{ content: "{_(station.value)}"; }}'
        for number, station in enumerate(STATIONS, start=2)
    )
    return "\n".join(("@media screen and (max-width: 62rem) {", *names, "}\n"))


def _split(view: ReportView) -> tuple[tuple[ServiceRow, ...], tuple[ServiceRow, ...]]:
    """Return the Services that are shown and the ones that are folded: all that are healthy, where there are many."""
    if len(view.services) <= _ROWS_SHOWN:
        return view.services, ()
    ill = tuple(row for row in view.services if row.verdict is not Verdict.HEALTHY)
    shown = ill[:_ROWS_SHOWN]
    return shown, view.services[len(shown) :]
