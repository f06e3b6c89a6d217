from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.report.visible import cells, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("kube-dns", "kube-dns", id="ordinary text stays"),
        pytest.param("服务 naïve 🚀", "服务 naïve 🚀", id="letters of any script stay"),
        pytest.param("\x1b[2J", r"\x1b[2J", id="ANSI escape"),
        pytest.param("\x9b2J", r"\x9b2J", id="C1 control sequence introducer"),
        pytest.param("a\r\n\tb", r"a\r\n\tb", id="line ends and tabs"),
        pytest.param("\u202egnp.exe", r"\u202egnp.exe", id="right-to-left override"),
        pytest.param("\u2066x\u2069", r"\u2066x\u2069", id="bidirectional isolates"),
        pytest.param("we\u200bb", r"we\u200bb", id="zero-width space"),
        pytest.param("\ufeffx", r"\ufeffx", id="byte-order mark"),
        pytest.param("\udce4", r"\udce4", id="lone surrogate"),
        pytest.param("\U000e0041", r"\U000e0041", id="tag character"),
        pytest.param("\x00\x7f", r"\x00\x7f", id="NUL and DEL"),
    ],
)
def test_hidden_characters_become_escapes(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_no_control_format_surrogate_or_line_separator_is_left() -> None:
    every = (chr(number) for number in range(sys.maxunicode + 1))
    left = {
        f"{ord(character):04x}"
        for character in every
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        and visible(character) == character
    }
    printed = {  # signs that stand before digits, or musical and shorthand marks: they are seen
        *(f"{n:04x}" for n in (*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2)),
        *(f"{n:04x}" for n in (0x110BD, 0x110CD)),
    }
    formats = {f"{n:04x}" for n in (*range(0x13430, 0x13440), *range(0x1BCA0, 0x1BCA4))}
    assert left <= printed | formats


@given(st.text(st.characters(codec=None)))
def test_visible_text_is_one_line_of_utf8_and_stays_as_it_is(text: str) -> None:
    shown = visible(text)
    assert len(shown.splitlines()) <= 1
    assert shown.encode().decode() == shown
    assert visible(shown) == shown


@pytest.mark.parametrize(
    ("text", "columns"), [("web", 3), ("服务", 4), ("e\u0301", 1), ("\uff21", 2), ("…", 1)]
)
def test_width_is_counted_in_columns(text: str, columns: int) -> None:
    assert cells(text) == columns
