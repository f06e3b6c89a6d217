"""A difference as one HTML file that needs nothing else."""

from __future__ import annotations

from markupsafe import Markup

from analyzer.difference.change import FindingState
from analyzer.difference.report import DiffReport
from analyzer.language import _, spoken
from analyzer.report.diff_text import FINDING_SIGNS
from analyzer.report.page import content_policy, page_environment
from analyzer.report.view_diff import Sign, view_of_diff
from analyzer.resources import resource_text


def render_diff_html(diff: DiffReport) -> str:
    """Return the difference as an HTML page; the same difference gives the same bytes."""
    view = view_of_diff(diff)
    style = resource_text("templates", "style.css") + resource_text("templates", "diff.css")
    words = {
        Sign.ADDED: _("added"),
        Sign.REMOVED: _("removed"),
        Sign.CHANGED: _("changed"),
        Sign.UNKNOWN: _("unknown"),
        Sign.NOTE: _("same"),
    }
    return (
        page_environment()
        .get_template("diff.html.j2")
        .render(
            view=view,
            language=spoken(),
            policy=content_policy(style, ""),
            style=Markup(style),  # noqa: S704 - the project's own files
            changed=[item for item in view.findings if item.state is not FindingState.SAME],
            same=[item for item in view.findings if item.state is FindingState.SAME],
            signs=Sign,
            sign_words=words,
            finding_signs=FINDING_SIGNS,
        )
    )
