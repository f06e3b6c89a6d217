"""A large API dump in pieces, of which few are in memory at a time.

Items of a list are printed alike: each begins as the first does, up to its first key. A file is cut at the comma before
such a beginning. That may stand inside an item, too; but then what is before it is no array of whole items, and does
not decode. What decodes was cut rightly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from analyzer.parse.json_scan import members, skip_blanks

PIECE = 1 << 17
"""Bytes that are read at a time: so few that they stay in the processor's cache."""

_LONGEST = 4 << 20
"""Bytes without a place to cut after which none is looked for; an API object has 1.5 MiB (etcd's limit)."""

_BEGINNING = re.compile(rb'\{[ \t\r\n]*+"[^"\\]*+"')
"""Of an item: the bracket and the first key."""


class ItemPieces:
    """A dump that is read once: first the arrays, then what is left."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

        self.rest = b""
        """The document, without the items of the arrays that were read."""

    def arrays(self) -> Iterator[bytes]:
        """Yield JSON arrays of the items, in order; none of a file that cannot be cut."""
        text = next(self._pieces, b"")
        start = _items_start(text)
        beginning = _BEGINNING.match(text, skip_blanks(text, start + 1))
        head, left = text[:start], text[start:]
        if beginning:
            for piece in self._pieces:
                text = left + piece
                comma = text.rfind(b",", 0, max(text.rfind(beginning[0]), 0))
                if comma >= 0:
                    yield b"".join((memoryview(text)[:comma], b"]"))
                    text = b"[" + text[comma + 1 :]
                left = text
                if len(left) > _LONGEST:
                    break
        self.rest = b"".join((head, left, *self._pieces))


def _items_start(text: bytes) -> int:
    """Return the position of the bracket that opens the array of items; the text's end where there is none."""
    values = (m.value_start for m in members(text, skip_blanks(text, 0)) if m.key == "items")
    start = next(values, len(text))
    return start if text[start : start + 1] == b"[" else len(text)
