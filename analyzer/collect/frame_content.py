"""Where what comes in frames goes: a file's content as a whole, a complaint as far as it is of use."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import BinaryIO, Final, Self

_STDERR_KEPT: Final = 8192


@dataclass(slots=True)
class Content:
    """Where the content of one file goes; opened when there is something to be kept."""

    name: str
    _keep: Callable[[str], BinaryIO]
    _limit: int
    wanted: bool = True
    size: int = 0
    overflowed: bool = False
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    opened: BinaryIO | None = None
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def open(self) -> BinaryIO:
        """Open what `keep` gives, once."""
        if self.opened is None:
            self.opened = self._stack.enter_context(self._keep(self.name))
        return self.opened

    def write(self, piece: bytes) -> None:
        """Keep a piece, up to the limit."""
        room = self._limit - self.size
        if len(piece) > room:
            self.overflowed = True
            piece = piece[:room]
        if piece and self.wanted:
            self.open().write(piece)
            self.digest.update(piece)
            self.size += len(piece)


@dataclass(slots=True)
class Complaint:
    """The beginning of what a command printed on its standard error."""

    _kept: bytearray = field(default_factory=bytearray)

    def write(self, piece: bytes) -> None:
        """Keep a piece where there is room."""
        self._kept += piece[: _STDERR_KEPT - len(self._kept)]

    def __str__(self) -> str:
        return self._kept.decode(errors="backslashreplace").strip()
