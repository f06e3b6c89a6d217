from __future__ import annotations

import pytest

from analyzer.observe.proxy_reason import reason_in


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
