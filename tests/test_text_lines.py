from __future__ import annotations

from random import Random

import pytest

from analyzer.bundle.text import decoded
from analyzer.model.source import split_lines
from analyzer.text_lines import TextLines

LARGE = "".join(f"line {n}{Random(n).choice(['', ' ' * 200, ' ä'])}\n" for n in range(5000))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"one",
        b"one\n",
        b"\n\none\n\n",
        b"one\r\ntwo\rthree",
        b"\xef\xbb\xbfone\ntwo\n",
        b"bad \xe2\x82\ntwo \xff\n",
        "one\r\ntwo\n".encode("utf-16"),
        LARGE.encode(),
        LARGE.encode().rstrip(b"\n"),
    ],
    ids=lambda content: repr(content[:12]),
)
def test_lines_are_those_of_the_whole_text(content: bytes) -> None:
    whole = split_lines(decoded("f", content)[0])
    lines = TextLines("f", content)
    assert len(lines) == len(whole)
    for first in {-1, 0, 1, 2, 3, 320, 321, 4999, len(whole), len(whole) + 1}:
        for last in (first - 1, first, first + 2):
            assert lines.between(first, last) == whole[max(first - 1, 0) : max(last, 0)]
