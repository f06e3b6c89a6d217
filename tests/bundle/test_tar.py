from __future__ import annotations

import io
import tarfile

import pytest

from analyzer.bundle.limits import LimitExceededError, Limits
from analyzer.bundle.member import Member, MemberType
from analyzer.bundle.stream import ByteStream, DamagedError
from analyzer.bundle.tar import is_tar, tar_members

FILE = MemberType.FILE
DEFAULT = Limits()


def block(content: bytes) -> bytes:
    return content.ljust(-(-len(content) // 512) * 512, b"\0")


def header(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.USTAR_FORMAT)


def record(keyword: str, value: bytes) -> bytes:
    rest = b" %s=%s\n" % (keyword.encode(), value)
    length = len(rest) + len(str(len(rest)))
    length += len(str(length)) - len(str(len(rest)))
    return b"%d%s" % (length, rest)


def pax(*records: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    content = b"".join(records)
    return header("PaxHeader", len(content), kind) + block(content)


def members(content: bytes, limits: Limits = DEFAULT) -> list[Member]:
    stream = ByteStream(io.BytesIO(content + bytes(1024)), None, limits)
    return list(tar_members(stream, limits))


ABC = header("a", 3) + block(b"abc")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (ABC, [Member("a", FILE, 3)]),
        (pax(record("path", "ä/b".encode())) + ABC, [Member("ä/b", FILE, 3)]),
        (pax(record("path", b"x\n9 path=y")) + ABC, [Member("x\n9 path=y", FILE, 3)]),
        (pax(record("mtime", b"1.5"), record("path", b"p")) + ABC, [Member("p", FILE, 3)]),
        (pax(record("path", b"p")) + pax(record("path", b"q")) + ABC, [Member("q", FILE, 3)]),
        (pax(record("path", b"p"), kind=tarfile.XGLTYPE) + ABC, [Member("a", FILE, 3)]),
        (pax(record("path", b"\xff"), kind=tarfile.SOLARIS_XHDTYPE) + ABC, [Member("\udcff", FILE, 3)]),
        (pax(record("path", b"p")) + ABC + ABC, [Member("p", FILE, 3), Member("a", FILE, 3)]),
        (pax(record("size", b"600")) + header("a") + bytes(1024) + ABC, [Member("a", FILE, 600), Member("a", FILE, 3)]),
        (
            header("././@LongLink", 200, tarfile.GNUTYPE_LONGNAME) + block(b"n" * 199 + b"\0") + ABC,
            [Member("n" * 199, FILE, 3)],
        ),
        (
            header("././@LongLink", 4, tarfile.GNUTYPE_LONGLINK) + block(b"to/x")
            + header("a", 0, tarfile.SYMTYPE),
            [Member("a", MemberType.SYMLINK, 0, "to/x")],
        ),
        (pax(record("linkpath", b"y")) + header("a", 0, tarfile.SYMTYPE), [Member("a", MemberType.SYMLINK, 0, "y")]),
        (
            pax(record("GNU.sparse.major", b"1")) + ABC + ABC,
            [Member("a", MemberType.SPARSE, 3), Member("a", FILE, 3)],
        ),
        (header("a", 3, tarfile.CONTTYPE) + block(b"abc"), [Member("a", FILE, 3)]),
        (header("a/", 0, tarfile.AREGTYPE) + ABC, [Member("a", MemberType.DIRECTORY), Member("a", FILE, 3)]),
        (header("a", 3, tarfile.DIRTYPE) + ABC, [Member("a", MemberType.DIRECTORY, 3), Member("a", FILE, 3)]),
        (
            pax(record("comment", b"x" * (1 << 20))) + ABC + ABC,
            [Member("a", MemberType.HUGE_HEADER, 3), Member("a", FILE, 3)],
        ),
        (
            pax(record("comment", b"x" * (2 << 20)), kind=tarfile.XGLTYPE) + ABC,
            [Member("a", FILE, 3)],
        ),
    ],
    ids=[
        "ustar", "pax name", "newline in a pax name", "other pax keywords", "the later pax header wins",
        "global pax header", "pax name that is not UTF-8", "pax header is for one member", "pax size",
        "GNU long name", "GNU long link", "pax link", "pax sparse", "contiguous file", "old directory",
        "directory with a size", "huge pax header", "huge global pax header",
    ],
)  # fmt: skip
def test_headers_say_what_a_member_is(content: bytes, expected: list[Member]) -> None:
    assert members(content) == expected


def test_the_map_of_an_old_sparse_file_is_skipped() -> None:
    info = tarfile.TarInfo("a")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 3
    sparse = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    sparse[482] = 1
    sparse[148:156] = b"%06o\0 " % (sum(sparse[:148]) + 8 * 32 + sum(sparse[156:]))
    more = bytearray(512)
    more[504] = 1
    content = bytes(sparse + more + bytes(512)) + block(b"abc") + ABC
    assert members(content) == [Member("a", MemberType.SPARSE, 3), Member("a", FILE, 3)]


@pytest.mark.parametrize(
    "records",
    [b"8 path=a\n", b"x path=a\n", b"0 path=a\n", b"4 a\n", b"999999999999999999999 path=a\n",
     b"9path=ab\n", b" ", b"5 a=", record("size", b"-1"), record("size", b"0x10"), record("size", b""),
     record("size", b"9" * 5000), b"\xc2\xb2 a=b\n"],
)  # fmt: skip
def test_a_wrong_pax_record_is_damage(records: bytes) -> None:
    with pytest.raises(DamagedError, match="an extended header of the archive is wrong"):
        members(pax(records) + ABC)


def test_a_row_of_extension_headers_ends_at_the_limit() -> None:
    row = pax(record("path", b"p")) * 10_000
    assert members(row + ABC) == [Member("p", FILE, 3)]
    with pytest.raises(
        LimitExceededError, match=r"too many extension headers \(--max-members raises"
    ):
        members(row + ABC, Limits(members=100))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (ABC[:512], True),
        (bytes(512), True),
        (bytes(511), False),
        (ABC[:511], False),
        (b"#!/bin/sh\n" * 60, False),
        (b"", False),
    ],
    ids=["header", "empty archive", "zeros", "half a header", "text", "nothing"],
)
def test_a_tar_archive_is_known_by_its_first_header(content: bytes, expected: bool) -> None:
    assert is_tar(content) is expected
