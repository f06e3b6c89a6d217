"""The command line: options -> pipeline -> renderer -> exit status; the only code that prints or exits.

Everything heavy is imported by the command that needs it, so that `--version` and `explain` answer at once.
"""

from __future__ import annotations

import gc
import os
import platform
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from analyzer import __version__
from analyzer.collect_cli import collect
from analyzer.completion import complete_node, complete_service, complete_slug, complete_slugs
from analyzer.errors import (
    BundleUnreadableError,
    NothingCollectedError,
    SvcbundleError,
    UsageError,
)
from analyzer.language_option import language_option

if TYPE_CHECKING:
    from analyzer.bundle.limits import Limits
    from analyzer.difference.report import DiffReport
    from analyzer.examination import Defect
    from analyzer.findings import Report
    from analyzer.model.forwarding import ServiceKey

OK, FINDINGS, USAGE, UNREADABLE, DEFECT, INTERRUPTED = 0, 1, 2, 3, 4, 130

_SUFFIXES = {
    ".sarif.json": "sarif",
    ".sarif": "sarif",
    ".txt": "text",
    ".json": "json",
    ".html": "html",
    ".htm": "html",
    ".xml": "junit",
    ".md": "markdown",
}
_DIFF_FORMATS = ("text", "json", "html")
_SIDES = 2
_FORMATS = ("text", "json", "html", "sarif", "junit", "markdown")
_COLOR = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="When to colour what is printed.",
)
_BUNDLES = click.argument("bundles", nargs=-1, required=True, type=click.Path(path_type=Path))


def main() -> None:
    """Run the command line and end the process with the exit status of the contract."""
    # What a command makes lives until it ends: looking for garbage in it took a third of the time.
    gc.disable()
    try:
        status = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        status = INTERRUPTED
    except click.ClickException as error:
        error.show()
        status = USAGE
    except (BundleUnreadableError, NothingCollectedError) as error:
        _complain(error)
        status = UNREADABLE
    except SvcbundleError as error:
        _complain(error)
        status = USAGE
    except KeyboardInterrupt:
        status = INTERRUPTED
    except Exception:  # noqa: BLE001 - the one boundary: whatever is left is a defect of svcbundle
        _confess(traceback.format_exc())
        status = DEFECT
    gc.freeze()
    sys.exit(status if isinstance(status, int) else OK)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="svcbundle")
def cli() -> None:
    """Find out from a bundle why a Kubernetes Service does not answer."""


cli.add_command(collect)


def _limit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...] = (
        click.option("--max-members", type=click.IntRange(min=1), help="Most files in a bundle."),
        click.option(
            "--max-member-bytes", type=click.IntRange(min=1), help="Largest file in a bundle."
        ),
        click.option(
            "--max-total-bytes", type=click.IntRange(min=1), help="Largest bundle, unpacked."
        ),
        click.option(
            "--max-ratio",
            type=click.IntRange(min=1),
            help="Highest compression ratio of an archive.",
        ),
        click.option(
            "--max-path-length", type=click.IntRange(min=1), help="Longest name of a file."
        ),
    )
    for option in options:
        command = option(command)
    return command


@cli.command()
@_BUNDLES
@click.option(
    "--service",
    "services",
    multiple=True,
    metavar="NAMESPACE/NAME",
    shell_complete=complete_service,
    help="Only this Service (repeatable).",
)
@click.option(
    "--node",
    "nodes",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_node,
    help="Only this node (repeatable).",
)
@click.option("--format", "form", type=click.Choice(_FORMATS), help="Form of the report [text].")
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
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
@_COLOR
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
@_limit_options
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

    form = form or _form_of(output)
    question = Question(
        services=tuple(_service_key(text) for text in services),
        nodes=nodes,
        select=_slugs(select),
        ignore=_slugs(ignore),
        paths=form == "html",
    )
    progress = Progress(enabled=not quiet)
    with (
        open_bundle(bundles, _limits(limits)) as bundle,
        executor_for(bundle, jobs, executor) as workers,
    ):
        analysis = analyse(bundle, question, progress, workers)
    progress.end()
    report = analysis.report
    _write(_render(report, form, output, color, verbose), output)
    if analysis.defects:
        _confess_defects(analysis.defects)
        return DEFECT
    return FINDINGS if _fails(report, fail_on) else OK


@cli.command()
@_BUNDLES
@language_option
@_limit_options
def validate(bundles: tuple[Path, ...], **limits: int | None) -> int:
    """Say whether BUNDLES are well formed, and what would not be evaluated.

    Exit status: 0 well formed and whole, 1 something is damaged or refused, 3 it cannot be read.
    """
    from analyzer.bundle.reader import open_bundle
    from analyzer.report.validation import render_validation
    from analyzer.validation import validate as validated

    with open_bundle(bundles, _limits(limits)) as bundle:
        result = validated(bundle)
    _write(render_validation(result, width=_width()))
    return FINDINGS if result.problems else OK


