"""An archive as a tree of files: one pass from the first byte to the last, or to the damage."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from analyzer.bundle.decoder import COMPRESSIONS, Compression
from analyzer.bundle.limits import LimitExceededError, Limits
from analyzer.bundle.member import Member
from analyzer.bundle.member_name import normalised, shown
from analyzer.bundle.store import Extent, FileStore, Spool, Store
from analyzer.bundle.stream import ByteStream, DamagedError
from analyzer.bundle.tar import BLOCK, is_tar, tar_members
from analyzer.bundle.tree import Intake, Tree
from analyzer.errors import BundleUnreadableError
from analyzer.language import _, later

_FOREIGN = (
    (b"PK\x03\x04", "a zip archive"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x04\x22\x4d\x18", "compressed by lz4"),
)
_EXPECTED = later("expected a tar archive (plain, gzip, bzip2 or xz) or a directory")


def read_archive(path: Path, limits: Limits) -> tuple[Tree, Store]:
    """Return the files of an archive and the store that their bytes are in.

    Raise BundleUnreadableError for what is no archive. Damage, limits and refused members are problems.
    """
    with ExitStack() as on_failure:
        file = on_failure.enter_context(path.open("rb"))
        compression = _compression(path, file)
        store: Store = FileStore(file, str(path)) if compression is None else Spool(str(path))
        on_failure.callback(store.close)
        intake = Intake(str(path), limits)
        _Reading(intake, ByteStream(file, compression, limits), store).run()
        on_failure.pop_all()
    if compression is not None:
        file.close()
    return intake.tree(), store


def _compression(path: Path, file: BinaryIO) -> Compression | None:
    """Return what the file's first bytes say, with the file at its beginning; None for a plain tar."""
    head = file.read(BLOCK)
    file.seek(0)
    if not head:
        raise BundleUnreadableError(
            _("{path}: the file is empty; {expected}", path=path, expected=_(_EXPECTED))
        )
    if is_tar(head):
        return None
    for compression in COMPRESSIONS:
        if head.startswith(compression.magic):
            return compression
    for magic, name in _FOREIGN:
        if head.startswith(magic):
            raise BundleUnreadableError(
                _(
                    "{path}: the file is {name}; {expected}",
                    path=path,
                    name=name,
                    expected=_(_EXPECTED),
                )
            )
    beginning = shown(head[:32].decode("utf-8", "backslashreplace"))
    raise BundleUnreadableError(
        _(
            "{path}: no archive (begins with “{beginning}”); {expected}",
            path=path,
            beginning=beginning,
            expected=_(_EXPECTED),
        )
    )


@dataclass(slots=True)
class _Reading:
    """One pass over an archive."""

    intake: Intake
    stream: ByteStream
    store: Store
    current: str = ""
    """Name of the member whose bytes are being read or skipped."""

    wanted: bool = False
    """Whether they are being read."""

    last: str = ""
    """Name of the last member that was whole."""

    def run(self) -> None:
        """Take all members, up to the archive's end, a limit or damage."""
        try:
            for member in tar_members(self.stream, self.intake.limits):
                self.current = normalised(member.name)
                self._take(member)
            self.current = ""
            self._check_the_rest()
        except LimitExceededError as limit:
            self.intake.stop(self.current, str(limit))
        except DamagedError as damage:
            if self.wanted:
                self.intake.lose(self.current, _("cut off by the damage of the archive; not used"))
            after = (
                _("; nothing is read after {shown}", shown=shown(self.last)) if self.last else ""
            )
            self.intake.break_off(f"{damage}{after}")
        if isinstance(self.store, Spool):
            self.store.seal()

    def _take(self, member: Member) -> None:
        name = self.intake.admit(member)
        if name is None:
            return
        self.wanted = True
        spool = self.store if isinstance(self.store, Spool) else None
        offset = self.stream.position if spool is None else spool.size
        digest = hashlib.sha256()
        for piece in self.stream.pieces(member.size):
            digest.update(piece)
            if spool is not None:
                spool.append(piece)
        self.intake.files[name] = Extent(self.store, offset, member.size, digest.hexdigest())
        self.last, self.current, self.wanted = name, "", False

    def _check_the_rest(self) -> None:
        """Read on to the checksum at the archive's end; only padding should come."""
        try:
            if any(bytes(piece).strip(b"\0") for piece in self.stream.remainder()):
                self.intake.lose("", _("what follows the archive's end mark is not read"))
        except DamagedError as damage:
            self.intake.lose("", _("{damage}, after the archive's last member", damage=damage))
