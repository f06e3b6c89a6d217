"""The bytes of an archive after decompression, in pieces, within the limits and as far as they are whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from analyzer.bundle.decoder import DECODE_ERRORS, Compression
from analyzer.bundle.limits import (
    MAX_RATIO,
    MAX_TOTAL_BYTES,
    LimitExceededError,
    Limits,
    exceeded,
)
from analyzer.language import _

_FEED = 16 << 10
_PIECE = 256 << 10
_RATIO_FREE = 64 << 20
"""Decompressed bytes from which on the ratio is looked at."""


class DamagedError(Exception):
    """The archive cannot be read beyond this place; the text says why."""


class ByteStream:
    """Reads forward; raises DamagedError or LimitExceededError where it has to end before its end."""

    def __init__(self, file: BinaryIO, compression: Compression | None, limits: Limits) -> None:
        self.position = 0
        """Bytes read so far."""

        self._limits = limits
        self._chunks = (
            iter(lambda: _read(file, _PIECE), b"")
            if compression is None
            else _within_ratio(_decompressed(file, compression), file, limits)
        )
        self._rest = memoryview(b"")

    def at_end(self) -> bool:
        """Tell whether no byte follows."""
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
        return not self._rest

    def pieces(self, count: int) -> Iterator[memoryview]:
        """Yield the next `count` bytes."""
        while count > 0:
            if self.at_end():
                raise DamagedError(_("the archive is cut off"))
            piece, self._rest = self._rest[:count], self._rest[count:]
            count -= len(piece)
            self.position += len(piece)
            if self.position > self._limits.total_bytes:
                claim = _(
                    "the archive holds more than {total_bytes:,} bytes",
                    total_bytes=self._limits.total_bytes,
                )
                raise LimitExceededError(exceeded(claim, MAX_TOTAL_BYTES))
            yield piece

    def read(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        return b"".join(self.pieces(count))

    def skip(self, count: int) -> None:
        """Read the next `count` bytes for nothing."""
        for _piece in self.pieces(count):
            pass

    def remainder(self) -> Iterator[memoryview]:
        """Yield all that follows."""
        while not self.at_end():
            yield from self.pieces(len(self._rest))


def _decompressed(file: BinaryIO, compression: Compression) -> Iterator[bytes]:
    """Yield what each of the file's streams holds; none of the pieces is empty."""
    decoder = compression.decoder()
    while True:
        try:
            feed = _read(file, _FEED) if decoder.needs_input else b""
            chunk = decoder.decompress(feed, _PIECE)
        except DECODE_ERRORS as error:
            raise DamagedError(
                _("its {kind} data are damaged: {error}", kind=compression.name, error=error)
            ) from error
        if chunk:
            yield chunk
        if decoder.eof:
            following = _following(file, decoder.unused_data)
            if not following:
                return
            if not following.startswith(compression.magic):
                raise DamagedError(
                    _("what follows its {kind} data is something else", kind=compression.name)
                )
            decoder = compression.decoder()
            file.seek(-len(following), 1)
        elif not (feed or chunk):
            raise DamagedError(
                _("the archive is cut off: its {kind} data end early", kind=compression.name)
            )


def _following(file: BinaryIO, unused: bytes) -> bytes:
    """Return what is known of the next stream, from its first byte on; zeros between streams are padding."""
    while not (unused := unused.lstrip(b"\0")):
        if not (unused := _read(file, _FEED)):
            return b""
    return unused + _read(file, _FEED)


def _read(file: BinaryIO, count: int) -> bytes:
    try:
        return file.read(count)
    except OSError as error:
        raise DamagedError(_("reading it failed: {strerror}", strerror=error.strerror)) from error


def _within_ratio(chunks: Iterator[bytes], file: BinaryIO, limits: Limits) -> Iterator[bytes]:
    produced = 0
    for chunk in chunks:
        produced += len(chunk)
        if produced > _RATIO_FREE and produced > limits.ratio * file.tell():
            claim = _(
                "the archive unpacks to more than {ratio:,} times its size", ratio=limits.ratio
            )
            raise LimitExceededError(exceeded(claim, MAX_RATIO))
        yield chunk
