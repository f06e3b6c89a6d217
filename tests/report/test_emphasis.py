from __future__ import annotations

import pytest

from analyzer.report.emphasis import segments


@pytest.mark.parametrize(
    ("line", "claim", "marked"),
    [
        pytest.param(
            '"run": "hostnames"',
            "selector run=hostnames matches none",
            ["run", "hostnames"],
            id="label",
        ),
        pytest.param(
            "-A KUBE-SVC-AB -j KUBE-SEP-CD",
            "KUBE-SVC-AB jumps to KUBE-SEP-CD, which is empty",
            ["KUBE-SVC-AB", "KUBE-SEP-CD"],
            id="chains",
        ),
        pytest.param(
            "--to-destination 10.0.0.1:80",
            "sends to 10.0.0.1:80.",
            ["10.0.0.1:80"],
            id="longest name",
        ),
        pytest.param(
            ":FORWARD DROP [0:0]",
            "node-b 上 FORWARD 的策略是 DROP\uff1a连接因此丢失",
            ["FORWARD", "DROP"],
            id="Chinese",
        ),
        pytest.param(
            "-d 203.0.113.10/32 --dport 80",
            "admits 192.0.2.7/32 at 80/TCP",
            ["80"],
            id="no length of a prefix",
        ),
        pytest.param("10.0.0.10", "10.0.0.1 is gone", [], id="no part of another address"),
        pytest.param("node-bc", "node-b is gone", [], id="no part of another name"),
        pytest.param("the pod is the pod", "the pod is not ready", [], id="ordinary words"),
        pytest.param("a.*b", "what .* means: ((", [], id="signs are no pattern"),
        pytest.param("", "node-b", [], id="empty line"),
    ],
)
def test_names_and_values_of_the_claim_are_marked(line: str, claim: str, marked: list[str]) -> None:
    pieces = segments(line, claim)
    assert "".join(piece.text for piece in pieces) == line
    assert [piece.text for piece in pieces if piece.decisive] == marked
