"""The command `svcbundle checks`."""

from __future__ import annotations

import click

from analyzer.cli.exit_status import OK
from analyzer.cli.language_option import language_option
from analyzer.cli.output import width, write


@click.command()
@language_option
def checks() -> int:
    """List every check."""
    from analyzer.checks import catalogue
    from analyzer.report.catalogue import render_checks

    write(render_checks(catalogue(), width=width()))
    return OK
