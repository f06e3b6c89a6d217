"""Members of a tar archive, read forward: ustar, GNU and pax headers, in bounded memory and time.

The header block is decoded by the standard library (`TarInfo.frombuf`). Its `TarFile` is not used: up to
Python 3.11.13 it can be made to loop by a negative size (CVE-2025-8194), to recurse by a row of extension
headers, and it reads an extended header of any size into memory.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from analyzer.bundle.limits import MAX_MEMBERS, LimitExceededError, Limits, exceeded
from analyzer.bundle.member import Member, MemberType
from analyzer.bundle.stream import ByteStream, DamagedError
from analyzer.language import _

BLOCK = tarfile.BLOCKSIZE

_EXTENSION_BYTES = 1 << 20
"""Largest extension header that is looked at; real ones hold a long name and a few times."""

_EXTENSION_BYTES_PER_MEMBER = 4096
"""Extension headers of an archive, per member that its limit allows."""

_TYPES = {
    tarfile.REGTYPE: MemberType.FILE,
    tarfile.AREGTYPE: MemberType.FILE,
    tarfile.CONTTYPE: MemberType.FILE,
    tarfile.DIRTYPE: MemberType.DIRECTORY,
    tarfile.SYMTYPE: MemberType.SYMLINK,
    tarfile.LNKTYPE: MemberType.HARD_LINK,
    tarfile.CHRTYPE: MemberType.DEVICE,
    tarfile.BLKTYPE: MemberType.DEVICE,
    tarfile.FIFOTYPE: MemberType.FIFO,
    tarfile.GNUTYPE_SPARSE: MemberType.SPARSE,
}
_WITHOUT_DATA = {
    tarfile.DIRTYPE,
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.FIFOTYPE,
}
_PAX = {tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE}
_EXTENSIONS = _PAX | {tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}


def tar_members(stream: ByteStream, limits: Limits) -> Iterator[Member]:
    """Yield each member with the stream at its first byte; what the caller leaves of it is skipped.

    Raise DamagedError where the archive ends without its end mark or a header is wrong.
    """
    extension = _Extension()
    budget = limits.members * _EXTENSION_BYTES_PER_MEMBER
    while any(block := _header_block(stream)):
        header = _header(block)
        if header.type in _EXTENSIONS:
            budget -= BLOCK + header.size
            if budget < 0:
                raise LimitExceededError(exceeded(_("too many extension headers"), MAX_MEMBERS))
            extension.take(header, stream)
        else:
            if header.type == tarfile.GNUTYPE_SPARSE:
                _skip_sparse_map(block, stream)
            member, size = extension.applied_to(header)
            end = stream.position + _padded(size)
            yield member
            stream.skip(end - stream.position)
            extension = _Extension()


def is_tar(block: bytes) -> bool:
    """Tell whether a file that begins with this block is a tar archive."""
    if not any(block):
        return len(block) == BLOCK
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _header_block(stream: ByteStream) -> bytes:
    if stream.at_end():
        raise DamagedError(_("the archive ends without its end mark"))
    return stream.read(BLOCK)


def _header(block: bytes) -> tarfile.TarInfo:
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise DamagedError(_("a header of the archive is wrong: {error}", error=error)) from error
    if header.size < 0:
        raise DamagedError(_("a header of the archive is wrong: negative size"))
    return header


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _skip_sparse_map(block: bytes, stream: ByteStream) -> None:
    """Skip the blocks with which GNU tar goes on listing the pieces of a sparse file."""
    extended = block[482]
    while extended:
        extended = stream.read(BLOCK)[504]


@dataclass(slots=True)
class _Extension:
    """What the headers before a member's own say about it."""

    name: str | None = None
    target: str | None = None
    size: int | None = None
    sparse: bool = False
    huge: bool = False

    def take(self, header: tarfile.TarInfo, stream: ByteStream) -> None:
        """Read one extension header; one for all members (pax type g) is skipped."""
        if header.type == tarfile.XGLTYPE or header.size > _EXTENSION_BYTES:
            self.huge |= header.type != tarfile.XGLTYPE
            stream.skip(_padded(header.size))
            return
        content = stream.read(_padded(header.size))[: header.size]
        if header.type == tarfile.GNUTYPE_LONGNAME:
            self.name = _text(content.partition(b"\0")[0])
        elif header.type == tarfile.GNUTYPE_LONGLINK:
            self.target = _text(content.partition(b"\0")[0])
        else:
            for keyword, value in _pax_records(content):
                self._take_record(keyword, value)

    def _take_record(self, keyword: bytes, value: bytes) -> None:
        if keyword == b"path":
            self.name = _text(value)
        elif keyword == b"linkpath":
            self.target = _text(value)
        elif keyword == b"size":
            self.size = _decimal(value)
        elif keyword.startswith(b"GNU.sparse."):
            self.sparse = True

    def applied_to(self, header: tarfile.TarInfo) -> tuple[Member, int]:
        """Return the member and the number of bytes that follow its header."""
        size = header.size if self.size is None else self.size
        member_type = _TYPES.get(header.type, MemberType.UNKNOWN)
        if self.sparse:
            member_type = MemberType.SPARSE
        if self.huge:
            member_type = MemberType.HUGE_HEADER
        name = header.name if self.name is None else self.name
        target = header.linkname if self.target is None else self.target
        return Member(name, member_type, size, target), (
            0 if header.type in _WITHOUT_DATA else size
        )


def _pax_records(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keyword and value of each `length keyword=value` record. Source: POSIX pax."""
    start = 0
    while start < len(content) and content[start]:
        space = content.find(b" ", start, start + 10)
        end = start + _decimal(content[start : max(space, start)])
        keyword, equals, value = content[space + 1 : end - 1].partition(b"=")
        if space < 0 or not equals or content[end - 1 : end] != b"\n":
            raise DamagedError(_("an extended header of the archive is wrong"))
        yield keyword, value
        start = end


def _decimal(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > 19:  # noqa: PLR2004  # digits of 2**63
        raise DamagedError(_("an extended header of the archive is wrong"))
    return int(digits)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
