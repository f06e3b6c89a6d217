"""Whether a DaemonSet should have a pod on a node (`nodeShouldRunDaemonPod` of the DaemonSet controller)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from analyzer.model.kubernetes import (
    Node,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PodSpec,
    Taint,
    Workload,
)


class Placement(Enum):
    """What the controller decides for one node."""

    WANTED = "wanted"
    ELSEWHERE = "elsewhere"
    """Its node selector or node affinity leaves the node out: so it is meant."""

    REPELLED = "repelled"
    """A taint of the node that it does not tolerate keeps it away."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A placement with the taint that repels, where one does."""

    placement: Placement
    taint: Taint | None = None


def daemon_placement(daemon_set: Workload, node: Node) -> Decision:
    """Return whether the DaemonSet's pod belongs on the node."""
    spec = daemon_set.spec.template.spec
    labels = node.labels
    selected = all(labels.get(k) == v for k, v in (spec.node_selector or {}).items())
    if not selected or not _meets_affinity(spec, node):
        return Decision(Placement.ELSEWHERE)
    taint = next((t for t in node.spec.taints or () if _repels(t, spec)), None)
    return Decision(Placement.WANTED) if taint is None else Decision(Placement.REPELLED, taint)


def _meets_affinity(spec: PodSpec, node: Node) -> bool:
    affinity = spec.affinity.node_affinity if spec.affinity else None
    if affinity is None or affinity.required is None:
        return True
    return any(_matches(term, node) for term in affinity.required.node_selector_terms or ())


def _matches(term: NodeSelectorTerm, node: Node) -> bool:
    """Tell whether all requirements are met; a term without any matches no node."""
    expressions, fields = term.match_expressions or (), term.match_fields or ()
    names = {"metadata.name": node.name}
    return bool(expressions or fields) and (
        all(_met(r, node.labels) for r in expressions) and all(_met(r, names) for r in fields)
    )


def _met(requirement: NodeSelectorRequirement, labels: dict[str, str]) -> bool:
    value, values = labels.get(requirement.key), requirement.values or ()
    match requirement.operator:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" as operator:
            return _compared(value, values, operator)
        case _:
            return False


def _compared(value: str | None, values: tuple[str, ...], operator: str) -> bool:
    try:
        left, right = int(value or ""), int(values[0])
    except (ValueError, IndexError):
        return False
    return left > right if operator == "Gt" else left < right


_ADDED_BY_CONTROLLER = (
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/disk-pressure",
    "node.kubernetes.io/memory-pressure",
    "node.kubernetes.io/pid-pressure",
    "node.kubernetes.io/unschedulable",
    "node.kubernetes.io/network-unavailable",
)
"""Taints that every DaemonSet tolerates (`AddOrUpdateDaemonPodTolerations`; the last one with the host's network)."""


def _repels(taint: Taint, spec: PodSpec) -> bool:
    if taint.effect not in {"NoSchedule", "NoExecute"} or taint.key in _ADDED_BY_CONTROLLER:
        return False
    return not any(
        (not t.key or t.key == taint.key)
        and (not t.effect or t.effect == taint.effect)
        and (t.operator == "Exists" or (bool(t.key) and t.value == taint.value))
        for t in spec.tolerations or ()
    )
