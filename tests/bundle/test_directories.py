from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from analyzer.bundle.directory import DiskFile
from analyzer.bundle.limits import Limits
from analyzer.bundle.problem import ProblemKind
from analyzer.bundle.reader import open_bundle
from analyzer.errors import BundleUnreadableError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name, content in (("cluster/services.json", b"{}"), ("nodes/b/sysctl.txt", b"x = 1\n")):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_bytes(content)
    return root


def _socket(root: Path) -> None:
    here = Path.cwd()
    os.chdir(root / "nodes" / "b")  # the name of a socket may have 108 bytes only
    socket.socket(socket.AF_UNIX).bind("x")
    os.chdir(here)


@pytest.mark.parametrize(
    ("add", "said"),
    [
        (lambda root: os.mkfifo(root / "nodes/b/x"), "nodes/b/x: refused: it is a FIFO"),
        (_socket, "nodes/b/x: refused: it is a socket"),
        (
            lambda root: (root / "nodes/b/x").symlink_to("/etc/passwd"),
            "nodes/b/x: refused: it is a link out of the bundle, to /etc/passwd",
        ),
        (
            lambda root: (root / "x").symlink_to("../outside"),
            "x: refused: it is a link out of the bundle, to ../outside",
        ),
        (
            lambda root: (root / "nodes/c").symlink_to("b"),
            "nodes/c: it is a link to b, which is no file of the bundle",
        ),
        (
            lambda root: (root / "nodes/b/x\n").touch(),
            "nodes/b/x\\n: refused: its name holds unprintable characters or bytes that are not UTF-8",
        ),
        (
            lambda root: (root / "nodes" / os.fsdecode(b"\xff") / "deeper").mkdir(parents=True),
            "nodes/\\udcff: refused: its name holds unprintable characters or bytes that are not UTF-8",
        ),
    ],
    ids=["fifo", "socket", "link out", "link above", "link to a directory", "control", "not UTF-8"],
)
def test_what_is_no_plain_file_is_refused_and_never_opened(
    tree: Path, add: Callable[[Path], None], said: str
) -> None:
    (tree.parent / "outside").write_bytes(b"secret")
    add(tree)
    with open_bundle([tree]) as bundle:
        assert [str(problem) for problem in bundle.problems] == [said]
        assert bundle.members == ("cluster/services.json", "nodes/b/sysctl.txt")


def test_a_link_inside_is_followed_and_a_file_with_two_names_is_a_file(tree: Path) -> None:
    (tree / "nodes/b/link.txt").symlink_to("sysctl.txt")
    os.link(tree / "nodes/b/sysctl.txt", tree / "nodes/b/twin.txt")
    with open_bundle([tree]) as bundle:
        assert bundle.problems == ()
        assert bundle.read("nodes/b/link.txt") == b"x = 1\n"
        assert bundle.read("nodes/b/twin.txt") == b"x = 1\n"
        assert list(bundle.pieces("nodes/b/twin.txt", 4)) == [b"x = ", b"1\n"]


@pytest.mark.parametrize(
    ("limits", "said", "members"),
    [
        (
            Limits(member_bytes=5),
            (
                "nodes/b/sysctl.txt: refused: it is 6 bytes long, more than 5"
                " (--max-member-bytes raises the limit)"
            ),
            ("cluster/services.json",),
        ),
        (
            Limits(total_bytes=7),
            (
                "nodes/b/sysctl.txt: refused, and all that follows: the directory holds more than 7 bytes"
                " (--max-total-bytes raises the limit)"
            ),
            ("cluster/services.json",),
        ),
        (
            Limits(members=4),
            (
                "nodes/b/sysctl.txt: refused, and all that follows: it holds more than 4 members"
                " (--max-members raises the limit)"
            ),
            ("cluster/services.json",),
        ),
        (
            Limits(path_length=7),
            (
                "cluster/services.json: refused: its name is 21 characters long, more than 7"
                " (--max-path-length raises the limit)"
            ),
            (),
        ),
    ],
    ids=["member", "total", "members", "path length"],
)
def test_each_limit_holds_for_directories(
    tree: Path, limits: Limits, said: str, members: tuple[str, ...]
) -> None:
    if not members:
        with pytest.raises(BundleUnreadableError) as refusal:
            open_bundle([tree], limits)
        assert said in str(refusal.value)
        return
    with open_bundle([tree], limits) as bundle:
        assert [str(problem) for problem in bundle.problems] == [said]
        assert bundle.members == members
    with open_bundle([tree], Limits(5, 6, 8)) as bundle:
        assert bundle.problems == ()


def test_a_file_that_goes_or_grows_after_opening(tree: Path) -> None:
    with open_bundle([tree]) as bundle:
        with (tree / "nodes/b/sysctl.txt").open("ab") as file:
            file.write(b"y = 2\n")
        assert bundle.read("nodes/b/sysctl.txt") == b"x = 1\n"
        opened = DiskFile(tree / "nodes/b/sysctl.txt", size=6)
        assert opened.sha256() == hashlib.sha256(b"x = 1\n").hexdigest()
        (tree / "nodes/b/sysctl.txt").unlink()
        os.mkfifo(tree / "nodes/b/sysctl.txt")
        with pytest.raises(
            BundleUnreadableError, match=r"sysctl\.txt: cannot be read: is no file any more"
        ):
            bundle.read("nodes/b/sysctl.txt")
        (tree / "cluster/services.json").unlink()
        with pytest.raises(
            BundleUnreadableError, match=r"services\.json: cannot be read: No such file"
        ):
            bundle.read("cluster/services.json")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_reported(tree: Path) -> None:
    (tree / "nodes/b/sysctl.txt").chmod(0)
    (tree / "pods").mkdir(mode=0)
    with open_bundle([tree]) as bundle:
        assert bundle.members == ("cluster/services.json",)
        assert {problem.kind for problem in bundle.problems} == {ProblemKind.UNREADABLE}
        assert [problem.path for problem in bundle.problems] == ["nodes/b/sysctl.txt", "pods"]


def test_a_deep_directory_does_not_exhaust_the_stack(tree: Path) -> None:
    (tree / ("nodes/" + "d/" * 500)).mkdir(parents=True)
    with open_bundle([tree], Limits(path_length=1006)) as bundle:
        assert len(bundle.problems) == 0
    with open_bundle([tree], Limits(path_length=1004)) as bundle:
        assert "--max-path-length" in str(bundle.problems[0])
