"""Lists as tables, which `kubectl get` without -o asks for (meta.k8s.io/v1 Table)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_Cell = Callable[[dict[str, Any]], Any]


def table(kind: str, items: list[dict[str, Any]], metadata: dict[str, Any]) -> dict[str, Any]:
    """Return objects as rows."""
    columns = {"Name": lambda item: item["metadata"]["name"], **_COLUMNS.get(kind, {}), "Age": _age}
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [_definition(name) for name in columns],
        "rows": [
            {
                "cells": [cell(item) for cell in columns.values()],
                "object": {
                    "kind": "PartialObjectMetadata",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": item["metadata"],
                },
            }
            for item in items
        ],
    }  # fmt: skip


def _definition(name: str) -> dict[str, Any]:
    form = "name" if name == "Name" else ""
    return {"name": name, "type": "string", "format": form, "description": "", "priority": 0}


def _age(item: dict[str, Any]) -> str:
    return str(item["metadata"].get("creationTimestamp", "<unknown>"))


def _ready(pod: dict[str, Any]) -> str:
    states = pod.get("status", {}).get("containerStatuses", [])
    return f"{sum(bool(s.get('ready')) for s in states)}/{len(pod['spec']['containers'])}"


def _condition(node: dict[str, Any]) -> str:
    conditions = {c["type"]: c["status"] for c in node.get("status", {}).get("conditions", [])}
    return "Ready" if conditions.get("Ready") == "True" else "NotReady"


def _ports(service: dict[str, Any]) -> str:
    return ",".join(
        f"{p['port']}/{p.get('protocol', 'TCP')}" for p in service["spec"].get("ports", [])
    )


_COLUMNS: dict[str, dict[str, _Cell]] = {
    "Pod": {"Ready": _ready, "Status": lambda pod: pod.get("status", {}).get("phase", "")},
    "Node": {
        "Status": _condition,
        "Version": lambda node: (
            node.get("status", {}).get("nodeInfo", {}).get("kubeletVersion", "")
        ),
    },
    "Service": {
        "Type": lambda service: service["spec"].get("type", ""),
        "Cluster-IP": lambda service: service["spec"].get("clusterIP", ""),
        "Port(s)": _ports,
    },
}
