"""The youngest change of pods and endpoints tells whether a difference is old enough to count (facts F5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from analyzer.expect.changes import is_settled, last_change, parse_time
from analyzer.model.kubernetes import Pod, Service
from tests.expect.builders import endpoint_slice, endpoints_object

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TRIGGER = {"endpoints.kubernetes.io/last-change-trigger-time": "2026-11-23T12:00:00Z"}
OLD = "2026-11-23T01:00:00Z"


def made(kind: type[Any], **fields: Any) -> Any:
    return msgspec.convert(fields, kind)


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(
            {
                "status": {
                    "conditions": [
                        {
                            "type": "Ready",
                            "status": "True",
                            "lastTransitionTime": "2026-11-23T12:00:00Z",
                        },
                        {"type": "Initialized", "lastTransitionTime": "2026-11-23T13:00:00Z"},
                    ]
                }
            },
            id="became ready",
        ),
        pytest.param(
            {
                "metadata": {
                    "deletionTimestamp": "2026-11-23T13:00:00Z",
                    "deletionGracePeriodSeconds": 3600,
                }
            },
            id="deletion begins before deletionTimestamp",
        ),
        pytest.param(
            {"metadata": {"deletionTimestamp": "2026-11-23T12:00:00Z"}}, id="no grace known"
        ),
        pytest.param(
            {
                "metadata": {
                    "managedFields": [
                        {"manager": "kubectl", "time": "2026-11-23T12:00:00Z"},
                        {"manager": "kubelet", "time": "2026-11-23T13:00:00Z"},
                    ]
                }
            },
            id="somebody changed it; the kubelet's status does not count",
        ),
        pytest.param({"metadata": {"creationTimestamp": "2026-11-23T12:00:00Z"}}, id="created"),
    ],
)
def test_changes_of_a_pod(pod: dict[str, Any]) -> None:
    service = made(Service, metadata={"creationTimestamp": OLD})
    assert last_change(service, [made(Pod, **pod)]) == NOON


def test_changes_of_the_service_and_of_what_is_published() -> None:
    old, new = (made(Service, metadata={"creationTimestamp": t}) for t in (OLD, NOON.isoformat()))
    assert last_change(new, []) == NOON
    assert last_change(old, [], [endpoint_slice(annotations=TRIGGER)]) == NOON
    assert last_change(old, [], [], endpoints_object(annotations=TRIGGER)) == NOON
    assert last_change(None, [], [endpoint_slice(annotations=TRIGGER)]) == NOON


def test_no_time_anywhere() -> None:
    assert last_change(Service(), [Pod()]) is None


@pytest.mark.parametrize(
    ("seconds", "period", "settled"),
    [(59, 1.0, False), (60, 1.0, True), (60, 30.0, True), (61, 60.0, False), (120, 60.0, True)],
)
def test_a_difference_counts_after_two_syncs_and_a_minute(
    seconds: int, period: float, settled: bool
) -> None:
    assert is_settled(NOON, NOON + timedelta(seconds=seconds), period) is settled


def test_without_times_nothing_is_excused() -> None:
    assert is_settled(None, NOON, 30.0)
    assert is_settled(NOON, None, 30.0)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        pytest.param("2026-11-23T12:00:00Z", NOON, id="UTC"),
        pytest.param("2026-11-23T13:00:00+01:00", NOON, id="zone"),
        pytest.param("2026-11-23T12:00:00.000000123Z", NOON, id="nanoseconds"),
        pytest.param("2026-11-23T12:00:00", NOON, id="no zone"),
        pytest.param("yesterday", None, id="no time"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="absent"),
    ],
)
def test_time_stamps(text: str | None, time: datetime | None) -> None:
    assert parse_time(text) == time
