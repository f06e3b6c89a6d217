"""What is said on standard error when a command fails."""

from __future__ import annotations

import sys
from platform import python_version
from traceback import format_exception
from typing import TYPE_CHECKING

from analyzer import __version__
from analyzer.cli.exit_status import DEFECT, INTERRUPTED, UNREADABLE, USAGE
from analyzer.errors import BundleUnreadableError, NothingCollectedError, SvcbundleError
from analyzer.report.visible import visible

if TYPE_CHECKING:
    from analyzer.examination import Defect


def status_of(error: BaseException) -> int:
    """Say what ended the command, and return its exit status; whatever nobody foresaw is a defect of svcbundle."""
    match error:
        case KeyboardInterrupt():
            return INTERRUPTED
        case BundleUnreadableError() | NothingCollectedError():
            _complain(error)
            return UNREADABLE
        case SvcbundleError():
            _complain(error)
            return USAGE
        case _:
            _confess("".join(format_exception(error)))
            return DEFECT


def confess_defects(defects: tuple[Defect, ...]) -> None:
    """Say which checks failed, and where the first one did."""
    for defect in defects:
        _complain(f"{defect.check.slug} failed on {defect.subject}:")
    _confess(defects[0].trace)


def _complain(text: object) -> None:
    """Say what is wrong; what a bundle or an argument put into it is made visible."""
    _say(f"svcbundle: {visible(str(text))}")


def _confess(trace: str) -> None:
    _say("\n".join(map(visible, trace.splitlines())))
    _complain(
        "this is a defect of svcbundle, not of the cluster. Please report it with the lines above, "
        f"`svcbundle {__version__}`, Python {python_version()} and, if you may, the bundle."
    )


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
