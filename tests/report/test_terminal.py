from __future__ import annotations

import pytest

from analyzer.report.terminal import Paint, Terminal, pad, shorten


def test_lines_break_at_blanks_only() -> None:
    terminal = Terminal(width=20, color=False)
    assert list(terminal.wrap("see nodes/node-a/iptables-save.txt:221 there", "- ")) == [
        "- see",
        "  nodes/node-a/iptables-save.txt:221",
        "  there",
    ]


def test_wide_characters_count_as_two_columns() -> None:
    assert list(Terminal(width=9, color=False).wrap("服务 服务 服务")) == ["服务 服务", "服务"]


def test_colour_takes_no_columns() -> None:
    terminal = Terminal(width=11, color=True)
    painted = f"{terminal.paint('Error', Paint.BAD)} abcde"
    assert list(terminal.wrap(painted)) == [painted]


def test_nothing_is_painted_without_colour() -> None:
    assert Terminal(width=80, color=False).paint("Error", Paint.BAD) == "Error"


def test_padding_counts_columns() -> None:
    assert pad("服务", 6) == "服务  "


@pytest.mark.parametrize(
    ("text", "columns", "keep", "shown"),
    [
        pytest.param("short", 9, (0, 0), "short", id="what fits stays"),
        pytest.param("0123456789abc", 9, (0, 0), "01234567…", id="the beginning"),
        pytest.param(
            "0123456789abcdefghij", 9, (10, 13), "…89abcde…", id="around the part to keep"
        ),
        pytest.param("0123456789abcdefghij", 9, (17, 20), "…cdefghij", id="up to the end"),
        pytest.param("服务服务服务", 7, (0, 0), "服务服…", id="wide characters"),
    ],
)
def test_shortening_keeps_the_decisive_part(
    text: str, columns: int, keep: tuple[int, int], shown: str
) -> None:
    assert shorten(text, columns, keep) == shown
