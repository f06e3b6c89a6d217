from __future__ import annotations

import contextlib
import gzip
import random
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.bundle.limits import Limits
from analyzer.bundle.problem import ProblemKind
from analyzer.bundle.reader import open_bundle
from analyzer.errors import BundleUnreadableError

RANDOM = random.Random(7)
CONTENTS = {
    f"nodes/n{number}/kube-proxy.log": b"".join(
        b"I1123 %06d service %06d\n" % (RANDOM.randrange(10**6), RANDOM.randrange(10**6))
        for _ in range(300)
    )
    for number in range(8)
}


@pytest.mark.parametrize("mode", ["w:gz", "w:xz", "w:"])
@pytest.mark.parametrize("percent", [20, 50, 70, 85])
def test_of_a_truncated_archive_the_members_before_the_end_are_read(
    pack: Callable[..., Path], mode: str, percent: int
) -> None:
    path = pack(*((f"b/{name}", content) for name, content in CONTENTS.items()), mode=mode)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * percent // 100])
    with open_bundle([path]) as bundle:
        expected = len(CONTENTS) * percent // 100
        assert expected - 1 <= len(bundle.members) <= expected + 1
        for name in bundle.members:
            assert bundle.read(name) == CONTENTS[name]
        assert bundle.problems[-1].kind is ProblemKind.UNREADABLE
        assert str(bundle.problems[-1]).startswith(f"{path}: the archive ")


def test_an_archive_of_which_nothing_comes_out_is_an_error_that_says_why(
    pack: Callable[..., Path],
) -> None:
    path = pack(("b/nodes/a/x", b"x"), mode="w:bz2")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BundleUnreadableError) as refusal:
        open_bundle([path])
    assert str(refusal.value).startswith(
        f"{path}: nothing of a bundle could be read: "
        "the archive is cut off: its bzip2 data end early; expected a bundle: an archive"
    )


def test_the_member_that_the_end_cuts_is_named_and_not_used(pack: Callable[..., Path]) -> None:
    path = pack(("b/nodes/a/x", b"x" * 600), ("b/nodes/b/x", b"y" * 600), mode="w:")
    path.write_bytes(path.read_bytes()[: 512 + 1024 + 512 + 599])
    with open_bundle([path]) as bundle:
        assert bundle.members == ("nodes/a/x",)
        assert [str(problem) for problem in bundle.problems] == [
            "nodes/b/x: cut off by the damage of the archive; not used",
            f"{path}: the archive is cut off; nothing is read after b/nodes/a/x",
        ]


def test_a_refused_member_that_the_end_cuts_is_reported_once(pack: Callable[..., Path]) -> None:
    path = pack(("b/nodes/a/x", b"x"), ("b/nodes/b/x", b"y" * 600), mode="w:")
    path.write_bytes(path.read_bytes()[: 1024 + 512 + 599])
    with open_bundle([path], Limits(member_bytes=599)) as bundle:
        assert [problem.path for problem in bundle.problems] == ["nodes/b/x", ""]


@pytest.mark.parametrize(
    ("cut", "said"),
    [
        (1024, "the archive ends without its end mark; nothing is read after b/nodes/a/x"),
        (1023, "the archive is cut off; nothing is read after b/nodes/a/x"),
        (1536, ""),
    ],
    ids=["without end mark", "within padding", "half an end mark"],
)
def test_an_end_at_a_boundary_of_blocks_is_noticed(
    pack: Callable[..., Path], cut: int, said: str
) -> None:
    path = pack(("b/nodes/a/x", b"x" * 100), mode="w:")
    path.write_bytes(path.read_bytes()[:cut])
    with open_bundle([path]) as bundle:
        assert bundle.read("nodes/a/x") == b"x" * 100
        assert [problem.message for problem in bundle.problems] == ([said] if said else [])


def test_nothing_before_the_damage_is_lost(pack: Callable[..., Path]) -> None:
    path = pack(("b/nodes/a/x", b"x" * 100), ("b/nodes/b/x", b"y" * 100))
    content = bytearray(path.read_bytes())
    content[-8] ^= 1  # the checksum, which zlib compares in the same call that decodes all of this
    path.write_bytes(content)
    with open_bundle([path]) as bundle:
        assert bundle.members == ("nodes/a/x", "nodes/b/x")
        assert [problem.message for problem in bundle.problems] == [
            (
                "its gzip data are damaged: Error -3 while decompressing data: incorrect data check, "
                "after the archive's last member"
            )
        ]


