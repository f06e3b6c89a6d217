"""Shell commands for remedies, quoted: a name from a bundle stays one word whatever it holds."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any

from analyzer.model.kubernetes import Pod
from analyzer.model.node import Process


def shell(*words: str) -> str:
    """Return the words as one command line for a POSIX shell."""
    return shlex.join(words)


def patch(namespace: str, kind: str, name: str, *operations: dict[str, Any]) -> str:
    """Return the `kubectl patch` command with JSON Patch operations (RFC 6902)."""
    return shell(
        "kubectl", "-n", namespace, "patch", kind, name, "--type=json", "-p", json.dumps(operations)
    )


def pointer(*path: str) -> str:
    """Return a JSON pointer (RFC 6901) of the keys."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in path)


def set_target_port(namespace: str, service: str, index: int, target: int | str) -> str:
    """Return the command that gives the port at a position in a Service another `targetPort`."""
    path = pointer("spec", "ports", str(index), "targetPort")
    return patch(namespace, "service", service, {"op": "add", "path": path, "value": target})


def edit(namespace: str, kind: str, name: str) -> str:
    """Return the command that opens an object in an editor."""
    return shell("kubectl", "-n", namespace, "edit", kind, name)


def restart_kube_proxy(pods: Sequence[Pod], processes: Sequence[Process]) -> str:
    """Return the command that restarts a node's kube-proxy: kubectl for a pod, systemctl for a process without one.

    Where neither is known, the command for the usual DaemonSet, which restarts it on all nodes.
    """
    if pods:
        pod = pods[0]
        return shell("kubectl", "-n", pod.namespace, "delete", "pod", pod.name)
    if not processes:
        return shell(
            "kubectl", "-n", "kube-system", "rollout", "restart", "daemonset", "kube-proxy"
        )
    host = next((p.host for p in processes if p.host), "")
    return shell("systemctl", "restart", host or "kube-proxy")
