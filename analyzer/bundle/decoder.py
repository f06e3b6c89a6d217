"""Decompressors with one interface, that of `bz2.BZ2Decompressor` and `lzma.LZMADecompressor`."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

_XZ_MEMORY = 256 << 20
"""Bytes that an xz stream may ask for; `xz -9` needs 65 MiB, a header can demand 4 GiB."""

DECODE_ERRORS = (zlib.error, lzma.LZMAError, OSError, ValueError)
"""What a decoder raises for damaged data; bz2 raises OSError and ValueError."""


class Decoder(Protocol):
    """Decompresses one stream piece by piece."""

    @property
    def eof(self) -> bool:
        """The stream's end was reached and its checksum is right."""

    @property
    def needs_input(self) -> bool:
        """All input so far is used up."""

    @property
    def unused_data(self) -> bytes:
        """What follows the stream's end."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return at most `max_length` bytes; raise one of DECODE_ERRORS for damage."""


@dataclass(frozen=True, slots=True)
class Compression:
    """One kind of compressed file."""

    name: str
    magic: bytes
    """What each of its streams begins with."""

    decoder: Callable[[], Decoder]


class _Gzip:
    """zlib's decompressor; what it decoded before an error is not lost."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        self._failure: zlib.error | None = None

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return self._failure is None and not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if self._failure is not None:
            raise self._failure
        data = self._zlib.unconsumed_tail + data
        before = self._zlib.copy()
        try:
            return self._zlib.decompress(data, max_length)
        except zlib.error as failure:
            self._failure = failure
            if whole := _up_to_the_damage(before, data):
                return whole
            raise


def _up_to_the_damage(decoder: zlib._Decompress, data: bytes) -> bytes:
    """Decompress byte by byte: zlib drops a whole call's output for an error at the call's end."""
    salvaged = bytearray()
    try:
        for index in range(len(data)):
            salvaged += decoder.decompress(data[index : index + 1])
    except zlib.error:
        pass
    return bytes(salvaged)


def _xz() -> Decoder:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


COMPRESSIONS = (
    Compression("gzip", b"\x1f\x8b", _Gzip),
    Compression("bzip2", b"BZh", bz2.BZ2Decompressor),
    Compression("xz", b"\xfd7zXZ\x00", _xz),
)
