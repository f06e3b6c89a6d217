"""A target port is looked up in each pod as FindPort does."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from analyzer.expect.target_port import PortOutcome, resolve_in_pods, resolve_target_port
from analyzer.model.kubernetes import ServicePort
from analyzer.model.source import ObjectRef
from tests.expect.builders import pod

CONTAINERS = [
    {"name": "proxy", "ports": [{"containerPort": 15001, "name": "mesh"}]},
    {
        "name": "app",
        "ports": [
            {"containerPort": 8125, "name": "stats", "protocol": "UDP"},
            {"containerPort": 8080, "name": "http"},
            {"containerPort": 9999, "name": "http"},
        ],
    },
]
INIT = [
    {"name": "setup", "ports": [{"containerPort": 1, "name": "once"}]},
    {"name": "log", "restartPolicy": "Always", "ports": [{"containerPort": 2, "name": "logs"}]},
]
POD = pod(containers=CONTAINERS, initContainers=INIT)


@pytest.mark.parametrize(
    ("port", "outcome", "number"),
    [
        pytest.param({"targetPort": 4711}, PortOutcome.NUMBER, 4711, id="undeclared number"),
        pytest.param({}, PortOutcome.NUMBER, 80, id="absent means the port itself"),
        pytest.param({"targetPort": "http"}, PortOutcome.NAME, 8080, id="first of two"),
        pytest.param({"targetPort": "mesh"}, PortOutcome.NAME, 15001, id="any container"),
        pytest.param({"targetPort": "web"}, PortOutcome.NAME_MISSING, None, id="no such name"),
        pytest.param({"targetPort": "HTTP"}, PortOutcome.NAME_MISSING, None, id="case matters"),
        pytest.param(
            {"targetPort": "http", "protocol": "UDP"},
            PortOutcome.OTHER_PROTOCOL,
            None,
            id="other protocol",
        ),
        pytest.param(
            {"targetPort": "stats", "protocol": "UDP"}, PortOutcome.NAME, 8125, id="same protocol"
        ),
        pytest.param({"targetPort": "8080"}, PortOutcome.QUOTED_NUMBER, None, id="quoted number"),
        pytest.param({"targetPort": "once"}, PortOutcome.NAME_MISSING, None, id="init container"),
        pytest.param({"targetPort": "logs"}, PortOutcome.NAME, 2, id="sidecar"),
    ],
)
def test_target_port(port: dict[str, Any], outcome: PortOutcome, number: int | None) -> None:
    found = resolve_target_port(msgspec.convert({"port": 80} | port, ServicePort), POD)
    assert (found.outcome, found.number) == (outcome, number)


@pytest.mark.parametrize(("name", "depends"), [("logs", True), ("http", False)])
def test_only_newer_controllers_look_into_sidecars(name: str, depends: bool) -> None:
    port = msgspec.convert({"port": 80, "targetPort": name}, ServicePort)
    assert resolve_target_port(port, POD).depends_on_version is depends


def test_the_declaration_of_another_protocol_is_shown() -> None:
    port = msgspec.convert({"port": 80, "targetPort": "stats"}, ServicePort)
    declared = resolve_target_port(port, POD).declared
    assert declared is not None
    assert declared.container == "app"
    assert declared.source == ObjectRef(
        "cluster/pods.json", 0, ("spec", "containers", 1, "ports", 0)
    )


def test_pods_with_other_containers_are_asked_for_themselves() -> None:
    port = msgspec.convert({"port": 80, "targetPort": "logs"}, ServicePort)
    other = pod(containers=[{"name": "app", "ports": [{"containerPort": 3, "name": "logs"}]}])
    unnamed = pod(containers=CONTAINERS)
    found = resolve_in_pods(port, [POD, POD, other, unnamed, POD])
    assert [r.number for r in found] == [2, 2, 3, None, 2]
