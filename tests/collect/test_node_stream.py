from __future__ import annotations

import hashlib
import io
import tracemalloc
from typing import BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.collect.node_stream import NodeStream, Why, read_node_stream
from analyzer.errors import BundleUnreadableError
from tests.collect.node_frames import DONE, FIRST_LINE, NONCE, Dribble, Kept, frame


def _read(stream: bytes, size: int = 1 << 16) -> tuple[NodeStream, dict[str, bytes]]:
    kept = Kept()
    return read_node_stream(cast("BinaryIO", Dribble(stream, size)), kept), kept.contents


def test_a_whole_stream_gives_every_file_with_how_it_came() -> None:
    stream = (
        FIRST_LINE
        + frame("iptables-save.txt", b"*nat\nCOMMIT", b"# Warning: legacy\n")
        + f"{NONCE} unavailable ip-rule.txt\tip rule\tno ip here\n".encode()
        + frame("hairpin.txt", b"")
        + DONE
    )
    read, contents = _read(stream)
    assert (read.node, read.complete, read.problem) == ("node-a", True, "")
    assert contents == {"iptables-save.txt": b"*nat\nCOMMIT", "hairpin.txt": b""}
    rules = read.files[0]
    assert rules.command == ("iptables-save", "-c")
    assert rules.started_at == "2026-11-23T03:01:34.120Z"
    assert (rules.duration_ms, rules.exit_code, rules.stderr) == (84, 0, "# Warning: legacy")
    assert (rules.bytes, rules.truncated) == (11, False)
    assert rules.sha256 == hashlib.sha256(b"*nat\nCOMMIT").hexdigest()
    (missing,) = read.missing
    assert (missing.name, missing.command) == ("ip-rule.txt", ("ip", "rule"))
    assert (missing.reason, missing.why) == ("no ip here", Why.UNAVAILABLE)


_NEAR_FRAMES = st.sampled_from(
    [
        b"\n",
        NONCE.encode(),
        b"\n" + NONCE.encode(),
        b"\n" + NONCE.encode()[:-1] + b" done\n",
        FIRST_LINE,
        b"\n0123456789abcdef0123456789abcdee stderr 0 1 0\n",
        b"\r\n",
        b"\0",
    ]
)
_CONTENT = st.lists(st.one_of(st.binary(max_size=40), _NEAR_FRAMES), max_size=6).map(b"".join)
_CONTENT = _CONTENT.filter(lambda content: b"\n" + NONCE.encode() + b" " not in b"\n" + content)


@given(first=_CONTENT, second=_CONTENT, stderr=_CONTENT, size=st.integers(1, 90))
def test_content_comes_back_byte_by_byte_whatever_it_is(
    first: bytes, second: bytes, stderr: bytes, size: int
) -> None:
    stream = (
        FIRST_LINE + frame("iptables-save.txt", first, stderr) + frame("kubelet.log", second) + DONE
    )
    read, contents = _read(stream, size)
    assert contents == {"iptables-save.txt": first, "kubelet.log": second}
    assert read.files[0].stderr == stderr.decode(errors="backslashreplace").strip()
    assert read.complete
    assert not read.problem


@given(first=_CONTENT, second=_CONTENT, at=st.floats(0, 1, exclude_max=True))
def test_a_stream_cut_anywhere_gives_whole_files_and_says_which_one_is_not(
    first: bytes, second: bytes, at: float
) -> None:
    frames = [frame("iptables-save.txt", first, b"careful"), frame("kubelet.log", second)]
    body = b"".join(frames) + DONE
    read, contents = _read(FIRST_LINE + body[: int(at * (len(body) - 1))], 33)
    assert not read.complete
    assert "breaks off" in read.problem
    whole = {"iptables-save.txt": first, "kubelet.log": second}
    for file in read.files:
        if file.truncated:
            assert whole[file.name].startswith(contents[file.name])
            assert file.exit_code is None
        else:
            assert contents[file.name] == whole[file.name]
        assert file.sha256 == hashlib.sha256(contents[file.name]).hexdigest()
    assert {f.name for f in read.files} == contents.keys()
    assert all(m.why is Why.FAILED and m.name not in contents for m in read.missing)


@pytest.mark.parametrize(
    "name",
    [
        "../manifest.json",
        "/etc/passwd",
        "manifest.json",
        "..",
        "a/b",
        "iptables-save.txt\0",
        "x" * 5000,
    ],
)
def test_a_name_that_no_file_of_a_node_has_is_refused(name: str) -> None:
    read, contents = _read(FIRST_LINE + frame(name, b"evil") + frame("sysctl.txt", b"a") + DONE)
    assert contents == {"sysctl.txt": b"a"}
    assert [f.name for f in read.files] == ["sysctl.txt"]
    assert not read.missing
    assert read.problem
    assert read.complete


def test_a_name_that_comes_twice_is_kept_once() -> None:
    read, contents = _read(
        FIRST_LINE
        + frame("sysctl.txt", b"first")
        + frame("sysctl.txt", b"second")
        + f"{NONCE} failed sysctl.txt\t\tno\n".encode()
        + DONE
    )
    assert contents == {"sysctl.txt": b"first"}
    assert len(read.files) == 1
    assert not read.missing
    assert "twice" in read.problem


