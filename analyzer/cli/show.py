"""The command `svcbundle show`."""

from __future__ import annotations

from pathlib import Path

import click

from analyzer.cli.completion import complete_node, complete_service
from analyzer.cli.exit_status import OK
from analyzer.cli.language_option import language_option
from analyzer.cli.options import BUNDLES, limit_options, limits_of, service_key
from analyzer.cli.output import write


@click.command()
@BUNDLES
@click.option(
    "--service",
    metavar="NAMESPACE/NAME",
    shell_complete=complete_service,
    help="Only this Service.",
)
@click.option("--node", metavar="NAME", shell_complete=complete_node, help="Only this node.")
@language_option
@limit_options
def show(
    bundles: tuple[Path, ...], service: str | None, node: str | None, **limits: int | None
) -> int:
    """Show the rebuilt chains as a tree, from the address a client uses down to each endpoint."""
    from analyzer.bundle.reader import open_bundle
    from analyzer.load import load
    from analyzer.showing import shown

    key = service_key(service) if service else None
    with open_bundle(bundles, limits_of(limits)) as bundle:
        for part in shown(load(bundle), key, node):
            write(part)
    return OK
