from __future__ import annotations

import pytest

from analyzer.report.remedy import remedy_blocks

PATCH = """kubectl -n default patch service web --type=json -p '[{"op": "add", "path": "/a", "value": 1}]'"""


@pytest.mark.parametrize(
    ("remedy", "blocks"),
    [
        pytest.param(PATCH, [("code", PATCH)], id="a command alone"),
        pytest.param(
            f"Correct its selector: {PATCH}",
            [("paragraph", "Correct its selector:"), ("code", PATCH)],
            id="a command at the end",
        ),
        pytest.param(
            "On node-b:\n  sysctl -w net.ipv4.ip_forward=1\nand keep it.",
            [
                ("paragraph", "On node-b:"),
                ("code", "sysctl -w net.ipv4.ip_forward=1"),
                ("paragraph", "and keep it."),
            ],
            id="a command on its own line",
        ),
        pytest.param(
            "On node-b: ss -lntp shows what has the port; stop it.",
            [("paragraph", "On node-b: ss -lntp shows what has the port; stop it.")],
            id="a sentence about a command is no command",
        ),
        pytest.param(
            "Empty it: iptables -t nat -F (others go with it), then restart kube-proxy",
            [
                (
                    "paragraph",
                    "Empty it: iptables -t nat -F (others go with it), then restart kube-proxy",
                )
            ],
            id="nor is one that goes on",
        ),
        pytest.param(
            "Restart kube-proxy.", [("paragraph", "Restart kube-proxy.")], id="prose alone"
        ),
        pytest.param("", [], id="nothing"),
    ],
)
def test_what_to_type_is_told_from_what_to_read(remedy: str, blocks: list[tuple[str, str]]) -> None:
    assert [(block.kind.value, block.text) for block in remedy_blocks(remedy)] == blocks
