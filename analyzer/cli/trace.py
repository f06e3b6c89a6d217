"""The command `svcbundle trace`."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import click

from analyzer.cli.exit_status import FINDINGS, OK
from analyzer.cli.language_option import language_option
from analyzer.cli.options import BUNDLES, COLOR, limit_options, limits_of
from analyzer.cli.output import coloured, width, write
from analyzer.errors import UsageError
from analyzer.language import _


@click.command()
@BUNDLES
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
@COLOR
@language_option
@limit_options
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
        raise UsageError(_("trace: give --from and --to, or --queries"))
    terminal = None if form == "json" else Terminal(width(), coloured(color, None))
    delivered = True
    with open_bundle(bundles, limits_of(limits)) as bundle:
        cluster = load(bundle)
        query = TraceQuery(source or "", destination or "", protocol)
        answers = run_queries(cluster, queries) if queries else iter([run_trace(cluster, query)])
        renderer = Renderer(bundle, terminal)
        for answer in answers:
            delivered = delivered and all_delivered(answer)
            if not write(renderer.render(answer)):
                break
    return OK if delivered else FINDINGS
