"""Numbers and lists are said as words."""

from __future__ import annotations

import pytest

from analyzer.phrases import counted, listed, shortened


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [
        (1, "pod", "1 pod"),
        (2, "pod", "2 pods"),
        (1000, "address", "1,000 addresses"),
        (0, "pod", "0 pods"),
    ],
)
def test_counted(number: int, noun: str, said: str) -> None:
    assert counted(number, noun) == said


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (["a", "b", "c", "d"], "a, b and 2 more"),
    ],
)
def test_listed(items: list[str], said: str) -> None:
    assert listed(items) == said


def test_shortened_text_stays_on_one_line() -> None:
    assert shortened("one\n  two\tthree") == "one two three"
    assert len(shortened("x" * 500)) == 160
    assert shortened("x" * 500).endswith("…")
