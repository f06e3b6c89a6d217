"""The command line: options -> pipeline -> renderer -> exit status; the only code that prints or exits.

A file a command, imported when the command is named; what is heavy is imported in the command's function.
"""

from __future__ import annotations

import gc
import sys

from analyzer import __version__
from analyzer.cli.exit_status import OK
from analyzer.cli.output import write

VERSION = f"svcbundle, version {__version__}"
"""What `--version` says."""


def main() -> None:
    """Run the command line and end the process with the exit status of the contract."""
    # What a command makes lives until it ends: looking for garbage in it took a third of the time.
    gc.disable()
    try:
        status = _run(sys.argv[1:])
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the one boundary
        from analyzer.cli.complaints import status_of

        status = status_of(error)
    gc.freeze()
    sys.exit(status)


def _run(words: list[str]) -> int:
    if words == ["--version"]:  # to import click takes thrice as long as Python takes to start
        write(f"{VERSION}\n")
        return OK
    from analyzer.cli.commands import run

    return run()
