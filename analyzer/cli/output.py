"""Standard output, or the file that stands for it: how wide it is, whether coloured, and the writing."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from analyzer.errors import UsageError

TYPE_CHECKING = (
    False  # as type checkers know it: to import `typing` takes longer than `--version` in all
)
if TYPE_CHECKING:
    from pathlib import Path


def write(text: str, output: Path | None = None) -> bool:
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


def width() -> int:
    """Return COLUMNS or the columns of the terminal, at least 40; 100 where there is neither.

    As `shutil.get_terminal_size` does, which imports compressors first: a fifth of the time in which Python starts.
    """
    given = os.environ.get("COLUMNS", "")
    columns = int(given) if given.isdecimal() else 0
    if not columns and sys.__stdout__:
        with suppress(OSError, ValueError):
            columns = os.get_terminal_size(sys.__stdout__.fileno()).columns
    return max(40, columns or 100)


def coloured(color: str, output: Path | None) -> bool:
    """Return whether to colour what is written, by the value of `--color`."""
    if color != "auto":
        return color == "always"
    return (
        output is None
        and sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
    )
