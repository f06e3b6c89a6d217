"""The commands, each imported when it is named: none pays for what another needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

import click

from analyzer import __version__
from analyzer.cli import VERSION
from analyzer.cli.exit_status import INTERRUPTED, OK, USAGE


class Commands(Mapping[str, click.Command]):
    """The commands by their names: `explain` is `explain` in `analyzer/cli/explain.py`."""

    _names = ("analyze", "checks", "collect", "diff", "explain", "show", "trace", "validate")

    def __getitem__(self, name: str) -> click.Command:
        """Import a command."""
        if name not in self._names:
            raise KeyError(name)
        command = getattr(import_module(f"analyzer.cli.{name}"), name)
        assert isinstance(command, click.Command)
        return command

    def __iter__(self) -> Iterator[str]:
        """Go through the names; imports nothing."""
        return iter(self._names)

    def __len__(self) -> int:
        """Count the commands."""
        return len(self._names)


@click.group(
    commands=Commands(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message=VERSION)
def cli() -> None:
    """Find out from a bundle why a Kubernetes Service does not answer."""


def run() -> int:
    """Run the command that the process was given and return its exit status."""
    try:
        status = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return USAGE
    return status if isinstance(status, int) else OK