@cli.command()
@_BUNDLES
@click.option(
    "--service",
    metavar="NAMESPACE/NAME",
    shell_complete=complete_service,
    help="Only this Service.",
)
@click.option("--node", metavar="NAME", shell_complete=complete_node, help="Only this node.")
@language_option
@_limit_options
def show(
    bundles: tuple[Path, ...], service: str | None, node: str | None, **limits: int | None
) -> int:
    """Show the rebuilt chains as a tree, from the address a client uses down to each endpoint."""
    from analyzer.bundle.reader import open_bundle
    from analyzer.load import load
    from analyzer.showing import shown

    key = _service_key(service) if service else None
    with open_bundle(bundles, _limits(limits)) as bundle:
        for part in shown(load(bundle), key, node):
            _write(part)
    return OK


@cli.command()
@_BUNDLES
@click.option(
    "--from",
    "source",
    metavar="SRC",
    help="pod:NAMESPACE/NAME, node:NAME or external:ADDRESS[@NODE].",
)
@click.option(
    "--to",
    "destination",
    metavar="DST",
    help="service:NAMESPACE/NAME[:PORT], ADDRESS:PORT or a host name as the source would write it.",
)
@click.option("--protocol", default="", metavar="tcp|udp|sctp", help="[the port's own, else tcp]")
@click.option(
    "--queries",
    type=click.File("r", encoding="utf-8", errors="backslashreplace"),
    help='JSON Lines {"from": SRC, "to": DST, "protocol": "TCP"}; - for standard input.',
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of the answers; JSON is one object a line.",
)
@_COLOR
@language_option
@_limit_options
def trace(  # noqa: PLR0913, PLR0917 - one parameter an option
    bundles: tuple[Path, ...],
    source: str | None,
    destination: str | None,
    protocol: str,
    queries: IO[str] | None,
    form: str,
    color: str,
    **limits: int | None,
) -> int:
    """Say where a connection goes: every outcome with its probability, and the rule that decided.

    Exit status: 0 when every outcome of every query is delivered, else 1; 2 and 3 as for analyze.
    """
    from analyzer.bundle.reader import open_bundle
    from analyzer.load import load
    from analyzer.report.terminal import Terminal
    from analyzer.tracing import Renderer, TraceQuery, all_delivered, run_queries, run_trace

    if (queries is None) is (source is None or destination is None):
        raise UsageError("trace: give --from and --to, or --queries")
    terminal = None if form == "json" else Terminal(_width(), _coloured(color, None))
    delivered = True
    with open_bundle(bundles, _limits(limits)) as bundle:
        cluster = load(bundle)
        query = TraceQuery(source or "", destination or "", protocol)
        answers = run_queries(cluster, queries) if queries else iter([run_trace(cluster, query)])
        renderer = Renderer(bundle, terminal)
        for answer in answers:
            delivered = delivered and all_delivered(answer)
            if not _write(renderer.render(answer)):
                break
    return OK if delivered else FINDINGS


