"""What is needed is asked for, said, and printed as roles."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from analyzer.collect.options import NodeAccess, Options
from analyzer.collect.permissions import (
    Allowed,
    Permission,
    Verdict,
    cluster_role,
    needed,
    refusals,
    refused_everywhere,
    table,
)
from analyzer.collect.resources import Need


def rules(options: Options) -> list[dict[str, Any]]:
    return [rule for role in yaml.safe_load_all(cluster_role(options)) for rule in role["rules"]]


@pytest.mark.parametrize("access", NodeAccess)
def test_no_role_reads_secrets_or_changes_anything_unless_pods_are_to_be_made(
    access: NodeAccess,
) -> None:
    for rule in rules(Options(node_access=access)):
        assert "secrets" not in rule["resources"]
        assert "*" not in (*rule["resources"], *rule["verbs"], *rule["apiGroups"])
        changing = set(rule["verbs"]) - {"get", "list", "watch"}
        if access is not NodeAccess.DEBUG:
            assert not changing or rule["resources"] == ["pods/exec"]


def test_config_maps_are_named_in_the_role() -> None:
    (rule,) = (r for r in rules(Options()) if r["resources"] == ["configmaps"])
    assert "kube-proxy" in rule["resourceNames"]
    assert rule["verbs"] == ["get"]


def test_without_exec_nobody_may_exec() -> None:
    quiet = Options(node_access=NodeAccess.NONE, pod_exec=False)
    assert not any("pods/exec" in rule["resources"] for rule in rules(quiet))
    assert not any("exec" in permission.subresource for permission in needed(quiet))


def test_permissions_are_asked_as_a_person_would() -> None:
    asked = {" ".join(permission.arguments) for permission in needed(Options())}
    assert "auth can-i list endpointslices.discovery.k8s.io --all-namespaces" in asked
    assert "auth can-i list nodes" in asked
    assert "auth can-i create pods --subresource=exec --namespace=kube-system" in asked


def test_what_one_of_two_ways_allows_is_tried() -> None:
    ways = [
        Permission(verb, "pods", "exec", "kube-system", Need.EXEC) for verb in ("create", "get")
    ]
    no = [Allowed(way, Verdict.NO) for way in ways]
    assert refusals(no) == {Need.EXEC: "not permitted: create pods/exec in kube-system"}
    assert refusals([no[0], Allowed(ways[1], Verdict.YES)]) == {}
    assert refusals([no[0], Allowed(ways[1], Verdict.UNKNOWN)]) == {}


def test_the_table_says_what_will_be_missing() -> None:
    events = Permission("list", "events", gives="cluster/events.json")
    pods = Permission("list", "pods", gives="cluster/pods.json")
    assert table([Allowed(events, Verdict.NO), Allowed(pods, Verdict.YES)]) == (
        "  no      list events\n            without it: no cluster/events.json\n  yes     list pods\n"
    )


def test_the_table_fits_a_terminal() -> None:
    answers = [Allowed(p, Verdict.NO) for p in needed(Options(node_access=NodeAccess.DEBUG))]
    assert max(map(len, table(answers).splitlines())) < 80


@pytest.mark.parametrize(
    ("resources", "told"), [(("services", "pods"), True), (("statefulsets.apps",), False)]
)
def test_lists_are_refused_everywhere_where_those_of_services_and_pods_are(
    resources: tuple[str, ...], told: bool
) -> None:
    answers = [Allowed(Permission("list", resource), Verdict.NO) for resource in resources]
    assert refused_everywhere(answers) is told
    in_one = [Allowed(Permission("list", r, namespace="shop"), Verdict.NO) for r in resources]
    assert not refused_everywhere(in_one)
