"""The command `svcbundle analyze`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyzer.cli.complaints import confess_defects
from analyzer.cli.completion import complete_node, complete_slugs
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
    from analyzer.findings import Report

FORMATS = ("text", "json", "html", "sarif", "junit", "markdown")


@click.command()
@BUNDLES
@SERVICES
@click.option(
    "--node",
    "nodes",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_node,
    help="Only this node (repeatable).",
)
@click.option("--format", "form", type=click.Choice(FORMATS), help="Form of the report [text].")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the report here; the form follows the suffix (.txt .json .html .sarif .xml .md).",
)
@click.option(
    "--select", metavar="SLUG,...", shell_complete=complete_slugs, help="Only these checks."
)
@click.option(
    "--ignore", metavar="SLUG,...", shell_complete=complete_slugs, help="Not these checks."
)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "never"]),
    default="error",
    show_default=True,
    help="Exit with 1 when a finding is at least this grave.",
)
@click.option(
    "-v", "--verbose", is_flag=True, help="Show consequences and everything not evaluated."
)
@QUIET
@COLOR
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes that examine nodes [one for each processor, for large bundles].",
)
@click.option(
    "--executor",
    metavar="dask://HOST:PORT",
    help="Let the workers of this Dask scheduler examine the nodes.",
)
@language_option
@limit_options
def analyze(  # noqa: PLR0913, PLR0917 - one parameter an option
    bundles: tuple[Path, ...],
    services: tuple[str, ...],
    nodes: tuple[str, ...],
    form: str | None,
    output: Path | None,
    select: str | None,
    ignore: str | None,
    fail_on: str,
    verbose: bool,
    quiet: bool,
    color: str,
    jobs: int | None,
    executor: str | None,
    **limits: int | None,
) -> int:
    """Say which Services do not work, why, and which line proves it.

    BUNDLES are archives or directories of one cluster. Exit status: 0 nothing at or above --fail-on,
    1 findings, 2 wrong usage, 3 a bundle cannot be read, 4 a defect of svcbundle, 130 interrupted.
    """
    from analyzer.bundle.reader import open_bundle
    from analyzer.executors import executor_for
    from analyzer.pipeline import Question, analyse

    form = form or form_of(output)
    question = Question(
        services=tuple(service_key(text) for text in services),
        nodes=nodes,
        select=_slugs(select),
        ignore=_slugs(ignore),
        paths=form == "html",
    )
    progress = Progress(enabled=not quiet)
    with (
        open_bundle(bundles, limits_of(limits)) as bundle,
        executor_for(bundle, jobs, executor) as workers,
    ):
        analysis = analyse(bundle, question, progress, workers)
    progress.end()
    report = analysis.report
    write(_render(report, form, output, color, verbose), output)
    if analysis.defects:
        confess_defects(analysis.defects)
        return DEFECT
    return FINDINGS if _fails(report, fail_on) else OK


def _slugs(text: str | None) -> frozenset[str]:
    """Return the slugs of a comma-separated list; raises `UsageError` for one that does not exist."""
    from analyzer.checks import catalogue

    wanted = frozenset(part.strip() for part in (text or "").split(",") if part.strip())
    unknown = wanted - {c.slug for c in catalogue()}
    if unknown:
        raise UsageError(
            _(
                "there is no check {names}; `svcbundle checks` lists them",
                names=_(", ").join(sorted(unknown)),
            )
        )
    return wanted


def _fails(report: Report, fail_on: str) -> bool:
    from analyzer.model.severity import Severity

    if fail_on == "never":
        return False
    return any(f.severity.order <= Severity(fail_on).order for f in report.findings)


def _render(report: Report, form: str, output: Path | None, color: str, verbose: bool) -> str:
    match form:
        case "json":
            from analyzer.report.json import render_json as render
        case "html":
            from analyzer.report.html import render_html as render
        case "sarif":
            from analyzer.report.sarif import render_sarif as render
        case "junit":
            from analyzer.report.junit import render_junit as render
        case "markdown":
            from analyzer.report.ticket import render_ticket as render
        case _:
            return _render_text(report, output, color, verbose)
    return render(report)


def _render_text(report: Report, output: Path | None, color: str, verbose: bool) -> str:
    from analyzer.report.text import render_text

    painted = coloured(color, output)
    return render_text(report, width=width(), color=painted, verbose=verbose)
