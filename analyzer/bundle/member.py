"""A member of an archive or a file of a directory: what it claims to be, and where its bytes are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class MemberType(Enum):
    """What a member is, in the words of the message that refuses it."""

    FILE = "a file"
    DIRECTORY = "a directory"
    SYMLINK = "a symbolic link"
    HARD_LINK = "a hard link"
    DEVICE = "a device"
    FIFO = "a FIFO"
    SOCKET = "a socket"
    SPARSE = "a sparse file"
    HUGE_HEADER = "a member with a huge extended header"
    UNKNOWN = "a member of an unknown type"


@dataclass(frozen=True, slots=True)
class Member:
    """What the archive or the file system says about a member; none of it is trusted."""

    name: str
    """As it is written there, with surrogates for bytes that are not UTF-8."""

    type: MemberType

    size: int = 0
    """Bytes of a file."""

    target: str = ""
    """What a link points to."""


class Content(Protocol):
    """The bytes of one accepted file."""

    @property
    def size(self) -> int:
        """Number of bytes."""

    def read(self) -> bytes:
        """Return all bytes; raise BundleUnreadableError where the disk fails."""

    def pieces(self, size: int) -> Iterator[bytes]:
        """Yield all bytes, at most `size` at a time; raise as `read` does."""

    def sha256(self) -> str:
        """Return the SHA-256 of the bytes in lower-case hexadecimal; raise as `read` does."""
