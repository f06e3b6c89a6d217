"""Each case is an archive with one hostile member between two good ones, which must be read."""

from __future__ import annotations

import io
import itertools
import lzma
import tarfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from analyzer.bundle.limits import Limits
from analyzer.bundle.problem import ProblemKind
from analyzer.bundle.reader import open_bundle
from analyzer.errors import BundleUnreadableError

BEFORE = ("b/cluster/services.json", b"{}")
AFTER = ("b/nodes/a/sysctl.txt", b"x = 1\n")
GOOD = {"cluster/services.json": b"{}", "nodes/a/sysctl.txt": b"x = 1\n"}


def special(name: str, kind: bytes, target: str = "", size: int = 0) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type, header.linkname, header.size = kind, target, size
    return header


def long_name(length: int) -> str:
    return "b/" + "/".join(["d" * 100] * (length // 101 + 1))[: length - 2]


REFUSED = [
    ("absolute", ("/etc/passwd", b"x"), "/etc/passwd: refused: its name is absolute"),
    ("parent", ("b/../../x", b"x"), "../../x: refused: its name leads out of the bundle"),
    (
        "parent inside",
        ("b/nodes/../x", b"x"),
        "nodes/../x: refused: its name leads out of the bundle",
    ),
    (
        "parent directory",
        special("../", tarfile.DIRTYPE),
        "..: refused: its name leads out of the bundle",
    ),
    ("backslash", ("b\\..\\x", b"x"), "b\\..\\x: refused: its name holds a backslash"),
    ("drive", ("C:x", b"x"), "C:x: refused: its name begins with a drive letter"),
    (
        "newline",
        ("b/nodes/a\nb", b"x"),
        "nodes/a\\nb: refused: its name holds unprintable characters or bytes that are not UTF-8",
    ),
    (
        "escape sequence",
        ("b/nodes/\x1b[2J\x9b", b"x"),
        "nodes/\\x1b[2J\\x9b: refused: its name holds unprintable characters or bytes that are not UTF-8",
    ),
    (
        "right-to-left override",
        ("b/nodes/\u202egol", b"x"),
        "nodes/\\u202egol: refused: its name holds unprintable characters or bytes that are not UTF-8",
    ),
    (
        "not UTF-8",
        ("b/nodes/\udcff", b"x"),
        "nodes/\\udcff: refused: its name holds unprintable characters or bytes that are not UTF-8",
    ),
    (
        "long name",
        (long_name(1025), b"x"),
        (
            f"{long_name(1025)[2:-1]}…: refused: its name is 1,025 characters long, more than 1,024 "
            "(--max-path-length raises the limit)"
        ),
    ),
    (
        "hard link",
        special("b/x", tarfile.LNKTYPE, "b/y\x1b"),
        "x: refused: it is a hard link, to b/y\\x1b",
    ),
    ("character device", special("b/x", tarfile.CHRTYPE), "x: refused: it is a device"),
    ("block device", special("b/x", tarfile.BLKTYPE), "x: refused: it is a device"),
    ("fifo", special("b/nodes/x", tarfile.FIFOTYPE), "nodes/x: refused: it is a FIFO"),
    (
        "sparse file",
        special("b/x", tarfile.GNUTYPE_SPARSE, size=700),
        "x: refused: it is a sparse file",
    ),
    ("volume label", special("b/x", b"V"), "x: refused: it is a member of an unknown type"),
    (
        "unknown type with content",
        special("b/x", b"Z", size=600),
        "x: refused: it is a member of an unknown type",
    ),
    ("no name", ("./", b"x"), "b.tgz: refused: it has no name"),
    (
        "duplicate",
        ("b/cluster/./services.json", b"other"),
        "cluster/services.json: refused: it occurs a second time; the first one is used",
    ),
    (
        "symlink to an absolute name",
        special("b/x", tarfile.SYMTYPE, "/b/cluster/services.json"),
        "x: refused: it is a link out of the bundle, to /b/cluster/services.json",
    ),
    (
        "symlink out of the archive",
        special("b/x", tarfile.SYMTYPE, "../../../etc/passwd\n"),
        "x: refused: it is a link out of the bundle, to ../../../etc/passwd\\n",
    ),
    (
        "symlink out of the top-level directory",
        special("b/x", tarfile.SYMTYPE, "../c/x"),
        "x: refused: it is a link out of the bundle, to ../c/x",
    ),
    (
        "symlink to nothing",
        special("b/x", tarfile.SYMTYPE, "nodes"),
        "x: it is a link to nodes, which is no file of the bundle",
    ),
    (
        "symlink to itself",
        special("b/x", tarfile.SYMTYPE, "x"),
        "x: refused: it is a link to another link, x",
    ),
]


@pytest.mark.parametrize("mode", ["w:gz", "w:"])
@pytest.mark.parametrize(
    ("hostile", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_a_hostile_member_is_refused_and_the_rest_is_read(
    pack: Callable[..., Path], hostile: tuple[str, bytes] | tarfile.TarInfo, said: str, mode: str
) -> None:
    path = pack(BEFORE, hostile, AFTER, mode=mode)
    with open_bundle([path]) as bundle:
        (problem,) = bundle.problems
        assert str(problem).removeprefix(f"{path.parent}/") == said
        assert problem.message.isprintable()
        assert problem.path.isprintable()
        expected_kind = ProblemKind.UNSAFE if "refused" in said else ProblemKind.UNREADABLE
        assert problem.kind is expected_kind
        assert {path: bundle.read(path) for path in bundle.members} == GOOD


def test_a_link_inside_the_bundle_is_followed_once(pack: Callable[..., Path]) -> None:
    path = pack(
        BEFORE,
        special("b/nodes/a/iptables-save.txt", tarfile.SYMTYPE, "../b/./real.txt"),
        special("b/nodes/a/again", tarfile.SYMTYPE, "iptables-save.txt"),
        ("b/nodes/b/real.txt", b"*nat"),
    )
    with open_bundle([path]) as bundle:
        assert bundle.read("nodes/a/iptables-save.txt") == b"*nat"
        assert [str(problem) for problem in bundle.problems] == [
            "nodes/a/again: refused: it is a link to another link, iptables-save.txt"
        ]


def test_of_two_links_of_one_name_the_first_is_used(pack: Callable[..., Path]) -> None:
    links = (special("b/nodes/a/x", tarfile.SYMTYPE, target) for target in ("y", "z"))
    with open_bundle([pack(*links, ("b/nodes/a/y", b"1"), ("b/nodes/a/z", b"2"))]) as bundle:
        assert bundle.read("nodes/a/x") == b"1"
        assert [str(problem) for problem in bundle.problems] == [
            "nodes/a/x: refused: it occurs a second time; the first one is used"
        ]


def test_an_archive_inside_the_archive_is_bytes(pack: Callable[..., Path]) -> None:
    with open_bundle([pack(BEFORE, ("b/nodes/a/inner.tgz", b"\x1f\x8b\x08"))]) as bundle:
        assert bundle.read("nodes/a/inner.tgz") == b"\x1f\x8b\x08"


LIMITED = [
    (
        "member",
        Limits(member_bytes=1000),
        (
            "nodes/a/kubelet.log: refused: it is 1,500 bytes long, more than 1,000"
            " (--max-member-bytes raises the limit)"
        ),
        {"cluster/services.json", "nodes/a/sysctl.txt"},
    ),
    (
        "total",
        Limits(total_bytes=2500),
        (
            "nodes/a/kubelet.log: refused, and all that follows: the archive holds more than 2,500 bytes"
            " (--max-total-bytes raises the limit)"
        ),
        {"cluster/services.json"},
    ),
    (
        "members",
        Limits(members=2),
        (
            "nodes/a/sysctl.txt: refused, and all that follows: it holds more than 2 members"
            " (--max-members raises the limit)"
        ),
        {"cluster/services.json", "nodes/a/kubelet.log"},
    ),
    (
        "path length",
        Limits(path_length=22),
        (
            "b/cluster/services.json: refused: its name is 23 characters long, more than 22"
            " (--max-path-length raises the limit)"
        ),
        {"nodes/a/kubelet.log", "nodes/a/sysctl.txt"},
    ),
]


@pytest.mark.parametrize(
    ("limits", "said", "members"), [row[1:] for row in LIMITED], ids=[row[0] for row in LIMITED]
)
def test_each_limit_names_the_member_and_the_option_that_raises_it(
    pack: Callable[..., Path], limits: Limits, said: str, members: set[str]
) -> None:
    path = pack(BEFORE, ("b/nodes/a/kubelet.log", bytes(1500)), AFTER)
    with open_bundle([path], limits) as bundle:
        assert [str(problem) for problem in bundle.problems] == [said.removeprefix("b/")]
        assert set(bundle.members) == members
    with open_bundle([path], Limits(members=3, member_bytes=1500, total_bytes=10_240)) as bundle:
        assert bundle.problems == ()


def _zeros(count: int, size: int) -> bytes:
    """Return a .tgz with a good member and one of `size` zeros, made in pieces."""
    good, bomb = tarfile.TarInfo(BEFORE[0]), tarfile.TarInfo("b/nodes/a/kubelet.log")
    good.size, bomb.size = len(BEFORE[1]), size
    head = good.tobuf() + BEFORE[1].ljust(512, b"\0") + bomb.tobuf(tarfile.GNU_FORMAT)
    compressor = zlib.compressobj(1, wbits=31)
    pieces = itertools.repeat(bytes(1 << 20), count)
    packed = [compressor.compress(piece) for piece in (head, *pieces)]
    return b"".join([*packed, compressor.flush()])


@pytest.mark.parametrize("claimed", [300 << 20, 2 << 30, 8 << 40], ids=["300 MB", "2 GB", "8 TB"])
def test_a_bomb_stops_early(tmp_path: Path, claimed: int) -> None:
    path = tmp_path / "bomb.tgz"
    path.write_bytes(_zeros(300, claimed))
    before = time.process_time()
    with open_bundle([path]) as bundle:
        assert bundle.members == ("cluster/services.json",)
        said = str(bundle.problems[-1])
    assert time.process_time() - before < 2
    assert said == (
        "nodes/a/kubelet.log: refused, and all that follows: the archive unpacks to more than 200"
        " times its size (--max-ratio raises the limit)"
    )


def test_a_bomb_is_read_where_the_ratio_is_raised(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tgz"
    path.write_bytes(_zeros(100, 90 << 20))
    with open_bundle([path], Limits(ratio=2000)) as bundle:
        assert bundle.size("nodes/a/kubelet.log") == 90 << 20


@pytest.mark.parametrize("mode", ["w:bz2", "w:xz"])
def test_a_bomb_of_other_compressions_stops_early(pack: Callable[..., Path], mode: str) -> None:
    path = pack(
        BEFORE, special("b/nodes/a/kubelet.log", tarfile.REGTYPE, size=100 << 20), mode=mode
    )
    with open_bundle([path]) as bundle:
        assert bundle.members == ("cluster/services.json",)
        assert "--max-ratio" in bundle.problems[0].message


def test_a_bomb_after_the_end_mark_stops_early(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tgz"
    path.write_bytes(_zeros(100, 0))
    with open_bundle([path]) as bundle:
        assert bundle.members == ("cluster/services.json", "nodes/a/kubelet.log")
        assert str(bundle.problems[0]).startswith(f"{path}: refused, and all that follows: ")


def test_a_limit_met_after_the_end_mark_is_of_the_archive_not_of_its_last_member(
    pack: Callable[..., Path],
) -> None:
    path = pack(BEFORE, special("b/x", tarfile.FIFOTYPE))
    with open_bundle([path], Limits(total_bytes=10_239)) as bundle:
        assert [problem.path for problem in bundle.problems] == ["x", ""]


def test_an_xz_stream_that_asks_for_gigabytes_is_refused(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w") as archive:
        archive.addfile(special("b/manifest.json", tarfile.REGTYPE))
    path = tmp_path / "b.tar.xz"
    path.write_bytes(lzma.compress(inner.getvalue(), filters=filters))
    with pytest.raises(BundleUnreadableError, match="Memory usage limit"):
        open_bundle([path])


def test_a_thousand_refusals_are_told_and_the_others_counted(pack: Callable[..., Path]) -> None:
    hostile = (special(f"b/nodes/{number}", tarfile.FIFOTYPE) for number in range(1010))
    path = pack(BEFORE, *hostile, mode="w:")
    with open_bundle([path]) as bundle:
        assert len(bundle.problems) == 1001
        assert str(bundle.problems[-1]) == f"{path}: 10 more members are unsafe"
