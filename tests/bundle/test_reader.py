from __future__ import annotations

import gzip
import multiprocessing
import os
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from analyzer.bundle.problem import ProblemKind
from analyzer.bundle.reader import open_bundle
from analyzer.errors import BundleUnreadableError, UsageError

SERVICES = ("b/cluster/services.json", b'{"items": []}')
SYSCTL = ("b/nodes/node-1.example.com/sysctl.txt", b"net.ipv4.ip_forward = 1\n")
_OPEN_FILES = Path("/proc/self/fd")
MEMBERS = ("cluster/services.json", "nodes/node-1.example.com/sysctl.txt")


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz", "w:"])
@pytest.mark.parametrize(
    "tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
)
def test_every_kind_of_archive_is_read_whatever_its_name(
    pack: Callable[..., Path], mode: str, tar_format: int
) -> None:
    path = pack(SERVICES, SYSCTL, name="bundle.bin", mode=mode, tar_format=tar_format)
    with open_bundle([path]) as bundle:
        assert bundle.members == MEMBERS
        assert bundle.problems == ()
        assert bundle.read(MEMBERS[1]) == SYSCTL[1]
        assert bundle.read(MEMBERS[0]) == SERVICES[1]
        assert bundle.size(MEMBERS[1]) == len(SYSCTL[1])
        assert bundle.text(MEMBERS[1]) == ("net.ipv4.ip_forward = 1\n", ())
        assert bundle.name == str(path)


def test_a_directory_reads_like_an_archive(lay_out: Callable[..., Path]) -> None:
    folder = lay_out(SERVICES, SYSCTL)
    for root in (folder, folder / "b"):
        with open_bundle([root]) as bundle:
            assert bundle.members == MEMBERS
            assert [bundle.read(path) for path in MEMBERS] == [SERVICES[1], SYSCTL[1]]
            assert bundle.problems == ()


@pytest.mark.parametrize(
    ("names", "members"),
    [
        (["nodes/a/x", "manifest.json"], ["manifest.json", "nodes/a/x"]),
        (["./nodes/a/x", "./cluster/y"], ["cluster/y", "nodes/a/x"]),
        (["./b/nodes/a/x", "./b//cluster/./y"], ["cluster/y", "nodes/a/x"]),
        (["nodes/a/x"], ["nodes/a/x"]),
        (["b/pods/default/web/hosts"], ["pods/default/web/hosts"]),
        (["b/nodes/a/x", "._b", ".DS_Store", "__MACOSX/b"], ["nodes/a/x"]),
        (["tmp/case-7/b/nodes/a/x", "tmp/case-7/b/manifest.json"], ["manifest.json", "nodes/a/x"]),
        (["cluster/manifest.json", "cluster/cluster/y"], ["cluster/y", "manifest.json"]),
        (["cluster/y", "nodes/a/manifest.json"], ["cluster/y", "nodes/a/manifest.json"]),
        (["b/manifest.json"], ["manifest.json"]),
        (["b/nodes/cluster/x", "b/pods/nodes/web/y"], ["nodes/cluster/x", "pods/nodes/web/y"]),
        (["b/nodes/a/x", "b/later/z"], ["later/z", "nodes/a/x"]),
    ],
    ids=[
        "no top-level directory",
        "dot",
        "dot and top-level directory",
        "a section alone is not the top-level directory",
        "pods alone",
        "litter beside the top-level directory",
        "wrapped deeply",
        "top-level directory named like a section",
        "a node's file named like the manifest",
        "manifest alone",
        "node and namespace named like a section",
        "files of a later format",
    ],
)
def test_paths_are_relative_to_the_bundles_root(
    pack: Callable[..., Path], names: list[str], members: list[str]
) -> None:
    with open_bundle([pack(*((name, b"{}") for name in names))]) as bundle:
        assert list(bundle.members) == members
        assert [p for p in bundle.problems if p.path != "manifest.json"] == []


