"""Pods that are made at the server, for `kubectl debug`: they run at once."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any


def created(pod: dict[str, Any], namespace: str, now: datetime) -> dict[str, Any]:
    """Return a pod as it is after scheduler and kubelet have had it."""
    metadata = {**pod["metadata"], "namespace": namespace}
    metadata.setdefault("name", metadata.get("generateName", "") + secrets.token_hex(3)[:5])
    at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata |= {"creationTimestamp": at, "uid": secrets.token_hex(16)}
    running = [
        {
            "name": container["name"],
            "image": container.get("image", ""),
            "imageID": "",
            "ready": True,
            "started": True,
            "restartCount": 0,
            "lastState": {},
            "state": {"running": {"startedAt": at}},
        }
        for container in pod["spec"]["containers"]
    ]
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": at}
        for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
    ]
    return {
        **pod,
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": metadata,
        "status": {"phase": "Running", "conditions": conditions, "containerStatuses": running},
    }
