"""Which finding may explain which other one: the subject of the cause holds that of the effect."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer.checks import catalogue
from analyzer.diagnosis import _covers, _tied
from analyzer.findings import Finding
from analyzer.model.forwarding import ServiceKey
from analyzer.model.severity import Severity
from analyzer.model.source import SourceRef
from analyzer.problems import Evidence, Problem

A, B, C = (ServiceKey("store", name) for name in "abc")


def problem(**subject: Any) -> Problem:
    evidence = (Evidence(SourceRef("cluster/services.json", 1)),)
    return Problem(message="", evidence=evidence, remedy="", **subject)


@pytest.mark.parametrize(
    ("cause", "effect", "covers"),
    [
        pytest.param({}, {"service": A}, True, id="what concerns all"),
        pytest.param({"service": A}, {"service": A}, True, id="the same Service"),
        pytest.param({"service": A}, {"service": B}, False, id="another Service"),
        pytest.param({"service": A}, {}, False, id="one Service does not explain all"),
        pytest.param(
            {"node": "n1"}, {"node": "n1", "service": A}, True, id="a Service on the node"
        ),
        pytest.param({"node": "n1"}, {"node": "n2"}, False, id="another node"),
        pytest.param({"node": "n1"}, {"service": A}, False, id="a node does not explain all nodes"),
        pytest.param({"affects": {A, B}}, {"service": A}, True, id="one of several Services"),
        pytest.param({"affects": {A, B}}, {"service": C}, False, id="none of several Services"),
        pytest.param({"affects": {A, B, C}}, {"affects": {A, B}}, True, id="several of more"),
        pytest.param({"affects": {A, B}}, {"affects": {B, C}}, False, id="several that overlap"),
        pytest.param(
            {"affects": {A, B}}, {"node": "n1"}, False, id="Services do not explain a node"
        ),
        pytest.param(
            {"service": A}, {"affects": {A, B}}, True, id="one of those that share something"
        ),
        pytest.param(
            {"node": "n1", "affects": {A}},
            {"service": A},
            True,
            id="a Service whose pods are there",
        ),
        pytest.param(
            {"node": "n1", "affects": {A}}, {"service": B}, False, id="a Service without pods there"
        ),
        pytest.param(
            {"node": "n1", "affects": {A}}, {"node": "n1"}, True, id="the node with such Services"
        ),
        pytest.param(
            {"node": "n1", "affects": {A}},
            {"node": "n2", "service": A},
            False,
            id="the Service on another node",
        ),
        pytest.param(
            {"node": "n1", "service": A},
            {"node": "n1"},
            False,
            id="a Service there is not the node",
        ),
        pytest.param(
            {"service": A, "port": "http"}, {"service": A, "port": "http"}, True, id="the same port"
        ),
        pytest.param(
            {"service": A, "port": "http"}, {"service": A}, False, id="a port is not the Service"
        ),
    ],
)
def test_covers(cause: dict[str, Any], effect: dict[str, Any], covers: bool) -> None:
    def subject(described: dict[str, Any]) -> dict[str, Any]:
        affects = described.get("affects")
        return described if affects is None else {**described, "affects": frozenset(affects)}

    assert _covers(problem(**subject(cause)), problem(**subject(effect))) is covers


def finding(number: int, slug: str, severity: Severity) -> Finding:
    check = next(c for c in catalogue() if c.slug == slug)
    return Finding(id=f"f{number}", check=check, severity=severity, problem=problem(service=A))


@pytest.mark.parametrize(
    ("severity", "cause"),
    [
        pytest.param(Severity.ERROR, "f1", id="an error explains an error"),
        pytest.param(Severity.INFO, None, id="advice does not explain an error"),
    ],
)
def test_a_cause_is_as_grave(severity: Severity, cause: str | None) -> None:
    selector = finding(1, "selector-matches-no-pods", severity)
    dns = finding(2, "dns-pods-not-ready", Severity.ERROR)
    assert [f.caused_by for f in _tied([selector, dns])] == [None, cause]
