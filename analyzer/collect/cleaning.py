"""Files of nodes on their way into the spool: texts that may hold credentials are cleaned as they come."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable
from typing import Final

from analyzer.collect.credentials import line_cleaner, without_credentials
from analyzer.model.inputs import Input

_LINES: Final = frozenset(
    source.value.name
    for source in (Input.PROXY_LOG, Input.KUBELET_LOG, Input.PROCESSES, Input.NODE_RESOLV_CONF)
)
_DOCUMENTS: Final = frozenset(
    source.value.name for source in (Input.PROXY_CONFIG, Input.PROXY_CONFIGZ, Input.KUBELET_CONFIGZ)
)
_LONGEST_LINE: Final = 1 << 16
_LARGEST_DOCUMENT: Final = 8 << 20


class Cleaning(io.RawIOBase):
    """A file to write to; what it hands on is clean. Rules, addresses and the like go through as they are."""

    def __init__(self, name: str, target: Callable[[bytes], object]) -> None:
        super().__init__()
        self._target = target
        self._by_line = name in _LINES
        self._whole = name in _DOCUMENTS
        self._pending = bytearray()
        self._clean = line_cleaner()

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, piece: bytes) -> int:  # type: ignore[override]
        """Take more of the content."""
        if not (self._by_line or self._whole):
            self._target(bytes(piece))
            return len(piece)
        self._pending += piece
        if self._whole and len(self._pending) > _LARGEST_DOCUMENT:
            self._whole, self._by_line = False, True
        if self._by_line:
            self._flush_lines()
        return len(piece)

    def close(self) -> None:
        """Hand on what is left."""
        if not self.closed and self._pending:
            text = _text(self._pending)
            clean = without_credentials(text) if self._whole else self._clean(text)
            self._target(_bytes(clean))
            self._pending.clear()
        super().close()

    def _flush_lines(self) -> None:
        end = self._pending.rfind(b"\n") + 1
        if not end and len(self._pending) > _LONGEST_LINE:
            end = len(self._pending)
        if end:
            lines = _text(self._pending[:end]).splitlines(keepends=True)
            self._target(_bytes("".join(map(self._clean, lines))))
            del self._pending[:end]


class Tail:
    """The last bytes of a text, from the beginning of a line on."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self.lines = 0
        self.cut = False

    def write(self, piece: bytes) -> None:
        """Take more of the text, and let go of what is too old."""
        self._pieces.append(piece)
        self._size += len(piece)
        self.lines += piece.count(b"\n")
        while self._size - len(self._pieces[0]) > self._limit:
            self._size -= len(self._pieces.popleft())
            self.cut = True

    def content(self) -> bytes:
        """Return what is left."""
        content = b"".join(self._pieces)
        if len(content) > self._limit:
            content, self.cut = content[-self._limit :], True
        if self.cut:
            content = content[content.find(b"\n") + 1 :]
        return content


def cleaned(name: str, content: bytes) -> bytes:
    """Return the content of a file of a node without credentials."""
    out = io.BytesIO()
    with Cleaning(name, out.write) as cleaning:
        cleaning.write(content)
    return out.getvalue()


def _text(content: bytes | bytearray) -> str:
    return content.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
