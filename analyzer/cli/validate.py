"""The command `svcbundle validate`."""

from __future__ import annotations

from pathlib import Path

import click

from analyzer.cli.exit_status import FINDINGS, OK
from analyzer.cli.language_option import language_option
from analyzer.cli.options import BUNDLES, limit_options, limits_of
from analyzer.cli.output import width, write


@click.command()
@BUNDLES
@language_option
@limit_options
def validate(bundles: tuple[Path, ...], **limits: int | None) -> int:
    """Say whether BUNDLES are well formed, and what would not be evaluated.

    Exit status: 0 well formed and whole, 1 something is damaged or refused, 3 it cannot be read.
    """
    from analyzer.bundle.reader import open_bundle
    from analyzer.report.validation import render_validation
    from analyzer.validation import validate as validated

    with open_bundle(bundles, limits_of(limits)) as bundle:
        result = validated(bundle)
    write(render_validation(result, width=width()))
    return FINDINGS if result.problems else OK
