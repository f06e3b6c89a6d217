from __future__ import annotations

import pytest

from analyzer.model.ruleset import words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("-A FORWARD -j DROP", ("-A", "FORWARD", "-j", "DROP"), id="plain"),
        pytest.param(
            '-A X -m comment --comment "two words" -j DROP',
            ("-A", "X", "-m", "comment", "--comment", "two words", "-j", "DROP"),
            id="quoted",
        ),
        pytest.param(
            r'-A X --comment "a \"b\" \\ $(reboot)" -j DROP',
            ("-A", "X", "--comment", 'a "b" \\ $(reboot)', "-j", "DROP"),
            id="escapes",
        ),
        pytest.param('-A X --comment "" -j DROP', ("-A", "X", "--comment", "", "-j", "DROP"), id="empty"),
    ],
)  # fmt: skip
def test_the_words_of_a_rule_are_what_iptables_is_given(text: str, words: tuple[str, ...]) -> None:
    assert words_of(text) == words
