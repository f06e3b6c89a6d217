"""How far a long analysis is, on standard error."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field

import click


@dataclass
class Progress:
    """Says on standard error what long work is at: a line rewritten on a terminal, seldom lines elsewhere."""

    enabled: bool
    _terminal: bool = field(default_factory=sys.stderr.isatty)
    _last: float = field(default_factory=time.monotonic)
    _shown: bool = False

    def __call__(self, text: str) -> None:
        """Show the text when the last one is old enough: 0.2 s on a terminal, 5 s elsewhere."""
        now = time.monotonic()
        if not self.enabled or now - self._last < (0.2 if self._terminal else 5):
            return
        self._last, self._shown = now, True
        with suppress(OSError):
            click.echo(
                f"\r\x1b[K{text}" if self._terminal else text, err=True, nl=not self._terminal
            )

    def end(self) -> None:
        """Take the line off the terminal."""
        if self._shown and self._terminal:
            click.echo("\r\x1b[K", err=True, nl=False)
