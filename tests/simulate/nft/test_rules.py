"""Rules of nft that are damaged, unknown, or only readable in part; the kernel judges the others (tests/kernel)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from analyzer.model.node import Document
from analyzer.model.source import ObjectRef
from analyzer.simulate.branch import Ending, Fate
from analyzer.simulate.nft.text import rule_text
from tests.simulate.lab import Result, host, packet, rules, send

_DADDR = {"payload": {"protocol": "ip", "field": "daddr"}}
_DPORT = {"payload": {"protocol": "tcp", "field": "dport"}}
_CHAIN = {
    "family": "ip",
    "table": "t",
    "name": "f",
    "type": "filter",
    "hook": "forward",
    "prio": 0,
    "policy": "accept",
}


def _sent(*expressions: Any, others: tuple[dict[str, Any], ...] = ()) -> list[Result]:
    rule = {"rule": {"family": "ip", "table": "t", "chain": "f", "expr": list(expressions)}}
    content = {
        "nftables": [{"table": {"family": "ip", "name": "t"}}, {"chain": _CHAIN}, *others, rule]
    }
    document = Document(content, ObjectRef("nft-ruleset.json", -1))
    where = replace(host(rules("*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n")), nft=document)
    return send(where, packet("198.51.100.7", "203.0.113.5", 80))


def _match(left: Any, right: Any, operator: str = "==") -> dict[str, Any]:
    return {"match": {"op": operator, "left": left, "right": right}}


_DROP = {"drop": None}


@pytest.mark.parametrize(
    "expressions",
    [
        [{"limit": {"rate": 1, "per": "second"}}, _DROP],
        [_match(_DADDR, "@nowhere"), _DROP],
        [_match({"meta": {"key": "skuid"}}, 0), _DROP],
        [_match({"osf": {"key": "name"}}, "Linux"), _DROP],
        [_match({"fib": {"result": "oif", "flags": ["saddr", "iif"]}}, 0), _DROP],
        [{"xt": None}],
        [{"queue": {"num": 1}}],
        [{"tproxy": {"port": 80}}],
        [{"jump": {"target": "gone"}}],
        [{"vmap": {"key": _DADDR, "data": "@gone"}}],
        [{"dnat": {"addr": {"map": {"key": _DADDR, "data": "@x"}}}}],
        [{"unheard-of": 1}],
        [{"match": 5}, _DROP],
        [{"vmap": 5}],
        [{"dnat": {"addr": 1 << 70}}, _DROP],
        [{"mangle": {"key": {"meta": {"key": "mark"}}, "value": 1}}, _match({"meta": {"key": "mark"}}, 1), _DROP],
    ],
    ids=[
        "limit", "set that is not there", "owner", "expression", "reverse path", "xt", "queue", "tproxy",
        "chain that is not there", "map that is not there", "map of addresses", "statement", "damaged match",
        "damaged map", "no address",
        "mark that the rule itself set",
    ],
)  # fmt: skip
def test_what_is_not_modelled_is_never_a_silent_match(expressions: list[Any]) -> None:
    results = _sent(*expressions)
    unsure = [r for r in results if r.way.branch.suppositions]  # type: ignore[union-attr]
    ended = [r for r in results if isinstance(r.way, Ending) and r.way.fate is Fate.INCONCLUSIVE]
    assert unsure or ended


@pytest.mark.parametrize(
    ("expressions", "verdict"),
    [
        ([_match(_DADDR, {"prefix": {"addr": "203.0.113.0", "len": 24}}), _DROP], "dropped"),
        ([_match(_DADDR, {"range": ["203.0.113.1", "203.0.113.9"]}), _DROP], "dropped"),
        ([_match(_DPORT, {"set": [443, {"range": [70, 90]}]}), _DROP], "dropped"),
        ([_match(_DPORT, 80, "!="), _DROP], "out"),
        ([_match({"payload": {"protocol": "udp", "field": "dport"}}, 80, "!="), _DROP], "out"),
        ([_match({"payload": {"protocol": "ip6", "field": "daddr"}}, "::1", "!="), _DROP], "out"),
        ([{"counter": {"packets": 1}}, {"log": None}, {"comment": "x"}], "out"),
        ([{"limit": {"rate": 1}}, {"log": None}], "out"),
        ([{"reject": {"type": "icmp", "expr": "port-unreachable"}}], "rejected"),
    ],
    ids=["prefix", "range", "set", "not", "other protocol", "other family", "no effect", "limited log", "reject"],
)  # fmt: skip
def test_a_rule_does(expressions: list[Any], verdict: str) -> None:
    (result,) = _sent(*expressions)
    assert result.verdict == verdict


def test_chances_are_those_of_numgen() -> None:
    lookup = {"numgen": {"mode": "random", "mod": 4, "offset": 0}}
    elements = [[0, _DROP], [{"range": [1, 2]}, {"accept": None}], [3, {"reject": None}]]
    results = _sent({"vmap": {"key": lookup, "data": {"set": elements}}})
    assert [(r.verdict, r.chance) for r in results] == [
        ("dropped", 0.25),
        ("out", 0.5),
        ("rejected", 0.25),
    ]


def test_a_step_names_the_rule_in_the_file() -> None:
    (result,) = _sent(_match(_DADDR, "203.0.113.5"), _DROP)
    step = result.steps[-1]
    assert (step.table, step.chain, step.text) == ("ip t", "f", "ip daddr 203.0.113.5 drop")
    assert step.source == ObjectRef("nft-ruleset.json", -1, ("nftables", 2, "rule"))


def test_a_large_verdict_map_is_looked_up() -> None:
    elements = [
        [{"concat": [f"203.0.113.{i}", 80]}, {"goto": {"target": "end"}}] for i in range(250)
    ]
    named = {"map": {"family": "ip", "table": "t", "name": "m", "elem": elements}}
    end = {"chain": {"family": "ip", "table": "t", "name": "end"}}
    drop = {"rule": {"family": "ip", "table": "t", "chain": "end", "expr": [_DROP]}}
    lookup = {"vmap": {"key": {"concat": [_DADDR, _DPORT]}, "data": "@m"}}
    (result,) = _sent(lookup, others=(named, end, drop))
    assert result.verdict == "dropped"
    assert "goto end (203.0.113.5 . 80)" in {step.effect for step in result.steps}


@pytest.mark.parametrize(
    ("expressions", "text"),
    [
        ([_match(_DPORT, {"set": [1, 2, 3, 4, 5]}), _DROP], "tcp dport { 1, 2, 3, 4, … } drop"),
        ([_match({"ct": {"key": "state"}}, "new", "in"), {"accept": None}], "ct state new accept"),
        ([{"payload": 5}, {"match": {}}], 'payload {"match": {}}'),
        ([{"dnat": {"addr": "10.0.0.1", "port": 80}}], "dnat to 10.0.0.1:80"),
        (
            [{"vmap": {"key": _DADDR, "data": {"set": [["10.0.0.1", _DROP]]}}}],
            "ip daddr vmap { 10.0.0.1 : drop }",
        ),
        ([_match({"&": [{"meta": {"key": "mark"}}, 16]}, 0, "!=")], "meta mark & 16 != 0"),
    ],
    ids=["long set", "state", "damaged", "dnat", "map", "bits"],
)
def test_a_rule_is_shown_in_nfts_words(expressions: list[Any], text: str) -> None:
    assert rule_text(expressions) == text
