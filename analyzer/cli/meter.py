"""How far a collection is, on standard error."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import click

from analyzer.language import _
from analyzer.report.visible import visible

_PLAIN_LINE_SECONDS: Final = 5.0
_BAR_COLUMNS: Final = 20
_COLUMNS_BESIDE_LABEL: Final = 22
"""Columns of the bar's line that are neither bar nor label; a line that is broken cannot be written over."""


@dataclass(slots=True)
class Meter:
    """Says on standard error how far the collection is: a bar on a terminal, plain lines elsewhere."""

    enabled: bool
    _bar: Any = None
    _expected: int = 0
    _done: int = 0
    _last: float = field(default_factory=time.monotonic)

    def expect(self, pieces: int) -> None:
        """So many more pieces are to be done."""
        self._expected += pieces
        if self.enabled and sys.stderr.isatty():
            if self._bar is None:
                self._bar = click.progressbar(
                    length=self._expected,
                    file=sys.stderr,
                    width=_BAR_COLUMNS,
                    show_eta=False,
                    show_pos=True,
                    item_show_func=_shown,
                )
            self._bar.length = self._expected
            self._bar.finished = False  # one step was, and the next has begun
            self._bar.render_progress()

    def done(self, label: str) -> None:
        """One piece is done."""
        self._done += 1
        if self._bar is not None:
            self._bar.update(1, label)
        elif self.enabled and time.monotonic() - self._last >= _PLAIN_LINE_SECONDS:
            self._last = time.monotonic()
            _tell(
                _("{done} of {total}: {label}", done=self._done, total=self._expected, label=label)
            )

    def say(self, text: str) -> None:
        """Something that the user should know at once."""
        if not self.enabled:
            return
        if self._bar is not None:
            click.echo("\r\x1b[K", err=True, nl=False)
        _tell(text)

    def end(self) -> None:
        """Take the bar off the terminal."""
        if self._bar is not None:
            click.echo("\r\x1b[K\x1b[?25h", err=True, nl=False)
            self._bar = None


def _shown(label: str | None) -> str:
    room = shutil.get_terminal_size().columns - _BAR_COLUMNS - _COLUMNS_BESIDE_LABEL
    return _visible(label or "")[: max(0, room)]


def _tell(text: str) -> None:
    with suppress(OSError):
        click.echo(_visible(text), err=True)


def _visible(text: str) -> str:
    return "\n".join(map(visible, text.splitlines()))