def test_a_second_bundle_in_an_archive_is_named_and_not_mixed_in(pack: Callable[..., Path]) -> None:
    with open_bundle([pack(("b/nodes/a/x", b"1"), ("c/nodes/a/x", b"2"))]) as bundle:
        assert bundle.members == ("nodes/a/x",)
        assert bundle.read("nodes/a/x") == b"1"
        assert [str(problem) for problem in bundle.problems] == [
            "c/: another bundle beside b/; give it as an input of its own"
        ]


def _empty(folder: Path) -> Path:
    path = folder / "empty.tgz"
    path.touch()
    return path


def _written(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content)
        return path

    return write


def _fifo(folder: Path) -> Path:
    path = folder / "fifo"
    os.mkfifo(path)
    return path


def _directory(*names: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        for name in names:
            path = folder / "d" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
        (folder / "d").mkdir(exist_ok=True)
        return folder / "d"

    return make


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "absent.tgz", "absent.tgz: No such file or directory; expected"),
        (lambda folder: _empty(folder) / "b.tgz", "Not a directory; expected a bundle"),
        (_empty, "empty.tgz: the file is empty; expected a tar archive (plain, gzip, bzip2 or xz)"),
        (
            _written("x", b"<!DOCTYPE html>\x1b[2J"),
            "no archive (begins with “<!DOCTYPE html>\\x1b[2J”)",
        ),
        (_written("x", b"\xff" * 600), "no archive (begins with “\\xff"),
        (_written("x", b"PK\x03\x04rest"), "the file is a zip archive; expected a tar archive"),
        (_written("x", b"\x28\xb5\x2f\xfdrest"), "the file is compressed by zstd"),
        (_written("x", b"\x1f\x8b"), "nothing of a bundle could be read"),
        (_written("x", b"\x1f\x8b\x08garbage that is no deflate"), "its gzip data are damaged"),
        (_written("x", bytes(10240)), "x: holds no file of a bundle; expected a bundle"),
        (_fifo, "fifo: neither a file nor a directory"),
        (
            _directory(),
            "d: holds no file of a bundle; expected a bundle: an archive or a directory",
        ),
        (_directory("README"), "with manifest.json, cluster/, nodes/ or pods/"),
        (_directory("bundle.tgz"), "d/bundle.tgz?)"),
    ],
    ids=[
        "missing",
        "below a file",
        "empty",
        "html",
        "binary",
        "zip",
        "zstd",
        "two bytes",
        "bad deflate",
        "empty tar",
        "fifo",
        "empty directory",
        "directory without a bundle",
        "directory with an archive",
    ],
)
def test_what_is_no_bundle_is_said_with_its_path_and_what_was_expected(
    tmp_path: Path, make: Callable[[Path], Path], said: str
) -> None:
    path = make(tmp_path)
    with pytest.raises(BundleUnreadableError) as refusal:
        open_bundle([path])
    assert str(refusal.value).startswith(str(path))
    assert said in str(refusal.value)
    assert "expected" in str(refusal.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_read_permission_is_said(pack: Callable[..., Path]) -> None:
    path = pack(SERVICES)
    path.chmod(0)
    with pytest.raises(BundleUnreadableError, match="Permission denied"):
        open_bundle([path])


def test_an_archive_that_holds_no_tar_is_said(tmp_path: Path) -> None:
    path = tmp_path / "iptables-save.txt.gz"
    path.write_bytes(gzip.compress(b"*nat\n-A KUBE-SERVICES\n" * 100))
    with pytest.raises(BundleUnreadableError, match="a header of the archive is wrong"):
        open_bundle([path])


def test_no_input_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="no bundle was named"):
        open_bundle([])


