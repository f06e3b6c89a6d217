"""What kubectl says tells whether another attempt is worth it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from analyzer.collect.api import Api, Failure, complaint, failure_of
from analyzer.collect.kubectl import Ended, Processes
from analyzer.collect.options import Options
from tests.collect.fake_kubectl import Answer, fake_kubectl

SAID = {
    "403": ('Error from server (Forbidden): pods is forbidden: User "x"', Failure.FORBIDDEN),
    "404": ("Error from server (NotFound): the server could not find", Failure.NOT_FOUND),
    "410": ("Error from server (Expired): The provided continue", Failure.EXPIRED),
    "429": ("Error from server (TooManyRequests): too many", Failure.BUSY),
    "500": ("Error from server (InternalError): an error on the server", Failure.BUSY),
    "401": ("error: You must be logged in to the server (Unauthorized)", Failure.UNAUTHORIZED),
    "refused": ("The connection to the server h:1 was refused - did you", Failure.LOST),
    "no route": ("Unable to connect to the server: dial tcp: i/o timeout", Failure.LOST),
    "cut": ("error: unexpected EOF", Failure.LOST),
    "reset": ("error: read tcp 1->2: read: connection reset by peer", Failure.LOST),
    "kubelet": (
        "Error from server: error dialing backend: dial tcp 1.2.3.4:10250: connection refused",
        Failure.OTHER,
    ),
    "port of a node": (
        "Error from server (ServiceUnavailable): error trying to reach service: dial tcp: refused",
        Failure.OTHER,
    ),
    "command": ("command terminated with exit code 127", Failure.OTHER),
}


@pytest.mark.parametrize(("said", "failure"), SAID.values(), ids=SAID)
def test_failures_are_known_by_what_kubectl_says(said: str, failure: Failure) -> None:
    ended = Ended(("kubectl",), datetime.now(UTC), 1, 1, f"Warning: old\n{said}")
    assert failure_of(ended) is failure
    assert complaint(ended.stderr) == said


def test_reasons_hold_no_credential() -> None:
    assert complaint("error: token=abc123 is wrong") == "error: token=<removed 6 bytes> is wrong"


def api(place: Path, answers: dict[str, list[Answer]]) -> Api:
    return Api(Options(kubectl=str(fake_kubectl(place, answers).path)), Processes())


def test_a_dead_server_is_asked_no_more(tmp_path: Path) -> None:
    refused = Answer(error=SAID["refused"][0])
    lost = api(tmp_path, {"/a": [refused], "/version": [refused]})
    assert lost.raw("/a", attempts=1).failure is Failure.LOST
    asked = (tmp_path / "asked").read_text()
    answer = lost.raw("/b")
    assert answer.failure is Failure.LOST
    assert "does not answer" in answer.reason
    assert (tmp_path / "asked").read_text() == asked


def test_one_lost_connection_is_no_dead_server(tmp_path: Path) -> None:
    alive = api(tmp_path, {"/a": [Answer(error=SAID["cut"][0])], "/version": [Answer("{}")]})
    assert alive.raw("/a", attempts=1).failure is Failure.LOST
    assert not alive.dead
