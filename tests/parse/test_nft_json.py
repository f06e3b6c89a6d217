from __future__ import annotations

import json
from typing import Any

import pytest

from analyzer.parse.document import decode_document
from analyzer.parse.nft_json import decode_nft_ruleset

PATH = "nodes/n/nft-ruleset.json"
TABLE = {"table": {"family": "ip", "name": "nat", "handle": 1}}
CHAIN = {"chain": {"family": "ip", "table": "nat", "name": "PREROUTING", "hook": "prerouting"}}


def rule(family: Any, table: str) -> dict[str, Any]:
    return {"rule": {"family": family, "table": table, "chain": "C", "expr": [{"drop": None}]}}


def chain(table: str, name: str) -> dict[str, Any]:
    return {"chain": {"family": "ip", "table": table, "name": name}}


@pytest.mark.parametrize(
    ("items", "kept"),
    [
        pytest.param([], [], id="nothing loaded"),
        pytest.param([TABLE, CHAIN], [TABLE, CHAIN], id="tables and chains are kept"),
        pytest.param(
            [rule("ip", "nat"), rule("ip6", "filter"), CHAIN],
            [None, None, CHAIN],
            id="rules that iptables-save shows leave their place empty",
        ),
        pytest.param(
            [rule("ip", "kube-proxy"), rule("inet", "filter"), rule("bridge", "nat")],
            [rule("ip", "kube-proxy"), rule("inet", "filter"), rule("bridge", "nat")],
            id="rules of others are kept",
        ),
        pytest.param(
            [chain("nat", "A"), chain("nat", "B"), chain("filter", "C"), CHAIN],
            [chain("nat", "A"), None, chain("filter", "C"), CHAIN],
            id="of the chains of iptables, hooks apart, one of each table is kept",
        ),
        pytest.param(
            [chain("kube-proxy", "A"), chain("kube-proxy", "B")],
            [chain("kube-proxy", "A"), chain("kube-proxy", "B")],
            id="chains of others are kept",
        ),
        pytest.param(
            ["x", None, 7, {"rule": []}, rule(4, "nat")],
            ["x", None, 7, {"rule": []}, rule(4, "nat")],
            id="what is no rule is kept as it is",
        ),
    ],
)
def test_rules_that_iptables_save_shows_are_left_out(items: list[Any], kept: list[Any]) -> None:
    parsed = decode_nft_ruleset(PATH, json.dumps({"nftables": items}).encode())
    assert parsed.problems == ()
    assert parsed.value is not None
    assert parsed.value.content == {"nftables": kept}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"Error: Could not process rule", id="an error"),
        pytest.param(b'{"nftables": [{"rule": {"family": "ip"', id="cut off"),
        pytest.param(b'{"nftables": 1}', id="no list"),
        pytest.param(b'{"nftables": {}, "other": [1]}', id="no list, but more"),
        pytest.param(b"[]", id="an array"),
        pytest.param(b'{"nftables": [{"chain": {"name": "\xff"}}]}', id="no UTF-8"),
        pytest.param(b'{"nftables": [{"set": {"elem": [01, "\\u12"]}}]}', id="no JSON further in"),
        pytest.param(b'{"nftables": [{"table": {}}]}\nKilled', id="text behind"),
        pytest.param(
            b'{"nftables": [{"set": ' + b"[" * 300 + b"]" * 300 + b"}]}", id="nested too deep"
        ),
    ],
)
def test_what_is_damaged_is_read_as_any_document_is(data: bytes) -> None:
    assert decode_nft_ruleset(PATH, data) == decode_document(PATH, data)