def test_inputs_are_merged_the_first_wins_and_only_other_content_is_reported(
    pack: Callable[..., Path],
) -> None:
    one = pack(SERVICES, ("b/nodes/a/x", b"1"), name="one.tgz")
    two = pack(("nodes/a/x", b"2"), ("nodes/b/x", b"3"), (SERVICES[0][2:], SERVICES[1]), name="two")
    with open_bundle([one, two]) as bundle:
        assert bundle.name == f"{one}, {two}"
        assert bundle.members == ("cluster/services.json", "nodes/a/x", "nodes/b/x")
        assert [bundle.read(path) for path in bundle.members] == [SERVICES[1], b"1", b"3"]
        (problem,) = bundle.problems
        assert (problem.kind, problem.source) == (ProblemKind.UNSAFE, str(two))
        assert str(problem) == (
            f"nodes/a/x: refused: {one} has it with other content, which is used"
        )


def test_of_two_inputs_one_that_is_no_bundle_is_an_error(
    pack: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(BundleUnreadableError, match=r"empty\.tgz: the file is empty"):
        open_bundle([pack(SERVICES), _empty(tmp_path)])


def test_a_bundle_is_not_looked_for_at_any_depth(pack: Callable[..., Path]) -> None:
    with pytest.raises(BundleUnreadableError, match="holds no file of a bundle"):
        open_bundle([pack(("1/2/3/4/5/nodes/a/x", b"x"))])


@pytest.mark.skipif(not _OPEN_FILES.exists(), reason="only Linux lists open files")
def test_closing_gives_back_all_files(
    pack: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analyzer.bundle.store._IN_MEMORY", 0)
    before = len(list(_OPEN_FILES.iterdir()))
    one, two = pack(SERVICES, name="one.tgz"), pack(SYSCTL, name="two", mode="w:")
    with open_bundle([one, two]) as bundle:
        assert len(list(_OPEN_FILES.iterdir())) == before + 2
    assert bundle.members
    assert len(list(_OPEN_FILES.iterdir())) == before


def test_a_path_that_is_no_member_is_a_key_error(pack: Callable[..., Path]) -> None:
    with open_bundle([pack(SERVICES)]) as bundle, pytest.raises(KeyError):
        bundle.read("cluster/pods.json")


def test_members_beyond_what_memory_keeps_are_read_in_any_order(
    pack: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = {f"nodes/n{index}/x": os.urandom(3000 + index) for index in range(50)}
    monkeypatch.setattr("analyzer.bundle.store._IN_MEMORY", 10_000)
    for mode in ("w:gz", "w:"):
        with open_bundle([pack(*contents.items(), mode=mode)]) as bundle:
            for path in (*reversed(bundle.members), *bundle.members):
                assert bundle.read(path) == contents[path]
                assert b"".join(bundle.pieces(path, 1000)) == contents[path]
                assert max(map(len, bundle.pieces(path, 1000))) == 1000


def test_a_forked_process_reads_the_same_bytes(
    pack: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analyzer.bundle.store._IN_MEMORY", 0)
    contents = {f"nodes/n{index}/x": bytes([index]) * 5000 for index in range(40)}
    with open_bundle([pack(*contents.items())]) as bundle:

        def check() -> None:
            sys.exit(any(bundle.read(path) != contents[path] for path in bundle.members * 50))

        fork = multiprocessing.get_context("fork")
        processes = [fork.Process(target=check) for _ in range(2)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0, 0]


def test_nothing_is_written_under_a_members_name(
    pack: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analyzer.bundle.store._IN_MEMORY", 0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = pack(SERVICES, SYSCTL)
    with open_bundle([path]) as bundle:
        bundle.read(MEMBERS[0])
        assert list(tmp_path.iterdir()) == [path]


def test_without_room_for_temporary_files_the_user_is_told(
    pack: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analyzer.bundle.store._IN_MEMORY", 0)
    monkeypatch.setattr("tempfile.tempdir", "/dev/full")
    with pytest.raises(BundleUnreadableError, match=r"b\.tgz: .* temporary file, .*TMPDIR"):
        open_bundle([pack(SERVICES)])


def test_every_capture_opens_without_a_problem(shared: Path) -> None:
    for path in sorted(shared.glob("captures/*/bundle.tgz")):
        with open_bundle([path]) as bundle:
            assert bundle.problems == (), path
            assert bundle.unverified == (), path
            assert len(bundle.members) > 30, path
