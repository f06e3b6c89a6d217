"""Takes a stream apart at the lines that begin with its nonce, in pieces, whatever stands between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Final

from analyzer.language import _

_PIECE: Final = 1 << 16
_LONGEST_LINE: Final = 8192
"""Bytes of a line that are kept; the frames' own lines are far shorter."""


class StreamCutError(Exception):
    """The stream ended, or could not be read, where more had to come; the text says which."""


class FrameReader:
    """A stream with a place in it. Every method raises StreamCutError where the stream ends too early."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._waiting = bytearray()
        self._mark = b""
        self.taken = 0
        """Bytes that were handed out or passed over."""

    def begin(self, nonce: bytes) -> None:
        """Say what the lines of the frames begin with."""
        self._mark = nonce + b" "

    def line(self) -> bytes:
        """Return the next line without its line feed, or as much of it as a line may be long."""
        kept = bytearray()
        end = -1
        while end < 0:
            end = self._waiting.find(b"\n")
            piece = self._take(end + 1 if end >= 0 else len(self._waiting))
            kept += piece[: _LONGEST_LINE - len(kept)]
            if end < 0:
                self._fill()
        return bytes(kept.removesuffix(b"\n"))

    def marked_line(self) -> str | None:
        """Return what stands behind the nonce in the next line, None where it has no nonce."""
        line = self.line()
        return self._text(line[len(self._mark) :]) if line.startswith(self._mark) else None

    def content(self, write: Callable[[bytes], None]) -> str:
        """Hand out everything up to the next line with the nonce, and return what stands behind it there."""
        mark = b"\n" + self._mark
        while (found := self._waiting.find(mark)) < 0:
            safe = len(self._waiting) - len(mark) + 1
            if safe > 0:
                write(self._take(safe))
            try:
                self._fill()
            except StreamCutError:
                write(self._take(len(self._waiting) - _overlap(bytes(self._waiting), mark)))
                raise
        write(self._take(found))
        self._take(len(mark))
        return self._text(self.line())

    def _take(self, count: int) -> bytes:
        taken = bytes(self._waiting[:count])
        del self._waiting[:count]
        self.taken += len(taken)
        return taken

    def _fill(self) -> None:
        try:
            piece = self._stream.read(_PIECE)
        except OSError as error:
            raise StreamCutError(str(error)) from None
        if not piece:
            raise StreamCutError(_("it ends before node.sh came to its end"))
        self._waiting += piece

    @staticmethod
    def _text(line: bytes) -> str:
        return line.decode(errors="backslashreplace")


def _overlap(content: bytes, mark: bytes) -> int:
    """Return how many bytes at the end of `content` may be the beginning of `mark`."""
    return next((n for n in range(len(mark), 0, -1) if content.endswith(mark[:n])), 0)
