"""The command `svcbundle diff`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyzer.cli.complaints import confess_defects
from analyzer.cli.completion import complete_node
from analyzer.cli.exit_status import DEFECT, FINDINGS, OK
from analyzer.cli.language_option import language_option
from analyzer.cli.options import (
    BUNDLES,
    COLOR,
    QUIET,
    SERVICES,
    form_of,
    limit_options,
    limits_of,
    service_key,
)
from analyzer.cli.output import coloured, width, write
from analyzer.cli.progress import Progress
from analyzer.errors import UsageError
from analyzer.language import _

if TYPE_CHECKING:
    from analyzer.difference.report import DiffReport

_FORMATS = ("text", "json", "html")
_SIDES = 2


@click.command()
@BUNDLES
@click.option(
    "--nodes",
    nargs=2,
    metavar="A B",
    shell_complete=complete_node,
    help="Compare two nodes of one bundle instead of two bundles.",
)
@SERVICES
@click.option(
    "--format", "form", type=click.Choice(_FORMATS), help="Form of the difference [text]."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the difference here; the form follows the suffix (.txt .json .html).",
)
@click.option("-v", "--verbose", is_flag=True, help="Leave nothing out, show what is the same.")
@QUIET
@COLOR
@language_option
@limit_options
def diff(  # noqa: PLR0913, PLR0917 - one parameter an option
    bundles: tuple[Path, ...],
    nodes: tuple[str, str] | None,
    services: tuple[str, ...],
    form: str | None,
    output: Path | None,
    verbose: bool,
    quiet: bool,
    color: str,
    **limits: int | None,
) -> int:
    """Say what changed between two BUNDLES, OLD and NEW, or (--nodes A B) between two nodes of one.

    Services, endpoints, forwarding and findings are compared, not text. Exit status: 0 no difference,
    1 differences, or one side lacks what the other has; 2, 3 and 4 as for analyze.
    """
    from analyzer.bundle.reader import open_bundle
    from analyzer.diffing import diff_bundles, diff_nodes
    from analyzer.pipeline import Question

    if nodes is None and len(bundles) != _SIDES:
        raise UsageError(_("diff: give two bundles, OLD and NEW, or --nodes A B and one"))
    form = form or form_of(output)
    question = Question(services=tuple(service_key(text) for text in services))
    progress = Progress(enabled=not quiet)
    with ExitStack() as stack:
        inputs = [bundles] if nodes else [(path,) for path in bundles]
        opened = [stack.enter_context(open_bundle(paths, limits_of(limits))) for paths in inputs]
        found = (
            diff_nodes(opened[0], nodes, question, progress)
            if nodes
            else diff_bundles(opened[0], opened[1], question, progress)
        )
    progress.end()
    write(_render_diff(found.report, form, output, color, verbose), output)
    if found.defects:
        confess_defects(found.defects)
        return DEFECT
    return FINDINGS if found.report.difference.different else OK


def _render_diff(
    report: DiffReport, form: str, output: Path | None, color: str, verbose: bool
) -> str:
    match form:
        case "json":
            from analyzer.report.diff_json import render_diff_json

            return render_diff_json(report)
        case "html":
            from analyzer.report.diff_html import render_diff_html

            return render_diff_html(report)
        case "text":
            from analyzer.report.diff_text import render_diff_text

            painted = coloured(color, output)
            return render_diff_text(report, width=width(), color=painted, verbose=verbose)
        case _:
            raise UsageError(
                _(
                    "{output}: a difference is written as {forms}",
                    output=output,
                    forms=_(", ").join(_FORMATS),
                )
            )
