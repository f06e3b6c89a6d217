from __future__ import annotations

import pytest

from analyzer.observe.proxy_reason import place_of_reason, reason_in
from analyzer.parse.klog import parse_log


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(
            "Failed to execute iptables-restore: exit status 2 (iptables-restore v1.8.9 (nf_tables): "
            "Couldn't load target `KUBE-MARK-DROP':No such file or directory\n)\nRules:\n*nat",
            "Couldn't load target `KUBE-MARK-DROP':No such file or directory",
            id="target",
        ),
        pytest.param(
            "Failed to ensure that filter chain X exists: exit status 4: Another app is currently holding "
            "the xtables lock. Stopped waiting after 5s.",
            "Another app is currently holding the xtables lock",
            id="lock",
        ),
        pytest.param(
            "nftables sync failed err=/dev/stdin:892:87-100: Error: Could not process rule: No such file\n\tadd",
            "Error: Could not process rule: No such file",
            id="nft",
        ),
        pytest.param(
            'command failed err=something else rules="*nat"', "something else", id="other words"
        ),
        pytest.param("", "", id="nothing"),
    ],
)
def test_the_words_that_tell_most_are_the_reason(text: str, reason: str) -> None:
    assert reason_in(text) == reason


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        pytest.param(
            (
                '"Failed to execute iptables-restore" err=<',
                "\texit status 1: iptables-restore v1.8.9 (nf_tables):",
                "\tline 12: RULE_APPEND failed (No such file or directory)",
                " > rules=<",
                "\t*nat",
                " >",
            ),
            3,
            id="second line of a value",
        ),
        pytest.param(
            ('"x" rules=<', "\t*nat", "\tCOMMIT", " > err=<", "\tfirst", "\tError: no", " >"),
            6,
            id="second value",
        ),
        pytest.param(
            (
                "Failed to execute iptables-restore: exit status 2 (iptables-restore v1.8.9:",
                "Couldn't load target `KUBE-MARK-DROP':No such file or directory",
                ")",
            ),
            2,
            id="unstructured",
        ),
        pytest.param(('"x" err="exit status 1"',), 1, id="one line"),
        pytest.param(('"x" err=<', "\tnothing known", "\tat all", " >"), 1, id="no such words"),
    ],
)
def test_the_place_of_the_reason_is_the_line_that_shows_it(
    lines: tuple[str, ...], line: int
) -> None:
    text = "E0305 11:59:02.000000       1 proxier.go:1] " + "\n".join(lines)
    (entry,) = parse_log("kube-proxy.log", text, None).value
    assert place_of_reason(entry).line == line
