"""What a node answers through `nodes/NAME/proxy`: kubelet on its own port, kube-proxy's healthz on 10256."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from tests.collect.api_server.capture import Capture
from tests.collect.api_server.statuses import ApiError

_LISTING = (
    b'<!doctype html>\n<pre>\n<a href="pods/">pods/</a>\n<a href="syslog">syslog</a>\n</pre>\n'
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is no object of the API."""

    body: bytes
    kind: str = "text/plain; charset=utf-8"
    code: int = HTTPStatus.OK


def answer(
    capture: Capture, node: str, address: str, rest: str, query: Mapping[str, str]
) -> Answer:
    """Answer a path of a node; `node` may name a scheme and a port, `https:NAME:PORT`."""
    name, port = _parted(node)
    if port in {"", "10250"}:
        return _of_kubelet(capture, name, rest, query)
    healthz = capture.node(name, "kube-proxy-healthz.json")
    if port == "10256" and rest in {"healthz", "livez"} and healthz is not None:
        return Answer(healthz, "application/json")
    raise ApiError(
        503,
        f"error trying to reach service: dial tcp {address}:{port}: connect: connection refused",
    )


def _parted(node: str) -> tuple[str, str]:
    words = node.split(":")
    if len(words) > 2:
        words = words[1:]
    return words[0], words[1] if len(words) > 1 else ""


def _of_kubelet(capture: Capture, node: str, rest: str, query: Mapping[str, str]) -> Answer:
    match rest.strip("/"):
        case "healthz":
            return Answer(b"ok")
        case "configz":
            configz = capture.node(node, "kubelet-configz.json")
            if configz is not None:
                return Answer(configz, "application/json")
        case "logs":
            return _log(capture.node(node, "kubelet.log"), query)
        case path if path.startswith("logs/"):
            file = capture.files.get(f"var-log/{node}/{path.removeprefix('logs/')}")
            if file is not None:
                return Answer(file)
    return Answer(b"404 page not found\n", code=HTTPStatus.NOT_FOUND)


def _log(log: bytes | None, query: Mapping[str, str]) -> Answer:
    """Answer a log query, where the kubelet knows it; an older one ignores the question and lists /var/log."""
    if log is None or "query" not in query:
        return Answer(_LISTING, "text/html; charset=utf-8")
    if query["query"] != "kubelet":
        return Answer(b"-- No entries --\n")
    lines = log.splitlines(keepends=True)
    return Answer(b"".join(lines[-int(query.get("tailLines", len(lines))) :]))