def test_gzip_streams_in_a_row_are_one_archive(pack: Callable[..., Path]) -> None:
    path = pack(*((f"b/{name}", content) for name, content in CONTENTS.items()), mode="w:")
    plain = path.read_bytes()
    streams = [gzip.compress(plain[start : start + 3000]) for start in range(0, len(plain), 3000)]
    path.write_bytes(b"".join(streams) + bytes(40_000))
    with open_bundle([path]) as bundle:
        assert bundle.problems == ()
        assert {name: bundle.read(name) for name in bundle.members} == CONTENTS


@pytest.mark.parametrize(
    ("tail", "said"),
    [
        (
            b"garbage",
            "what follows its gzip data is something else, after the archive's last member",
        ),
        (gzip.compress(b"more"), "what follows the archive's end mark is not read"),
        (gzip.compress(bytes(2000)), ""),
    ],
    ids=["garbage", "another file", "padding"],
)
def test_what_follows_the_archive_is_reported(
    pack: Callable[..., Path], tail: bytes, said: str
) -> None:
    path = pack(("b/nodes/a/x", b"x"))
    path.write_bytes(path.read_bytes() + tail)
    with open_bundle([path]) as bundle:
        assert bundle.members == ("nodes/a/x",)
        assert [problem.message for problem in bundle.problems] == ([said] if said else [])


def test_a_header_that_is_wrong_ends_the_reading(pack: Callable[..., Path]) -> None:
    path = pack(("b/nodes/a/x", b"x"), ("b/nodes/b/x", b"y"), mode="w:")
    content = bytearray(path.read_bytes())
    content[1024] ^= 0xFF
    path.write_bytes(content)
    with open_bundle([path]) as bundle:
        assert bundle.members == ("nodes/a/x",)
        assert [problem.message for problem in bundle.problems] == [
            "a header of the archive is wrong: bad checksum; nothing is read after b/nodes/a/x"
        ]


def test_a_negative_size_does_not_loop(pack: Callable[..., Path]) -> None:
    path = pack(("b/nodes/a/x", b"x"), ("b/nodes/b/x", b"y"), mode="w:")
    content = bytearray(path.read_bytes())
    content[1024 + 124 : 1024 + 136] = b"\xff" * 10 + b"\xf8\x00"  # base 256, -2048
    unsigned = sum(content[1024 : 1024 + 148]) + 8 * 32 + sum(content[1024 + 156 : 1536])
    content[1024 + 148 : 1024 + 156] = b"%06o\0 " % unsigned
    path.write_bytes(content)
    with open_bundle([path]) as bundle:
        assert bundle.members == ("nodes/a/x",)
        assert "negative size" in bundle.problems[0].message


SMALL = (
    ("b/manifest.json", b'{"format": "svcbundle/v1", "createdAt": "2026-11-23T02:51:33Z"}'),
    ("b/cluster/services.json", b'{"items": []}'),
    ("b/nodes/a/" + "x" * 120, b"long name, pax header"),
)


@pytest.fixture(scope="module")
def small_archives(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("small")
    archives = []
    for mode in ("w:gz", "w:", "w:xz"):
        with tarfile.open(folder / "b", mode) as archive:
            for name, content in SMALL:
                (folder / "content").write_bytes(content)
                archive.add(folder / "content", name)
        archives.append((folder / "b").read_bytes())
    return archives


@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_flipped_bytes_raise_nothing_else(
    small_archives: list[bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(data.draw(st.sampled_from(small_archives)))
    used = len(content) if len(content) < 5000 else 5 * 1024
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, used - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "flipped"
    path.write_bytes(content)
    with contextlib.suppress(BundleUnreadableError), open_bundle([path]) as bundle:
        for name in bundle.members:
            bundle.text(name)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(extension=st.binary(max_size=200), flag=st.sampled_from(b"xgLKSXDNM"))
def test_any_extension_header_raises_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, extension: bytes, flag: int
) -> None:
    header, good = tarfile.TarInfo("b/nodes/a/x"), tarfile.TarInfo("b/nodes/a/y")
    header.type, header.size, good.size = bytes([flag]), len(extension), 1
    path = tmp_path_factory.getbasetemp() / "extended"
    path.write_bytes(
        zlib.compress(
            good.tobuf()
            + b"1".ljust(512, b"\0")
            + header.tobuf()
            + extension.ljust(512, b"\0")
            + good.tobuf()
            + b"2".ljust(512, b"\0")
            + bytes(1024),
            wbits=31,
        )
    )
    with open_bundle([path]) as bundle:
        assert bundle.read("nodes/a/y") == b"1"
