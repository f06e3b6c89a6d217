from __future__ import annotations

import pytest

from analyzer.bundle.text import decoded
from analyzer.model.source import ParseProblem


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", ""),
        (b"a\r\nb\rc\n", "a\r\nb\rc\n"),
        (b"\xef\xbb\xbfa", "a"),
        ("ä\u20ac\U0001f600".encode(), "ä\u20ac\U0001f600"),
        (b"a\0b\x1b[2J", "a\0b\x1b[2J"),
    ],
    ids=["empty", "line ends stay", "byte order mark", "UTF-8", "control characters stay"],
)
def test_utf_8_is_text_without_a_problem(content: bytes, text: str) -> None:
    assert decoded("x", content) == (text, ())


@pytest.mark.parametrize(
    ("content", "text", "line", "column", "shown"),
    [
        (b"\xff", "\\xff", 1, 1, "\\xff"),
        (b"a\nb\xc3\xa4\xffc\xfe\nd", "a\nbä\\xffc\\xfe\nd", 2, 3, "bä\\xffc\\xfe"),
        (b"a\r\nb\rc\xff", "a\r\nb\rc\\xff", 3, 2, "c\\xff"),
        (b"\xef\xbb\xbfa\xff", "a\\xff", 1, 2, "a\\xff"),
        (b"cut \xc3", "cut \\xc3", 1, 5, "cut \\xc3"),
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80", 1, 1, "\\xed\\xa0\\x80"),
        (b"x" * 300 + b"\xff", "x" * 300 + "\\xff", 1, 301, "x" * 200),
    ],
    ids=["first byte", "in a line", "all line ends", "byte order mark", "cut", "surrogate", "long"],
)
def test_a_byte_that_is_not_utf_8_is_shown_and_named_once(
    content: bytes, text: str, line: int, column: int, shown: str
) -> None:
    byte = next(byte for byte in content if f"\\x{byte:02x}" in text)
    assert decoded("f", content) == (
        text,
        (ParseProblem("f", line, column, f"byte 0x{byte:02x} is not UTF-8", "UTF-8 text", shown),),
    )


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_read_and_reported(encoding: str) -> None:
    text, problems = decoded("f", "\ufeffä\nb\n".encode(encoding))
    assert text == "ä\nb\n"
    assert [str(problem) for problem in problems] == [
        "f:1: the file is UTF-16, and was read as that (expected UTF-8 text)"
    ]


def test_utf_16_cut_in_a_character_is_read() -> None:
    assert decoded("f", "\ufeffab".encode("utf-16-le") + b"c")[0] == "ab\\x63"
