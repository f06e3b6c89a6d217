from __future__ import annotations

from typing import Any

import pytest
from msgspec import convert

from analyzer.expect.daemon_scheduling import Placement, daemon_placement
from analyzer.model.kubernetes import Node, Workload


def placement(spec: dict[str, Any], labels: dict[str, str], *taints: dict[str, str]) -> Placement:
    """Return the decision for a DaemonSet with this pod spec and a node with these labels and taints."""
    daemon_set = convert(
        {"metadata": {"name": "kube-proxy"}, "spec": {"template": {"spec": spec}}}, Workload
    )
    node = convert(
        {"metadata": {"name": "n1", "labels": labels}, "spec": {"taints": list(taints)}}, Node
    )
    return daemon_placement(daemon_set, node).placement


def affinity(*expressions: dict[str, Any], field: str = "matchExpressions") -> dict[str, Any]:
    """Return a pod spec with one required term."""
    required = {"nodeSelectorTerms": [{field: list(expressions)}]}
    return {
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    }


COMPUTE = "eks.amazonaws.com/compute-type"


@pytest.mark.parametrize(
    ("spec", "labels", "expected"),
    [
        pytest.param({}, {}, Placement.WANTED, id="no conditions"),
        pytest.param(
            {"nodeSelector": {"kubernetes.io/os": "linux"}},
            {"kubernetes.io/os": "linux"},
            Placement.WANTED,
            id="selected",
        ),
        pytest.param(
            {"nodeSelector": {"kubernetes.io/os": "linux"}},
            {},
            Placement.ELSEWHERE,
            id="label lacking",
        ),
        pytest.param(
            affinity({"key": COMPUTE, "operator": "NotIn", "values": ["fargate"]}),
            {COMPUTE: "fargate"},
            Placement.ELSEWHERE,
            id="NotIn",
        ),
        pytest.param(
            affinity({"key": COMPUTE, "operator": "NotIn", "values": ["fargate"]}),
            {},
            Placement.WANTED,
            id="NotIn holds without the label",
        ),
        pytest.param(
            affinity({"key": "edge", "operator": "DoesNotExist"}),
            {"edge": ""},
            Placement.ELSEWHERE,
            id="DoesNotExist",
        ),
        pytest.param(
            affinity({"key": "edge", "operator": "Exists"}),
            {"edge": ""},
            Placement.WANTED,
            id="Exists",
        ),
        pytest.param(
            affinity({"key": "gen", "operator": "Gt", "values": ["3"]}),
            {"gen": "3"},
            Placement.ELSEWHERE,
            id="Gt",
        ),
        pytest.param(
            affinity({"key": "gen", "operator": "Lt", "values": ["x"]}),
            {"gen": "3"},
            Placement.ELSEWHERE,
            id="no number",
        ),
        pytest.param(affinity(), {}, Placement.ELSEWHERE, id="an empty term matches nothing"),
        pytest.param(
            affinity(
                {"key": "metadata.name", "operator": "In", "values": ["n2"]}, field="matchFields"
            ),
            {},
            Placement.ELSEWHERE,
            id="another node by name",
        ),
    ],
)
def test_selector_and_affinity_leave_nodes_out(
    spec: dict[str, Any], labels: dict[str, str], expected: Placement
) -> None:
    assert placement(spec, labels) is expected


@pytest.mark.parametrize(
    ("tolerations", "taint", "expected"),
    [
        pytest.param([], {"key": "gpu", "effect": "NoSchedule"}, Placement.REPELLED, id="none"),
        pytest.param(
            [], {"key": "gpu", "effect": "PreferNoSchedule"}, Placement.WANTED, id="preference"
        ),
        pytest.param(
            [],
            {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"},
            Placement.WANTED,
            id="daemons stay",
        ),
        pytest.param(
            [{"operator": "Exists"}],
            {"key": "gpu", "effect": "NoExecute"},
            Placement.WANTED,
            id="all",
        ),
        pytest.param(
            [{"key": "gpu", "operator": "Equal", "value": "a"}],
            {"key": "gpu", "value": "b", "effect": "NoSchedule"},
            Placement.REPELLED,
            id="other value",
        ),
        pytest.param(
            [{"key": "gpu", "value": "a"}],
            {"key": "gpu", "value": "a", "effect": "NoSchedule"},
            Placement.WANTED,
            id="Equal is the default",
        ),
        pytest.param(
            [{"operator": "Exists", "effect": "NoSchedule"}],
            {"key": "gpu", "effect": "NoExecute"},
            Placement.REPELLED,
            id="other effect",
        ),
    ],
)
def test_a_taint_repels_what_does_not_tolerate_it(
    tolerations: list[dict[str, str]], taint: dict[str, str], expected: Placement
) -> None:
    assert placement({"tolerations": tolerations}, {}, taint) is expected
