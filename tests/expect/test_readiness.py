"""Why a pod is not ready: its own trouble comes first, then gates, its node, the network plugin."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from analyzer.expect.readiness import UnreadyCause, why_unready
from analyzer.model.kubernetes import Event, Node, Pod
from analyzer.model.source import ObjectRef

AT = datetime(2026, 3, 5, 10, 0, tzinfo=UTC)
OLD, YOUNG = "2026-03-05T08:00:00Z", "2026-03-05T09:59:30Z"
READY = {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "unready"}
CONTAINERS_READY = {"type": "ContainersReady", "status": "True"}
UNSCHEDULED = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}
NO_NETWORK = 'failed to setup network for sandbox: plugin type="flannel" failed'


def pod(created: str = OLD, node: str = "n1", gates: tuple[str, ...] = (), **status: Any) -> Pod:
    return msgspec.convert(
        {
            "metadata": {"name": "till-a", "namespace": "store", "creationTimestamp": created},
            "spec": {"nodeName": node, "readinessGates": [{"conditionType": g} for g in gates]},
            "status": {"phase": "Running", **status},
        },
        Pod,
    )


def container(state: dict[str, Any], *, ready: bool = False, **more: Any) -> dict[str, Any]:
    return {"name": "main", "ready": ready, "state": state, **more}


def node(status: str) -> Node:
    conditions = [{"type": "Ready", "status": status}]
    return msgspec.convert({"metadata": {"name": "n1"}, "status": {"conditions": conditions}}, Node)


def event(reason: str, message: str) -> Event:
    return msgspec.convert({"reason": reason, "message": message}, Event)


CRASHING = container(
    {"waiting": {"reason": "CrashLoopBackOff"}},
    restartCount=2,
    lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
)
CREATING = container({"waiting": {"reason": "ContainerCreating"}})
RUNNING = container({"running": {}})


@pytest.mark.parametrize(
    ("status", "cause", "reason"),
    [
        pytest.param(
            {"containerStatuses": [CRASHING]},
            UnreadyCause.OWN,
            "container main is in CrashLoopBackOff (2 restarts, last ended with exit code 137 (OOMKilled))",
            id="crash loop",
        ),
        pytest.param(
            {
                "containerStatuses": [
                    container({"terminated": {"exitCode": 0, "reason": "Completed"}})
                ]
            },
            UnreadyCause.OWN,
            "container main has ended with exit code 0",
            id="ended for good",
        ),
        pytest.param(
            {"initContainerStatuses": [CRASHING], "containerStatuses": [CREATING]},
            UnreadyCause.OWN,
            "container main is in CrashLoopBackOff (2 restarts, last ended with exit code 137 (OOMKilled))",
            id="init container before those that wait for it",
        ),
        pytest.param(
            {"conditions": [UNSCHEDULED]},
            UnreadyCause.OWN,
            "it is not scheduled: 0/3 nodes are available",
            id="not scheduled",
        ),
        pytest.param(
            {"containerStatuses": [RUNNING], "conditions": [READY]},
            UnreadyCause.OWN,
            "container main runs, but does not pass its readiness probe",
            id="readiness probe",
        ),
        pytest.param({"conditions": [READY]}, UnreadyCause.OWN, "unready", id="condition only"),
        pytest.param(
            {},
            UnreadyCause.OWN,
            "its phase is Running, without a condition Ready that is True",
            id="nothing told",
        ),
    ],
)
def test_its_own_trouble(status: dict[str, Any], cause: UnreadyCause, reason: str) -> None:
    found = why_unready(pod(**status), None, (), AT)
    assert (found.cause, found.reason) == (cause, reason)


def test_a_gate_counts_only_when_the_containers_are_ready() -> None:
    gated = pod(gates=("x/y",), conditions=[READY, CONTAINERS_READY])
    assert why_unready(gated, None, (), AT).cause is UnreadyCause.GATE
    assert why_unready(gated, None, (), AT).reason == "readiness gate x/y was never set"
    starting = pod(
        gates=("x/y",), conditions=[READY, {"type": "ContainersReady", "status": "False"}]
    )
    assert why_unready(starting, None, (), AT).cause is UnreadyCause.OWN
    refused = {"type": "x/y", "status": "False"}
    told = why_unready(pod(gates=("x/y",), conditions=[refused, CONTAINERS_READY]), None, (), AT)
    assert told.reason == "readiness gate x/y is not True"


def test_a_node_that_is_not_ready_explains_what_has_no_trouble_of_its_own() -> None:
    running = pod(conditions=[READY], containerStatuses=[container({"running": {}}, ready=True)])
    for status in ("False", "Unknown"):
        assert why_unready(running, node(status), (), AT).cause is UnreadyCause.NODE
    assert why_unready(running, node("True"), (), AT).cause is UnreadyCause.OWN
    crashing = pod(containerStatuses=[CRASHING])
    assert why_unready(crashing, node("Unknown"), (), AT).cause is UnreadyCause.OWN


def test_the_network_plugin_is_named_by_an_event_of_a_pod_without_address() -> None:
    failed = event("FailedCreatePodSandBox", NO_NETWORK)
    waiting = pod(containerStatuses=[CREATING])
    assert why_unready(waiting, node("True"), (failed,), AT).cause is UnreadyCause.NETWORK
    other = event("FailedCreatePodSandBox", "failed to pull image of the sandbox")
    assert why_unready(waiting, node("True"), (other,), AT).cause is UnreadyCause.OWN
    addressed = pod(containerStatuses=[CREATING], podIP="10.41.1.5")
    assert why_unready(addressed, node("True"), (failed,), AT).cause is UnreadyCause.OWN


def test_a_young_pod_is_starting_unless_something_has_failed() -> None:
    assert why_unready(pod(YOUNG, containerStatuses=[CREATING]), None, (), AT).cause is (
        UnreadyCause.STARTING
    )
    assert (
        why_unready(pod(OLD, containerStatuses=[CREATING]), None, (), AT).cause is UnreadyCause.OWN
    )
    assert why_unready(pod(YOUNG, containerStatuses=[CRASHING]), None, (), AT).cause is (
        UnreadyCause.OWN
    )
    assert why_unready(pod(YOUNG, containerStatuses=[CREATING]), None, (), None).cause is (
        UnreadyCause.OWN
    )


def test_the_event_of_the_probe_is_quoted() -> None:
    failed = event("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")
    found = why_unready(pod(containerStatuses=[RUNNING]), None, (failed,), AT)
    assert found.reason.endswith("Readiness probe failed: HTTP probe failed with statuscode: 503")
    assert found.source == failed.ref.at("message")


def test_the_place_is_the_line_that_says_it() -> None:
    found = why_unready(pod(containerStatuses=[RUNNING, CRASHING]), None, (), AT)
    field = ("status", "containerStatuses", 1, "state", "waiting", "reason")
    assert found.source == ObjectRef("", -1, field)
