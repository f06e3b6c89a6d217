"""A report as one HTML file that needs nothing else, and that nothing in it can make run.

Whoever writes no HTML does not import this module, and so does not wait for jinja2.
"""

from __future__ import annotations

import base64
import hashlib

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from analyzer.findings import Report, Status, Verdict
from analyzer.phrases import counted, listed
from analyzer.report.view import ReportView, view_of
from analyzer.report.view_services import STATIONS, ServiceRow
from analyzer.report.visible import HIDDEN, spell, visible
from analyzer.report.wording import SEVERITY_MARKS, STATUS_MARKS, VERDICT_MARKS
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
    style = resource_text("templates", "style.css")
    script = resource_text("templates", "script.js")
    shown, folded = _split(view)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            view=view,
            policy=_policy(style, script),
            style=Markup(style),  # noqa: S704 - the project's own file
            script=Markup(script),  # noqa: S704 - the project's own file
            shown=shown,
            folded=folded,
            full_findings=_FULL_FINDINGS,
        )
    )


def _split(view: ReportView) -> tuple[tuple[ServiceRow, ...], tuple[ServiceRow, ...]]:
    """Return the Services that are shown and the ones that are folded: all that are healthy, where there are many."""
    if len(view.services) <= _ROWS_SHOWN:
        return view.services, ()
    ill = tuple(row for row in view.services if row.verdict is not Verdict.HEALTHY)
    shown = ill[:_ROWS_SHOWN]
    return shown, view.services[len(shown) :]


def _policy(style: str, script: str) -> str:
    """Return the Content-Security-Policy: this style, this script, and nothing from anywhere."""
    return (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(lambda name: resource_text("templates", name)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters |= {"marked": _marked, "counted": counted, "listed": listed}
    environment.globals |= {
        "stations": STATIONS,
        "status_class": _STATUS_CLASS,
        "status_marks": STATUS_MARKS,
        "verdict_marks": VERDICT_MARKS,
        "severity_marks": SEVERITY_MARKS,
    }
    return environment


def _finalize(value: object) -> object:
    """Make every text that a template prints visible, before it is escaped; markup is left alone."""
    return visible(value) if type(value) is str else value


def _marked(text: str) -> Markup:
    """Return a line of the bundle as markup in which hidden characters stand out as what they are."""
    pieces: list[Markup] = []
    position = 0
    for found in HIDDEN.finditer(text):
        pieces.append(escape(text[position : found.start()]))
        pieces.append(Markup('<span class="hidden-char">{}</span>').format(spell(found[0])))
        position = found.end()
    pieces.append(escape(text[position:]))
    return Markup("").join(pieces)
