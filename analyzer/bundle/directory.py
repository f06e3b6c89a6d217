"""A directory as a tree of files; nothing is opened that is not a regular file, no link is followed."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from analyzer.bundle.limits import MAX_TOTAL_BYTES, LimitExceededError, Limits, exceeded
from analyzer.bundle.member import Member, MemberType
from analyzer.bundle.member_name import objection
from analyzer.bundle.tree import Intake, Tree
from analyzer.errors import BundleUnreadableError
from analyzer.language import _

_PIECE = 1 << 20
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
# A FIFO put in a file's place after the listing must not block.
_OPEN_FLAGS |= getattr(os, "O_NONBLOCK", 0)

_TYPES = {
    stat.S_IFREG: MemberType.FILE,
    stat.S_IFDIR: MemberType.DIRECTORY,
    stat.S_IFLNK: MemberType.SYMLINK,
    stat.S_IFIFO: MemberType.FIFO,
    stat.S_IFSOCK: MemberType.SOCKET,
    stat.S_IFCHR: MemberType.DEVICE,
    stat.S_IFBLK: MemberType.DEVICE,
}


def read_directory(root: Path, limits: Limits) -> Tree:
    """Return the files below a directory; what cannot be listed or opened is a problem."""
    intake = Intake(str(root), limits)
    total = 0
    current = ""
    try:
        for member, path in _walk(root, intake):
            current = member.name
            name = intake.admit(member)
            if name is None:
                continue
            total += member.size
            _check_total(total, limits)
            _add(intake, name, DiskFile(path, member.size))
    except LimitExceededError as limit:
        intake.stop(current, str(limit))
    return intake.tree()


def _check_total(total: int, limits: Limits) -> None:
    if total > limits.total_bytes:
        claim = _(
            "the directory holds more than {total_bytes:,} bytes", total_bytes=limits.total_bytes
        )
        raise LimitExceededError(exceeded(claim, MAX_TOTAL_BYTES))


def _walk(root: Path, intake: Intake) -> Iterator[tuple[Member, Path]]:
    """Yield what is below a directory, depth first, sorted by name."""
    waiting = _listed(root, "", intake)
    while waiting:
        name, entry = waiting.pop()
        member = _member(entry, name, intake)
        if member is None:
            continue
        yield member, Path(entry.path)
        if member.type is MemberType.DIRECTORY and objection(name, intake.limits) is None:
            waiting += _listed(Path(entry.path), name, intake)


def _listed(folder: Path, name: str, intake: Intake) -> list[tuple[str, os.DirEntry[str]]]:
    """Return the entries of a folder with their names from the root, the last one first."""
    try:
        with os.scandir(folder) as entries:
            found = list(islice(entries, intake.limits.members + 1))
    except OSError as error:
        intake.lose(name, _("the directory cannot be listed: {strerror}", strerror=error.strerror))
        return []
    found.sort(key=lambda entry: entry.name, reverse=True)
    return [(f"{name}/{entry.name}" if name else entry.name, entry) for entry in found]


def _member(entry: os.DirEntry[str], name: str, intake: Intake) -> Member | None:
    try:
        status = entry.stat(follow_symlinks=False)
        target = os.readlink(entry.path) if stat.S_ISLNK(status.st_mode) else ""  # noqa: PTH115  # str
    except OSError as error:
        intake.lose(name, _("cannot be read: {strerror}", strerror=error.strerror))
        return None
    member_type = _TYPES.get(stat.S_IFMT(status.st_mode), MemberType.UNKNOWN)
    return Member(name, member_type, status.st_size, target)


def _add(intake: Intake, name: str, file: DiskFile) -> None:
    try:
        with file.opened():
            intake.files[name] = file
    except OSError as error:
        intake.lose(name, _("cannot be read: {strerror}", strerror=error.strerror))


@dataclass(frozen=True, slots=True)
class DiskFile:
    """A file of a directory; what is appended to it later is not read."""

    path: Path
    size: int

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Open the file; raise OSError where that fails, also where it is no regular file any more."""
        with os.fdopen(os.open(self.path, _OPEN_FLAGS), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(errno.EINVAL, "is no file any more")
            yield file

    def read(self) -> bytes:
        """Return all bytes."""
        return b"".join(self.pieces(self.size))

    def sha256(self) -> str:
        """Read the file for its SHA-256."""
        digest = hashlib.sha256()
        for piece in self.pieces(_PIECE):
            digest.update(piece)
        return digest.hexdigest()

    def pieces(self, size: int) -> Iterator[bytes]:
        """Yield all bytes, at most `size` at a time."""
        left = self.size
        try:
            with self.opened() as file:
                while left > 0 and (piece := file.read(min(left, size))):
                    left -= len(piece)
                    yield piece
        except OSError as error:
            raise BundleUnreadableError(
                _("{path}: cannot be read: {strerror}", path=self.path, strerror=error.strerror)
            ) from error
