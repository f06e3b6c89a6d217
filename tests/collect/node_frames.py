"""Streams as node.sh writes them, made by hand."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

NONCE = "0123456789abcdef0123456789abcdef"
FIRST_LINE = f"svcbundle-node/v1 {NONCE} node-a\n".encode()
DONE = f"{NONCE} done\n".encode()


def frame(
    name: str, content: bytes, stderr: bytes = b"", *, status: int = 0, cut: int = 0
) -> bytes:
    return (
        f"{NONCE} file {name} 1795402894120 iptables-save -c\n".encode()
        + content
        + f"\n{NONCE} stderr {status} 84 {cut}\n".encode()
        + stderr
        + f"\n{NONCE} end\n".encode()
    )


@dataclass
class Kept:
    """What a reader was told to keep, by name."""

    contents: dict[str, bytes] = field(default_factory=dict)

    def __call__(self, name: str) -> BinaryIO:
        return _Sink(lambda content: self.contents.__setitem__(name, content))


class _Sink(io.BytesIO):
    def __init__(self, closed: Callable[[bytes], None]) -> None:
        super().__init__()
        self._closed = closed

    def close(self) -> None:
        if not self.closed:
            self._closed(self.getvalue())
        super().close()


class Dribble(io.RawIOBase):
    """A stream that comes in pieces of a few bytes."""

    def __init__(self, content: bytes, size: int) -> None:
        super().__init__()
        self._content, self._size = io.BytesIO(content), size

    def read(self, _count: int = -1) -> bytes:
        return self._content.read(self._size)
