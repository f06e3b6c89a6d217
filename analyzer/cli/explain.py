"""The command `svcbundle explain`."""

from __future__ import annotations

import click

from analyzer.cli.completion import complete_slug
from analyzer.cli.exit_status import OK
from analyzer.cli.language_option import language_option
from analyzer.cli.output import width, write
from analyzer.errors import UsageError
from analyzer.language import _


@click.command()
@click.argument("slug", shell_complete=complete_slug)
@language_option
def explain(slug: str) -> int:
    """Explain one check: what it means, what it needs, how to put it right."""
    from analyzer.checks import described
    from analyzer.report.catalogue import render_explanation

    found = described(slug)
    if found is None:
        raise UsageError(
            _("there is no check {names}; `svcbundle checks` lists them", names=repr(slug))
        )
    write(render_explanation(found, width=width()))
    return OK
