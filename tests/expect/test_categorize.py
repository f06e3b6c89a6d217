"""kube-proxy's choice of endpoints, by traffic policy, node, zone, hints and version (facts A.6)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from analyzer.expect.behaviour import Behaviour, possibilities
from analyzer.expect.categorize import (
    CLUSTER_POLICY,
    Locality,
    Outcome,
    TrafficPolicy,
    decide,
)
from analyzer.model.backend import Backend
from tests.expect.builders import backend, kube_proxy

INTERNAL = replace(CLUSTER_POLICY, internal_local=True)
EXTERNAL = replace(CLUSTER_POLICY, external_local=True)
BOTH = replace(INTERNAL, external_local=True)
ANNOTATED = replace(CLUSTER_POLICY, hints_annotated=True)
HERE = Locality("a", "z1")


def behaviour(version: str) -> Behaviour:
    return possibilities(kube_proxy(version))[0].behaviour


def backends(text: str, **changes: Any) -> tuple[Backend, ...]:
    """`1a 2b!`: addresses with their node; `-` not ready, `!` leaving but serving, `x` leaving."""
    states: dict[str, dict[str, Any]] = {
        "": {},
        "-": {"ready": False, "serving": False},
        "!": {"ready": False, "terminating": True},
        "x": {"ready": False, "serving": False, "terminating": True},
    }
    return tuple(backend(w[0], w[1], **states[w[2:]], **changes) for w in text.split())


def shown(outcome: Outcome) -> str:
    """Addresses, or what happens without."""
    return "".join(b.endpoint.address for b in outcome.backends) or outcome.action.value


@pytest.mark.parametrize(
    ("version", "policy", "endpoints", "expected"),
    [
        ("1.30", CLUSTER_POLICY, "1a 2b 3b-", "12 12 12"),
        ("1.30", CLUSTER_POLICY, "", "reject reject reject"),
        ("1.30", CLUSTER_POLICY, "1a- 2bx", "reject reject reject"),
        ("1.30", CLUSTER_POLICY, "1a! 2b! 3b-", "12 12 12"),
        ("1.30", CLUSTER_POLICY, "1a! 2b", "2 2 2"),
        ("1.25", CLUSTER_POLICY, "1a! 2b!", "reject reject reject"),
        ("1.30", EXTERNAL, "1a 2b", "12 12 1"),
        ("1.30", EXTERNAL, "2b", "2 2 drop"),
        ("1.30", EXTERNAL, "1a! 2b", "2 2 1"),
        ("1.30", EXTERNAL, "1a! 2a", "2 2 2"),
        ("1.30", EXTERNAL, "2b!", "2 2 drop"),
        ("1.30", EXTERNAL, "1a-", "reject reject reject"),
        ("1.20", EXTERNAL, "1a 2b", "12 12 1"),
        ("1.20", EXTERNAL, "1a! 2b", "2 2 drop"),
        ("1.20", EXTERNAL, "1a-", "reject reject reject"),
        ("1.30", INTERNAL, "1a 2b", "1 12 12"),
        ("1.30", INTERNAL, "2b", "drop 2 2"),
        ("1.24", INTERNAL, "2b", "drop 2 2"),
        ("1.23", INTERNAL, "1a 2b", "1 1 1"),
        ("1.23", INTERNAL, "2b", "reject reject reject"),
        ("1.21", INTERNAL, "2b", "2 2 2"),
        ("1.30", BOTH, "2b", "drop 2 drop"),
        ("1.30", BOTH, "1a 2b", "1 12 1"),
        ("1.23", BOTH, "1a 2b", "12 12 1"),
    ],
)
def test_traffic_policy(version: str, policy: TrafficPolicy, endpoints: str, expected: str) -> None:
    """`expected`: who serves the cluster IP, external addresses from inside, and from outside."""
    found = decide(backends(endpoints), policy, HERE, behaviour(version))
    outcomes = (found.internal, found.cluster, found.external)
    assert [shown(o) for o in outcomes] == expected.split()


@pytest.mark.parametrize(
    ("policy", "endpoints", "split"),
    [
        (EXTERNAL, "1a", True),
        (EXTERNAL, "", False),
        (CLUSTER_POLICY, "1a", False),
        (INTERNAL, "1a", False),
    ],
)
def test_clients_are_told_apart_only_under_a_local_policy_with_endpoints(
    policy: TrafficPolicy, endpoints: str, split: bool
) -> None:
    for version in ("1.20", "1.23", "1.30"):
        assert decide(backends(endpoints), policy, HERE, behaviour(version)).split is split


@pytest.mark.parametrize(
    ("version", "policy", "zone", "used"),
    [
        pytest.param("1.36", CLUSTER_POLICY, "z1", "1", id="own zone"),
        pytest.param("1.36", CLUSTER_POLICY, "z9", "12", id="a zone without hints uses all"),
        pytest.param("1.36", CLUSTER_POLICY, "", "12", id="a node without zone uses all"),
        pytest.param("1.30", CLUSTER_POLICY, "z1", "12", id="1.30 wants the annotation"),
        pytest.param("1.30", ANNOTATED, "z1", "1", id="annotated"),
        pytest.param("1.23", ANNOTATED, "z1", "12", id="off by default up to 1.23"),
        pytest.param("1.20", ANNOTATED, "z1", "12", id="unknown up to 1.20"),
    ],
)
def test_zone_hints(version: str, policy: TrafficPolicy, zone: str, used: str) -> None:
    hinted = (*backends("1b", zone_hints=("z1",)), *backends("2b", zone_hints=("z2", "z3")))
    found = decide(hinted, policy, Locality("a", zone), behaviour(version))
    assert shown(found.internal) == used


def test_one_ready_endpoint_without_hint_switches_hints_off() -> None:
    mixed = (*backends("1b", zone_hints=("z1",)), *backends("2b"))
    unready = (*backends("1b 2b", zone_hints=("z1",)), *backends("3b-"))
    assert shown(decide(mixed, CLUSTER_POLICY, HERE, behaviour("1.36")).internal) == "12"
    assert shown(decide(unready, CLUSTER_POLICY, HERE, behaviour("1.36")).internal) == "12"


@pytest.mark.parametrize(
    ("version", "node", "used"),
    [
        pytest.param("1.36", "a", "1", id="own node"),
        pytest.param("1.36", "c", "12", id="else the zone"),
        pytest.param("1.33", "a", "12", id="1.33 knows zones only"),
    ],
)
def test_node_hints_come_before_zone_hints(version: str, node: str, used: str) -> None:
    zone = {"zone_hints": ("z1",)}
    hinted = (
        *backends("1a", node_hints=("a",), **zone),
        *backends("2b", node_hints=("b",), **zone),
    )
    found = decide(hinted, CLUSTER_POLICY, Locality(node, "z1"), behaviour(version))
    assert shown(found.internal) == used


def test_local_policies_do_not_ask_for_hints() -> None:
    hinted = (*backends("1a", zone_hints=("z2",)), *backends("2b", zone_hints=("z1",)))
    found = decide(hinted, EXTERNAL, HERE, behaviour("1.36"))
    assert (shown(found.cluster), shown(found.external)) == ("2", "1")


def test_leaving_endpoints_are_used_whatever_their_hints() -> None:
    found = decide(backends("1b! 2b!", zone_hints=("z2",)), CLUSTER_POLICY, HERE, behaviour("1.36"))
    assert shown(found.internal) == "12"