@cli.command()
@_BUNDLES
@click.option(
    "--nodes",
    nargs=2,
    metavar="A B",
    shell_complete=complete_node,
    help="Compare two nodes of one bundle instead of two bundles.",
)
@click.option(
    "--service",
    "services",
    multiple=True,
    metavar="NAMESPACE/NAME",
    shell_complete=complete_service,
    help="Only this Service (repeatable).",
)
@click.option(
    "--format", "form", type=click.Choice(_DIFF_FORMATS), help="Form of the difference [text]."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the difference here; the form follows the suffix (.txt .json .html).",
)
@click.option("-v", "--verbose", is_flag=True, help="Leave nothing out, show what is the same.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
@_COLOR
@language_option
@_limit_options
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
    from contextlib import ExitStack

    from analyzer.bundle.reader import open_bundle
    from analyzer.diffing import diff_bundles, diff_nodes
    from analyzer.pipeline import Question

    if nodes is None and len(bundles) != _SIDES:
        raise UsageError("diff: give two bundles, OLD and NEW, or --nodes A B and one")
    form = form or _form_of(output)
    question = Question(services=tuple(_service_key(text) for text in services))
    progress = Progress(enabled=not quiet)
    with ExitStack() as stack:
        inputs = [bundles] if nodes else [(path,) for path in bundles]
        opened = [stack.enter_context(open_bundle(paths, _limits(limits))) for paths in inputs]
        found = (
            diff_nodes(opened[0], nodes, question, progress)
            if nodes
            else diff_bundles(opened[0], opened[1], question, progress)
        )
    progress.end()
    _write(_render_diff(found.report, form, output, color, verbose), output)
    if found.defects:
        _confess_defects(found.defects)
        return DEFECT
    return FINDINGS if found.report.difference.different else OK


@cli.command()
@language_option
def checks() -> int:
    """List every check."""
    from analyzer.checks import catalogue
    from analyzer.report.catalogue import render_checks

    _write(render_checks(catalogue(), width=_width()))
    return OK


@cli.command()
@click.argument("slug", shell_complete=complete_slug)
@language_option
def explain(slug: str) -> int:
    """Explain one check: what it means, what it needs, how to put it right."""
    from analyzer.checks import catalogue
    from analyzer.report.catalogue import render_explanation

    found = next((c for c in catalogue() if c.slug == slug), None)
    if found is None:
        raise UsageError(f"there is no check {slug!r}; `svcbundle checks` lists them")
    _write(render_explanation(found, width=_width()))
    return OK


# --- options ---


def _service_key(text: str) -> ServiceKey:
    from analyzer.model.forwarding import ServiceKey

    namespace, slash, name = text.partition("/")
    if not slash or not namespace or not name or "/" in name:
        raise UsageError(f"--service {text!r}: expected NAMESPACE/NAME, such as default/hostnames")
    return ServiceKey(namespace, name)


def _slugs(text: str | None) -> frozenset[str]:
    """Return the slugs of a comma-separated list; raises `UsageError` for one that does not exist."""
    from analyzer.checks import catalogue

    wanted = frozenset(part.strip() for part in (text or "").split(",") if part.strip())
    unknown = wanted - {c.slug for c in catalogue()}
    if unknown:
        raise UsageError(
            f"there is no check {', '.join(sorted(unknown))}; `svcbundle checks` lists them"
        )
    return wanted


def _form_of(output: Path | None) -> str:
    if output is None:
        return "text"
    name = output.name.lower()
    form = next((form for suffix, form in _SUFFIXES.items() if name.endswith(suffix)), None)
    if form is None:
        raise UsageError(f"{output}: name a --format, or a file ending in {', '.join(_SUFFIXES)}")
    return form


def _limits(given: dict[str, int | None]) -> Limits:
    from analyzer.bundle.limits import Limits

    names = {"max_members": "members", "max_ratio": "ratio"}
    names |= {"max_member_bytes": "member_bytes", "max_total_bytes": "total_bytes"}
    names |= {"max_path_length": "path_length"}
    return Limits(**{names[option]: n for option, n in given.items() if n is not None})


def _fails(report: Report, fail_on: str) -> bool:
    from analyzer.findings import Severity

    if fail_on == "never":
        return False
    return any(f.severity.order <= Severity(fail_on).order for f in report.findings)


# --- output ---


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

    coloured = _coloured(color, output)
    return render_text(report, width=_width(), color=coloured, verbose=verbose)


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

            coloured = _coloured(color, output)
            return render_diff_text(report, width=_width(), color=coloured, verbose=verbose)
        case _:
            raise UsageError(f"{output}: a difference is written as {', '.join(_DIFF_FORMATS)}")


def _coloured(color: str, output: Path | None) -> bool:
    if color != "auto":
        return color == "always"
    return (
        output is None
        and sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
    )


def _width() -> int:
    return max(40, shutil.get_terminal_size((100, 24)).columns)


def _write(text: str, output: Path | None = None) -> bool:
    """Write text as UTF-8, whatever the locale, to a file or to standard output.

    Return whether anybody reads it: not so when the reader has gone (`svcbundle … | head`).
    """
    data = text.encode("utf-8", "backslashreplace")
    try:
        if output is None:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            output.write_bytes(data)
    except BrokenPipeError:
        _drop_output()
        return False
    except OSError as error:
        if output is None:
            _drop_output()
        raise UsageError(f"{output or 'standard output'}: {error.strerror}") from error
    return True


def _drop_output() -> None:
    """Send what is still buffered nowhere, so that the end of the process does not fail on it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@dataclass
class Progress:
    """Says on standard error what long work is at: a line rewritten on a terminal, seldom lines elsewhere."""

    enabled: bool
    _terminal: bool = field(default_factory=sys.stderr.isatty)
    _last: float = field(default_factory=time.monotonic)
    _shown: bool = False

    def __call__(self, text: str) -> None:
        """Show the text when the last one is old enough: 0.2 s on a terminal, 5 s elsewhere."""
        now = time.monotonic()
        if not self.enabled or now - self._last < (0.2 if self._terminal else 5):
            return
        self._last, self._shown = now, True
        with suppress(OSError):
            click.echo(
                f"\r\x1b[K{text}" if self._terminal else text, err=True, nl=not self._terminal
            )

    def end(self) -> None:
        """Take the line off the terminal."""
        if self._shown and self._terminal:
            click.echo("\r\x1b[K", err=True, nl=False)


def _complain(text: object) -> None:
    """Say on standard error what is wrong; what a bundle or an argument put into it is made visible."""
    from analyzer.report.visible import visible

    click.echo(f"svcbundle: {visible(str(text))}", err=True)


def _confess(trace: str) -> None:
    from analyzer.report.visible import visible

    click.echo("\n".join(map(visible, trace.splitlines())), err=True)
    _complain(
        "this is a defect of svcbundle, not of the cluster. Please report it with the lines above, "
        f"`svcbundle {__version__}`, Python {platform.python_version()} and, if you may, the bundle."
    )


def _confess_defects(defects: tuple[Defect, ...]) -> None:
    for defect in defects:
        _complain(f"{defect.check.slug} failed on {defect.subject}:")
    _confess(defects[0].trace)
