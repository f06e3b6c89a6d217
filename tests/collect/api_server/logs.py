"""What pods/log gives: lines since a time, then the last of them, then no more than so many bytes, as kubelet cuts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.collect.api_server.capture import Capture
from tests.collect.api_server.statuses import ApiError

_KLOG = re.compile(rb"[IWEF](\d\d)(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{6})")


def container_of(pod: dict[str, Any], asked: str) -> str:
    """Return the container that a request means (registry/core/pod/strategy.go)."""
    name = pod["metadata"]["name"]
    spec = pod["spec"]
    known = [c["name"] for c in spec["containers"]]
    others = [
        c["name"] for kind in ("initContainers", "ephemeralContainers") for c in spec.get(kind, [])
    ]
    if not asked and len(known) > 1:
        raise ApiError(
            400,
            f"a container name must be specified for pod {name}, choose one of: [{' '.join(known)}]",
        )
    if asked and asked not in {*known, *others}:
        raise ApiError(400, f"container {asked} is not valid for pod {name}")
    return asked or known[0]


def log(capture: Capture, pod: dict[str, Any], query: Mapping[str, str], now: datetime) -> bytes:
    """Return the log of a container: the file of the capture, or a line of its own."""
    container = container_of(pod, query.get("container", ""))
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    if query.get("previous") == "true":
        text = capture.files.get(f"logs/{namespace}/{name}/{container}.previous.log")
        if text is None:
            raise ApiError(
                400, f'previous terminated container "{container}" in pod "{name}" not found'
            )
    elif container == "kube-proxy":
        text = capture.node(pod["spec"].get("nodeName", ""), "kube-proxy.log") or b""
    else:
        text = capture.files.get(f"logs/{namespace}/{name}/{container}.log", b"started\n")
    return _cut(text, query, now)


def _cut(text: bytes, query: Mapping[str, str], now: datetime) -> bytes:
    timed = list(_timed(text, now))
    since = _since(query, now)
    if since is not None:
        timed = [(at, line) for at, line in timed if at >= since]
    if "tailLines" in query:
        count = int(query["tailLines"])
        timed = timed[-count:] if count else []
    stamps = query.get("timestamps") == "true"
    whole = b"".join(
        (f"{at:%Y-%m-%dT%H:%M:%S.%f}000Z ".encode() if stamps else b"") + line for at, line in timed
    )
    return whole[: int(query["limitBytes"])] if "limitBytes" in query else whole


def _timed(text: bytes, now: datetime) -> Iterator[tuple[datetime, bytes]]:
    """Yield lines with the time at which the runtime wrote them, which klog's own stands for."""
    at = datetime(now.year, 1, 1, tzinfo=UTC)
    for line in text.splitlines(keepends=True):
        stamp = _KLOG.match(line)
        if stamp:
            month, day, hour, minute, second, micro = map(int, stamp.groups())
            at = datetime(now.year, month, day, hour, minute, second, micro, tzinfo=UTC)
        yield at, line


def _since(query: Mapping[str, str], now: datetime) -> datetime | None:
    if "sinceSeconds" in query:
        return now - timedelta(seconds=int(query["sinceSeconds"]))
    if "sinceTime" in query:
        return datetime.fromisoformat(query["sinceTime"])
    return None
