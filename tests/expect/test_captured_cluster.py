"""A real cluster with leaving pods: what is derived from its objects, in full."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from analyzer.expect.endpoints import selects
from analyzer.expect.publication import (
    CalledPorts,
    differences_from_endpoints,
    differences_from_slices,
)
from analyzer.model.forwarding import Entry
from analyzer.model.ruleset import Family
from tests.expect.builders import kube_proxy
from tests.expect.captured import trimmed

CLUSTER = trimmed("terminating-endpoints")


def test_pods_call_for_exactly_what_the_controllers_published() -> None:
    assert sum(bool(s.spec.selector) for s in CLUSTER.services) == 15
    for service in CLUSTER.services:
        slices = CLUSTER.slices.get(service.key, ())
        published = CLUSTER.endpoints.get(service.key)
        called = CalledPorts(service, [p for p in CLUSTER.pods if selects(service, p)])
        assert differences_from_slices(called, slices) == ()
        assert differences_from_endpoints(called, published) == ()


@pytest.mark.parametrize("version", ["1.14", "1.23", "1.30"])
def test_forwarding_on_every_node(version: str, golden: Callable[[str, str], None]) -> None:
    proxy = kube_proxy(version, cluster_cidrs=("10.244.0.0/16", "fd00:10:244::/56"))
    plan = CLUSTER.plan(proxy)
    lines = [
        f"{node.name} {family.value} {line(entry)}\n"
        for node in CLUSTER.nodes
        for family in Family
        for entry in plan.table(family=family, node=node, node_name=node.name, proxy=proxy).entries
    ]
    golden(f"terminating-endpoints.{version}.txt", "".join(lines))


def line(entry: Entry) -> str:
    """Everything that an entry says, in one line."""
    ends = ", ".join(str(t.endpoint) for t in entry.targets)
    details = (
        f"masquerades {entry.masquerade.value}" if entry.masquerade else "",
        f"affinity {entry.affinity_seconds} s" if entry.affinity_seconds else "",
        f"only from {', '.join(entry.source_ranges)}" if entry.source_ranges else "",
        "or not at all" if entry.optional else "",
        *(f"or {a.action.value} {a.reason}" for a in entry.alternatives),
    )
    told = "; ".join(d for d in details if d)
    owner, clients = entry.service_port, entry.clients.value
    return f"{entry.frontend} ({owner}), {clients}: {entry.action.value} {ends} [{told}]"
