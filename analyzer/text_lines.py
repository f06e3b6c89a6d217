"""Single lines of a large file: a list of all of them takes several times the file."""

from __future__ import annotations

import codecs
from bisect import bisect_left
from itertools import accumulate

from analyzer.bundle.text import decoded

_BLOCK = 1 << 16


class TextLines:
    """The lines of a file as `split_lines` counts them, decoded when they are asked for."""

    def __init__(self, path: str, content: bytes) -> None:
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            content = decoded(path, content)[0].encode(errors="backslashreplace")
        content = content.removeprefix(codecs.BOM_UTF8)
        if b"\r" in content:
            content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        self._content = content
        blocks = range(0, len(content), _BLOCK)
        counts = (content.count(b"\n", start, start + _BLOCK) for start in blocks)
        self._before = tuple(accumulate(counts, initial=0))
        """Line feeds before each block of the content."""

    def __len__(self) -> int:
        ended = not self._content or self._content.endswith(b"\n")
        return self._before[-1] + (not ended)

    def between(self, first: int, last: int) -> list[str]:
        """Return the lines from `first` up to `last`, both from 1; those that there are."""
        first, last = max(first, 1), min(last, len(self))
        if first > last:
            return []
        piece = self._content[self._start(first) : self._start(last + 1)]
        return [
            line.decode(errors="backslashreplace")
            for line in piece.removesuffix(b"\n").split(b"\n")
        ]

    def _start(self, line: int) -> int:
        """Return where a line begins; the end of the content for the one behind the last."""
        wanted = line - 1
        if wanted > self._before[-1]:
            return len(self._content)
        block = max(0, bisect_left(self._before, wanted) - 1)
        position = block * _BLOCK if wanted else 0
        for _ in range(wanted - self._before[block] if wanted else 0):
            position = self._content.index(b"\n", position) + 1
        return position
