"""Shares, names and paths of a trace, for a terminal and as JSON."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from analyzer.model.source import SourceRef
from analyzer.report.terminal import Terminal
from analyzer.report.trace_json import TraceEncoder
from analyzer.report.trace_text import render_trace_text, share_text
from analyzer.simulate.branch import Leg, Step
from analyzer.simulate.outcome import Answer, Backend, Cause, Outcome, Trace, Verdict, settled
from analyzer.simulate.packet import Hook

_STEP = Step(
    "node\x1b[31m-a", Leg.REQUEST, Hook.FORWARD, "filter", "FORWARD", SourceRef("nodes/a/iptables-save.txt", 7),
    ":FORWARD DROP", "policy DROP",
)  # fmt: skip
_DROPPED = Outcome(
    Verdict.DROPPED,
    Fraction(2, 3),
    None,
    "",
    (_STEP,),
    Cause.POLICY,
    "the policy is DROP",
    ("a thing",),
)
_DELIVERED = Outcome(
    Verdict.DELIVERED,
    Fraction(1, 3),
    Backend("fd00::5", 80, "shop/web", "b"),
    "fd00::9",
    (),
    None,
    "",
    (),
)
_ANSWER = Answer(
    "pod:a/b", "10.0.0.1:80", "TCP", Trace((_DROPPED, _DELIVERED), conclusive=True, reason="")
)


def _line(answer: Answer) -> str:
    return TraceEncoder(lambda _place: None).line(answer)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (Fraction(1), "always"),
        (Fraction(715827883, 1 << 31), "1/3 (33.33 %)"),
        (Fraction(33333, 100000), "1/3 (33.33 %)"),
        (Fraction(1, 2), "1/2 (50 %)"),
        (Fraction(95, 100), "19/20 (95 %)"),
        (Fraction(54321, 99991), "54.33 %"),
    ],
)
def test_a_share_is_a_fraction_where_one_is_meant(share: Fraction, text: str) -> None:
    assert share_text(share) == text


def test_the_text_shows_what_decided_and_nothing_that_hides() -> None:
    text = render_trace_text(_ANSWER, {}, Terminal(100, color=False))
    assert text.splitlines() == [
        "pod:a/b -> 10.0.0.1:80 (TCP)",
        "",
        "  2/3 (66.67 %) dropped",
        "    because the policy is DROP",
        "    taken for granted: a thing",
        "    the request",
        "      on node\\x1b[31m-a",
        "        FORWARD filter: policy DROP",
        "          nodes/a/iptables-save.txt:7 :FORWARD DROP",
        "",
        "  1/3 (33.33 %) delivered: [fd00::5]:80 (pod shop/web) on b, which sees fd00::9",
        "",
    ]


def test_doubts_stand_before_everything_else() -> None:
    answer = Answer("a", "b", "TCP", settled(Verdict.INCONCLUSIVE, "no file"))
    assert "not conclusive: no file" in render_trace_text(answer, {}, Terminal(80, color=False))
    assert json.loads(_line(answer))["conclusive"] is False


def test_json_has_the_fields_of_the_contract() -> None:
    found = json.loads(_line(_ANSWER))
    assert (found["from"], found["to"], found["protocol"]) == ("pod:a/b", "10.0.0.1:80", "TCP")
    dropped, delivered = found["outcomes"]
    assert dropped["path"][0] == {
        "node": "node\x1b[31m-a", "packet": "request", "hook": "FORWARD", "table": "filter", "chain": "FORWARD",
        "file": "nodes/a/iptables-save.txt", "line": 7, "rule": ":FORWARD DROP", "effect": "policy DROP",
    }  # fmt: skip
    assert delivered["backend"] == {
        "address": "fd00::5",
        "port": 80,
        "pod": "shop/web",
        "node": "b",
    }
    assert delivered["source"] == {"address": "fd00::9"}
    assert delivered["probability"] == pytest.approx(1 / 3)


def test_a_known_verdict_with_an_unknown_backend_is_not_conclusive_in_json() -> None:
    bound = Trace((_DELIVERED,), conclusive=True, reason="affinity", exact=False)
    found = json.loads(_line(Answer("a", "b", "TCP", bound)))
    assert (found["conclusive"], found["reason"]) == (False, "affinity")
