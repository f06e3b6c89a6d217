"""Label and field selectors of lists."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.collect.api_server.statuses import ApiError

_ALWAYS = {"metadata.name", "metadata.namespace"}
_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_FIELDS = {
    "Pod": {
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
        "status.phase", "status.podIP", "status.nominatedNodeName",
    },
    "Node": {"spec.unschedulable"},
    "Namespace": {"status.phase"},
    "Service": {"spec.clusterIP", "spec.type"},
    "Secret": {"type"},
    "ReplicaSet": {"status.replicas"},
    "Event": {*(f"involvedObject.{name}" for name in _INVOLVED), "reason", "type", "source", "reportingComponent"},
}  # fmt: skip
"""What a server can select by (pkg/apis/*/v1/conversion.go); anything else is a bad request."""

Test = Callable[[Mapping[str, str], Callable[[], Any]], bool]
"""Takes the labels and a function that decodes the object."""


def selection(kind: str, labels: str, fields: str) -> Test:
    """Return what a selected object passes; raises `ApiError` for selectors that a server refuses."""
    wanted = [_requirement(part) for part in _split(labels)]
    paths = [_field(kind, part) for part in fields.split(",") if part]

    def chosen(own: Mapping[str, str], decoded: Callable[[], Any]) -> bool:
        return all(test(own) for test in wanted) and all(
            (_at(decoded(), path) == value) is equal for path, value, equal in paths
        )

    return chosen


def _split(labels: str) -> list[str]:
    return [part.strip() for part in re.split(r",(?![^(]*\))", labels) if part.strip()]


def _requirement(text: str) -> Callable[[Mapping[str, str]], bool]:
    among = re.fullmatch(r"(\S+)\s+(in|notin)\s+\(([^)]*)\)", text)
    if among:
        key, word, listed = among.groups()
        values = {value.strip() for value in listed.split(",")}
        return lambda own: (own.get(key) in values) is (word == "in")
    equal = re.fullmatch(r"([^!=\s]+)\s*(==?|!=)\s*(\S*)", text)
    if equal:
        key, word, value = equal.groups()
        return lambda own: (own.get(key) == value) is (word != "!=")
    if re.fullmatch(r"!?[\w./-]+", text):
        key = text.removeprefix("!")
        return lambda own: (key in own) is not text.startswith("!")
    raise ApiError(400, f"unable to parse requirement: {text}")


def _field(kind: str, text: str) -> tuple[str, str, bool]:
    path, mark, value = (
        text.partition("!=")
        if "!=" in text
        else text.partition("==")
        if "==" in text
        else text.partition("=")
    )
    if path not in _ALWAYS | _FIELDS.get(kind, set()):
        raise ApiError(
            400,
            f'Unable to find "{kind}" that match label selector "", field selector "{text}": '
            f"field label not supported: {path}",
        )
    return path, value, mark != "!="


def _at(value: Any, path: str) -> str:
    for word in path.split("."):
        value = value.get(word, "") if isinstance(value, dict) else ""
    return str(value).lower() if isinstance(value, bool) else str(value)