@pytest.mark.parametrize(
    ("stderr", "status", "reason"),
    [
        (b"\niptables: Permission denied\nmore", 4, "exit status 4: iptables: Permission denied"),
        (b"", 1, "exit status 1"),
        (b"whatever", 124, "ended at its time limit"),
    ],
)
def test_a_command_that_fails_and_says_nothing_is_no_empty_file(
    stderr: bytes, status: int, reason: str
) -> None:
    read, contents = _read(
        FIRST_LINE + frame("iptables-save.txt", b"", stderr, status=status) + DONE
    )
    assert not contents
    assert [(m.name, m.reason, m.why) for m in read.missing] == [
        ("iptables-save.txt", reason, Why.FAILED)
    ]


@pytest.mark.parametrize(("status", "cut"), [(1, 0), (124, 0), (0, 1)])
def test_a_file_that_may_lack_something_is_truncated(status: int, cut: int) -> None:
    read, contents = _read(
        FIRST_LINE + frame("iptables-save.txt", b"*nat\n", status=status, cut=cut) + DONE
    )
    assert contents == {"iptables-save.txt": b"*nat\n"}
    assert read.files[0].truncated
    assert read.files[0].exit_code == status


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (b"", "not the output of node.sh"),
        (b"hello\n" * 99999, "not the output of node.sh"),
        (b"x" * 9_000_000, "not the output of node.sh"),
        (FIRST_LINE.replace(b"\n", b"\r\n") + b"more\r\n", "changed on the way"),
        (FIRST_LINE.decode().encode("utf-16"), "changed on the way"),
        (
            FIRST_LINE.replace(b"node-v1", b"node-v2").replace(b"/v1", b"/v2"),
            "not the output of node.sh",
        ),
    ],
    ids=["empty", "text", "one line", "crlf", "utf-16", "version"],
)
def test_what_is_no_stream_is_said_to_be_none(stream: bytes, words: str) -> None:
    with pytest.raises(BundleUnreadableError, match=words):
        read_node_stream(io.BytesIO(stream), Kept())


@pytest.mark.parametrize("node", ["../x", "..", "", "a b", "a\x1b[2J", "-rf", "a" * 254])
def test_a_node_whose_name_is_no_name_is_refused(node: str) -> None:
    with pytest.raises(BundleUnreadableError):
        _read(FIRST_LINE.replace(b"node-a", node.encode()) + DONE)


def test_a_login_may_greet_before_the_first_line() -> None:
    read, _contents = _read(b"Welcome to \xff node-a\n\n" + FIRST_LINE + DONE)
    assert read.complete
    assert not read.problem


def test_a_stream_with_another_nonce_than_the_one_sent_is_refused() -> None:
    stream = FIRST_LINE + DONE
    assert read_node_stream(io.BytesIO(stream), Kept(), nonce=NONCE).complete
    with pytest.raises(BundleUnreadableError):
        read_node_stream(io.BytesIO(stream), Kept(), nonce=NONCE[::-1])


def test_a_forged_frame_is_content() -> None:
    other = NONCE[::-1]
    forged = (
        f"x\n{other} stderr 0 1 0\n\n{other} end\n{other} file sysctl.txt - x\n"
        f"svcbundle-node/v1 {other} node-b\n{other} done\n"
    ).encode()
    read, contents = _read(FIRST_LINE + frame("kubelet.log", forged) + DONE)
    assert contents == {"kubelet.log": forged}
    assert [f.name for f in read.files] == ["kubelet.log"]
    assert read.node == "node-a"


def test_output_between_the_files_is_passed_over_and_said() -> None:
    read, contents = _read(
        FIRST_LINE
        + b"sh: 1: out of memory\n"
        + frame("sysctl.txt", b"a")
        + f"{NONCE} nonsense\n{NONCE} end\n".encode()
        + DONE
    )
    assert contents == {"sysctl.txt": b"a"}
    assert read.complete
    assert "between the files" in read.problem
    assert "unknown form" in read.problem


def test_a_file_over_the_limit_is_kept_up_to_it() -> None:
    kept = Kept()
    stream = FIRST_LINE + frame("sysctl.txt", b"0123456789") + frame("hairpin.txt", b"01") + DONE
    read = read_node_stream(io.BytesIO(stream), kept, file_bytes=4)
    assert kept.contents == {"sysctl.txt": b"0123", "hairpin.txt": b"01"}
    assert [f.truncated for f in read.files] == [True, False]
    assert read.complete


def test_a_disk_that_is_full_is_not_taken_for_a_bad_stream() -> None:
    def keep(_name: str) -> BinaryIO:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        read_node_stream(io.BytesIO(FIRST_LINE + frame("sysctl.txt", b"a") + DONE), keep)


def test_memory_does_not_grow_with_what_comes() -> None:
    class Endless(io.RawIOBase):
        """One frame of 64 MB in a line, then complaints as large, then lines that belong to nothing."""

        def __init__(self) -> None:
            super().__init__()
            head = FIRST_LINE + f"{NONCE} file kubelet.log - x\n".encode()
            middle = f"\n{NONCE} stderr 0 1 0\n".encode()
            self._pieces = iter(
                [head, *_BULK, middle, *_BULK, f"\n{NONCE} end\n".encode(), *_BULK, b"\n", DONE]
            )

        def read(self, _count: int = -1) -> bytes:
            return next(self._pieces, b"")

    class Nowhere(io.BytesIO):
        def write(self, content: object) -> int:
            return len(cast("bytes", content))

    tracemalloc.start()
    read = read_node_stream(cast("BinaryIO", Endless()), lambda _name: Nowhere())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read.files[0].bytes == 64 << 20
    assert read.complete
    assert peak < 2 << 20


_BULK = [b"x" * 65536] * 1024
